// What is computed on a CUDA device: the functions of the other headers with pointers to memory of
// the device, work that is queued on a stream of the caller.
#pragma once

#include <cstddef>
#include <cstdint>

#include "molkern/bag_of_bonds.hpp"
#include "molkern/coulomb_matrix.hpp"
#include "molkern/molecules.hpp"
#include "molkern/pairwise.hpp"

namespace molkern::cuda {

/// A cudaStream_t; null: the default stream.
using Stream = void*;

/// Whether two atoms of a molecule coincide is known when the device has finished: the functions
/// below that return it wait for the stream, the others do not.
///
/// All pointers are to memory of the device that is current. Results are those of the functions of
/// the same name without `cuda` up to rounding; bitwise the same in every run. Throws
/// `cuda::Error`.

template <typename Real>
void pairwise(const Real* x, std::int64_t n, const Real* y, std::int64_t m, std::int64_t n_features,
              std::int64_t n_copies, Metric metric, Similarity similarity, const Real* scales,
              std::int64_t n_scales, Real* out, Stream stream);

/// largest   atoms of the largest molecule
template <typename Real>
std::size_t coulomb_matrix(const Molecules& molecules, const CoulombParameters& parameters,
                           std::int64_t largest, Real* out, Stream stream);

template <typename Real>
std::size_t coulomb_matrix_vjp(const Molecules& molecules, const CoulombParameters& parameters,
                               std::int64_t largest, const Real* cotangent, double* gradient,
                               Stream stream);

template <typename Real>
std::size_t bag_of_bonds(const Molecules& molecules, const BagParameters& parameters,
                         std::int64_t largest, Real* out, Stream stream);

template <typename Real>
std::size_t bag_of_bonds_vjp(const Molecules& molecules, const BagParameters& parameters,
                             std::int64_t largest, const Real* cotangent, double* gradient,
                             Stream stream);

}  // namespace molkern::cuda
