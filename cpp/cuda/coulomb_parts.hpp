// Coulomb matrices of a few molecules in shared memory, and the orders of their rows.
#pragma once

#include <cmath>

#include "core/inverse_sqrt.hpp"
#include "core/ten_digits.hpp"
#include "cuda/each.hpp"
#include "cuda/molecule_pairs.hpp"

namespace molkern::cuda {

/// Row and column of an entry of the lower triangle: looked up, they cost a twentieth.
struct CoulombPlace {
    std::int32_t row, column;
};

struct WriteCoulombPlace {
    CoulombPlace* to;
    MOLKERN_DEVICE void operator()(std::int64_t f) const {
        const TrianglePlace place = triangle_place(f);
        to[f] = {static_cast<std::int32_t>(place.row), static_cast<std::int32_t>(place.column)};
    }
};

/// Those of all entries of n rows.
inline Buffer<CoulombPlace> coulomb_places(std::int64_t n, Stream stream) {
    const std::int64_t size = n * (n + 1) / 2;
    Buffer<CoulombPlace> places(size, stream);
    launch_each(WriteCoulombPlace{places.data()}, size, stream);
    return places;
}

MOLKERN_DEVICE inline std::int64_t triangle_index(std::int32_t i, std::int32_t j) noexcept {
    const auto row = static_cast<std::uint32_t>(i > j ? i : j);
    const auto column = static_cast<std::uint32_t>(i > j ? j : i);
    return static_cast<std::int64_t>(std::uint64_t{row} * (row + 1) / 2 + column);
}

/// Atoms of the molecules of a block, one molecule after the other.
///
/// key             what rows are sorted by
/// order           atom of each row, molecule by molecule
/// begin, end      of the atoms of an atom's molecule, which is the slot-th
/// entries         lower triangles, `stride` numbers for each molecule, or null
struct CoulombAtoms {
    std::int64_t n;
    double *positions, *charge, *diagonal, *key;
    std::int32_t *order, *rank, *begin, *end, *slot;
    double* entries;
};

struct CoulombMolecules {
    Molecules molecules;
    CoulombParameters p;
    std::int64_t largest, per_block;
    const CoulombPlace* places;
    std::int64_t* coincident;  // the first molecule in which two atoms coincide

    std::int64_t n_blocks() const noexcept {
        const auto n = static_cast<std::int64_t>(molecules.n_molecules);
        return (n + per_block - 1) / per_block;
    }

    /// Rows are sorted by their norms, which take every entry twice: all are kept.
    MOLKERN_HOST_DEVICE bool sorted() const noexcept {
        return p.permutation == Permutation::row_norm || p.permutation == Permutation::random;
    }

    MOLKERN_HOST_DEVICE std::int64_t stride() const noexcept { return largest * (largest + 1) / 2; }

    /// What `read` and, with several copies, `each_order` take.
    std::size_t shared_bytes() const noexcept {
        constexpr std::size_t of_atom = 6 * sizeof(double) + 5 * sizeof(std::int32_t);
        constexpr std::size_t of_copies = sizeof(double) + sizeof(std::int32_t);
        const bool copies = p.permutation == Permutation::random;
        constexpr std::size_t rounding = 12 * 16;
        const auto of_molecule =
            static_cast<std::size_t>(largest) * (of_atom + (copies ? of_copies : 0)) +
            (sorted() ? static_cast<std::size_t>(stride()) * sizeof(double) : 0);
        return static_cast<std::size_t>(per_block) * of_molecule + rounding;
    }

    /// The molecules of a block.
    template <typename Block>
    MOLKERN_DEVICE std::int64_t first(const Block& block) const noexcept {
        return block.index() * per_block;
    }
    template <typename Block>
    MOLKERN_DEVICE std::int64_t size(const Block& block) const noexcept {
        const std::int64_t left =
            static_cast<std::int64_t>(molecules.n_molecules) - block.index() * per_block;
        return left < per_block ? left : per_block;
    }

