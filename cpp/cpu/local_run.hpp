// What the drivers of local representations share: neighbours, threads, a centre's workspace.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "cpu/batch.hpp"
#include "cpu/parallel.hpp"
#include "cpu/table.hpp"
#include "molkern/local.hpp"

namespace molkern::local {

constexpr std::size_t lane_padding = 8;
constexpr std::size_t centers_per_range = 16;

// n doubles that begin on a cache line: vectors that straddle two cost twice.
class Aligned {
  public:
    explicit Aligned(std::size_t n) : room_(n + 7) {}

    double* data() {
        const auto address = reinterpret_cast<std::uintptr_t>(room_.data());
        return room_.data() + (64 - address % 64) % 64 / sizeof(double);
    }

  private:
    std::vector<double> room_;
};

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

// x, y, z, distance [n] of all atoms as seen from `own`: in arrays, so that the compiler makes
// vectors of them.
inline void look_from(const double* __restrict x, const double* __restrict y,
                      const double* __restrict z, std::size_t n, std::size_t own,
                      double* __restrict dx, double* __restrict dy, double* __restrict dz,
                      double* __restrict distance) {
    const double x_own = x[own], y_own = y[own], z_own = z[own];
    for (std::size_t j = 0; j < n; ++j) {
        dx[j] = x[j] - x_own;
        dy[j] = y[j] - y_own;
        dz[j] = z[j] - z_own;
        distance[j] = std::sqrt(dx[j] * dx[j] + dy[j] * dy[j] + dz[j] * dz[j]);
    }
}

// Everything one thread needs for a centre, allocated before the threads start.
class Workspace {
  public:
    Workspace(const LocalKernel& kernel, std::size_t most)
        : most_((most + 2 * lane_padding - 1) / lane_padding * lane_padding),
          index_(3 * most_),
          real_(8 * most_),
          begin_(kernel.species.size() + 2),
          ordered_begin_(kernel.species.size() + 2),
          scratch_(kernel.functions->scratch(kernel.parameters.get(), most) + lane_padding),
          row_(kernel.n_features + lane_padding) {}

    double* scratch() { return scratch_.data(); }
    double* row() { return row_.data(); }
    /// Atoms of the neighbours, in the order of the centre.
    const std::int64_t* atoms() const { return at_index(1); }

    Center center(const LocalKernel& kernel, const Molecules& molecules, const Batch& batch,
                  std::size_t m, std::size_t atom) {
        std::size_t n;
        if (batch.search.direct(m)) {
            order(molecules, batch, m);
            n = select(kernel.r_cut, atom - molecules.first(m));
        } else {
            n = search(molecules, batch, m, atom);
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
        order(molecules, batch, m);
        return {molecules.size(m), ordered_begin_.data(), at(0), at(1), at(2)};
    }

    bool coincident() const { return nearest_ < nearest_distance; }

  private:
    static constexpr double r_infinite = 1e300;

    double* at(std::size_t row) { return real_.data() + row * most_; }
    std::int64_t* at_index(std::size_t row) { return index_.data() + row * most_; }
    const std::int64_t* at_index(std::size_t row) const { return index_.data() + row * most_; }

    // Orders the atoms of a molecule by species, once for all of its centres: rows 0 .. 2 their
    // positions, and of the indices 0 the atoms, 2 the place of each.
    void order(const Molecules& molecules, const Batch& batch, std::size_t m) {
        if (m == ordered_) return;
        ordered_ = m;
        const std::size_t first = molecules.first(m), n = molecules.size(m);
        std::vector<std::size_t>& begin = ordered_begin_;
        std::fill(begin.begin(), begin.end(), 0);
        for (std::size_t i = 0; i < n; ++i) ++begin[batch.kinds[first + i] + 2];
        for (std::size_t s = 2; s < begin.size(); ++s) begin[s] += begin[s - 1];
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t to = begin[batch.kinds[first + i] + 1]++;
            for (std::size_t c = 0; c < 3; ++c)
                at(c)[to] = molecules.positions[3 * (first + i) + c];
            at_index(0)[to] = static_cast<std::int64_t>(first + i);
            at_index(2)[i] = static_cast<std::int64_t>(to);
        }
    }

    // Neighbours of the i-th atom of the molecule that is ordered.
    std::size_t select(double r_cut, std::size_t i) {
        const auto own = static_cast<std::size_t>(at_index(2)[i]);
        double *x = at(4), *y = at(5), *z = at(6), *distance = at(7);
        const std::size_t n_species = begin_.size() - 2;
        look_from(at(0), at(1), at(2), ordered_begin_[n_species], own, x, y, z, distance);
        const std::int64_t* atoms_in = at_index(0);
        std::int64_t* atoms_out = at_index(1);
        double nearest = r_infinite;
        std::size_t n = 0, j = 0;
        for (std::size_t s = 0; s < n_species; ++s) {
            begin_[s] = n;
            for (; j < ordered_begin_[s + 1]; ++j) {
                const double d = distance[j];
                const bool counts = (d < r_cut) & (j != own);
                atoms_out[n] = atoms_in[j];
                x[n] = x[j];
                y[n] = y[j];
                z[n] = z[j];
                distance[n] = d;
                nearest = std::min(nearest, counts ? d : r_infinite);
                // The last entry is overwritten unless it counts: no branch to mispredict.
                n += counts;
            }
        }
        begin_[n_species] = n;
        nearest_ = nearest;
        return n;
    }

    // Neighbours from the cells, brought into the order of species.
    std::size_t search(const Molecules& molecules, const Batch& batch, std::size_t m,
                       std::size_t atom) {
        ordered_ = no_molecule;
        const Neighborhood found{at_index(0), at(0), at(1), at(2), at(3), nullptr};
        const std::size_t n = batch.search.collect(m, atom - molecules.first(m), found);
        // Counting sort by species; stable, so that the order within a species stays.
        std::int64_t* kind = at_index(2);
        std::fill(begin_.begin(), begin_.end(), 0);
        for (std::size_t k = 0; k < n; ++k) {
            kind[k] =
                static_cast<std::int64_t>(batch.kinds[static_cast<std::size_t>(found.atom[k])]);
            ++begin_[static_cast<std::size_t>(kind[k]) + 2];
        }
        for (std::size_t s = 2; s < begin_.size(); ++s) begin_[s] += begin_[s - 1];
        nearest_ = r_infinite;
        for (std::size_t k = 0; k < n; ++k) {
            const std::size_t to = begin_[static_cast<std::size_t>(kind[k]) + 1]++;
            at_index(1)[to] = found.atom[k];
            for (std::size_t c = 0; c < 4; ++c) at(4 + c)[to] = at(c)[k];
            nearest_ = std::min(nearest_, found.distance[k]);
        }
        return n;
    }

    std::size_t most_;
    std::vector<std::int64_t> index_;
    Aligned real_;
    std::vector<std::size_t> begin_, ordered_begin_;
    Aligned scratch_;
    Aligned row_;
    double nearest_ = r_infinite;
    std::size_t ordered_ = no_molecule;
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
                     LowestIndex& bad, const Each& each, std::size_t grain = centers_per_range) {
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
    parallel_for(end - begin, grain, threads, body);
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
