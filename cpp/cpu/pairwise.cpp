// Laplacian Gram matrices, and the elementwise part of Gaussian ones.
//
// Laplacian: for each pair of rows and each feature a subtraction, a sign removal and an addition.
// The compiler keeps a block of 4 rows x 4 vectors of columns in registers; the columns lie packed
// feature by feature, so that each feature costs 4 vector loads and 4 broadcasts for 16 times
// three operations. Floor: two operations on the adder per feature and pair. Only the tiles of
// one triangle are computed.
//
// Gaussian: the products come from a matrix multiplication; here |x|^2 + |y|^2 - 2 xy and its
// exponential, while the panel is in cache. Floor: an exponential per pair, and the bytes of out.

#include "core/exp.hpp"
#include "core/simd.hpp"
#include "cpu/kernels.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace {

constexpr std::size_t block_rows = 4;
// As many vectors of columns as the registers of the level hold accumulators for.
constexpr std::size_t block_vectors = vector_bytes == 64 ? 4 : 2;

template <typename Real>
inline constexpr std::size_t block_columns = block_vectors * lanes<Real>;

// Columns begin .. begin + tile of one copy of y, feature by feature: packed[k][tile]. Columns
// beyond m repeat the last one.
template <typename Real>
void pack(const Real* y, std::size_t stride, std::size_t begin, std::size_t m,
          std::size_t n_features, Real* packed) noexcept {
    for (std::size_t c = 0; c < tile; ++c) {
        const Real* row = y + (begin + c < m ? begin + c : m - 1) * stride;
        for (std::size_t k = 0; k < n_features; ++k) packed[k * tile + c] = row[k];
    }
}

// L1 distances between 4 rows and block_columns packed columns; out has row stride `tile`.
template <typename Real>
void l1_block(const Real* const* x, const Real* packed, std::size_t n_features,
              Real* out) noexcept {
    using V = Vector<Real>;
    constexpr std::size_t w = lanes<Real>;
    V total[block_rows][block_vectors] = {};
    for (std::size_t k = 0; k < n_features; ++k) {
        V y[block_vectors];
#pragma GCC unroll 4
        for (std::size_t c = 0; c < block_vectors; ++c) y[c] = load(packed + k * tile + c * w);
#pragma GCC unroll 4
        for (std::size_t r = 0; r < block_rows; ++r) {
            const V value = broadcast(x[r][k]);
#pragma GCC unroll 4
            for (std::size_t c = 0; c < block_vectors; ++c)
                total[r][c] += absolute<Real>(value - y[c]);
        }
    }
    for (std::size_t r = 0; r < block_rows; ++r)
        for (std::size_t c = 0; c < block_vectors; ++c) store(out + r * tile + c * w, total[r][c]);
}

// L1 distances of a tile; rows beyond n repeat the last one.
template <typename Real>
void l1_tile(const Real* x, std::size_t stride, std::size_t begin, std::size_t n,
             const Real* packed, std::size_t n_features, Real* out) noexcept {
    for (std::size_t r = 0; r < tile; r += block_rows) {
        const Real* rows[block_rows];
        for (std::size_t k = 0; k < block_rows; ++k)
            rows[k] = x + (begin + r + k < n ? begin + r + k : n - 1) * stride;
        for (std::size_t c = 0; c < tile; c += block_columns<Real>)
            l1_block(rows, packed + c, n_features, out + r * tile + c);
    }
}

template <typename Real>
inline Vector<Real> kernel_of(Vector<Real> d, Similarity similarity, Real scale) noexcept {
    if (similarity == Similarity::none) return d;
    if (similarity == Similarity::gaussian) d = d * d;
    return exp_negative<Real>(-scale * d);
}

// Finished values go to their place, and transposed to the mirrored one if the matrix is
// symmetric. On the diagonal only the lower triangle counts.
template <typename Real>
void put(const Real* values, std::size_t value_stride, std::size_t row, std::size_t column,
         std::size_t rows, std::size_t columns, bool symmetric, Real* out,
         std::size_t stride) noexcept {
    const bool diagonal = symmetric && row == column;
    for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t stop = diagonal ? r + 1 : columns;
        std::memcpy(out + (row + r) * stride + column, values + r * value_stride,
                    stop * sizeof(Real));
    }
    if (!symmetric) return;
    // Eight columns at a time become eight rows that are written from left to right.
    for (std::size_t c = 0; c < columns; c += 8) {
        const std::size_t count = columns - c < 8 ? columns - c : 8;
        for (std::size_t r = diagonal ? c : 0; r < rows; r += 8) {
            const std::size_t stop = r + 8 < rows ? r + 8 : rows;
            for (std::size_t k = c; k < c + count; ++k) {
                Real* to = out + (column + k) * stride + row;
                // Ahead in this row, or at the start of the next one: 20 % of the time of a panel.
                __builtin_prefetch(r + 32 < rows ? to + r + 32 : to + 8 * stride, 1);
                for (std::size_t i = diagonal && r <= k ? k + 1 : r; i < stop; ++i)
                    to[i] = values[i * value_stride + k];
            }
        }
    }
}

