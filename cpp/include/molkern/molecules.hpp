// A batch of molecules as the kernels see it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace molkern {

/// Charges at and above this have no entry in the tables of the Coulomb matrix.
constexpr std::int32_t n_elements = 119;

/// Two atoms nearer than this, in angstrom, are one atom written twice: an error.
constexpr double nearest_distance = 1e-3;

/// Coordinates, in angstrom, are below this: their squares must not overflow.
constexpr double farthest_position = 1e100;

/// Result of a kernel that met nothing wrong.
constexpr std::size_t no_molecule = static_cast<std::size_t>(-1);

/// Molecule m owns the atoms offsets[m] .. offsets[m + 1] - 1.
///
/// numbers    [n_atoms]           atomic numbers, 1 .. n_elements - 1
/// positions  [n_atoms, 3]        positions, angstrom, magnitude below farthest_position
/// offsets    [n_molecules + 1]   first atom of each molecule
struct Molecules {
    const std::int32_t* numbers;
    const double* positions;
    const std::int64_t* offsets;
    std::size_t n_molecules;

    // Always inlined: kernels use them, and must not leave a copy outside of their level.
    [[gnu::always_inline]] std::size_t first(std::size_t m) const noexcept {
        return static_cast<std::size_t>(offsets[m]);
    }
    [[gnu::always_inline]] std::size_t size(std::size_t m) const noexcept {
        return first(m + 1) - first(m);
    }
};

}  // namespace molkern
