// Derivatives of atom-centred symmetry functions (formulas in acsf.cpp) with respect to neighbours.
//
// A pair (j, k) enters through r_j^2, r_k^2, r_jk^2 and the cosine alone, so that its gradient is
// alpha_j x_j + beta x_k for j and alpha_k x_k + beta x_j for k: three numbers for each pair,
// whatever the number of functions. Floor of vjp: two multiply-adds for each function and pair, 14
// for the gradient, besides what the values cost.

#include "cpu/acsf_parts.hpp"
#include "cpu/kernels.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace {

using namespace acsf;

// Gradients of neighbours: own x + (bx, by, bz), each array [room].
struct Gradients {
    double *own, *bx, *by, *bz;
};

// What a function contributes to the gradient of each pair, each array [pair_room].
//
// sum      derivative by r_j^2 and r_k^2 without that of the cutoffs
// cutoffs  derivative by fc(r_j) is this times fc(r_k), and the other way round
// r2       derivative by r_jk^2
// cosine   derivative by the cosine
struct PairSlopes {
    double *sum, *cutoffs, *r2, *cosine;
};

// Tables of a number of pairs.
//
// closed          [pair_room]                  2 fc(r_j) fc(r_k) fc(r_jk)
// slope           [pair_room]                  its derivative by r_jk^2
// cutoff          [pair_room]                  fc(r_jk)
// exponentials    [n_exponentials, pair_room]
// angles, turns   [n_angles, pair_room]        and their derivatives by the cosine
struct Tables {
    Pairs pairs;
    PairSlopes slopes;
    double *closed, *slope, *cutoff, *exponentials, *angles, *turns;
};

Tables tables_in(const AcsfParameters& p, Scratch& scratch) noexcept {
    const Pairs pairs = pairs_in(scratch);
    const PairSlopes slopes = {scratch.take(pair_room), scratch.take(pair_room),
                               scratch.take(pair_room), scratch.take(pair_room)};
    return {pairs,
            slopes,
            scratch.take(pair_room),
            scratch.take(pair_room),
            scratch.take(pair_room),
            scratch.take(p.n_exponentials * pair_room),
            scratch.take(p.n_angles * pair_room),
            scratch.take(p.n_angles * pair_room)};
}

void fill(const AcsfParameters& p, const Neighbors& nb, const Runs& runs,
          const Tables& t) noexcept {
    const double r2_cut = p.r_cut * p.r_cut, inverse_r2_cut = 1 / r2_cut;
    pack(nb, runs, r2_cut, t.pairs);
    for (std::size_t e = 0; e < runs.n_pairs; e += width) {
        exponentials(p, t.pairs, e, t.exponentials);
        const V product = load(t.pairs.product + e);
        const CutoffValue fc = cutoff<true>(p.cutoff, load(t.pairs.r2 + e), inverse_r2_cut);
        store(t.closed + e, product * fc.value);
        store(t.slope + e, product * fc.slope);
        store(t.cutoff + e, fc.value);
        angles<true>(p, t.pairs, e, t.angles, t.turns);
    }
}

// Radial functions: derivative by r^2.
V slope_at(const AcsfRadial& f, const Neighbors& nb, std::size_t k) noexcept {
    const V inverse = load(nb.inverse_r + k);
    return radial_slope(f, load(nb.r2 + k) * inverse, inverse, load(nb.cutoff + k),
                        load(nb.slope + k));
}

void radial_vjp(const AcsfParameters& p, const Center& center, const Neighbors& nb,
                const double* cotangent, double* own) noexcept {
    for (std::size_t s = 0; s < p.n_species; ++s)
        for (std::size_t k = center.begin[s]; k < center.begin[s + 1]; k += width) {
            V total{};
            for (std::size_t f = 0; f < p.n_radial; ++f)
                total += cotangent[s * p.n_radial + f] * slope_at(p.radial[f], nb, k);
            // The lanes behind the end belong to the next species, which overwrites them.
            store(own + k, 2.0 * total);
        }
}

