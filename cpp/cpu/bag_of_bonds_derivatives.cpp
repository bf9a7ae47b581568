// Derivatives of bags of bonds: of Z_i Z_j / |R_i - R_j| in the order that each bag has
// (Hansen et al. 2015, doi:10.1021/acs.jpclett.5b00831). Values of atoms are constants.

#include <algorithm>

#include "core/inverse_distance.hpp"
#include "cpu/batch.hpp"
#include "cpu/parallel.hpp"
#include "molkern/bag_of_bonds.hpp"

namespace molkern {
namespace {

struct Bond {
    double squared;  // distance
    std::size_t i, j;
};

// Within a bag, descending values are ascending distances. Where they are equal the order of the
// atoms decides, so that the sort needs not be stable.
bool precedes(const Bond& a, const Bond& b) {
    if (a.squared != b.squared) return a.squared < b.squared;
    return a.i != b.i ? a.i < b.i : a.j < b.j;
}

// One thread's scratch.
struct Work {
    std::size_t* begin;    // [n_species + 1]    first of `members` of each species
    std::size_t* place;    // [n_species]
    std::size_t* members;  // [n]               atoms by species
    Bond* bonds;           // [largest_bag]
};

std::size_t integers_needed(const BagParameters& p, std::size_t n) {
    return 2 * p.n_species + 1 + n;
}

void group_atoms(const Molecules& molecules, std::size_t m, const BagParameters& p, const Work& w) {
    const std::size_t n = molecules.size(m);
    const std::int32_t* numbers = molecules.numbers + molecules.first(m);
    std::fill_n(w.begin, p.n_species + 1, std::size_t{0});
    for (std::size_t i = 0; i < n; ++i) ++w.begin[p.species[numbers[i]] + 1];
    for (std::size_t s = 0; s < p.n_species; ++s) w.begin[s + 1] += w.begin[s];
    std::copy_n(w.begin, p.n_species, w.place);
    for (std::size_t i = 0; i < n; ++i) w.members[w.place[p.species[numbers[i]]]++] = i;
}

// The sorted bonds between species s and t >= s, at w.bonds; their end, or nullptr if two atoms
// coincide.
Bond* sorted_bonds(const double* r, std::size_t s, std::size_t t, const Work& w) {
    Bond* end = w.bonds;
    for (std::size_t a = w.begin[s]; a < w.begin[s + 1]; ++a) {
        for (std::size_t b = s == t ? a + 1 : w.begin[t]; b < w.begin[t + 1]; ++b) {
            const std::size_t i = w.members[a], j = w.members[b];
            *end = {squared_distance(r + 3 * i, r + 3 * j), i, j};
            if (!(end->squared > nearest_distance * nearest_distance)) return nullptr;
            ++end;
        }
    }
    std::sort(w.bonds, end, precedes);
    return end;
}

// Calls visit(feature, i, j, slope) for every bond of molecule m: slope [3] is its derivative with
// respect to atom i, the opposite that to j. False if two atoms coincide.
template <typename Visit>
bool each_bond(const Molecules& molecules, const BagParameters& p, std::size_t m, const Work& w,
               Visit visit) {
    const double* r = molecules.positions + 3 * molecules.first(m);
    group_atoms(molecules, m, p, w);
    std::size_t bag = p.n_species;
    for (std::size_t s = 0; s < p.n_species; ++s) {
        for (std::size_t t = s; t < p.n_species; ++t, ++bag) {
            const double charge = p.unit_length * p.numbers[s] * p.numbers[t];
            const Bond* end = sorted_bonds(r, s, t, w);
            if (end == nullptr) return false;
            auto feature = static_cast<std::size_t>(p.first[bag]);
            for (const Bond* b = w.bonds; b != end; ++b, ++feature) {
                double slope[3];
                inverse_distance_slope(r + 3 * b->i, r + 3 * b->j, b->squared, charge, slope);
                visit(feature, b->i, b->j, slope);
            }
        }
    }
    return true;
}

// Calls work(m, scratch) for every molecule; returns the first for which it is false.
template <typename Body>
std::size_t each_molecule(const Molecules& molecules, const BagParameters& p,
                          double nanoseconds_per_bond, int n_threads, Body work) {
    const std::size_t grain = items_per_range(nanoseconds_per_bond * mean_size_squared(molecules));
    const int threads = threads_for(molecules.n_molecules, grain, n_threads);
    const std::size_t largest = largest_molecule(molecules);
    const Scratch<std::size_t> integers(integers_needed(p, largest), threads);
    const Scratch<Bond> bonds(p.largest_bag, threads);
    LowestIndex bad;
    auto body = [&](std::size_t begin, std::size_t end, int thread) {
        std::size_t* piece = integers.of(thread);
        const Work w{piece, piece + p.n_species + 1, piece + 2 * p.n_species + 1, bonds.of(thread)};
        for (std::size_t m = begin; m < end; ++m)
            if (!work(m, w)) bad.report(m);
    };
    parallel_for(molecules.n_molecules, grain, threads, body);
    return bad.value();
}

}  // namespace

std::size_t bag_of_bonds_vjp(const Molecules& molecules, const BagParameters& p,
                             const double* cotangent, double* gradient, int n_threads) {
    const std::size_t features = bag_of_bonds_features(p);
    return each_molecule(molecules, p, 15, n_threads, [&](std::size_t m, const Work& w) {
        const double* g = cotangent + m * features;
        double* to = gradient + 3 * molecules.first(m);
        std::fill_n(to, 3 * molecules.size(m), 0.0);
        return each_bond(
            molecules, p, m, w,
            [&](std::size_t feature, std::size_t i, std::size_t j, const double* slope) {
                for (std::size_t x = 0; x < 3; ++x) {
                    to[3 * i + x] += g[feature] * slope[x];
                    to[3 * j + x] -= g[feature] * slope[x];
                }
            });
    });
}

template <typename Real>
std::size_t bag_of_bonds_jacobian(const Molecules& molecules, const BagParameters& p, Real* out,
                                  int n_threads) {
    const std::size_t features = bag_of_bonds_features(p);
    // Mostly zeros to be written: n blocks of n^2 / 2 numbers for each of the three directions.
    const double zeros = static_cast<double>(largest_molecule(molecules));
    return each_molecule(molecules, p, 15 + zeros, n_threads, [&](std::size_t m, const Work& w) {
        Real* to = out + 3 * molecules.first(m) * features;
        std::fill_n(to, 3 * molecules.size(m) * features, Real{0});
        return each_bond(
            molecules, p, m, w,
            [&](std::size_t feature, std::size_t i, std::size_t j, const double* slope) {
                for (std::size_t x = 0; x < 3; ++x) {
                    to[(3 * i + x) * features + feature] = static_cast<Real>(slope[x]);
                    to[(3 * j + x) * features + feature] = static_cast<Real>(-slope[x]);
                }
            });
    });
}

template std::size_t bag_of_bonds_jacobian<float>(const Molecules&, const BagParameters&, float*,
                                                  int);
template std::size_t bag_of_bonds_jacobian<double>(const Molecules&, const BagParameters&, double*,
                                                   int);

}  // namespace molkern
