// Marks functions for host and device.
#pragma once

#if defined(__CUDACC__)
#define MOLKERN_HOST_DEVICE __host__ __device__
#define MOLKERN_DEVICE __device__
#else
#define MOLKERN_HOST_DEVICE
#define MOLKERN_DEVICE
#endif
