// Derivatives of Coulomb matrices with sorted or unsorted rows: of M_ij = Z_i Z_j / |R_i - R_j|
// in the order that the matrix has (Rupp et al. 2012, doi:10.1103/PhysRevLett.108.058301).
//
// The order comes from the kernel that sorts the matrix, so both always agree; the rest is the
// same code, and the same bits, on every instruction set.

#include <algorithm>

#include "core/inverse_distance.hpp"
#include "cpu/batch.hpp"
#include "cpu/parallel.hpp"
#include "cpu/table.hpp"
#include "molkern/coulomb_matrix.hpp"

namespace molkern {
namespace {

// Calls visit(feature, i, j, slope) for every element i != j of every triangle of molecule m:
// slope [3] is its derivative with respect to atom i, the opposite that to j. False if two atoms
// coincide.
template <typename Visit>
bool each_element(const Molecules& molecules, const CoulombParameters& p, std::size_t m,
                  const std::int64_t* orders, Visit visit) {
    const std::size_t n = molecules.size(m);
    const std::int32_t* numbers = molecules.numbers + molecules.first(m);
    const double* r = molecules.positions + 3 * molecules.first(m);
    std::size_t feature = 0;
    for (std::size_t copy = 0; copy < p.n_copies; ++copy, orders += n) {
        for (std::size_t k = 0; k < n; ++k) {
            const auto i = static_cast<std::size_t>(orders[k]);
            const double charge = p.unit_length * numbers[i];
            feature = copy * p.size * (p.size + 1) / 2 + k * (k + 1) / 2;
            for (std::size_t l = 0; l < k; ++l, ++feature) {
                const auto j = static_cast<std::size_t>(orders[l]);
                const double squared = squared_distance(r + 3 * i, r + 3 * j);
                if (!(squared > nearest_distance * nearest_distance)) return false;
                double slope[3];
                inverse_distance_slope(r + 3 * i, r + 3 * j, squared, charge * numbers[j], slope);
                visit(feature, i, j, slope);
            }
        }
    }
    return true;
}

// Calls work(m, orders) for every molecule; returns the first for which it is false.
template <typename Work>
std::size_t each_molecule(const Molecules& molecules, const CoulombParameters& p,
                          double nanoseconds_per_element, int n_threads, Work work) {
    const double elements = static_cast<double>(p.n_copies) * mean_size_squared(molecules);
    const std::size_t grain = items_per_range(nanoseconds_per_element * elements);
    const int threads = threads_for(molecules.n_molecules, grain, n_threads);
    const Scratch<double> scratch(coulomb_matrix_scratch(p.size), threads);
    const Scratch<std::int64_t> orders(p.n_copies * largest_molecule(molecules), threads);
    const auto order = kernels().coulomb_orders;
    LowestIndex bad;
    auto body = [&](std::size_t begin, std::size_t end, int thread) {
        for (std::size_t m = begin; m < end; ++m) {
            order(molecules, p, m, scratch.of(thread), orders.of(thread));
            if (!work(m, orders.of(thread))) bad.report(m);
        }
    };
    parallel_for(molecules.n_molecules, grain, threads, body);
    return bad.value();
}

}  // namespace

std::size_t coulomb_matrix_vjp(const Molecules& molecules, const CoulombParameters& p,
                               const double* cotangent, double* gradient, int n_threads) {
    const std::size_t features = coulomb_matrix_features(p);
    return each_molecule(
        molecules, p, 5, n_threads, [&](std::size_t m, const std::int64_t* orders) {
            const double* g = cotangent + m * features;
            double* to = gradient + 3 * molecules.first(m);
            std::fill_n(to, 3 * molecules.size(m), 0.0);
            return each_element(
                molecules, p, m, orders,
                [&](std::size_t feature, std::size_t i, std::size_t j, const double* slope) {
                    for (std::size_t x = 0; x < 3; ++x) {
                        to[3 * i + x] += g[feature] * slope[x];
                        to[3 * j + x] -= g[feature] * slope[x];
                    }
                });
        });
}

template <typename Real>
std::size_t coulomb_matrix_jacobian(const Molecules& molecules, const CoulombParameters& p,
                                    Real* out, int n_threads) {
    const std::size_t features = coulomb_matrix_features(p);
    // Mostly zeros to be written: n blocks of n^2 / 2 numbers for each of the three directions.
    const double zeros = static_cast<double>(largest_molecule(molecules));
    return each_molecule(
        molecules, p, 5 + zeros, n_threads, [&](std::size_t m, const std::int64_t* orders) {
            Real* to = out + 3 * molecules.first(m) * features;
            std::fill_n(to, 3 * molecules.size(m) * features, Real{0});
            return each_element(
                molecules, p, m, orders,
                [&](std::size_t feature, std::size_t i, std::size_t j, const double* slope) {
                    for (std::size_t x = 0; x < 3; ++x) {
                        to[(3 * i + x) * features + feature] = static_cast<Real>(slope[x]);
                        to[(3 * j + x) * features + feature] = static_cast<Real>(-slope[x]);
                    }
                });
        });
}

template std::size_t coulomb_matrix_jacobian<float>(const Molecules&, const CoulombParameters&,
                                                    float*, int);
template std::size_t coulomb_matrix_jacobian<double>(const Molecules&, const CoulombParameters&,
                                                     double*, int);

}  // namespace molkern
