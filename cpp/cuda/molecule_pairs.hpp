// What the kernels of whole molecules share: pairs of atoms, gradients of sums over them, and the
// first molecule in which two atoms coincide.
#pragma once

#include "core/inverse_distance.hpp"
#include "core/triangle.hpp"
#include "cuda/runtime.hpp"

namespace molkern::cuda {

MOLKERN_HOST_DEVICE constexpr std::int64_t n_pairs(std::int64_t n) noexcept {
    return n * (n - 1) / 2;
}

/// Atoms of pair k, row > column: (1,0) (2,0) (2,1) (3,0) ....
MOLKERN_DEVICE inline TrianglePlace pair_place(std::int64_t k) noexcept {
    const TrianglePlace place = triangle_place(k);
    return {place.row + 1, place.column};
}

/// Where the pair of two different atoms is.
MOLKERN_DEVICE inline std::int64_t pair_index(std::int64_t i, std::int64_t j) noexcept {
    return i > j ? n_pairs(i) + j : n_pairs(j) + i;
}

/// False for NaN, too.
MOLKERN_DEVICE inline bool apart(double squared_distance) noexcept {
    return squared_distance > nearest_distance * nearest_distance;
}

/// write(i, x, value): component x of the gradient with respect to atom i of
///   sum over pairs of f(|r_i - r_j|),   given f'(d) / d of each pair.
/// The sums are in the order of the atoms.
template <typename Block, typename Write>
MOLKERN_DEVICE void pair_gradient(Block& block, const double* positions, const double* slopes,
                                  std::int64_t n, const Write& write) {
    block.for_each(3 * n, [&](std::int64_t e) {
        const std::int64_t i = e / 3, x = e % 3;
        double total = 0;
        for (std::int64_t j = 0; j < n; ++j)
            if (j != i)
                total += slopes[pair_index(i, j)] * (positions[3 * i + x] - positions[3 * j + x]);
        write(i, x, total);
    });
}

/// queue(flag) queues kernels that lower *flag to the index of molecules in which two atoms
/// coincide; returns the first of these, or no_molecule, when they are done.
template <typename Queue>
std::size_t first_coincident(Stream stream, const Queue& queue) {
    constexpr std::int64_t none = INT64_MAX;
    const auto flag = uploaded(&none, 1, stream);
    queue(flag.data());
    std::int64_t found = none;
    download(&found, flag.data(), sizeof found, stream);
    return found == none ? no_molecule : static_cast<std::size_t>(found);
}

}  // namespace molkern::cuda
