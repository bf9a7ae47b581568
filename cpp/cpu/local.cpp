// Features of centres, and their sums over structures.

#include "cpu/local_sums.hpp"

namespace molkern {

using namespace local;

namespace {

template <typename Real>
LocalOutcome summed_values(const LocalKernel& kernel, const LocalTask& task, const Batch& batch,
                           Real* out, int n_threads) {
    const std::size_t n_features = kernel.n_features;
    const bool inner = task.average == Average::inner;
    const auto finish = [&](std::size_t m, std::size_t n, double* sum, Workspace& workspace) {
        const double factor =
            task.average == Average::sum || n == 0 ? 1 : 1 / static_cast<double>(n);
        const std::size_t size = inner ? kernel.n_sums() : n_features;
        for (std::size_t f = 0; factor != 1 && f < size; ++f) sum[f] *= factor;
        double* row = inner ? workspace.row() : sum;
        if (inner) {
            std::fill(row, row + n_features, 0.0);
            kernel.functions->quadratic->features(kernel.parameters.get(), sum, 1,
                                                  workspace.scratch(), row);
        }
        convert(row, n_features, out + m * n_features);
    };
    return sum_over_centers(kernel, task, batch, n_threads, inner, finish);
}

}  // namespace

template <typename Real>
LocalOutcome local_values(const LocalKernel& kernel, const LocalTask& task, Real* out,
                          int n_threads) {
    const Batch batch(kernel, task);
    if (task.average != Average::none) return summed_values(kernel, task, batch, out, n_threads);
    std::vector<Workspace> workspaces =
        workspaces_for(kernel, batch, task.n_centers, centers_per_range, n_threads);
    LowestIndex bad;
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
