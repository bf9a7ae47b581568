// Atomic environment vectors, as torchani defines them (Smith et al. 2017, doi:10.1039/C6SC05720A):
// radial 1/4 sum_j exp(-eta (r_j - r_s)^2) f(r_j), and for each pair of species 2 sum_{j<k}
// [(1 + cos(theta - theta_s)) / 2]^zeta exp(-eta ((r_j + r_k) / 2 - r_s)^2) f(r_j) f(r_k), with
// cos(theta) = 0.95 cos(angle j i k), so that sin(theta) = sqrt(1 - cos^2) is never 0.
//
// Floor for a pair of neighbours: the product of n_sections angular and n_shifts radial factors,
// one multiply-add each; 2 multiply-adds and the power for a section, an exponential for a shift.
// ANI-1x: 4 + 7 vectors of 8 for products and sections, and 4 exponentials; 16 more exponentials a
// neighbour. A centre in QM7 has 12.8 neighbours, 44 pairs of them in reach: 480 vector operations
// and 380 exponentials, 0.35 us at the measured 3.65e9 and 1.75e9 a second (AVX-512). This kernel
// takes 0.86 us there, with the search for neighbours 1.1 us.
//
// The values keep sections (or shifts, what fills vectors better) in the lanes of the product, so
// that nothing is summed over lanes; gradients keep pairs there.

#include "cpu/aev_pairs.hpp"

#include "cpu/kernels.hpp"
#include "molkern/local.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace {

// to[i] += v[i] for the first `count` lanes.
inline void add_lanes(double* to, V v, std::size_t count) noexcept {
    if (count >= width) {
        store(to, load(to) + v);
        return;
    }
    for (std::size_t l = 0; l < count; ++l) to[l] += v[l];
}

// Radial part: shifts in the lanes, since a species has few neighbours.
void radial_values(const AevParameters& p, const Center& center, const double* cutoff,
                   double* row) noexcept {
    for (std::size_t s = 0; s < p.n_species; ++s) {
        if (center.begin[s] == center.begin[s + 1]) continue;
        double* block = row + p.place[s] * p.n_shifts;
        for (std::size_t k = 0; k < p.n_shifts; k += width) {
            const V shift = load(p.shifts + k);
            V total{};
            for (std::size_t j = center.begin[s]; j < center.begin[s + 1]; ++j) {
                const V d = center.distance[j] - shift;
                total += cutoff[j] * exp2_product(d * d, broadcast(-log2_e * p.eta));
            }
            add_lanes(block + k, radial_factor * total, p.n_shifts - k);
        }
    }
}

// Where the product of factors of the pairs goes: inner factors in the lanes.
struct Product {
    bool sections_inside;
    std::size_t n_outer, n_inner;
    std::size_t outer_stride, inner_stride;

    explicit Product(const AevParameters& p) noexcept {
        const auto vectors = [](std::size_t n) { return (n + width - 1) / width; };
        sections_inside = vectors(p.n_sections) * p.n_angular_shifts <=
                          vectors(p.n_angular_shifts) * p.n_sections;
        n_outer = sections_inside ? p.n_angular_shifts : p.n_sections;
        n_inner = sections_inside ? p.n_sections : p.n_angular_shifts;
        outer_stride = sections_inside ? p.n_sections : 1;
        inner_stride = sections_inside ? 1 : p.n_sections;
    }
};

// Outer factors of all pairs, rows of pairs_capacity, with the weights.
void outer_factors(const AevParameters& p, const Product& product, const Pairs& pairs,
                   double* outer) noexcept {
    const Exponent zeta(p.zeta);
    for (std::size_t v = 0; v < pairs.n; v += width) {
        const V cosine = load(pairs.cosine + v), weight = load(pairs.weight + v);
        const V rest = 1.0 - cosine * cosine;
        const V sine = rest * inverse_sqrt(rest);
        store(pairs.sine + v, sine);
        const V mean = load(pairs.mean + v);
        for (std::size_t o = 0; o < product.n_outer; ++o) {
            const V factor = product.sections_inside
                                 ? shift_value(p.angular_eta, p.angular_shifts[o], mean)
                                 : section_value(p, o, cosine, sine, zeta);
            store(outer + o * pairs_capacity + v, weight * factor);
        }
    }
}

