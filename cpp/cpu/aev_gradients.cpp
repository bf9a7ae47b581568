// Derivatives of atomic environment vectors (Smith et al. 2017, doi:10.1039/C6SC05720A; values and
// definition in aev.cpp).
//
// A pair's part of the result, w S(cos theta, (r_j + r_k) / 2) with w = 2 f(r_j) f(r_k), needs S
// and its two derivatives: for vjp two products of the cotangent's block with the angular factors
// and with their derivatives, so 2 n_sections n_shifts multiply-adds; pairs are in the lanes. What
// a neighbour gets from its pairs is linear in 5 sums over them.
//
// Floor of vjp, ANI-1x, for 8 pairs: 64 for the products, 8 x 13 for the sections, and 4
// exponentials: 0.5 us a centre in QM7 with the radial part, counted as in aev.cpp; it takes 1.6
// us. The Jacobian is bound by its (n, 3, n_features) numbers, and 2 x 3 x 2 multiply-adds for each
// of the features of a pair.

#include "cpu/aev_pairs.hpp"

#include "core/sums.hpp"
#include "cpu/kernels.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace {

// Features of a neighbour's species: the lanes of the sum over features of cotangent times
// derivative by r, without radial_factor.
inline V radial_slope(const AevParameters& p, const double* cotangent, double r, double cutoff,
                      double slope) noexcept {
    const double falling = -2 * p.eta * cutoff;
    V total{};
    for (std::size_t k = 0; k < p.n_shifts; k += width) {
        V weight{};
        if (k + width <= p.n_shifts)
            weight = load(cotangent + k);
        else
            for (std::size_t l = 0; k + l < p.n_shifts; ++l) weight[l] = cotangent[k + l];
        const V d = r - load(p.shifts + k);
        total += weight * exp2_product(d * d, broadcast(-log2_e * p.eta)) * (slope + falling * d);
    }
    return total;
}

// Gradients by the radial part; along the unit vectors of all neighbours. Eight of them at a time,
// so that their sums over lanes are done together.
void radial_vjp(const AevParameters& p, const Center& center, const double* cotangent,
                double* cutoff, double* slope, double* gx, double* gy, double* gz) noexcept {
    for (std::size_t j = 0; j < center.n; j += width) {
        const CutoffOfDistance f = cosine_cutoff(load(center.distance + j), p.r_cut);
        store(cutoff + j, f.value);
        store(slope + j, f.derivative);
    }
    std::size_t s = 0;
    for (std::size_t j = 0; j < center.n; j += 8) {
        V totals[8] = {};
        const std::size_t count = center.n - j < 8 ? center.n - j : 8;
        for (std::size_t l = 0; l < count; ++l) {
            while (center.begin[s + 1] <= j + l) ++s;
            totals[l] = radial_slope(p, cotangent + p.place[s] * p.n_shifts, center.distance[j + l],
                                     cutoff[j + l], slope[j + l]);
        }
        double sums[8];
        lane_sums(totals, sums);
        for (std::size_t l = 0; l < count; ++l) {
            const double g = radial_factor * sums[l] / center.distance[j + l];
            gx[j + l] = g * center.x[j + l];
            gy[j + l] = g * center.y[j + l];
            gz[j + l] = g * center.z[j + l];
        }
    }
}

// Replaces sine by S, mean by w S', weight by w dS/dcos of the pairs of a segment.
void contract(const AevParameters& p, const Segment& segment, const double* block, Pairs& pairs,
              double* sections) noexcept {
    const Exponent less_one(p.zeta - 1);
    for (std::size_t v = segment.begin; v < segment.end; v += width) {
        const AevAngle angle = aev_angle(load(pairs.cosine + v));
        const V mean = load(pairs.mean + v), weight = load(pairs.weight + v);
        for (std::size_t s = 0; s < p.n_sections; ++s) {
            const AevFactor f = section(p, s, angle, less_one);
            store(sections + 2 * s * width, f.value);
            store(sections + (2 * s + 1) * width, f.derivative);
        }
        V total{}, by_mean{}, by_cosine{};
        for (std::size_t a = 0; a < p.n_angular_shifts; ++a) {
            V sum_value{}, sum_derivative{};
            for (std::size_t s = 0; s < p.n_sections; ++s) {
                const double c = block[a * p.n_sections + s];
                sum_value += c * load(sections + 2 * s * width);
                sum_derivative += c * load(sections + (2 * s + 1) * width);
            }
            const AevFactor g = shift(p.angular_eta, p.angular_shifts[a], mean);
            total += g.value * sum_value;
            by_mean += g.derivative * sum_value;
            by_cosine += g.value * sum_derivative;
        }
        store(pairs.sine + v, total);
        store(pairs.mean + v, weight * by_mean);
        store(pairs.weight + v, weight * by_cosine);
    }
}

