// Gram matrices, a tile of the result for each block.
//
// A thread holds side x side sums in registers; depth features at a time of the rows of the tile
// lie in shared memory, twice: while these are added up the next ones are on their way, through
// registers. A feature costs a thread 2 side / 4 loads of four numbers and side^2 pairs:
//   L1         a subtraction and an addition of the magnitude: floor 2 instructions a pair,
//   Euclidean  a multiply-add of |x|^2 + |y|^2 - 2 xy:         floor 1.
// Counted (benchmarks/machine_code.py, compute capability 9.0, float32), not measured: of 1124
// instructions for eight features and 64 pairs 1024 are the L1's, of 624 are 512 multiply-adds.
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

template <Metric metric, typename Real>
struct PairwiseKernel {
    static constexpr unsigned n_threads = 256, across = 16, s = side<Real>;
    static constexpr std::int64_t tile = across * s;
    static constexpr std::int64_t stride = tile + 4;  // the padding keeps stores off one bank

    // Features that a thread fetches at a time of the rows and of the columns: the same one of
    // rows that are `step` apart.
    static constexpr std::int64_t n_fetched = tile * depth / n_threads, step = n_threads / depth;
    static constexpr std::int64_t band = 4 * across;

    // What a thread keeps: where it fetches, and its sums.
    struct Thread {
        const Real *x[n_fetched], *y[n_fetched];
        Real chunk[s][s], total[s][s];
    };

    Task<Real> t;

    // depth x stride of rows and of columns, twice; afterwards band x (tile + 1) results.
    static constexpr std::size_t shared_bytes() noexcept {
        constexpr std::int64_t rows = 4 * depth * stride, results = band * (tile + 1);
        return (rows > results ? rows : results) * sizeof(Real);
    }

    // Row i of a thread: groups of four that follow each other, so that they load as one.
    MOLKERN_DEVICE static std::int64_t offset(unsigned place, unsigned i) noexcept {
        return 4 * (place + across * (i / 4)) + i % 4;
    }

    // Copy c of the rows from `begin` that a thread fetches; rows beyond the last repeat it.
    MOLKERN_DEVICE void seek(const Real* rows, std::int64_t n_rows, std::int64_t begin,
                             std::int64_t c, unsigned thread,
                             const Real* (&at)[n_fetched]) const noexcept {
#pragma unroll
        for (std::int64_t q = 0; q < n_fetched; ++q) {
            const std::int64_t row = begin + thread / depth + q * step;
            const std::int64_t r = row < n_rows ? row : n_rows - 1;
            at[q] = rows + (r * t.n_copies + c) * t.n_features;
        }
    }

    // Features k .. k + depth - 1; those beyond the last are 0.
    MOLKERN_DEVICE void fetch(const Real* const (&at)[n_fetched], std::int64_t k, unsigned thread,
                              Real (&values)[n_fetched]) const noexcept {
        const std::int64_t f = k + thread % depth;
        const bool there = f < t.n_features;
        const Real centre = metric == Metric::euclidean && there ? t.centre[f] : Real{0};
#pragma unroll
        for (std::int64_t q = 0; q < n_fetched; ++q) values[q] = there ? at[q][f] - centre : 0;
    }

    MOLKERN_DEVICE static void store(const Real (&values)[n_fetched], unsigned thread,
                                     Real* to) noexcept {
#pragma unroll
        for (std::int64_t q = 0; q < n_fetched; ++q)
            to[thread % depth * stride + thread / depth + q * step] = values[q];
    }

