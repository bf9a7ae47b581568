// Features of centres, and their sums over structures.

#include "cpu/local_run.hpp"

namespace molkern {

using namespace local;

namespace {

// A structure is summed in blocks of so many centres at least, and in no more blocks than this.
constexpr std::size_t centers_per_block = 64;
constexpr std::size_t most_blocks = 256;

// A block of centres of one structure, summed in order.
struct Block {
    std::size_t molecule, begin, end;
};

std::vector<Block> blocks_of(const LocalTask& task) {
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

template <typename Real>
LocalOutcome summed_values(const LocalKernel& kernel, const LocalTask& task, const Batch& batch,
                           Real* out, int n_threads) {
    const std::size_t n_features = kernel.n_features;
    const Centers centers(task);
    const std::vector<Block> blocks = blocks_of(task);
    // Only structures of several blocks need their sums kept until all are there.
    std::vector<std::size_t> place(blocks.size(), 0);
    std::size_t n_kept = 0;
    const auto alone = [&](std::size_t b) {
        return (b == 0 || blocks[b - 1].molecule != blocks[b].molecule) &&
               (b + 1 == blocks.size() || blocks[b + 1].molecule != blocks[b].molecule);
    };
    for (std::size_t b = 0; b < blocks.size(); ++b)
        if (!alone(b)) place[b] = n_kept++;
    std::vector<double> kept(n_kept * n_features);
    std::vector<Workspace> workspaces = workspaces_for(kernel, batch, blocks.size(), 1, n_threads);
    std::vector<std::vector<double>> sums(workspaces.size(), std::vector<double>(n_features));
    Lowest bad;
    const auto share = [&](std::size_t m) {
        const auto n = static_cast<double>(centers.first(m + 1) - centers.first(m));
        return task.average == Average::mean && n > 0 ? 1 / n : 1.0;
    };
    auto body = [&](std::size_t begin, std::size_t end, int thread) {
        Workspace& workspace = workspaces[static_cast<std::size_t>(thread)];
        for (std::size_t b = begin; b < end; ++b) {
            const Block& block = blocks[b];
            double* sum = alone(b) ? sums[static_cast<std::size_t>(thread)].data()
                                   : kept.data() + place[b] * n_features;
            std::fill(sum, sum + n_features, 0.0);
            for (std::size_t k = block.begin; k < block.end; ++k) {
                const Center center = workspace.center(kernel, task.molecules, batch,
                                                       block.molecule, centers.atom(k));
                if (workspace.coincident()) {
                    bad.report(block.molecule);
                    continue;
                }
                double* row = workspace.row();
                kernel.functions->values(kernel.parameters.get(), center, workspace.scratch(), row);
                for (std::size_t f = 0; f < n_features; ++f) sum[f] += row[f];
            }
            if (!alone(b)) continue;
            const double factor = share(block.molecule);
            for (std::size_t f = 0; f < n_features; ++f) sum[f] *= factor;
            convert(sum, n_features, out + block.molecule * n_features);
        }
    };
    parallel_for(blocks.size(), 1, static_cast<int>(workspaces.size()), body);
    for (std::size_t b = 0; b < blocks.size(); ++b) {
        if (alone(b)) continue;
        double* sum = kept.data() + place[b] * n_features;
        const bool last = b + 1 == blocks.size() || blocks[b + 1].molecule != blocks[b].molecule;
        if (last) {
            const double factor = share(blocks[b].molecule);
            for (std::size_t f = 0; f < n_features; ++f) sum[f] *= factor;
            convert(sum, n_features, out + blocks[b].molecule * n_features);
        } else {
            double* next = kept.data() + place[b + 1] * n_features;
            for (std::size_t f = 0; f < n_features; ++f) next[f] = sum[f] + next[f];
        }
    }
    return {bad.value()};
}

}  // namespace

template <typename Real>
LocalOutcome local_values(const LocalKernel& kernel, const LocalTask& task, Real* out,
                          int n_threads) {
    const Batch batch(kernel, task);
    if (task.average != Average::none) return summed_values(kernel, task, batch, out, n_threads);
    std::vector<Workspace> workspaces =
        workspaces_for(kernel, batch, task.n_centers, centers_per_range, n_threads);
    Lowest bad;
    for_each_center(kernel, task, batch, workspaces, 0, task.n_centers, bad,
                    [&](std::size_t k, std::size_t, const Center& center, Workspace& workspace) {
                        Real* to = out + k * kernel.n_features;
                        double* row = in_place(to, workspace.row());
                        kernel.functions->values(kernel.parameters.get(), center,
                                                 workspace.scratch(), row);
                        convert(row, kernel.n_features, to);
                    });
    return {bad.value()};
}

template LocalOutcome local_values<float>(const LocalKernel&, const LocalTask&, float*, int);
template LocalOutcome local_values<double>(const LocalKernel&, const LocalTask&, double*, int);

}  // namespace molkern
