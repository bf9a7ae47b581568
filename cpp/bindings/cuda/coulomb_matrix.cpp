#include "molkern/coulomb_matrix.hpp"

#include <algorithm>

#include "bindings/cuda/arrays.hpp"
#include "bindings/half_powers.hpp"
#include "molkern/cuda.hpp"

namespace molkern::bindings {
namespace {

Permutation permutation_of(const std::string& name) {
    if (name == "none") return Permutation::none;
    if (name == "row_norm") return Permutation::row_norm;
    if (name == "random") return Permutation::random;
    throw py::value_error("permutation: unknown value '" + name + "'");
}

std::int64_t largest_of(const std::int64_t* offsets, std::int64_t n) {
    std::int64_t largest = 0;
    for (std::int64_t m = 0; m < n; ++m) largest = std::max(largest, offsets[m + 1] - offsets[m]);
    return largest;
}

template <typename Real>
std::size_t compute(const Array<std::int32_t>& numbers, const DeviceArray& positions,
                    const Array<std::int64_t>& offsets, CoulombParameters p,
                    const Array<double>& noise, const DeviceArray& out) {
    const std::int64_t n_atoms = numbers.shape(0), n = offsets.shape(0) - 1;
    const std::int32_t* z = numbers.data();
    const std::int64_t* first = offsets.data();
    const double* noises = noise.data();
    const std::int64_t n_noises = noise.size();
    py::gil_scoped_release release;
    const cuda::Stream stream = out.stream();
    const auto on_numbers = cuda::uploaded(z, n_atoms, stream);
    const auto on_offsets = cuda::uploaded(first, n + 1, stream);
    const auto on_powers = cuda::uploaded(half_powers(), n_elements, stream);
    const auto on_noise = cuda::uploaded(noises, n_noises, stream);
    p.half_power = on_powers.data();
    p.noise = on_noise.data();
    const Molecules molecules{on_numbers.data(), positions.as<double>(), on_offsets.data(),
                              static_cast<std::size_t>(n)};
    return cuda::coulomb_matrix<Real>(molecules, p, largest_of(first, n), out.as<Real>(), stream);
}

// The features, and the first molecule in which two atoms coincide or None. What the host knows
// (numbers, sizes) has been checked.
py::tuple coulomb_matrix(const Array<std::int32_t>& numbers, const DeviceArray& positions,
                         const Array<std::int64_t>& offsets, const std::string& permutation,
                         std::size_t size, double unit_length, const Array<double>& noise,
                         bool single, std::uintptr_t stream) {
    require_shape("positions", positions, {static_cast<std::int64_t>(numbers.shape(0)), 3});
    require(positions.item_bytes() == 8, "positions: expected float64, found " + positions.dtype());
    const Permutation chosen = permutation_of(permutation);
    const auto n_copies =
        chosen == Permutation::random ? static_cast<std::size_t>(noise.shape(0)) : 1;
    const CoulombParameters p{chosen, size, unit_length, nullptr, nullptr, n_copies};
    const cuda::CurrentDevice here(positions.device());
    DeviceArray out({static_cast<std::int64_t>(offsets.shape(0)) - 1,
                     static_cast<std::int64_t>(coulomb_matrix_features(p))},
                    single ? 4 : 8, stream_of(stream));
    const auto run = single ? &compute<float> : &compute<double>;
    const std::size_t bad = run(numbers, positions, offsets, p, noise, out);
    if (bad == no_molecule) return py::make_tuple(out, py::none());
    return py::make_tuple(out, bad);
}

}  // namespace

void define_coulomb_matrix(py::module_& m) {
    m.def("coulomb_matrix", &coulomb_matrix, py::arg("numbers").noconvert(), py::arg("positions"),
          py::arg("offsets").noconvert(), py::arg("permutation"), py::arg("size"),
          py::arg("unit_length"), py::arg("noise").noconvert(), py::arg("single"),
          py::arg("stream"));
}

}  // namespace molkern::bindings
