// Derivatives of the features of centres in reverse mode.

#include "cpu/local_sums.hpp"

namespace molkern {

using namespace local;

namespace {

// Centres whose pair gradients are kept at a time: enough for all threads, and below 128 MB unless
// an atom has more than 130 000 neighbours.
std::size_t centers_per_chunk(std::size_t most_neighbors) {
    constexpr std::size_t pairs = std::size_t{1} << 22;
    return std::clamp<std::size_t>(pairs / std::max<std::size_t>(most_neighbors, 1), 32, 2048);
}

// A row of a cotangent in double precision; `room` has the length of a row.
template <typename Real>
const double* row_of(const Real* cotangent, std::size_t row, std::size_t n_features,
                     [[maybe_unused]] double* room) {
    const Real* from = cotangent + row * n_features;
    if constexpr (std::is_same_v<Real, double>) {
        return from;
    } else {
        std::copy_n(from, n_features, room);
        return room;
    }
}

// Gradient with respect to the mean of the sums over neighbours, for each structure.
template <typename Real>
std::vector<double> gradients_of_sums(const LocalKernel& kernel, const LocalTask& task,
                                      const Batch& batch, const Real* cotangent, int n_threads) {
    const std::size_t size = kernel.n_sums();
    std::vector<double> gradients(task.molecules.n_molecules * size);
    sum_over_centers(kernel, task, batch, n_threads, true,
                     [&](std::size_t m, std::size_t n, double* sum, Workspace& workspace) {
                         for (std::size_t f = 0; n > 0 && f < size; ++f)
                             sum[f] /= static_cast<double>(n);
                         kernel.functions->quadratic->pull_back(
                             kernel.parameters.get(), sum,
                             row_of(cotangent, m, kernel.n_features, workspace.row()),
                             workspace.scratch(), gradients.data() + m * size);
                     });
    return gradients;
}

// What the centres of a chunk contribute.
//
// pairs       [n, 3, most]   gradient with respect to each neighbour
// atoms       [n, most]      rows of the batch
// counts      [n]            neighbours
// strains     [n, 3, 3]      or empty
struct Contributions {
    Contributions(std::size_t n, std::size_t most_neighbors, bool with_strain)
        : most(most_neighbors),
          pairs(3 * most * n),
          atoms(most * n),
          counts(n),
          strains(with_strain ? 9 * n : 0) {}

    std::size_t most;
    std::vector<double> pairs;
    std::vector<std::int64_t> atoms;
    std::vector<std::size_t> counts;
    std::vector<double> strains;
};

// strain [3, 3] = sum over neighbours of vector times gradient g [3, most].
void strain_of(const Center& center, const double* g, std::size_t most, double* strain) {
    const double* vectors[3] = {center.x, center.y, center.z};
    for (std::size_t a = 0; a < 3; ++a)
        for (std::size_t b = 0; b < 3; ++b) {
            double total = 0;
            for (std::size_t p = 0; p < center.n; ++p) total += vectors[a][p] * g[b * most + p];
            strain[3 * a + b] = total;
        }
}

// Adds the contributions of centres first .. last - 1 of one structure, in their order, of a chunk
// that begins with centre `begin`. strain [3, 3] or null.
void add_up(const Contributions& of, const Centers& centers, std::size_t begin, std::size_t first,
            std::size_t last, double* gradient, double* strain) {
    const std::size_t most = of.most;
    for (std::size_t k = first; k < last; ++k) {
        const std::size_t c = k - begin;
        const double* g = of.pairs.data() + 3 * most * c;
        double* own = gradient + 3 * centers.atom(k);
        for (std::size_t p = 0; p < of.counts[c]; ++p) {
            double* other = gradient + 3 * of.atoms[most * c + p];
            for (std::size_t d = 0; d < 3; ++d) {
                other[d] += g[d * most + p];
                own[d] -= g[d * most + p];
            }
        }
        if (strain != nullptr && of.counts[c] > 0)
            for (std::size_t e = 0; e < 9; ++e) strain[e] += of.strains[9 * c + e];
    }
}

// Adds those of centres begin .. end - 1, structures in parallel.
void add_up_all(const Contributions& of, const LocalTask& task, std::size_t begin, std::size_t end,
                int n_threads, double* gradient, double* strain) {
    constexpr std::size_t structures_per_range = 16;
    const Centers centers(task);
    const std::size_t first_m = molecule_of(task.molecules, centers.atom(begin));
    const std::size_t last_m = molecule_of(task.molecules, centers.atom(end - 1));
    auto body = [&](std::size_t from, std::size_t to, int) {
        for (std::size_t m = first_m + from; m < first_m + to; ++m)
            add_up(of, centers, begin, std::max(centers.first(m), begin),
                   std::min(centers.first(m + 1), end), gradient,
                   strain == nullptr ? nullptr : strain + 9 * m);
    };
    parallel_for(last_m + 1 - first_m, structures_per_range, n_threads, body);
}

}  // namespace

// Pair gradients of a chunk of centres are computed in parallel and added up in the order of the
// centres: the same bits for any number of threads, and no memory that grows with the features.
template <typename Real>
LocalOutcome local_vjp(const LocalKernel& kernel, const LocalTask& task, const Real* cotangent,
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
    const std::size_t chunk =
        std::min(centers_per_chunk(most), std::max<std::size_t>(task.n_centers, 1));
    Contributions of(chunk, most, strain != nullptr);
    std::vector<Workspace> workspaces =
        workspaces_for(kernel, batch, task.n_centers, centers_per_range, n_threads);
    LowestIndex bad;
    for (std::size_t begin = 0; begin < task.n_centers; begin += chunk) {
        const std::size_t end = std::min(begin + chunk, task.n_centers);
        std::fill(of.counts.begin(), of.counts.end(), 0);
        const auto contribute = [&](std::size_t k, std::size_t m, const Center& center,
                                    Workspace& workspace) {
            const std::size_t c = k - begin;
            const std::size_t row = task.average == Average::none ? k : m;
            const void* parameters = kernel.parameters.get();
            double* g = of.pairs.data() + 3 * most * c;
            if (inner)
                kernel.functions->quadratic->vjp(parameters, center,
                                                 of_sums.data() + m * kernel.n_sums(),
                                                 workspace.scratch(), g, g + most, g + 2 * most);
            else
                kernel.functions->vjp(parameters, center,
                                      row_of(cotangent, row, n_features, workspace.row()),
                                      workspace.scratch(), g, g + most, g + 2 * most);
            if (task.average == Average::mean || inner) {
                const double factor =
                    1 / static_cast<double>(centers.first(m + 1) - centers.first(m));
                for (std::size_t d = 0; d < 3; ++d)
                    for (std::size_t p = 0; p < center.n; ++p) g[d * most + p] *= factor;
            }
            of.counts[c] = center.n;
            std::copy_n(workspace.atoms(), center.n, of.atoms.data() + most * c);
            if (strain != nullptr) strain_of(center, g, most, of.strains.data() + 9 * c);
        };
        for_each_center(kernel, task, batch, workspaces, begin, end, bad, contribute);
        add_up_all(of, task, begin, end, static_cast<int>(workspaces.size()), gradient, strain);
    }
    return {bad.value()};
}

template LocalOutcome local_vjp<float>(const LocalKernel&, const LocalTask&, const float*, double*,
                                       double*, int);
template LocalOutcome local_vjp<double>(const LocalKernel&, const LocalTask&, const double*,
                                        double*, double*, int);

}  // namespace molkern
