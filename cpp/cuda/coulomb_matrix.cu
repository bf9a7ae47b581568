// Coulomb matrices with sorted or unsorted rows, a block for each molecule, computed in double.
//
// Floor: the bytes of the result. The molecule lies in shared memory; every thread makes its own
// features there, each with one inverse square root, and writes them next to those of its
// neighbours. Norms cost n inverse square roots an atom, ranks are counted: n comparisons an atom.

#include <cmath>

#include "core/inverse_distance.hpp"
#include "core/ten_digits.hpp"
#include "core/triangle.hpp"
#include "cuda/runtime.hpp"

namespace molkern::cuda {
namespace {

// A molecule in shared memory.
struct Atoms {
    double *positions, *charge, *diagonal;
    double* key;          // what rows are sorted by
    std::int32_t* order;  // atom of each row
    std::int32_t* rank;
};

constexpr std::size_t bytes_per_atom = 6 * sizeof(double) + 2 * sizeof(std::int32_t);
constexpr std::size_t rounding_bytes = 6 * 16;

template <typename Real>
struct CoulombMatrixKernel {
    static constexpr unsigned n_threads = 64;

    Molecules molecules;
    CoulombParameters p;
    std::int64_t largest;
    std::int64_t* coincident;  // the first molecule in which two atoms coincide
    Real* out;

    template <typename Block>
    MOLKERN_DEVICE Atoms read(Block& block, std::int64_t first, std::int64_t n) const {
        const auto room = static_cast<std::size_t>(largest);
        const Atoms atoms{
            block.template shared<double>(3 * room),   block.template shared<double>(room),
            block.template shared<double>(room),       block.template shared<double>(room),
            block.template shared<std::int32_t>(room), block.template shared<std::int32_t>(room)};
        block.for_each(n, [&](std::int64_t i) {
            const std::int32_t z = molecules.numbers[first + i];
            for (std::int64_t x = 0; x < 3; ++x)
                atoms.positions[3 * i + x] = molecules.positions[3 * (first + i) + x];
            atoms.charge[i] = z;
            atoms.diagonal[i] = p.half_power[z];
            atoms.order[i] = static_cast<std::int32_t>(i);
        });
        return atoms;
    }

    MOLKERN_DEVICE double entry(const Atoms& atoms, std::int64_t i, std::int64_t j) const noexcept {
        if (i == j) return atoms.diagonal[i];
        const double squared = squared_distance(atoms.positions + 3 * i, atoms.positions + 3 * j);
        return p.unit_length * atoms.charge[i] * atoms.charge[j] / std::sqrt(squared);
    }

    // The norm of each row of the matrix.
    template <typename Block>
    MOLKERN_DEVICE void norms(Block& block, const Atoms& atoms, std::int64_t n) const {
        block.for_each(n, [&](std::int64_t i) {
            double total = 0;
            for (std::int64_t j = 0; j < n; ++j) {
                const double m = entry(atoms, i, j);
                total += m * m;
            }
            atoms.key[i] = std::sqrt(total);
        });
    }

    // order = rows by descending key, equal ones as they were.
    template <typename Block>
    MOLKERN_DEVICE void sort(Block& block, const Atoms& atoms, std::int64_t n) const {
        block.for_each(n, [&](std::int64_t i) {
            std::int32_t rank = 0;
            for (std::int64_t j = 0; j < n; ++j)
                rank += atoms.key[j] > atoms.key[i] || (atoms.key[j] == atoms.key[i] && j < i);
            atoms.rank[i] = rank;
        });
        block.for_each(
            n, [&](std::int64_t i) { atoms.order[atoms.rank[i]] = static_cast<std::int32_t>(i); });
    }

