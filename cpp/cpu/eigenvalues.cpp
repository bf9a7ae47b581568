// Eigenvalues of Coulomb matrices, eight molecules of equal size at a time: one per lane.
//
// Householder reduction to tridiagonal form, then the square-root-free QL iteration of Pal, Walker
// and Kahan with deflation (Parlett, The Symmetric Eigenvalue Problem, 1998, section 8.15,
// doi:10.1137/1.9781611971163). Every lane has its own deflation point; a lane that has converged
// keeps its values, so no molecule depends on its neighbours.
//
// Floor, n atoms: 2 n^3 / 3 multiply-adds for the reduction, and about 0.85 n^2 steps of QL with
// two divisions each (17 cycles a vector on Zen 4), a chain of dependent operations.

#include <cmath>

#include "core/inverse_sqrt.hpp"
#include "core/simd.hpp"
#include "core/sort.hpp"
#include "cpu/kernels.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace {

constexpr std::size_t width = eigenvalue_lanes;
// Always eight lanes: narrower registers hold such a vector in pieces.
typedef double V __attribute__((vector_size(width * sizeof(double))));
typedef std::int64_t M __attribute__((vector_size(width * sizeof(double))));

constexpr double epsilon = 0x1p-53;
constexpr int most_sweeps = 100;  // per eigenvalue; 1.7 are needed on average

inline V splat(double value) noexcept { return V{} + value; }

inline V magnitude(V v) noexcept { return (V)((M)v & ~INT64_MIN); }

inline V with_sign(V size, V sign) noexcept {
    return (V)(((M)size & ~INT64_MIN) | ((M)sign & INT64_MIN));
}

inline V root(V x) noexcept {
    V y;
    for (std::size_t k = 0; k < width; ++k) y[k] = std::sqrt(x[k]);
    return y;
}

inline V reciprocal_root(V x) noexcept {
    V y;
    for (std::size_t k = 0; k < width; k += lanes<double>) {
        Vector<double> part;
        std::memcpy(&part, reinterpret_cast<const double*>(&x) + k, sizeof part);
        part = inverse_sqrt(part);
        std::memcpy(reinterpret_cast<double*>(&y) + k, &part, sizeof part);
    }
    return y;
}

inline bool any(M mask) noexcept {
    std::int64_t all = 0;
    for (std::size_t k = 0; k < width; ++k) all |= mask[k];
    return all != 0;
}

// The lower triangles of eight molecules, row by row, a vector per element. Returns, per lane,
// whether all atoms are apart.
M fill(const Molecules& molecules, const CoulombParameters& p, const std::size_t* chosen,
       std::size_t count, std::size_t n, V* atoms, V* a) noexcept {
    V *x = atoms, *y = x + n, *z = y + n, *charge = z + n;
    for (std::size_t lane = 0; lane < width; ++lane) {
        // Lanes to spare repeat the last molecule.
        const std::size_t m = chosen[lane < count ? lane : count - 1];
        const double* r = molecules.positions + 3 * molecules.first(m);
        const std::int32_t* numbers = molecules.numbers + molecules.first(m);
        for (std::size_t i = 0; i < n; ++i) {
            x[i][lane] = r[3 * i];
            y[i][lane] = r[3 * i + 1];
            z[i][lane] = r[3 * i + 2];
            charge[i][lane] = numbers[i];
            a[i * (i + 1) / 2 + i][lane] = p.half_power[numbers[i]];
        }
    }
    V nearest = splat(1.0);
    for (std::size_t i = 0; i < n; ++i) {
        V* row = a + i * (i + 1) / 2;
        for (std::size_t j = 0; j < i; ++j) {
            const V dx = x[i] - x[j], dy = y[i] - y[j], dz = z[i] - z[j];
            const V d2 = dx * dx + dy * dy + dz * dz;
            nearest = d2 < nearest ? d2 : nearest;
            row[j] = charge[i] * p.unit_length * charge[j] * reciprocal_root(d2);
        }
    }
    return nearest > splat(1e-60);
}

// Reduces to a tridiagonal matrix: diagonal d, and e[i] the *square* of the element (i, i + 1).
void tridiagonalize(V* a, std::size_t n, V* d, V* e) noexcept {
    for (std::size_t i = n - 1; i >= 1; --i) {
        V* v = a + i * (i + 1) / 2;  // row i: the Householder vector
        V rest{};
        for (std::size_t k = 0; k + 1 < i; ++k) rest += v[k] * v[k];
        const V last = v[i - 1];
        const V norm2 = rest + last * last;
        d[i] = v[i];
        e[i - 1] = norm2;
        const M needed = rest > splat(0.0);
        if (!any(needed)) continue;
        const V g = -with_sign(root(norm2), last);
        const V h = norm2 - last * g;
        // Where nothing is to be done the vector is zero, and so is every change below.
        const V inverse_h = needed ? 1.0 / h : V{};
        v[i - 1] = last - g;
        V* q = d;  // not yet in use below i
        for (std::size_t j = 0; j < i; ++j) q[j] = V{};
        for (std::size_t j = 0; j < i; ++j) {
            const V* row = a + j * (j + 1) / 2;
            const V vj = v[j];
            V product = row[j] * vj;
            for (std::size_t k = 0; k < j; ++k) {
                product += row[k] * v[k];
                q[k] += row[k] * vj;
            }
            q[j] += product;
        }
        V overlap{};
        for (std::size_t j = 0; j < i; ++j) {
            q[j] *= inverse_h;
            overlap += q[j] * v[j];
        }
        const V half = 0.5 * overlap * inverse_h;
        for (std::size_t j = 0; j < i; ++j) q[j] -= half * v[j];
        for (std::size_t j = 0; j < i; ++j) {
            V* row = a + j * (j + 1) / 2;
            const V vj = v[j], qj = q[j];
            for (std::size_t k = 0; k <= j; ++k) row[k] -= vj * q[k] + qj * v[k];
        }
    }
    d[0] = a[0];
    e[n - 1] = V{};
}

