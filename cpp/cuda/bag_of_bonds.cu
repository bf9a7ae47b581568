// Bags of bonds and their derivatives, a block for each molecule, computed in double.
//
// Floor: the bytes of the result, which is cleared first (the second-level cache holds a row until
// its values come), or of the cotangent. Atoms are put in the order of their elements by counting:
// n comparisons an atom. So are the bonds of a bag, by their squared distances in shared memory:
// k comparisons a bond in a bag of k, more than all else; 6 instructions each, counted for sm_90.

#include "cuda/molecule_pairs.hpp"

namespace molkern::cuda {
namespace {

// A molecule in shared memory, its atoms in the order of their elements.
struct Atoms {
    std::int64_t n;
    double* positions;
    double* squared;            // distance of each pair
    std::int32_t* came;         // species of the atoms as they came
    std::int32_t* species;      // indices in the elements of the model
    std::int32_t* source;       // the atom as it came
    std::int32_t *begin, *end;  // of the atoms of the same element
};

constexpr std::size_t bytes_per_atom = 3 * sizeof(double) + 5 * sizeof(std::int32_t);
constexpr std::size_t rounding_bytes = 8 * 16;

std::size_t shared_bytes(std::int64_t largest, std::size_t arrays_of_pairs) {
    return static_cast<std::size_t>(largest) * bytes_per_atom +
           arrays_of_pairs * static_cast<std::size_t>(n_pairs(largest)) * sizeof(double) +
           rounding_bytes;
}

struct Bags {
    Molecules molecules;
    BagParameters p;
    std::int64_t largest;
    std::int64_t* coincident;  // the first molecule in which two atoms coincide

    template <typename Block>
    MOLKERN_DEVICE Atoms room(Block& block) const {
        const auto n = static_cast<std::size_t>(largest);
        const std::int64_t first = molecules.offsets[block.index()];
        return {molecules.offsets[block.index() + 1] - first,
                block.template shared<double>(3 * n),
                block.template shared<double>(static_cast<std::size_t>(n_pairs(largest))),
                block.template shared<std::int32_t>(n),
                block.template shared<std::int32_t>(n),
                block.template shared<std::int32_t>(n),
                block.template shared<std::int32_t>(n),
                block.template shared<std::int32_t>(n)};
    }

    template <typename Block>
    MOLKERN_DEVICE Atoms read(Block& block) const {
        const Atoms atoms = room(block);
        const std::int64_t first = molecules.offsets[block.index()], n = atoms.n;
        block.for_each(
            n, [&](std::int64_t i) { atoms.came[i] = p.species[molecules.numbers[first + i]]; });
        block.for_each(n, [&](std::int64_t i) {
            const std::int32_t mine = atoms.came[i];
            std::int32_t before = 0, equal = 0, place = 0;
            for (std::int64_t j = 0; j < n; ++j) {
                before += atoms.came[j] < mine;
                equal += atoms.came[j] == mine;
                place += atoms.came[j] < mine || (atoms.came[j] == mine && j < i);
            }
            atoms.species[place] = mine;
            atoms.source[place] = static_cast<std::int32_t>(i);
            atoms.begin[place] = before;
            atoms.end[place] = before + equal;
            for (std::int64_t x = 0; x < 3; ++x)
                atoms.positions[3 * place + x] = molecules.positions[3 * (first + i) + x];
        });
        block.for_each(n_pairs(n), [&](std::int64_t k) {
            const TrianglePlace pair = pair_place(k);
            atoms.squared[k] =
                squared_distance(atoms.positions + 3 * pair.row, atoms.positions + 3 * pair.column);
            if (!apart(atoms.squared[k])) atomic_min(coincident, block.index());
        });
        return atoms;
    }

    MOLKERN_DEVICE double charge(const Atoms& atoms, TrianglePlace pair) const noexcept {
        return p.unit_length * p.numbers[atoms.species[pair.column]] *
               p.numbers[atoms.species[pair.row]];
    }

