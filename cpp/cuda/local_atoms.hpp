// What the kernels of atoms need before they multiply: features minus the means of each element,
// and norms.
#pragma once

#include "core/device.hpp"
#include "cuda/runtime.hpp"

namespace molkern::cuda {

/// As on the host: products that are added up in Real before they go into a double.
template <typename Real>
constexpr std::int64_t chunk_of_atoms = sizeof(Real) == sizeof(float) ? 128 : 256;

/// Means of the features of each element, [n_elements, n_features].
template <typename Real>
Buffer<Real> element_means(const AtomsByElement<Real>& atoms, std::int64_t n_elements,
                           std::int64_t n_features, Stream stream);

/// |x - mean|^2 of the sorted atoms.
template <typename Real>
Buffer<double> norms_of(const AtomsByElement<Real>& atoms, const Real* means,
                        std::int64_t n_elements, std::int64_t n_features, Stream stream);

}  // namespace molkern::cuda
