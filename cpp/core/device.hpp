// Marks functions for host and device, loops to be unrolled, and tables of constants.
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

// MOLKERN_TABLE(Type, name); defines a table that MOLKERN_TABLE_OF(name) gives: on a device in the
// memory from which instructions take operands, not through registers.
#if defined(__CUDACC__)
#define MOLKERN_TABLE(Type, name) \
    constexpr Type name;          \
    static __constant__ Type name##_on_device
#else
#define MOLKERN_TABLE(Type, name) constexpr Type name
#endif
#if defined(__CUDA_ARCH__)
#define MOLKERN_TABLE_OF(name) name##_on_device
#else
#define MOLKERN_TABLE_OF(name) name
#endif