void add_to_sums(const Near& near, const Pairs& pairs, const Segment& segment,
                 double* sums) noexcept {
    for (std::size_t q = segment.begin; q < segment.end; ++q) {
        const auto j = static_cast<std::size_t>(pairs.first[q]);
        const auto k = static_cast<std::size_t>(pairs.second[q]);
        double* to_j = sums + aev_sums * j;
        double* to_k = sums + aev_sums * k;
        const double value = 2 * pairs.sine[q], by_mean = 0.5 * pairs.mean[q];
        const double by_cosine = cosine_factor * pairs.weight[q];
        to_j[0] += value * near.cutoff[k];
        to_j[1] += by_mean;
        to_j[2] += by_cosine * near.x[k];
        to_j[3] += by_cosine * near.y[k];
        to_j[4] += by_cosine * near.z[k];
        to_k[0] += value * near.cutoff[j];
        to_k[1] += by_mean;
        to_k[2] += by_cosine * near.x[j];
        to_k[3] += by_cosine * near.y[j];
        to_k[4] += by_cosine * near.z[j];
    }
}

// Derivatives of one pair's features by one of its neighbours, [3, n_features].
struct Side {
    double value, by_mean;  // multiply dr/d(position)
    double direction[3];    // dr/d(position)
    double turn[3];         // weight * dcos/d(position)
};

// Neighbour k of the pair q with j.
Side side_of(const Near& near, const Pairs& pairs, std::size_t q, std::size_t j,
             std::size_t k) noexcept {
    Side side;
    side.value = 2 * near.cutoff[j] * near.slope[k];
    side.by_mean = 0.5 * pairs.weight[q];
    const double own[3] = {near.x[k], near.y[k], near.z[k]};
    const double other[3] = {near.x[j], near.y[j], near.z[j]};
    for (std::size_t d = 0; d < 3; ++d) {
        side.direction[d] = own[d];
        side.turn[d] = pairs.weight[q] * near.inverse[k] *
                       (cosine_factor * other[d] - pairs.cosine[q] * own[d]);
    }
    return side;
}

// Adds the derivatives of one pair. `sections` and `shifts` hold values, then derivatives.
void add_derivatives(const AevParameters& p, const Side& side, const double* sections,
                     const double* shifts, std::size_t n_features, double* to) noexcept {
    const std::size_t n = p.n_sections;
    for (std::size_t a = 0; a < p.n_angular_shifts; ++a) {
        const double along = shifts[a] * side.value + shifts[p.n_angular_shifts + a] * side.by_mean;
        for (std::size_t d = 0; d < 3; ++d) {
            const double first = along * side.direction[d], second = shifts[a] * side.turn[d];
            double* block = to + d * n_features + a * n;
            for (std::size_t s = 0; s < n; ++s)
                block[s] += first * sections[s] + second * sections[n + s];
        }
    }
}

// Values and derivatives of all factors of the pairs of a segment, rows of pairs_capacity:
// sections, their derivatives, shifts, their derivatives.
void tabulate(const AevParameters& p, const Segment& segment, const Pairs& pairs,
              double* table) noexcept {
    const Exponent less_one(p.zeta - 1);
    double* shifts = table + 2 * p.n_sections * pairs_capacity;
    for (std::size_t v = segment.begin; v < segment.end; v += width) {
        const AevAngle angle = aev_angle(load(pairs.cosine + v));
        const V mean = load(pairs.mean + v);
        for (std::size_t s = 0; s < p.n_sections; ++s) {
            const AevFactor f = section(p, s, angle, less_one);
            store(table + s * pairs_capacity + v, f.value);
            store(table + (p.n_sections + s) * pairs_capacity + v, f.derivative);
        }
        for (std::size_t a = 0; a < p.n_angular_shifts; ++a) {
            const AevFactor g = shift(p.angular_eta, p.angular_shifts[a], mean);
            store(shifts + a * pairs_capacity + v, g.value);
            store(shifts + (p.n_angular_shifts + a) * pairs_capacity + v, g.derivative);
        }
    }
}

