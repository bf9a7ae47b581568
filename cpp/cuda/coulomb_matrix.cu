// Coulomb matrices with sorted or unsorted rows and their derivatives, a block for each molecule,
// computed in double.
//
// Floor: the bytes of the result, or of the cotangent. The molecule lies in shared memory; every
// thread makes its own features there, each with one inverse square root, and writes them next to
// those of its neighbours. Norms cost n inverse square roots an atom, ranks are counted: n
// comparisons an atom. Derivatives: one slope for each pair of atoms, then 3 n sums of n terms.

#include "cuda/coulomb_parts.hpp"
#include "cuda/eigenvalues.hpp"

namespace molkern::cuda {
namespace {

template <typename Real>
struct CoulombMatrixKernel {
    static constexpr unsigned n_threads = 64;

    CoulombMolecule molecule;
    Real* out;

    // The lower triangle in the order of the rows, then zeros.
    template <typename Block>
    MOLKERN_DEVICE void write(Block& block, const CoulombAtoms& atoms, Real* row) const {
        const auto size = static_cast<std::int64_t>(molecule.p.size);
        block.for_each(size * (size + 1) / 2, [&](std::int64_t f) {
            if (f >= atoms.n * (atoms.n + 1) / 2) {
                row[f] = 0;
                return;
            }
            const TrianglePlace place = triangle_place(f);
            const std::int64_t i = atoms.order[place.row], j = atoms.order[place.column];
            row[f] = static_cast<Real>(molecule.entry(atoms, i, j));
            molecule.require_apart(block, atoms, place.row, place.column);
        });
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const CoulombAtoms atoms = molecule.read(block);
        const auto features = static_cast<std::int64_t>(coulomb_matrix_features(molecule.p));
        const auto of_copy = features / static_cast<std::int64_t>(molecule.p.n_copies);
        Real* row = out + block.index() * features;
        molecule.each_order(block, atoms,
                            [&](std::int64_t copy) { write(block, atoms, row + copy * of_copy); });
    }
};

template <typename Real>
struct CoulombVjpKernel {
    static constexpr unsigned n_threads = 64;

    CoulombMolecule molecule;
    const Real* cotangent;
    double* gradient;

    // factors += the cotangent of each pair of atoms.
    template <typename Block>
    MOLKERN_DEVICE void collect(Block& block, const CoulombAtoms& atoms, const Real* g,
                                double* factors) const {
        block.for_each(atoms.n, [&](std::int64_t k) {
            atoms.rank[atoms.order[k]] = static_cast<std::int32_t>(k);
        });
        block.for_each(n_pairs(atoms.n), [&](std::int64_t k) {
            const TrianglePlace pair = pair_place(k);
            const std::int64_t i = atoms.rank[pair.row], j = atoms.rank[pair.column];
            const std::int64_t row = i > j ? i : j, column = i > j ? j : i;
            factors[k] += static_cast<double>(g[row * (row + 1) / 2 + column]);
        });
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const CoulombAtoms atoms = molecule.read(block);
        const auto features = static_cast<std::int64_t>(coulomb_matrix_features(molecule.p));
        const auto of_copy = features / static_cast<std::int64_t>(molecule.p.n_copies);
        const Real* g = cotangent + block.index() * features;
        auto* slopes =
            block.template shared<double>(static_cast<std::size_t>(n_pairs(molecule.largest)));
        block.for_each(n_pairs(atoms.n), [&](std::int64_t k) { slopes[k] = 0; });
        molecule.each_order(block, atoms, [&](std::int64_t copy) {
            collect(block, atoms, g + copy * of_copy, slopes);
        });
        block.for_each(n_pairs(atoms.n), [&](std::int64_t k) {
            const TrianglePlace pair = pair_place(k);
            const double charge = molecule.p.unit_length * atoms.charge[pair.row];
            const double squared =
                squared_distance(atoms.positions + 3 * pair.row, atoms.positions + 3 * pair.column);
            slopes[k] =
                inverse_distance_scale(squared, slopes[k] * charge * atoms.charge[pair.column]);
            molecule.require_apart(block, atoms, pair.row, pair.column);
        });
        double* to = gradient + 3 * molecule.molecules.offsets[block.index()];
        pair_gradient(block, atoms.positions, slopes, atoms.n,
                      [&](std::int64_t i, std::int64_t x, double value) { to[3 * i + x] = value; });
    }
};

}  // namespace

template <typename Real>
std::size_t coulomb_matrix(const Molecules& molecules, const CoulombParameters& p,
                           std::int64_t largest, Real* out, Stream stream) {
    if (p.permutation == Permutation::eigenspectrum)
        return eigenspectra(molecules, p, largest, out, stream);
    return first_coincident(stream, [&](std::int64_t* flag) {
        const CoulombMolecule molecule{molecules, p, largest, flag};
        launch(CoulombMatrixKernel<Real>{molecule, out},
               static_cast<std::int64_t>(molecules.n_molecules), molecule.shared_bytes(), stream);
    });
}

template <typename Real>
std::size_t coulomb_matrix_vjp(const Molecules& molecules, const CoulombParameters& p,
                               std::int64_t largest, const Real* cotangent, double* gradient,
                               Stream stream) {
    return first_coincident(stream, [&](std::int64_t* flag) {
        const CoulombMolecule molecule{molecules, p, largest, flag};
        const std::size_t pairs = sizeof(double) * static_cast<std::size_t>(n_pairs(largest)) + 16;
        launch(CoulombVjpKernel<Real>{molecule, cotangent, gradient},
               static_cast<std::int64_t>(molecules.n_molecules), molecule.shared_bytes() + pairs,
               stream);
    });
}

#define MOLKERN_INSTANTIATE(Real)                                                             \
    template std::size_t coulomb_matrix<Real>(const Molecules&, const CoulombParameters&,     \
                                              std::int64_t, Real*, Stream);                   \
    template std::size_t coulomb_matrix_vjp<Real>(const Molecules&, const CoulombParameters&, \
                                                  std::int64_t, const Real*, double*, Stream);
MOLKERN_INSTANTIATE(float)
MOLKERN_INSTANTIATE(double)
#undef MOLKERN_INSTANTIATE

}  // namespace molkern::cuda
