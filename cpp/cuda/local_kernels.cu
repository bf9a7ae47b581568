// Sums over pairs of atoms of one element, a block of structures by structures for each block.
//
// Atoms are reached through an index sorted by element, then structure. Of each element, tiles of
// 64 by 64 atoms: a thread holds side x side products in registers, depth features of the rows and
// columns lie in shared memory, minus the mean of the element, twice, so that the next ones arrive
// while these are added up. The similarities of a tile then go to shared memory, and are summed
// over the rows of each structure, then over its columns: always in the same order.
//
// Floor: a multiply-add for a feature and pair of atoms, an exponential for a pair and width. Tiles
// at the end of an element are filled in part: of 32 by 32 molecules as in QM7, five sixths of the
// pairs in tiles are wanted.

#include <algorithm>

#include "core/exp.hpp"
#include "core/power.hpp"
#include "core/triangle.hpp"
#include "cuda/local_atoms.hpp"

namespace molkern::cuda {
namespace {

constexpr std::int64_t tile = 64;
constexpr std::int64_t stride = tile + 4;  // the padding keeps stores off one bank
constexpr unsigned side = 4, across = 16;  // outputs of a thread along each side; threads

// Structures along each side of a block, fewer where there would be too few blocks.
constexpr std::int64_t most_structures = 32, enough_blocks = 256;
// Widths of one pass: more would leave room for one block only on each multiprocessor.
constexpr std::size_t shared_budget = 60 * 1024;

template <typename Real>
struct alignas(4 * sizeof(Real)) Four {
    Real v[4];
};

// Which structures a block has.
struct Corner {
    std::int64_t row, n_rows, column, n_columns;
};

template <typename Real, typename Out>
struct Task {
    AtomsByElement<Real> x, y;
    std::int64_t n_elements, n_features;
    const Real* centres;              // null: none are subtracted
    const double *x_norms, *y_norms;  // for the Gaussian
    AtomSimilarity similarity;        // of the widths of this pass
    bool symmetric, diagonal;
    std::int64_t edge, columns;       // structures along each side of a block; blocks
    const double *x_roots, *y_roots;  // null: values are not divided
    Out* out;
};

// A tile of atoms.
struct Tile {
    std::int64_t row, n_rows, column, n_columns;
};

template <typename Real, typename Out>
struct LocalKernel {
    static constexpr unsigned n_threads = across * across;

    Task<Real, Out> t;

    // Products of a thread.
    struct Products {
        Real chunk[side][side];
        double total[side][side];
    };

    // What a block has in shared memory. Features and similarities take turns in `values`.
    struct Shared {
        double* values;  // tile x (tile + 1), or 4 x depth x stride features
        double* sums;    // [n_scales, edge, edge]
        // Of the atoms of the tile: where their features begin, and their structures.
        std::int64_t *row_starts, *column_starts;
        std::int32_t *row_owners, *column_owners;
    };

    static constexpr std::size_t value_bytes() noexcept {
        constexpr std::size_t features = 4 * depth * stride * sizeof(Real);
        constexpr std::size_t similarities = tile * (tile + 1) * sizeof(double);
        return features > similarities ? features : similarities;
    }

    static std::size_t shared_bytes(std::int64_t edge, std::size_t n_scales) noexcept {
        return value_bytes() + n_scales * static_cast<std::size_t>(edge * edge) * sizeof(double) +
               2 * tile * (sizeof(std::int64_t) + sizeof(std::int32_t)) + 6 * 16;
    }

    template <typename Block>
    MOLKERN_DEVICE Shared room(Block& block) const {
        const auto n_sums = t.similarity.n_scales * static_cast<std::size_t>(t.edge * t.edge);
        return {block.template shared<double>(value_bytes() / sizeof(double)),
                block.template shared<double>(n_sums),
                block.template shared<std::int64_t>(tile),
                block.template shared<std::int64_t>(tile),
                block.template shared<std::int32_t>(tile),
                block.template shared<std::int32_t>(tile)};
    }

    MOLKERN_DEVICE Corner corner(std::int64_t block) const noexcept {
        if (t.diagonal) return {block, 1, block, 1};
        const TrianglePlace place = t.symmetric
                                        ? triangle_place(block)
                                        : TrianglePlace{block / t.columns, block % t.columns};
        const std::int64_t row = place.row * t.edge, column = place.column * t.edge;
        const std::int64_t rows = t.x.n - row, columns = t.y.n - column;
        return {row, rows < t.edge ? rows : t.edge, column, columns < t.edge ? columns : t.edge};
    }

