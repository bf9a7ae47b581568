// Eigenvalues of Coulomb matrices, a block for each molecule, by Jacobi's method in shared memory.
//
// A sweep rotates away every element outside of the diagonal once. It has n - 1 rounds, each of
// n / 2 rotations that share no row (Brent and Luk, SIAM J. Sci. Stat. Comput. 6, 69 (1985),
// doi:10.1137/0906007): one phase finds the angles, another one applies a round to the matrix, for
// each two rotations to the 2 x 2 elements in which their rows meet. Convergence is quadratic; a
// dozen sweeps at most.
//
// Floor, n atoms: n^2 / 8 blocks of 2 x 2 elements a round, 24 operations and 8 accesses to shared
// memory each: 3 n^3 operations a sweep, about 7 sweeps. QL needs 8 times fewer, one after another.

#include "cuda/coulomb_parts.hpp"
#include "cuda/eigenvalues.hpp"

namespace molkern::cuda {
namespace {

constexpr int most_sweeps = 40;  // 7 are usual

MOLKERN_DEVICE inline std::int64_t triangle_index(std::int64_t i, std::int64_t j) noexcept {
    return i > j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i;
}

// The rows that rotation k of a round turns. One row stays, the others go round.
struct RowPair {
    std::int64_t a, b;
};

MOLKERN_DEVICE inline RowPair rows_of(std::int64_t k, std::int64_t round, std::int64_t m) noexcept {
    const std::int64_t ring = m - 1;
    if (k == 0) return {round, ring};
    return {(round + k) % ring, (round + ring - k) % ring};
}

template <typename Real>
struct EigenvaluesKernel {
    static constexpr unsigned n_threads = 64;

    CoulombMolecule molecule;
    Real* out;

    // The matrix of m rows, of which n are atoms: a triangle.
    template <typename Block>
    MOLKERN_DEVICE void fill(Block& block, const CoulombAtoms& atoms, std::int64_t m,
                             double* matrix) const {
        block.for_each(m * (m + 1) / 2, [&](std::int64_t k) {
            const TrianglePlace place = triangle_place(k);
            matrix[k] = 0;
            if (place.row >= atoms.n) return;
            matrix[k] = molecule.entry(atoms, place.row, place.column);
            molecule.require_apart(block, atoms, place.row, place.column);
        });
    }

    // Angles that make the elements of the rotations zero, and what they do to their own rows.
    template <typename Block>
    MOLKERN_DEVICE static void turn(Block& block, std::int64_t m, std::int64_t round,
                                    double* matrix, double* cosine, double* sine) {
        block.for_each(m / 2, [&](std::int64_t k) {
            const RowPair rows = rows_of(k, round, m);
            double& a = matrix[triangle_index(rows.a, rows.a)];
            double& b = matrix[triangle_index(rows.b, rows.b)];
            double& off = matrix[triangle_index(rows.a, rows.b)];
            cosine[k] = 1;
            sine[k] = 0;
            if (off == 0) return;
            // The smaller root of t^2 + 2 t cot - 1.
            const double cot = (b - a) / (2 * off);
            const double size = 1 / (std::fabs(cot) + std::sqrt(1 + cot * cot));
            const double t = cot < 0 ? -size : size;
            cosine[k] = 1 / std::sqrt(1 + t * t);
            sine[k] = t * cosine[k];
            a -= t * off;
            b += t * off;
            off = 0;
        });
    }

    // The elements in which the rows of two rotations meet.
    template <typename Block>
    MOLKERN_DEVICE static void rotate(Block& block, std::int64_t m, std::int64_t round,
                                      double* matrix, const double* cosine, const double* sine) {
        block.for_each(n_pairs(m / 2), [&](std::int64_t e) {
            const TrianglePlace pair = pair_place(e);
            const RowPair x = rows_of(pair.row, round, m), y = rows_of(pair.column, round, m);
            double& aa = matrix[triangle_index(x.a, y.a)];
            double& ab = matrix[triangle_index(x.a, y.b)];
            double& ba = matrix[triangle_index(x.b, y.a)];
            double& bb = matrix[triangle_index(x.b, y.b)];
            const double cx = cosine[pair.row], sx = sine[pair.row];
            const double cy = cosine[pair.column], sy = sine[pair.column];
            const double ua = cx * aa - sx * ba, ub = cx * ab - sx * bb;
            const double va = sx * aa + cx * ba, vb = sx * ab + cx * bb;
            aa = cy * ua - sy * ub;
            ab = sy * ua + cy * ub;
            ba = cy * va - sy * vb;
            bb = sy * va + cy * vb;
        });
    }

