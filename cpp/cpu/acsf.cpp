// G2 = sum_j exp(-eta (r_j - r_s)^2) fc(r_j), G4 = 2^(1 - zeta) sum_{j<k} (1 + lambda cos)^zeta
// exp(-eta (r_j^2 + r_k^2 + r_jk^2)) fc(r_j) fc(r_k) fc(r_jk) and the other atom-centred symmetry
// functions (Behler 2011, doi:10.1063/1.3553717).
//
// Floor, for a centre with n neighbours, p = n (n - 1) / 2 pairs of them, e2 functions G2, e4
// different eta of G4 of which x are no small multiples of another, c (zeta, lambda), f functions:
// 18 operations for each of n e2 + p x exponentials, p (11 for fc(r_jk), 22 for the geometry, 2 e4
// + 4 c + f), and the bytes of the row. 8 G2 and 16 G4 on the first 500 molecules of QM7 (n = 12.6,
// p = 74, x = 2): 11 000 lane operations or 1400 vectors of 8, 0.4 us; measured 1.4 us for an atom,
// of which 0.2 find the neighbours.
//
// Vectors run over neighbours, or over pairs: the geometry is computed row by row and packed, so
// that what is expensive has no empty lanes. The pairs of two species are a segment of the packed
// ones.

#include "cpu/acsf_parts.hpp"
#include "cpu/kernels.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace {

using namespace acsf;

// Neighbours whose radial functions are tabulated at a time.
constexpr std::size_t block = 64;
constexpr std::size_t block_room = block + 8;

inline V masked(const double* values, std::size_t n) noexcept {
    return first_lanes(n < width ? n : width) ? load(values) : V{};
}

// Sum of n values.
double segment_sum(const double* values, std::size_t n) noexcept {
    V total{};
    for (std::size_t k = 0; k < n; k += width) total += masked(values + k, n - k);
    return sum<double>(total);
}

// The same for eight rows of a table: to[i] += sum.
void add_segment_sums(const double* values, std::size_t n, double* to) noexcept {
    V total[8] = {};
    for (std::size_t k = 0; k < n; k += width)
        for (std::size_t i = 0; i < 8; ++i) total[i] += masked(values + i * block_room + k, n - k);
    add_lane_sums(total, to);
}

// The functions of all neighbours are computed together, whatever their species: few empty lanes.
void radial(const AcsfParameters& p, const Center& center, const Neighbors& nb, double* table,
            double* row) noexcept {
    for (std::size_t first = 0; first < p.n_radial; first += 8) {
        const std::size_t n = p.n_radial - first < 8 ? p.n_radial - first : 8;
        for (std::size_t begin = 0; begin < nb.n; begin += block) {
            const std::size_t end = nb.n - begin < block ? nb.n : begin + block;
            for (std::size_t k = begin; k < end; k += width) {
                const V r = load(center.distance + k), fc = load(nb.cutoff + k);
                for (std::size_t i = 0; i < n; ++i)
                    store(table + i * block_room + k - begin,
                          radial_value(p.radial[first + i], r, fc));
            }
            for (std::size_t s = 0; s < p.n_species; ++s) {
                const std::size_t from = center.begin[s] > begin ? center.begin[s] : begin;
                const std::size_t end_of = center.begin[s + 1] < end ? center.begin[s + 1] : end;
                if (from >= end_of) continue;
                double* to = row + s * p.n_radial + first;
                if (n == 8)
                    add_segment_sums(table + from - begin, end_of - from, to);
                else
                    for (std::size_t i = 0; i < n; ++i)
                        to[i] += segment_sum(table + i * block_room + from - begin, end_of - from);
            }
        }
    }
}

// Sums over pairs begin .. end - 1 of weight * angle.
void sum_grid(const AcsfGroup& group, const double* weights, const double* values,
              std::size_t begin, std::size_t end, V* total) noexcept {
    const double* w[2];
    const double* a[4];
    for (std::size_t i = 0; i < 2; ++i)
        w[i] = weights + group.function[4 * i].exponential * pair_room;
    for (std::size_t i = 0; i < 4; ++i) a[i] = values + group.function[i].angle * pair_room;
    for (std::size_t i = 0; i < 8; ++i) total[i] = V{};
    for (std::size_t e = begin; e < end; e += width) {
        const V first = masked(w[0] + e, end - e), second = masked(w[1] + e, end - e);
        for (std::size_t i = 0; i < 4; ++i) {
            const V angle = masked(a[i] + e, end - e);
            total[i] += first * angle;
            total[i + 4] += second * angle;
        }
    }
}