// Adds the kernel of every distance of a tile to the sums of every scale.
template <typename Real>
void accumulate(const PairwiseTask<Real>& task, const Real* distances, bool first,
                Real* sums) noexcept {
    for (std::size_t s = 0; s < task.n_scales; ++s) {
        Real* to = sums + s * tile * tile;
        for (std::size_t i = 0; i < tile * tile; i += lanes<Real>) {
            const auto k = kernel_of<Real>(load(distances + i), task.similarity, task.scales[s]);
            store(to + i, first ? k : load(to + i) + k);
        }
    }
}

inline std::size_t smaller(std::size_t a, std::size_t b) noexcept {
    return a < b ? a : b;
}

template <typename Real>
Vector<Real> kernel_of_squares(Vector<Real> d2, Similarity similarity, Real scale) noexcept {
    d2 = d2 > Real(0) ? d2 : (d2 == d2 ? Vector<Real>{} : d2);  // clipped; NaN stays
    if (similarity == Similarity::gaussian) return exp_negative<Real>(-scale * d2);
    Vector<Real> d;
    for (std::size_t k = 0; k < lanes<Real>; ++k) d[k] = __builtin_sqrt(d2[k]);
    return d;
}

// values[c] = kernel of row r of the panel and column c, for the first `count` columns.
template <typename Real>
void panel_row(const Panel<Real>& p, std::size_t r, std::size_t count, Real scale,
               Real* values) noexcept {
    const Real* products = p.products + r * p.columns * p.n_copies;
    const Real* y_norms = p.y_norms;
    std::size_t c = 0;
    for (; c + lanes<Real> <= count; c += lanes<Real>) {
        const auto d2 = (load(y_norms + c) + p.x_norms[r]) - 2 * load(products + c);
        store(values + c, kernel_of_squares<Real>(d2, p.similarity, scale));
    }
    if (c == count) return;
    Vector<Real> y{}, xy{};
    for (std::size_t k = 0; c + k < count; ++k) {
        y[k] = y_norms[c + k];
        xy[k] = products[c + k];
    }
    const auto last = kernel_of_squares<Real>((y + p.x_norms[r]) - 2 * xy, p.similarity, scale);
    for (std::size_t k = 0; c + k < count; ++k) values[c + k] = last[k];
}

}  // namespace

template <typename Real>
void laplacian_columns(const PairwiseTask<Real>& t, std::size_t column, Real* scratch) {
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
        for (std::size_t a = 0; a < t.n_copies; ++a) {
            for (std::size_t b = 0; b < t.n_copies; ++b) {
                l1_tile(t.x + a * t.n_features, stride, row, t.n, packed + b * tile * t.n_features,
                        t.n_features, distances);
                accumulate(t, distances, a == 0 && b == 0, sums);
            }
        }
        for (std::size_t s = 0; s < t.n_scales; ++s) {
            Real* values = sums + s * tile * tile;
            if (t.n_copies > 1)
                for (std::size_t i = 0; i < tile * tile; ++i) values[i] *= average;
            put(values, tile, row, begin, smaller(tile, t.n - row), columns, t.symmetric,
                t.out + s * t.n * t.m, t.m);
        }
    }
}

// The same for structures: averages over pairs of copies.
template <typename Real>
void averaged_row(const Panel<Real>& p, std::size_t r, std::size_t count, Real scale, Real* scratch,
                  Real* values) noexcept {
    const std::size_t copies = p.n_copies;
    for (std::size_t c = 0; c < count; ++c) values[c] = 0;
    for (std::size_t a = 0; a < copies; ++a) {
        panel_row(p, r * copies + a, count * copies, scale, scratch);
        for (std::size_t c = 0; c < count; ++c)
            for (std::size_t b = 0; b < copies; ++b) values[c] += scratch[c * copies + b];
    }
    const Real average = Real(1) / static_cast<Real>(copies * copies);
    for (std::size_t c = 0; c < count; ++c) values[c] *= average;
}

template <typename Real>
void panel_values(const Panel<Real>& p, Real* scratch) {
    const Real at_zero = p.similarity == Similarity::gaussian ? Real(1) : Real(0);
    const bool diagonal = p.symmetric && p.row == p.column;
    Real* averaging = scratch + p.rows * p.columns;
    for (std::size_t s = 0; s < p.n_scales; ++s) {
        for (std::size_t r = 0; r < p.rows; ++r) {
            const std::size_t count = diagonal ? r + 1 : p.columns;
            Real* values = scratch + r * p.columns;
            if (p.n_copies == 1) {
                panel_row(p, r, count, p.scales[s], values);
                if (diagonal) values[r] = at_zero;
            } else {
                averaged_row(p, r, count, p.scales[s], averaging, values);
            }
        }
        put(scratch, p.columns, p.row, p.column, p.rows, p.columns, p.symmetric,
            p.out + s * p.n * p.m, p.m);
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

template void laplacian_columns<float>(const PairwiseTask<float>&, std::size_t, float*);
template void laplacian_columns<double>(const PairwiseTask<double>&, std::size_t, double*);
template void panel_values<float>(const Panel<float>&, float*);
template void panel_values<double>(const Panel<double>&, double*);
template void kernel_of_distances<float>(const float*, std::size_t, Similarity, float, float*);
template void kernel_of_distances<double>(const double*, std::size_t, Similarity, double, double*);

}  // namespace MOLKERN_ISA
}  // namespace molkern