// Per lane, the last index of the unreduced block that starts at `first`.
M block_end(const V* d, const V* e, std::size_t first, std::size_t n) noexcept {
    M end = M{} + static_cast<std::int64_t>(n - 1);
    M open = M{} - 1;
    for (std::size_t i = first; i + 1 < n; ++i) {
        const V size = epsilon * (magnitude(d[i]) + magnitude(d[i + 1]));
        const M closes = open & (M)(e[i] <= size * size);
        end = closes ? M{} + static_cast<std::int64_t>(i) : end;
        open &= ~closes;
        if (!any(open)) break;
    }
    return end;
}

// One QL sweep over first .. end of every lane with end > first.
void sweep(V* d, V* e, std::size_t first, const M end, std::size_t last) noexcept {
    const V p0 = d[first];
    const V e0 = root(e[first]);
    const V ratio = (d[first + 1] - p0) / (2.0 * e0);
    const V shift = p0 - e0 / (ratio + with_sign(root(ratio * ratio + 1.0), ratio));
    V c = splat(1.0), s{}, gamma{}, p{};
    for (std::size_t i = last; i-- > first;) {
        const M begins = (M)(end == M{} + static_cast<std::int64_t>(i + 1));
        const M runs = (M)(end > M{} + static_cast<std::int64_t>(i));
        gamma = begins ? d[i + 1] - shift : gamma;
        p = begins ? gamma * gamma : p;
        const V square = e[i];
        const V r = p + square;
        e[i + 1] = (runs & ~begins) ? s * r : e[i + 1];
        const V inverse = 1.0 / r;
        const V inverse_c = r / p;
        const V before = c;
        c = p * inverse;
        s = square * inverse;
        const V old_gamma = gamma;
        const V alpha = d[i];
        gamma = c * (alpha - shift) - s * old_gamma;
        d[i + 1] = runs ? old_gamma + (alpha - gamma) : d[i + 1];
        p = p == 0.0 ? before * square : gamma * gamma * inverse_c;
    }
    const M ran = (M)(end > M{} + static_cast<std::int64_t>(first));
    e[first] = ran ? s * p : e[first];
    d[first] = ran ? shift + gamma : d[first];
}

// Eigenvalues in d; lanes that did not converge (none is known) turn to NaN.
void ql(V* d, V* e, std::size_t n) noexcept {
    for (std::size_t first = 0; first + 1 < n; ++first) {
        for (int sweeps = 0;; ++sweeps) {
            const M end = block_end(d, e, first, n);
            const M open = (M)(end > M{} + static_cast<std::int64_t>(first));
            if (!any(open)) break;
            if (sweeps == most_sweeps) {
                d[0] = open ? splat(__builtin_nan("")) : d[0];
                return;
            }
            std::int64_t last = 0;
            for (std::size_t k = 0; k < width; ++k) last = end[k] > last ? end[k] : last;
            sweep(d, e, first, end, static_cast<std::size_t>(last));
        }
    }
}

// Values by descending magnitude, then zeros.
template <typename Real>
void write(const double* values, std::size_t n, std::size_t size, double* keys,
           std::int64_t* order, std::int64_t* work, Real* out) noexcept {
    for (std::size_t i = 0; i < n; ++i) keys[i] = values[i] < 0 ? -values[i] : values[i];
    const bool counted = n <= counting_limit;
    if (counted && count_greater(keys, n, work) == static_cast<std::int64_t>(n * (n - 1) / 2)) {
        for (std::size_t i = 0; i < n; ++i) out[work[i]] = static_cast<Real>(values[i]);
    } else {
        stable_order(keys, n, order, work);
        for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<Real>(values[order[i]]);
    }
    for (std::size_t i = n; i < size; ++i) out[i] = 0;
}

}  // namespace

template <typename Real>
std::size_t eigenspectra(const Molecules& molecules, const CoulombParameters& p,
                         const std::size_t* chosen, std::size_t count, double* scratch, Real* out) {
    const std::size_t n = molecules.size(chosen[0]);
    V* atoms = reinterpret_cast<V*>(scratch);
    V* d = atoms + 4 * n;
    V* e = d + n;
    V* a = e + n;
    std::size_t bad = no_molecule;
    if (n > 0) {
        const M apart = fill(molecules, p, chosen, count, n, atoms, a);
        for (std::size_t lane = count; lane-- > 0;)
            if (!apart[lane] && chosen[lane] < bad) bad = chosen[lane];
        if (bad != no_molecule) return bad;
        tridiagonalize(a, n, d, e);
        ql(d, e, n);
    }
    // The triangle is no longer needed: it holds one lane's values and what sorting needs.
    double* values = reinterpret_cast<double*>(a);
    double* keys = values + padded(n);
    auto* order = reinterpret_cast<std::int64_t*>(keys + padded(n));
    std::int64_t* work = order + padded(n);
    for (std::size_t lane = 0; lane < count; ++lane) {
        for (std::size_t i = 0; i < n; ++i) values[i] = d[i][lane];
        write(values, n, p.size, keys, order, work, out + chosen[lane] * p.size);
    }
    return no_molecule;
}

template std::size_t eigenspectra<float>(const Molecules&, const CoulombParameters&,
                                         const std::size_t*, std::size_t, double*, float*);
template std::size_t eigenspectra<double>(const Molecules&, const CoulombParameters&,
                                          const std::size_t*, std::size_t, double*, double*);

}  // namespace MOLKERN_ISA
}  // namespace molkern
