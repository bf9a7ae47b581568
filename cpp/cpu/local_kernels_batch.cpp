// Similarities of structures: atoms sorted by element, centres, norms, and the blocks of structures
// that are handed to the threads.

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "cpu/batch.hpp"
#include "cpu/parallel.hpp"
#include "cpu/table.hpp"
#include "molkern/local_kernels.hpp"

namespace molkern {
namespace {

// Structures in the columns of a block, and in its rows as a multiple of that: columns are packed
// anew for each block. Fewer where there would be too few blocks for the threads.
constexpr std::size_t largest_block = 64, smallest_block = 4, rows_of_columns = 4;
// Tiles of columns that are packed at a time: the rows are packed anew for each panel.
constexpr std::size_t panel_tiles = 8, panel_bytes = std::size_t{1} << 25;

using Range = std::pair<std::size_t, std::size_t>;

// The atoms of one side, of chosen elements.
template <typename Real>
struct Side {
    std::vector<std::int64_t> index, owners;
    std::vector<std::size_t> first;  // of each element, then the number of atoms
    std::vector<double> norms;

    // Atoms of element e that belong to structures begin .. end - 1.
    Range range(std::size_t e, std::size_t begin, std::size_t end) const {
        const auto at = [&](std::size_t structure) {
            const auto from = owners.begin() + static_cast<std::ptrdiff_t>(first[e]);
            const auto to = owners.begin() + static_cast<std::ptrdiff_t>(first[e + 1]);
            const auto found = std::lower_bound(from, to, static_cast<std::int64_t>(structure));
            return static_cast<std::size_t>(found - owners.begin());
        };
        return {at(begin), at(end)};
    }
    SortedAtoms<Real> sorted(const Real* x) const {
        return {x, index.data(), owners.data(), norms.data()};
    }
};

template <typename Real, typename Visit>
void for_atoms(const AtomFeatures<Real>& a, Visit visit) {
    for (std::size_t s = 0; s < a.n; ++s)
        for (std::int64_t i = a.offsets[a.chosen[s]]; i < a.offsets[a.chosen[s] + 1]; ++i)
            visit(s, i, a.numbers[i]);
}

template <typename Real>
std::map<std::int32_t, std::size_t> count_elements(const AtomFeatures<Real>& a) {
    std::map<std::int32_t, std::size_t> counts;
    for_atoms(a, [&](std::size_t, std::int64_t, std::int32_t z) { ++counts[z]; });
    return counts;
}

template <typename Real>
Side<Real> sort_atoms(const AtomFeatures<Real>& a, const std::vector<std::int32_t>& elements) {
    const auto counts = count_elements(a);
    Side<Real> side;
    std::map<std::int32_t, std::size_t> next;
    side.first.push_back(0);
    for (const std::int32_t z : elements) {
        next[z] = side.first.back();
        side.first.push_back(side.first.back() + (counts.count(z) != 0 ? counts.at(z) : 0));
    }
    side.index.resize(side.first.back());
    side.owners.resize(side.first.back());
    side.norms.resize(side.first.back());
    for_atoms(a, [&](std::size_t s, std::int64_t i, std::int32_t z) {
        const auto found = next.find(z);
        if (found == next.end()) return;
        side.index[found->second] = i;
        side.owners[found->second++] = static_cast<std::int64_t>(s);
    });
    return side;
}

// Everything that blocks share.
template <typename Real>
class Plan {
  public:
    Plan(const AtomFeatures<Real>& x, const AtomFeatures<Real>* y, std::size_t n_features,
         const AtomCentres<Real>& centres, const AtomSimilarity& similarity, int n_threads)
        : x_(x), y_(y != nullptr ? *y : x), n_features_(n_features), n_threads_(n_threads) {
        const auto of_x = count_elements(x_), of_y = count_elements(y_);
        for (const auto& [z, count] : of_y)
            if (of_x.count(z) != 0) elements_.push_back(z);
        of_x_ = sort_atoms(x_, elements_);
        if (y != nullptr) of_y_ = sort_atoms(y_, elements_);
        take_centres(centres);
        if (similarity.kind == AtomSimilarity::gaussian) {
            find_norms(of_x_, x_.x);
            if (y != nullptr) find_norms(of_y_, y_.x);
        }
        const Side<Real>& columns = y != nullptr ? of_y_ : of_x_;
        task_ = {of_x_.sorted(x_.x), columns.sorted(y_.x), n_features, elements_.size(), tile,
                 centres_.data(),    y == nullptr,         similarity};
    }

    // Ranges of a block for every element, and the pairs of atoms in it.
    double ranges(const AtomPairsBlock& b, std::size_t* to) const {
        double pairs = 0;
        for (std::size_t e = 0; e < elements_.size(); ++e, to += 4) {
            const Side<Real>& columns = task_.symmetric ? of_x_ : of_y_;
            std::tie(to[0], to[1]) = of_x_.range(e, b.row, b.row + b.n_rows);
            std::tie(to[2], to[3]) = columns.range(e, b.column, b.column + b.n_columns);
            pairs += static_cast<double>(to[1] - to[0]) * static_cast<double>(to[3] - to[2]);
        }
        return pairs;
    }

