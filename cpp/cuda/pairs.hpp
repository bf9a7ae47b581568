// Pairs of the neighbours of a centre, numbered species by species, for the threads of a block.
#pragma once

#include <cstdint>

#include "core/device.hpp"
#include "core/triangle.hpp"
#include "cuda/block.hpp"

namespace molkern::cuda {

/// Two neighbours j > k of one species, or of species a < b.
struct PairOfNeighbors {
    std::int64_t j, k;
};

/// Pairs of species a <= b: number b (b + 1) / 2 + a.
///
/// of      [n_species + 1]    first neighbour of each species
/// begin   [n_segments + 1]   first pair of each pair of species
struct PairsOfNeighbors {
    std::int64_t n_species;
    const std::int64_t* of;
    std::int64_t* begin;

    MOLKERN_HOST_DEVICE static std::int64_t n_segments(std::int64_t n_species) noexcept {
        return n_species * (n_species + 1) / 2;
    }

    MOLKERN_DEVICE std::int64_t size() const noexcept { return begin[n_segments(n_species)]; }

    /// Fills `begin`.
    template <typename Block>
    MOLKERN_DEVICE void prepare(Block& block) const {
        block.for_each(1, [&](std::int64_t) {
            std::int64_t total = 0, segment = 0;
            for (std::int64_t b = 0; b < n_species; ++b)
                for (std::int64_t a = 0; a <= b; ++a) {
                    begin[segment++] = total;
                    const std::int64_t n = of[a + 1] - of[a], m = of[b + 1] - of[b];
                    total += a == b ? n * (n - 1) / 2 : n * m;
                }
            begin[segment] = total;
        });
    }

    MOLKERN_DEVICE PairOfNeighbors pair(std::int64_t q, std::int64_t segment) const noexcept {
        const TrianglePlace species = triangle_place(segment);
        const std::int64_t a = species.column, b = species.row, p = q - begin[segment];
        if (a == b) {
            const TrianglePlace place = triangle_place(p);
            return {of[a] + place.row + 1, of[a] + place.column};
        }
        const std::int64_t m = of[b + 1] - of[b];
        return {of[a] + p / m, of[b] + p % m};
    }
};

}  // namespace molkern::cuda