    MOLKERN_DEVICE static void add(const Real* xs, const Real* ys, unsigned thread,
                                   Products& products) noexcept {
        const unsigned tx = thread % across, ty = thread / across;
#pragma unroll
        for (std::int64_t d = 0; d < depth; ++d) {
            const Four<Real> a = *reinterpret_cast<const Four<Real>*>(xs + d * stride + side * ty);
            const Four<Real> b = *reinterpret_cast<const Four<Real>*>(ys + d * stride + side * tx);
#pragma unroll
            for (unsigned i = 0; i < side; ++i)
#pragma unroll
                for (unsigned j = 0; j < side; ++j) products.chunk[i][j] += a.v[i] * b.v[j];
        }
    }

    // Products of the atoms of a tile.
    template <typename Block>
    MOLKERN_DEVICE void multiply(Block& block, const Real* centre, const Shared& shared,
                                 Local<Products>& products) const {
        auto* features = reinterpret_cast<Real*>(shared.values);
        constexpr std::int64_t size = depth * stride;
        const auto fetch = [&](unsigned thread, std::int64_t k, Real* to) {
            for (std::int64_t e = thread; e < tile * depth; e += n_threads) {
                const std::int64_t r = e / depth, d = e % depth;
                to[d * stride + r] =
                    feature(t.x.x, shared.row_starts[r], centre, t.n_features, k + d);
                to[size + d * stride + r] =
                    feature(t.y.x, shared.column_starts[r], centre, t.n_features, k + d);
            }
        };
        block.each_thread([&](unsigned thread) {
            products[thread] = Products{};
            fetch(thread, 0, features);
        });
        for (std::int64_t k = 0; k < t.n_features; k += depth) {
            const Real* here = features + k / depth % 2 * 2 * size;
            Real* next = features + (k / depth + 1) % 2 * 2 * size;
            block.each_thread([&](unsigned thread) {
                if (k + depth < t.n_features) fetch(thread, k + depth, next);
                Products& mine = products[thread];
                add(here, here + size, thread, mine);
                if ((k + depth) % chunk_of_atoms<Real> != 0 && k + depth < t.n_features) return;
#pragma unroll
                for (unsigned i = 0; i < side; ++i)
#pragma unroll
                    for (unsigned j = 0; j < side; ++j) {
                        mine.total[i][j] += static_cast<double>(mine.chunk[i][j]);
                        mine.chunk[i][j] = 0;
                    }
            });
        }
    }

    MOLKERN_DEVICE double similarity_of(double product, std::int64_t row, std::int64_t column,
                                        double scale) const noexcept {
        if (t.similarity.kind == AtomSimilarity::polynomial)
            return power(scale * product + t.similarity.offset,
                         Exponent(static_cast<double>(t.similarity.degree)));
        const double d2 = (t.x_norms[row] + t.y_norms[column]) - 2 * product;
        return exp_negative(-scale * (d2 < 0 ? 0 : d2));  // NaN stays
    }

    // Similarities of a tile for one width, added to those of its structures.
    template <typename Block>
    MOLKERN_DEVICE void reduce(Block& block, const Corner& c, const Tile& at, double scale,
                               const Shared& shared, double* sums,
                               Local<Products>& products) const {
        constexpr std::int64_t line = tile + 1;
        double* values = shared.values;
        const std::int32_t *x = shared.row_owners, *y = shared.column_owners;
        const auto begins = [](const std::int32_t* owners, std::int64_t i) {
            return i == 0 || owners[i] != owners[i - 1];
        };
        block.each_thread([&](unsigned thread) {
            const std::int64_t r = side * (thread / across), k = side * (thread % across);
#pragma unroll
            for (unsigned i = 0; i < side; ++i)
#pragma unroll
                for (unsigned j = 0; j < side; ++j)
                    values[(r + i) * line + k + j] = products[thread].total[i][j];
        });
        block.for_each(at.n_rows * at.n_columns, [&](std::int64_t e) {
            const std::int64_t r = e / at.n_columns, k = e % at.n_columns;
            double& value = values[r * line + k];
            value = similarity_of(value, at.row + r, at.column + k, scale);
        });
        // Over the rows of a structure, into its first one.
        block.for_each(at.n_rows * at.n_columns, [&](std::int64_t e) {
            const std::int64_t r = e / at.n_columns, k = e % at.n_columns;
            if (!begins(x, r)) return;
            double total = 0;
            for (std::int64_t i = r; i < at.n_rows && x[i] == x[r]; ++i)
                total += values[i * line + k];
            values[r * line + k] = total;
        });
        block.for_each(at.n_rows * at.n_columns, [&](std::int64_t e) {
            const std::int64_t r = e / at.n_columns, k = e % at.n_columns;
            if (!begins(x, r) || !begins(y, k)) return;
            double total = 0;
            for (std::int64_t j = k; j < at.n_columns && y[j] == y[k]; ++j)
                total += values[r * line + j];
            sums[(x[r] - c.row) * t.edge + y[k] - c.column] += total;
        });
    }

