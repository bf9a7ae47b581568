// Representations of the surroundings of each atom: what they share. A kernel sees one centre with
// its neighbours; the driver finds those, runs over centres on all threads, and sums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "molkern/molecules.hpp"
#include "molkern/neighbors.hpp"

namespace molkern {

/// One centre. Its neighbours are ordered by species, within a species as `NeighborSearch` has
/// them.
///
/// species    of the centre, 0 .. n_species - 1
/// n          neighbours
/// begin      [n_species + 1]   first neighbour of each species
/// x, y, z    [n]               from the centre, angstrom
/// distance   [n]               angstrom, at least nearest_distance
///
/// The arrays may be read (not written) up to the next multiple of 8 entries.
struct Center {
    std::size_t species;
    std::size_t n;
    const std::size_t* begin;
    const double* x;
    const double* y;
    const double* z;
    const double* distance;
};

/// A molecule whose atoms, ordered by species, all are centres.
///
/// begin      [n_species + 1]   first atom of each species
/// x, y, z    [n]               angstrom
struct Cluster {
    std::size_t n;
    const std::size_t* begin;
    const double* x;
    const double* y;
    const double* z;
};

/// Sets of sums that are handed to QuadraticFunctions::features at a time.
constexpr std::size_t most_sets = 16;

/// Further functions of a representation whose features are quadratic in sums over neighbours, so
/// that averages need not go through the features of each centre. Same scratch.
///
/// size        number of sums
/// sums        [size] += those of a centre, or, unless `add`, written as far as features reads them
/// cluster     [size] += those of all atoms of a molecule; returns the least distance within the
///             cutoff, or more than that. Every pair is seen once.
/// features    row [n_features] = or, with `add`, += the features of n sets of sums one after
///             another, [n, size]; n <= most_sets; the sums are overwritten
/// pull_back   gradient of sum_f cotangent[f] row[f] with respect to the sums, [size]
/// vjp         from that gradient the one with respect to the position of each neighbour
struct QuadraticFunctions {
    std::size_t (*size)(const void* parameters) noexcept;
    void (*sums)(const void* parameters, const Center&, bool add, double* scratch,
                 double* sums) noexcept;
    double (*cluster)(const void* parameters, const Cluster&, double* scratch,
                      double* sums) noexcept;
    void (*features)(const void* parameters, double* sums, std::size_t n, bool add, double* scratch,
                     double* row) noexcept;
    void (*pull_back)(const void* parameters, double* sums, const double* cotangent,
                      double* scratch, double* gradient) noexcept;
    void (*vjp)(const void* parameters, const Center&, const double* gradient, double* scratch,
                double* gx, double* gy, double* gz) noexcept;
};

/// Columns begin .. end - 1 of the features. They are zero unless species a and b are both there,
/// and depend on neighbours of these alone, or with `any` on all neighbours.
struct ColumnGroup {
    std::size_t begin, end, a, b;
    bool any = false;
};

/// Takes d row[f] / d position of neighbours one by one, in their order; rows [3, n_features].
struct BlockSink {
    void* context;
    void (*take)(void* context, const double* rows);
};

/// The functions of a representation, once per instruction set. All are serial, neither allocate
/// nor throw. `parameters` is the representation's own structure.
///
/// scratch    doubles that a call needs with up to `most` neighbours
/// values     row [n_features], written completely
/// vjp        gradient of sum_f cotangent[f] row[f] with respect to the position of each neighbour,
///            gx, gy, gz [n], written completely
/// jacobian   hands the derivatives of each neighbour to `sink`. Groups of columns that do not
///            depend on it may have any values. `rows` is room for [3, n_features], or with
///            `together` for [n, 3, n_features].
struct LocalFunctions {
    std::size_t (*scratch)(const void* parameters, std::size_t most) noexcept;
    void (*values)(const void* parameters, const Center&, double* scratch, double* row) noexcept;
    void (*vjp)(const void* parameters, const Center&, const double* cotangent, double* scratch,
                double* gx, double* gy, double* gz) noexcept;
    void (*jacobian)(const void* parameters, const Center&, double* scratch, double* rows,
                     const BlockSink& sink) noexcept;
    bool together;
    const QuadraticFunctions* quadratic = nullptr;
};

/// A representation with its parameters.
///
/// species   [n_species]   atomic numbers or labels, ascending
/// groups    ascending columns, all of them; none: all columns depend on all neighbours
/// own       whether the species of a centre is there without neighbours of it
struct LocalKernel {
    std::shared_ptr<const void> parameters;
    const LocalFunctions* functions;
    std::size_t n_features;
    double r_cut;
    std::vector<std::int32_t> species;
    std::vector<ColumnGroup> groups;
    bool own;

