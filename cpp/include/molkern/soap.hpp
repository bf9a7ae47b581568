// SOAP power spectrum (Bartók, Kondor, Csányi 2013, doi:10.1103/PhysRevB.87.184115): parameters of
// the kernel.
#pragma once

#include <cstddef>

#include "molkern/acsf.hpp"

namespace molkern {

/// Columns of rows of radial functions: the next multiple of 8, zeros behind the n_max-th.
constexpr std::size_t soap_row(std::size_t n_max) noexcept {
    return (n_max + 7) / 8 * 8;
}

/// Degree of the polynomials of tables.
constexpr std::size_t soap_degree = 7;

/// Which coefficients are multiplied: those of every two species; of the sum over species with
/// itself (mu2) or with every species (mu1nu1); of every species with itself (crossover).
enum class SoapCompression { none, mu2, mu1nu1, crossover };

/// A further weight of neighbours by their distance: see core/soap_weights.hpp.
enum class SoapWeighting { none, poly, pow, exp };

struct SoapWeight {
    SoapWeighting function;
    double c, d, m, r_0;  // r_0 in angstrom
};

/// Channels of coefficients whose products are features.
struct SoapPair {
    std::size_t a, b;
};

/// The coefficients are c_nlm = sum_k transform_l[k, n] sum_j w_j f_kl(r_j) S_lm(r_j) with weights
/// w_j and solid harmonics S_lm = r^l Y_lm, and the features sum_m c_nlm c_n'lm, those of an atom
/// divided by their norm if `normalize`. f_kl is exp(-exponent_l[k] r^2), or, if there is a table,
/// a polynomial in t, -1 to 1, on each of the intervals of equal length.
///
/// A channel of coefficients belongs to a species, the last one of mu1nu1 and the only one of mu2
/// to their sum.
///
/// pairs        [n_pairs]                   of channels
/// exponents    [l_max + 1, row]            1 / angstrom^2
/// table        [n_intervals, soap_degree + 1, l_max + 1, row]   or null
/// inverse_spacing                          1 / length of an interval, 1 / angstrom
/// own          [row]                       f_k0(0) times the weight of the centre
/// transform    [l_max + 1, row, row]       from sums over neighbours to coefficients
/// transposed   [l_max + 1, row, row]
/// norms        [(l_max + 1)^2]             of the solid harmonics, see core/soap_functions.hpp
/// steps        [(l_max + 1)^2, 2]          factors of their recurrence
/// of_species   [n_species]                 weights of atoms, or null
/// smooth       whether neighbours are weighted by the cutoff function
struct SoapParameters {
    std::size_t n_species, n_max, l_max;
    SoapCompression compression;
    const SoapPair* pairs;
    std::size_t n_pairs;
    std::size_t n_features;
    bool normalize;
    const double* exponents;
    const double* table;
    std::size_t n_intervals;
    double inverse_spacing;
    const double* own;
    const double* transform;
    const double* transposed;
    const double* norms;
    const double* steps;
    const double* of_species;
    SoapWeight weight;
    bool smooth;
    CutoffFunction cutoff;
    double r_cut;  // angstrom
};

/// Features of a pair of channels for one l: every n and n'; n' >= n for a channel with itself.
constexpr std::size_t soap_block(std::size_t n_max, const SoapPair& pair) noexcept {
    return pair.a == pair.b ? n_max * (n_max + 1) / 2 : n_max * n_max;
}

}  // namespace molkern