    template <typename Block>
    MOLKERN_DEVICE CoulombAtoms read(Block& block) const {
        const auto room = static_cast<std::size_t>(per_block * largest);
        const std::int64_t* offsets = molecules.offsets + first(block);
        CoulombAtoms atoms{};
        atoms.n = offsets[size(block)] - offsets[0];
        atoms.positions = block.template shared<double>(3 * room);
        for (double** array : {&atoms.charge, &atoms.diagonal, &atoms.key})
            *array = block.template shared<double>(room);
        for (std::int32_t** array :
             {&atoms.order, &atoms.rank, &atoms.begin, &atoms.end, &atoms.slot})
            *array = block.template shared<std::int32_t>(room);
        if (sorted())
            atoms.entries =
                block.template shared<double>(static_cast<std::size_t>(per_block * stride()));
        block.for_each(atoms.n, [&](std::int64_t i) {
            const std::int32_t z = molecules.numbers[offsets[0] + i];
            for (std::int64_t x = 0; x < 3; ++x)
                atoms.positions[3 * i + x] = molecules.positions[3 * (offsets[0] + i) + x];
            atoms.charge[i] = z;
            atoms.diagonal[i] = p.half_power[z];
            atoms.order[i] = static_cast<std::int32_t>(i);
            std::int32_t slot = 0;
            while (offsets[slot + 1] - offsets[0] <= i) ++slot;
            atoms.slot[i] = slot;
            atoms.begin[i] = static_cast<std::int32_t>(offsets[slot] - offsets[0]);
            atoms.end[i] = static_cast<std::int32_t>(offsets[slot + 1] - offsets[0]);
        });
        if (sorted()) fill(block, atoms);
        return atoms;
    }

    /// Of two atoms of the slot-th molecule, which begins with atom `begin`; reports those that
    /// coincide.
    template <typename Block>
    MOLKERN_DEVICE double entry(const Block& block, const CoulombAtoms& atoms, std::int64_t slot,
                                std::int32_t begin, std::int32_t i, std::int32_t j) const noexcept {
        return atoms.entries == nullptr
                   ? computed(block, atoms, slot, i, j)
                   : atoms.entries[slot * stride() + triangle_index(i - begin, j - begin)];
    }

    /// visit(copy) for each copy of the matrices, when atoms.order is that of their rows.
    template <typename Block, typename Visit>
    MOLKERN_DEVICE void each_order(Block& block, const CoulombAtoms& atoms,
                                   const Visit& visit) const {
        const std::int64_t n = atoms.n;
        if (p.permutation == Permutation::random) {
            each_copy(block, atoms, visit);
            return;
        }
        if (p.permutation == Permutation::row_norm) {
            norms(block, atoms);
            block.for_each(n, [&](std::int64_t i) { atoms.key[i] = ten_digits(atoms.key[i]); });
            sort(block, atoms);
        }
        visit(std::int64_t{0});
    }

    /// Of a block with one molecule: gradient of sum over pairs of factor * entry, to [n, 3];
    /// factors [n_pairs(n)] are lost.
    template <typename Block>
    MOLKERN_DEVICE void gradient(Block& block, const CoulombAtoms& atoms, double* factors,
                                 double* to) const {
        block.for_each(n_pairs(atoms.n), [&](std::int64_t k) {
            const TrianglePlace pair = pair_place(k);
            const double charge = p.unit_length * atoms.charge[pair.row];
            const double squared =
                squared_distance(atoms.positions + 3 * pair.row, atoms.positions + 3 * pair.column);
            factors[k] =
                inverse_distance_scale(squared, factors[k] * charge * atoms.charge[pair.column]);
            if (!apart(squared)) atomic_min(coincident, block.index());
        });
        pair_gradient(block, atoms.positions, factors, atoms.n,
                      [&](std::int64_t i, std::int64_t x, double value) { to[3 * i + x] = value; });
    }

  private:
    template <typename Block>
    MOLKERN_DEVICE double computed(const Block& block, const CoulombAtoms& atoms, std::int64_t slot,
                                   std::int64_t i, std::int64_t j) const noexcept {
        if (i == j) return atoms.diagonal[i];
        const double squared = squared_distance(atoms.positions + 3 * i, atoms.positions + 3 * j);
        if (!apart(squared)) atomic_min(coincident, first(block) + slot);
        return p.unit_length * atoms.charge[i] * atoms.charge[j] * inverse_sqrt(squared);
    }