// Weighted derivatives of all functions of pairs begin .. end - 1, and of some after them, which
// the next segment overwrites. `turn` [n_angles, width] is scratch.
void weigh(const AcsfParameters& p, const Tables& t, std::size_t begin, std::size_t end,
           const double* cotangent, double* turn) noexcept {
    for (std::size_t e = begin; e < end; e += width) {
        const V fc = load(t.cutoff + e), closed = load(t.closed + e),
                open = load(t.pairs.product + e);
        V of_closed{}, of_open{}, sum{}, r2{};
        for (std::size_t c = 0; c < p.n_angles; ++c) store(turn + c * width, V{});
        for (std::size_t i = 0; i < p.n_exponentials; ++i) {
            const AcsfExponential& x = p.exponentials[i];
            const V value = load(t.exponentials + i * pair_room + e);
            const V weight = value * (x.closed ? closed : open);
            V total{};
            for (std::size_t f = x.first; f < x.last; ++f) {
                const std::size_t c = p.angular[f].angle;
                total += cotangent[f] * load(t.angles + c * pair_room + e);
                store(turn + c * width, load(turn + c * width) + cotangent[f] * weight);
            }
            (x.closed ? of_closed : of_open) += total * value;
            (x.closed ? r2 : sum) -= x.eta * (total * weight);
        }
        V cosine{};
        for (std::size_t c = 0; c < p.n_angles; ++c)
            cosine += load(turn + c * width) * load(t.turns + c * pair_room + e);
        store(t.slopes.sum + e, sum + r2);
        store(t.slopes.cutoffs + e, 2.0 * (of_closed * fc + of_open));
        store(t.slopes.r2 + e, r2 + of_closed * load(t.slope + e));
        store(t.slopes.cosine + e, cosine);
    }
}

// Derivatives of one function.
void single(const AcsfParameters& p, const Tables& t, std::size_t begin, std::size_t end,
            const AcsfAngular& f) noexcept {
    const AcsfExponential& x = p.exponentials[f.exponential];
    const double* exponential = t.exponentials + f.exponential * pair_room;
    const double* angle = t.angles + f.angle * pair_room;
    const double* turn = t.turns + f.angle * pair_room;
    for (std::size_t e = begin; e < end; e += width) {
        const V value = load(exponential + e) * load(angle + e);
        const V factor = load(x.closed ? t.closed + e : t.pairs.product + e);
        const V sum = -x.eta * (value * factor);
        store(t.slopes.sum + e, sum);
        store(t.slopes.cutoffs + e, x.closed ? 2.0 * value * load(t.cutoff + e) : 2.0 * value);
        store(t.slopes.r2 + e, x.closed ? sum + value * load(t.slope + e) : V{});
        store(t.slopes.cosine + e, load(exponential + e) * factor * load(turn + e));
    }
}

// Adds the gradients of the pairs of a segment to those of their neighbours.
void scatter(const Neighbors& nb, const Runs& runs, const Segment& of, const Tables& t,
             const Gradients& to) noexcept {
    std::size_t place = of.begin;
    for (std::size_t r = of.first_run; r < of.last_run; ++r) {
        const auto [j, first, n] = runs.run[r];
        const V x = broadcast(nb.x[j]), y = broadcast(nb.y[j]), z = broadcast(nb.z[j]);
        const double inverse_j = nb.inverse_r[j], fc_j = nb.cutoff[j], slope_j = nb.slope[j];
        V total[8] = {};
        for (std::size_t e = 0; e < n; e += width) {
            const std::size_t k = first + e, at = place + e;
            const Mask<double> mask = first_lanes(n - e < width ? n - e : width);
            const V zero{}, inverse = load(nb.inverse_r + k);
            const V r2 = mask ? load(t.slopes.r2 + at) : zero;
            const V cutoffs = mask ? load(t.slopes.cutoffs + at) : zero;
            const V turn = (mask ? load(t.slopes.cosine + at) : zero);
            const V both = r2 + (mask ? load(t.slopes.sum + at) : zero);
            const V bent = turn * load(t.pairs.cosine + at);
            const V of_j = 2.0 * (both + cutoffs * slope_j * load(nb.cutoff + k)) -
                           bent * (inverse_j * inverse_j);
            const V of_k =
                2.0 * (both + cutoffs * fc_j * load(nb.slope + k)) - bent * (inverse * inverse);
            const V beta = turn * (inverse * inverse_j) - 2.0 * r2;
            total[0] += of_j;
            total[1] += beta * load(nb.x + k);
            total[2] += beta * load(nb.y + k);
            total[3] += beta * load(nb.z + k);
            store(to.own + k, load(to.own + k) + of_k);
            store(to.bx + k, load(to.bx + k) + beta * x);
            store(to.by + k, load(to.by + k) + beta * y);
            store(to.bz + k, load(to.bz + k) + beta * z);
        }
        double sums[8];
        lane_sums(total, sums);
        to.own[j] += sums[0];
        to.bx[j] += sums[1];
        to.by[j] += sums[2];
        to.bz[j] += sums[3];
        place += n;
    }
}

Gradients gradients_in(const Neighbors& nb, Scratch& scratch) noexcept {
    return {scratch.take(nb.room), scratch.take(nb.room), scratch.take(nb.room),
            scratch.take(nb.room)};
}

