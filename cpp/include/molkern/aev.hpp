// Atomic environment vectors: Smith, Isayev, Roitberg, Chem. Sci. 8, 3192 (2017),
// doi:10.1039/C6SC05720A, with the factors of torchani.
#pragma once

#include <cstddef>

namespace molkern {

/// place           [n_species]          of the ascending species, in the order of the features
/// shifts          [n_shifts]           of the radial Gaussians, angstrom
/// angular_shifts  [n_angular_shifts]   of the Gaussians of the mean distance, angstrom
/// half_cosines    [n_sections]         cos(theta_s) / 2 of the angles theta_s
/// half_sines      [n_sections]         sin(theta_s) / 2
///
/// The arrays of doubles are padded with zeros to the next multiple of 8. Cutoffs in angstrom, etas
/// in angstrom^-2, zeta at least 1.
///
/// A row holds [n_species, n_shifts], then [n_species (n_species + 1) / 2, n_angular_shifts,
/// n_sections]: pairs of species as (0, 0) (0, 1) ... (1, 1) ....
struct AevParameters {
    std::size_t n_species;
    const std::size_t* place;
    double r_cut, eta;
    std::size_t n_shifts;
    const double* shifts;
    double angular_r_cut, angular_eta, zeta;
    std::size_t n_angular_shifts;
    const double* angular_shifts;
    std::size_t n_sections;
    const double* half_cosines;
    const double* half_sines;
};

/// Length of a row. Always inlined: kernels use it, and must not leave a copy outside of their
/// level.
[[gnu::always_inline]] constexpr std::size_t aev_features(const AevParameters& p) noexcept {
    return p.n_species * p.n_shifts +
           p.n_species * (p.n_species + 1) / 2 * p.n_angular_shifts * p.n_sections;
}

}  // namespace molkern
