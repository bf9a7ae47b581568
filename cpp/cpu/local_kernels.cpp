// Sums over pairs of atoms of one element, for a block of structures by a block of structures.
//
// Floor: a multiply-add for a feature and pair of atoms, as in pairwise.cpp; an exponential for a
// pair. The first 100 molecules of QM7, 720 features, float64: 0.19e9 multiply-adds, 7.5 ms at the
// rate of a library's matrix product (25e9/s); measured 11.6 ms, of which 7.6 in `products`, where
// a sixth of the work is in tiles that reach over the diagonal.
//
// Atoms are reached through an index sorted by element, then structure. Columns are packed,
// a panel of tiles at a time, rows tile by tile, both minus the mean of the element; so the
// features are read where they lie and copied piece by piece only.
//
// A value is summed in an order that depends on its two structures alone: over the rows of an
// element, then over its columns one after the other, then over elements. Where tiles, panels and
// blocks end does not matter, nor what else is in the batch.

#include "core/exp.hpp"
#include "core/power.hpp"
#include "cpu/kernels.hpp"
#include "cpu/pairwise_block.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace {

// Products that are added up in Real before they go into a double. Squared distances are small
// differences of large products: with short chunks float32 loses few digits of them.
template <typename Real>
constexpr std::size_t chunk_of_atoms = sizeof(Real) == sizeof(float) ? 128 : 256;

constexpr std::size_t tile_vectors = tile / lanes<double>;

// The part of an element in a panel and a row of tiles.
struct Piece {
    std::size_t row, n_rows;        // of the sorted atoms of x
    std::size_t column, n_columns;  // of those of y
    bool begun, goes_on;  // the first (last) structure has rows in the tile before (after)
};

// Atoms begin .. begin + n as columns of a tile, packed[k][tile]; the last one is repeated. A cache
// line of features at a time.
template <typename Real>
void pack_columns(const SortedAtoms<Real>& atoms, std::size_t begin, std::size_t n,
                  const Real* centre, std::size_t n_features, Real* packed) noexcept {
    const Real* rows[tile];
    for (std::size_t c = 0; c < tile; ++c)
        rows[c] =
            atoms.x + static_cast<std::size_t>(atoms.index[begin + smaller(c, n - 1)]) * n_features;
    constexpr std::size_t line = 64 / sizeof(Real);
    for (std::size_t first = 0; first < n_features; first += line) {
        const std::size_t stop = smaller(first + line, n_features);
        for (std::size_t c = 0; c < tile; ++c) {
            __builtin_prefetch(rows[c] + first + 2 * line);  // more streams than the hardware's
            for (std::size_t k = first; k < stop; ++k)
                packed[k * tile + c] = rows[c][k] - centre[k];
        }
    }
}

// Atoms begin .. begin + n as rows.
template <typename Real>
void pack_rows(const SortedAtoms<Real>& atoms, std::size_t begin, std::size_t n, const Real* centre,
               std::size_t n_features, Real* packed) noexcept {
    for (std::size_t r = 0; r < n; ++r) {
        const Real* row = atoms.x + static_cast<std::size_t>(atoms.index[begin + r]) * n_features;
        for (std::size_t k = 0; k < n_features; ++k)
            packed[r * n_features + k] = row[k] - centre[k];
    }
}

// Products of packed rows and columns, values[tile][tile]. A chunk of the columns stays in the
// second-level cache while all rows pass.
template <typename Real>
void products(const Real* rows, std::size_t n_rows, const Real* packed, std::size_t n_columns,
              std::size_t n_features, double* values) noexcept {
    for (std::size_t i = 0; i < tile * tile; ++i) values[i] = 0;
    for (std::size_t k = 0; k < n_features; k += chunk_of_atoms<Real>) {
        const std::size_t count = smaller(chunk_of_atoms<Real>, n_features - k);
        for (std::size_t r = 0; r < n_rows; r += block_rows) {
            const Real* x[block_rows];
            for (std::size_t i = 0; i < block_rows; ++i)
                x[i] = rows + smaller(r + i, n_rows - 1) * n_features + k;
            Real part[block_rows * tile] = {};
            for (std::size_t c = 0; c < n_columns; c += block_columns<Real>)
                block<Metric::euclidean>(x, packed + k * tile + c, count, true, part + c);
            for (std::size_t i = 0; i < block_rows * tile; ++i)
                values[r * tile + i] += static_cast<double>(part[i]);
        }
    }
}