    // Calls finish(block, sums) after each of these blocks was computed.
    template <typename Finish>
    void run(const std::vector<AtomPairsBlock>& blocks, Finish finish) {
        const std::size_t n_elements = elements_.size();
        std::vector<std::size_t> ranges_of(4 * n_elements * blocks.size());
        std::size_t widest = tile, largest = 0;
        double pairs = 0;
        for (std::size_t k = 0; k < blocks.size(); ++k) {
            std::size_t* to = ranges_of.data() + 4 * n_elements * k;
            pairs += ranges(blocks[k], to);
            for (std::size_t e = 0; e < n_elements; ++e)
                widest = std::max(widest, to[4 * e + 3] - to[4 * e + 2]);
            largest = std::max(largest, blocks[k].n_rows * blocks[k].n_columns);
        }
        const std::size_t n_scales = task_.similarity.n_scales;
        const std::size_t of_tile = tile * std::max<std::size_t>(n_features_, 1) * sizeof(Real);
        const std::size_t tiles = std::clamp<std::size_t>(panel_bytes / of_tile, 1, panel_tiles);
        task_.panel = std::min((widest + tile - 1) / tile, tiles) * tile;
        const std::size_t values = local_kernel_values(task_.panel, n_scales);
        // Per pair: 0.04 ns a feature, 1 ns an exponential.
        const double cost =
            0.04 * static_cast<double>(n_features_) + static_cast<double>(n_scales + 1);
        const auto n_blocks = static_cast<double>(std::max<std::size_t>(blocks.size(), 1));
        const std::size_t grain = items_per_range((pairs * cost + 1) / n_blocks);
        const int threads = threads_for(blocks.size(), grain, n_threads_);
        const Scratch<Real> scratch(local_kernel_scratch(n_features_, task_.panel), threads);
        const Scratch<double> doubles(values + n_scales * largest, threads);
        const auto kernel = kernels_for<Real>(kernels()).local_kernel_block;
        auto body = [&](std::size_t begin, std::size_t end, int thread) {
            double* sums = doubles.of(thread) + values;
            for (std::size_t k = begin; k < end; ++k) {
                AtomPairsBlock b = blocks[k];
                b.ranges = ranges_of.data() + 4 * n_elements * k;
                kernel(task_, b, scratch.of(thread), doubles.of(thread), sums);
                finish(b, sums);
            }
        };
        parallel_for(blocks.size(), grain, threads, body);
    }

  private:
    // Those of the elements that both sides have.
    void take_centres(const AtomCentres<Real>& from) {
        centres_.resize(elements_.size() * n_features_);
        for (std::size_t e = 0; e < elements_.size(); ++e) {
            const auto* end = from.elements + from.n;
            const auto* found = std::lower_bound(from.elements, end, elements_[e]);
            if (found == end || *found != elements_[e]) continue;
            const Real* values =
                from.values + static_cast<std::size_t>(found - from.elements) * n_features_;
            std::copy(values, values + n_features_, centres_.data() + e * n_features_);
        }
    }

    void find_norms(Side<Real>& side, const Real* x) {
        struct Part {
            std::size_t element, begin, n;
        };
        std::vector<Part> parts;
        for (std::size_t e = 0; e < elements_.size(); ++e)
            for (std::size_t i = side.first[e]; i < side.first[e + 1]; i += tile)
                parts.push_back({e, i, std::min(tile, side.first[e + 1] - i)});
        const std::size_t of_tile = tile * n_features_;
        const std::size_t grain = items_per_range(static_cast<double>(of_tile) + 1);
        const int threads = threads_for(parts.size(), grain, n_threads_);
        const Scratch<Real> scratch(of_tile, threads);
        const auto kernel = kernels_for<Real>(kernels()).local_norms;
        const SortedAtoms<Real> atoms = side.sorted(x);
        auto body = [&](std::size_t begin, std::size_t end, int thread) {
            for (std::size_t k = begin; k < end; ++k)
                kernel(atoms, parts[k].begin, parts[k].n,
                       centres_.data() + parts[k].element * n_features_, n_features_,
                       scratch.of(thread), side.norms.data());
        };
        parallel_for(parts.size(), grain, threads, body);
    }