    // Values of a bag descend as distances ascend; equal ones are in the order of their atoms.
    MOLKERN_DEVICE std::int64_t feature(const Atoms& atoms, std::int64_t k,
                                        TrianglePlace pair) const noexcept {
        const std::int64_t s = atoms.species[pair.column], t = atoms.species[pair.row];
        const auto row = static_cast<std::int32_t>(pair.row),
                   column = static_cast<std::int32_t>(pair.column);
        const std::int32_t end = atoms.end[row];
        const double mine = atoms.squared[k];
        std::int32_t rank = 0;
        for (std::int32_t i = atoms.begin[column]; i < atoms.end[column]; ++i) {
            std::int32_t j = atoms.begin[row] > i ? atoms.begin[row] : i + 1;
            // Up to there equal ones come sooner.
            const std::int32_t sooner = i < column ? end : i == column ? row : 0;
            const double* other = atoms.squared + n_pairs(j) + i;
            for (; j < sooner; other += j, ++j) rank += *other <= mine;
            for (; j < end; other += j, ++j) rank += *other < mine;
        }
        const auto n_species = static_cast<std::int64_t>(p.n_species);
        return p.first[n_species + s * n_species - s * (s - 1) / 2 + t - s] + rank;
    }
};

template <typename Real>
struct ValuesKernel {
    static constexpr unsigned n_threads = 128;

    Bags bags;
    Real* out;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const BagParameters& p = bags.p;
        const auto features = static_cast<std::int64_t>(bag_of_bonds_features(p));
        Real* row = out + block.index() * features;
        const Atoms atoms = bags.read(block);
        block.for_each(features, [&](std::int64_t f) { row[f] = 0; });
        block.for_each(atoms.n, [&](std::int64_t i) {
            const std::int32_t s = atoms.species[i];
            row[p.first[s] + i - atoms.begin[i]] = static_cast<Real>(p.half_power[p.numbers[s]]);
        });
        block.for_each(n_pairs(atoms.n), [&](std::int64_t k) {
            const TrianglePlace pair = pair_place(k);
            row[bags.feature(atoms, k, pair)] =
                static_cast<Real>(bags.charge(atoms, pair) / std::sqrt(atoms.squared[k]));
        });
    }
};

template <typename Real>
struct VjpKernel {
    static constexpr unsigned n_threads = 128;

    Bags bags;
    const Real* cotangent;
    double* gradient;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const auto features = static_cast<std::int64_t>(bag_of_bonds_features(bags.p));
        const Real* g = cotangent + block.index() * features;
        const auto most = static_cast<std::size_t>(n_pairs(bags.largest));
        const Atoms atoms = bags.read(block);
        auto* slopes = block.template shared<double>(most);
        block.for_each(n_pairs(atoms.n), [&](std::int64_t k) {
            const TrianglePlace pair = pair_place(k);
            const auto factor = static_cast<double>(g[bags.feature(atoms, k, pair)]);
            slopes[k] = inverse_distance_scale(atoms.squared[k], factor * bags.charge(atoms, pair));
        });
        double* to = gradient + 3 * bags.molecules.offsets[block.index()];
        pair_gradient(block, atoms.positions, slopes, atoms.n,
                      [&](std::int64_t i, std::int64_t x, double value) {
                          to[3 * atoms.source[i] + x] = value;
                      });
    }
};

}  // namespace

template <typename Real>
std::size_t bag_of_bonds(const DeviceMolecules& of, const BagParameters& p, Real* out,
                         Stream stream) {
    return first_coincident(stream, [&](std::int64_t* flag) {
        launch_of_any_size(ValuesKernel<Real>{{of.molecules, p, of.largest, flag}, out},
                           static_cast<std::int64_t>(of.molecules.n_molecules),
                           shared_bytes(of.largest, 1), stream);
    });
}

template <typename Real>
std::size_t bag_of_bonds_vjp(const DeviceMolecules& of, const BagParameters& p,
                             const Real* cotangent, double* gradient, Stream stream) {
    return first_coincident(stream, [&](std::int64_t* flag) {
        launch_of_any_size(
            VjpKernel<Real>{{of.molecules, p, of.largest, flag}, cotangent, gradient},
            static_cast<std::int64_t>(of.molecules.n_molecules), shared_bytes(of.largest, 2),
            stream);
    });
}

#define MOLKERN_INSTANTIATE(Real)                                                                \
    template std::size_t bag_of_bonds<Real>(const DeviceMolecules&, const BagParameters&, Real*, \
                                            Stream);                                             \
    template std::size_t bag_of_bonds_vjp<Real>(const DeviceMolecules&, const BagParameters&,    \
                                                const Real*, double*, Stream);
MOLKERN_INSTANTIATE(float)
MOLKERN_INSTANTIATE(double)
#undef MOLKERN_INSTANTIATE

}  // namespace molkern::cuda
