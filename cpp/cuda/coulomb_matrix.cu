// Coulomb matrices with sorted or unsorted rows and their derivatives, a block for each molecule,
// computed in double.
//
// Floor: the bytes of the result, or of the cotangent. The molecule lies in shared memory, with it
// the entries if rows are sorted, each with one inverse square root; a feature is then looked up
// and written next to those of other threads. Norms cost two multiply-adds a feature, ranks are
// counted: two comparisons a feature. Derivatives: one slope for each pair of atoms, then 3 n sums
// of n terms. Counted in the machine code for compute capability 9.0, not measured: a sorted
// molecule of 15 atoms in 23 rows takes some 1100 instructions of a warp, 400 of them for norms and
// ranks with half of the threads idle. At 4.2 TB/s and 132 x 4 instructions a cycle its row allows
// 250 in float32 and 500 in float64: instructions bind, to at best a fifth and two fifths of the
// floor.

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
            const CoulombPlace place = molecule.places[f];
            const std::int64_t i = atoms.order[place.row], j = atoms.order[place.column];
            row[f] = static_cast<Real>(molecule.entry(block, atoms, i, j));
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
        auto* factors =
            block.template shared<double>(static_cast<std::size_t>(n_pairs(molecule.largest)));
        block.for_each(n_pairs(atoms.n), [&](std::int64_t k) { factors[k] = 0; });
        molecule.each_order(block, atoms, [&](std::int64_t copy) {
            collect(block, atoms, g + copy * of_copy, factors);
        });
        molecule.gradient(block, atoms, factors,
                          gradient + 3 * molecule.molecules.offsets[block.index()]);
    }
};

}  // namespace

template <typename Real>
std::size_t coulomb_matrix(const Molecules& molecules, const CoulombParameters& p,
                           std::int64_t largest, Real* out, Stream stream) {
    if (p.permutation == Permutation::eigenspectrum)
        return eigenspectra(molecules, p, largest, out, stream);
    const auto places = coulomb_places(largest, stream);
    return first_coincident(stream, [&](std::int64_t* flag) {
        const CoulombMolecule molecule{molecules, p, largest, places.data(), flag};
        launch_of_any_size(CoulombMatrixKernel<Real>{molecule, out},
                           static_cast<std::int64_t>(molecules.n_molecules),
                           molecule.shared_bytes(), stream);
    });
}

template <typename Real>
std::size_t coulomb_matrix_vjp(const Molecules& molecules, const CoulombParameters& p,
                               std::int64_t largest, const Real* cotangent, double* gradient,
                               Stream stream) {
    if (p.permutation == Permutation::eigenspectrum)
        return eigenspectra_vjp(molecules, p, largest, cotangent, gradient, stream);
    const auto places = coulomb_places(largest, stream);
    return first_coincident(stream, [&](std::int64_t* flag) {
        const CoulombMolecule molecule{molecules, p, largest, places.data(), flag};
        const std::size_t pairs = sizeof(double) * static_cast<std::size_t>(n_pairs(largest)) + 16;
        launch_of_any_size(CoulombVjpKernel<Real>{molecule, cotangent, gradient},
                           static_cast<std::int64_t>(molecules.n_molecules),
                           molecule.shared_bytes() + pairs, stream);
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
