// The kernels of one instruction set, for table.cpp and for the files that define them.
#pragma once

#include "cpu/table.hpp"
#include "molkern/isa.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

extern const LocalFunctions acsf_functions;
extern const LocalFunctions aev_functions;
extern const LocalFunctions soap_functions;

template <typename Real>
std::size_t coulomb_triangles(const Molecules& molecules, const CoulombParameters& parameters,
                              std::size_t first, std::size_t last, double* scratch, Real* out);

void coulomb_orders(const Molecules& molecules, const CoulombParameters& parameters, std::size_t m,
                    double* scratch, std::int64_t* orders);

template <typename Real>
std::size_t eigenspectra(const Molecules& molecules, const CoulombParameters& parameters,
                         const std::size_t* chosen, std::size_t count, double* scratch, Real* out);

template <typename Real>
std::size_t bags(const Molecules& molecules, const BagParameters& parameters, std::size_t first,
                 std::size_t last, double* scratch, Real* out);

template <typename Real>
void pairwise_columns(const PairwiseTask<Real>& task, std::size_t column, Real* scratch);

template <typename Real>
void squared_norms(const Real* x, std::size_t n, std::size_t n_features, Real* norms);

template <typename Real>
void kernel_of_distances(const Real* distances, std::size_t n, Similarity similarity, Real scale,
                         Real* out);

template <typename Real>
void put_row(const double* row, std::size_t n, bool past_caches, Real* to) noexcept;

template <typename Real>
void put_block(const double* rows, const BlockColumns& columns, bool past_caches, Real* to,
               double* own) noexcept;

template <typename Real>
void local_kernel_block(const AtomPairsTask<Real>& task, const AtomPairsBlock& block, Real* scratch,
                        double* values, double* sums);

template <typename Real>
void local_norms(const SortedAtoms<Real>& atoms, std::size_t begin, std::size_t n,
                 const Real* centre, std::size_t n_features, Real* scratch, double* norms);

}  // namespace MOLKERN_ISA
}  // namespace molkern
