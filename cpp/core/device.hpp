// Marks functions for host and device, and loops to be unrolled.
#pragma once

#if defined(__CUDACC__)
#define MOLKERN_HOST_DEVICE __host__ __device__
#define MOLKERN_DEVICE __device__
#else
#define MOLKERN_HOST_DEVICE
#define MOLKERN_DEVICE
#endif

// Every compiler warns of the others' pragmas.
#if defined(__CUDA_ARCH__)
#define MOLKERN_UNROLL _Pragma("unroll")
#elif defined(__CUDACC__)
#define MOLKERN_UNROLL
#else
#define MOLKERN_UNROLL _Pragma("GCC unroll 16")
#endif