    // All entries, in the order of the atoms.
    template <typename Block>
    MOLKERN_DEVICE void fill(Block& block, const CoulombAtoms& atoms) const {
        const std::int64_t* offsets = molecules.offsets + first(block);
        for (std::int64_t slot = 0; slot < size(block); ++slot) {
            const std::int64_t begin = offsets[slot] - offsets[0];
            const std::int64_t n = offsets[slot + 1] - offsets[slot];
            double* to = atoms.entries + slot * stride();
            block.for_each(n * (n + 1) / 2, [&](std::int64_t f) {
                const CoulombPlace place = places[f];
                to[f] = computed(block, atoms, slot, begin + place.row, begin + place.column);
            });
        }
    }

    // The norm of each row of the matrices.
    template <typename Block>
    MOLKERN_DEVICE void norms(Block& block, const CoulombAtoms& atoms) const {
        block.for_each(atoms.n, [&](std::int64_t atom) {
            const auto begin = static_cast<unsigned>(atoms.begin[atom]);
            const unsigned i = static_cast<unsigned>(atom) - begin;
            const unsigned n = static_cast<unsigned>(atoms.end[atom]) - begin;
            const double* entry = atoms.entries + atoms.slot[atom] * stride() +
                                  triangle_index(static_cast<std::int32_t>(i), 0);
            double total = 0;
            for (unsigned j = 0; j < n; ++j) {
                total += *entry * *entry;
                entry += j < i ? 1 : j + 1;  // along the row, then down the column
            }
            atoms.key[atom] = std::sqrt(total);
        });
    }

    // order = rows by descending key, equal ones as they were.
    template <typename Block>
    MOLKERN_DEVICE void sort(Block& block, const CoulombAtoms& atoms) const {
        block.for_each(atoms.n, [&](std::int64_t i) {
            const double mine = atoms.key[i];
            std::int32_t rank = atoms.begin[i];
            for (std::int32_t j = atoms.begin[i]; j < i; ++j) rank += atoms.key[j] >= mine;
            for (auto j = static_cast<std::int32_t>(i) + 1; j < atoms.end[i]; ++j)
                rank += atoms.key[j] > mine;
            atoms.rank[i] = rank;
        });
        block.for_each(atoms.n, [&](std::int64_t i) {
            atoms.order[atoms.rank[i]] = static_cast<std::int32_t>(i);
        });
    }

    // Noise is added to the norms in their sorted order, so that it does not depend on that of the
    // atoms.
    template <typename Block, typename Visit>
    MOLKERN_DEVICE void each_copy(Block& block, const CoulombAtoms& atoms,
                                  const Visit& visit) const {
        const std::int64_t n = atoms.n;
        norms(block, atoms);
        block.for_each(n, [&](std::int64_t i) { atoms.key[i] = ten_digits(atoms.key[i]); });
        sort(block, atoms);
        const auto room = static_cast<std::size_t>(per_block * largest);
        auto* sorted = block.template shared<std::int32_t>(room);
        auto* exact = block.template shared<double>(room);
        norms(block, atoms);
        block.for_each(n, [&](std::int64_t k) {
            sorted[k] = atoms.order[k];
            exact[k] = atoms.key[atoms.order[k]];
        });
        for (std::int64_t copy = 0; copy < static_cast<std::int64_t>(p.n_copies); ++copy) {
            const double* noise = p.noise + copy * static_cast<std::int64_t>(p.size);
            block.for_each(
                n, [&](std::int64_t k) { atoms.key[k] = exact[k] + noise[k - atoms.begin[k]]; });
            sort(block, atoms);
            // The order among the sorted rows becomes one of atoms.
            block.for_each(n, [&](std::int64_t k) { atoms.rank[k] = sorted[atoms.order[k]]; });
            block.for_each(n, [&](std::int64_t k) { atoms.order[k] = atoms.rank[k]; });
            visit(copy);
        }
    }
};

}  // namespace molkern::cuda