// Adds the products of `rows` outer factors and the inner ones of one segment to its block.
template <int rows, bool sections_inside>
void multiply(const AevParameters& p, const Product& product, const Pairs& pairs,
              const Segment& segment, const double* outer, double* block) noexcept {
    const Exponent zeta(p.zeta);
    for (std::size_t l = 0; l < product.n_inner; l += width) {
        const V first = load((sections_inside ? p.half_cosines : p.angular_shifts) + l);
        const V second = sections_inside ? load(p.half_sines + l) : V{};
        V total[rows] = {};
        for (std::size_t q = segment.begin; q < segment.end; ++q) {
            V inner;
            if constexpr (sections_inside) {
                inner = power(0.5 + pairs.cosine[q] * first + pairs.sine[q] * second, zeta);
            } else {
                const V d = pairs.mean[q] - first;
                inner = exp2_product(d * d, broadcast(-log2_e * p.angular_eta));
            }
            for (int r = 0; r < rows; ++r)
                total[r] += outer[static_cast<std::size_t>(r) * pairs_capacity + q] * inner;
        }
        const std::size_t left = product.n_inner - l;
        for (std::size_t r = 0; r < rows; ++r) {
            double* to = block + r * product.outer_stride + l * product.inner_stride;
            if constexpr (sections_inside) {
                add_lanes(to, total[r], left);
            } else {
                for (std::size_t i = 0; i < width && i < left; ++i)
                    to[i * product.inner_stride] += total[r][i];
            }
        }
    }
}

template <bool sections_inside>
void multiply_all(const AevParameters& p, const Product& product, const Pairs& pairs,
                  const double* outer, double* row) noexcept {
    for (std::size_t s = 0; s < pairs.n_segments; ++s) {
        const Segment& segment = pairs.segments[s];
        double* block = row + segment.feature;
        const double* factors = outer;
        std::size_t left = product.n_outer;
        for (; left >= 4; left -= 4) {
            multiply<4, sections_inside>(p, product, pairs, segment, factors, block);
            factors += 4 * pairs_capacity;
            block += 4 * product.outer_stride;
        }
        for (; left > 0; --left) {
            multiply<1, sections_inside>(p, product, pairs, segment, factors, block);
            factors += pairs_capacity;
            block += product.outer_stride;
        }
    }
}

std::size_t scratch_size(const void* parameters, std::size_t most) noexcept {
    const auto& p = *static_cast<const AevParameters*>(parameters);
    const std::size_t rows = 2 * (p.n_sections + p.n_angular_shifts);
    return width + 2 * room(most) + Near::size(p, most) + Pairs::size() + aev_sums * room(most) +
           room(rows) + rows * pairs_capacity;
}

void values(const void* parameters, const Center& center, double* scratch, double* row) noexcept {
    const auto& p = *static_cast<const AevParameters*>(parameters);
    const std::size_t n_features = aev_features(p);
    for (std::size_t f = 0; f < n_features; ++f) row[f] = 0;
    double* free = aligned(scratch);
    double* cutoff = free;
    free += room(center.n);
    for (std::size_t j = 0; j < center.n; j += width)
        store(cutoff + j, cosine_cutoff(load(center.distance + j), p.r_cut).value);
    radial_values(p, center, cutoff, row);
    const Near near = nearby(p, center, free);
    Pairs pairs(free);
    const Product product(p);
    double* outer = free;
    for_pairs<false>(p, near, pairs, [&] {
        outer_factors(p, product, pairs, outer);
        if (product.sections_inside)
            multiply_all<true>(p, product, pairs, outer, row);
        else
            multiply_all<false>(p, product, pairs, outer, row);
    });
}

}  // namespace

const LocalFunctions aev_functions = {scratch_size, values, aev_vjp, aev_jacobian, true};

}  // namespace MOLKERN_ISA
}  // namespace molkern
