// Eigenvalues of Coulomb matrices of molecules of equal size, one per lane of two vectors.
//
// Householder reduction to tridiagonal form, then the square-root-free QL iteration of Pal, Walker
// and Kahan with deflation (Parlett, The Symmetric Eigenvalue Problem, 1998, section 8.15,
// doi:10.1137/1.9781611971163). Every lane has its own deflation point; a lane that has converged
// keeps its values, so no molecule depends on its neighbours.
//
// Floor, n atoms: 2 n^3 / 3 multiply-adds for the reduction, and about 0.85 n^2 steps of QL with
// two divisions each. The steps are a chain of dependent operations: going through two vectors of
// molecules in turn hides half of its latency.

#include "core/inverse_sqrt.hpp"
#include "core/simd.hpp"
#include "core/sort.hpp"
#include "cpu/kernels.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace {

constexpr std::size_t width = lanes<double>;
constexpr std::size_t most_groups = 2;
using V = Vector<double>;
using M = Mask<double>;

constexpr double epsilon = 0x1p-53;
constexpr int most_sweeps = 100;  // per eigenvalue; 1.7 are needed on average

inline V splat(double value) noexcept {
    return broadcast(value);
}
inline V magnitude(V v) noexcept {
    return absolute<double>(v);
}

inline V with_sign(V size, V sign) noexcept {
    return (V)(((M)size & ~INT64_MIN) | ((M)sign & INT64_MIN));
}

inline V root(V x) noexcept {
    V y;
    for (std::size_t k = 0; k < width; ++k) y[k] = __builtin_sqrt(x[k]);
    return y;
}

inline bool any(M mask) noexcept {
    std::int64_t all = 0;
    for (std::size_t k = 0; k < width; ++k) all |= mask[k];
    return all != 0;
}

// The lower triangles of a vector of molecules, row by row. Returns, per lane,
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
    M apart = M{} - 1;  // false for NaN too
    for (std::size_t i = 0; i < n; ++i) {
        V* row = a + i * (i + 1) / 2;
        for (std::size_t j = 0; j < i; ++j) {
            const V dx = x[i] - x[j], dy = y[i] - y[j], dz = z[i] - z[j];
            const V d2 = dx * dx + dy * dy + dz * dz;
            apart &= (M)(d2 > nearest_distance * nearest_distance);
            row[j] = charge[i] * p.unit_length * charge[j] * inverse_sqrt(d2);
        }
    }
    return apart;
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

// The tridiagonal matrices of one vector of molecules.
struct Tridiagonal {
    V* d;
    V* e;
};

// Per lane, the last index of the unreduced block that starts at `first`.
M block_end(const V* d, const V* e, std::size_t first, std::size_t n) noexcept {
    M end = M{} + static_cast<std::int64_t>(n - 1);
    M open = M{} - 1;
    for (std::size_t i = first; i + 1 < n; ++i) {
        const V size = epsilon * (magnitude(d[i]) + magnitude(d[i + 1]));
        const M closes = open & ((M)(e[i] <= size * size) | (M)(e[i] == V{}));
        end = closes ? M{} + static_cast<std::int64_t>(i) : end;
        open &= ~closes;
        if (!any(open)) break;
    }
    return end;
}

// One QL sweep over first .. end of every lane with end > first; `last` is the largest end.
template <std::size_t groups>
void sweep(const Tridiagonal* t, std::size_t first, const M* end, std::size_t last) noexcept {
    V shift[groups], c[groups], s[groups], gamma[groups], p[groups];
    for (std::size_t g = 0; g < groups; ++g) {
        const V p0 = t[g].d[first];
        const V e0 = root(t[g].e[first]);
        const V ratio = (t[g].d[first + 1] - p0) / (2.0 * e0);
        shift[g] = p0 - e0 / (ratio + with_sign(root(ratio * ratio + 1.0), ratio));
        c[g] = splat(1.0);
        s[g] = gamma[g] = p[g] = V{};
    }
    for (std::size_t i = last; i-- > first;) {
#pragma GCC unroll 2
        for (std::size_t g = 0; g < groups; ++g) {
            V *d = t[g].d, *e = t[g].e;
            const M begins = (M)(end[g] == M{} + static_cast<std::int64_t>(i + 1));
            const M runs = (M)(end[g] > M{} + static_cast<std::int64_t>(i));
            gamma[g] = begins ? d[i + 1] - shift[g] : gamma[g];
            p[g] = begins ? gamma[g] * gamma[g] : p[g];
            const V square = e[i];
            const V r = p[g] + square;
            e[i + 1] = (runs & ~begins) ? s[g] * r : e[i + 1];
            const V inverse = 1.0 / r;
            const V inverse_c = r / p[g];
            // A block begins with c = 1, whatever was left by steps outside of it.
            const V before = begins ? splat(1.0) : c[g];
            c[g] = p[g] * inverse;
            s[g] = square * inverse;
            const V old_gamma = gamma[g];
            const V alpha = d[i];
            gamma[g] = c[g] * (alpha - shift[g]) - s[g] * old_gamma;
            d[i + 1] = runs ? old_gamma + (alpha - gamma[g]) : d[i + 1];
            p[g] = p[g] == 0.0 ? before * square : gamma[g] * gamma[g] * inverse_c;
        }
    }
    for (std::size_t g = 0; g < groups; ++g) {
        const M ran = (M)(end[g] > M{} + static_cast<std::int64_t>(first));
        t[g].e[first] = ran ? s[g] * p[g] : t[g].e[first];
        t[g].d[first] = ran ? shift[g] + gamma[g] : t[g].d[first];
    }
}

