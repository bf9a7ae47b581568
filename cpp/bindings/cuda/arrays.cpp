#include "bindings/cuda/arrays.hpp"

namespace molkern::bindings {
namespace {

std::string text_of(const std::vector<std::int64_t>& shape) {
    std::string text = "(";
    for (std::size_t k = 0; k < shape.size(); ++k)
        text += (shape[k] < 0 ? "any" : std::to_string(shape[k])) + (k + 1 < shape.size() ? ", "
                                                                     : shape.size() == 1  ? ","
                                                                                          : "");
    return text + ")";
}

bool c_ordered(const dlpack::Tensor& tensor) noexcept {
    if (tensor.strides == nullptr) return true;
    for (std::int32_t k = 0; k < tensor.n_dimensions; ++k)
        if (tensor.shape[k] == 0) return true;
    std::int64_t expected = 1;
    for (std::int32_t k = tensor.n_dimensions - 1; k >= 0; --k) {
        if (tensor.shape[k] != 1 && tensor.strides[k] != expected) return false;
        expected *= tensor.shape[k];
    }
    return true;
}

// What an exported capsule keeps.
struct Export {
    dlpack::ManagedTensor managed;
    DeviceArray array;
    std::vector<std::int64_t> shape;
};

void release_foreign(dlpack::ManagedTensor* managed) {
    if (managed->deleter != nullptr) managed->deleter(managed);
}

}  // namespace

DeviceArray::DeviceArray(std::vector<std::int64_t> shape, std::size_t item_bytes,
                         cuda::Stream stream)
    : shape_(std::move(shape)),
      item_bytes_(item_bytes),
      device_(cuda::current_device()),
      stream_(stream),
      memory_(new cuda::Memory(bytes(), stream, true), Waiting{}),
      data_(memory_->data()) {}

DeviceArray::DeviceArray(const std::string& name, const py::capsule& capsule, cuda::Stream stream)
    : item_bytes_(0), device_(0), stream_(stream), data_(nullptr) {
    auto* managed = static_cast<dlpack::ManagedTensor*>(
        PyCapsule_GetPointer(capsule.ptr(), dlpack::capsule_name));
    if (managed == nullptr) throw py::error_already_set();
    const dlpack::Tensor& tensor = managed->tensor;
    require(tensor.device.kind == cuda::device_kind() ||
                (cuda::device_kind() == dlpack::cuda && tensor.device.kind == dlpack::cuda_managed),
            name + ": expected an array on a CUDA device, found one on DLPack's device kind " +
                std::to_string(tensor.device.kind));
    const bool real = tensor.type.code == dlpack::real && tensor.type.lanes == 1 &&
                      (tensor.type.bits == 32 || tensor.type.bits == 64);
    if (!real)
        throw py::type_error(name + ": expected float32 or float64, found DLPack's type code " +
                             std::to_string(tensor.type.code) + " of " +
                             std::to_string(tensor.type.bits) + " bits");
    require(c_ordered(tensor), name +
                                   ": expected a C-contiguous array; call .contiguous() or the "
                                   "like on it");
    shape_.assign(tensor.shape, tensor.shape + tensor.n_dimensions);
    item_bytes_ = tensor.type.bits / 8u;
    device_ = tensor.device.id;
    data_ = static_cast<char*>(tensor.data) + tensor.byte_offset;
    // From here on the tensor is ours to delete.
    if (PyCapsule_SetName(capsule.ptr(), dlpack::used_capsule_name) != 0)
        throw py::error_already_set();
    foreign_ = std::shared_ptr<dlpack::ManagedTensor>(managed, release_foreign);
}

std::int64_t DeviceArray::size() const noexcept {
    std::int64_t n = 1;
    for (const std::int64_t length : shape_) n *= length;
    return n;
}

std::string DeviceArray::shape_text() const {
    return text_of(shape_);
}

py::capsule DeviceArray::exported() const {
    auto* kept = new Export{{}, *this, shape_};
    dlpack::Tensor& tensor = kept->managed.tensor;
    tensor.data = data_;
    tensor.device = {cuda::device_kind(), device_};
    tensor.n_dimensions = static_cast<std::int32_t>(shape_.size());
    tensor.type = {dlpack::real, static_cast<std::uint8_t>(8 * item_bytes_), 1};
    tensor.shape = kept->shape.data();
    tensor.strides = nullptr;
    tensor.byte_offset = 0;
    kept->managed.context = kept;
    kept->managed.deleter = [](dlpack::ManagedTensor* managed) {
        delete static_cast<Export*>(managed->context);
    };
    return py::capsule(&kept->managed, dlpack::capsule_name, [](PyObject* object) {
        // A capsule that nobody consumed still owns the tensor.
        if (PyCapsule_IsValid(object, dlpack::capsule_name) == 0) return;
        auto* managed =
            static_cast<dlpack::ManagedTensor*>(PyCapsule_GetPointer(object, dlpack::capsule_name));
        managed->deleter(managed);
    });
}

void require_shape(const char* name, const DeviceArray& array,
                   const std::vector<std::int64_t>& expected) {
    bool ok = array.shape().size() == expected.size();
    for (std::size_t k = 0; ok && k < expected.size(); ++k)
        ok = expected[k] < 0 || array.shape()[k] == expected[k];
    require(ok, std::string(name) + ": expected shape " + text_of(expected) + ", found " +
                    array.shape_text());
}

}  // namespace molkern::bindings
