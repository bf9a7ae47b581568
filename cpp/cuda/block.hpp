// Blocks of threads that work together: those of a device, and their emulation on the host.
//
// A kernel is a structure whose operator() takes a block; nothing else tells a device from the
// emulation. It proceeds in phases: `each_thread` and `for_each` end when all threads of the block
// have done their part, and what was written to shared or global memory before is seen by all of
// them in the next phase. Within a phase no thread may read what another one writes. The emulation
// runs the threads of a phase one after the other, forwards or backwards, so that a kernel which
// breaks this rule gives two different results.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/device.hpp"

#if !defined(__CUDACC__)
#include <cstring>
#include <stdexcept>
#include <vector>
#endif

namespace molkern::cuda {

/// Threads of a block: a power of two up to this.
constexpr unsigned most_threads = 256;
/// Shared memory of a block that forms sums, besides what the launch asks for.
constexpr std::size_t sum_bytes = most_threads * sizeof(double);

/// Where the rooms of blocks are: in shared memory, or in global memory where that is too small.
struct InShared {};
struct InGlobal {
    char* rooms;
    std::size_t bytes;  // of one block
};

#if defined(__CUDACC__)

/// What a thread keeps from one phase to the next.
template <typename T>
struct Local {
    T value;
    __device__ T& operator[](unsigned) noexcept { return value; }
};

extern __shared__ __align__(32) double shared_memory[];

__device__ inline char* room_begin(const InShared&) noexcept {
    return reinterpret_cast<char*>(shared_memory);
}
__device__ inline char* room_begin(const InGlobal& room) noexcept {
    return room.rooms + blockIdx.x * room.bytes;
}

template <typename Room>
class DeviceBlock {
  public:
    __device__ DeviceBlock(std::int64_t first, const Room& room) noexcept
        : index_(first + static_cast<std::int64_t>(blockIdx.x)), room_(room) {}

    __device__ std::int64_t index() const noexcept { return index_; }
    __device__ unsigned n_threads() const noexcept { return blockDim.x; }

    /// The next n elements of the room, the contents of which are undefined.
    template <typename T>
    __device__ T* shared(std::size_t n) noexcept {
        T* here = reinterpret_cast<T*>(room_begin(room_) + used_);
        used_ += (n * sizeof(T) + 15) / 16 * 16;
        return here;
    }

    template <typename T>
    __device__ Local<T> local() const noexcept {
        return {};
    }

    /// f(thread) on every thread.
    template <typename F>
    __device__ void each_thread(const F& f) noexcept {
        f(threadIdx.x);
        __syncthreads();
    }

    /// f(i) for i < n, dealt to the threads in turn.
    template <typename F>
    __device__ void for_each(std::int64_t n, const F& f) noexcept {
        for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) f(i);
        __syncthreads();
    }

    /// f(0) + f(1) + ... in an order that depends on n and the number of threads alone; known to
    /// all threads.
    template <typename F>
    __device__ double sum(std::int64_t n, const F& f) noexcept {
        double* parts = sum_memory();
        double part = 0;
        for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) part += f(i);
        parts[threadIdx.x] = part;
        __syncthreads();
        for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
            if (threadIdx.x < half) parts[threadIdx.x] += parts[threadIdx.x + half];
            __syncthreads();
        }
        const double total = parts[0];
        __syncthreads();
        return total;
    }

  private:
    // One for all instances of `sum`.
    __device__ static double* sum_memory() noexcept {
        __shared__ double memory[most_threads];
        return memory;
    }

    std::int64_t index_;
    Room room_;
    std::size_t used_ = 0;
};

/// *to = the smaller of *to and value, whatever other threads do.
__device__ inline void atomic_min(std::int64_t* to, std::int64_t value) noexcept {
    atomicMin(reinterpret_cast<long long*>(to), static_cast<long long>(value));
}

/// *to += value; returns what was there.
__device__ inline std::int64_t atomic_add(std::int64_t* to, std::int64_t value) noexcept {
    return static_cast<std::int64_t>(atomicAdd(reinterpret_cast<unsigned long long*>(to),
                                               static_cast<unsigned long long>(value)));
}

#else

template <typename T>
struct Local {
    std::vector<T> values;
    T& operator[](unsigned thread) noexcept { return values[thread]; }
};

class HostBlock {
  public:
    /// The room is filled with NaN: what is read before it was written is seen.
    HostBlock(std::int64_t index, unsigned n_threads, void* room, std::size_t bytes, bool backwards)
        : index_(index),
          n_threads_(n_threads),
          backwards_(backwards),
          room_(static_cast<char*>(room)),
          bytes_(bytes) {
        if (bytes != 0) std::memset(room, 0xff, bytes);
    }

    std::int64_t index() const noexcept { return index_; }
    unsigned n_threads() const noexcept { return n_threads_; }

    template <typename T>
    T* shared(std::size_t n) {
        T* here = reinterpret_cast<T*>(room_ + used_);
        used_ += (n * sizeof(T) + 15) / 16 * 16;
        if (used_ > bytes_)
            throw std::logic_error("a block uses more shared memory than asked for");
        return here;
    }

    template <typename T>
    Local<T> local() const {
        return {std::vector<T>(n_threads_)};
    }

    template <typename F>
    void each_thread(const F& f) {
        for (unsigned t = 0; t < n_threads_; ++t) f(backwards_ ? n_threads_ - 1 - t : t);
    }

    template <typename F>
    void for_each(std::int64_t n, const F& f) {
        each_thread([&](unsigned t) {
            for (std::int64_t i = t; i < n; i += n_threads_) f(i);
        });
    }

    template <typename F>
    double sum(std::int64_t n, const F& f) {
        std::vector<double> parts(n_threads_);
        each_thread([&](unsigned t) {
            for (std::int64_t i = t; i < n; i += n_threads_) parts[t] += f(i);
        });
        for (unsigned half = n_threads_ / 2; half > 0; half /= 2)
            for (unsigned t = 0; t < half; ++t) parts[t] += parts[t + half];
        return parts[0];
    }

  private:
    std::int64_t index_;
    unsigned n_threads_;
    bool backwards_;
    char* room_;
    std::size_t bytes_, used_ = 0;
};

inline void atomic_min(std::int64_t* to, std::int64_t value) noexcept {
    if (value < *to) *to = value;
}

inline std::int64_t atomic_add(std::int64_t* to, std::int64_t value) noexcept {
    const std::int64_t before = *to;
    *to += value;
    return before;
}

#endif

}  // namespace molkern::cuda