// Products become squared distances.
template <typename Real>
void products_to_squares(const AtomPairsTask<Real>& t, const Piece& p, double* values) noexcept {
    double y_norms[tile];
    for (std::size_t c = 0; c < tile; ++c)
        y_norms[c] = t.y.norms[p.column + smaller(c, p.n_columns - 1)];
    for (std::size_t r = 0; r < p.n_rows; ++r) {
        const double x_norm = t.x.norms[p.row + r];
        for (std::size_t c = 0; c < tile; ++c) {
            const double d2 = (x_norm + y_norms[c]) - 2 * values[r * tile + c];
            values[r * tile + c] = d2 > 0 ? d2 : 0;  // NaN, the difference of infinities, too
        }
    }
}

// Adds the similarities of a row to sums[tile_vectors].
void add_similarities(const AtomSimilarity& s, double scale, const double* values,
                      Vector<double>* sums) noexcept {
    if (s.kind == AtomSimilarity::gaussian) {
        for (std::size_t i = 0; i < tile_vectors; ++i)
            sums[i] += exp_negative<double>(-scale * load(values + i * lanes<double>));
        return;
    }
    const Exponent degree(static_cast<double>(s.degree));
    for (std::size_t i = 0; i < tile_vectors; ++i) {
        const Vector<double> base = scale * load(values + i * lanes<double>) + s.offset;
        sums[i] += power(base, degree);
    }
}

// Adds the sums over rows of one structure to its similarities, column by column.
template <typename Real>
void add_columns(const AtomPairsTask<Real>& t, const AtomPairsBlock& b, const Piece& p,
                 const Vector<double>* sums, double* to) noexcept {
    double values[tile];
    for (std::size_t i = 0; i < tile_vectors; ++i) store(values + i * lanes<double>, sums[i]);
    const std::int64_t* owners = t.y.owners + p.column;
    for (std::size_t c = 0; c < p.n_columns; ++c)
        to[static_cast<std::size_t>(owners[c]) - b.column] += values[c];
}

// Similarities of a tile for one scale, added up. `carry` holds the sums over rows of the structure
// that the tile before has left unfinished.
template <typename Real>
void reduce(const AtomPairsTask<Real>& t, const AtomPairsBlock& b, const Piece& p, double scale,
            const double* values, double* carry, double* sums) noexcept {
    const std::int64_t* owners = t.x.owners + p.row;
    Vector<double> total[tile_vectors] = {};
    if (p.begun)
        for (std::size_t i = 0; i < tile_vectors; ++i) total[i] = load(carry + i * lanes<double>);
    for (std::size_t r = 0; r < p.n_rows; ++r) {
        add_similarities(t.similarity, scale, values + r * tile, total);
        const bool last = r + 1 == p.n_rows;
        if (last ? p.goes_on : owners[r + 1] == owners[r]) continue;
        const std::size_t row = static_cast<std::size_t>(owners[r]) - b.row;
        add_columns(t, b, p, total, sums + row * b.n_columns);
        for (std::size_t i = 0; i < tile_vectors; ++i) total[i] = Vector<double>{};
    }
    for (std::size_t i = 0; i < tile_vectors; ++i) store(carry + i * lanes<double>, total[i]);
}

