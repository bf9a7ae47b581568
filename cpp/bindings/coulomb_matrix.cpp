#include "molkern/coulomb_matrix.hpp"

#include "bindings/arrays.hpp"

namespace molkern::bindings {
namespace {

struct Task {
    Molecules molecules;
    CoulombParameters parameters;
};

Task checked_task(const Array<std::int32_t>& numbers, const Array<double>& positions,
                  const Array<std::int64_t>& offsets, const std::string& permutation,
                  std::size_t size, double unit_length, const Array<double>& noise) {
    const Molecules molecules =
        checked_molecules(numbers, positions, offsets, "the Coulomb matrix");
    for (std::size_t m = 0; m < molecules.n_molecules; ++m)
        if (molecules.size(m) > size)
            throw py::value_error("molecule " + std::to_string(m) + " has " +
                                  std::to_string(molecules.size(m)) + " atoms, size is " +
                                  std::to_string(size));
    const Permutation chosen = permutation_of(permutation);
    require_shape("noise", noise, -1, size);
    const auto n_copies =
        chosen == Permutation::random ? static_cast<std::size_t>(noise.shape(0)) : 1;
    return {molecules, {chosen, size, unit_length, half_powers(), noise.data(), n_copies}};
}

template <typename Real>
void transform(const Array<std::int32_t>& numbers, const Array<double>& positions,
               const Array<std::int64_t>& offsets, const std::string& permutation, std::size_t size,
               double unit_length, const Array<double>& noise, Array<Real> out,
               std::optional<py::ssize_t> n_threads) {
    const auto [molecules, parameters] =
        checked_task(numbers, positions, offsets, permutation, size, unit_length, noise);
    require_shape("out", out, molecules.n_molecules, coulomb_matrix_features(parameters));
    const int threads = requested_threads(n_threads);
    Real* to = out.mutable_data();
    std::size_t bad = no_molecule;
    {
        py::gil_scoped_release release;
        bad = coulomb_matrix<Real>(molecules, parameters, to, threads);
    }
    if (bad != no_molecule) raise_coincident(molecules, bad);
}

void require_matrix(const CoulombParameters& parameters) {
    require(parameters.permutation != Permutation::eigenspectrum,
            "permutation: expected none, row_norm or random, found eigenspectrum");
}

Array<double> vjp(const Array<std::int32_t>& numbers, const Array<double>& positions,
                  const Array<std::int64_t>& offsets, const std::string& permutation,
                  std::size_t size, double unit_length, const Array<double>& noise,
                  const Array<double>& cotangent, std::optional<py::ssize_t> n_threads) {
    const auto [molecules, parameters] =
        checked_task(numbers, positions, offsets, permutation, size, unit_length, noise);
    require_matrix(parameters);
    require_shape("gX", cotangent, molecules.n_molecules, coulomb_matrix_features(parameters));
    const int threads = requested_threads(n_threads);
    Array<double> gradient({numbers.shape(0), py::ssize_t{3}});
    double* to = gradient.mutable_data();
    std::size_t bad = no_molecule;
    {
        py::gil_scoped_release release;
        bad = coulomb_matrix_vjp(molecules, parameters, cotangent.data(), to, threads);
    }
    if (bad != no_molecule) raise_coincident(molecules, bad);
    return gradient;
}

template <typename Real>
void jacobian(const Array<std::int32_t>& numbers, const Array<double>& positions,
              const Array<std::int64_t>& offsets, const std::string& permutation, std::size_t size,
              double unit_length, const Array<double>& noise, Array<Real> out,
              std::optional<py::ssize_t> n_threads) {
    const auto [molecules, parameters] =
        checked_task(numbers, positions, offsets, permutation, size, unit_length, noise);
    require_matrix(parameters);
    require_shape("out", out, numbers.shape(0), 3, coulomb_matrix_features(parameters));
    const int threads = requested_threads(n_threads);
    Real* to = out.mutable_data();
    std::size_t bad = no_molecule;
    {
        py::gil_scoped_release release;
        bad = coulomb_matrix_jacobian<Real>(molecules, parameters, to, threads);
    }
    if (bad != no_molecule) raise_coincident(molecules, bad);
}

template <typename Function>
void define(py::module_& m, const char* name, Function function, const char* array) {
    m.def(name, function, py::arg("numbers").noconvert(), py::arg("positions").noconvert(),
          py::arg("offsets").noconvert(), py::arg("permutation"), py::arg("size"),
          py::arg("unit_length"), py::arg("noise").noconvert(), py::arg(array).noconvert(),
          py::arg("n_threads"));
}

}  // namespace

void define_coulomb_matrix(py::module_& m) {
    define(m, "coulomb_matrix", &transform<double>, "out");
    define(m, "coulomb_matrix", &transform<float>, "out");
    define(m, "coulomb_matrix_vjp", &vjp, "cotangent");
    define(m, "coulomb_matrix_jacobian", &jacobian<double>, "out");
    define(m, "coulomb_matrix_jacobian", &jacobian<float>, "out");
}

}  // namespace molkern::bindings
