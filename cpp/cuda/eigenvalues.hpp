// Eigenvalues of Coulomb matrices and their derivatives.
#pragma once

#include "molkern/cuda.hpp"

namespace molkern::cuda {

/// As coulomb_matrix, for the eigenspectrum.
template <typename Real>
std::size_t eigenspectra(const DeviceMolecules& of, const CoulombParameters& p, Real* out,
                         Stream stream);

/// As coulomb_matrix_vjp.
template <typename Real>
std::size_t eigenspectra_vjp(const DeviceMolecules& of, const CoulombParameters& p,
                             const Real* cotangent, double* gradient, Stream stream);

}  // namespace molkern::cuda
