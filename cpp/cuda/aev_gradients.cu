// Derivatives of atomic environment vectors in reverse mode (formulas in cpu/aev_gradients.cpp), a
// block for each centre, in double.
//
// Floor, ANI-1x in QM7: for each of 44 pairs 8 sections with derivatives (13 operations), 4 shifts
// and 2 x 32 multiply-adds, 10 additions to its neighbours; 16 exponentials for each of 12.8
// neighbours: some 25 000 operations in double a centre. No thread adds to what belongs to another:
// a neighbour looks for its pairs among the 64 that are at hand.

#include "cuda/aev_near.hpp"

namespace molkern::cuda::aev {
namespace {

// Sums over the pairs of a neighbour k: 2 f(r_j) S, w S' / 2, and 0.95 w dS/dcos times the unit
// vector of j.
constexpr unsigned n_sums = 5;

template <typename Real>
struct GradientsKernel {
    static constexpr unsigned n_threads = threads;

    AevParameters p;
    DeviceNeighbors neighbors;
    std::int64_t most;
    Cotangent<Real> cotangent;
    double *gx, *gy, *gz;

    MOLKERN_HOST_DEVICE static std::size_t width(const AevParameters& p) noexcept {
        return 2 * (p.n_sections + p.n_angular_shifts);
    }

    static std::size_t shared_bytes(const AevParameters& p, std::int64_t most) noexcept {
        const std::size_t numbers = aev_features(p) + width(p) * chunk +
                                    n_sums * static_cast<std::size_t>(most) + 3 * chunk;
        return Near::bytes(static_cast<std::int64_t>(p.n_species), most) + Chunk::bytes() +
               8 * numbers + 6 * 16;
    }

    // Values and derivatives of the factors of n pairs: sections, then shifts.
    template <typename Block>
    MOLKERN_DEVICE void tabulate(Block& block, const Chunk& pairs, unsigned n,
                                 double* table) const {
        const auto n_sections = static_cast<unsigned>(p.n_sections);
        const unsigned n_factors = n_sections + static_cast<unsigned>(p.n_angular_shifts);
        const Exponent less_one(p.zeta - 1);
        each_below(block, n * n_factors, [&](unsigned i) {
            // All sections, then all shifts: threads of a warp do the same.
            const auto put = [&](unsigned at, const AevFactor& f) {
                table[2 * at] = f.value;
                table[2 * at + 1] = f.derivative;
            };
            if (i < n * n_sections) {
                const unsigned q = i / n_sections, k = i % n_sections;
                put(q * n_factors + k, section(p, k, pairs.angle(q), less_one));
            } else {
                const unsigned n_shifts = n_factors - n_sections, j = i - n * n_sections;
                const unsigned q = j / n_shifts, k = j % n_shifts;
                put(q * n_factors + n_sections + k,
                    shift(p.angular_eta, p.angular_shifts[k], pairs.mean[q]));
            }
        });
    }

    // Of n pairs S, w S' and w dS/dcos, each [chunk].
    template <typename Block>
    MOLKERN_DEVICE void contract(Block& block, const Near& near, const Chunk& pairs, unsigned n,
                                 const double* row, const double* table, double* result) const {
        const auto n_sections = static_cast<unsigned>(p.n_sections);
        const auto n_shifts = static_cast<unsigned>(p.n_angular_shifts);
        each_below(block, n, [&](unsigned q) {
            const double* sections = table + 2 * q * (n_sections + n_shifts);
            const double* shifts = sections + 2 * n_sections;
            const double* g = row + near.feature[pairs.segment[q]];
            double total = 0, by_mean = 0, by_cosine = 0;
            for (unsigned a = 0; a < n_shifts; ++a, g += n_sections) {
                double value = 0, derivative = 0;
                for (unsigned s = 0; s < n_sections; ++s) {
                    value += g[s] * sections[2 * s];
                    derivative += g[s] * sections[2 * s + 1];
                }
                total += shifts[2 * a] * value;
                by_mean += shifts[2 * a + 1] * value;
                by_cosine += shifts[2 * a] * derivative;
            }
            result[q] = total;
            result[chunk + q] = pairs.weight[q] * by_mean;
            result[2 * chunk + q] = pairs.weight[q] * by_cosine;
        });
    }

