#include <cmath>

#include "bindings/arrays.hpp"
#include "cpu/table.hpp"

namespace molkern::bindings {

namespace {

void require_element(std::int32_t z, py::ssize_t molecule, const char* what) {
    if (z < 1 || z >= n_elements)
        throw py::value_error("molecule " + std::to_string(molecule) + " has an atom of number " +
                              std::to_string(z) + "; " + what + " needs atomic numbers from 1 to " +
                              std::to_string(n_elements - 1));
}

}  // namespace

Molecules checked_structures(const Array<std::int32_t>& numbers, const Array<double>& positions,
                             const Array<std::int64_t>& offsets) {
    require_shape("numbers", numbers, -1);
    const py::ssize_t n_atoms = numbers.shape(0);
    require_shape("positions", positions, n_atoms, 3);
    require(offsets.ndim() == 1 && offsets.shape(0) > 0,
            "offsets: expected shape (n_structures + 1,), found " + shape_of(offsets));
    const py::ssize_t n = offsets.shape(0) - 1;
    const std::int64_t* first = offsets.data();
    bool ordered = first[0] == 0 && first[n] == n_atoms;
    for (py::ssize_t m = 0; m < n; ++m) ordered = ordered && first[m] <= first[m + 1];
    require(ordered, "offsets: expected to rise from 0 to " + std::to_string(n_atoms));
    return {numbers.data(), positions.data(), first, static_cast<std::size_t>(n)};
}

Molecules checked_molecules(const Array<std::int32_t>& numbers, const Array<double>& positions,
                            const Array<std::int64_t>& offsets, const char* what) {
    const Molecules molecules = checked_structures(numbers, positions, offsets);
    const py::ssize_t n_atoms = numbers.shape(0), n = offsets.shape(0) - 1;
    const std::int64_t* first = offsets.data();
    const std::int32_t* z = numbers.data();
    // One pass that vectorises; which molecule it is only matters if one is wrong.
    bool known = true;
    for (py::ssize_t i = 0; i < n_atoms; ++i) known &= z[i] >= 1 && z[i] < n_elements;
    for (py::ssize_t m = 0; m < n && !known; ++m)
        for (std::int64_t i = first[m]; i < first[m + 1]; ++i) require_element(z[i], m, what);
    return molecules;
}

void raise_coincident(const Molecules& molecules, std::size_t m) {
    const double* r = molecules.positions + 3 * molecules.first(m);
    std::size_t a = 0, b = 0;
    double nearest = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < molecules.size(m); ++i)
        for (std::size_t j = 0; j < i; ++j) {
            const double d = std::hypot(r[3 * i] - r[3 * j], r[3 * i + 1] - r[3 * j + 1],
                                        r[3 * i + 2] - r[3 * j + 2]);
            if (d < nearest) nearest = d, a = j, b = i;
        }
    // Twice: the kernels' rounding may differ. No pair is that near if one has no distance.
    if (!(nearest < 2 * nearest_distance))
        throw py::value_error("positions: molecule " + std::to_string(m) +
                              " has values that are not finite");
    throw py::value_error("positions: atoms " + std::to_string(a) + " and " + std::to_string(b) +
                          " of molecule " + std::to_string(m) +
                          " coincide (closer than 0.001 angstrom)");
}

namespace {

void check_elements(const Array<std::int32_t>& numbers, const Array<double>& positions,
                    const Array<std::int64_t>& offsets, const std::string& what) {
    checked_molecules(numbers, positions, offsets, what.c_str());
}

py::dict build_info() {
    py::dict info;
    info["version"] = MOLKERN_VERSION;
    info["compiler"] = MOLKERN_COMPILER;
    info["build_type"] = MOLKERN_BUILD_TYPE;
    info["isa"] = kernels().isa;
    info["openmp"] = openmp_version() != 0;
    info["n_threads"] = threads_in_use(0);
    return info;
}

}  // namespace
}  // namespace molkern::bindings

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
    using namespace molkern::bindings;
    m.attr("__version__") = MOLKERN_VERSION;
    m.def("build_info", &build_info);
    m.def("threads_in_use", [](std::optional<pybind11::ssize_t> n_threads) {
        return molkern::threads_in_use(requested_threads(n_threads));
    });
    // For what is computed elsewhere.
    m.def("check_elements", &check_elements, pybind11::arg("numbers").noconvert(),
          pybind11::arg("positions").noconvert(), pybind11::arg("offsets").noconvert(),
          pybind11::arg("what"));
    define_coulomb_matrix(m);
    define_acsf(m);
    define_aev(m);
    define_bag_of_bonds(m);
    define_kernels(m);
    define_local(m);
    define_local_kernels(m);
    define_neighbors(m);
    define_soap(m);
    define_xyz(m);
}
