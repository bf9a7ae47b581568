// Coulomb matrices with sorted or unsorted rows and their derivatives, a block for a few molecules,
// for each one where there are derivatives; computed in double.
//
// Floor: the bytes of the result, or of the cotangent. The molecules lie in shared memory, with
// them the entries if rows are sorted, each with one inverse square root; a feature is then looked
// up and written next to those of other threads. Norms cost two multiply-adds a feature, ranks are
// counted: two comparisons a feature. Derivatives: one slope for each pair of atoms, then 3 n sums
// of n terms.
//
// Counted in the machine code for compute capability 9.0, not measured: a sorted molecule of 15
// atoms in 23 rows takes some 900 instructions of a warp, 300 of them for norms, their ten digits
// and ranks, 280 for entries. At 4.2 TB/s and 132 x 4 instructions a cycle its row allows 250 in
// float32 and 500 in float64: instructions bind, to at best a quarter and a half of the floor.

#include <algorithm>

#include "cuda/coulomb_parts.hpp"
#include "cuda/eigenvalues.hpp"

namespace molkern::cuda {
namespace {

template <typename Real>
struct CoulombMatrixKernel {
    static constexpr unsigned n_threads = 64;

    CoulombMolecules molecules;
    Real* out;

    // The lower triangle of a molecule in the order of the rows, then zeros.
    template <typename Block>
    MOLKERN_DEVICE void write(Block& block, const CoulombAtoms& atoms, std::int64_t slot,
                              Real* row) const {
        const auto size = static_cast<std::int64_t>(molecules.p.size);
        const std::int64_t* offsets = molecules.molecules.offsets + molecules.first(block);
        const auto begin = static_cast<std::int32_t>(offsets[slot] - offsets[0]);
        const std::int64_t n = offsets[slot + 1] - offsets[slot], there = n * (n + 1) / 2;
        const std::int32_t* order = atoms.order + begin;
        block.for_each(there, [&](std::int64_t f) {
            const CoulombPlace place = molecules.places[f];
            row[f] = static_cast<Real>(
                molecules.entry(block, atoms, slot, begin, order[place.row], order[place.column]));
        });
        block.for_each(size * (size + 1) / 2 - there, [&](std::int64_t k) { row[there + k] = 0; });
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const CoulombAtoms atoms = molecules.read(block);
        const auto features = static_cast<std::int64_t>(coulomb_matrix_features(molecules.p));
        const auto of_copy = features / static_cast<std::int64_t>(molecules.p.n_copies);
        Real* rows = out + molecules.first(block) * features;
        molecules.each_order(block, atoms, [&](std::int64_t copy) {
            for (std::int64_t slot = 0; slot < molecules.size(block); ++slot)
                write(block, atoms, slot, rows + slot * features + copy * of_copy);
        });
    }
};

template <typename Real>
struct CoulombVjpKernel {
    static constexpr unsigned n_threads = 64;

    CoulombMolecules molecule;
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
            factors[k] += static_cast<double>(
                g[triangle_index(atoms.rank[pair.row], atoms.rank[pair.column])]);
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

// Molecules of a block: as many as have an atom for each thread, and little shared memory.
std::int64_t molecules_per_block(const DeviceMolecules& of, std::int64_t n_threads) {
    constexpr std::int64_t most_features = 2048;
    const auto n = static_cast<std::int64_t>(of.molecules.n_molecules);
    const std::int64_t by_threads = n_threads * n / std::max<std::int64_t>(of.n_atoms, 1);
    const std::int64_t by_memory =
        most_features / std::max<std::int64_t>(of.largest * (of.largest + 1) / 2, 1);
    return std::clamp<std::int64_t>(std::min(by_threads, by_memory), 1, 8);
}

}  // namespace

template <typename Real>
std::size_t coulomb_matrix(const DeviceMolecules& of, const CoulombParameters& p, Real* out,
                           Stream stream) {
    if (p.permutation == Permutation::eigenspectrum) return eigenspectra(of, p, out, stream);
    const auto places = coulomb_places(of.largest, stream);
    return first_coincident(stream, [&](std::int64_t* flag) {
        using Kernel = CoulombMatrixKernel<Real>;
        const CoulombMolecules molecules{of.molecules,  p,
                                         of.largest,    molecules_per_block(of, Kernel::n_threads),
                                         places.data(), flag};
        launch_of_any_size(Kernel{molecules, out}, molecules.n_blocks(), molecules.shared_bytes(),
                           stream);
    });
}

template <typename Real>
std::size_t coulomb_matrix_vjp(const DeviceMolecules& of, const CoulombParameters& p,
                               const Real* cotangent, double* gradient, Stream stream) {
    if (p.permutation == Permutation::eigenspectrum)
        return eigenspectra_vjp(of, p, cotangent, gradient, stream);
    const bool looked_up = p.permutation != Permutation::none;
    const auto places = coulomb_places(looked_up ? of.largest : 0, stream);
    return first_coincident(stream, [&](std::int64_t* flag) {
        const CoulombMolecules molecule{of.molecules, p, of.largest, 1, places.data(), flag};
        const std::size_t pairs =
            sizeof(double) * static_cast<std::size_t>(n_pairs(of.largest)) + 16;
        launch_of_any_size(CoulombVjpKernel<Real>{molecule, cotangent, gradient},
                           molecule.n_blocks(), molecule.shared_bytes() + pairs, stream);
    });
}

#define MOLKERN_INSTANTIATE(Real)                                                               \
    template std::size_t coulomb_matrix<Real>(const DeviceMolecules&, const CoulombParameters&, \
                                              Real*, Stream);                                   \
    template std::size_t coulomb_matrix_vjp<Real>(                                              \
        const DeviceMolecules&, const CoulombParameters&, const Real*, double*, Stream);
MOLKERN_INSTANTIATE(float)
MOLKERN_INSTANTIATE(double)
#undef MOLKERN_INSTANTIATE

}  // namespace molkern::cuda
