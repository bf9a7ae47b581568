// Distances and similarities between all pairs of rows.
//   Laplacian  exp(-sum_k |x_k - y_k| / sigma)
//   Gaussian   exp(-sum_k (x_k - y_k)^2 / (2 sigma^2))
#pragma once

#include <cstddef>

namespace molkern {

/// exp(-scale d) for the Laplacian kernel (d the L1 distance), exp(-scale d^2) for the Gaussian;
/// `none` keeps the L1 distance itself, or the Euclidean one.
enum class Similarity { none, laplacian, gaussian };

/// Kernel of the L1 distances between the rows of x and of y, or those distances.
///
/// x       [n, n_copies, n_features]
/// y       [m, n_copies, n_features]; y == x: symmetric, one triangle is computed
/// scales  [n_scales]   1 / sigma; ignored for Similarity::none, where n_scales is 1
/// out     [n_scales, n, m]
///
/// With n_copies > 1 the kernel is averaged over the n_copies^2 pairs of copies. Parallel over
/// tiles of `out`; bitwise the same for any number of threads.
template <typename Real>
void laplacian(const Real* x, std::size_t n, const Real* y, std::size_t m, std::size_t n_features,
               std::size_t n_copies, Similarity similarity, const Real* scales,
               std::size_t n_scales, Real* out, int n_threads);

/// The elementwise part of the Gaussian kernel (or of the Euclidean distance), on products from a
/// matrix multiplication: f(|x_i|^2 + |y_j|^2 - 2 products[i, j]), clipped at 0 before f.
///
/// products   [rows n_copies, columns n_copies]
/// x_norms    [rows n_copies]       |x_i|^2
/// y_norms    [columns n_copies]    |y_j|^2
/// scales     [n_scales]            1 / (2 sigma^2); ignored for Similarity::none
/// out        [n_scales, n, m]      the rows from `row` and columns from `column` are written
///
/// symmetric: the panel lies below the diagonal, or on it with row == column and rows == columns;
/// it is also written transposed, and the distance of a row to itself is exactly 0.
/// With n_copies > 1 the kernel is averaged over pairs of copies, which lie side by side.
template <typename Real>
struct Panel {
    const Real* products;
    const Real* x_norms;
    const Real* y_norms;
    std::size_t rows, columns, n_copies;
    bool symmetric;
    Similarity similarity;
    const Real* scales;
    std::size_t n_scales;
    Real* out;
    std::size_t row, column, n, m;
};

template <typename Real>
void finish_panel(const Panel<Real>& panel);

/// out[i] = exp(-scale distances[i]) or exp(-scale distances[i]^2); out may be distances.
template <typename Real>
void from_distances(const Real* distances, std::size_t n, Similarity similarity, Real scale,
                    Real* out, int n_threads);

}  // namespace molkern
