// Similarities of structures: sums over all pairs of their atoms that are of one element,
//   K_AB = sum over a in A, b in B with Z_a = Z_b of k(x_a, x_b)
// Bartók, Payne, Kondor, Csányi, Phys. Rev. Lett. 104, 136403 (2010),
// doi:10.1103/PhysRevLett.104.136403; the sums as in De, Bartók, Csányi, Ceriotti, Phys. Chem.
// Chem. Phys. 18, 13754 (2016), doi:10.1039/C6CP00415F, restricted to pairs of one element.
#pragma once

#include <cstddef>
#include <cstdint>

namespace molkern {

/// k(x, y) of two atoms: exp(-scale |x - y|^2), or (scale x y + offset)^degree.
///
/// scales  [n_scales]   1 / (2 sigma^2) for the Gaussian
struct AtomSimilarity {
    enum Kind { gaussian, polynomial } kind;
    const double* scales;
    std::size_t n_scales;
    double offset;
    std::size_t degree;
};

/// Features of the atoms of some structures.
///
/// x        [n_atoms, n_features]
/// numbers  [n_atoms]   elements
/// offsets  first atom of every structure, then n_atoms
/// chosen   [n]         structures that take part, in the order of the result
template <typename Real>
struct AtomFeatures {
    const Real* x;
    const std::int32_t* numbers;
    const std::int64_t* offsets;
    const std::int64_t* chosen;
    std::size_t n;
};

/// Means of the features of each element: what is subtracted before products are formed.
///
/// elements  [n]               ascending; atoms of others lose nothing
/// values    [n, n_features]
template <typename Real>
struct AtomCentres {
    const std::int32_t* elements;
    std::size_t n;
    const Real* values;
};

/// Means over the atoms of x, summed in their order; values as in AtomCentres.
template <typename Real>
void atom_centres(const AtomFeatures<Real>& x, std::size_t n_features, const std::int32_t* elements,
                  std::size_t n, Real* values, int n_threads);

/// Similarities between the structures of x and those of y.
///
/// y        null: those of x, one triangle is computed
/// x_roots  [n_scales, n]      with y_roots: K_AB / (x_roots_A y_roots_B) is written, and 1 to a
/// y_roots  [n_scales, m]      symmetric diagonal; null: K_AB
/// out      [n_scales, n, m]
///
/// Products are summed in Real within chunks of features, everything else in double; for the
/// Gaussian, centres make rounding small, for the polynomial there must be none. Bitwise the same
/// for any number of threads, and with y given for any division of x. Parallel over blocks of
/// structures. Throws std::bad_alloc.
template <typename Real, typename Out>
void local_kernel(const AtomFeatures<Real>& x, const AtomFeatures<Real>* y, std::size_t n_features,
                  const AtomCentres<Real>& centres, const AtomSimilarity& similarity,
                  const double* x_roots, const double* y_roots, Out* out, int n_threads);

/// K_AA of every structure.
///
/// out   [n_scales, n]
template <typename Real>
void local_kernel_diagonal(const AtomFeatures<Real>& x, std::size_t n_features,
                           const AtomCentres<Real>& centres, const AtomSimilarity& similarity,
                           double* out, int n_threads);

}  // namespace molkern