void sum_any(const AcsfGroup& group, const double* weights, const double* values, std::size_t begin,
             std::size_t end, V* total) noexcept {
    for (std::size_t i = 0; i < 8; ++i) {
        const double* w = weights + group.function[i].exponential * pair_room;
        const double* a = values + group.function[i].angle * pair_room;
        total[i] = V{};
        for (std::size_t e = begin; e < end; e += width)
            total[i] += masked(w + e, end - e) * masked(a + e, end - e);
    }
}

// row[slot] += the sums of a group.
void add_group(const AcsfGroup& group, const double* weights, const double* values,
               std::size_t begin, std::size_t end, double* row) noexcept {
    V total[8];
    if (group.grid)
        sum_grid(group, weights, values, begin, end, total);
    else
        sum_any(group, weights, values, begin, end, total);
    if (group.contiguous) {
        add_lane_sums(total, row + group.function[0].slot);
        return;
    }
    double sums[8];
    lane_sums(total, sums);
    for (std::size_t i = 0; i < group.n; ++i) row[group.function[i].slot] += sums[i];
}

void angular(const AcsfParameters& p, const Center& center, const Neighbors& nb, Scratch scratch,
             double* row) noexcept {
    const Pairs pairs = pairs_in(scratch);
    double* weights = scratch.take(p.n_exponentials * pair_room);
    double* values = scratch.take(p.n_angles * pair_room);
    const double r2_cut = p.r_cut * p.r_cut, inverse_r2_cut = 1 / r2_cut;
    Runs runs;
    Walk walk(center.begin, p.n_species);
    while (walk.next(runs)) {
        pack(nb, runs, r2_cut, pairs);
        for (std::size_t e = 0; e < runs.n_pairs; e += width) {
            exponentials(p, pairs, e, weights);
            const V open = load(pairs.product + e);
            const V closed =
                open * cutoff<false>(p.cutoff, load(pairs.r2 + e), inverse_r2_cut).value;
            for (std::size_t i = 0; i < p.n_exponentials; ++i) {
                double* at = weights + i * pair_room + e;
                store(at, load(at) * (p.exponentials[i].closed ? closed : open));
            }
            angles<false>(p, pairs, e, values, nullptr);
        }
        for (std::size_t s = 0; s < runs.n_segments; ++s) {
            const Segment& of = runs.segment[s];
            double* to = row + angular_begin(p, of.a, of.b);
            for (std::size_t g = 0; g < p.n_groups; ++g)
                add_group(p.groups[g], weights, values, of.begin, of.end, to);
        }
    }
}

void acsf_values(const void* parameters, const Center& center, double* from, double* row) noexcept {
    const auto& p = *static_cast<const AcsfParameters*>(parameters);
    const std::size_t n_features = angular_begin(p, 0, p.n_species);
    for (std::size_t f = 0; f < n_features; ++f) row[f] = 0;
    Scratch scratch(from);
    const Neighbors nb = read_neighbors<false>(p, center, scratch);
    radial(p, center, nb, scratch.take(8 * block_room), row);
    if (p.n_angular > 0) angular(p, center, nb, scratch, row);
}

std::size_t acsf_scratch(const void* parameters, std::size_t most) noexcept {
    const auto& p = *static_cast<const AcsfParameters*>(parameters);
    const std::size_t neighbors = (neighbor_arrays + 4) * (padded(most) + 8);
    const std::size_t pairs = (pair_arrays + 7 + p.n_exponentials + 2 * p.n_angles) * pair_room;
    return 8 + neighbors + 8 * block_room + pairs + 8 * p.n_angles + padded(p.n_angular);
}

}  // namespace

const LocalFunctions acsf_functions = {acsf_scratch, acsf_values, acsf_vjp, acsf_jacobian, true};

}  // namespace MOLKERN_ISA
}  // namespace molkern
