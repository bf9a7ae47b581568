// Coulomb matrix: M_ij = Z_i Z_j / |R_i - R_j|,  M_ii = Z_i^2.4 / 2.
// Rupp, Tkatchenko, Müller, von Lilienfeld, Phys. Rev. Lett. 108, 058301 (2012), eq. 1,
// doi:10.1103/PhysRevLett.108.058301. Random sorting: Montavon et al., Adv. Neural Inf. Process.
// Syst. 25 (2012).
#pragma once

#include <cstddef>

#include "core/device.hpp"
#include "molkern/molecules.hpp"

namespace molkern {

enum class Permutation { none, row_norm, random, eigenspectrum };

/// What a Coulomb matrix is made with.
///
/// unit_length   what one angstrom is multiplied by 1/d with: 1 for angstrom, 0.529... for bohr
/// half_power    [n_elements]        Z^2.4 / 2
/// noise         [n_copies, size]    for `random`: added to the norm of the atom of each rank
struct CoulombParameters {
    Permutation permutation;
    std::size_t size;
    double unit_length;
    const double* half_power;
    const double* noise;
    std::size_t n_copies;
};

/// Features per molecule: eigenvalues, or n_copies lower triangles.
MOLKERN_HOST_DEVICE inline std::size_t coulomb_matrix_features(
    const CoulombParameters& p) noexcept {
    return p.permutation == Permutation::eigenspectrum ? p.size
                                                       : p.n_copies * p.size * (p.size + 1) / 2;
}

/// Coulomb matrices of a batch of molecules, or their eigenvalues.
///
/// Triangles are written row by row, (0,0) (1,0) (1,1) (2,0) ..., the rest of a row of `out` is
/// zero; eigenvalues by descending magnitude. Computed in double, rounded once to Real.
///
/// out   [n_molecules, coulomb_matrix_features]   e^2/bohr or e^2/angstrom
///
/// Returns the first molecule in which two atoms coincide (closer than nearest_distance), else
/// no_molecule. The caller has checked shapes, numbers and sizes. Parallel over molecules.
template <typename Real>
std::size_t coulomb_matrix(const Molecules& molecules, const CoulombParameters& parameters,
                           Real* out, int n_threads);

/// Gradient of sum(cotangent * coulomb_matrix) with respect to positions, for the order that the
/// rows have; not for the eigenspectrum. Bitwise the same for any number of threads.
///
/// cotangent   [n_molecules, coulomb_matrix_features]
/// gradient    [n_atoms, 3]   per angstrom
///
/// Returns as coulomb_matrix.
std::size_t coulomb_matrix_vjp(const Molecules& molecules, const CoulombParameters& parameters,
                               const double* cotangent, double* gradient, int n_threads);

/// Derivatives of the features of each atom's molecule with respect to its position; not for the
/// eigenspectrum.
///
/// out   [n_atoms, 3, coulomb_matrix_features]   per angstrom
template <typename Real>
std::size_t coulomb_matrix_jacobian(const Molecules& molecules, const CoulombParameters& parameters,
                                    Real* out, int n_threads);

}  // namespace molkern
