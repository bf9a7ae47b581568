// Sums over features for a block of rows and columns that stays in registers, for the matrices of
// all pairs of rows (pairwise.cpp) and of all pairs of atoms (local_kernels.cpp).
#pragma once

#include "core/simd.hpp"
#include "cpu/table.hpp"
#include "molkern/pairwise.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

// As many accumulators as the registers of the level hold beside 3 vectors of columns.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr std::size_t block_rows = 8;
#else
constexpr std::size_t block_rows = 4;
#endif
constexpr std::size_t block_vectors = 3;

inline std::size_t smaller(std::size_t a, std::size_t b) noexcept {
    return a < b ? a : b;
}

template <typename Real>
inline constexpr std::size_t block_columns = block_vectors * lanes<Real>;

// |x - y| or x y, added up over the features, for block_rows rows and block_columns packed columns;
// out has row stride `tile`.
template <Metric metric, typename Real>
void block(const Real* const* x, const Real* packed, std::size_t n_features, bool first,
           Real* out) noexcept {
    using V = Vector<Real>;
    constexpr std::size_t w = lanes<Real>;
    V total[block_rows][block_vectors] = {};
    for (std::size_t k = 0; k < n_features; ++k) {
        V y[block_vectors];
#pragma GCC unroll 8
        for (std::size_t c = 0; c < block_vectors; ++c) {
            y[c] = load(packed + k * tile + c * w);
            __builtin_prefetch(packed + (k + 8) * tile + c * w);  // from the second-level cache
        }
#pragma GCC unroll 8
        for (std::size_t r = 0; r < block_rows; ++r) {
            const V value = broadcast(x[r][k]);
#pragma GCC unroll 8
            for (std::size_t c = 0; c < block_vectors; ++c) {
                if constexpr (metric == Metric::manhattan)
                    total[r][c] += absolute<Real>(value - y[c]);
                else
                    total[r][c] += value * y[c];
            }
        }
    }
    // Unrolled like the rest, so that the sums never leave the registers.
#pragma GCC unroll 8
    for (std::size_t r = 0; r < block_rows; ++r) {
#pragma GCC unroll 8
        for (std::size_t c = 0; c < block_vectors; ++c) {
            Real* to = out + r * tile + c * w;
            store(to, first ? total[r][c] : load(to) + total[r][c]);
        }
    }
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
