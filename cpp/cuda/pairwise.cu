// Gram matrices, a tile of the result for each block.
//
// A thread holds side x side sums in registers; depth features at a time of the rows of the tile
// lie in shared memory, twice, so that the next ones arrive while these are added up. A feature
// costs a thread 2 side / 4 loads of four numbers and side^2 pairs:
//   L1         a subtraction and an addition of the magnitude: floor 2 instructions a pair,
//   Euclidean  a multiply-add of |x|^2 + |y|^2 - 2 xy:         floor 1.
// Of a symmetric matrix only tiles that meet the lower triangle are computed; each pair is computed
// once and written to both places.

#include <cmath>

#include "core/device.hpp"
#include "core/triangle.hpp"
#include "cuda/runtime.hpp"

namespace molkern::cuda {
namespace {

constexpr std::int64_t depth = 8;
// As on the host: rounding grows with this, not with the number of features.
constexpr std::int64_t chunk = 512;

template <typename Real>
struct alignas(16) Four {
    Real v[4];
};

// Outputs per thread along each side: what 255 registers hold.
template <typename Real>
constexpr unsigned side = sizeof(Real) == 4 ? 8 : 4;

template <typename Real>
MOLKERN_DEVICE Real magnitude(Real x) noexcept {
    return x < 0 ? -x : x;
}

template <typename Real>
struct Task {
    const Real *x, *y;
    std::int64_t n, m, n_features, n_copies;
    // Euclidean: the column means, and squared norms of rows [n, n_copies] less those.
    const Real *centre, *x_norms, *y_norms;
    const Real* scales;
    std::int64_t n_scales;
    Similarity similarity;
    bool symmetric;
    std::int64_t columns;  // of tiles
    Real* out;
};

// The sums of a thread.
template <typename Real>
struct Sums {
    Real chunk[side<Real>][side<Real>];
    Real total[side<Real>][side<Real>];
};

template <Metric metric, typename Real>
struct PairwiseKernel {
    static constexpr unsigned n_threads = 256, across = 16, s = side<Real>;
    static constexpr std::int64_t tile = across * s;
    static constexpr std::int64_t stride = tile + 4;  // the padding keeps stores off one bank

    Task<Real> t;

    static constexpr std::int64_t band = 4 * across;

    // depth x stride of rows and of columns, twice; afterwards band x (tile + 1) distances.
    static constexpr std::size_t shared_bytes() noexcept {
        constexpr std::int64_t rows = 4 * depth * stride, distances = band * (tile + 1);
        return (rows > distances ? rows : distances) * sizeof(Real);
    }

    // Row i of a thread: groups of four that follow each other, so that they load as one.
    MOLKERN_DEVICE static std::int64_t offset(unsigned place, unsigned i) noexcept {
        return 4 * (place + across * (i / 4)) + i % 4;
    }

    // Features k .. k + depth - 1 of copy c of the rows from `begin`; rows beyond the last repeat
    // it, features beyond the last are 0.
    MOLKERN_DEVICE void load(const Real* rows, std::int64_t n_rows, std::int64_t begin,
                             std::int64_t c, std::int64_t k, std::int64_t element,
                             Real* to) const noexcept {
        const std::int64_t row = element / depth, d = element % depth;
        const std::int64_t r = begin + row < n_rows ? begin + row : n_rows - 1;
        Real value = 0;
        if (k + d < t.n_features) {
            value = rows[(r * t.n_copies + c) * t.n_features + k + d];
            if (metric == Metric::euclidean) value -= t.centre[k + d];
        }
        to[d * stride + row] = value;
    }

    MOLKERN_DEVICE static void add(const Real* xs, const Real* ys, unsigned thread,
                                   Sums<Real>& sums) noexcept {
        const unsigned tx = thread % across, ty = thread / across;
#pragma unroll
        for (std::int64_t d = 0; d < depth; ++d) {
            Four<Real> a[s / 4], b[s / 4];
#pragma unroll
            for (unsigned h = 0; h < s / 4; ++h) {
                a[h] = *reinterpret_cast<const Four<Real>*>(xs + d * stride + offset(ty, 4 * h));
                b[h] = *reinterpret_cast<const Four<Real>*>(ys + d * stride + offset(tx, 4 * h));
            }
#pragma unroll
            for (unsigned i = 0; i < s; ++i)
#pragma unroll
                for (unsigned j = 0; j < s; ++j) {
                    const Real u = a[i / 4].v[i % 4], v = b[j / 4].v[j % 4];
                    if (metric == Metric::manhattan)
                        sums.chunk[i][j] += magnitude(u - v);
                    else
                        sums.chunk[i][j] += u * v;
                }
        }
    }

