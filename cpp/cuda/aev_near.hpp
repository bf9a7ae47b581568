// What values and derivatives of atomic environment vectors share on a device: the neighbours of a
// centre within the angular cutoff, their pairs, and tables of the factors of some pairs.
#pragma once

#include "core/aev_functions.hpp"
#include "cuda/each.hpp"
#include "cuda/local.hpp"
#include "cuda/pairs.hpp"

namespace molkern::cuda::aev {

/// Threads of a block, and pairs that are worked on at a time.
constexpr unsigned threads = 64;
constexpr unsigned chunk = 64;

struct CenterPlace {
    std::int64_t center, first, n;  // its neighbours are first .. first + n - 1
};

/// In shared memory.
///
/// rank                 [n]             place of a neighbour among the near ones, or -1
/// index                [n_near]        among the neighbours
/// x, y, z              [n_near]        unit vectors
/// r, cutoff, slope     [n_near]        distance, cutoff function and its derivative
/// of, begin            see PairsOfNeighbors
/// feature              [n_segments]    where the features of a pair of species begin
struct Near {
    std::int32_t *rank, *index;
    double *x, *y, *z, *r, *cutoff, *slope;
    std::int64_t *of, *feature;
    PairsOfNeighbors pairs;

    static std::size_t bytes(std::int64_t n_species, std::int64_t most) noexcept {
        const std::int64_t segments = PairsOfNeighbors::n_segments(n_species);
        const std::int64_t numbers = 6 * most + n_species + 1 + 2 * segments + 1;
        return static_cast<std::size_t>(8 * numbers + 8 * most + 11 * 16);
    }

    template <typename Block>
    MOLKERN_DEVICE static Near in(Block& block, std::int64_t n_species, std::int64_t most) {
        const auto room = static_cast<std::size_t>(most);
        const auto species = static_cast<std::size_t>(n_species);
        const auto segments = static_cast<std::size_t>(PairsOfNeighbors::n_segments(n_species));
        Near near;
        near.rank = block.template shared<std::int32_t>(room);
        near.index = block.template shared<std::int32_t>(room);
        near.x = block.template shared<double>(room);
        near.y = block.template shared<double>(room);
        near.z = block.template shared<double>(room);
        near.r = block.template shared<double>(room);
        near.cutoff = block.template shared<double>(room);
        near.slope = block.template shared<double>(room);
        near.of = block.template shared<std::int64_t>(species + 1);
        near.feature = block.template shared<std::int64_t>(segments);
        near.pairs = {n_species, near.of, block.template shared<std::int64_t>(segments + 1)};
        return near;
    }

    MOLKERN_DEVICE std::int64_t size() const noexcept { return of[pairs.n_species]; }

    /// Near neighbours among the first `end` ones of a centre.
    MOLKERN_DEVICE static std::int64_t count(const double* distance, std::int64_t end,
                                             double r_cut) noexcept {
        std::int64_t n = 0;
        for (std::int64_t j = 0; j < end; ++j) n += distance[j] < r_cut;
        return n;
    }

