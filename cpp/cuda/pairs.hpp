// Pairs of the neighbours of a centre, numbered species by species, for the threads of a block.
#pragma once

#include <cstdint>

#include "core/device.hpp"
#include "core/triangle.hpp"
#include "cuda/block.hpp"

namespace molkern::cuda {

/// f(i) for i < n, as `for_each`, in 32 bits.
template <typename Block, typename F>
MOLKERN_DEVICE void each_below(Block& block, unsigned n, const F& f) {
    block.each_thread([&](unsigned thread) {
        for (unsigned i = thread; i < n; i += block.n_threads()) f(i);
    });
}

/// Two neighbours j > k of one species, or of species a < b.
struct PairOfNeighbors {
    std::int64_t j, k;
};

/// Pairs of species a <= b: number b (b + 1) / 2 + a.
///
/// of      [n_species + 1]    first neighbour of each species; that of the first one is 0
/// begin   [n_segments + 1]   first pair of each pair of species
struct PairsOfNeighbors {
    std::int64_t n_species;
    const std::int64_t* of;
    std::int64_t* begin;

    MOLKERN_HOST_DEVICE static std::int64_t n_segments(std::int64_t n_species) noexcept {
        return n_species * (n_species + 1) / 2;
    }

    MOLKERN_DEVICE std::int64_t size() const noexcept { return begin[n_segments(n_species)]; }

    /// Fills `begin`: before those of species a and b come all pairs of the species below b, and
    /// those of the species below a with b.
    template <typename Block>
    MOLKERN_DEVICE void prepare(Block& block) const {
        block.for_each(n_segments(n_species) + 1, [&](std::int64_t segment) {
            const TrianglePlace species = triangle_place(segment);
            const std::int64_t below = of[species.row];
            begin[segment] = below * (below - 1) / 2;
            if (species.column > 0)
                begin[segment] += of[species.column] * (of[species.row + 1] - below);
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
