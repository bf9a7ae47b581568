// Sums over the centres of each structure, the same bits for any number of threads.
#pragma once

#include "cpu/local_run.hpp"

namespace molkern::local {

// A structure is summed in blocks of so many centres at least, and in no more blocks than this.
constexpr std::size_t centers_per_block = 64;
constexpr std::size_t most_blocks = 256;

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

// Adds the features of centres begin .. end - 1 of structure m to `sum`, or the sums over their
// neighbours. `sets` is room for those of most_sets centres.
inline void add_centers(const LocalKernel& kernel, const LocalTask& task, const Batch& batch,
                        const Block& block, bool of_neighbors, Workspace& workspace, double* sets,
                        double* sum, LowestIndex& bad) {
    const Centers centers(task);
    const void* parameters = kernel.parameters.get();
    const QuadraticFunctions* quadratic = kernel.functions->quadratic;
    const std::size_t size = kernel.n_sums();
    std::size_t n_sets = 0;
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
        if (!of_neighbors) std::fill(set, set + size, 0.0);
        quadratic->sums(parameters, center, workspace.scratch(), set);
        if (!of_neighbors && ++n_sets == most_sets) {
            quadratic->features(parameters, sets, n_sets, workspace.scratch(), sum);
            n_sets = 0;
        }
    }
    if (n_sets > 0) quadratic->features(parameters, sets, n_sets, workspace.scratch(), sum);
}

// Sums features over the centres of each structure, or the sums over neighbours of a quadratic
// representation; calls finish(m, number of centres, sum, workspace) once for each structure.
template <typename Finish>
LocalOutcome sum_over_centers(const LocalKernel& kernel, const LocalTask& task, const Batch& batch,
                              int n_threads, bool of_neighbors, const Finish& finish) {
    const std::size_t size = of_neighbors ? kernel.n_sums() : kernel.n_features;
    const Centers centers(task);
    const std::vector<Block> blocks = blocks_of(task);
    // Only structures of several blocks need their sums kept until all are there.
    std::vector<std::size_t> place(blocks.size(), 0);
    std::size_t n_kept = 0;
    const auto starts = [&](std::size_t b) {
        return b == 0 || blocks[b - 1].molecule != blocks[b].molecule;
    };
    const auto ends = [&](std::size_t b) { return b + 1 == blocks.size() || starts(b + 1); };
    const auto alone = [&](std::size_t b) { return starts(b) && ends(b); };
    for (std::size_t b = 0; b < blocks.size(); ++b)
        if (!alone(b)) place[b] = n_kept++;
    std::vector<double> kept(n_kept * size);
    std::vector<Workspace> workspaces = workspaces_for(kernel, batch, blocks.size(), 1, n_threads);
    std::vector<std::vector<double>> sums(workspaces.size(), std::vector<double>(size));
    std::vector<std::vector<double>> sets(workspaces.size(),
                                          std::vector<double>(most_sets * kernel.n_sums()));
    LowestIndex bad;
    const auto n_of = [&](std::size_t m) { return centers.first(m + 1) - centers.first(m); };
    auto body = [&](std::size_t begin, std::size_t end, int thread) {
        const auto t = static_cast<std::size_t>(thread);
        for (std::size_t b = begin; b < end; ++b) {
            double* sum = alone(b) ? sums[t].data() : kept.data() + place[b] * size;
            std::fill(sum, sum + size, 0.0);
            add_centers(kernel, task, batch, blocks[b], of_neighbors, workspaces[t], sets[t].data(),
                        sum, bad);
            const std::size_t m = blocks[b].molecule;
            if (alone(b)) finish(m, n_of(m), sum, workspaces[t]);
        }
    };
    parallel_for(blocks.size(), 1, static_cast<int>(workspaces.size()), body);
    for (std::size_t b = 0; b < blocks.size(); ++b) {
        if (alone(b)) continue;
        double* sum = kept.data() + place[b] * size;
        const std::size_t m = blocks[b].molecule;
        if (ends(b)) {
            finish(m, n_of(m), sum, workspaces[0]);
        } else {
            double* next = kept.data() + place[b + 1] * size;
            for (std::size_t f = 0; f < size; ++f) next[f] = sum[f] + next[f];
        }
    }
    return {bad.value()};
}

}  // namespace molkern::local
