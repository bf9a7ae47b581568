// Derivatives of the features of centres: reverse mode, and the blocks of the Jacobian.

#include "cpu/local_sums.hpp"

namespace molkern {

using namespace local;

namespace {

// Centres whose pair gradients are kept at a time: some MB, and enough for all threads.
constexpr std::size_t centers_per_chunk = 2048;

// Gradient with respect to the mean of the sums over neighbours, for each structure.
std::vector<double> gradients_of_sums(const LocalKernel& kernel, const LocalTask& task,
                                      const Batch& batch, const double* cotangent, int n_threads) {
    const std::size_t size = kernel.n_sums();
    std::vector<double> gradients(task.molecules.n_molecules * size);
    sum_over_centers(kernel, task, batch, n_threads, true,
                     [&](std::size_t m, std::size_t n, double* sum, Workspace& workspace) {
                         for (std::size_t f = 0; n > 0 && f < size; ++f)
                             sum[f] /= static_cast<double>(n);
                         kernel.functions->quadratic->pull_back(
                             kernel.parameters.get(), sum, cotangent + m * kernel.n_features,
                             workspace.scratch(), gradients.data() + m * size);
                     });
    return gradients;
}

}  // namespace

// Pair gradients of a chunk of centres are computed in parallel and added up in the order of the
// centres: the same bits for any number of threads, and no memory that grows with the features.
LocalOutcome local_vjp(const LocalKernel& kernel, const LocalTask& task, const double* cotangent,
                       double* gradient, double* strain, int n_threads) {
    const Batch batch(kernel, task);
    const Centers centers(task);
    const std::size_t most = batch.search.most(), n_features = kernel.n_features;
    const std::size_t n_atoms = task.molecules.first(task.molecules.n_molecules);
    const bool inner = task.average == Average::inner;
    std::vector<double> of_sums;
    if (inner) of_sums = gradients_of_sums(kernel, task, batch, cotangent, n_threads);
    std::fill(gradient, gradient + 3 * n_atoms, 0.0);
    if (strain != nullptr) std::fill(strain, strain + 9 * task.molecules.n_molecules, 0.0);
    const std::size_t chunk = std::min(centers_per_chunk, std::max<std::size_t>(task.n_centers, 1));
    std::vector<double> pairs(3 * most * chunk), strains(strain == nullptr ? 0 : 9 * chunk);
    std::vector<std::int64_t> atoms(most * chunk);
    std::vector<std::size_t> counts(chunk), structure(chunk);
    std::vector<Workspace> workspaces =
        workspaces_for(kernel, batch, task.n_centers, centers_per_range, n_threads);
    LowestIndex bad;
    for (std::size_t begin = 0; begin < task.n_centers; begin += chunk) {
        const std::size_t end = std::min(begin + chunk, task.n_centers);
        std::fill(counts.begin(), counts.end(), 0);
        for_each_center(
            kernel, task, batch, workspaces, begin, end, bad,
            [&](std::size_t k, std::size_t m, const Center& center, Workspace& workspace) {
                const std::size_t c = k - begin, n = center.n;
                double* g = pairs.data() + 3 * most * c;
                const std::size_t from = task.average == Average::none ? k : m;
                if (inner)
                    kernel.functions->quadratic->vjp(
                        kernel.parameters.get(), center, of_sums.data() + m * kernel.n_sums(),
                        workspace.scratch(), g, g + most, g + 2 * most);
                else
                    kernel.functions->vjp(kernel.parameters.get(), center,
                                          cotangent + from * n_features, workspace.scratch(), g,
                                          g + most, g + 2 * most);
                if (task.average == Average::mean || inner) {
                    const double factor =
                        1 / static_cast<double>(centers.first(m + 1) - centers.first(m));
                    for (std::size_t d = 0; d < 3; ++d)
                        for (std::size_t p = 0; p < n; ++p) g[d * most + p] *= factor;
                }
                counts[c] = n;
                structure[c] = m;
                std::copy_n(workspace.atoms(), n, atoms.data() + most * c);
                if (strain == nullptr) return;
                const double* vectors[3] = {center.x, center.y, center.z};
                for (std::size_t a = 0; a < 3; ++a)
                    for (std::size_t b = 0; b < 3; ++b) {
                        double total = 0;
                        for (std::size_t p = 0; p < n; ++p)
                            total += vectors[a][p] * g[b * most + p];
                        strains[9 * c + 3 * a + b] = total;
                    }
            });
        for (std::size_t c = 0; c < end - begin; ++c) {
            const double* g = pairs.data() + 3 * most * c;
            double* own = gradient + 3 * centers.atom(begin + c);
            for (std::size_t p = 0; p < counts[c]; ++p) {
                double* other = gradient + 3 * atoms[most * c + p];
                for (std::size_t d = 0; d < 3; ++d) {
                    other[d] += g[d * most + p];
                    own[d] -= g[d * most + p];
                }
            }
            if (strain != nullptr && counts[c] > 0)
                for (std::size_t e = 0; e < 9; ++e)
                    strain[9 * structure[c] + e] += strains[9 * c + e];
        }
    }
    return {bad.value()};
}

void local_jacobian_sizes(const LocalKernel& kernel, const LocalTask& task, std::int64_t* counts,
                          int n_threads) {
    const Batch batch(kernel, task);
    std::vector<Workspace> workspaces =
        workspaces_for(kernel, batch, task.n_centers, centers_per_range, n_threads);
    std::fill(counts, counts + task.n_centers, 1);
    LowestIndex bad;
    for_each_center(kernel, task, batch, workspaces, 0, task.n_centers, bad,
                    [&](std::size_t k, std::size_t, const Center& center, Workspace&) {
                        counts[k] = static_cast<std::int64_t>(center.n) + 1;
                    });
}

template <typename Real>
LocalOutcome local_jacobian(const LocalKernel& kernel, const LocalTask& task,
                            const std::int64_t* first, std::int64_t* center_of, std::int64_t* atom,
                            Real* values, int n_threads) {
    const Batch batch(kernel, task);
    const Centers centers(task);
    const std::size_t size = 3 * kernel.n_features;
    std::vector<Workspace> workspaces =
        workspaces_for(kernel, batch, task.n_centers, centers_per_range, n_threads);
    const std::size_t most = std::is_same_v<Real, double> ? 0 : batch.search.most() + 1;
    std::vector<std::vector<double>> buffers(workspaces.size(), std::vector<double>(most * size));
    LowestIndex bad;
    const auto blocks = [&](std::size_t k, std::size_t, const Center& center,
                            Workspace& workspace) {
        const auto thread = static_cast<std::size_t>(&workspace - workspaces.data());
        const auto begin = static_cast<std::size_t>(first[k]);
        Real* to = values + begin * size;
        double* own = in_place(to, buffers[thread].data());
        double* others = own + size;
        kernel.functions->jacobian(kernel.parameters.get(), center, workspace.scratch(), others);
        std::fill(own, others, 0.0);
        for (std::size_t p = 0; p < center.n; ++p)
            for (std::size_t e = 0; e < size; ++e) own[e] -= others[p * size + e];
        std::fill_n(center_of + begin, center.n + 1, static_cast<std::int64_t>(k));
        atom[begin] = static_cast<std::int64_t>(centers.atom(k));
        std::copy_n(workspace.atoms(), center.n, atom + begin + 1);
        convert(own, (center.n + 1) * size, to);
    };
    for_each_center(kernel, task, batch, workspaces, 0, task.n_centers, bad, blocks);
    return {bad.value()};
}

template LocalOutcome local_jacobian<float>(const LocalKernel&, const LocalTask&,
                                            const std::int64_t*, std::int64_t*, std::int64_t*,
                                            float*, int);
template LocalOutcome local_jacobian<double>(const LocalKernel&, const LocalTask&,
                                             const std::int64_t*, std::int64_t*, std::int64_t*,
                                             double*, int);

}  // namespace molkern
