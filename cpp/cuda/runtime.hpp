// The CUDA runtime, as much of it as is used: every call is checked. Compiled without nvcc, memory
// is that of the host and kernels run by the emulation of block.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "cuda/block.hpp"
#include "molkern/cuda.hpp"

namespace molkern::cuda {

/// A call that failed: its name and the text of the device.
class Error : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The device's memory is too small: the bytes asked for and those that are free.
class OutOfMemory : public Error {
    using Error::Error;
};

/// Why there is no device, or nothing.
std::string unavailable();

/// Why a device cannot be used, or nothing.
std::string unsupported(int device);

/// Devices; and their name, driver and memory in words.
int n_devices();
std::string description(int device);

/// Memory of the current device that can still be had, in bytes.
std::size_t free_bytes();

/// The kind of DLPack's devices: 2, or 1 for the host, which the emulation is.
int device_kind();

/// Makes a device the current one until the end of the scope.
class CurrentDevice {
  public:
    explicit CurrentDevice(int device);
    ~CurrentDevice();
    CurrentDevice(const CurrentDevice&) = delete;
    CurrentDevice& operator=(const CurrentDevice&) = delete;

  private:
    int before_;
};

int current_device();

/// Memory of the current device, freed when what the stream holds by then is done; `shared` with
/// others, who may use it on streams of their own: when the whole device is done.
class Memory {
  public:
    Memory() = default;
    Memory(std::size_t bytes, Stream stream, bool shared = false);
    ~Memory();
    Memory(Memory&& from) noexcept;
    Memory& operator=(Memory&& from) noexcept;

    void* data() const noexcept { return data_; }

  private:
    void* data_ = nullptr;
    Stream stream_ = nullptr;
    bool shared_ = false;
    int device_ = 0;
};

template <typename T>
class Buffer {
  public:
    Buffer() = default;
    Buffer(std::int64_t n, Stream stream, bool shared = false)
        : memory_(static_cast<std::size_t>(n) * sizeof(T), stream, shared) {}

    T* data() const noexcept { return static_cast<T*>(memory_.data()); }

  private:
    Memory memory_;
};

/// From the host, which may change `from` as soon as this returns.
void upload(void* to, const void* from, std::size_t bytes, Stream stream);

/// To the host, which has it when this returns.
void download(void* to, const void* from, std::size_t bytes, Stream stream);

/// From one place of the device to another.
void copy(void* to, const void* from, std::size_t bytes, Stream stream);

void fill(void* to, int byte, std::size_t bytes, Stream stream);
void synchronize(Stream stream);

template <typename T>
Buffer<T> uploaded(const T* from, std::int64_t n, Stream stream, bool shared = false) {
    Buffer<T> to(n, stream, shared);
    upload(to.data(), from, static_cast<std::size_t>(n) * sizeof(T), stream);
    return to;
}

/// Largest shared memory of a block, in bytes.
std::size_t most_shared_bytes();

/// Whether a block may have these, besides the memory of its sums; and the error if not.
bool fits(std::size_t shared_bytes);
[[noreturn]] void raise_shared(std::size_t shared_bytes);

/// Of n_blocks blocks that need `bytes` of global memory each, as many as one launch has: 1024, or
/// as many as 256 MiB hold, but one.
std::int64_t n_rooms(std::int64_t n_blocks, std::size_t bytes);

#if defined(__CUDACC__)

/// Blocks of a launch; more are several launches.
constexpr std::int64_t most_blocks = std::int64_t{1} << 30;

/// Throws unless the call succeeded.
void check(cudaError_t code, const char* call);

template <typename Kernel, typename Room>
__global__ void __launch_bounds__(Kernel::n_threads)
    run(const Kernel kernel, const std::int64_t first, const Room room) {
    DeviceBlock<Room> block(first, room);
    kernel(block);
}

/// Blocks first .. first + n - 1.
template <typename Kernel, typename Room>
void run_some(const Kernel& kernel, std::int64_t first, std::int64_t n, const Room& room,
              std::size_t shared_bytes, Stream stream) {
    run<Kernel, Room><<<static_cast<unsigned>(n), Kernel::n_threads, shared_bytes,
                        static_cast<cudaStream_t>(stream)>>>(kernel, first, room);
    check(cudaGetLastError(), "a launch");
}

template <typename Kernel>
void allow_shared(std::size_t shared_bytes) {
    // The same for every launch: other threads may be launching this kernel.
    if (shared_bytes + sum_bytes > 48 * 1024)
        check(
            cudaFuncSetAttribute(run<Kernel, InShared>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(most_shared_bytes() - sum_bytes)),
            "cudaFuncSetAttribute");
}

#else

/// Few in the emulation, so that tests have several launches.
constexpr std::int64_t most_blocks = 64;

/// Whether the emulation runs the blocks of a launch and the threads of a phase backwards.
extern bool backwards;

template <typename Kernel>
void run_some(const Kernel& kernel, std::int64_t first, std::int64_t n, const InGlobal& room,
              std::size_t, Stream) {
    for (std::int64_t k = 0; k < n; ++k) {
        const std::int64_t b = backwards ? n - 1 - k : k;
        char* mine = room.rooms + static_cast<std::size_t>(b) * room.bytes;
        HostBlock block(first + b, Kernel::n_threads, mine, room.bytes, backwards);
        kernel(block);
    }
}

template <typename Kernel>
void run_some(const Kernel& kernel, std::int64_t first, std::int64_t n, const InShared&,
              std::size_t shared_bytes, Stream stream) {
    std::vector<double> rooms(static_cast<std::size_t>(n) * ((shared_bytes + 15) / 16 * 2));
    const InGlobal there{reinterpret_cast<char*>(rooms.data()), (shared_bytes + 15) / 16 * 16};
    run_some(kernel, first, n, there, 0, stream);
}

template <typename Kernel>
void allow_shared(std::size_t) {}

#endif

/// Blocks 0 .. n_blocks - 1, at most `at_a_time` in a launch.
template <typename Kernel, typename Room>
void run_all(const Kernel& kernel, std::int64_t n_blocks, std::int64_t at_a_time, const Room& room,
             std::size_t shared_bytes, Stream stream) {
    for (std::int64_t first = 0; first < n_blocks; first += at_a_time) {
        const std::int64_t left = n_blocks - first;
        run_some(kernel, first, left < at_a_time ? left : at_a_time, room, shared_bytes, stream);
    }
}

/// kernel(block) for n_blocks blocks of Kernel::n_threads threads.
template <typename Kernel>
void launch(const Kernel& kernel, std::int64_t n_blocks, std::size_t shared_bytes, Stream stream) {
    if (!fits(shared_bytes)) raise_shared(shared_bytes);
    allow_shared<Kernel>(shared_bytes);
    run_all(kernel, n_blocks, most_blocks, InShared{}, shared_bytes, stream);
}

/// As `launch`, in global memory where blocks need more than the shared memory has.
template <typename Kernel>
void launch_of_any_size(const Kernel& kernel, std::int64_t n_blocks, std::size_t bytes,
                        Stream stream) {
    if (fits(bytes)) {
        launch(kernel, n_blocks, bytes, stream);
        return;
    }
    const std::size_t of_block = (bytes + 255) / 256 * 256;
    const std::int64_t at_a_time = n_rooms(n_blocks, of_block);
    const Buffer<char> rooms(at_a_time * static_cast<std::int64_t>(of_block), stream);
    run_all(kernel, n_blocks, at_a_time, InGlobal{rooms.data(), of_block}, 0, stream);
}

}  // namespace molkern::cuda