    template <typename Block>
    MOLKERN_DEVICE void prepare(Block& block, const AevParameters& p,
                                const DeviceNeighbors& neighbors, const CenterPlace& at) const {
        const double* distance = neighbors.distance + at.first;
        block.for_each(at.n, [&](std::int64_t j) {
            const double d = distance[j];
            rank[j] = -1;
            if (!(d < p.angular_r_cut)) return;
            const std::int64_t k = count(distance, j, p.angular_r_cut);
            const CutoffOfDistance f = cosine_cutoff(d, p.angular_r_cut);
            rank[j] = static_cast<std::int32_t>(k);
            index[k] = static_cast<std::int32_t>(j);
            x[k] = neighbors.x[at.first + j] / d;
            y[k] = neighbors.y[at.first + j] / d;
            z[k] = neighbors.z[at.first + j] / d;
            r[k] = d;
            cutoff[k] = f.value;
            slope[k] = f.derivative;
        });
        const auto n_species = static_cast<std::int64_t>(p.n_species);
        block.for_each(n_species + 1, [&](std::int64_t s) {
            const std::int64_t end = neighbors.begin[at.center * n_species + s] - at.first;
            of[s] = count(distance, end, p.angular_r_cut);
        });
        const auto size = static_cast<std::int64_t>(p.n_angular_shifts * p.n_sections);
        block.for_each(PairsOfNeighbors::n_segments(n_species), [&](std::int64_t t) {
            const TrianglePlace species = triangle_place(t);
            const auto a = static_cast<std::int64_t>(p.place[species.column]);
            const auto b = static_cast<std::int64_t>(p.place[species.row]);
            const std::int64_t low = a < b ? a : b, high = a < b ? b : a;
            feature[t] = n_species * static_cast<std::int64_t>(p.n_shifts) +
                         (low * n_species - low * (low + 1) / 2 + high) * size;
        });
        pairs.prepare(block);
    }
};

/// Some pairs, in shared memory, each array [chunk].
///
/// cosine, sine   of theta
/// cotangent      their ratio
/// mean           (r_j + r_k) / 2
/// weight         2 f(r_j) f(r_k)
/// j, k, segment  near neighbours, and the pair of their species
struct Chunk {
    double *cosine, *sine, *cotangent, *mean, *weight;
    std::int32_t *j, *k, *segment;

    static constexpr std::size_t bytes() noexcept { return (5 * 8 + 3 * 4) * chunk; }

    template <typename Block>
    MOLKERN_DEVICE static Chunk in(Block& block) {
        Chunk c;
        c.cosine = block.template shared<double>(chunk);
        c.sine = block.template shared<double>(chunk);
        c.cotangent = block.template shared<double>(chunk);
        c.mean = block.template shared<double>(chunk);
        c.weight = block.template shared<double>(chunk);
        c.j = block.template shared<std::int32_t>(chunk);
        c.k = block.template shared<std::int32_t>(chunk);
        c.segment = block.template shared<std::int32_t>(chunk);
        return c;
    }

    MOLKERN_DEVICE AevAngle angle(std::int64_t q) const noexcept {
        return {cosine[q], sine[q], cotangent[q]};
    }

    /// Pairs q .. q + n - 1.
    template <typename Block>
    MOLKERN_DEVICE void fill(Block& block, const Near& near, std::int64_t q, std::int64_t n) const {
        block.for_each(n, [&](std::int64_t i) {
            const std::int64_t n_segments = PairsOfNeighbors::n_segments(near.pairs.n_species);
            const std::int64_t t = last_not_above(near.pairs.begin, n_segments, q + i);
            const PairOfNeighbors pair = near.pairs.pair(q + i, t);
            const std::int64_t a = pair.j, b = pair.k;
            const double dot =
                near.x[a] * near.x[b] + near.y[a] * near.y[b] + near.z[a] * near.z[b];
            const AevAngle theta = aev_angle(cosine_factor * dot);
            cosine[i] = theta.cosine;
            sine[i] = theta.sine;
            cotangent[i] = theta.cotangent;
            mean[i] = 0.5 * (near.r[a] + near.r[b]);
            weight[i] = 2 * near.cutoff[a] * near.cutoff[b];
            j[i] = static_cast<std::int32_t>(a);
            k[i] = static_cast<std::int32_t>(b);
            segment[i] = static_cast<std::int32_t>(t);
        });
    }
};

/// Gradients of pairs; parameters on the device.
template <typename Real>
void pair_gradients(const AevParameters& p, const DeviceNeighbors& neighbors, std::int64_t most,
                    const Cotangent<Real>& cotangent, double* gx, double* gy, double* gz,
                    Stream stream);

}  // namespace molkern::cuda::aev
