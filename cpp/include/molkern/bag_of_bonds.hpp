// Bag of bonds: Z_i Z_j / |R_i - R_j| collected by pair of elements, and Z^2.4 / 2 by element,
// each bag sorted in descending order and filled with zeros.
// Hansen et al., J. Phys. Chem. Lett. 6, 2326 (2015), doi:10.1021/acs.jpclett.5b00831.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/device.hpp"
#include "molkern/molecules.hpp"

namespace molkern {

/// The bags of a feature vector.
///
/// numbers     [n_species]                          elements, ascending
/// species     [n_elements]                         index in `numbers` of each element, or -1
/// first       [n_species (n_species + 3) / 2 + 1]  first feature of each bag, then their number:
///                                                  a bag per element, then a bag per pair
///                                                  (0,0) (0,1) .. (1,1) (1,2) ..
/// half_power  [n_elements]                         Z^2.4 / 2
struct BagParameters {
    const std::int32_t* numbers;
    const std::int32_t* species;
    std::size_t n_species;
    const std::int64_t* first;
    double unit_length;
    const double* half_power;
    std::size_t largest_bag;  // values in the largest bag
};

/// Features per molecule.
MOLKERN_HOST_DEVICE inline std::size_t bag_of_bonds_features(const BagParameters& p) noexcept {
    return static_cast<std::size_t>(p.first[p.n_species * (p.n_species + 3) / 2]);
}

/// Bags of a batch of molecules.
///
/// out   [n_molecules, first[last]]   e^2/bohr or e^2/angstrom
///
/// Returns the first molecule in which two atoms coincide, else no_molecule. The caller has
/// checked shapes, species and that every bag is large enough. Parallel over molecules.
template <typename Real>
std::size_t bag_of_bonds(const Molecules& molecules, const BagParameters& parameters, Real* out,
                         int n_threads);

/// Gradient of sum(cotangent * bag_of_bonds) with respect to positions, for the order that each
/// bag has. Bitwise the same for any number of threads.
///
/// cotangent   [n_molecules, bag_of_bonds_features]
/// gradient    [n_atoms, 3]   per angstrom
///
/// Returns as bag_of_bonds.
std::size_t bag_of_bonds_vjp(const Molecules& molecules, const BagParameters& parameters,
                             const double* cotangent, double* gradient, int n_threads);

/// Derivatives of the features of each atom's molecule with respect to its position.
///
/// out   [n_atoms, 3, bag_of_bonds_features]   per angstrom
template <typename Real>
std::size_t bag_of_bonds_jacobian(const Molecules& molecules, const BagParameters& parameters,
                                  Real* out, int n_threads);

}  // namespace molkern
