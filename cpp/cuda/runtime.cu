#include "cuda/runtime.hpp"

#include <algorithm>
#include <utility>

#if defined(__CUDACC__)
#include <map>
#include <mutex>
#else
#include <cstdlib>
#include <cstring>
#endif

namespace molkern::cuda {

Memory::Memory(Memory&& from) noexcept
    : data_(std::exchange(from.data_, nullptr)),
      stream_(from.stream_),
      shared_(from.shared_),
      device_(from.device_) {}

Memory& Memory::operator=(Memory&& from) noexcept {
    std::swap(data_, from.data_);
    std::swap(stream_, from.stream_);
    std::swap(shared_, from.shared_);
    std::swap(device_, from.device_);
    return *this;
}

bool fits(std::size_t shared_bytes) {
    return shared_bytes + sum_bytes <= most_shared_bytes();
}

void raise_shared(std::size_t shared_bytes) {
    throw Error("a block needs " + std::to_string(shared_bytes + sum_bytes) +
                " bytes of shared memory, the device has " + std::to_string(most_shared_bytes()) +
                ": structures or parameters are too large for the device, use the host");
}

std::int64_t n_rooms(std::int64_t n_blocks, std::size_t bytes) {
    constexpr std::size_t most_bytes = std::size_t{1} << 28;
    const auto most = static_cast<std::int64_t>(std::max<std::size_t>(most_bytes / bytes, 1));
    return std::min({n_blocks, most, std::min<std::int64_t>(most_blocks, 1024)});
}

#if defined(__CUDACC__)

void check(cudaError_t code, const char* call) {
    if (code == cudaSuccess) return;
    cudaGetLastError();  // an error that leaves the device usable is not met again
    if (code == cudaErrorMemoryAllocation)
        throw OutOfMemory(std::string(call) + ": " + cudaGetErrorString(code));
    throw Error(std::string(call) + ": " + cudaGetErrorString(code) + " (" +
                cudaGetErrorName(code) + ")");
}

namespace {

int attribute(cudaDeviceAttr name, int device) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, name, device), "cudaDeviceGetAttribute");
    return value;
}

cudaStream_t queue(Stream stream) noexcept {
    return static_cast<cudaStream_t>(stream);
}

// Where memory comes from: what is freed is kept for the next call, up to a sixteenth of the
// device.
cudaMemPool_t pool_of(int device) {
    static std::mutex mutex;
    static std::map<int, cudaMemPool_t> pools;
    const std::lock_guard<std::mutex> lock(mutex);
    const auto found = pools.find(device);
    if (found != pools.end()) return found->second;
    cudaMemPoolProps properties{};
    properties.allocType = cudaMemAllocationTypePinned;
    properties.location.type = cudaMemLocationTypeDevice;
    properties.location.id = device;
    cudaMemPool_t pool = nullptr;
    check(cudaMemPoolCreate(&pool, &properties), "cudaMemPoolCreate");
    pools[device] = pool;
    std::size_t available = 0, total = 0;
    check(cudaMemGetInfo(&available, &total), "cudaMemGetInfo");
    std::uint64_t kept = total / 16;
    check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &kept),
          "cudaMemPoolSetAttribute");
    return pool;
}

std::size_t pool_bytes(cudaMemPool_t pool, cudaMemPoolAttr name) {
    std::uint64_t bytes = 0;
    check(cudaMemPoolGetAttribute(pool, name, &bytes), "cudaMemPoolGetAttribute");
    return static_cast<std::size_t>(bytes);
}

}  // namespace

std::string unsupported(int device) {
    const int major = attribute(cudaDevAttrComputeCapabilityMajor, device);
    const int minor = attribute(cudaDevAttrComputeCapabilityMinor, device);
    const std::string name = "device " + std::to_string(device);
    if (10 * major + minor < 75)
        return "compute capability 7.5 or more is needed, " + name + " has " +
               std::to_string(major) + "." + std::to_string(minor);
    if (attribute(cudaDevAttrMemoryPoolsSupported, device) == 0)
        return name + " has no memory pools (stream-ordered allocation)";
    return "";
}

std::string unavailable() {
    int driver = 0, n = 0;
    cudaError_t code = cudaDriverGetVersion(&driver);
    if (code == cudaSuccess && driver == 0) return "no CUDA driver is installed";
    if (code == cudaSuccess) code = cudaGetDeviceCount(&n);
    if (code != cudaSuccess || n == 0) {
        cudaGetLastError();
        return code == cudaSuccess ? "no CUDA device was found" : cudaGetErrorString(code);
    }
    for (int device = 0; device < n; ++device)
        if (unsupported(device).empty()) return "";
    return unsupported(0);
}

int n_devices() {
    int n = 0;
    check(cudaGetDeviceCount(&n), "cudaGetDeviceCount");
    return n;
}

std::string description(int device) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
    int driver = 0;
    check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
    return std::string(properties.name) + ", compute capability " +
           std::to_string(properties.major) + "." + std::to_string(properties.minor) + ", " +
           std::to_string(properties.totalGlobalMem >> 20) + " MiB, driver for CUDA " +
           std::to_string(driver / 1000) + "." + std::to_string(driver % 1000 / 10);
}

