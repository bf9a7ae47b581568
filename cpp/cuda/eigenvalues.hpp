// Eigenvalues of Coulomb matrices.
#pragma once

#include "molkern/cuda.hpp"

namespace molkern::cuda {

/// As coulomb_matrix, for the eigenspectrum.
template <typename Real>
std::size_t eigenspectra(const Molecules& molecules, const CoulombParameters& p,
                         std::int64_t largest, Real* out, Stream stream);

}  // namespace molkern::cuda