    // The lower triangle in the order of the rows, then zeros.
    template <typename Block>
    MOLKERN_DEVICE void write(Block& block, const Atoms& atoms, std::int64_t n, Real* row) const {
        const auto size = static_cast<std::int64_t>(p.size);
        block.for_each(size * (size + 1) / 2, [&](std::int64_t f) {
            if (f >= n * (n + 1) / 2) {
                row[f] = 0;
                return;
            }
            const TrianglePlace place = triangle_place(f);
            const std::int64_t i = atoms.order[place.row], j = atoms.order[place.column];
            row[f] = static_cast<Real>(entry(atoms, i, j));
            // Of the atoms as they came: the order means nothing where a distance is 0 or NaN.
            constexpr double least = nearest_distance * nearest_distance;
            const bool apart = place.row == place.column ||
                               squared_distance(atoms.positions + 3 * place.row,
                                                atoms.positions + 3 * place.column) > least;
            if (!apart) atomic_min(coincident, block.index());
        });
    }

    // Noise is added to the norms in their sorted order, so that it does not depend on that of the
    // atoms.
    template <typename Block>
    MOLKERN_DEVICE void write_copies(Block& block, const Atoms& atoms, std::int64_t n,
                                     Real* row) const {
        const auto size = static_cast<std::int64_t>(p.size);
        norms(block, atoms, n);
        block.for_each(n, [&](std::int64_t i) { atoms.key[i] = ten_digits(atoms.key[i]); });
        sort(block, atoms, n);
        auto* sorted = block.template shared<std::int32_t>(static_cast<std::size_t>(largest));
        auto* exact = block.template shared<double>(static_cast<std::size_t>(largest));
        norms(block, atoms, n);
        block.for_each(n, [&](std::int64_t k) {
            sorted[k] = atoms.order[k];
            exact[k] = atoms.key[atoms.order[k]];
        });
        for (std::int64_t copy = 0; copy < static_cast<std::int64_t>(p.n_copies); ++copy) {
            block.for_each(
                n, [&](std::int64_t k) { atoms.key[k] = exact[k] + p.noise[copy * size + k]; });
            sort(block, atoms, n);
            // The order among the sorted rows becomes one of atoms.
            block.for_each(n, [&](std::int64_t k) { atoms.rank[k] = sorted[atoms.order[k]]; });
            block.for_each(n, [&](std::int64_t k) { atoms.order[k] = atoms.rank[k]; });
            write(block, atoms, n, row + copy * (size * (size + 1) / 2));
        }
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t m = block.index(), first = molecules.offsets[m];
        const std::int64_t n = molecules.offsets[m + 1] - first;
        const Atoms atoms = read(block, first, n);
        const auto features = static_cast<std::int64_t>(coulomb_matrix_features(p));
        Real* row = out + m * features;
        if (p.permutation == Permutation::random) {
            write_copies(block, atoms, n, row);
            return;
        }
        if (p.permutation == Permutation::row_norm) {
            norms(block, atoms, n);
            block.for_each(n, [&](std::int64_t i) { atoms.key[i] = ten_digits(atoms.key[i]); });
            sort(block, atoms, n);
        }
        write(block, atoms, n, row);
    }
};

}  // namespace

template <typename Real>
std::size_t coulomb_matrix(const Molecules& molecules, const CoulombParameters& p,
                           std::int64_t largest, Real* out, Stream stream) {
    constexpr std::int64_t none = INT64_MAX;
    const auto coincident = uploaded(&none, 1, stream);
    const std::size_t copies = p.permutation == Permutation::random ? 12 : 0;
    const std::size_t shared =
        static_cast<std::size_t>(largest) * (bytes_per_atom + copies) + rounding_bytes + 2 * 16;
    launch(CoulombMatrixKernel<Real>{molecules, p, largest, coincident.data(), out},
           static_cast<std::int64_t>(molecules.n_molecules), shared, stream);
    std::int64_t found = none;
    download(&found, coincident.data(), sizeof found, stream);
    return found == none ? no_molecule : static_cast<std::size_t>(found);
}

template std::size_t coulomb_matrix<float>(const Molecules&, const CoulombParameters&, std::int64_t,
                                           float*, Stream);
template std::size_t coulomb_matrix<double>(const Molecules&, const CoulombParameters&,
                                            std::int64_t, double*, Stream);

}  // namespace molkern::cuda
