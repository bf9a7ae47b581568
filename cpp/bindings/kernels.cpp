#include "bindings/arrays.hpp"
#include "molkern/pairwise.hpp"

namespace molkern::bindings {
namespace {

std::size_t length(const py::array& a, py::ssize_t axis) {
    return static_cast<std::size_t>(a.shape(axis));
}

template <typename Real>
void gram(const Array<Real>& x, const std::optional<Array<Real>>& y, std::size_t n_copies,
          const std::string& metric, const std::string& similarity, const Array<Real>& scales,
          Array<Real> out, std::optional<py::ssize_t> n_threads) {
    require_shape("X", x, -1, -1);
    const Array<Real>& other = y ? *y : x;
    require_shape("Y", other, -1, x.shape(1));
    require(n_copies >= 1 && length(x, 1) % n_copies == 0,
            "n_copies: " + std::to_string(x.shape(1)) + " columns are not " +
                std::to_string(n_copies) + " copies side by side");
    require_shape("scales", scales, -1);
    require_shape("out", out, scales.shape(0), x.shape(0), other.shape(0));
    const Metric chosen_metric = metric_of(metric);
    const Similarity chosen = similarity_of(similarity);
    const int threads = requested_threads(n_threads);
    Real* to = out.mutable_data();
    py::gil_scoped_release release;
    pairwise<Real>(x.data(), length(x, 0), other.data(), length(other, 0), length(x, 1) / n_copies,
                   n_copies, chosen_metric, chosen, scales.data(), length(scales, 0), to, threads);
}

template <typename Real>
void distances_to_kernel(const Array<Real>& distances, const std::string& similarity, Real scale,
                         Array<Real> out, std::optional<py::ssize_t> n_threads) {
    require(distances.ndim() == 2, "distances: expected two dimensions");
    require_shape("out", out, distances.shape(0), distances.shape(1));
    const Similarity chosen = similarity_of(similarity);
    const int threads = requested_threads(n_threads);
    Real* to = out.mutable_data();
    py::gil_scoped_release release;
    from_distances<Real>(distances.data(), static_cast<std::size_t>(distances.size()), chosen,
                         scale, to, threads);
}

template <typename Real>
void define(py::module_& m) {
    m.def("pairwise", &gram<Real>, py::arg("X").noconvert(), py::arg("Y").noconvert().none(true),
          py::arg("n_copies"), py::arg("metric"), py::arg("similarity"),
          py::arg("scales").noconvert(), py::arg("out").noconvert(), py::arg("n_threads"));
    m.def("from_distances", &distances_to_kernel<Real>, py::arg("distances").noconvert(),
          py::arg("similarity"), py::arg("scale"), py::arg("out").noconvert(),
          py::arg("n_threads"));
}

}  // namespace

void define_kernels(py::module_& m) {
    define<double>(m);
    define<float>(m);
}

}  // namespace molkern::bindings