// Lanes that did not converge (NaN among the positions is the only known cause) become NaN, and
// are decoupled so that they hold up no other lane.
void give_up(const Tridiagonal& t, std::size_t n, const M open) noexcept {
    for (std::size_t i = 0; i < n; ++i) {
        t.d[i] = open ? splat(__builtin_nan("")) : t.d[i];
        t.e[i] = open ? V{} : t.e[i];
    }
}

// Eigenvalues in d.
template <std::size_t groups>
void ql(const Tridiagonal* t, std::size_t n) noexcept {
    for (std::size_t first = 0; first + 1 < n; ++first) {
        for (int sweeps = 0;; ++sweeps) {
            M end[groups];
            std::size_t last = first;
            for (std::size_t g = 0; g < groups; ++g) {
                end[g] = block_end(t[g].d, t[g].e, first, n);
                for (std::size_t k = 0; k < width; ++k) {
                    const auto stop = static_cast<std::size_t>(end[g][k]);
                    last = stop > last ? stop : last;
                }
            }
            if (last == first) break;
            if (sweeps == most_sweeps) {
                for (std::size_t g = 0; g < groups; ++g) {
                    const M open = (M)(end[g] > M{} + static_cast<std::int64_t>(first));
                    give_up(t[g], n, open);
                }
                break;
            }
            sweep<groups>(t, first, end, last);
        }
    }
}

// Values by descending magnitude, then zeros.
template <typename Real>
void write(const double* values, std::size_t n, std::size_t size, double* keys, std::int64_t* order,
           std::int64_t* work, Real* out) noexcept {
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

// Up to most_groups vectors of molecules.
template <typename Real>
std::size_t spectra(const Molecules& molecules, const CoulombParameters& p,
                    const std::size_t* chosen, std::size_t count, double* scratch,
                    Real* out) noexcept {
    const std::size_t n = molecules.size(chosen[0]);
    const std::size_t groups = (count + width - 1) / width;
    V* atoms = reinterpret_cast<V*>(scratch);
    Tridiagonal t[most_groups];
    for (std::size_t g = 0; g < most_groups; ++g) {
        t[g].d = atoms + (4 + 2 * g) * n;
        t[g].e = t[g].d + n;
    }
    V* a = atoms + (4 + 2 * most_groups) * n;
    if (n > 0) {
        for (std::size_t g = 0; g < groups; ++g) {
            const std::size_t here = count - g * width < width ? count - g * width : width;
            const M apart = fill(molecules, p, chosen + g * width, here, n, atoms, a);
            for (std::size_t lane = 0; lane < here; ++lane)
                if (!apart[lane]) return chosen[g * width + lane];
            tridiagonalize(a, n, t[g].d, t[g].e);
        }
        groups == 1 ? ql<1>(t, n) : ql<most_groups>(t, n);
    }
    // The triangle is no longer needed: it holds one lane's values and what sorting needs.
    double* values = reinterpret_cast<double*>(a);
    double* keys = values + padded(n);
    auto* order = reinterpret_cast<std::int64_t*>(keys + padded(n));
    std::int64_t* work = order + padded(n);
    for (std::size_t k = 0; k < count; ++k) {
        for (std::size_t i = 0; i < n; ++i) values[i] = t[k / width].d[i][k % width];
        write(values, n, p.size, keys, order, work, out + chosen[k] * p.size);
    }
    return no_molecule;
}

}  // namespace

template <typename Real>
std::size_t eigenspectra(const Molecules& molecules, const CoulombParameters& p,
                         const std::size_t* chosen, std::size_t count, double* scratch, Real* out) {
    constexpr std::size_t most = most_groups * width;
    for (std::size_t k = 0; k < count; k += most) {
        const std::size_t here = count - k < most ? count - k : most;
        const std::size_t bad = spectra(molecules, p, chosen + k, here, scratch, out);
        if (bad != no_molecule) return bad;
    }
    return no_molecule;
}

template std::size_t eigenspectra<float>(const Molecules&, const CoulombParameters&,
                                         const std::size_t*, std::size_t, double*, float*);
template std::size_t eigenspectra<double>(const Molecules&, const CoulombParameters&,
                                          const std::size_t*, std::size_t, double*, double*);

}  // namespace MOLKERN_ISA
}  // namespace molkern
