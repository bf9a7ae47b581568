// What values and derivatives of atom-centred symmetry functions share on a device: the neighbours
// of a centre, and some of their pairs.
#pragma once

#include "core/acsf_functions.hpp"
#include "core/cutoff_functions.hpp"
#include "cuda/each.hpp"
#include "cuda/local.hpp"
#include "cuda/pairs.hpp"

namespace molkern::cuda::acsf_device {

/// Threads of a block, and pairs that are worked on at a time.
constexpr unsigned threads = 64;
constexpr unsigned chunk = 64;

/// Where the features of pair of species t begin.
MOLKERN_HOST_DEVICE inline std::int64_t angular_begin(const AcsfParameters& p,
                                                      std::int64_t t) noexcept {
    return static_cast<std::int64_t>(p.n_species * p.n_radial) +
           t * static_cast<std::int64_t>(p.n_angular);
}

/// The neighbours first .. first + n - 1 of a centre, in shared memory.
///
/// x, y, z         [n]   from the centre
/// r2, inverse     [n]   squared distance, 1 / distance
/// cutoff, slope   [n]   cutoff function and its derivative by r^2
struct Near {
    std::int64_t first, n;
    double *x, *y, *z, *r2, *inverse, *cutoff, *slope;
    std::int64_t* of;
    PairsOfNeighbors pairs;

    static std::size_t bytes(std::int64_t n_species, std::int64_t most) noexcept {
        const std::int64_t numbers =
            7 * most + n_species + 1 + PairsOfNeighbors::n_segments(n_species) + 1;
        return static_cast<std::size_t>(8 * numbers + 9 * 16);
    }

    template <typename Block>
    MOLKERN_DEVICE static Near in(Block& block, const AcsfParameters& p,
                                  const DeviceNeighbors& neighbors, std::int64_t center,
                                  std::int64_t most) {
        const auto room = static_cast<std::size_t>(most);
        const auto n_species = static_cast<std::int64_t>(p.n_species);
        const auto segments = static_cast<std::size_t>(PairsOfNeighbors::n_segments(n_species));
        Near near;
        near.first = neighbors.first[center];
        near.n = neighbors.first[center + 1] - near.first;
        near.x = block.template shared<double>(room);
        near.y = block.template shared<double>(room);
        near.z = block.template shared<double>(room);
        near.r2 = block.template shared<double>(room);
        near.inverse = block.template shared<double>(room);
        near.cutoff = block.template shared<double>(room);
        near.slope = block.template shared<double>(room);
        near.of = block.template shared<std::int64_t>(p.n_species + 1);
        near.pairs = {n_species, near.of, block.template shared<std::int64_t>(segments + 1)};
        near.prepare(block, p, neighbors, center);
        return near;
    }

  private:
    template <typename Block>
    MOLKERN_DEVICE void prepare(Block& block, const AcsfParameters& p,
                                const DeviceNeighbors& neighbors, std::int64_t center) const {
        const double inverse_r2_cut = 1 / (p.r_cut * p.r_cut);
        block.for_each(n, [&](std::int64_t k) {
            const double r = neighbors.distance[first + k];
            const CutoffValue c = molkern::cutoff<true>(p.cutoff, r * r, inverse_r2_cut);
            x[k] = neighbors.x[first + k];
            y[k] = neighbors.y[first + k];
            z[k] = neighbors.z[first + k];
            r2[k] = r * r;
            inverse[k] = 1 / r;
            cutoff[k] = c.value;
            slope[k] = c.slope;
        });
        block.for_each(pairs.n_species + 1, [&](std::int64_t s) {
            of[s] = neighbors.begin[center * pairs.n_species + s] - first;
        });
        pairs.prepare(block);
    }
};

/// Some pairs, in shared memory, each array [chunk].
///
/// sum            r_j^2 + r_k^2
/// r2             r_jk^2
/// cosine         of the angle at the centre
/// open           2 fc(r_j) fc(r_k)
/// cutoff, slope  fc(r_jk) and its derivative by r_jk^2
/// j, k, segment  neighbours, and the pair of their species
struct Chunk {
    double *sum, *r2, *cosine, *open, *cutoff, *slope;
    std::int32_t *j, *k, *segment;

    static constexpr std::size_t bytes() noexcept { return (6 * 8 + 3 * 4) * chunk; }

    template <typename Block>
    MOLKERN_DEVICE static Chunk in(Block& block) {
        Chunk c;
        c.sum = block.template shared<double>(chunk);
        c.r2 = block.template shared<double>(chunk);
        c.cosine = block.template shared<double>(chunk);
        c.open = block.template shared<double>(chunk);
        c.cutoff = block.template shared<double>(chunk);
        c.slope = block.template shared<double>(chunk);
        c.j = block.template shared<std::int32_t>(chunk);
        c.k = block.template shared<std::int32_t>(chunk);
        c.segment = block.template shared<std::int32_t>(chunk);
        return c;
    }

    /// Pairs q .. q + n - 1.
    template <typename Block>
    MOLKERN_DEVICE void fill(Block& block, const AcsfParameters& p, const Near& near,
                             std::int64_t q, std::int64_t n) const {
        const double inverse_r2_cut = 1 / (p.r_cut * p.r_cut);
        block.for_each(n, [&](std::int64_t i) {
            const std::int64_t n_segments = PairsOfNeighbors::n_segments(near.pairs.n_species);
            const std::int64_t t = last_not_above(near.pairs.begin, n_segments, q + i);
            const PairOfNeighbors pair = near.pairs.pair(q + i, t);
            const std::int64_t a = pair.j, b = pair.k;
            const double dx = near.x[b] - near.x[a], dy = near.y[b] - near.y[a],
                         dz = near.z[b] - near.z[a];
            const double dot =
                near.x[a] * near.x[b] + near.y[a] * near.y[b] + near.z[a] * near.z[b];
            r2[i] = dx * dx + dy * dy + dz * dz;
            sum[i] = near.r2[a] + near.r2[b];
            cosine[i] = dot * (near.inverse[a] * near.inverse[b]);
            open[i] = 2 * near.cutoff[a] * near.cutoff[b];
            const CutoffValue c = molkern::cutoff<true>(p.cutoff, r2[i], inverse_r2_cut);
            cutoff[i] = c.value;
            slope[i] = c.slope;
            j[i] = static_cast<std::int32_t>(a);
            k[i] = static_cast<std::int32_t>(b);
            segment[i] = static_cast<std::int32_t>(t);
        });
    }

    /// exp(-eta (r_j^2 + r_k^2 [+ r_jk^2])) of pair q.
    MOLKERN_DEVICE double exponential(const AcsfExponential& x, std::int64_t q) const noexcept {
        return exp2_product(x.closed ? sum[q] + r2[q] : sum[q], -log2_e * x.eta);
    }
};

/// Gradients of pairs; parameters on the device.
template <typename Real>
void pair_gradients(const AcsfParameters& p, const DeviceNeighbors& neighbors, std::int64_t most,
                    const Cotangent<Real>& cotangent, double* gx, double* gy, double* gz,
                    Stream stream);

}  // namespace molkern::cuda::acsf_device