    MOLKERN_DEVICE static void add(const Real* xs, const Real* ys, unsigned thread,
                                   Real (&sums)[s][s]) noexcept {
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
                        sums[i][j] += std::fabs(u - v);
                    else
                        sums[i][j] += u * v;
                }
        }
    }

    // Sums over all features of copy a of the rows and copy b of the columns.
    template <typename Block>
    MOLKERN_DEVICE void distances(Block& block, TrianglePlace tile_at, std::int64_t a,
                                  std::int64_t b, Real* shared, Local<Thread>& threads) const {
        constexpr std::int64_t size = depth * stride;
        block.each_thread([&](unsigned thread) {
            Thread& mine = threads[thread];
            seek(t.x, t.n, tile_at.row * tile, a, thread, mine.x);
            seek(t.y, t.m, tile_at.column * tile, b, thread, mine.y);
#pragma unroll
            for (unsigned i = 0; i < s; ++i)
#pragma unroll
                for (unsigned j = 0; j < s; ++j) mine.chunk[i][j] = mine.total[i][j] = 0;
            Real xs[n_fetched], ys[n_fetched];
            fetch(mine.x, 0, thread, xs);
            fetch(mine.y, 0, thread, ys);
            store(xs, thread, shared);
            store(ys, thread, shared + size);
        });
        for (std::int64_t begin = 0; begin < t.n_features; begin += chunk) {
            const std::int64_t end = begin + chunk < t.n_features ? begin + chunk : t.n_features;
            for (std::int64_t k = begin; k < end; k += depth) {
                const Real* here = shared + k / depth % 2 * 2 * size;
                Real* next = shared + (k / depth + 1) % 2 * 2 * size;
                block.each_thread([&](unsigned thread) {
                    Thread& mine = threads[thread];
                    Real xs[n_fetched], ys[n_fetched];
                    fetch(mine.x, k + depth, thread, xs);
                    fetch(mine.y, k + depth, thread, ys);
                    add(here, here + size, thread, mine.chunk);
                    store(xs, thread, next);
                    store(ys, thread, next + size);
                });
            }
            block.each_thread([&](unsigned thread) {
                Thread& mine = threads[thread];
#pragma unroll
                for (unsigned i = 0; i < s; ++i)
#pragma unroll
                    for (unsigned j = 0; j < s; ++j) {
                        mine.total[i][j] += mine.chunk[i][j];
                        mine.chunk[i][j] = 0;
                    }
            });
        }
    }

    MOLKERN_DEVICE Real similarity_of(Real d, Real scale) const noexcept {
        if (t.similarity == Similarity::none) return metric == Metric::euclidean ? std::sqrt(d) : d;
        return std::exp(-scale * d);
    }

    // The results of a thread for the rows of band h, or what they are the mean of, to `shared`;
    // rows and columns beyond the last are those of the last.
    MOLKERN_DEVICE void results(const Thread& mine, unsigned thread, TrianglePlace tile_at,
                                std::int64_t a, std::int64_t b, std::int64_t k, unsigned h,
                                Real* shared) const noexcept {
        const unsigned tx = thread % across, ty = thread / across;
        const Real scale = t.similarity == Similarity::none ? Real{0} : t.scales[k];
        std::int64_t columns[s];
        Real y_norms[s];
#pragma unroll
        for (unsigned v = 0; v < s; ++v) {
            const std::int64_t j = tile_at.column * tile + offset(tx, v);
            columns[v] = j < t.m ? j : t.m - 1;
            if (metric == Metric::euclidean) y_norms[v] = t.y_norms[columns[v] * t.n_copies + b];
        }
#pragma unroll
        for (unsigned u = 0; u < s; ++u) {
            // Registers have no addresses: all are visited, those of this band are kept.
            if (u / 4 != h) continue;
            std::int64_t i = tile_at.row * tile + offset(ty, u);
            i = i < t.n ? i : t.n - 1;
            const Real x_norm =
                metric == Metric::euclidean ? t.x_norms[i * t.n_copies + a] : Real{0};
#pragma unroll
            for (unsigned v = 0; v < s; ++v) {
                Real d = mine.total[u][v];
                if (metric == Metric::euclidean) {
                    d = (x_norm + y_norms[v]) - 2 * d;
                    // NaN stays.
                    const bool same = t.symmetric && i == columns[v] && a == b;
                    if (d < 0 || (same && d == d)) d = 0;
                }
                shared[(4 * ty + u % 4) * (tile + 1) + offset(tx, v)] = similarity_of(d, scale);
            }
        }
    }

    // The first pair of copies sets a place of the result, others add to it.
    MOLKERN_DEVICE void put(Real value, Real* to, std::int64_t a, std::int64_t b) const noexcept {
        if (a > 0 || b > 0) value += *to;
        const bool last = a == t.n_copies - 1 && b == t.n_copies - 1;
        if (last && t.n_copies > 1) value /= static_cast<Real>(t.n_copies * t.n_copies);
        *to = value;
    }

    // Through shared memory, `band` rows at a time, so that both triangles are written row by row.
    template <typename Block>
    MOLKERN_DEVICE void write(Block& block, TrianglePlace tile_at, std::int64_t a, std::int64_t b,
                              Real* shared, Local<Thread>& threads) const {
        const std::int64_t column = tile_at.column * tile;
        for (std::int64_t k = 0; k < t.n_scales; ++k)
#pragma unroll 1
            for (unsigned h = 0; h < s / 4; ++h) {
                const std::int64_t row = tile_at.row * tile + h * band;
                Real* out = t.out + k * t.n * t.m;
                block.each_thread([&](unsigned thread) {
                    results(threads[thread], thread, tile_at, a, b, k, h, shared);
                });
                const auto place = [&](std::int64_t r, std::int64_t c, bool mirrored) {
                    const std::int64_t i = row + r, j = column + c;
                    if (i >= t.n || j >= t.m || (t.symmetric && j > i) || (mirrored && i == j))
                        return;
                    put(shared[r * (tile + 1) + c], out + (mirrored ? j * t.m + i : i * t.m + j), a,
                        b);
                };
                block.for_each(band * tile,
                               [&](std::int64_t e) { place(e / tile, e % tile, false); });
                if (t.symmetric)
                    block.for_each(band * tile,
                                   [&](std::int64_t e) { place(e % band, e / band, true); });
            }
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const TrianglePlace tile_at =
            t.symmetric ? triangle_place(block.index())
                        : TrianglePlace{block.index() / t.columns, block.index() % t.columns};
        Real* shared = block.template shared<Real>(shared_bytes() / sizeof(Real));
        auto threads = block.template local<Thread>();
        for (std::int64_t a = 0; a < t.n_copies; ++a)
            for (std::int64_t b = 0; b < t.n_copies; ++b) {
                distances(block, tile_at, a, b, shared, threads);
                write(block, tile_at, a, b, shared, threads);
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