    // Sums over all features of copy a of the rows and copy b of the columns.
    template <typename Block>
    MOLKERN_DEVICE void distances(Block& block, TrianglePlace tile_at, std::int64_t a,
                                  std::int64_t b, Real* shared, Local<Sums<Real>>& sums) const {
        constexpr std::int64_t size = depth * stride;
        const std::int64_t row = tile_at.row * tile, column = tile_at.column * tile;
        const auto fetch = [&](unsigned thread, std::int64_t k, Real* to) {
            for (std::int64_t e = thread; e < tile * depth; e += n_threads) {
                load(t.x, t.n, row, a, k, e, to);
                load(t.y, t.m, column, b, k, e, to + size);
            }
        };
        block.each_thread([&](unsigned thread) {
            sums[thread] = Sums<Real>{};
            fetch(thread, 0, shared);
        });
        for (std::int64_t k = 0; k < t.n_features; k += depth) {
            const Real* here = shared + k / depth % 2 * 2 * size;
            Real* next = shared + (k / depth + 1) % 2 * 2 * size;
            block.each_thread([&](unsigned thread) {
                if (k + depth < t.n_features) fetch(thread, k + depth, next);
                Sums<Real>& mine = sums[thread];
                add(here, here + size, thread, mine);
                if ((k + depth) % chunk == 0 || k + depth >= t.n_features) {
#pragma unroll
                    for (unsigned i = 0; i < s; ++i)
#pragma unroll
                        for (unsigned j = 0; j < s; ++j) {
                            mine.total[i][j] += mine.chunk[i][j];
                            mine.chunk[i][j] = 0;
                        }
                }
            });
        }
    }

    MOLKERN_DEVICE Real similarity_of(Real d, std::int64_t scale) const noexcept {
        if (t.similarity == Similarity::none) return metric == Metric::euclidean ? std::sqrt(d) : d;
        return std::exp(-t.scales[scale] * d);
    }

    // Distance or, Euclidean, its square, from what was added up.
    MOLKERN_DEVICE Real distance_of(Real total, std::int64_t i, std::int64_t j, std::int64_t a,
                                    std::int64_t b) const noexcept {
        if (metric == Metric::manhattan) return total;
        if (t.symmetric && i == j && a == b) return 0;
        const Real d2 = (t.x_norms[i * t.n_copies + a] + t.y_norms[j * t.n_copies + b]) - 2 * total;
        return d2 < 0 ? 0 : d2;  // NaN stays
    }

    // The first pair of copies sets a place of the result, others add to it.
    MOLKERN_DEVICE void put(Real d, std::int64_t k, std::int64_t row, std::int64_t column,
                            std::int64_t a, std::int64_t b) const noexcept {
        Real* to = t.out + (k * t.n + row) * t.m + column;
        Real value = similarity_of(d, k);
        if (a > 0 || b > 0) value += *to;
        const bool last = a == t.n_copies - 1 && b == t.n_copies - 1;
        if (last && t.n_copies > 1) value /= static_cast<Real>(t.n_copies * t.n_copies);
        *to = value;
    }

