// The functions that exist once per instruction set. All are serial, work on a range of a batch,
// get their scratch from the caller, and neither allocate nor throw.
#pragma once

#include <cstddef>

#include "molkern/bag_of_bonds.hpp"
#include "molkern/coulomb_matrix.hpp"
#include "molkern/local_kernels.hpp"
#include "molkern/pairwise.hpp"

namespace molkern {

struct LocalFunctions;
struct BlockColumns;

/// Molecules handed to the eigenvalue solver at a time: one per lane of two of the widest vectors.
constexpr std::size_t eigenvalue_lanes = 16;

/// Rows and columns of a tile of a Gram matrix.
constexpr std::size_t tile = 48;

/// As pairwise. x_norms [n, n_copies] and y_norms [m, n_copies] hold the squared norms of the rows
/// for the Euclidean metric.
template <typename Real>
struct PairwiseTask {
    const Real* x;
    std::size_t n;
    const Real* y;
    std::size_t m;
    std::size_t n_features, n_copies;
    bool symmetric;
    Metric metric;
    const Real* x_norms;
    const Real* y_norms;
    Similarity similarity;
    const Real* scales;
    std::size_t n_scales;
    Real* out;
};

/// Atoms in the order of elements, then of structures.
///
/// x       features of all atoms, n_features each
/// index   [n]   row of x
/// owners  [n]   structure, as it is counted in the result
/// norms   [n]   squared norm of the features minus the centre of the element
template <typename Real>
struct SortedAtoms {
    const Real* x;
    const std::int64_t* index;
    const std::int64_t* owners;
    const double* norms;
};

/// As local_kernel. centres [n_elements, n_features] are subtracted from the features of each
/// element; panel: columns that are packed at a time, a multiple of `tile`.
template <typename Real>
struct AtomPairsTask {
    SortedAtoms<Real> x, y;
    std::size_t n_features, n_elements, panel;
    const Real* centres;
    bool symmetric;
    AtomSimilarity similarity;
};

/// Rows row .. row + n_rows and columns column .. column + n_columns of the result.
///
/// ranges  [n_elements, 4]   the sorted atoms of these structures: of x from, to; of y from, to
struct AtomPairsBlock {
    std::size_t row, n_rows, column, n_columns;
    const std::size_t* ranges;
};

template <typename Real>
struct KernelsFor {
    /// Triangles of the molecules first .. last - 1; returns as coulomb_matrix does.
    std::size_t (*coulomb_matrix)(const Molecules&, const CoulombParameters&, std::size_t first,
                                  std::size_t last, double* scratch, Real* out);
    /// Eigenvalues of the molecules chosen[0 .. count - 1], count <= eigenvalue_lanes.
    std::size_t (*eigenspectrum)(const Molecules&, const CoulombParameters&,
                                 const std::size_t* chosen, std::size_t count, double* scratch,
                                 Real* out);
    std::size_t (*bag_of_bonds)(const Molecules&, const BagParameters&, std::size_t first,
                                std::size_t last, double* scratch, Real* out);
    /// The columns of tile `column` of a Gram matrix.
    void (*pairwise)(const PairwiseTask<Real>&, std::size_t column, Real* scratch);
    /// norms[i] = |x_i|^2 for rows of n_features.
    void (*squared_norms)(const Real* x, std::size_t n, std::size_t n_features, Real* norms);
    void (*from_distances)(const Real* distances, std::size_t n, Similarity similarity, Real scale,
                           Real* out);
    /// Rounds to the type of the result, perhaps writing past the caches.
    void (*put_row)(const double* row, std::size_t n, bool past_caches, Real* to) noexcept;
    /// The same for a block of a Jacobian, rows [3, n_features], which is subtracted from `own`, of
    /// the same shape, where that is not null.
    void (*put_block)(const double* rows, const BlockColumns& columns, bool past_caches, Real* to,
                      double* own) noexcept;
    /// sums [n_scales, n_rows, n_columns]; of a symmetric task, those above the diagonal have no
    /// meaning.
    void (*local_kernel_block)(const AtomPairsTask<Real>&, const AtomPairsBlock&, Real* scratch,
                               double* values, double* sums);
    /// norms[begin .. begin + n] of atoms of one element, n <= tile; scratch [tile, n_features].
    void (*local_norms)(const SortedAtoms<Real>&, std::size_t begin, std::size_t n,
                        const Real* centre, std::size_t n_features, Real* scratch, double* norms);
};

struct Kernels {
    const char* isa;
    KernelsFor<float> single_precision;
    KernelsFor<double> double_precision;
    /// orders [n_copies, n]: the atom of each row of the triangles of molecule m, which has n.
    void (*coulomb_orders)(const Molecules&, const CoulombParameters&, std::size_t m,
                           double* scratch, std::int64_t* orders);
    const LocalFunctions* acsf;
    const LocalFunctions* aev;
    const LocalFunctions* soap;
};

template <typename Real>
const KernelsFor<Real>& kernels_for(const Kernels& k) noexcept;
template <>
inline const KernelsFor<float>& kernels_for<float>(const Kernels& k) noexcept {
    return k.single_precision;
}
template <>
inline const KernelsFor<double>& kernels_for<double>(const Kernels& k) noexcept {
    return k.double_precision;
}

/// Doubles of scratch for molecules of up to n atoms, per thread.
constexpr std::size_t round_up_8(std::size_t n) noexcept {
    return (n + 7) / 8 * 8;
}
constexpr std::size_t coulomb_matrix_scratch(std::size_t n) noexcept {
    return 15 * (round_up_8(n) + 8);
}
constexpr std::size_t eigenspectrum_scratch(std::size_t n) noexcept {
    return 8 * (n * (n + 1) / 2 + 8 * n + 16);
}
constexpr std::size_t bag_of_bonds_scratch(std::size_t n, std::size_t largest_bag) noexcept {
    return 5 * (round_up_8(n) + 8) + 2 * (round_up_8(largest_bag) + 8) + 264 + 2 * n_elements;
}
/// Reals of scratch for the columns of one tile, per thread.
constexpr std::size_t pairwise_scratch(std::size_t n_features, std::size_t n_copies,
                                       std::size_t n_scales) noexcept {
    return tile * n_features * n_copies + tile * tile * (1 + n_scales);
}
/// Reals of scratch, and doubles for values, of a block of structures, per thread.
constexpr std::size_t local_kernel_scratch(std::size_t n_features, std::size_t panel) noexcept {
    return (tile + panel) * n_features;
}
constexpr std::size_t local_kernel_values(std::size_t panel, std::size_t n_scales) noexcept {
    return tile * tile + n_scales * panel;
}

/// The table in use: the best level this processor has, or the one named by MOLKERN_ISA.
/// Throws std::runtime_error for an unknown or unsupported name.
const Kernels& kernels();

}  // namespace molkern
