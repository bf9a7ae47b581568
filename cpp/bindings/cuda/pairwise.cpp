#include "bindings/cuda/arrays.hpp"
#include "bindings/names.hpp"
#include "molkern/cuda.hpp"

namespace molkern::bindings {
namespace {

template <typename Real>
void compute(const DeviceArray& x, const DeviceArray& y, std::int64_t n_copies, Metric metric,
             Similarity similarity, const Array<double>& scales, const DeviceArray& out) {
    const std::int64_t n_features = x.shape()[1] / n_copies;
    const auto n_scales = static_cast<std::int64_t>(scales.shape(0));
    std::vector<Real> host(scales.data(), scales.data() + n_scales);
    py::gil_scoped_release release;
    const auto factors = cuda::uploaded(host.data(), n_scales, out.stream());
    cuda::pairwise<Real>(x.as<Real>(), x.shape()[0], y.as<Real>(), y.shape()[0], n_features,
                         n_copies, metric, similarity, factors.data(), n_scales, out.as<Real>(),
                         out.stream());
    cuda::synchronize(out.stream());
}

// y is x: symmetric. The result has shape (n, m), unless `several` (n_scales, n, m).
DeviceArray pairwise(const DeviceArray& x, const DeviceArray& y, std::int64_t n_copies,
                     const std::string& metric, const std::string& similarity,
                     const Array<double>& scales, bool several, std::uintptr_t stream) {
    require_shape("X", x, {-1, -1});
    require_shape("Y", y, {-1, x.shape()[1]});
    require(x.item_bytes() == y.item_bytes(),
            "Y: expected " + x.dtype() + " as X is, found " + y.dtype());
    require(x.device() == y.device(), "Y: expected an array on the device of X, " +
                                          std::to_string(x.device()) + ", found " +
                                          std::to_string(y.device()));
    require(n_copies > 0 && x.shape()[1] % n_copies == 0,
            "n_copies: " + std::to_string(x.shape()[1]) + " columns are not " +
                std::to_string(n_copies) + " copies side by side");
    const cuda::CurrentDevice here(x.device());
    std::vector<std::int64_t> shape{x.shape()[0], y.shape()[0]};
    if (several) shape.insert(shape.begin(), static_cast<std::int64_t>(scales.shape(0)));
    DeviceArray out(shape, x.item_bytes(), stream_of(stream));
    const auto run = x.item_bytes() == 4 ? &compute<float> : &compute<double>;
    run(x, y, n_copies, metric_of(metric), similarity_of(similarity), scales, out);
    return out;
}

}  // namespace

void define_pairwise(py::module_& m) {
    m.def("pairwise", &pairwise, py::arg("x"), py::arg("y"), py::arg("n_copies"), py::arg("metric"),
          py::arg("similarity"), py::arg("scales").noconvert(), py::arg("several"),
          py::arg("stream"));
}

}  // namespace molkern::bindings
