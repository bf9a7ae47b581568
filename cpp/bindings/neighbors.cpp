#include "molkern/neighbors.hpp"

#include <cmath>
#include <numeric>

#include "bindings/arrays.hpp"

namespace molkern::bindings {
namespace {

using Vectors = std::optional<Array<double>>;
using Flags = std::optional<Array<bool>>;

// i, j, shift, vector, distance of all pairs, and where those of each atom begin.
py::tuple neighbors(const Array<std::int32_t>& numbers, const Array<double>& positions,
                    const Array<std::int64_t>& offsets, const Vectors& cells, const Flags& pbc,
                    double r_cut, std::optional<py::ssize_t> n_threads) {
    const Molecules molecules = checked_structures(numbers, positions, offsets);
    const Cells checked = checked_cells(cells, pbc, molecules.n_molecules);
    require(std::isfinite(r_cut) && r_cut > 0,
            "r_cut: expected a positive number, found " + std::to_string(r_cut));
    const int threads = requested_threads(n_threads);
    const py::ssize_t n_atoms = numbers.shape(0);
    Array<std::int64_t> first(n_atoms + 1);
    std::int64_t* begin = first.mutable_data();
    std::optional<NeighborSearch> search;
    {
        py::gil_scoped_release release;
        search.emplace(molecules, checked, r_cut);
        begin[0] = 0;
        count_neighbors(molecules, *search, begin + 1, threads);
        std::partial_sum(begin, begin + n_atoms + 1, begin);
    }
    const py::ssize_t n = begin[n_atoms];
    Array<std::int64_t> i(n), j(n);
    Array<std::int32_t> shift({n, py::ssize_t{3}});
    Array<double> vector({n, py::ssize_t{3}}), distance(n);
    const PairList pairs{i.mutable_data(), j.mutable_data(), shift.mutable_data(),
                         vector.mutable_data(), distance.mutable_data()};
    {
        py::gil_scoped_release release;
        list_neighbors(molecules, *search, begin, pairs, threads);
    }
    return py::make_tuple(first, i, j, shift, vector, distance);
}

}  // namespace

Cells checked_cells(const Vectors& cells, const Flags& pbc, std::size_t n) {
    if (!cells || !pbc) return {nullptr, nullptr};
    require_shape("cells", *cells, n, 3, 3);
    require_shape("pbc", *pbc, n, 3);
    for (std::size_t m = 0; m < n; ++m)
        require(spans_volume(cells->data() + 9 * m, pbc->data() + 3 * m),
                "cells: the periodic vectors of structure " + std::to_string(m) +
                    " do not span a volume");
    return {cells->data(), pbc->data()};
}

void define_neighbors(py::module_& m) {
    m.def("neighbors", &neighbors, py::arg("numbers").noconvert(), py::arg("positions").noconvert(),
          py::arg("offsets").noconvert(), py::arg("cells").noconvert(), py::arg("pbc").noconvert(),
          py::arg("r_cut"), py::arg("n_threads"));
}

}  // namespace molkern::bindings
