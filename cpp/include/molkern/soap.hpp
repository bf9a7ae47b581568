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

/// The coefficients are c_nlm = sum_k transform_l[k, n] sum_j f_kl(r_j) S_lm(r_j) with solid
/// harmonics S_lm = r^l Y_lm, and the features sum_m c_nlm c_n'lm. f_kl is exp(-exponent_l[k] r^2),
/// or, if there is a table, a polynomial in t, -1 to 1, on each of the intervals of equal length.
///
/// exponents    [l_max + 1, row]            1 / angstrom^2
/// table        [n_intervals, soap_degree + 1, l_max + 1, row]   or null
/// inverse_spacing                          1 / length of an interval, 1 / angstrom
/// own          [row]                       f_k0(0)
/// transform    [l_max + 1, row, row]       from sums over neighbours to coefficients
/// transposed   [l_max + 1, row, row]
/// norms        [(l_max + 1)^2]             of the solid harmonics, see soap_parts.hpp
/// steps        [(l_max + 1)^2, 2]          factors of their recurrence
/// smooth       whether neighbours are weighted by the cutoff function
struct SoapParameters {
    std::size_t n_species, n_max, l_max;
    const double* exponents;
    const double* table;
    std::size_t n_intervals;
    double inverse_spacing;
    const double* own;
    const double* transform;
    const double* transposed;
    const double* norms;
    const double* steps;
    bool smooth;
    CutoffFunction cutoff;
    double r_cut;  // angstrom
};

/// For every pair of species (0,0) (0,1) ... (1,1) (1,2) ..., every l, every n and n' (n' >= n for
/// a pair of the same).
constexpr std::size_t soap_features(std::size_t n_species, std::size_t n_max,
                                    std::size_t l_max) noexcept {
    const std::size_t n = n_species * n_max;
    return n * (n + 1) / 2 * (l_max + 1);
}

}  // namespace molkern
