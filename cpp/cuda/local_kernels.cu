// Sums over pairs of atoms of one element, a block of structures by structures for each block.
//
// Atoms are reached through an index sorted by element, then structure. Of each element, tiles of
// 64 by 64 atoms: their products lie in registers, from features minus the means of the element.
// The similarities of a tile then go to shared memory, and are summed over the rows of each
// structure, then over its columns: always in the same order.
//
// Floor: a multiply-add for a feature and pair of atoms, of which three quarters are reached by the
// count of instructions, not yet measured (local_products.hpp); an exponential for a pair and
// width, with all that follows about 100 instructions. Tiles at the end of an element are filled in
// part: of 32 by 32 molecules as in QM7, five sixths of the pairs in tiles are wanted.

#include <algorithm>

#include "core/exp.hpp"
#include "core/power.hpp"
#include "core/triangle.hpp"
#include "cuda/local_products.hpp"

namespace molkern::cuda {
namespace {

// Structures along each side of a block, fewer where there would be too few blocks.
constexpr std::int64_t most_structures = 32, enough_blocks = 256;
// Widths of one pass: more would leave room for one block only on each multiprocessor.
constexpr std::size_t shared_budget = 60 * 1024;

// Which structures a block has.
struct Corner {
    std::int64_t row, n_rows, column, n_columns;
};

template <typename Real, typename Out>
struct Task {
    AtomsByElement<Real> x, y;
    std::int64_t n_elements, n_features;
    const Real* centres;              // [n_elements, n_features]
    const double *x_norms, *y_norms;  // for the Gaussian
    AtomSimilarity similarity;        // of the widths of this pass
    bool symmetric, diagonal;
    std::int64_t edge, columns;       // structures along each side of a block; blocks
    const double *x_roots, *y_roots;  // null: values are not divided
    Out* out;
};

// A tile of atoms.
struct Tile {
    std::int64_t row, column;
    unsigned n_rows, n_columns;
};

template <typename Real, typename Out>
struct LocalKernel {
    using Products = TileProducts<Real>;
    using Thread = typename Products::Thread;
    static constexpr unsigned tile = Products::tile, side = Products::side,
                              across = Products::across, n_threads = Products::n_threads;

    Task<Real, Out> t;

    // What a block has in shared memory. Features and similarities take turns in `values`.
    struct Shared {
        double* values;  // tile x (tile + 1), or features
        double* sums;    // [n_scales, edge, edge]
        // Of the atoms of the tile: norms, where their features begin, and their structures.
        double *row_norms, *column_norms;
        std::int64_t *row_starts, *column_starts;
        std::int32_t *row_owners, *column_owners;
    };

    static constexpr std::size_t value_bytes() noexcept {
        constexpr std::size_t features = Products::n_shared * sizeof(Real);
        constexpr std::size_t similarities = tile * (tile + 1) * sizeof(double);
        return features > similarities ? features : similarities;
    }

    static std::size_t shared_bytes(std::int64_t edge, std::size_t n_scales) noexcept {
        return value_bytes() + n_scales * static_cast<std::size_t>(edge * edge) * sizeof(double) +
               2 * tile * (sizeof(double) + sizeof(std::int64_t) + sizeof(std::int32_t)) + 8 * 16;
    }

