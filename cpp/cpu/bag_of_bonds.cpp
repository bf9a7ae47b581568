// Bag of bonds: Z_i Z_j / |R_i - R_j| by pair of elements, Z^2.4 / 2 by element, sorted
// (Hansen et al. 2015, doi:10.1021/acs.jpclett.5b00831).
//
// Floor, n atoms: n^2 / 2 inverse square roots and the bytes of the result. Sorting a bag of k
// values by counting takes k^2 comparisons, 8 at a time: more than the distances.

#include "core/inverse_sqrt.hpp"
#include "core/simd.hpp"
#include "core/sort.hpp"
#include "cpu/kernels.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace {

constexpr std::size_t width = lanes<double>;
using V = Vector<double>;

// The atoms of one molecule in the order of their elements.
struct Atoms {
    double *x, *y, *z;
    std::size_t* begin;  // [n_species + 1]
};

void read_atoms(const Molecules& molecules, std::size_t m, const BagParameters& p,
                std::size_t* place, Atoms& to) noexcept {
    const std::size_t n = molecules.size(m);
    const std::int32_t* numbers = molecules.numbers + molecules.first(m);
    const double* r = molecules.positions + 3 * molecules.first(m);
    for (std::size_t s = 0; s <= p.n_species; ++s) to.begin[s] = 0;
    for (std::size_t i = 0; i < n; ++i) ++to.begin[p.species[numbers[i]] + 1];
    for (std::size_t s = 0; s < p.n_species; ++s) {
        to.begin[s + 1] += to.begin[s];
        place[s] = to.begin[s];
    }
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t k = place[p.species[numbers[i]]]++;
        to.x[k] = r[3 * i];
        to.y[k] = r[3 * i + 1];
        to.z[k] = r[3 * i + 2];
    }
    // What a vector reads past the last atom must only be a number.
    for (std::size_t k = n; k < padded(n) + 8; ++k) to.x[k] = to.y[k] = to.z[k] = 0;
}

// charge / distance between atom i and the atoms begin .. end - 1, appended at `to`. The vector
// stored last may reach up to 7 places beyond the end.
inline double* distances(const Atoms& a, std::size_t i, std::size_t begin, std::size_t end,
                         double charge, double* to) noexcept {
    for (std::size_t j = begin; j < end; j += width) {
        const V dx = load(a.x + j) - a.x[i];
        const V dy = load(a.y + j) - a.y[i];
        const V dz = load(a.z + j) - a.z[i];
        store(to + (j - begin), charge * inverse_sqrt(dx * dx + dy * dy + dz * dz));
    }
    return to + (end - begin);
}

// All values of the bag of elements s and t, unsorted. Vectors run over the more frequent one.
double* collect(const Atoms& a, std::size_t s, std::size_t t, double charge, double* to) noexcept {
    const auto count = [&](std::size_t k) { return a.begin[k + 1] - a.begin[k]; };
    const std::size_t rare = count(t) < count(s) ? t : s;
    const std::size_t frequent = rare == s ? t : s;
    for (std::size_t i = a.begin[rare]; i < a.begin[rare + 1]; ++i)
        to = distances(a, i, s == t ? i + 1 : a.begin[frequent], a.begin[frequent + 1], charge, to);
    return to;
}

// False if a value is infinite, NaN or beyond the limit: two atoms coincide.
bool all_below(const double* values, std::size_t n, double limit) noexcept {
    std::int64_t outside = 0;
    for (std::size_t k = 0; k < n; ++k) outside |= !(values[k] < limit);
    return outside == 0;
}

}  // namespace

template <typename Real>
std::size_t bags(const Molecules& molecules, const BagParameters& p, std::size_t first,
                 std::size_t last, double* scratch, Real* out) {
    std::size_t largest = 0;
    for (std::size_t m = first; m < last; ++m)
        largest = molecules.size(m) > largest ? molecules.size(m) : largest;
    const std::size_t capacity = padded(largest) + 8;
    const std::size_t bag_capacity = padded(p.largest_bag) + 8;
    double* bag = scratch + 3 * capacity;
    double* sorted = bag + bag_capacity;
    auto* rank = reinterpret_cast<std::int64_t*>(sorted + bag_capacity);
    auto* place = reinterpret_cast<std::size_t*>(rank + counting_limit + 8);
    Atoms atoms{scratch, scratch + capacity, scratch + 2 * capacity, place + n_elements};
    const std::size_t n_bags = p.n_species * (p.n_species + 3) / 2;
    for (std::size_t m = first; m < last; ++m) {
        read_atoms(molecules, m, p, place, atoms);
        Real* row = out + m * static_cast<std::size_t>(p.first[n_bags]);
        for (std::size_t s = 0; s < p.n_species; ++s) {
            const std::size_t count = atoms.begin[s + 1] - atoms.begin[s];
            const auto size = static_cast<std::size_t>(p.first[s + 1] - p.first[s]);
            const auto value = static_cast<Real>(p.half_power[p.numbers[s]]);
            for (std::size_t k = 0; k < size; ++k) row[p.first[s] + k] = k < count ? value : 0;
        }
        std::size_t b = p.n_species;
        for (std::size_t s = 0; s < p.n_species; ++s) {
            for (std::size_t t = s; t < p.n_species; ++t, ++b) {
                const double charge = p.unit_length * p.numbers[s] * p.numbers[t];
                const auto n = static_cast<std::size_t>(collect(atoms, s, t, charge, bag) - bag);
                if (!all_below(bag, n, charge / nearest_distance)) return m;
                sort_descending(bag, n, rank, sorted);
                const auto size = static_cast<std::size_t>(p.first[b + 1] - p.first[b]);
                Real* to = row + p.first[b];
                for (std::size_t k = 0; k < n; ++k) to[k] = static_cast<Real>(sorted[k]);
                for (std::size_t k = n; k < size; ++k) to[k] = 0;
            }
        }
    }
    return no_molecule;
}

template std::size_t bags<float>(const Molecules&, const BagParameters&, std::size_t, std::size_t,
                                 double*, float*);
template std::size_t bags<double>(const Molecules&, const BagParameters&, std::size_t, std::size_t,
                                  double*, double*);

}  // namespace MOLKERN_ISA
}  // namespace molkern
