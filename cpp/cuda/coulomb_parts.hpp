// The Coulomb matrix of a molecule in shared memory, and the orders of its rows.
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

MOLKERN_DEVICE inline std::int64_t triangle_index(std::int64_t i, std::int64_t j) noexcept {
    const auto row = static_cast<std::uint32_t>(i > j ? i : j);
    const auto column = static_cast<std::uint32_t>(i > j ? j : i);
    return static_cast<std::int64_t>(std::uint64_t{row} * (row + 1) / 2 + column);
}

struct CoulombAtoms {
    std::int64_t n;
    double *positions, *charge, *diagonal;
    double* key;          // what rows are sorted by
    std::int32_t* order;  // atom of each row
    std::int32_t* rank;
    double* entries;  // the lower triangle, or null
};

struct CoulombMolecule {
    Molecules molecules;
    CoulombParameters p;
    std::int64_t largest;
    const CoulombPlace* places;
    std::int64_t* coincident;  // the first molecule in which two atoms coincide

    /// Rows are sorted by their norms, which take every entry twice: all are kept.
    MOLKERN_HOST_DEVICE bool sorted() const noexcept {
        return p.permutation == Permutation::row_norm || p.permutation == Permutation::random;
    }

    /// What `read` and, with several copies, `each_order` take.
    std::size_t shared_bytes() const noexcept {
        constexpr std::size_t of_atom = 6 * sizeof(double) + 2 * sizeof(std::int32_t);
        constexpr std::size_t of_copies = sizeof(double) + sizeof(std::int32_t);
        const bool copies = p.permutation == Permutation::random;
        constexpr std::size_t rounding = 9 * 16;
        return static_cast<std::size_t>(largest) * (of_atom + (copies ? of_copies : 0)) +
               (sorted() ? n_entries() * sizeof(double) : 0) + rounding;
    }

    template <typename Block>
    MOLKERN_DEVICE CoulombAtoms read(Block& block) const {
        const auto room = static_cast<std::size_t>(largest);
        const std::int64_t first = molecules.offsets[block.index()];
        const CoulombAtoms atoms{molecules.offsets[block.index() + 1] - first,
                                 block.template shared<double>(3 * room),
                                 block.template shared<double>(room),
                                 block.template shared<double>(room),
                                 block.template shared<double>(room),
                                 block.template shared<std::int32_t>(room),
                                 block.template shared<std::int32_t>(room),
                                 sorted() ? block.template shared<double>(n_entries()) : nullptr};
        block.for_each(atoms.n, [&](std::int64_t i) {
            const std::int32_t z = molecules.numbers[first + i];
            for (std::int64_t x = 0; x < 3; ++x)
                atoms.positions[3 * i + x] = molecules.positions[3 * (first + i) + x];
            atoms.charge[i] = z;
            atoms.diagonal[i] = p.half_power[z];
            atoms.order[i] = static_cast<std::int32_t>(i);
        });
        if (sorted())
            block.for_each(atoms.n * (atoms.n + 1) / 2, [&](std::int64_t f) {
                const CoulombPlace place = places[f];
                atoms.entries[f] = computed(block, atoms, place.row, place.column);
            });
        return atoms;
    }

    /// Of two atoms; reports those that coincide.
    template <typename Block>
    MOLKERN_DEVICE double entry(const Block& block, const CoulombAtoms& atoms, std::int64_t i,
                                std::int64_t j) const noexcept {
        return atoms.entries == nullptr ? computed(block, atoms, i, j)
                                        : atoms.entries[triangle_index(i, j)];
    }

    /// visit(copy) for each copy of the matrix, when atoms.order is that of its rows.
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

    /// Gradient of sum over pairs of factor * entry, to [n, 3]; factors [n_pairs(n)] are lost.
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
    MOLKERN_HOST_DEVICE std::size_t n_entries() const noexcept {
        return static_cast<std::size_t>(largest * (largest + 1) / 2);
    }

    template <typename Block>
    MOLKERN_DEVICE double computed(const Block& block, const CoulombAtoms& atoms, std::int64_t i,
                                   std::int64_t j) const noexcept {
        if (i == j) return atoms.diagonal[i];
        const double squared = squared_distance(atoms.positions + 3 * i, atoms.positions + 3 * j);
        if (!apart(squared)) atomic_min(coincident, block.index());
        return p.unit_length * atoms.charge[i] * atoms.charge[j] * inverse_sqrt(squared);
    }

    // The norm of each row of the matrix.
    template <typename Block>
    MOLKERN_DEVICE void norms(Block& block, const CoulombAtoms& atoms) const {
        const auto n = static_cast<unsigned>(atoms.n);
        block.for_each(n, [&](std::int64_t row) {
            const auto i = static_cast<unsigned>(row);
            const double* entry = atoms.entries + triangle_index(row, 0);
            double total = 0;
            for (unsigned j = 0; j < n; ++j) {
                total += *entry * *entry;
                entry += j < i ? 1 : j + 1;  // along the row, then down the column
            }
            atoms.key[i] = std::sqrt(total);
        });
    }

    // order = rows by descending key, equal ones as they were.
    template <typename Block>
    MOLKERN_DEVICE void sort(Block& block, const CoulombAtoms& atoms) const {
        const auto n = static_cast<unsigned>(atoms.n);
        block.for_each(n, [&](std::int64_t row) {
            const auto i = static_cast<unsigned>(row);
            const double mine = atoms.key[i];
            std::int32_t rank = 0;
            for (unsigned j = 0; j < i; ++j) rank += atoms.key[j] >= mine;
            for (unsigned j = i + 1; j < n; ++j) rank += atoms.key[j] > mine;
            atoms.rank[i] = rank;
        });
        block.for_each(
            n, [&](std::int64_t i) { atoms.order[atoms.rank[i]] = static_cast<std::int32_t>(i); });
    }

    // Noise is added to the norms in their sorted order, so that it does not depend on that of the
    // atoms.
    template <typename Block, typename Visit>
    MOLKERN_DEVICE void each_copy(Block& block, const CoulombAtoms& atoms,
                                  const Visit& visit) const {
        const auto size = static_cast<std::int64_t>(p.size);
        const std::int64_t n = atoms.n;
        norms(block, atoms);
        block.for_each(n, [&](std::int64_t i) { atoms.key[i] = ten_digits(atoms.key[i]); });
        sort(block, atoms);
        auto* sorted = block.template shared<std::int32_t>(static_cast<std::size_t>(largest));
        auto* exact = block.template shared<double>(static_cast<std::size_t>(largest));
        norms(block, atoms);
        block.for_each(n, [&](std::int64_t k) {
            sorted[k] = atoms.order[k];
            exact[k] = atoms.key[atoms.order[k]];
        });
        for (std::int64_t copy = 0; copy < static_cast<std::int64_t>(p.n_copies); ++copy) {
            block.for_each(
                n, [&](std::int64_t k) { atoms.key[k] = exact[k] + p.noise[copy * size + k]; });
            sort(block, atoms);
            // The order among the sorted rows becomes one of atoms.
            block.for_each(n, [&](std::int64_t k) { atoms.rank[k] = sorted[atoms.order[k]]; });
            block.for_each(n, [&](std::int64_t k) { atoms.order[k] = atoms.rank[k]; });
            visit(copy);
        }
    }
};

}  // namespace molkern::cuda