    /// Number of sums over neighbours, 0 unless the features are quadratic in such.
    std::size_t n_sums() const noexcept {
        const QuadraticFunctions* quadratic = functions->quadratic;
        return quadratic == nullptr ? 0 : quadratic->size(parameters.get());
    }
};

/// Of features; inner: features of the mean of the sums over neighbours (QuadraticFunctions).
enum class Average { none, sum, mean, inner };

/// What is represented.
///
/// centers   [n_centers]   rows of the batch, ascending; null: all atoms
struct LocalTask {
    Molecules molecules;
    Cells cells;
    const std::int64_t* centers;
    std::size_t n_centers;
    Average average;
};

/// What went wrong, if anything: the first structure with two atoms at one place.
struct LocalOutcome {
    std::size_t coincident = no_molecule;
};

/// Features. Bitwise the same for any number of threads and any division into batches.
///
/// out    [n_centers, n_features], or [n_molecules, n_features] with an average
/// warm   whether that memory was used before
///
/// The caller has checked shapes and species. Throws std::bad_alloc.
template <typename Real>
LocalOutcome local_values(const LocalKernel& kernel, const LocalTask& task, Real* out, bool warm,
                          int n_threads);

/// Gradient of the sum of cotangent * features with respect to positions, and to strain.
///
/// cotangent   as `out` of local_values
/// gradient    [n_atoms, 3]             per angstrom
/// strain      [n_molecules, 3, 3]      null if not wanted: derivative by e in r -> r (1 + e)
template <typename Real>
LocalOutcome local_vjp(const LocalKernel& kernel, const LocalTask& task, const Real* cotangent,
                       double* gradient, double* strain, int n_threads);

/// Number of neighbours of each species of each centre.
///
/// counts   [n_centers, n_species]
void local_neighbor_counts(const LocalKernel& kernel, const LocalTask& task, std::int64_t* counts,
                           int n_threads);

/// Columns begin .. end - 1.
struct ColumnRange {
    std::size_t begin, end;
};

/// Columns of a block that are not zero; `compact`: others are left out.
struct BlockColumns {
    const ColumnRange* ranges;
    std::size_t n_ranges, n_features;
    bool compact;
};

/// Columns that depend on the neighbours of species s of a centre, or with s = n_species on the
/// centre itself; ascending, as few ranges as possible. No more than groups, or one.
void columns_of(const LocalKernel& kernel, const Center& center, std::size_t s,
                std::vector<ColumnRange>& ranges);

/// Blocks of the Jacobian: of each centre one for itself, then one for every neighbour.
///
/// first     [n_centers + 1]           where the blocks of a centre begin
/// start     [n_centers + 1]           where their values begin
/// compact   whether only the columns of columns_of are stored, or all
/// center    [n_blocks]                row of `centers` (of the features)
/// atom      [n_blocks]                row of the batch; an atom may come several times (images)
/// values    of each block [3, its number of columns]
/// warm      whether that memory was used before
template <typename Real>
struct JacobianBlocks {
    const std::int64_t* first;
    const std::int64_t* start;
    bool compact;
    std::int64_t* center;
    std::int64_t* atom;
    Real* values;
    bool warm;
};

/// Derivatives of the features of each centre with respect to the positions of atoms. `average` is
/// ignored.
template <typename Real>
LocalOutcome local_jacobian(const LocalKernel& kernel, const LocalTask& task,
                            const JacobianBlocks<Real>& blocks, int n_threads);

}  // namespace molkern
