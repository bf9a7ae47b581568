// Derivatives of atom-centred symmetry functions in reverse mode (formulas in
// cpu/acsf_derivatives.cpp), a block for each centre, in double.
//
// Floor: what the values cost, and for each pair 3 multiply-adds a function, 30 operations for its
// gradients, and 4 additions to each of its two neighbours. No thread adds to what belongs to
// another: a neighbour looks for its pairs among the 64 that are at hand.

#include "cuda/acsf_near.hpp"

namespace molkern::cuda::acsf_device {
namespace {

// A neighbour's gradient is own * (its vector) + b: own and b [3].
constexpr unsigned n_sums = 4;

template <typename Real>
struct GradientsKernel {
    static constexpr unsigned n_threads = threads;

    AcsfParameters p;
    DeviceNeighbors neighbors;
    std::int64_t most;
    Cotangent<Real> cotangent;
    double *gx, *gy, *gz;

    // Exponentials, angles and their derivatives of a pair.
    MOLKERN_HOST_DEVICE static std::size_t width(const AcsfParameters& p) noexcept {
        return p.n_exponentials + 2 * p.n_angles;
    }

    static std::size_t shared_bytes(const AcsfParameters& p, std::int64_t most) noexcept {
        const std::size_t numbers = acsf_features(p) + width(p) * chunk +
                                    n_sums * static_cast<std::size_t>(most) + 3 * chunk;
        return Near::bytes(static_cast<std::int64_t>(p.n_species), most) + Chunk::bytes() +
               8 * numbers + 4 * 16;
    }

    template <typename Block>
    MOLKERN_DEVICE void tabulate(Block& block, const Chunk& pairs, unsigned n,
                                 double* table) const {
        const auto n_exponentials = static_cast<unsigned>(p.n_exponentials);
        const unsigned n_factors = n_exponentials + static_cast<unsigned>(p.n_angles);
        const auto length = static_cast<unsigned>(width(p));
        each_below(block, n * n_factors, [&](unsigned i) {
            // All exponentials, then all angles: threads of a warp do the same.
            if (i < n * n_exponentials) {
                const unsigned q = i / n_exponentials, c = i % n_exponentials;
                table[q * length + c] = pairs.exponential(p.exponentials[c], q);
                return;
            }
            const unsigned n_angles = n_factors - n_exponentials, j = i - n * n_exponentials;
            const unsigned q = j / n_angles, a = j % n_angles;
            double* to = table + q * length;
            const acsf::AngleFactor f = acsf::angle_factor<true>(p.angles[a], pairs.cosine[q]);
            to[n_exponentials + 2 * a] = f.value;
            to[n_exponentials + 2 * a + 1] = f.slope;
        });
    }

    // Of n pairs, each [chunk]: what they add to `own` of j and of k, and the factor of the other
    // neighbour's vector.
    template <typename Block>
    MOLKERN_DEVICE void weigh(Block& block, const Near& near, const Chunk& pairs, unsigned n,
                              const double* row, const double* table, double* result) const {
        each_below(block, n, [&](unsigned q) {
            const double* values = table + q * static_cast<unsigned>(width(p));
            const double* angles = values + p.n_exponentials;
            const double* g = row + angular_begin(p, pairs.segment[q]);
            const double open = pairs.open[q], fc = pairs.cutoff[q];
            double of_closed = 0, of_open = 0, sum = 0, r2 = 0, turn = 0;
            for (std::size_t i = 0; i < p.n_exponentials; ++i) {
                const AcsfExponential& x = p.exponentials[i];
                const double weight = values[i] * (x.closed ? open * fc : open);
                double total = 0, turned = 0;
                for (std::size_t f = x.first; f < x.last; ++f) {
                    const double* angle = angles + 2 * p.angular[f].angle;
                    total += g[p.angular[f].slot] * angle[0];
                    turned += g[p.angular[f].slot] * angle[1];
                }
                turn += weight * turned;
                (x.closed ? of_closed : of_open) += total * values[i];
                (x.closed ? r2 : sum) -= x.eta * (total * weight);
            }
            sum += r2;
            const double cutoffs = 2 * (of_closed * fc + of_open);
            r2 += of_closed * open * pairs.slope[q];
            const std::int64_t j = pairs.j[q], k = pairs.k[q];
            const double both = r2 + sum, bent = turn * pairs.cosine[q];
            result[q] = 2 * (both + cutoffs * near.slope[j] * near.cutoff[k]) -
                        bent * near.inverse[j] * near.inverse[j];
            result[chunk + q] = 2 * (both + cutoffs * near.cutoff[j] * near.slope[k]) -
                                bent * near.inverse[k] * near.inverse[k];
            result[2 * chunk + q] = turn * near.inverse[j] * near.inverse[k] - 2 * r2;
        });
    }