    template <typename Block>
    MOLKERN_DEVICE void add(Block& block, const Near& near, const Chunk& pairs, unsigned n,
                            const double* result, double* sums) const {
        each_below(block, static_cast<unsigned>(n_sums * near.size()), [&](unsigned i) {
            const auto k = static_cast<std::int32_t>(i / n_sums);
            const unsigned c = i % n_sums;
            const double* direction = c == 2 ? near.x : c == 3 ? near.y : near.z;
            double total = 0;
            for (unsigned q = 0; q < n; ++q) {
                if (pairs.j[q] != k && pairs.k[q] != k) continue;
                const std::int32_t other = pairs.j[q] == k ? pairs.k[q] : pairs.j[q];
                total += c == 0   ? 2 * result[q] * near.cutoff[other]
                         : c == 1 ? 0.5 * result[chunk + q]
                                  : cosine_factor * result[2 * chunk + q] * direction[other];
            }
            sums[i] += total;
        });
    }

    // Derivative of the radial part by the distance r of a neighbour of species s.
    MOLKERN_DEVICE double radial(const double* row, std::int64_t s, double r) const noexcept {
        const CutoffOfDistance f = cosine_cutoff(r, p.r_cut);
        const double* g = row + p.place[s] * p.n_shifts;
        double total = 0;
        for (std::size_t k = 0; k < p.n_shifts; ++k) {
            const AevFactor x = shift(p.eta, p.shifts[k], r);
            total += g[k] * (x.value * f.derivative + x.derivative * f.value);
        }
        return radial_factor * total;
    }

    template <typename Block>
    MOLKERN_DEVICE void write(Block& block, const Near& near, const CenterPlace& at,
                              const double* row, const double* sums) const {
        block.for_each(at.n, [&](std::int64_t i) {
            const std::int64_t pair = at.first + i, k = near.rank[i];
            const double r = neighbors.distance[pair], inverse = 1 / r;
            double along = radial(row, neighbors.species[pair], r) * inverse;
            double turn[3] = {0, 0, 0};
            if (k >= 0) {
                const double* t = sums + n_sums * k;
                const double turned = t[2] * near.x[k] + t[3] * near.y[k] + t[4] * near.z[k];
                along += inverse * (near.slope[k] * t[0] + t[1] - inverse * turned);
                for (int c = 0; c < 3; ++c) turn[c] = inverse * t[2 + c];
            }
            gx[pair] = along * neighbors.x[pair] + turn[0];
            gy[pair] = along * neighbors.y[pair] + turn[1];
            gz[pair] = along * neighbors.z[pair] + turn[2];
        });
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t center = block.index();
        const CenterPlace at{center, neighbors.first[center],
                             neighbors.first[center + 1] - neighbors.first[center]};
        const std::size_t features = aev_features(p);
        const Near near = Near::in(block, static_cast<std::int64_t>(p.n_species), most);
        const Chunk pairs = Chunk::in(block);
        double* row = block.template shared<double>(features);
        double* sums = block.template shared<double>(n_sums * static_cast<std::size_t>(most));
        double* table = block.template shared<double>(width(p) * chunk);
        double* result = block.template shared<double>(3 * chunk);
        const Real* from = cotangent.of(center);
        block.for_each(static_cast<std::int64_t>(features),
                       [&](std::int64_t f) { row[f] = static_cast<double>(from[f]); });
        near.prepare(block, p, neighbors, at);
        block.for_each(n_sums * near.size(), [&](std::int64_t i) { sums[i] = 0; });
        const std::int64_t n_pairs = near.pairs.size();
        for (std::int64_t q = 0; q < n_pairs; q += chunk) {
            const auto n = static_cast<unsigned>(n_pairs - q < chunk ? n_pairs - q : chunk);
            pairs.fill(block, near, q, n);
            tabulate(block, pairs, n, table);
            contract(block, near, pairs, n, row, table, result);
            add(block, near, pairs, n, result, sums);
        }
        write(block, near, at, row, sums);
    }
};

}  // namespace

template <typename Real>
void pair_gradients(const AevParameters& p, const DeviceNeighbors& neighbors, std::int64_t most,
                    const Cotangent<Real>& cotangent, double* gx, double* gy, double* gz,
                    Stream stream) {
    launch_of_any_size(GradientsKernel<Real>{p, neighbors, most, cotangent, gx, gy, gz},
                       neighbors.n_centers, GradientsKernel<Real>::shared_bytes(p, most), stream);
}

template void pair_gradients<float>(const AevParameters&, const DeviceNeighbors&, std::int64_t,
                                    const Cotangent<float>&, double*, double*, double*, Stream);
template void pair_gradients<double>(const AevParameters&, const DeviceNeighbors&, std::int64_t,
                                     const Cotangent<double>&, double*, double*, double*, Stream);

}  // namespace molkern::cuda::aev
