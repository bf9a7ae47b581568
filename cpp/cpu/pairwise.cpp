// Gram matrices: distances between all pairs of rows and their kernels, tile by tile.
//
// A block of 8 rows x 3 vectors of columns (4 x 3 with 16 registers) stays in registers while the
// features pass. Columns lie packed feature by feature, so that a feature costs 3 vector loads and
// 8 broadcasts for 24 times
//   L1         a subtraction, a sign removal and an addition: floor 2 additions a feature and pair,
//   Euclidean  a multiply-add of |x|^2 + |y|^2 - 2 xy: floor 1 multiply-add.
// Only tiles that meet the lower triangle of a symmetric matrix are computed. The exponential
// follows while the tile is in the first-level cache, and the tile is written once to each place.
//
// A library's product (BLAS) of panels that fit in cache, finished panel by panel, is as near to
// the multiply-add peak; this gains the pass over the products, and the same bits on any number of
// threads.

#include "core/exp.hpp"
#include "core/simd.hpp"
#include "cpu/kernels.hpp"
#include "cpu/pairwise_block.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace {

// Features that are added up in one go. Sums of chunks are added afterwards: rounding then grows
// with the length of a chunk, not with the number of features.
constexpr std::size_t chunk = 512;

// Columns begin .. begin + tile of one copy of y, feature by feature: packed[k][tile]. Columns
// beyond m repeat the last one. Eight features at a time, so that the lines written stay in cache.
template <typename Real>
void pack(const Real* y, std::size_t stride, std::size_t begin, std::size_t m,
          std::size_t n_features, Real* packed) noexcept {
    for (std::size_t first = 0; first < n_features; first += 8) {
        const std::size_t stop = first + 8 < n_features ? first + 8 : n_features;
        for (std::size_t c = 0; c < tile; ++c) {
            const Real* row = y + (begin + c < m ? begin + c : m - 1) * stride;
            for (std::size_t k = first; k < stop; ++k) packed[k * tile + c] = row[k];
        }
    }
}

// The sums of a whole tile; rows beyond n repeat the last one.
template <Metric metric, typename Real>
void sums_of_tile(const Real* x, std::size_t stride, std::size_t begin, std::size_t n,
                  const Real* packed, std::size_t n_features, Real* out) noexcept {
    for (std::size_t r = 0; r < tile; r += block_rows) {
        for (std::size_t k = 0; k == 0 || k < n_features; k += chunk) {
            const std::size_t count = smaller(chunk, n_features - k);
            const Real* rows[block_rows];
            for (std::size_t i = 0; i < block_rows; ++i)
                rows[i] = x + smaller(begin + r + i, n - 1) * stride + k;
            for (std::size_t c = 0; c < tile; c += block_columns<Real>)
                block<metric>(rows, packed + k * tile + c, count, k == 0, out + r * tile + c);
        }
    }
}

// Products become squared distances, of copy a of the rows and copy b of the columns.
template <typename Real>
void products_to_squares(const PairwiseTask<Real>& t, std::size_t row, std::size_t column,
                         std::size_t a, std::size_t b, Real* values) noexcept {
    Real y_norms[tile];
    for (std::size_t c = 0; c < tile; ++c)
        y_norms[c] = t.y_norms[smaller(column + c, t.m - 1) * t.n_copies + b];
    for (std::size_t r = 0; r < tile; ++r) {
        const Real x_norm = t.x_norms[smaller(row + r, t.n - 1) * t.n_copies + a];
        for (std::size_t c = 0; c < tile; ++c) {
            const Real d2 = (x_norm + y_norms[c]) - 2 * values[r * tile + c];
            values[r * tile + c] = d2 < 0 ? 0 : d2;  // NaN stays
        }
    }
    if (t.symmetric && row == column && a == b)
        for (std::size_t r = 0; r < tile; ++r) values[r * tile + r] = 0;
}

// Distances of a tile: L1, or squared Euclidean.
template <typename Real>
void distances_of_tile(const PairwiseTask<Real>& t, std::size_t row, std::size_t column,
                       std::size_t a, std::size_t b, const Real* packed, Real* out) noexcept {
    const std::size_t stride = t.n_features * t.n_copies;
    const Real* x = t.x + a * t.n_features;
    const Real* y = packed + b * tile * t.n_features;
    if (t.metric == Metric::manhattan) {
        sums_of_tile<Metric::manhattan>(x, stride, row, t.n, y, t.n_features, out);
    } else {
        sums_of_tile<Metric::euclidean>(x, stride, row, t.n, y, t.n_features, out);
        products_to_squares(t, row, column, a, b, out);
    }
}

template <typename Real>
inline Vector<Real> kernel_of(Vector<Real> d, Similarity similarity, Real scale) noexcept {
    if (similarity == Similarity::gaussian) d = d * d;
    return exp_negative<Real>(-scale * d);
}

template <typename Real>
inline Vector<Real> root(Vector<Real> x) noexcept {
    Vector<Real> y;
    for (std::size_t k = 0; k < lanes<Real>; ++k) {
        if constexpr (sizeof(Real) == sizeof(float))
            y[k] = __builtin_sqrtf(x[k]);
        else
            y[k] = __builtin_sqrt(x[k]);
    }
    return y;
}

// Asks for the memory that a tile will be written to. It arrives while the tile is computed:
// waiting for it afterwards took a fifth of the time of a Gaussian matrix.
template <typename Real>
void prefetch_rows(const Real* to, std::size_t rows, std::size_t columns,
                   std::size_t stride) noexcept {
    constexpr std::size_t line = 64 / sizeof(Real);
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < columns; c += line)
            __builtin_prefetch(to + r * stride + c, 1, 2);
        __builtin_prefetch(to + r * stride + columns - 1, 1, 2);
    }
}

