#include "molkern/local_kernels.hpp"

#include "bindings/arrays.hpp"

namespace molkern::bindings {
namespace {

template <typename Real>
using Side = std::tuple<Array<Real>, Array<std::int32_t>, Array<std::int64_t>, Array<std::int64_t>>;

// Checked features (X, numbers, offsets, chosen).
template <typename Real>
AtomFeatures<Real> atom_features(const Side<Real>& side, py::ssize_t n_features) {
    const auto& [x, numbers, offsets, chosen] = side;
    require_shape("X", x, -1, n_features);
    require_shape("numbers", numbers, x.shape(0));
    require_shape("offsets", offsets, -1);
    require_shape("chosen", chosen, -1);
    const py::ssize_t n = offsets.shape(0) - 1;
    require(n >= 0, "offsets: expected at least one value");
    const std::int64_t* first = offsets.data();
    bool ordered = first[0] == 0 && first[n] == x.shape(0);
    for (py::ssize_t m = 0; m < n; ++m) ordered = ordered && first[m] <= first[m + 1];
    require(ordered, "offsets: expected to rise from 0 to " + std::to_string(x.shape(0)));
    for (py::ssize_t i = 0; i < chosen.shape(0); ++i)
        require(chosen.data()[i] >= 0 && chosen.data()[i] < n,
                "chosen: expected structures from 0 to " + std::to_string(n - 1) + ", found " +
                    std::to_string(chosen.data()[i]));
    return {x.data(), numbers.data(), first, chosen.data(),
            static_cast<std::size_t>(chosen.shape(0))};
}

// Elements and the means of their features.
template <typename Real>
using Centres = std::pair<Array<std::int32_t>, Array<Real>>;

template <typename Real>
AtomCentres<Real> centres_of(const Centres<Real>& from, py::ssize_t n_features) {
    const auto& [elements, values] = from;
    require_shape("elements", elements, -1);
    require_shape("centres", values, elements.shape(0), n_features);
    for (py::ssize_t i = 1; i < elements.shape(0); ++i)
        require(elements.data()[i - 1] < elements.data()[i], "elements: expected ascending ones");
    return {elements.data(), static_cast<std::size_t>(elements.shape(0)), values.data()};
}

AtomSimilarity similarity_of(const std::string& name, const Array<double>& scales, double offset,
                             std::size_t degree) {
    require_shape("scales", scales, -1);
    require(name == "gaussian" || name == "polynomial", "similarity: unknown value " + name);
    require(degree >= 1, "degree: expected 1 or more");
    return {name == "gaussian" ? AtomSimilarity::gaussian : AtomSimilarity::polynomial,
            scales.data(), static_cast<std::size_t>(scales.shape(0)), offset, degree};
}

using Roots = std::optional<std::pair<Array<double>, Array<double>>>;

template <typename Real, typename Out>
void gram(const Side<Real>& of_x, const std::optional<Side<Real>>& of_y,
          const Centres<Real>& of_elements, const std::string& name, const Array<double>& scales,
          double offset, std::size_t degree, const Roots& roots, Array<Out> out,
          std::optional<py::ssize_t> n_threads) {
    const Array<Real>& features = std::get<0>(of_x);
    require(features.ndim() == 2, "X: expected two dimensions");
    const AtomFeatures<Real> x = atom_features(of_x, features.shape(1));
    const AtomFeatures<Real> y = of_y ? atom_features(*of_y, features.shape(1)) : x;
    const AtomCentres<Real> centres = centres_of(of_elements, features.shape(1));
    const AtomSimilarity similarity = similarity_of(name, scales, offset, degree);
    require_shape("out", out, scales.shape(0), x.n, y.n);
    if (roots) {
        require_shape("roots of x", roots->first, scales.shape(0), x.n);
        require_shape("roots of y", roots->second, scales.shape(0), y.n);
    }
    const double* x_roots = roots ? roots->first.data() : nullptr;
    const double* y_roots = roots ? roots->second.data() : nullptr;
    const auto n_features = static_cast<std::size_t>(features.shape(1));
    const int threads = requested_threads(n_threads);
    Out* to = out.mutable_data();
    py::gil_scoped_release release;
    local_kernel<Real, Out>(x, of_y ? &y : nullptr, n_features, centres, similarity, x_roots,
                            y_roots, to, threads);
}

template <typename Real>
void diagonal(const Side<Real>& of_x, const Centres<Real>& of_elements, const std::string& name,
              const Array<double>& scales, double offset, std::size_t degree, Array<double> out,
              std::optional<py::ssize_t> n_threads) {
    const Array<Real>& features = std::get<0>(of_x);
    require(features.ndim() == 2, "X: expected two dimensions");
    const AtomFeatures<Real> x = atom_features(of_x, features.shape(1));
    const AtomCentres<Real> centres = centres_of(of_elements, features.shape(1));
    const AtomSimilarity similarity = similarity_of(name, scales, offset, degree);
    require_shape("out", out, scales.shape(0), x.n);
    const auto n_features = static_cast<std::size_t>(features.shape(1));
    const int threads = requested_threads(n_threads);
    double* to = out.mutable_data();
    py::gil_scoped_release release;
    local_kernel_diagonal<Real>(x, n_features, centres, similarity, to, threads);
}

template <typename Real>
void means(const Side<Real>& of_x, Centres<Real> to, std::optional<py::ssize_t> n_threads) {
    const auto n_features = std::get<0>(of_x).ndim() == 2 ? std::get<0>(of_x).shape(1) : -1;
    const AtomFeatures<Real> x = atom_features(of_x, n_features);
    const AtomCentres<Real> centres = centres_of(to, n_features);
    const int threads = requested_threads(n_threads);
    Real* values = to.second.mutable_data();
    py::gil_scoped_release release;
    atom_centres<Real>(x, static_cast<std::size_t>(n_features), centres.elements, centres.n, values,
                       threads);
}

template <typename Real, typename Out>
void define_gram(py::module_& m) {
    m.def("local_kernel", &gram<Real, Out>, py::arg("x").noconvert(),
          py::arg("y").noconvert().none(true), py::arg("centres").noconvert(),
          py::arg("similarity"), py::arg("scales").noconvert(), py::arg("offset"),
          py::arg("degree"), py::arg("roots").noconvert().none(true), py::arg("out").noconvert(),
          py::arg("n_threads"));
}

template <typename Real>
void define_diagonal(py::module_& m) {
    m.def("atom_centres", &means<Real>, py::arg("x").noconvert(), py::arg("centres").noconvert(),
          py::arg("n_threads"));
    m.def("local_kernel_diagonal", &diagonal<Real>, py::arg("x").noconvert(),
          py::arg("centres").noconvert(), py::arg("similarity"), py::arg("scales").noconvert(),
          py::arg("offset"), py::arg("degree"), py::arg("out").noconvert(), py::arg("n_threads"));
}

}  // namespace

void define_local_kernels(py::module_& m) {
    define_gram<double, double>(m);
    define_gram<float, float>(m);
    define_gram<float, double>(m);
    define_diagonal<double>(m);
    define_diagonal<float>(m);
}

}  // namespace molkern::bindings