    // Through shared memory, `band` rows at a time, so that both triangles are written row by row.
    template <typename Block>
    MOLKERN_DEVICE void write(Block& block, TrianglePlace tile_at, std::int64_t a, std::int64_t b,
                              Real* shared, Local<Sums<Real>>& sums) const {
        const std::int64_t column = tile_at.column * tile;
#pragma unroll 1
        for (unsigned h = 0; h < s / 4; ++h) {
            const std::int64_t row = tile_at.row * tile + h * band;
            block.each_thread([&](unsigned thread) {
                const unsigned tx = thread % across, ty = thread / across;
                // Registers have no addresses: all are visited, those of this band are kept.
#pragma unroll
                for (unsigned u = 0; u < s; ++u)
#pragma unroll
                    for (unsigned v = 0; v < s; ++v)
                        if (u / 4 == h)
                            shared[(4 * ty + u % 4) * (tile + 1) + offset(tx, v)] =
                                sums[thread].total[u][v];
            });
            const auto place = [&](std::int64_t r, std::int64_t c, std::int64_t k, bool mirrored) {
                const std::int64_t i = row + r, j = column + c;
                if (i >= t.n || j >= t.m || (t.symmetric && j > i) || (mirrored && i == j)) return;
                const Real d = distance_of(shared[r * (tile + 1) + c], i, j, a, b);
                put(d, k, mirrored ? j : i, mirrored ? i : j, a, b);
            };
            for (std::int64_t k = 0; k < t.n_scales; ++k) {
                block.for_each(band * tile,
                               [&](std::int64_t e) { place(e / tile, e % tile, k, false); });
                if (t.symmetric)
                    block.for_each(band * tile,
                                   [&](std::int64_t e) { place(e % band, e / band, k, true); });
            }
        }
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const TrianglePlace tile_at =
            t.symmetric ? triangle_place(block.index())
                        : TrianglePlace{block.index() / t.columns, block.index() % t.columns};
        Real* shared = block.template shared<Real>(shared_bytes() / sizeof(Real));
        auto sums = block.template local<Sums<Real>>();
        for (std::int64_t a = 0; a < t.n_copies; ++a)
            for (std::int64_t b = 0; b < t.n_copies; ++b) {
                distances(block, tile_at, a, b, shared, sums);
                write(block, tile_at, a, b, shared, sums);
            }
    }
};

// Means of the columns over rows and copies, one block for each column.
template <typename Real>
struct MeansKernel {
    static constexpr unsigned n_threads = 256;
    const Real* x;
    std::int64_t n_rows, n_features;
    Real* means;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t k = block.index();
        const double total =
            block.sum(n_rows, [&](std::int64_t i) { return double(x[i * n_features + k]); });
        block.for_each(1, [&](std::int64_t) {
            means[k] = static_cast<Real>(total / static_cast<double>(n_rows));
        });
    }
};

// |x - centre|^2, one block for each row.
template <typename Real>
struct NormsKernel {
    static constexpr unsigned n_threads = 128;
    const Real *x, *centre;
    std::int64_t n_features;
    Real* norms;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const Real* row = x + block.index() * n_features;
        const double total = block.sum(n_features, [&](std::int64_t k) {
            const Real d = row[k] - centre[k];
            return double(d) * double(d);
        });
        block.for_each(1, [&](std::int64_t) { norms[block.index()] = static_cast<Real>(total); });
    }
};

template <Metric metric, typename Real>
void run_tiles(Task<Real> t, Stream stream) {
    using Kernel = PairwiseKernel<metric, Real>;
    const std::int64_t rows = (t.n + Kernel::tile - 1) / Kernel::tile;
    t.columns = (t.m + Kernel::tile - 1) / Kernel::tile;
    const std::int64_t n_tiles = t.symmetric ? rows * (rows + 1) / 2 : rows * t.columns;
    launch(Kernel{t}, n_tiles, Kernel::shared_bytes(), stream);
}

}  // namespace

template <typename Real>
void pairwise(const Real* x, std::int64_t n, const Real* y, std::int64_t m, std::int64_t n_features,
              std::int64_t n_copies, Metric metric, Similarity similarity, const Real* scales,
              std::int64_t n_scales, Real* out, Stream stream) {
    if (n == 0 || m == 0) return;
    // Rows of one memory need not be the same ones.
    const bool symmetric = x == y && n == m;
    Task<Real> t{x,       y,      n,        m,          n_features, n_copies, nullptr, nullptr,
                 nullptr, scales, n_scales, similarity, symmetric,  0,        out};
    if (metric == Metric::manhattan) {
        run_tiles<Metric::manhattan>(t, stream);
        return;
    }
    Buffer<Real> centre(n_features, stream);
    launch(MeansKernel<Real>{y, m * n_copies, n_features, centre.data()}, n_features, 0, stream);
    Buffer<Real> x_norms(n * n_copies, stream), y_norms;
    launch(NormsKernel<Real>{x, centre.data(), n_features, x_norms.data()}, n * n_copies, 0,
           stream);
    if (!symmetric) {
        y_norms = Buffer<Real>(m * n_copies, stream);
        launch(NormsKernel<Real>{y, centre.data(), n_features, y_norms.data()}, m * n_copies, 0,
               stream);
    }
    t.centre = centre.data();
    t.x_norms = x_norms.data();
    t.y_norms = symmetric ? x_norms.data() : y_norms.data();
    run_tiles<Metric::euclidean>(t, stream);
}

template void pairwise<float>(const float*, std::int64_t, const float*, std::int64_t, std::int64_t,
                              std::int64_t, Metric, Similarity, const float*, std::int64_t, float*,
                              Stream);
template void pairwise<double>(const double*, std::int64_t, const double*, std::int64_t,
                               std::int64_t, std::int64_t, Metric, Similarity, const double*,
                               std::int64_t, double*, Stream);

}  // namespace molkern::cuda
