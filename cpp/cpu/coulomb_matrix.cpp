// Coulomb matrices with sorted or unsorted rows: M_ij = Z_i Z_j / |R_i - R_j|, M_ii = Z_i^2.4 / 2
// (Rupp et al. 2012, doi:10.1103/PhysRevLett.108.058301).
//
// Floor, n atoms: n^2 + n^2 / 2 inverse square roots (all rows for the norms, then the triangle
// in sorted order; computing it again is cheaper than gathering it from memory), and the bytes of
// the result. The norms need every row, so symmetry is not worth its horizontal sums.

#include <cmath>

#include "core/inverse_sqrt.hpp"
#include "core/simd.hpp"
#include "core/sort.hpp"
#include "core/ten_digits.hpp"
#include "cpu/kernels.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace {

constexpr std::size_t width = lanes<double>;
using V = Vector<double>;

// Added to squared distances: takes an atom's distance to itself out of sums and minima.
alignas(64) constexpr double far_table[24] = {0, 0, 0, 0, 0, 0, 0, 0, 1e290, 0, 0, 0,
                                              0, 0, 0, 0, 0, 0, 0, 0, 0,     0, 0, 0};
// 0 everywhere but in the given lane.
inline V far(std::size_t lane) noexcept {
    return load(far_table + 8 - lane);
}

// The atoms of a molecule, one coordinate after the other, with room for padded(n) + 8.
struct Atoms {
    double *x, *y, *z, *charge, *diagonal;
};

Atoms atoms_in(double* scratch, std::size_t capacity) noexcept {
    return {scratch, scratch + capacity, scratch + 2 * capacity, scratch + 3 * capacity,
            scratch + 4 * capacity};
}

// Places after the last atom get no charge and are away from every atom.
void read_atoms(const Molecules& molecules, std::size_t m, const double* half_power,
                Atoms& to) noexcept {
    const std::size_t n = molecules.size(m);
    const std::int32_t* numbers = molecules.numbers + molecules.first(m);
    const double* r = molecules.positions + 3 * molecules.first(m);
    double largest = 0;
    for (std::size_t i = 0; i < n; ++i) {
        to.x[i] = r[3 * i];
        to.y[i] = r[3 * i + 1];
        to.z[i] = r[3 * i + 2];
        to.charge[i] = numbers[i];
        to.diagonal[i] = half_power[numbers[i]];
        const double x = to.x[i] < 0 ? -to.x[i] : to.x[i];
        largest = x > largest ? x : largest;
    }
    for (std::size_t i = n; i < padded(n); ++i) {
        to.x[i] = 2 * largest + 1;
        to.y[i] = to.z[i] = to.charge[i] = to.diagonal[i] = 0;
    }
}

inline V squared_distances(const Atoms& a, std::size_t i, std::size_t j) noexcept {
    const V dx = load(a.x + j) - a.x[i];
    const V dy = load(a.y + j) - a.y[i];
    const V dz = load(a.z + j) - a.z[i];
    return dx * dx + dy * dy + dz * dz;
}

// Squared norms of the rows, in units where 1 angstrom^-1 counts unit_length.
void squared_norms(const Atoms& a, std::size_t n, double unit_length, double* norms) noexcept {
    for (std::size_t j = 0; j < n; j += width) {
        V total = load(a.diagonal + j);
        total *= total;
        const V charge_j = load(a.charge + j) * unit_length;
        for (std::size_t i = 0; i < n; ++i) {
            V d2 = squared_distances(a, i, j);
            if (i - j < width) d2 += far(i - j);
            const V m = charge_j * a.charge[i] * inverse_sqrt(d2);
            total += m * m;
        }
        store(norms + j, total);
    }
}

// Order of the rows by descending norm; ties to 10 digits keep the order of the atoms.
void order_rows(double* norms, std::size_t n, std::int64_t* order, std::int64_t* work) noexcept {
    if (n <= 64) {
        // Squares sort like the norms; only if two neighbours are nearly equal are digits needed.
        if (count_greater(norms, n, work) == static_cast<std::int64_t>(n * (n - 1) / 2)) {
            for (std::size_t i = 0; i < n; ++i) order[work[i]] = static_cast<std::int64_t>(i);
            bool tied = false;
            for (std::size_t k = 1; k < n; ++k)
                tied |= norms[order[k - 1]] < norms[order[k]] * (1 + 1e-8);
            if (!tied) return;
        }
    }
    for (std::size_t i = 0; i < n; ++i) norms[i] = ten_digits(__builtin_sqrt(norms[i]));
    stable_order(norms, n, order, work);
}

void permute(const Atoms& from, const std::int64_t* order, std::size_t n, Atoms& to) noexcept {
    for (std::size_t k = 0; k < n; ++k) {
        const std::int64_t i = order[k];
        to.x[k] = from.x[i];
        to.y[k] = from.y[i];
        to.z[k] = from.z[i];
        to.charge[k] = from.charge[i];
        to.diagonal[k] = from.diagonal[i];
    }
    for (std::size_t k = n; k < padded(n); ++k) {
        to.x[k] = from.x[k];
        to.y[k] = to.z[k] = to.charge[k] = to.diagonal[k] = 0;
    }
}

