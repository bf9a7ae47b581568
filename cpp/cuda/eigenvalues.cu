// Eigenvalues of Coulomb matrices and their derivatives, a block for each molecule, by Jacobi's
// method in shared memory.
//
// A sweep rotates away every element outside of the diagonal once. It has n - 1 rounds, each of
// n / 2 rotations that share no row (Brent and Luk, SIAM J. Sci. Stat. Comput. 6, 69 (1985),
// doi:10.1137/0906007): one phase finds the angles, another one applies a round to the matrix, for
// each two rotations to the 2 x 2 elements in which their rows meet. Convergence is quadratic; a
// dozen sweeps at most.
//
// Floor, n atoms: n^2 / 8 blocks of 2 x 2 elements a round, 24 operations and 8 accesses to shared
// memory each: 3 n^3 operations a sweep, about 7 sweeps. QL needs 8 times fewer, one after another.
// Eigenvectors take another 3 n^3 operations a sweep, and the derivatives n^3 once: with the
// normalised eigenvector v, d(eigenvalue) = v dM v (Hellmann and Feynman).

#include "cuda/coulomb_parts.hpp"
#include "cuda/eigenvalues.hpp"

namespace molkern::cuda {
namespace {

constexpr int most_sweeps = 40;  // 7 are usual

// The rows that rotation k of a round turns. One row stays, the others go round.
struct RowPair {
    std::int32_t a, b;
};

MOLKERN_DEVICE inline RowPair rows_of(std::int32_t k, std::int32_t round, std::int32_t m) noexcept {
    const std::int32_t ring = m - 1, up = round + k, down = round - k;
    if (k == 0) return {round, ring};
    return {up < ring ? up : up - ring, down < 0 ? down + ring : down};
}

MOLKERN_DEVICE inline std::int32_t narrow(std::int64_t k) noexcept {
    return static_cast<std::int32_t>(k);
}

// A matrix that is turned until it is diagonal.
//
// matrix         [m (m + 1) / 2]   triangle of m rows, an even number, of which n are atoms
// vectors        [m, m]            its eigenvectors, one behind the other, or null
// cosine, sine   [m / 2]           of the rotations of a round
struct Jacobi {
    std::int32_t n, m;
    double *matrix, *vectors, *cosine, *sine;

    template <typename Block>
    MOLKERN_DEVICE Jacobi(Block& block, std::int64_t n_atoms, std::int64_t largest,
                          bool with_vectors)
        : n(narrow(n_atoms)), m(n + n % 2) {
        const auto most = static_cast<std::size_t>(largest + largest % 2);
        matrix = block.template shared<double>(most * (most + 1) / 2);
        cosine = block.template shared<double>(most / 2);
        sine = block.template shared<double>(most / 2);
        vectors = with_vectors ? block.template shared<double>(most * most) : nullptr;
    }

    static std::size_t shared_bytes(std::int64_t largest, bool with_vectors) {
        const auto most = static_cast<std::size_t>(largest + largest % 2);
        const std::size_t of_vectors = with_vectors ? most * most : 0;
        return sizeof(double) * (most * (most + 1) / 2 + most + of_vectors) + 4 * 16;
    }

    // An empty row more where there is no pair.
    template <typename Block>
    MOLKERN_DEVICE void fill(Block& block, const CoulombMolecules& molecule,
                             const CoulombAtoms& atoms) const {
        block.for_each(m * (m + 1) / 2, [&](std::int64_t k) {
            const TrianglePlace place = triangle_place(k);
            const bool there = place.row < n;
            matrix[k] =
                there ? molecule.entry(block, atoms, 0, 0, narrow(place.row), narrow(place.column))
                      : 0;
        });
        if (vectors != nullptr)
            block.for_each(m * m, [&](std::int64_t k) { vectors[k] = k % (m + 1) == 0 ? 1 : 0; });
    }