void clear(const Gradients& g, std::size_t n) noexcept {
    for (std::size_t k = 0; k < n; ++k) g.own[k] = g.bx[k] = g.by[k] = g.bz[k] = 0;
}

// values[k, :, slot] += the gradients of neighbours begin .. end - 1, which are 0 afterwards.
void take_gradients(const Neighbors& nb, const Gradients& g, std::size_t begin, std::size_t end,
                    std::size_t n_features, double* values) noexcept {
    for (std::size_t k = begin; k < end; ++k) {
        double* at = values + 3 * k * n_features;
        at[0] += g.own[k] * nb.x[k] + g.bx[k];
        at[n_features] += g.own[k] * nb.y[k] + g.by[k];
        at[2 * n_features] += g.own[k] * nb.z[k] + g.bz[k];
        g.own[k] = g.bx[k] = g.by[k] = g.bz[k] = 0;
    }
}

}  // namespace

void acsf_vjp(const void* parameters, const Center& center, const double* cotangent, double* from,
              double* gx, double* gy, double* gz) noexcept {
    const auto& p = *static_cast<const AcsfParameters*>(parameters);
    Scratch scratch(from);
    const Neighbors nb = read_neighbors<true>(p, center, scratch);
    const Gradients g = gradients_in(nb, scratch);
    clear(g, nb.room);
    radial_vjp(p, center, nb, cotangent, g.own);
    if (p.n_angular > 0) {
        const Tables t = tables_in(p, scratch);
        double* turn = scratch.take(p.n_angles * width);
        double* ordered = scratch.take(p.n_angular);
        Runs runs;
        Walk walk(center.begin, p.n_species);
        while (walk.next(runs)) {
            fill(p, nb, runs, t);
            for (std::size_t s = 0; s < runs.n_segments; ++s) {
                const Segment& of = runs.segment[s];
                const double* of_pair = cotangent + angular_begin(p, of.a, of.b);
                for (std::size_t f = 0; f < p.n_angular; ++f)
                    ordered[f] = of_pair[p.angular[f].slot];
                weigh(p, t, of.begin, of.end, ordered, turn);
                scatter(nb, runs, of, t, g);
            }
        }
    }
    for (std::size_t k = 0; k < nb.n; ++k) {
        gx[k] = g.own[k] * nb.x[k] + g.bx[k];
        gy[k] = g.own[k] * nb.y[k] + g.by[k];
        gz[k] = g.own[k] * nb.z[k] + g.bz[k];
    }
}

namespace {

void fill_blocks(const AcsfParameters& p, const Center& center, double* from,
                 double* values) noexcept {
    const std::size_t n_features = angular_begin(p, 0, p.n_species);
    for (std::size_t e = 0; e < 3 * center.n * n_features; ++e) values[e] = 0;
    Scratch scratch(from);
    const Neighbors nb = read_neighbors<true>(p, center, scratch);
    const Gradients g = gradients_in(nb, scratch);
    clear(g, nb.room);
    for (std::size_t s = 0; s < p.n_species; ++s)
        for (std::size_t f = 0; f < p.n_radial; ++f) {
            const std::size_t begin = center.begin[s], end = center.begin[s + 1];
            for (std::size_t k = begin; k < end; k += width)
                store(g.own + k, 2.0 * slope_at(p.radial[f], nb, k));
            take_gradients(nb, g, begin, end, n_features, values + s * p.n_radial + f);
        }
    if (p.n_angular == 0) return;
    const Tables t = tables_in(p, scratch);
    Runs runs;
    Walk walk(center.begin, p.n_species);
    while (walk.next(runs)) {
        fill(p, nb, runs, t);
        for (std::size_t s = 0; s < runs.n_segments; ++s) {
            const Segment& of = runs.segment[s];
            double* to = values + angular_begin(p, of.a, of.b);
            for (std::size_t f = 0; f < p.n_angular; ++f) {
                single(p, t, of.begin, of.end, p.angular[f]);
                scatter(nb, runs, of, t, g);
                take_gradients(nb, g, center.begin[of.a], center.begin[of.a + 1], n_features,
                               to + p.angular[f].slot);
                if (of.a == of.b) continue;
                take_gradients(nb, g, center.begin[of.b], center.begin[of.b + 1], n_features,
                               to + p.angular[f].slot);
            }
        }
    }
}

}  // namespace

void acsf_jacobian(const void* parameters, const Center& center, double* scratch, double* rows,
                   const BlockSink& sink) noexcept {
    const auto& p = *static_cast<const AcsfParameters*>(parameters);
    fill_blocks(p, center, scratch, rows);
    const std::size_t size = 3 * angular_begin(p, 0, p.n_species);
    for (std::size_t k = 0; k < center.n; ++k) sink.take(sink.context, rows + k * size);
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
