// Distances and similarities between all pairs of rows.
//   Laplacian  exp(-sum_k |x_k - y_k| / sigma)
//   Gaussian   exp(-sum_k (x_k - y_k)^2 / (2 sigma^2))
#pragma once

#include <cstddef>

namespace molkern {

/// L1, or Euclidean through |x|^2 + |y|^2 - 2 xy, clipped at 0.
enum class Metric { manhattan, euclidean };

/// The distance itself; exp(-scale d) of the L1 one; exp(-scale d^2) of the Euclidean one.
enum class Similarity { none, laplacian, gaussian };

/// Kernel of the distances between the rows of x and of y, or those distances.
///
/// x       [n, n_copies, n_features]
/// y       [m, n_copies, n_features]; y == x: symmetric, one triangle is computed
/// scales  [n_scales]   1 / sigma, 1 / (2 sigma^2); not used for Similarity::none
/// out     [n_scales, n, m]
///
/// With n_copies > 1 the kernel is averaged over the n_copies^2 pairs of copies. For the Euclidean
/// metric rows should be centred: its error is a few roundings of the largest squared norm.
/// Parallel over columns of `out`; bitwise the same for any number of threads. Throws
/// std::bad_alloc.
template <typename Real>
void pairwise(const Real* x, std::size_t n, const Real* y, std::size_t m, std::size_t n_features,
              std::size_t n_copies, Metric metric, Similarity similarity, const Real* scales,
              std::size_t n_scales, Real* out, int n_threads);

/// out[i] = exp(-scale distances[i]) or exp(-scale distances[i]^2); out may be distances.
template <typename Real>
void from_distances(const Real* distances, std::size_t n, Similarity similarity, Real scale,
                    Real* out, int n_threads);

}  // namespace molkern