    template <typename Block>
    MOLKERN_DEVICE void add(Block& block, const Near& near, const Chunk& pairs, unsigned n,
                            const double* result, double* sums) const {
        each_below(block, static_cast<unsigned>(n_sums * near.n), [&](unsigned i) {
            const auto k = static_cast<std::int32_t>(i / n_sums);
            const unsigned c = i % n_sums;
            const double* vector = c == 1 ? near.x : c == 2 ? near.y : near.z;
            double total = 0;
            for (unsigned q = 0; q < n; ++q) {
                const bool is_j = pairs.j[q] == k;
                if (!is_j && pairs.k[q] != k) continue;
                const std::int32_t other = is_j ? pairs.k[q] : pairs.j[q];
                total +=
                    c == 0 ? result[is_j ? q : chunk + q] : result[2 * chunk + q] * vector[other];
            }
            sums[i] += total;
        });
    }

    template <typename Block>
    MOLKERN_DEVICE void write(Block& block, const Near& near, const double* row,
                              const double* sums) const {
        block.for_each(near.n, [&](std::int64_t k) {
            const std::int64_t pair = near.first + k;
            const double* g = row + neighbors.species[pair] * static_cast<std::int64_t>(p.n_radial);
            double radial = 0;
            for (std::size_t f = 0; f < p.n_radial; ++f)
                radial += g[f] * acsf::radial_slope(p.radial[f], neighbors.distance[pair],
                                                    near.inverse[k], near.cutoff[k], near.slope[k]);
            const double own = 2 * radial + sums[n_sums * k];
            gx[pair] = own * near.x[k] + sums[n_sums * k + 1];
            gy[pair] = own * near.y[k] + sums[n_sums * k + 2];
            gz[pair] = own * near.z[k] + sums[n_sums * k + 3];
        });
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t center = block.index(),
                           size = static_cast<std::int64_t>(acsf_features(p));
        const Near near = Near::in(block, p, neighbors, center, most);
        const Chunk pairs = Chunk::in(block);
        double* row = block.template shared<double>(static_cast<std::size_t>(size));
        double* sums = block.template shared<double>(n_sums * static_cast<std::size_t>(most));
        double* table = block.template shared<double>(width(p) * chunk);
        double* result = block.template shared<double>(3 * chunk);
        const Real* from = cotangent.of(center);
        block.for_each(size, [&](std::int64_t f) { row[f] = static_cast<double>(from[f]); });
        block.for_each(n_sums * near.n, [&](std::int64_t i) { sums[i] = 0; });
        const std::int64_t n_pairs = p.n_angular == 0 ? 0 : near.pairs.size();
        for (std::int64_t q = 0; q < n_pairs; q += chunk) {
            const auto n = static_cast<unsigned>(n_pairs - q < chunk ? n_pairs - q : chunk);
            pairs.fill(block, p, near, q, n);
            tabulate(block, pairs, n, table);
            weigh(block, near, pairs, n, row, table, result);
            add(block, near, pairs, n, result, sums);
        }
        write(block, near, row, sums);
    }
};

}  // namespace

template <typename Real>
void pair_gradients(const AcsfParameters& p, const DeviceNeighbors& neighbors, std::int64_t most,
                    const Cotangent<Real>& cotangent, double* gx, double* gy, double* gz,
                    Stream stream) {
    launch_of_any_size(GradientsKernel<Real>{p, neighbors, most, cotangent, gx, gy, gz},
                       neighbors.n_centers, GradientsKernel<Real>::shared_bytes(p, most), stream);
}

template void pair_gradients<float>(const AcsfParameters&, const DeviceNeighbors&, std::int64_t,
                                    const Cotangent<float>&, double*, double*, double*, Stream);
template void pair_gradients<double>(const AcsfParameters&, const DeviceNeighbors&, std::int64_t,
                                     const Cotangent<double>&, double*, double*, double*, Stream);

}  // namespace molkern::cuda::acsf_device