    template <typename Block>
    MOLKERN_DEVICE Shared room(Block& block) const {
        const auto n_sums = t.similarity.n_scales * static_cast<std::size_t>(t.edge * t.edge);
        return {block.template shared<double>(value_bytes() / sizeof(double)),
                block.template shared<double>(n_sums),
                block.template shared<double>(tile),
                block.template shared<double>(tile),
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

    MOLKERN_DEVICE double similarity_of(double product, double x_norm, double y_norm,
                                        double scale) const noexcept {
        if (t.similarity.kind == AtomSimilarity::polynomial)
            return power(scale * product + t.similarity.offset,
                         Exponent(static_cast<double>(t.similarity.degree)));
        const double d2 = (x_norm + y_norm) - 2 * product;
        return exp_negative(-scale * (d2 < 0 ? 0 : d2));  // NaN stays
    }

    // f(r, k) for the pairs of a tile that are wanted: a thread goes down column k.
    template <typename Block, typename F>
    MOLKERN_DEVICE static void each_pair(Block& block, const Tile& at, const F& f) {
        block.each_thread([&](unsigned thread) {
            const unsigned k = thread % tile;
            if (k >= at.n_columns) return;
            for (unsigned r = thread / tile; r < at.n_rows; r += n_threads / tile) f(r, k);
        });
    }

    // Similarities of a tile for one width, added to those of its structures.
    template <typename Block>
    MOLKERN_DEVICE void reduce(Block& block, const Corner& c, const Tile& at, double scale,
                               const Shared& shared, double* sums, Local<Thread>& threads) const {
        constexpr unsigned line = tile + 1;
        double* values = shared.values;
        const std::int32_t *x = shared.row_owners, *y = shared.column_owners;
        const auto begins = [](const std::int32_t* owners, unsigned i) {
            return i == 0 || owners[i] != owners[i - 1];
        };
        block.each_thread([&](unsigned thread) {
            const unsigned r = side * (thread / across), k = side * (thread % across);
#pragma unroll
            for (unsigned i = 0; i < side; ++i)
#pragma unroll
                for (unsigned j = 0; j < side; ++j)
                    values[(r + i) * line + k + j] = threads[thread].total[i][j];
        });
        each_pair(block, at, [&](unsigned r, unsigned k) {
            double& value = values[r * line + k];
            value = similarity_of(value, shared.row_norms[r], shared.column_norms[k], scale);
        });
        // Over the rows of a structure, into its first one.
        each_pair(block, at, [&](unsigned r, unsigned k) {
            if (!begins(x, r)) return;
            double total = 0;
            for (unsigned i = r; i < at.n_rows && x[i] == x[r]; ++i) total += values[i * line + k];
            values[r * line + k] = total;
        });
        each_pair(block, at, [&](unsigned r, unsigned k) {
            if (!begins(x, r) || !begins(y, k)) return;
            double total = 0;
            for (unsigned j = k; j < at.n_columns && y[j] == y[k]; ++j)
                total += values[r * line + j];
            sums[(x[r] - c.row) * t.edge + y[k] - c.column] += total;
        });
    }

    // All pairs of one element.
    template <typename Block>
    MOLKERN_DEVICE void add_element(Block& block, const Corner& c, std::int64_t e,
                                    const Shared& shared, Local<Thread>& threads) const {
        const std::int64_t *of_x = t.x.starts + e * t.x.n, *of_y = t.y.starts + e * t.y.n;
        const std::int64_t x_end = of_x[c.row + c.n_rows], y_end = of_y[c.column + c.n_columns];
        const Real* centre = t.centres + e * t.n_features;
        for (std::int64_t r = of_x[c.row]; r < x_end; r += tile)
            for (std::int64_t k = of_y[c.column]; k < y_end; k += tile) {
                const Tile at{r, k, static_cast<unsigned>(x_end - r < tile ? x_end - r : tile),
                              static_cast<unsigned>(y_end - k < tile ? y_end - k : tile)};
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
                    if (t.x_norms == nullptr) return;
                    shared.row_norms[i] = t.x_norms[row];
                    shared.column_norms[i] = t.y_norms[column];
                });
                Products::multiply(block, t.x.x, shared.row_starts, t.y.x, shared.column_starts,
                                   centre, t.n_features, reinterpret_cast<Real*>(shared.values),
                                   threads);
                for (std::size_t s = 0; s < t.similarity.n_scales; ++s)
                    reduce(block, c, at, t.similarity.scales[s], shared,
                           shared.sums + static_cast<std::int64_t>(s) * t.edge * t.edge, threads);
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
        auto threads = block.template local<Thread>();
        block.for_each(static_cast<std::int64_t>(t.similarity.n_scales) * t.edge * t.edge,
                       [&](std::int64_t e) { shared.sums[e] = 0; });
        for (std::int64_t e = 0; e < t.n_elements; ++e) add_element(block, c, e, shared, threads);
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

// Centres and norms for the Gaussian; the polynomial has no norms, and 0 for the centres.
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
        t.x_norms = x_norms.data();
        t.y_norms = same ? x_norms.data() : y_norms.data();
    } else {
        const std::int64_t n = t.n_elements * t.n_features;
        centres = Buffer<Real>(n, stream);
        fill(centres.data(), 0, static_cast<std::size_t>(n) * sizeof(Real), stream);
    }
    t.centres = centres.data();
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
