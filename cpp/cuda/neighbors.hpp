// Neighbours of the centres of a batch, found on the device, and gradients that return to atoms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda/runtime.hpp"
#include "molkern/molecules.hpp"

namespace molkern::cuda {

/// A batch of structures but for its positions, on the host. The caller has checked it: species,
/// that the vectors of periodic axes span a volume, and that not too many images are in reach.
///
/// kinds       [n_atoms]               species, 0 .. n_species - 1
/// offsets     [n_structures + 1]      first atom of each structure
/// vectors     [n_structures, 3, 3]    cells, angstrom; null: none
/// periodic    [n_structures, 3]       along which of them structures repeat; null: none
/// centers     [n_centers]             rows of the batch, ascending; null: all atoms
struct Composition {
    const std::int32_t* kinds;
    std::int64_t n_species;
    const std::int64_t* offsets;
    std::int64_t n_structures;
    const double* vectors;
    const bool* periodic;
    const std::int64_t* centers;
    std::int64_t n_centers;
    double r_cut;  // angstrom

    std::int64_t n_atoms() const noexcept { return offsets[n_structures]; }
};

struct Grid;

/// A composition on the current device: made once, for as many positions as wanted, by any thread
/// on any stream.
///
/// first_centers   [n_structures + 1]   the first centre of each structure, on the host too
/// center          [n_centers]          row of the batch
/// structure       [n_centers]
/// center_kinds    [n_centers]          species
/// grids           [n_grids]            structures that are searched by bins
/// grid_of         [n_structures]       or -1
/// first_entry     [n_grids + 1]        first of the atoms of each grid, all grids in a row
class Surroundings {
  public:
    Surroundings(const Composition& of, Stream stream);

    std::int64_t n_atoms, n_structures, n_centers, n_species, n_grids = 0, n_entries = 0,
                                                              n_bins = 0;
    double r_cut;  // angstrom
    int device;
    std::vector<std::int64_t> host_first_centers;
    Buffer<std::int64_t> offsets, first_centers, center, structure, grid_of, first_entry;
    Buffer<std::int32_t> kinds, center_kinds;
    Buffer<Grid> grids;
};

/// Neighbours as kernels see them: of each centre ordered by species, within a species as the
/// host's NeighborSearch has them. All memory is on the device.
///
/// first       [n_centers + 1]               where the pairs of a centre begin
/// begin       [n_centers * n_species + 1]   where those with species s begin: c * n_species + s
/// species     [n_pairs]                     of the neighbour
/// atom        [n_pairs]                     row of the batch
/// x, y, z     [n_pairs]                     from the centre, angstrom
/// distance    [n_pairs]                     angstrom
/// center      [n_centers]                   row of the batch
/// structure   [n_centers]
/// kind        [n_centers]                   species of the centre
struct DeviceNeighbors {
    std::int64_t n_centers, n_species, n_pairs;
    const std::int64_t* first;
    const std::int64_t* begin;
    const std::int32_t* species;
    const std::int64_t* atom;
    const double *x, *y, *z, *distance;
    const std::int64_t* center;
    const std::int64_t* structure;
    const std::int32_t* kind;
};

/// The memory of DeviceNeighbors, besides that of the surroundings, which must stay.
///
/// most         no centre has more neighbours
/// coincident   the first structure with two atoms at one place, as seen from its centres, or with
///              positions that are not finite or billions of cells away; no_molecule: there is
///              none. Otherwise nothing else is there.
class FoundNeighbors {
  public:
    FoundNeighbors(const Surroundings& of, const double* positions, Stream stream);

    const DeviceNeighbors& view() const noexcept { return view_; }

    std::int64_t most = 0;
    std::size_t coincident = no_molecule;

  private:
    DeviceNeighbors view_{};
    Buffer<std::int64_t> first_, begin_, atom_;
    Buffer<std::int32_t> species_;
    Buffer<double> vectors_;
};

/// gradient [n_atoms, 3] = for each atom the sum of the gradients g of pairs that it is the
/// neighbour of, less those of pairs that it is the centre of; in a fixed order.
///
/// gx, gy, gz   [n_pairs]
void gather_gradients(const DeviceNeighbors& neighbors, const double* gx, const double* gy,
                      const double* gz, std::int64_t n_atoms, double* gradient, Stream stream);

/// strain [n_structures, 3, 3] = for each structure the sum over its pairs of vector times g.
///
/// centers   [n_structures + 1]   the first one of each structure, on the device
void gather_strains(const DeviceNeighbors& neighbors, const double* gx, const double* gy,
                    const double* gz, const std::int64_t* centers, std::int64_t n_structures,
                    double* strain, Stream stream);

}  // namespace molkern::cuda
