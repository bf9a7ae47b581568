// Features of centres, their sums over structures, and gradients with respect to atoms.
//
// Floor of a sum: the features of the centres are written and read once, in double.

#include "cuda/local.hpp"

#include <algorithm>
#include <vector>

#include "cuda/each.hpp"

namespace molkern::cuda {
namespace {

// Doubles of the features of centres that are kept at a time to be summed: 256 MiB.
constexpr std::int64_t most_kept = std::int64_t{1} << 25;

// Adds the rows of centres begin .. end - 1 to those of their structures.
struct AddRows {
    const double* rows;
    const std::int64_t* first;  // [n_structures + 1] centre of each structure
    std::int64_t begin, end, n_features;
    double* sums;
    MOLKERN_DEVICE void operator()(std::int64_t i) const {
        const std::int64_t m = i / n_features, f = i % n_features;
        const std::int64_t from = first[m] > begin ? first[m] : begin;
        const std::int64_t to = first[m + 1] < end ? first[m + 1] : end;
        double total = sums[i];
        for (std::int64_t c = from; c < to; ++c) total += rows[(c - begin) * n_features + f];
        sums[i] = total;
    }
};

// Sums or, divided by the number of centres, means.
template <typename From, typename To>
struct ScaleRows {
    const From* from;
    const std::int64_t* first;
    std::int64_t n_features;
    bool mean;
    To* to;
    MOLKERN_DEVICE void operator()(std::int64_t i) const {
        const std::int64_t m = i / n_features, n = first[m + 1] - first[m];
        const double factor = mean && n > 0 ? 1 / static_cast<double>(n) : 1;
        to[i] = static_cast<To>(factor * static_cast<double>(from[i]));
    }
};

}  // namespace

template <typename Real>
std::size_t local_values(const DeviceKernel& kernel, const Surroundings& of,
                         const double* positions, Average average, Real* out, Stream stream) {
    const FoundNeighbors found(of, positions, stream);
    if (found.coincident != no_molecule) return found.coincident;
    if (average == Average::none) {
        kernel.values(found.view(), found.most, 0, of.n_centers, out, stream);
        return no_molecule;
    }
    if (kernel.averages(found.view(), of.host_first_centers, average, out, stream))
        return no_molecule;
    const std::int64_t n = of.n_structures * kernel.n_features;
    const std::int64_t* first = of.first_centers.data();
    const std::int64_t piece = std::max<std::int64_t>(most_kept / kernel.n_features, 1);
    Buffer<double> rows(std::min(piece, of.n_centers) * kernel.n_features, stream);
    Buffer<double> sums(n, stream);
    fill(sums.data(), 0, static_cast<std::size_t>(n) * sizeof(double), stream);
    for (std::int64_t begin = 0; begin < of.n_centers; begin += piece) {
        const std::int64_t end = std::min(begin + piece, of.n_centers);
        kernel.values(found.view(), found.most, begin, end, rows.data(), stream);
        launch_each(AddRows{rows.data(), first, begin, end, kernel.n_features, sums.data()}, n,
                    stream);
    }
    launch_each(ScaleRows<double, Real>{sums.data(), first, kernel.n_features,
                                        average == Average::mean, out},
                n, stream);
    return no_molecule;
}

template <typename Real>
std::size_t local_vjp(const DeviceKernel& kernel, const Surroundings& of, const double* positions,
                      Average average, const Real* cotangent, double* gradient, double* strain,
                      Stream stream) {
    const FoundNeighbors found(of, positions, stream);
    if (found.coincident != no_molecule) return found.coincident;
    const DeviceNeighbors& neighbors = found.view();
    Buffer<double> pairs(3 * neighbors.n_pairs, stream);
    double *gx = pairs.data(), *gy = gx + neighbors.n_pairs, *gz = gy + neighbors.n_pairs;
    const std::int64_t* first = of.first_centers.data();
    if (average == Average::none) {
        const Cotangent<Real> rows{cotangent, kernel.n_features, nullptr};
        kernel.vjp(neighbors, found.most, rows, gx, gy, gz, stream);
    } else {
        const std::int64_t n = of.n_structures * kernel.n_features;
        Buffer<double> scaled(n, stream);
        launch_each(ScaleRows<Real, double>{cotangent, first, kernel.n_features,
                                            average == Average::mean, scaled.data()},
                    n, stream);
        const Cotangent<double> rows{scaled.data(), kernel.n_features, neighbors.structure};
        if (average == Average::inner)
            kernel.inner_vjp(neighbors, of.host_first_centers, scaled.data(), gx, gy, gz, stream);
        else
            kernel.vjp(neighbors, found.most, rows, gx, gy, gz, stream);
    }
    gather_gradients(neighbors, gx, gy, gz, of.n_atoms, gradient, stream);
    if (strain != nullptr)
        gather_strains(neighbors, gx, gy, gz, first, of.n_structures, strain, stream);
    return no_molecule;
}

template std::size_t local_values<float>(const DeviceKernel&, const Surroundings&, const double*,
                                         Average, float*, Stream);
template std::size_t local_values<double>(const DeviceKernel&, const Surroundings&, const double*,
                                          Average, double*, Stream);
template std::size_t local_vjp<float>(const DeviceKernel&, const Surroundings&, const double*,
                                      Average, const float*, double*, double*, Stream);
template std::size_t local_vjp<double>(const DeviceKernel&, const Surroundings&, const double*,
                                       Average, const double*, double*, double*, Stream);

}  // namespace molkern::cuda