    // Until the rest is below rounding; false if that does not come.
    template <typename Block>
    MOLKERN_DEVICE static bool diagonalize(Block& block, std::int64_t m, double* matrix,
                                           double* cosine, double* sine) {
        const auto squares = [&](bool diagonal) {
            return block.sum(m * (m + 1) / 2, [&](std::int64_t k) {
                const TrianglePlace place = triangle_place(k);
                return (place.row == place.column) == diagonal ? matrix[k] * matrix[k] : 0;
            });
        };
        double off = squares(false);
        const double least = 0x1p-106 * (squares(true) + 2 * off);
        for (int sweep = 0; sweep < most_sweeps && off > least; ++sweep) {
            for (std::int64_t round = 0; round < m - 1; ++round) {
                turn(block, m, round, matrix, cosine, sine);
                rotate(block, m, round, matrix, cosine, sine);
            }
            off = squares(false);
        }
        return off <= least;
    }

    // By descending magnitude, then zeros.
    template <typename Block>
    MOLKERN_DEVICE void write(Block& block, const CoulombAtoms& atoms, const double* matrix,
                              bool good) const {
        const auto size = static_cast<std::int64_t>(molecule.p.size);
        Real* row = out + block.index() * size;
        block.for_each(atoms.n, [&](std::int64_t i) {
            atoms.key[i] = good ? matrix[triangle_index(i, i)] : std::nan("");
        });
        block.for_each(size, [&](std::int64_t i) {
            if (i >= atoms.n) {
                row[i] = 0;
                return;
            }
            const double mine = std::fabs(atoms.key[i]);
            std::int64_t rank = 0;
            for (std::int64_t j = 0; j < atoms.n; ++j) {
                const double other = std::fabs(atoms.key[j]);
                rank += j < i ? !(other < mine) : other > mine;
            }
            row[rank] = static_cast<Real>(atoms.key[i]);
        });
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const CoulombAtoms atoms = molecule.read(block);
        const std::int64_t m = atoms.n + atoms.n % 2;  // an empty row more where there is no pair
        const auto most = static_cast<std::size_t>(molecule.largest + molecule.largest % 2);
        auto* matrix = block.template shared<double>(most * (most + 1) / 2);
        auto* cosine = block.template shared<double>(most / 2);
        auto* sine = block.template shared<double>(most / 2);
        fill(block, atoms, m, matrix);
        write(block, atoms, matrix, diagonalize(block, m, matrix, cosine, sine));
    }
};

}  // namespace

template <typename Real>
std::size_t eigenspectra(const Molecules& molecules, const CoulombParameters& p,
                         std::int64_t largest, Real* out, Stream stream) {
    const auto most = static_cast<std::size_t>(largest + largest % 2);
    const std::size_t matrix = sizeof(double) * (most * (most + 1) / 2 + most) + 3 * 16;
    return first_coincident(stream, [&](std::int64_t* flag) {
        const CoulombMolecule molecule{molecules, p, largest, flag};
        launch(EigenvaluesKernel<Real>{molecule, out},
               static_cast<std::int64_t>(molecules.n_molecules), molecule.shared_bytes() + matrix,
               stream);
    });
}

template std::size_t eigenspectra<float>(const Molecules&, const CoulombParameters&, std::int64_t,
                                         float*, Stream);
template std::size_t eigenspectra<double>(const Molecules&, const CoulombParameters&, std::int64_t,
                                          double*, Stream);

}  // namespace molkern::cuda
