// Atom-centred symmetry functions (Behler 2011, doi:10.1063/1.3553717): parameters of the kernel.
#pragma once

#include <cstddef>

namespace molkern {

enum class CutoffFunction { cosine, tanh3, polynomial };

/// A sum over neighbours: fc(r), exp(-factor (r - r_s)^2) fc(r) or cos(factor r) fc(r).
struct AcsfRadial {
    enum Kind { cutoff, gaussian, cosine } kind;
    double factor;  // 1 / angstrom^2, or 1 / angstrom
    double r_s;     // angstrom
};

/// exp(-eta (r_j^2 + r_k^2 [+ r_jk^2])) of pairs of neighbours.
///
/// power   0: computed; otherwise that power of the exponential `base`, which is a computed one
struct AcsfExponential {
    double eta;  // 1 / angstrom^2
    std::size_t power, base;
    bool closed;              // with r_jk (G4) or without (G5)
    std::size_t first, last;  // its functions among `angular`
};

/// 2^(1 - zeta) (1 + lambda cos)^zeta. `whole` is zeta where that is a whole number, otherwise 0.
struct AcsfAngle {
    double lambda, zeta;
    std::size_t whole;
};

/// angle * exponential * cutoffs, summed over pairs of neighbours. `slot` is its place among the
/// features of a pair of species.
struct AcsfAngular {
    std::size_t exponential, angle, slot;
};

/// Up to 8 functions that are summed together.
///
/// grid         two exponentials, each with the same four angles
/// contiguous   eight, with slots that follow each other
struct AcsfGroup {
    std::size_t n;
    AcsfAngular function[8];
    bool grid, contiguous;
};

/// Features: for every species the radial functions, then for every pair of species (0,0) (1,0)
/// (1,1) (2,0) ... the angular ones.
///
/// radial         [n_radial]
/// exponentials   [n_exponentials]   those of G4 first
/// angles         [n_angles]
/// angular        [n_angular]        ordered by exponential
/// groups         [n_groups]         the same functions again
struct AcsfParameters {
    std::size_t n_species;
    double r_cut;  // angstrom
    CutoffFunction cutoff;
    const AcsfRadial* radial;
    std::size_t n_radial;
    const AcsfExponential* exponentials;
    std::size_t n_exponentials;
    const AcsfAngle* angles;
    std::size_t n_angles;
    const AcsfAngular* angular;
    std::size_t n_angular;
    const AcsfGroup* groups;
    std::size_t n_groups;
};

/// Length of a row. Always inlined: kernels use it, and must not leave a copy outside of their
/// level.
[[gnu::always_inline]] constexpr std::size_t acsf_features(const AcsfParameters& p) noexcept {
    return p.n_species * p.n_radial + p.n_species * (p.n_species + 1) / 2 * p.n_angular;
}

}  // namespace molkern
