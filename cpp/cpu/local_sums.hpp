// Sums over the centres of each structure, the same bits for any number of threads.
#pragma once

#include "cpu/local_run.hpp"

namespace molkern::local {

// A structure is summed in blocks of so many centres at least, and in no more blocks than this.
constexpr std::size_t centers_per_block = 64;
constexpr std::size_t most_blocks = 256;
// Structures are summed in groups whose blocks have no more values than this together (32 MB), or
// one by one: a batch of many structures of many blocks needs no more memory than one of them.
constexpr std::size_t most_kept = std::size_t{1} << 22;

// A block of centres of one structure, summed in order.
struct Block {
    std::size_t molecule, begin, end;
};

inline std::vector<Block> blocks_of(const LocalTask& task) {
    const Centers centers(task);
    std::vector<Block> blocks;
    for (std::size_t m = 0; m < task.molecules.n_molecules; ++m) {
        const std::size_t first = centers.first(m), last = centers.first(m + 1);
        const std::size_t size =
            std::max(centers_per_block, (last - first + most_blocks - 1) / most_blocks);
        std::size_t begin = first;
        do {
            blocks.push_back({m, begin, std::min(begin + size, last)});
            begin += size;
        } while (begin < last);
    }
    return blocks;
}

// Sums the features of the centres of a block, or the sums over their neighbours. `sets` is room
// for those of most_sets centres.
inline void sum_centers(const LocalKernel& kernel, const LocalTask& task, const Batch& batch,
                        const Block& block, bool of_neighbors, Workspace& workspace, double* sets,
                        double* sum, LowestIndex& bad) {
    const Centers centers(task);
    const void* parameters = kernel.parameters.get();
    const QuadraticFunctions* quadratic = kernel.functions->quadratic;
    const std::size_t size = kernel.n_sums();
    const bool collects = quadratic != nullptr && !of_neighbors;
    std::size_t n_sets = 0;
    bool begun = false;
    if (!collects) std::fill(sum, sum + (of_neighbors ? size : kernel.n_features), 0.0);
    for (std::size_t k = block.begin; k < block.end; ++k) {
        const Center center =
            workspace.center(kernel, task.molecules, batch, block.molecule, centers.atom(k));
        if (workspace.coincident()) {
            bad.report(block.molecule);
            continue;
        }
        if (quadratic == nullptr) {
            double* row = workspace.row();
            kernel.functions->values(parameters, center, workspace.scratch(), row);
            for (std::size_t f = 0; f < kernel.n_features; ++f) sum[f] += row[f];
            continue;
        }
        double* set = of_neighbors ? sum : sets + n_sets * size;
        quadratic->sums(parameters, center, of_neighbors, workspace.scratch(), set);
        if (collects && ++n_sets == most_sets) {
            quadratic->features(parameters, sets, n_sets, begun, workspace.scratch(), sum);
            begun = true;
            n_sets = 0;
        }
    }
    if (collects && (n_sets > 0 || !begun))
        quadratic->features(parameters, sets, n_sets, begun, workspace.scratch(), sum);
}

// The sums over neighbours of all atoms of a small molecule without a cell.
inline void sum_cluster(const LocalKernel& kernel, const LocalTask& task, const Batch& batch,
                        std::size_t m, Workspace& workspace, double* sum, LowestIndex& bad) {
    std::fill(sum, sum + kernel.n_sums(), 0.0);
    const Cluster cluster = workspace.cluster(task.molecules, batch, m);
    const double nearest = kernel.functions->quadratic->cluster(kernel.parameters.get(), cluster,
                                                                workspace.scratch(), sum);
    if (nearest < nearest_distance) bad.report(m);
}

// Blocks begin .. end - 1 of whole structures, and where the sum of each is kept until all of its
// structure are there: nowhere if it is the only one.
struct Group {
    static constexpr std::size_t alone = static_cast<std::size_t>(-1);

    Group(const std::vector<Block>& blocks, std::size_t from, std::size_t size)
        : begin(from), end(from), n_kept(0) {
        while (end < blocks.size()) {
            std::size_t next = end + 1;
            while (next < blocks.size() && blocks[next].molecule == blocks[end].molecule) ++next;
            const std::size_t n = next - end == 1 ? 0 : next - end;
            if (end > begin && n > 0 && (n_kept + n) * size > most_kept) return;
            for (; end < next; ++end) place.push_back(n == 0 ? alone : n_kept++);
        }
    }

    std::size_t begin, end, n_kept;
    std::vector<std::size_t> place;  // [end - begin]
};

// Blocks that make about centers_per_range centres: two small structures are not worth a thread.
inline std::size_t blocks_per_range(const LocalTask& task, std::size_t n_blocks) {
    const std::size_t n = std::max<std::size_t>(task.n_centers, 1);
    return std::max<std::size_t>(centers_per_range * n_blocks / n, 1);
}

// Sums features over the centres of each structure, or the sums over neighbours of a quadratic
// representation; calls finish(m, number of centres, sum, workspace) once for each structure.
template <typename Finish>
LocalOutcome sum_over_centers(const LocalKernel& kernel, const LocalTask& task, const Batch& batch,
                              int n_threads, bool of_neighbors, const Finish& finish) {
    const std::size_t size = of_neighbors ? kernel.n_sums() : kernel.n_features;
    const Centers centers(task);
    const std::vector<Block> blocks = blocks_of(task);
    const std::size_t grain = blocks_per_range(task, blocks.size());
    std::vector<Workspace> workspaces =
        workspaces_for(kernel, batch, blocks.size(), grain, n_threads);
    std::vector<Aligned> sums(workspaces.size(), Aligned(size));
    std::vector<Aligned> sets(workspaces.size(), Aligned(most_sets * kernel.n_sums()));
    std::vector<double> kept;
    LowestIndex bad;
    const auto n_of = [&](std::size_t m) { return centers.first(m + 1) - centers.first(m); };
    for (std::size_t from = 0; from < blocks.size();) {
        const Group group(blocks, from, size);
        kept.resize(group.n_kept * size);
        auto body = [&](std::size_t begin, std::size_t end, int thread) {
            const auto t = static_cast<std::size_t>(thread);
            for (std::size_t b = begin; b < end; ++b) {
                const Block& block = blocks[from + b];
                const bool alone = group.place[b] == Group::alone;
                double* sum = alone ? sums[t].data() : kept.data() + group.place[b] * size;
                const std::size_t m = block.molecule;
                if (of_neighbors && alone && n_of(m) == task.molecules.size(m) &&
                    batch.search.direct(m))
                    sum_cluster(kernel, task, batch, m, workspaces[t], sum, bad);
                else
                    sum_centers(kernel, task, batch, block, of_neighbors, workspaces[t],
                                sets[t].data(), sum, bad);
                if (alone) finish(m, n_of(m), sum, workspaces[t]);
            }
        };
        parallel_for(group.end - from, grain, static_cast<int>(workspaces.size()), body);
        double* sum = kept.data();
        for (std::size_t b = from; b < group.end; ++b) {
            if (group.place[b - from] == Group::alone) continue;
            const std::size_t m = blocks[b].molecule;
            if (b + 1 < group.end && blocks[b + 1].molecule == m)
                for (std::size_t f = 0; f < size; ++f) sum[size + f] += sum[f];
            else
                finish(m, n_of(m), sum, workspaces[0]);
            sum += size;
        }
        from = group.end;
    }
    return {bad.value()};
}

}  // namespace molkern::local
