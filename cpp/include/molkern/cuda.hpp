// What is computed on a CUDA device: the functions of the other headers with pointers to memory of
// the device, work that is queued on a stream of the caller.
#pragma once

#include <cstddef>
#include <cstdint>

#include "molkern/bag_of_bonds.hpp"
#include "molkern/coulomb_matrix.hpp"
#include "molkern/local_kernels.hpp"
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

/// to = from, of n numbers.
void widen(const float* from, std::int64_t n, double* to, Stream stream);

template <typename Real>
void pairwise(const Real* x, std::int64_t n, const Real* y, std::int64_t m, std::int64_t n_features,
              std::int64_t n_copies, Metric metric, Similarity similarity, const Real* scales,
              std::int64_t n_scales, Real* out, Stream stream);

/// A batch of molecules, and the atoms of the largest one.
struct DeviceMolecules {
    Molecules molecules;
    std::int64_t n_atoms, largest;
};

template <typename Real>
std::size_t coulomb_matrix(const DeviceMolecules& of, const CoulombParameters& parameters,
                           Real* out, Stream stream);

template <typename Real>
std::size_t coulomb_matrix_vjp(const DeviceMolecules& of, const CoulombParameters& parameters,
                               const Real* cotangent, double* gradient, Stream stream);

template <typename Real>
std::size_t bag_of_bonds(const DeviceMolecules& of, const BagParameters& parameters, Real* out,
                         Stream stream);

template <typename Real>
std::size_t bag_of_bonds_vjp(const DeviceMolecules& of, const BagParameters& parameters,
                             const Real* cotangent, double* gradient, Stream stream);

/// Features of the atoms of n structures, sorted by those elements that both sides of a kernel
/// have, then by structure.
///
/// x        [any, n_features]
/// index    [n_sorted]              rows of x
/// owners   [n_sorted]              structures of these atoms
/// starts   [n_elements n + 1]      first sorted atom of each element and structure, then n_sorted
/// first    [n_elements + 1]        that of each element: memory of the host
template <typename Real>
struct AtomsByElement {
    const Real* x;
    const std::int64_t* index;
    const std::int32_t* owners;
    const std::int64_t* starts;
    const std::int64_t* first;
    std::int64_t n;
};

/// As the function of the host, with centres over y, else x, for the Gaussian.
template <typename Real>
void local_kernel(const AtomsByElement<Real>& x, const AtomsByElement<Real>* y,
                  std::int64_t n_elements, std::int64_t n_features,
                  const AtomSimilarity& similarity, const double* x_roots, const double* y_roots,
                  Real* out, Stream stream);

template <typename Real>
void local_kernel_diagonal(const AtomsByElement<Real>& x, std::int64_t n_elements,
                           std::int64_t n_features, const AtomSimilarity& similarity, double* out,
                           Stream stream);

}  // namespace molkern::cuda