    AtomFeatures<Real> x_, y_;
    std::size_t n_features_;
    int n_threads_;
    std::vector<std::int32_t> elements_;  // that both sides have, ascending
    Side<Real> of_x_, of_y_;
    std::vector<Real> centres_;
    AtomPairsTask<Real> task_;
};

// Blocks that cover n x m, or the lower triangle: at least four for each thread, if possible.
std::vector<AtomPairsBlock> make_blocks(std::size_t n, std::size_t m, bool symmetric,
                                        int n_threads) {
    const auto wanted = 4 * static_cast<std::size_t>(threads_in_use(n_threads));
    std::vector<AtomPairsBlock> blocks;
    for (std::size_t size = largest_block;; size /= 2) {
        blocks.clear();
        for (std::size_t r = 0; r < n; r += rows_of_columns * size) {
            const std::size_t rows = std::min(rows_of_columns * size, n - r);
            for (std::size_t c = 0; c < (symmetric ? r + rows : m); c += size)
                blocks.push_back({r, rows, c, std::min(size, m - c), nullptr});
        }
        if (wanted == 4 || blocks.size() >= wanted || size <= smallest_block) return blocks;
    }
}

}  // namespace

template <typename Real>
void atom_centres(const AtomFeatures<Real>& x, std::size_t n_features, const std::int32_t* elements,
                  std::size_t n, Real* values, int n_threads) {
    const Side<Real> side = sort_atoms(x, {elements, elements + n});
    std::vector<double> sums(n * n_features);
    auto body = [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t e = 0; e < n; ++e) {
            double* to = sums.data() + e * n_features;
            for (std::size_t i = side.first[e]; i < side.first[e + 1]; ++i) {
                const Real* row = x.x + static_cast<std::size_t>(side.index[i]) * n_features;
                for (std::size_t k = begin; k < end; ++k) to[k] += static_cast<double>(row[k]);
            }
            const auto atoms = static_cast<double>(side.first[e + 1] - side.first[e]);
            for (std::size_t k = begin; k < end; ++k)
                values[e * n_features + k] = static_cast<Real>(atoms > 0 ? to[k] / atoms : 0);
        }
    };
    // Ranges of features, at least a few cache lines of them.
    const double cost = static_cast<double>(side.index.size()) + 1;
    const std::size_t grain = std::max<std::size_t>(items_per_range(cost), 64);
    parallel_for(n_features, grain, threads_for(n_features, grain, n_threads), body);
}

template <typename Real, typename Out>
void local_kernel(const AtomFeatures<Real>& x, const AtomFeatures<Real>* y, std::size_t n_features,
                  const AtomCentres<Real>& centres, const AtomSimilarity& similarity,
                  const double* x_roots, const double* y_roots, Out* out, int n_threads) {
    const bool symmetric = y == nullptr;
    const std::size_t n = x.n, m = symmetric ? n : y->n;
    Plan<Real> plan(x, y, n_features, centres, similarity, n_threads);
    auto finish = [&](const AtomPairsBlock& b, const double* sums) {
        for (std::size_t s = 0; s < similarity.n_scales; ++s) {
            Out* layer = out + s * n * m;
            for (std::size_t i = b.row; i < b.row + b.n_rows; ++i) {
                const double* row = sums + (s * b.n_rows + i - b.row) * b.n_columns;
                for (std::size_t j = b.column; j < b.column + b.n_columns; ++j) {
                    if (symmetric && j > i) break;
                    double value = row[j - b.column];
                    if (x_roots != nullptr)
                        value = symmetric && i == j
                                    ? 1
                                    : value / (x_roots[s * n + i] * y_roots[s * m + j]);
                    layer[i * m + j] = static_cast<Out>(value);
                    if (symmetric) layer[j * m + i] = static_cast<Out>(value);
                }
            }
        }
    };
    plan.run(make_blocks(n, m, symmetric, n_threads), finish);
}

template <typename Real>
void local_kernel_diagonal(const AtomFeatures<Real>& x, std::size_t n_features,
                           const AtomCentres<Real>& centres, const AtomSimilarity& similarity,
                           double* out, int n_threads) {
    Plan<Real> plan(x, nullptr, n_features, centres, similarity, n_threads);
    std::vector<AtomPairsBlock> blocks;
    for (std::size_t s = 0; s < x.n; ++s) blocks.push_back({s, 1, s, 1, nullptr});
    plan.run(blocks, [&](const AtomPairsBlock& b, const double* sums) {
        for (std::size_t s = 0; s < similarity.n_scales; ++s) out[s * x.n + b.row] = sums[s];
    });
}

#define MOLKERN_INSTANTIATE(Real, Out)                                     \
    template void local_kernel<Real, Out>(                                 \
        const AtomFeatures<Real>&, const AtomFeatures<Real>*, std::size_t, \
        const AtomCentres<Real>&, const AtomSimilarity&, const double*, const double*, Out*, int);
MOLKERN_INSTANTIATE(float, float)
MOLKERN_INSTANTIATE(float, double)
MOLKERN_INSTANTIATE(double, double)
#undef MOLKERN_INSTANTIATE

#define MOLKERN_INSTANTIATE(Real)                                                                 \
    template void atom_centres<Real>(const AtomFeatures<Real>&, std::size_t, const std::int32_t*, \
                                     std::size_t, Real*, int);                                    \
    template void local_kernel_diagonal<Real>(const AtomFeatures<Real>&, std::size_t,             \
                                              const AtomCentres<Real>&, const AtomSimilarity&,    \
                                              double*, int);
MOLKERN_INSTANTIATE(float)
MOLKERN_INSTANTIATE(double)
#undef MOLKERN_INSTANTIATE

}  // namespace molkern