// Not memcpy: the compiler makes a string instruction of it, slow for a few hundred bytes.
template <typename Real>
inline void copy(const Real* from, std::size_t n, Real* to) noexcept {
    std::size_t c = 0;
    for (; c + lanes<Real> <= n; c += lanes<Real>) store(to + c, load(from + c));
    for (; c < n; ++c) to[c] = from[c];
}

// Finished values go to their place, and transposed to the mirrored one if the matrix is
// symmetric. On the diagonal only the lower triangle counts.
template <typename Real>
void put(const Real* values, std::size_t row, std::size_t column, std::size_t rows,
         std::size_t columns, bool symmetric, Real* out, std::size_t stride) noexcept {
    const bool diagonal = symmetric && row == column;
    for (std::size_t r = 0; r < rows; ++r) {
        copy(values + r * tile, diagonal ? r + 1 : columns, out + (row + r) * stride + column);
    }
    if (!symmetric) return;
    // One mirrored row after the other: where the length of a row is near a multiple of 4 KiB, all
    // rows share a few sets of the first-level cache, and several at a time would evict each other.
    for (std::size_t c = 0; c < columns; ++c) {
        Real* to = out + (column + c) * stride + row;
        for (std::size_t r = diagonal ? c + 1 : 0; r < rows; ++r) to[r] = values[r * tile + c];
    }
}

// Adds the kernel of every distance of a tile to the sums of every scale.
template <typename Real>
void accumulate(const PairwiseTask<Real>& t, const Real* distances, bool first,
                Real* sums) noexcept {
    for (std::size_t s = 0; s < t.n_scales; ++s) {
        Real* to = sums + s * tile * tile;
        for (std::size_t i = 0; i < tile * tile; i += lanes<Real>) {
            Vector<Real> k = load(distances + i);
            if (t.similarity != Similarity::none)
                k = exp_negative<Real>(-t.scales[s] * k);
            else if (t.metric == Metric::euclidean)
                k = root<Real>(k);
            store(to + i, first ? k : load(to + i) + k);
        }
    }
}

}  // namespace

template <typename Real>
void pairwise_columns(const PairwiseTask<Real>& t, std::size_t column, Real* scratch) {
    const std::size_t stride = t.n_features * t.n_copies;
    const std::size_t begin = column * tile;
    const std::size_t columns = smaller(tile, t.m - begin);
    Real* packed = scratch;
    Real* distances = packed + tile * stride;
    Real* sums = distances + tile * tile;
    for (std::size_t b = 0; b < t.n_copies; ++b)
        pack(t.y + b * t.n_features, stride, begin, t.m, t.n_features,
             packed + b * tile * t.n_features);
    const Real average = Real(1) / static_cast<Real>(t.n_copies * t.n_copies);
    for (std::size_t row = t.symmetric ? begin : 0; row < t.n; row += tile) {
        const std::size_t rows = smaller(tile, t.n - row);
        for (std::size_t s = 0; s < t.n_scales; ++s) {
            const Real* layer = t.out + s * t.n * t.m;
            prefetch_rows(layer + row * t.m + begin, rows, columns, t.m);
            if (t.symmetric) prefetch_rows(layer + begin * t.m + row, columns, rows, t.m);
        }
        for (std::size_t a = 0; a < t.n_copies; ++a) {
            for (std::size_t b = 0; b < t.n_copies; ++b) {
                distances_of_tile(t, row, begin, a, b, packed, distances);
                accumulate(t, distances, a == 0 && b == 0, sums);
            }
        }
        for (std::size_t s = 0; s < t.n_scales; ++s) {
            Real* values = sums + s * tile * tile;
            if (t.n_copies > 1)
                for (std::size_t i = 0; i < tile * tile; ++i) values[i] *= average;
            put(values, row, begin, rows, columns, t.symmetric, t.out + s * t.n * t.m, t.m);
        }
    }
}

template <typename Real>
void squared_norms(const Real* x, std::size_t n, std::size_t n_features, Real* norms) {
    for (std::size_t i = 0; i < n; ++i) {
        // In the order of the products, so that equal rows have distance 0.
        const Real* row = x + i * n_features;
        norms[i] = 0;
        for (std::size_t first = 0; first < n_features; first += chunk) {
            Real total = 0;
            for (std::size_t k = first; k < smaller(first + chunk, n_features); ++k)
                total += row[k] * row[k];
            norms[i] += total;
        }
    }
}

template <typename Real>
void kernel_of_distances(const Real* distances, std::size_t n, Similarity similarity, Real scale,
                         Real* out) {
    std::size_t i = 0;
    for (; i + lanes<Real> <= n; i += lanes<Real>)
        store(out + i, kernel_of<Real>(load(distances + i), similarity, scale));
    Vector<Real> rest{};
    for (std::size_t k = 0; i + k < n; ++k) rest[k] = distances[i + k];
    rest = kernel_of<Real>(rest, similarity, scale);
    for (std::size_t k = 0; i + k < n; ++k) out[i + k] = rest[k];
}

template void pairwise_columns<float>(const PairwiseTask<float>&, std::size_t, float*);
template void pairwise_columns<double>(const PairwiseTask<double>&, std::size_t, double*);
template void squared_norms<float>(const float*, std::size_t, std::size_t, float*);
template void squared_norms<double>(const double*, std::size_t, std::size_t, double*);
template void kernel_of_distances<float>(const float*, std::size_t, Similarity, float, float*);
template void kernel_of_distances<double>(const double*, std::size_t, Similarity, double, double*);

}  // namespace MOLKERN_ISA
}  // namespace molkern
