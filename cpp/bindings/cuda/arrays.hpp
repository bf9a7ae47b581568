// Arrays on a device: what comes from Python by DLPack, and what leaves the same way.
#pragma once

#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bindings/checks.hpp"
#include "bindings/cuda/dlpack.hpp"
#include "cuda/runtime.hpp"

namespace molkern::bindings {

/// A C-ordered array of real numbers on a device, its own or another library's.
///
/// stream   on which it was written; functions give a result to Python when that is done
class DeviceArray {
  public:
    /// New and uninitialised, on the current device.
    DeviceArray(std::vector<std::int64_t> shape, std::size_t item_bytes, cuda::Stream stream);

    /// Of a DLPack capsule, which is used up. `name` is the argument, for messages.
    DeviceArray(const std::string& name, const py::capsule& capsule, cuda::Stream stream);

    const std::vector<std::int64_t>& shape() const noexcept { return shape_; }
    std::int64_t size() const noexcept;
    std::size_t item_bytes() const noexcept { return item_bytes_; }
    std::size_t bytes() const noexcept { return static_cast<std::size_t>(size()) * item_bytes_; }
    void* data() const noexcept { return data_; }
    int device() const noexcept { return device_; }
    cuda::Stream stream() const noexcept { return stream_; }
    std::string dtype() const { return item_bytes_ == 4 ? "float32" : "float64"; }
    std::string shape_text() const;

    template <typename Real>
    Real* as() const noexcept {
        return static_cast<Real*>(data_);
    }

    /// A capsule for a consumer on any stream; it keeps the memory.
    py::capsule exported() const;

  private:
    std::vector<std::int64_t> shape_;
    std::size_t item_bytes_;
    int device_;
    cuda::Stream stream_;
    std::shared_ptr<cuda::Memory> memory_;            // its own
    std::shared_ptr<dlpack::ManagedTensor> foreign_;  // or another library's
    void* data_;
};

/// Deletes what waits for the device when it goes: other threads of the interpreter run on.
struct Waiting {
    template <typename T>
    void operator()(T* object) const {
        if (Py_IsInitialized() == 0 || PyGILState_Check() == 0) {
            delete object;
            return;
        }
        const py::gil_scoped_release release;
        delete object;
    }
};

inline cuda::Stream stream_of(std::uintptr_t handle) noexcept {
    return reinterpret_cast<cuda::Stream>(handle);
}

/// Raises unless an array has this shape; -1: any length.
void require_shape(const char* name, const DeviceArray& array,
                   const std::vector<std::int64_t>& expected);

void define_bag_of_bonds(py::module_& m);
void define_coulomb_matrix(py::module_& m);
void define_local(py::module_& m);
void define_local_kernels(py::module_& m);
void define_pairwise(py::module_& m);

}  // namespace molkern::bindings
