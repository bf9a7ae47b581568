// Derivatives of the features of centres: the blocks of the Jacobian. The kernel computes those of
// one neighbour at a time in memory that stays in the cache; they are written once, and subtracted
// from the block of the centre itself.

#include <algorithm>

#include "cpu/local_run.hpp"
#include "cpu/table.hpp"

namespace molkern {

using namespace local;

namespace {

// Writes the blocks of one centre after another; one for each thread.
template <typename Real>
class BlockWriter {
  public:
    BlockWriter(const LocalKernel& kernel, std::size_t most, bool compact, bool past_caches)
        : kernel_(kernel),
          put_block_(kernels_for<Real>(kernels()).put_block),
          compact_(compact),
          past_caches_(past_caches),
          ranges_(kernel.species.size() + 1),
          rows_(3 * kernel.n_features * (kernel.functions->together ? most : 1) + lane_padding),
          own_(3 * kernel.n_features) {
        for (auto& of_species : ranges_)
            of_species.reserve(std::max<std::size_t>(kernel.groups.size(), 1));
    }

    void write(const Center& center, double* scratch, Real* to) {
        const std::size_t n_species = kernel_.species.size();
        for (std::size_t s = 0; s <= n_species; ++s)
            if (s == n_species || center.begin[s + 1] > center.begin[s])
                columns_of(kernel_, center, s, ranges_[s]);
        for (const ColumnRange& range : ranges_[n_species])
            for (std::size_t axis = 0; axis < 3; ++axis) {
                double* row = own_.data() + axis * kernel_.n_features;
                std::fill(row + range.begin, row + range.end, 0.0);
            }
        center_ = &center;
        neighbor_ = species_ = 0;
        to_ = to + block_size(n_species);
        const BlockSink sink{this, [](void* self, const double* rows) {
                                 static_cast<BlockWriter*>(self)->take(rows);
                             }};
        kernel_.functions->jacobian(kernel_.parameters.get(), center, scratch, rows_.data(), sink);
        put(n_species, own_.data(), to, nullptr);
    }

  private:
    void take(const double* rows) {
        while (center_->begin[species_ + 1] <= neighbor_) ++species_;
        put(species_, rows, to_, own_.data());
        to_ += block_size(species_);
        ++neighbor_;
    }

    void put(std::size_t s, const double* rows, Real* to, double* own) const {
        const std::vector<ColumnRange>& ranges = ranges_[s];
        const BlockColumns columns{ranges.data(), ranges.size(), kernel_.n_features, compact_};
        put_block_(rows, columns, past_caches_, to, own);
    }

    std::size_t block_size(std::size_t s) const {
        if (!compact_) return 3 * kernel_.n_features;
        std::size_t size = 0;
        for (const ColumnRange& range : ranges_[s]) size += range.end - range.begin;
        return 3 * size;
    }

    const LocalKernel& kernel_;
    decltype(KernelsFor<Real>::put_block) put_block_;
    bool compact_, past_caches_;
    std::vector<std::vector<ColumnRange>> ranges_;  // [n_species + 1], the last of the centre
    std::vector<double> rows_, own_;
    const Center* center_ = nullptr;
    std::size_t neighbor_ = 0, species_ = 0;
    Real* to_ = nullptr;
};

bool depends(const LocalKernel& kernel, const ColumnGroup& group, const Center& center,
             std::size_t s) {
    const auto neighbors = [&](std::size_t t) { return center.begin[t + 1] > center.begin[t]; };
    const auto there = [&](std::size_t t) {
        return neighbors(t) || (kernel.own && t == center.species);
    };
    if (!there(group.a) || !there(group.b)) return false;
    if (group.any) return center.n > 0;
    if (s == kernel.species.size()) return neighbors(group.a) || neighbors(group.b);
    return s == group.a || s == group.b;
}

}  // namespace

void columns_of(const LocalKernel& kernel, const Center& center, std::size_t s,
                std::vector<ColumnRange>& ranges) {
    ranges.clear();
    if (kernel.groups.empty() && center.n > 0) ranges.push_back({0, kernel.n_features});
    for (const ColumnGroup& group : kernel.groups) {
        if (group.begin == group.end || !depends(kernel, group, center, s)) continue;
        if (!ranges.empty() && ranges.back().end == group.begin)
            ranges.back().end = group.end;
        else
            ranges.push_back({group.begin, group.end});
    }
}

void local_neighbor_counts(const LocalKernel& kernel, const LocalTask& task, std::int64_t* counts,
                           int n_threads) {
    const Batch batch(kernel, task);
    const std::size_t n_species = kernel.species.size();
    std::vector<Workspace> workspaces =
        workspaces_for(kernel, batch, task.n_centers, centers_per_range, n_threads);
    std::fill(counts, counts + task.n_centers * n_species, 0);
    LowestIndex bad;
    for_each_center(kernel, task, batch, workspaces, 0, task.n_centers, bad,
                    [&](std::size_t k, std::size_t, const Center& center, Workspace&) {
                        for (std::size_t s = 0; s < n_species; ++s)
                            counts[k * n_species + s] =
                                static_cast<std::int64_t>(center.begin[s + 1] - center.begin[s]);
                    });
}

template <typename Real>
LocalOutcome local_jacobian(const LocalKernel& kernel, const LocalTask& task,
                            const JacobianBlocks<Real>& blocks, int n_threads) {
    const Batch batch(kernel, task);
    const Centers centers(task);
    const auto n_values = static_cast<std::size_t>(blocks.start[task.n_centers]);
    // The blocks of one center may be megabytes: then ranges of 16 are too few to share evenly.
    constexpr std::size_t values_per_range = std::size_t{1} << 18;
    const std::size_t grain = std::clamp<std::size_t>(
        values_per_range * task.n_centers / (n_values + 1), 1, centers_per_range);
    std::vector<Workspace> workspaces =
        workspaces_for(kernel, batch, task.n_centers, grain, n_threads);
    const bool past = past_caches<Real>(blocks.warm, n_values);
    std::vector<BlockWriter<Real>> writers;
    writers.reserve(workspaces.size());
    for (std::size_t t = 0; t < workspaces.size(); ++t)
        writers.emplace_back(kernel, batch.search.most(), blocks.compact, past);
    LowestIndex bad;
    for_each_center(
        kernel, task, batch, workspaces, 0, task.n_centers, bad,
        [&](std::size_t k, std::size_t, const Center& center, Workspace& workspace) {
            const auto thread = static_cast<std::size_t>(&workspace - workspaces.data());
            const std::int64_t first = blocks.first[k];
            std::fill_n(blocks.center + first, center.n + 1, static_cast<std::int64_t>(k));
            blocks.atom[first] = static_cast<std::int64_t>(centers.atom(k));
            std::copy_n(workspace.atoms(), center.n, blocks.atom + first + 1);
            writers[thread].write(center, workspace.scratch(), blocks.values + blocks.start[k]);
        },
        grain);
    return {bad.value()};
}

template LocalOutcome local_jacobian<float>(const LocalKernel&, const LocalTask&,
                                            const JacobianBlocks<float>&, int);
template LocalOutcome local_jacobian<double>(const LocalKernel&, const LocalTask&,
                                             const JacobianBlocks<double>&, int);

}  // namespace molkern
