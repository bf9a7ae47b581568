// The public functions: scratch, the division of a batch into ranges, and the threads. What a
// range computes is in the table of the chosen instruction set.

#include <algorithm>
#include <vector>

#include "cpu/batch.hpp"
#include "cpu/parallel.hpp"
#include "cpu/table.hpp"

namespace molkern {
namespace {

template <typename Real>
std::size_t eigenspectrum(const Molecules& molecules, const CoulombParameters& p, Real* out,
                          int n_threads) {
    // Molecules of equal size side by side; a group holds one size only.
    std::vector<std::size_t> order(molecules.n_molecules);
    for (std::size_t m = 0; m < order.size(); ++m) order[m] = m;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return molecules.size(a) < molecules.size(b);
    });
    std::vector<std::size_t> groups;
    for (std::size_t k = 0; k < order.size(); ++k) {
        const bool full = !groups.empty() && k - groups.back() == eigenvalue_lanes;
        if (k == 0 || full || molecules.size(order[k]) != molecules.size(order[k - 1]))
            groups.push_back(k);
    }
    groups.push_back(order.size());

    const std::size_t n_groups = groups.size() - 1;
    const std::size_t grain = items_per_range(eigenvalue_lanes * 5 * mean_size_squared(molecules));
    const int threads = threads_for(n_groups, grain, n_threads);
    const Scratch<double> scratch(eigenspectrum_scratch(largest_molecule(molecules)), threads);
    const auto kernel = kernels_for<Real>(kernels()).eigenspectrum;
    LowestIndex bad;
    auto body = [&](std::size_t begin, std::size_t end, int thread) {
        for (std::size_t g = begin; g < end; ++g)
            bad.report(kernel(molecules, p, order.data() + groups[g], groups[g + 1] - groups[g],
                              scratch.of(thread), out));
    };
    parallel_for(n_groups, grain, threads, body);
    return bad.value();
}

}  // namespace

template <typename Real>
std::size_t coulomb_matrix(const Molecules& molecules, const CoulombParameters& p, Real* out,
                           int n_threads) {
    if (p.permutation == Permutation::eigenspectrum)
        return eigenspectrum(molecules, p, out, n_threads);
    const std::size_t grain = items_per_range(2 * mean_size_squared(molecules));
    const int threads = threads_for(molecules.n_molecules, grain, n_threads);
    const Scratch<double> scratch(coulomb_matrix_scratch(p.size), threads);
    const auto kernel = kernels_for<Real>(kernels()).coulomb_matrix;
    LowestIndex bad;
    auto body = [&](std::size_t begin, std::size_t end, int thread) {
        bad.report(kernel(molecules, p, begin, end, scratch.of(thread), out));
    };
    parallel_for(molecules.n_molecules, grain, threads, body);
    return bad.value();
}

template <typename Real>
std::size_t bag_of_bonds(const Molecules& molecules, const BagParameters& p, Real* out,
                         int n_threads) {
    const std::size_t grain = items_per_range(2 * mean_size_squared(molecules));
    const int threads = threads_for(molecules.n_molecules, grain, n_threads);
    const std::size_t needed = bag_of_bonds_scratch(largest_molecule(molecules), p.largest_bag);
    const Scratch<double> scratch(needed, threads);
    const auto kernel = kernels_for<Real>(kernels()).bag_of_bonds;
    LowestIndex bad;
    auto body = [&](std::size_t begin, std::size_t end, int thread) {
        bad.report(kernel(molecules, p, begin, end, scratch.of(thread), out));
    };
    parallel_for(molecules.n_molecules, grain, threads, body);
    return bad.value();
}

template <typename Real>
void pairwise(const Real* x, std::size_t n, const Real* y, std::size_t m, std::size_t n_features,
              std::size_t n_copies, Metric metric, Similarity similarity, const Real* scales,
              std::size_t n_scales, Real* out, int n_threads) {
    if (n == 0 || m == 0) return;
    const bool symmetric = x == y && n == m;
    const KernelsFor<Real>& table = kernels_for<Real>(kernels());
    std::vector<Real> x_norms, y_norms;
    if (metric == Metric::euclidean) {
        x_norms.resize(n * n_copies);
        table.squared_norms(x, n * n_copies, n_features, x_norms.data());
        y_norms.resize(symmetric ? 0 : m * n_copies);
        table.squared_norms(y, y_norms.size(), n_features, y_norms.data());
    }
    const PairwiseTask<Real> task{x,
                                  n,
                                  y,
                                  m,
                                  n_features,
                                  n_copies,
                                  symmetric,
                                  metric,
                                  x_norms.data(),
                                  symmetric ? x_norms.data() : y_norms.data(),
                                  similarity,
                                  scales,
                                  n_scales,
                                  out};
    // Per pair: 0.07 ns a feature, 1 ns an exponential.
    const double pairs = static_cast<double>(n) * tile * static_cast<double>(n_copies * n_copies);
    const double cost = 0.07 * static_cast<double>(n_features) + static_cast<double>(n_scales);
    const std::size_t grain = items_per_range(pairs * cost);
    const std::size_t n_columns = (m + tile - 1) / tile;
    const int threads = threads_for(n_columns, grain, n_threads);
    const Scratch<Real> scratch(pairwise_scratch(n_features, n_copies, n_scales), threads);
    auto body = [&](std::size_t begin, std::size_t end, int thread) {
        for (std::size_t column = begin; column < end; ++column)
            table.pairwise(task, column, scratch.of(thread));
    };
    parallel_for(n_columns, grain, threads, body);
}

template <typename Real>
void from_distances(const Real* distances, std::size_t n, Similarity similarity, Real scale,
                    Real* out, int n_threads) {
    const auto kernel = kernels_for<Real>(kernels()).from_distances;
    auto body = [&](std::size_t begin, std::size_t end, int) {
        kernel(distances + begin, end - begin, similarity, scale, out + begin);
    };
    const std::size_t grain = items_per_range(1);
    parallel_for(n, grain, threads_for(n, grain, n_threads), body);
}

#define MOLKERN_INSTANTIATE(Real)                                                                  \
    template std::size_t coulomb_matrix<Real>(const Molecules&, const CoulombParameters&, Real*,   \
                                              int);                                                \
    template std::size_t bag_of_bonds<Real>(const Molecules&, const BagParameters&, Real*, int);   \
    template void pairwise<Real>(const Real*, std::size_t, const Real*, std::size_t, std::size_t,  \
                                 std::size_t, Metric, Similarity, const Real*, std::size_t, Real*, \
                                 int);                                                             \
    template void from_distances<Real>(const Real*, std::size_t, Similarity, Real, Real*, int);
MOLKERN_INSTANTIATE(float)
MOLKERN_INSTANTIATE(double)
#undef MOLKERN_INSTANTIATE

}  // namespace molkern