inline void store_as(double* p, V v) noexcept {
    store(p, v);
}
inline void store_as(float* p, V v) noexcept {
    typedef float Narrow __attribute__((vector_size(width * sizeof(float))));
    const Narrow narrow = __builtin_convertvector(v, Narrow);
    std::memcpy(p, &narrow, sizeof narrow);
}

// The lower triangle, then zeros up to `features`; false if two atoms coincide.
// A vector may run past the end of its row: the next row overwrites what it left there.
template <typename Real>
bool triangle(const Atoms& a, std::size_t n, double unit_length, Real* out,
              std::size_t features) noexcept {
    Mask<double> apart = Mask<double>{} - 1;  // false for NaN too
    std::size_t begin = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const V charge = broadcast(a.charge[i] * unit_length);
        for (std::size_t j = 0; j <= i; j += width) {
            V d2 = squared_distances(a, i, j);
            if (i - j < width) d2 += far(i - j);
            apart &= (Mask<double>)(d2 > nearest_distance * nearest_distance);
            const V m = charge * load(a.charge + j) * inverse_sqrt(d2);
            if (begin + j + width <= features) {
                store_as(out + begin + j, m);
            } else {
                for (std::size_t k = 0; j + k < i; ++k)
                    out[begin + j + k] = static_cast<Real>(m[k]);
            }
        }
        out[begin + i] = static_cast<Real>(a.diagonal[i]);
        begin += i + 1;
    }
    for (std::size_t k = begin; k < features; ++k) out[k] = 0;
    bool all = true;
    for (std::size_t k = 0; k < width; ++k) all &= apart[k] != 0;
    return all;
}

// The pieces of scratch, each with room for padded(size) + 8 elements.
struct Work {
    Atoms atoms, sorted;
    double *norms, *noisy;
    std::int64_t *order, *ranks, *work;
};

Work work_in(double* scratch, std::size_t size) noexcept {
    const std::size_t capacity = padded(size) + 8;
    const auto piece = [&](std::size_t k) { return scratch + k * capacity; };
    const auto integers = [&](std::size_t k) { return reinterpret_cast<std::int64_t*>(piece(k)); };
    return {atoms_in(scratch, capacity),
            atoms_in(piece(5), capacity),
            piece(10),
            piece(11),
            integers(12),
            integers(13),
            integers(14)};
}

// Calls visit(copy, order) with the atom of each row, w.atoms being those of the molecule; visit
// may overwrite w.sorted. Stops where visit returns false.
template <typename Visit>
bool each_order(const CoulombParameters& p, std::size_t n, const Work& w, Visit visit) noexcept {
    squared_norms(w.atoms, n, p.unit_length, w.norms);
    order_rows(w.norms, n, w.order, w.work);
    if (p.permutation != Permutation::random) return visit(0, w.order);
    Atoms sorted = w.sorted;
    permute(w.atoms, w.order, n, sorted);
    squared_norms(sorted, n, p.unit_length, w.norms);
    for (std::size_t copy = 0; copy < p.n_copies; ++copy) {
        for (std::size_t k = 0; k < n; ++k)
            w.noisy[k] = __builtin_sqrt(w.norms[k]) + p.noise[copy * p.size + k];
        stable_order(w.noisy, n, w.ranks, w.work);
        for (std::size_t k = 0; k < n; ++k) w.ranks[k] = w.order[w.ranks[k]];
        if (!visit(copy, w.ranks)) return false;
    }
    return true;
}

}  // namespace

template <typename Real>
std::size_t coulomb_triangles(const Molecules& molecules, const CoulombParameters& p,
                              std::size_t first, std::size_t last, double* scratch, Real* out) {
    const std::size_t features = p.size * (p.size + 1) / 2;
    Work w = work_in(scratch, p.size);
    for (std::size_t m = first; m < last; ++m) {
        const std::size_t n = molecules.size(m);
        Real* row = out + m * p.n_copies * features;
        read_atoms(molecules, m, p.half_power, w.atoms);
        const auto write = [&](std::size_t copy, const std::int64_t* order) {
            permute(w.atoms, order, n, w.sorted);
            return triangle(w.sorted, n, p.unit_length, row + copy * features, features);
        };
        const bool apart = p.permutation == Permutation::none
                               ? triangle(w.atoms, n, p.unit_length, row, features)
                               : each_order(p, n, w, write);
        if (!apart) return m;
    }
    return no_molecule;
}

void coulomb_orders(const Molecules& molecules, const CoulombParameters& p, std::size_t m,
                    double* scratch, std::int64_t* orders) {
    const std::size_t n = molecules.size(m);
    if (p.permutation == Permutation::none) {
        for (std::size_t k = 0; k < n; ++k) orders[k] = static_cast<std::int64_t>(k);
        return;
    }
    Work w = work_in(scratch, p.size);
    read_atoms(molecules, m, p.half_power, w.atoms);
    each_order(p, n, w, [&](std::size_t copy, const std::int64_t* order) {
        for (std::size_t k = 0; k < n; ++k) orders[copy * n + k] = order[k];
        return true;
    });
}

template std::size_t coulomb_triangles<float>(const Molecules&, const CoulombParameters&,
                                              std::size_t, std::size_t, double*, float*);
template std::size_t coulomb_triangles<double>(const Molecules&, const CoulombParameters&,
                                               std::size_t, std::size_t, double*, double*);

}  // namespace MOLKERN_ISA
}  // namespace molkern