    // All pairs of one element.
    template <typename Block>
    MOLKERN_DEVICE void add_element(Block& block, const Corner& c, std::int64_t e,
                                    const Shared& shared, Local<Products>& products) const {
        const std::int64_t *of_x = t.x.starts + e * t.x.n, *of_y = t.y.starts + e * t.y.n;
        const std::int64_t x_end = of_x[c.row + c.n_rows], y_end = of_y[c.column + c.n_columns];
        const Real* centre = t.centres == nullptr ? nullptr : t.centres + e * t.n_features;
        for (std::int64_t r = of_x[c.row]; r < x_end; r += tile)
            for (std::int64_t k = of_y[c.column]; k < y_end; k += tile) {
                const Tile at{r, x_end - r < tile ? x_end - r : tile, k,
                              y_end - k < tile ? y_end - k : tile};
                // Nothing of the lower triangle.
                if (t.symmetric && t.x.owners[r + at.n_rows - 1] < t.y.owners[k]) continue;
                block.for_each(tile, [&](std::int64_t i) {
                    // Rows beyond the last repeat it.
                    const std::int64_t row = r + (i < at.n_rows ? i : at.n_rows - 1);
                    const std::int64_t column = k + (i < at.n_columns ? i : at.n_columns - 1);
                    shared.row_starts[i] = t.x.index[row] * t.n_features;
                    shared.column_starts[i] = t.y.index[column] * t.n_features;
                    shared.row_owners[i] = t.x.owners[row];
                    shared.column_owners[i] = t.y.owners[column];
                });
                multiply(block, centre, shared, products);
                for (std::size_t s = 0; s < t.similarity.n_scales; ++s)
                    reduce(block, c, at, t.similarity.scales[s], shared,
                           shared.sums + static_cast<std::int64_t>(s) * t.edge * t.edge, products);
            }
    }

