// Neighbours of atoms within a cutoff: all pairs in a small molecule, cells (linked lists) in a
// large or periodic structure; linear in the number of atoms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/cell.hpp"
#include "molkern/molecules.hpp"

namespace molkern {

/// Cells of a batch; null: molecules without any.
///
/// vectors   [n_molecules, 3, 3]   rows are the cell vectors, angstrom
/// periodic  [n_molecules, 3]      along which of them the structure repeats
struct Cells {
    const double* vectors;
    const bool* periodic;
};

/// Whether the vectors along which a structure repeats are independent.
bool spans_volume(const double* vectors, const bool* periodic);

/// How often each atom comes in a box around a sphere of radius r_cut; 1 if never twice.
double images_in_reach(const double* vectors, const bool* periodic, double r_cut);

/// Whether n positions are few enough cells away from the origin, so that differences of their
/// shifts are 32-bit integers.
bool can_be_wrapped(const double* positions, std::size_t n, const double* vectors,
                    const bool* periodic);

/// Neighbours of one atom, room for `NeighborSearch::most()`. An atom is its own neighbour through
/// a periodic image, never directly. The order depends on nothing but the structure and the cutoff.
///
/// atom      [n]      row of the batch
/// x, y, z   [n]      r_j + shift cell - r_i, angstrom
/// distance  [n]      below the cutoff, angstrom
/// shift     [n, 3]   whole cell vectors; null if not wanted
struct Neighborhood {
    std::int64_t* atom;
    double* x;
    double* y;
    double* z;
    double* distance;
    std::int32_t* shift;
};

/// Cells no narrower than the cutoff along every axis (or an axis with one cell, and images).
struct Grid {
    cell::Bins bins;
    double vectors[9];                  // missing axes completed
    std::vector<std::size_t> start;     // [n_bins + 1]  first entry of each bin
    std::vector<std::int64_t> atom;     // [n_atoms]     atoms of the structure, bin after bin
    std::vector<std::int32_t> wrapped;  // [n_atoms, 3]  vectors subtracted from each entry
    std::vector<double> position;       // [n_atoms, 3]  of each entry, wrapped
    std::vector<std::size_t> entry;     // [n_atoms]     where each atom is
    std::vector<std::int32_t> bin;      // [n_atoms, 3]  bin of each entry
};

class NeighborSearch {
  public:
    /// r_cut in angstrom. The caller has checked that positions are finite and can be wrapped,
    /// that the vectors of periodic axes span a volume, and that not too many images are in reach.
    NeighborSearch(const Molecules& molecules, const Cells& cells, double r_cut);

    /// No atom has more neighbours than this.
    std::size_t most() const noexcept { return most_; }

    /// Whether structure m is small and has no cell: its atoms are searched one by one.
    bool direct(std::size_t m) const noexcept { return grid_of_.empty() || grid_of_[m] < 0; }

    /// Neighbours of atom i (0 .. size - 1) of structure m; returns their number.
    std::size_t collect(std::size_t m, std::size_t i, const Neighborhood& out) const noexcept;

  private:
    std::size_t collect_all(std::size_t m, std::size_t i, const Neighborhood& out) const noexcept;
    std::size_t collect_cells(const Grid& grid, std::size_t first, std::size_t i,
                              const Neighborhood& out) const noexcept;

    Molecules molecules_;
    double r_cut_;
    std::vector<Grid> grids_;
    std::vector<std::int64_t> grid_of_;  // [n_molecules] or empty if no structure has a grid; -1
    std::size_t most_;
};

/// The structure that an atom belongs to.
std::size_t molecule_of(const Molecules& molecules, std::size_t atom);

/// All pairs, ordered by i, j, shift.
///
/// i, j      [n_pairs]      rows of the batch
/// shift     [n_pairs, 3]
/// vector    [n_pairs, 3]   r_j + shift cell - r_i, angstrom
/// distance  [n_pairs]      angstrom
struct PairList {
    std::int64_t* i;
    std::int64_t* j;
    std::int32_t* shift;
    double* vector;
    double* distance;
};

/// counts   [n_atoms]   neighbours of each atom. Parallel over atoms.
void count_neighbors(const Molecules& molecules, const NeighborSearch& search, std::int64_t* counts,
                     int n_threads);

/// first    [n_atoms]   where the pairs of each atom begin. Parallel over atoms.
void list_neighbors(const Molecules& molecules, const NeighborSearch& search,
                    const std::int64_t* first, const PairList& out, int n_threads);

}  // namespace molkern
