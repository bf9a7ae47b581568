#include "molkern/neighbors.hpp"

#include <cmath>
#include <cstdio>
#include <numeric>

#include "bindings/arrays.hpp"

namespace molkern::bindings {
namespace {

using Vectors = std::optional<Array<double>>;
using Flags = std::optional<Array<bool>>;

// More neighbours of one atom are a mistake: their search would not end, or fill the memory.
constexpr double most_neighbors = 1 << 22;

// A number of any size in a few characters.
std::string rounded(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    return text;
}

void require_finite(const Molecules& molecules) {
    const std::size_t n = 3 * molecules.first(molecules.n_molecules);
    const double* r = molecules.positions;
    // NaN fails the comparison. One pass that vectorises; where it is only matters if one is wrong.
    bool finite = true;
    for (std::size_t i = 0; i < n; ++i) finite &= std::abs(r[i]) < farthest_position;
    for (std::size_t i = 0; !finite && i < n; ++i)
        if (!(std::abs(r[i]) < farthest_position))
            throw py::value_error("positions: expected finite values below 1e100, found " +
                                  rounded(r[i]) + " in molecule " +
                                  std::to_string(molecule_of(molecules, i / 3)));
}

void require_searchable(const Molecules& molecules, std::size_t m, const double* vectors,
                        const bool* periodic, double r_cut) {
    if (!spans_volume(vectors, periodic))
        throw py::value_error("cells: the periodic vectors of structure " + std::to_string(m) +
                              " do not span a volume");
    const double images = images_in_reach(vectors, periodic, r_cut);
    const double neighbors = images * static_cast<double>(molecules.size(m));
    if (images > 1 && !(neighbors <= most_neighbors))
        throw py::value_error(
            "r_cut: " + rounded(r_cut) + " angstrom is too long for the cell of structure " +
            std::to_string(m) + ": an atom would have some " + rounded(neighbors) +
            " neighbours, at most " + rounded(most_neighbors) + " are possible");
    if (!can_be_wrapped(molecules.positions + 3 * molecules.first(m), molecules.size(m), vectors,
                        periodic))
        throw py::value_error("positions: structure " + std::to_string(m) +
                              " has an atom more than 1e9 cells away from the origin");
}

// i, j, shift, vector, distance of all pairs, and where those of each atom begin. `check` is called
// with the number of pairs before the memory for them is asked for, and may raise.
py::tuple neighbors(const Array<std::int32_t>& numbers, const Array<double>& positions,
                    const Array<std::int64_t>& offsets, const Vectors& cells, const Flags& pbc,
                    double r_cut, const py::function& check, std::optional<py::ssize_t> n_threads) {
    const Molecules molecules = checked_structures(numbers, positions, offsets);
    require(std::isfinite(r_cut) && r_cut > 0,
            "r_cut: expected a positive number, found " + std::to_string(r_cut));
    const Cells checked = checked_cells(molecules, cells, pbc, r_cut);
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
    check(n);
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

Cells checked_cells(const Molecules& molecules, const Vectors& cells, const Flags& pbc,
                    double r_cut) {
    const std::size_t n = molecules.n_molecules;
    require_finite(molecules);
    if (!cells || !pbc) return {nullptr, nullptr};
    require_shape("cells", *cells, n, 3, 3);
    require_shape("pbc", *pbc, n, 3);
    for (std::size_t m = 0; m < n; ++m)
        require_searchable(molecules, m, cells->data() + 9 * m, pbc->data() + 3 * m, r_cut);
    return {cells->data(), pbc->data()};
}

void define_neighbors(py::module_& m) {
    m.def("neighbors", &neighbors, py::arg("numbers").noconvert(), py::arg("positions").noconvert(),
          py::arg("offsets").noconvert(), py::arg("cells").noconvert(), py::arg("pbc").noconvert(),
          py::arg("r_cut"), py::arg("check"), py::arg("n_threads"));
}

}  // namespace molkern::bindings