// One element: rows x_begin .. x_end by columns y_begin .. y_end, which are one panel.
template <typename Real>
void panel(const AtomPairsTask<Real>& t, const AtomPairsBlock& b, const Real* centre,
           const std::size_t* range, Real* scratch, double* values, double* sums) noexcept {
    const std::size_t x_begin = range[0], x_end = range[1], y_begin = range[2], y_end = range[3];
    const std::size_t of_tile = tile * t.n_features, of_scale = b.n_rows * b.n_columns;
    Real *rows = scratch, *packed = scratch + of_tile;
    double* carry = values + tile * tile;
    for (std::size_t c = y_begin; c < y_end; c += tile)
        pack_columns(t.y, c, smaller(tile, y_end - c), centre, t.n_features,
                     packed + (c - y_begin) * t.n_features);
    // Tiles that are left out below leave nothing here; their values are not used.
    for (std::size_t i = 0; i < t.similarity.n_scales * t.panel; ++i) carry[i] = 0;
    const std::int64_t *x_owners = t.x.owners, *y_owners = t.y.owners;
    for (std::size_t r = x_begin; r < x_end; r += tile) {
        const std::size_t end = smaller(r + tile, x_end);
        Piece p{r, end - r, 0, 0, false, false};
        p.begun = r > x_begin && x_owners[r - 1] == x_owners[r];
        p.goes_on = end < x_end && x_owners[end] == x_owners[end - 1];
        if (t.symmetric && x_owners[end - 1] < y_owners[y_begin]) continue;
        pack_rows(t.x, r, p.n_rows, centre, t.n_features, rows);
        for (std::size_t c = y_begin; c < y_end; c += tile) {
            if (t.symmetric && x_owners[end - 1] < y_owners[c]) break;
            p.column = c;
            p.n_columns = smaller(tile, y_end - c);
            products(rows, p.n_rows, packed + (c - y_begin) * t.n_features, p.n_columns,
                     t.n_features, values);
            if (t.similarity.kind == AtomSimilarity::gaussian) products_to_squares(t, p, values);
            for (std::size_t s = 0; s < t.similarity.n_scales; ++s)
                reduce(t, b, p, t.similarity.scales[s], values, carry + s * t.panel + (c - y_begin),
                       sums + s * of_scale);
        }
    }
}

}  // namespace

template <typename Real>
void local_kernel_block(const AtomPairsTask<Real>& t, const AtomPairsBlock& b, Real* scratch,
                        double* values, double* sums) {
    for (std::size_t i = 0; i < t.similarity.n_scales * b.n_rows * b.n_columns; ++i) sums[i] = 0;
    for (std::size_t e = 0; e < t.n_elements; ++e) {
        const std::size_t* range = b.ranges + 4 * e;
        if (range[0] == range[1]) continue;
        for (std::size_t c = range[2]; c < range[3]; c += t.panel) {
            const std::size_t part[4] = {range[0], range[1], c, smaller(c + t.panel, range[3])};
            panel(t, b, t.centres + e * t.n_features, part, scratch, values, sums);
        }
    }
}

template <typename Real>
void local_norms(const SortedAtoms<Real>& atoms, std::size_t begin, std::size_t n,
                 const Real* centre, std::size_t n_features, Real* packed, double* norms) {
    pack_columns(atoms, begin, n, centre, n_features, packed);
    // In vectors and in the order of `products`, so that rounding is the same and equal rows have
    // distance 0; scalar sums would be compiled without fused multiply-adds.
    double totals[tile] = {};
    for (std::size_t first = 0; first < n_features; first += chunk_of_atoms<Real>) {
        const std::size_t stop = smaller(first + chunk_of_atoms<Real>, n_features);
        for (std::size_t c = 0; c < tile; c += lanes<Real>) {
            Vector<Real> total{};
            for (std::size_t k = first; k < stop; ++k) {
                const Vector<Real> value = load(packed + k * tile + c);
                total += value * value;
            }
            for (std::size_t i = 0; i < lanes<Real>; ++i)
                totals[c + i] += static_cast<double>(total[i]);
        }
    }
    for (std::size_t c = 0; c < n; ++c) norms[begin + c] = totals[c];
}

#define MOLKERN_INSTANTIATE(Real)                                                             \
    template void local_kernel_block<Real>(const AtomPairsTask<Real>&, const AtomPairsBlock&, \
                                           Real*, double*, double*);                          \
    template void local_norms<Real>(const SortedAtoms<Real>&, std::size_t, std::size_t,       \
                                    const Real*, std::size_t, Real*, double*);
MOLKERN_INSTANTIATE(float)
MOLKERN_INSTANTIATE(double)
#undef MOLKERN_INSTANTIATE

}  // namespace MOLKERN_ISA
}  // namespace molkern