std::size_t free_bytes() {
    std::size_t available = 0, total = 0;
    check(cudaMemGetInfo(&available, &total), "cudaMemGetInfo");
    cudaMemPool_t pool = pool_of(current_device());
    return available + pool_bytes(pool, cudaMemPoolAttrReservedMemCurrent) -
           pool_bytes(pool, cudaMemPoolAttrUsedMemCurrent);
}

int device_kind() {
    return 2;
}

int current_device() {
    int device = 0;
    check(cudaGetDevice(&device), "cudaGetDevice");
    return device;
}

CurrentDevice::CurrentDevice(int device) : before_(current_device()) {
    if (device != before_) check(cudaSetDevice(device), "cudaSetDevice");
}

CurrentDevice::~CurrentDevice() {
    int now = before_;
    // Setting a device that nobody has used would take its memory for a context.
    if (cudaGetDevice(&now) == cudaSuccess && now != before_) cudaSetDevice(before_);
    cudaGetLastError();
}

Memory::Memory(std::size_t bytes, Stream stream, bool shared)
    : stream_(stream), shared_(shared), device_(current_device()) {
    if (bytes == 0) return;
    const cudaError_t code =
        cudaMallocFromPoolAsync(&data_, bytes, pool_of(device_), queue(stream));
    if (code == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        throw OutOfMemory("cudaMallocFromPoolAsync: " + std::to_string(bytes) +
                          " bytes asked for, " + std::to_string(free_bytes()) +
                          " are free on the device");
    }
    check(code, "cudaMallocFromPoolAsync");
}

// Nobody is there to hear of errors; one that stays is met by the next call. The stream of shared
// memory may be gone by now.
Memory::~Memory() {
    if (data_ == nullptr) return;
    int before = device_;
    cudaGetDevice(&before);
    if (before != device_) cudaSetDevice(device_);
    if (shared_) cudaDeviceSynchronize();
    cudaFreeAsync(data_, shared_ ? nullptr : queue(stream_));
    if (before != device_) cudaSetDevice(before);
    cudaGetLastError();
}

void upload(void* to, const void* from, std::size_t bytes, Stream stream) {
    if (bytes == 0) return;
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, queue(stream)),
          "cudaMemcpyAsync to the device");
    synchronize(stream);
}

void download(void* to, const void* from, std::size_t bytes, Stream stream) {
    if (bytes != 0)
        check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, queue(stream)),
              "cudaMemcpyAsync to the host");
    synchronize(stream);
}

void copy(void* to, const void* from, std::size_t bytes, Stream stream) {
    if (bytes == 0) return;
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, queue(stream)),
          "cudaMemcpyAsync on the device");
}

void fill(void* to, int byte, std::size_t bytes, Stream stream) {
    if (bytes != 0) check(cudaMemsetAsync(to, byte, bytes, queue(stream)), "cudaMemsetAsync");
}

void synchronize(Stream stream) {
    check(cudaStreamSynchronize(queue(stream)), "cudaStreamSynchronize");
}

std::size_t most_shared_bytes() {
    return static_cast<std::size_t>(
        attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, current_device()));
}

#else

bool backwards = false;

std::string unsupported(int) {
    return "";
}

std::string unavailable() {
    return "";
}

int n_devices() {
    return 1;
}

std::string description(int) {
    return "emulation on the host";
}

std::size_t free_bytes() {
    return std::size_t{1} << 20;  // little, so that tests stream through in pieces
}

int device_kind() {
    return 1;
}

int current_device() {
    return 0;
}

CurrentDevice::CurrentDevice(int) : before_(0) {}

CurrentDevice::~CurrentDevice() = default;

// Filled with NaN, as nobody may rely on new memory.
Memory::Memory(std::size_t bytes, Stream stream, bool shared) : stream_(stream), shared_(shared) {
    if (bytes == 0) return;
    data_ = std::malloc(bytes);
    if (data_ == nullptr)
        throw OutOfMemory("cudaMallocFromPoolAsync: " + std::to_string(bytes) + " bytes asked for");
    std::memset(data_, 0xff, bytes);
}

Memory::~Memory() {
    std::free(data_);
}

void upload(void* to, const void* from, std::size_t bytes, Stream) {
    if (bytes != 0) std::memcpy(to, from, bytes);
}

void download(void* to, const void* from, std::size_t bytes, Stream) {
    if (bytes != 0) std::memcpy(to, from, bytes);
}

void copy(void* to, const void* from, std::size_t bytes, Stream) {
    if (bytes != 0) std::memcpy(to, from, bytes);
}

void fill(void* to, int byte, std::size_t bytes, Stream) {
    if (bytes != 0) std::memset(to, byte, bytes);
}

void synchronize(Stream) {}

std::size_t most_shared_bytes() {
    return 64 * 1024;  // compute capability 7.5, the least that is supported
}

#endif

}  // namespace molkern::cuda
