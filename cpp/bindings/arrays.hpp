// The border: what comes from Python is checked here, once. Kernels assume.
#pragma once

#include <pybind11/stl.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "bindings/checks.hpp"
#include "bindings/half_powers.hpp"
#include "bindings/names.hpp"
#include "cpu/parallel.hpp"
#include "molkern/acsf.hpp"
#include "molkern/molecules.hpp"
#include "molkern/neighbors.hpp"

namespace molkern::bindings {

/// Threads asked for: 0 for None. Warns once in a forked child, where everything is serial.
inline int requested_threads(std::optional<py::ssize_t> n_threads) {
    require(!n_threads || (*n_threads >= 1 && *n_threads <= 4096),
            "n_threads: expected None or an integer from 1 to 4096, found " +
                std::to_string(n_threads.value_or(0)));
    static std::atomic<bool> warned{false};
    if (forked_after_threads() && !warned.exchange(true)) {
        const char* text =
            "this process was forked after molkern had used threads; molkern runs on one thread "
            "here (start workers with the 'spawn' or 'forkserver' method to use more)";
        if (PyErr_WarnEx(PyExc_RuntimeWarning, text, 1) != 0) throw py::error_already_set();
    }
    return static_cast<int>(n_threads.value_or(0));
}

/// A checked batch of any species.
Molecules checked_structures(const Array<std::int32_t>& numbers, const Array<double>& positions,
                             const Array<std::int64_t>& offsets);

/// Cells of a checked batch, none where either is None. Raises where neighbours within r_cut can
/// not be searched, also for positions that were changed since they were checked.
Cells checked_cells(const Molecules& molecules, const std::optional<Array<double>>& cells,
                    const std::optional<Array<bool>>& pbc, double r_cut);

/// A checked batch of elements. `what` is the representation that needs their charges.
Molecules checked_molecules(const Array<std::int32_t>& numbers, const Array<double>& positions,
                            const Array<std::int64_t>& offsets, const char* what);

/// Raises for molecule m, in which two atoms coincide, naming them.
[[noreturn]] void raise_coincident(const Molecules& molecules, std::size_t m);

void define_coulomb_matrix(py::module_& m);
void define_acsf(py::module_& m);
void define_aev(py::module_& m);
void define_bag_of_bonds(py::module_& m);
void define_kernels(py::module_& m);
void define_local(py::module_& m);
void define_local_kernels(py::module_& m);
void define_neighbors(py::module_& m);
void define_soap(py::module_& m);
void define_xyz(py::module_& m);

}  // namespace molkern::bindings
