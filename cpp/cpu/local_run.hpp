// What the drivers of local representations share: neighbours, threads, a centre's workspace.
#pragma once

#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/batch.hpp"
#include "cpu/parallel.hpp"
#include "cpu/table.hpp"
#include "molkern/local.hpp"

namespace molkern::local {

constexpr std::size_t lane_padding = 8;
constexpr std::size_t centers_per_range = 16;

// Index of the species of every atom among the sorted ones of the kernel.
inline std::vector<std::size_t> kinds_of(const LocalKernel& kernel, const Molecules& molecules) {
    const std::vector<std::int32_t>& species = kernel.species;
    std::vector<std::size_t> kinds(molecules.first(molecules.n_molecules));
    for (std::size_t i = 0; i < kinds.size(); ++i)
        kinds[i] = static_cast<std::size_t>(
            std::lower_bound(species.begin(), species.end(), molecules.numbers[i]) -
            species.begin());
    return kinds;
}

// What is prepared once for a batch.
struct Batch {
    Batch(const LocalKernel& kernel, const LocalTask& task)
        : search(task.molecules, task.cells, kernel.r_cut),
          kinds(kinds_of(kernel, task.molecules)) {}

    NeighborSearch search;
    std::vector<std::size_t> kinds;
};

// Everything one thread needs for a centre, allocated before the threads start.
class Workspace {
  public:
    Workspace(const LocalKernel& kernel, std::size_t most)
        : most_(most + lane_padding),
          index_(3 * most_),
          real_(8 * most_),
          begin_(kernel.species.size() + 2),
          scratch_(kernel.functions->scratch(kernel.parameters.get(), most) + lane_padding),
          row_(kernel.n_features + lane_padding) {}

    double* scratch() { return scratch_.data(); }
    double* row() { return row_.data(); }
    /// Atoms of the neighbours, in the order of the centre.
    const std::int64_t* atoms() const { return index_.data() + most_; }

    Center center(const LocalKernel& kernel, const Molecules& molecules, const Batch& batch,
                  std::size_t m, std::size_t atom) {
        const Neighborhood found{index_.data(), at(0), at(1), at(2), at(3), nullptr};
        const std::size_t n = batch.search.collect(m, atom - molecules.first(m), found);
        // Counting sort by species; stable, so that the order within a species stays.
        std::int64_t* kind = index_.data() + 2 * most_;
        std::fill(begin_.begin(), begin_.end(), 0);
        for (std::size_t k = 0; k < n; ++k) {
            kind[k] =
                static_cast<std::int64_t>(batch.kinds[static_cast<std::size_t>(found.atom[k])]);
            ++begin_[static_cast<std::size_t>(kind[k]) + 2];
        }
        for (std::size_t s = 2; s < begin_.size(); ++s) begin_[s] += begin_[s - 1];
        nearest_ = r_infinite;
        std::int64_t* atoms_out = index_.data() + most_;
        for (std::size_t k = 0; k < n; ++k) {
            const std::size_t to = begin_[static_cast<std::size_t>(kind[k]) + 1]++;
            atoms_out[to] = found.atom[k];
            for (std::size_t c = 0; c < 4; ++c) at(4 + c)[to] = at(c)[k];
            nearest_ = std::min(nearest_, found.distance[k]);
        }
        // What vectors read beyond the end are numbers, and not zero distances.
        for (std::size_t k = n; k < n + lane_padding; ++k) {
            for (std::size_t c = 0; c < 3; ++c) at(4 + c)[k] = 1;
            at(7)[k] = kernel.r_cut;
        }
        return {batch.kinds[atom], n, begin_.data(), at(4), at(5), at(6), at(7)};
    }

    /// Atoms of a molecule ordered by species.
    Cluster cluster(const Molecules& molecules, const Batch& batch, std::size_t m) {
        const std::size_t first = molecules.first(m), n = molecules.size(m);
        std::fill(begin_.begin(), begin_.end(), 0);
        for (std::size_t i = 0; i < n; ++i) ++begin_[batch.kinds[first + i] + 2];
        for (std::size_t s = 2; s < begin_.size(); ++s) begin_[s] += begin_[s - 1];
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t to = begin_[batch.kinds[first + i] + 1]++;
            for (std::size_t c = 0; c < 3; ++c)
                at(4 + c)[to] = molecules.positions[3 * (first + i) + c];
        }
        return {n, begin_.data(), at(4), at(5), at(6)};
    }

    bool coincident() const { return nearest_ < nearest_distance; }

  private:
    static constexpr double r_infinite = 1e300;

    double* at(std::size_t row) { return real_.data() + row * most_; }

    std::size_t most_;
    std::vector<std::int64_t> index_;
    std::vector<double> real_;
    std::vector<std::size_t> begin_;
    std::vector<double> scratch_;
    std::vector<double> row_;
    double nearest_ = r_infinite;
};

// Centres of a batch: which atom, of which structure.
class Centers {
  public:
    explicit Centers(const LocalTask& task) : task_(task) {}

    std::size_t atom(std::size_t k) const {
        return task_.centers == nullptr ? k : static_cast<std::size_t>(task_.centers[k]);
    }
    /// First centre of structure m; n_centers for m = n_molecules.
    std::size_t first(std::size_t m) const {
        const std::int64_t begin = task_.molecules.offsets[m];
        if (task_.centers == nullptr) return static_cast<std::size_t>(begin);
        return static_cast<std::size_t>(
            std::lower_bound(task_.centers, task_.centers + task_.n_centers, begin) -
            task_.centers);
    }

  private:
    const LocalTask& task_;
};

// Calls each(k, m, center, workspace) for the centres begin .. end - 1, in parallel.
template <typename Each>
void for_each_center(const LocalKernel& kernel, const LocalTask& task, const Batch& batch,
                     std::vector<Workspace>& workspaces, std::size_t begin, std::size_t end,
                     LowestIndex& bad, const Each& each) {
    const Centers centers(task);
    const auto threads = static_cast<int>(workspaces.size());
    auto body = [&](std::size_t from, std::size_t to, int thread) {
        Workspace& workspace = workspaces[static_cast<std::size_t>(thread)];
        std::size_t m = molecule_of(task.molecules, centers.atom(begin + from));
        for (std::size_t k = begin + from; k < begin + to; ++k) {
            const std::size_t atom = centers.atom(k);
            while (task.molecules.first(m + 1) <= atom) ++m;
            const Center center = workspace.center(kernel, task.molecules, batch, m, atom);
            if (workspace.coincident())
                bad.report(m);
            else
                each(k, m, center, workspace);
        }
    };
    parallel_for(end - begin, centers_per_range, threads, body);
}

inline std::vector<Workspace> workspaces_for(const LocalKernel& kernel, const Batch& batch,
                                             std::size_t n, std::size_t grain, int n_threads) {
    const int threads = threads_for(n, grain, n_threads);
    return std::vector<Workspace>(static_cast<std::size_t>(threads),
                                  Workspace(kernel, batch.search.most()));
}

// Whether a result is written past the caches: memory that was used before, and more of it than
// they hold. Pages that the system has just cleared are in the caches.
template <typename Real>
bool past_caches(bool warm, std::size_t n_values) {
    return warm && n_values * sizeof(Real) >= std::size_t{16} << 20;
}

// Where a kernel writes: the result itself if it is of the same type.
template <typename Real>
double* in_place(Real* result, [[maybe_unused]] double* buffer) {
    if constexpr (std::is_same_v<Real, double>)
        return result;
    else
        return buffer;
}

}  // namespace molkern::local