void radial_jacobian(const AevParameters& p, const Center& center, std::size_t n_features,
                     double* values) noexcept {
    for (std::size_t s = 0; s < p.n_species; ++s)
        for (std::size_t j = center.begin[s]; j < center.begin[s + 1]; ++j) {
            const double r = center.distance[j];
            const CutoffOfDistance f = cosine_cutoff(broadcast(r), p.r_cut);
            const double unit[3] = {center.x[j] / r, center.y[j] / r, center.z[j] / r};
            double* to = values + 3 * j * n_features + p.place[s] * p.n_shifts;
            for (std::size_t k = 0; k < p.n_shifts; k += width) {
                const V d = r - load(p.shifts + k);
                const V slope = radial_factor * exp2_product(d * d, broadcast(-log2_e * p.eta)) *
                                (f.derivative - 2 * p.eta * d * f.value);
                for (std::size_t c = 0; c < 3; ++c)
                    for (std::size_t l = 0; l < width && k + l < p.n_shifts; ++l)
                        to[c * n_features + k + l] = slope[l] * unit[c];
            }
        }
}

}  // namespace

void aev_vjp(const void* parameters, const Center& center, const double* cotangent, double* scratch,
             double* gx, double* gy, double* gz) noexcept {
    const auto& p = *static_cast<const AevParameters*>(parameters);
    double* free = aligned(scratch);
    double* cutoff = free;
    double* slope = cutoff + room(center.n);
    free = slope + room(center.n);
    radial_vjp(p, center, cotangent, cutoff, slope, gx, gy, gz);
    const Near near = nearby(p, center, free);
    Pairs pairs(free);
    const std::size_t n = near.begin[p.n_species];
    double* sums = free;
    double* sections = sums + room(aev_sums * n);
    for (std::size_t i = 0; i < aev_sums * n; ++i) sums[i] = 0;
    for_pairs<true>(p, near, pairs, [&] {
        for (std::size_t s = 0; s < pairs.n_segments; ++s) {
            const Segment& segment = pairs.segments[s];
            contract(p, segment, cotangent + segment.feature, pairs, sections);
            add_to_sums(near, pairs, segment, sums);
        }
    });
    for (std::size_t k = 0; k < n; ++k) {
        const double* t = sums + aev_sums * k;
        const double turned = t[2] * near.x[k] + t[3] * near.y[k] + t[4] * near.z[k];
        const double along = near.slope[k] * t[0] + t[1] - near.inverse[k] * turned;
        const auto j = static_cast<std::size_t>(near.index[k]);
        gx[j] += along * near.x[k] + near.inverse[k] * t[2];
        gy[j] += along * near.y[k] + near.inverse[k] * t[3];
        gz[j] += along * near.z[k] + near.inverse[k] * t[4];
    }
}

void aev_jacobian(const void* parameters, const Center& center, double* scratch, double* values,
                  const BlockSink& sink) noexcept {
    const auto& p = *static_cast<const AevParameters*>(parameters);
    const std::size_t n_features = aev_features(p), n_rows = p.n_sections + p.n_angular_shifts;
    for (std::size_t i = 0; i < 3 * center.n * n_features; ++i) values[i] = 0;
    radial_jacobian(p, center, n_features, values);
    double* free = aligned(scratch);
    const Near near = nearby(p, center, free);
    Pairs pairs(free);
    double* factors = free;
    double* table = factors + room(2 * n_rows);
    for_pairs<true>(p, near, pairs, [&] {
        for (std::size_t s = 0; s < pairs.n_segments; ++s) {
            const Segment& segment = pairs.segments[s];
            tabulate(p, segment, pairs, table);
            for (std::size_t q = segment.begin; q < segment.end; ++q) {
                for (std::size_t i = 0; i < 2 * n_rows; ++i)
                    factors[i] = table[i * pairs_capacity + q];
                const auto j = static_cast<std::size_t>(pairs.first[q]);
                const auto k = static_cast<std::size_t>(pairs.second[q]);
                const auto add = [&](std::size_t other, std::size_t own) {
                    double* to =
                        values + 3 * static_cast<std::size_t>(near.index[own]) * n_features;
                    add_derivatives(p, side_of(near, pairs, q, other, own), factors,
                                    factors + 2 * p.n_sections, n_features, to + segment.feature);
                };
                add(j, k);
                add(k, j);
            }
        }
    });
    for (std::size_t k = 0; k < center.n; ++k) sink.take(sink.context, values + 3 * k * n_features);
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