    // Angles that make the elements of the rotations zero, and what they do to their own rows.
    template <typename Block>
    MOLKERN_DEVICE void turn(Block& block, std::int32_t round) const {
        block.for_each(m / 2, [&](std::int64_t k) {
            const RowPair rows = rows_of(narrow(k), round, m);
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
    MOLKERN_DEVICE void rotate(Block& block, std::int32_t round) const {
        block.for_each(n_pairs(m / 2), [&](std::int64_t e) {
            const TrianglePlace pair = pair_place(e);
            const RowPair x = rows_of(narrow(pair.row), round, m),
                          y = rows_of(narrow(pair.column), round, m);
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

    template <typename Block>
    MOLKERN_DEVICE void rotate_vectors(Block& block, std::int32_t round) const {
        block.for_each(m / 2 * m, [&](std::int64_t e) {
            const std::int32_t k = narrow(e) / m, i = narrow(e) % m;
            const RowPair rows = rows_of(k, round, m);
            double &a = vectors[rows.a * m + i], &b = vectors[rows.b * m + i];
            const double turned = cosine[k] * a - sine[k] * b;
            b = sine[k] * a + cosine[k] * b;
            a = turned;
        });
    }

    // Until the rest is below rounding; false if that does not come.
    template <typename Block>
    MOLKERN_DEVICE bool diagonalize(Block& block) const {
        const auto squares = [&](bool diagonal) {
            return block.sum(m * (m + 1) / 2, [&](std::int64_t k) {
                const TrianglePlace place = triangle_place(k);
                return (place.row == place.column) == diagonal ? matrix[k] * matrix[k] : 0;
            });
        };
        double off = squares(false);
        const double least = 0x1p-106 * (squares(true) + 2 * off);
        for (int sweep = 0; sweep < most_sweeps && off > least; ++sweep) {
            for (std::int32_t round = 0; round < m - 1; ++round) {
                turn(block, round);
                rotate(block, round);
                if (vectors != nullptr) rotate_vectors(block, round);
            }
            off = squares(false);
        }
        return off <= least;
    }

    // value [n] = the eigenvalues, or NaN; rank [n] = their places by descending magnitude.
    template <typename Block>
    MOLKERN_DEVICE void sort(Block& block, bool good, double* value, std::int32_t* rank) const {
        block.for_each(n, [&](std::int64_t i) {
            value[i] = good ? matrix[triangle_index(narrow(i), narrow(i))] : std::nan("");
        });
        block.for_each(n, [&](std::int64_t i) {
            const double mine = std::fabs(value[i]);
            rank[i] = 0;
            for (std::int64_t j = 0; j < n; ++j) {
                const double other = std::fabs(value[j]);
                rank[i] += j < i ? !(other < mine) : other > mine;
            }
        });
    }
};

template <typename Real>
struct EigenvaluesKernel {
    static constexpr unsigned n_threads = 64;

    CoulombMolecules molecule;
    Real* out;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const CoulombAtoms atoms = molecule.read(block);
        const Jacobi jacobi(block, atoms.n, molecule.largest, false);
        jacobi.fill(block, molecule, atoms);
        jacobi.sort(block, jacobi.diagonalize(block), atoms.key, atoms.rank);
        const auto size = static_cast<std::int64_t>(molecule.p.size);
        Real* row = out + block.index() * size;
        block.for_each(size, [&](std::int64_t i) {
            row[i < atoms.n ? atoms.rank[i] : i] =
                static_cast<Real>(i < atoms.n ? atoms.key[i] : 0);
        });
    }
};

template <typename Real>
struct EigenvaluesVjpKernel {
    static constexpr unsigned n_threads = 64;

    CoulombMolecules molecule;
    const Real* cotangent;
    double* gradient;

    std::size_t shared_bytes() const {
        return molecule.shared_bytes() + Jacobi::shared_bytes(molecule.largest, true) +
               sizeof(double) * static_cast<std::size_t>(n_pairs(molecule.largest)) + 16;
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const CoulombAtoms atoms = molecule.read(block);
        const Jacobi jacobi(block, atoms.n, molecule.largest, true);
        auto* factors =
            block.template shared<double>(static_cast<std::size_t>(n_pairs(molecule.largest)));
        jacobi.fill(block, molecule, atoms);
        const bool good = jacobi.diagonalize(block);
        jacobi.sort(block, good, atoms.key, atoms.rank);
        const Real* g = cotangent + block.index() * static_cast<std::int64_t>(molecule.p.size);
        // An entry is there twice, above and below the diagonal.
        block.for_each(n_pairs(atoms.n), [&](std::int64_t k) {
            const TrianglePlace pair = pair_place(k);
            double total = good ? 0 : std::nan("");
            for (std::int64_t e = 0; e < atoms.n; ++e) {
                const double* vector = jacobi.vectors + e * jacobi.m;
                total +=
                    static_cast<double>(g[atoms.rank[e]]) * vector[pair.row] * vector[pair.column];
            }
            factors[k] = 2 * total;
        });
        molecule.gradient(block, atoms, factors,
                          gradient + 3 * molecule.molecules.offsets[block.index()]);
    }
};

// Numbers of elements are of 32 bits.
void require_rows(std::int64_t n) {
    constexpr std::int64_t most = 40000;
    if (n > most)
        throw Error("eigenvalues of more than " + std::to_string(most) + " atoms (found " +
                    std::to_string(n) + "): use the host");
}

}  // namespace

template <typename Real>
std::size_t eigenspectra(const DeviceMolecules& of, const CoulombParameters& p, Real* out,
                         Stream stream) {
    require_rows(of.largest);
    return first_coincident(stream, [&](std::int64_t* flag) {
        const CoulombMolecules molecule{of.molecules, p, of.largest, 1, nullptr, flag};
        launch_of_any_size(EigenvaluesKernel<Real>{molecule, out},
                           static_cast<std::int64_t>(of.molecules.n_molecules),
                           molecule.shared_bytes() + Jacobi::shared_bytes(of.largest, false),
                           stream);
    });
}

template <typename Real>
std::size_t eigenspectra_vjp(const DeviceMolecules& of, const CoulombParameters& p,
                             const Real* cotangent, double* gradient, Stream stream) {
    require_rows(of.largest);
    return first_coincident(stream, [&](std::int64_t* flag) {
        const EigenvaluesVjpKernel<Real> kernel{
            {of.molecules, p, of.largest, 1, nullptr, flag}, cotangent, gradient};
        launch_of_any_size(kernel, static_cast<std::int64_t>(of.molecules.n_molecules),
                           kernel.shared_bytes(), stream);
    });
}

#define MOLKERN_INSTANTIATE(Real)                                                                 \
    template std::size_t eigenspectra<Real>(const DeviceMolecules&, const CoulombParameters&,     \
                                            Real*, Stream);                                       \
    template std::size_t eigenspectra_vjp<Real>(const DeviceMolecules&, const CoulombParameters&, \
                                                const Real*, double*, Stream);
MOLKERN_INSTANTIATE(float)
MOLKERN_INSTANTIATE(double)
#undef MOLKERN_INSTANTIATE

}  // namespace molkern::cuda
