#include "bindings/arrays.hpp"
#include "molkern/pairwise.hpp"

namespace molkern::bindings {
namespace {

Similarity similarity_of(const std::string& name) {
    if (name == "none") return Similarity::none;
    if (name == "laplacian") return Similarity::laplacian;
    if (name == "gaussian") return Similarity::gaussian;
    throw py::value_error("kernel: unknown value '" + name + "'");
}

std::size_t length(const py::array& a, py::ssize_t axis) {
    return static_cast<std::size_t>(a.shape(axis));
}

template <typename Real>
void laplacian_gram(const Array<Real>& x, const std::optional<Array<Real>>& y, std::size_t n_copies,
                    const std::string& similarity, const Array<Real>& scales, Array<Real> out,
                    std::optional<py::ssize_t> n_threads) {
    require_shape("X", x, -1, -1);
    const Array<Real>& other = y ? *y : x;
    require_shape("Y", other, -1, x.shape(1));
    require(n_copies >= 1 && length(x, 1) % n_copies == 0,
            "n_copies: " + std::to_string(x.shape(1)) + " columns are not " +
                std::to_string(n_copies) + " copies side by side");
    require_shape("scales", scales, -1);
    require_shape("out", out, scales.shape(0), x.shape(0), other.shape(0));
    const Similarity chosen = similarity_of(similarity);
    const int threads = requested_threads(n_threads);
    Real* to = out.mutable_data();
    py::gil_scoped_release release;
    laplacian<Real>(x.data(), length(x, 0), other.data(), length(other, 0), length(x, 1) / n_copies,
                    n_copies, chosen, scales.data(), length(scales, 0), to, threads);
}

// Rows row .. and columns column .. of out; `symmetric` also writes their transpose.
template <typename Real>
void finish(const Array<Real>& products, const Array<Real>& x_norms, const Array<Real>& y_norms,
            std::size_t n_copies, const std::string& similarity, const Array<Real>& scales,
            Array<Real> out, std::size_t row, std::size_t column, bool symmetric) {
    require_shape("products", products, x_norms.shape(0), y_norms.shape(0));
    require_shape("scales", scales, -1);
    require_shape("out", out, scales.shape(0), -1, -1);
    require(
        n_copies >= 1 && length(x_norms, 0) % n_copies == 0 && length(y_norms, 0) % n_copies == 0,
        "n_copies: norms are not those of n_copies copies");
    const std::size_t rows = length(x_norms, 0) / n_copies, columns = length(y_norms, 0) / n_copies;
    const std::size_t n = length(out, 1), m = length(out, 2);
    require(row + rows <= n && column + columns <= m, "panel: outside of out");
    require(!symmetric || (n == m && (row == column ? rows == columns : column + columns <= row)),
            "panel: a symmetric one lies below the diagonal or is a square on it");
    Real* to = out.mutable_data();
    const Panel<Real> panel{products.data(),
                            x_norms.data(),
                            y_norms.data(),
                            rows,
                            columns,
                            n_copies,
                            symmetric,
                            similarity_of(similarity),
                            scales.data(),
                            length(scales, 0),
                            to,
                            row,
                            column,
                            n,
                            m};
    py::gil_scoped_release release;
    finish_panel<Real>(panel);
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
    m.def("laplacian", &laplacian_gram<Real>, py::arg("X").noconvert(),
          py::arg("Y").noconvert().none(true), py::arg("n_copies"), py::arg("similarity"),
          py::arg("scales").noconvert(), py::arg("out").noconvert(), py::arg("n_threads"));
    m.def("finish_panel", &finish<Real>, py::arg("products").noconvert(),
          py::arg("x_norms").noconvert(), py::arg("y_norms").noconvert(), py::arg("n_copies"),
          py::arg("similarity"), py::arg("scales").noconvert(), py::arg("out").noconvert(),
          py::arg("row"), py::arg("column"), py::arg("symmetric"));
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