    template <typename Block>
    MOLKERN_DEVICE void write(Block& block, const Corner& c, const double* sums) const {
        const std::int64_t square = t.edge * t.edge;
        const auto n_scales = static_cast<std::int64_t>(t.similarity.n_scales);
        block.for_each(n_scales * square, [&](std::int64_t e) {
            const std::int64_t s = e / square, r = e % square / t.edge, k = e % t.edge;
            if (r >= c.n_rows || k >= c.n_columns) return;
            const std::int64_t i = c.row + r, j = c.column + k;
            if (t.diagonal) {
                t.out[s * t.x.n + i] = static_cast<Out>(sums[e]);
                return;
            }
            if (t.symmetric && j > i) return;
            double value = sums[e];
            if (t.x_roots != nullptr)
                value = t.symmetric && i == j
                            ? 1
                            : value / (t.x_roots[s * t.x.n + i] * t.y_roots[s * t.y.n + j]);
            Out* layer = t.out + s * t.x.n * t.y.n;
            layer[i * t.y.n + j] = static_cast<Out>(value);
            if (t.symmetric) layer[j * t.y.n + i] = static_cast<Out>(value);
        });
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const Corner c = corner(block.index());
        const Shared shared = room(block);
        auto products = block.template local<Products>();
        block.for_each(static_cast<std::int64_t>(t.similarity.n_scales) * t.edge * t.edge,
                       [&](std::int64_t e) { shared.sums[e] = 0; });
        for (std::int64_t e = 0; e < t.n_elements; ++e) add_element(block, c, e, shared, products);
        write(block, c, shared.sums);
    }
};

std::int64_t blocks_of(std::int64_t n, std::int64_t edge) {
    return (n + edge - 1) / edge;
}

// One width after another in as few passes as shared memory allows.
template <typename Real, typename Out>
void run(Task<Real, Out> t, const AtomSimilarity& similarity, Stream stream) {
    using Kernel = LocalKernel<Real, Out>;
    const auto n_blocks = [&] {
        const std::int64_t rows = blocks_of(t.x.n, t.edge);
        if (t.diagonal) return t.x.n;
        return t.symmetric ? rows * (rows + 1) / 2 : rows * blocks_of(t.y.n, t.edge);
    };
    t.edge = t.diagonal ? 1 : most_structures;
    while (t.edge > 1 && n_blocks() < enough_blocks) t.edge /= 2;
    t.columns = blocks_of(t.y.n, t.edge);
    std::size_t most = 1;
    while (most < similarity.n_scales && Kernel::shared_bytes(t.edge, most + 1) <= shared_budget)
        ++most;
    const auto of_x = static_cast<std::size_t>(t.x.n), of_y = static_cast<std::size_t>(t.y.n);
    for (std::size_t s = 0; s < similarity.n_scales; s += most) {
        Task<Real, Out> pass = t;
        pass.similarity.scales = similarity.scales + s;
        pass.similarity.n_scales = std::min(most, similarity.n_scales - s);
        if (t.x_roots != nullptr) {
            pass.x_roots += s * of_x;
            pass.y_roots += s * of_y;
        }
        pass.out += s * of_x * (t.diagonal ? 1 : of_y);
        launch(Kernel{pass}, n_blocks(), Kernel::shared_bytes(t.edge, pass.similarity.n_scales),
               stream);
    }
}

// Centres and norms for the Gaussian; the polynomial has neither.
template <typename Real, typename Out>
void prepare_and_run(Task<Real, Out> t, const AtomSimilarity& similarity, Stream stream) {
    if (t.x.n == 0 || t.y.n == 0) return;
    t.similarity = similarity;
    Buffer<Real> centres;
    Buffer<double> x_norms, y_norms;
    if (similarity.kind == AtomSimilarity::gaussian) {
        centres = element_means(t.y, t.n_elements, t.n_features, stream);
        x_norms = norms_of(t.x, centres.data(), t.n_elements, t.n_features, stream);
        const bool same = t.symmetric || t.diagonal;
        if (!same) y_norms = norms_of(t.y, centres.data(), t.n_elements, t.n_features, stream);
        t.centres = centres.data();
        t.x_norms = x_norms.data();
        t.y_norms = same ? x_norms.data() : y_norms.data();
    }
    run(t, similarity, stream);
}

}  // namespace

template <typename Real>
void local_kernel(const AtomsByElement<Real>& x, const AtomsByElement<Real>* y,
                  std::int64_t n_elements, std::int64_t n_features,
                  const AtomSimilarity& similarity, const double* x_roots, const double* y_roots,
                  Real* out, Stream stream) {
    Task<Real, Real> t{};
    t.x = x;
    t.y = y == nullptr ? x : *y;
    t.symmetric = y == nullptr;
    t.n_elements = n_elements;
    t.n_features = n_features;
    t.x_roots = x_roots;
    t.y_roots = y_roots;
    t.out = out;
    prepare_and_run(t, similarity, stream);
}

template <typename Real>
void local_kernel_diagonal(const AtomsByElement<Real>& x, std::int64_t n_elements,
                           std::int64_t n_features, const AtomSimilarity& similarity, double* out,
                           Stream stream) {
    Task<Real, double> t{};
    t.x = t.y = x;
    t.diagonal = true;
    t.n_elements = n_elements;
    t.n_features = n_features;
    t.out = out;
    prepare_and_run(t, similarity, stream);
}

#define MOLKERN_INSTANTIATE(Real)                                                              \
    template void local_kernel<Real>(const AtomsByElement<Real>&, const AtomsByElement<Real>*, \
                                     std::int64_t, std::int64_t, const AtomSimilarity&,        \
                                     const double*, const double*, Real*, Stream);             \
    template void local_kernel_diagonal<Real>(const AtomsByElement<Real>&, std::int64_t,       \
                                              std::int64_t, const AtomSimilarity&, double*,    \
                                              Stream);
MOLKERN_INSTANTIATE(float)
MOLKERN_INSTANTIATE(double)
#undef MOLKERN_INSTANTIATE

}  // namespace molkern::cuda
