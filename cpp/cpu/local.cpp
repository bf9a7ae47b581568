// Features of centres, and their sums over structures.

#include "cpu/local_sums.hpp"

namespace molkern {

using namespace local;

namespace {

template <typename Real>
LocalOutcome summed_values(const LocalKernel& kernel, const LocalTask& task, const Batch& batch,
                           Real* out, bool warm, int n_threads) {
    const std::size_t n_features = kernel.n_features;
    const bool inner = task.average == Average::inner;
    const bool past = past_caches<Real>(warm, task.molecules.n_molecules * n_features);
    const auto put_row = kernels_for<Real>(kernels()).put_row;
    const auto finish = [&](std::size_t m, std::size_t n, double* sum, Workspace& workspace) {
        const double factor =
            task.average == Average::sum || n == 0 ? 1 : 1 / static_cast<double>(n);
        const std::size_t size = inner ? kernel.n_sums() : n_features;
        for (std::size_t f = 0; factor != 1 && f < size; ++f) sum[f] *= factor;
        double* row = sum;
        if (inner) {
            row = in_place(out + m * n_features, workspace.row());
            kernel.functions->quadratic->features(kernel.parameters.get(), sum, 1, false,
                                                  workspace.scratch(), row);
        }
        if (!inner || !std::is_same_v<Real, double>)
            put_row(row, n_features, past, out + m * n_features);
    };
    return sum_over_centers(kernel, task, batch, n_threads, inner, finish);
}

}  // namespace

template <typename Real>
LocalOutcome local_values(const LocalKernel& kernel, const LocalTask& task, Real* out, bool warm,
                          int n_threads) {
    const Batch batch(kernel, task);
    if (task.average != Average::none)
        return summed_values(kernel, task, batch, out, warm, n_threads);
    std::vector<Workspace> workspaces =
        workspaces_for(kernel, batch, task.n_centers, centers_per_range, n_threads);
    const bool past = past_caches<Real>(warm, task.n_centers * kernel.n_features);
    const auto put_row = kernels_for<Real>(kernels()).put_row;
    LowestIndex bad;
    for_each_center(kernel, task, batch, workspaces, 0, task.n_centers, bad,
                    [&](std::size_t k, std::size_t, const Center& center, Workspace& workspace) {
                        Real* to = out + k * kernel.n_features;
                        double* row = in_place(to, workspace.row());
                        kernel.functions->values(kernel.parameters.get(), center,
                                                 workspace.scratch(), row);
                        // Doubles are there: past the caches they came no faster.
                        if (!std::is_same_v<Real, double>)
                            put_row(row, kernel.n_features, past, to);
                    });
    return {bad.value()};
}

template LocalOutcome local_values<float>(const LocalKernel&, const LocalTask&, float*, bool, int);
template LocalOutcome local_values<double>(const LocalKernel&, const LocalTask&, double*, bool,
                                           int);

}  // namespace molkern
