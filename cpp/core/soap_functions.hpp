// Functions of one neighbour in SOAP, lane by lane, and the sizes of its coefficients.
//
// Solid harmonics R_lm = r^l P_lm(cos theta) exp(i m phi) / (l + m)!, m >= 0, without the sign
// (-1)^m: polynomials in x, y, z with
//     R_mm = (x + i y) R_{m-1,m-1} / (2 m),
//     (l^2 - m^2) R_lm = (2 l - 1) z R_{l-1,m} - r^2 R_{l-2,m},
//     d/dz R_lm = R_{l-1,m},  (d/dx - i d/dy) R_lm = R_{l-1,m-1},
//     (d/dx + i d/dy) R_lm = -R_{l-1,m+1}.
// Rows of tables: l^2 for m = 0, l^2 + 2 m - 1 the real and l^2 + 2 m the imaginary part.
#pragma once

#include "core/exp.hpp"
#include "core/simd.hpp"
#include "core/soap_weights.hpp"
#include "molkern/soap.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace soap {

using V = Vector<double>;
constexpr std::size_t width = lanes<double>;

MOLKERN_HOST_DEVICE inline std::size_t n_harmonics(const SoapParameters& p) noexcept {
    return (p.l_max + 1) * (p.l_max + 1);
}
/// Coefficients of one channel: [n_harmonics, row].
MOLKERN_HOST_DEVICE inline std::size_t n_coefficients(const SoapParameters& p) noexcept {
    return n_harmonics(p) * soap_row(p.n_max);
}
MOLKERN_HOST_DEVICE inline std::size_t n_channels(const SoapParameters& p) noexcept {
    if (p.compression == SoapCompression::mu2) return 1;
    return p.n_species + (p.compression == SoapCompression::mu1nu1 ? 1 : 0);
}
/// Channels with sums over neighbours of their own.
MOLKERN_HOST_DEVICE inline std::size_t n_summed(const SoapParameters& p) noexcept {
    return p.compression == SoapCompression::mu2 ? 1 : p.n_species;
}
/// The channel that species s is summed in.
MOLKERN_HOST_DEVICE inline std::size_t channel_of(const SoapParameters& p, std::size_t s) noexcept {
    return p.compression == SoapCompression::mu2 ? 0 : s;
}

/// R_lm, m < l - 1, from R_{l-1,m} and R_{l-2,m}; `step` are the two factors of its row.
MOLKERN_HOST_DEVICE inline V next_degree(const double* step, V z, V r2, V below,
                                         V twice_below) noexcept {
    return step[0] * z * below - step[1] * r2 * twice_below;
}

/// R_mm from R_{m-1,m-1}.
struct Harmonic {
    V re, im;
};
MOLKERN_HOST_DEVICE inline Harmonic next_order(double factor, V x, V y, Harmonic r) noexcept {
    return {factor * (x * r.re - y * r.im), factor * (x * r.im + y * r.re)};
}

/// R of one vector of neighbours, rows of `stride`.
template <std::size_t stride>
MOLKERN_HOST_DEVICE inline void raw_harmonics(const SoapParameters& p, V x, V y, V z, V r2,
                                              double* to) noexcept {
    store(to, broadcast(1.0));
    for (std::size_t l = 1; l <= p.l_max; ++l) {
        double* row = to + l * l * stride;
        const double* before = to + (l - 1) * (l - 1) * stride;
        const double* twice_before = l > 1 ? to + (l - 2) * (l - 2) * stride : nullptr;
        const double* step = p.steps + 2 * l * l;
        for (std::size_t k = 0; k + 2 < 2 * l + 1; ++k) {
            const V below = load(before + k * stride);
            store(row + k * stride, k + 4 < 2 * l + 1 ? next_degree(step + 2 * k, z, r2, below,
                                                                    load(twice_before + k * stride))
                                                      : step[2 * k] * z * below);
        }
        const std::size_t last = (2 * l - 1) * stride;
        const V c = load(before + (l > 1 ? 2 * l - 3 : 0) * stride);
        const V s = l > 1 ? load(before + (2 * l - 2) * stride) : V{};
        const Harmonic r = next_order(step[2 * (2 * l - 1)], x, y, {c, s});
        store(row + last, r.re);
        store(row + last + stride, r.im);
    }
}

/// Calls put(row, R) for those of order m alone.
template <typename Put>
MOLKERN_HOST_DEVICE inline void harmonics_of_order(const SoapParameters& p, unsigned m, V x, V y,
                                                   V z, V r2, const Put& put) noexcept {
    Harmonic r{broadcast(1.0), V{}}, below{V{}, V{}};
    for (unsigned l = 1; l <= m; ++l) r = next_order(p.steps[2 * (l * l + 2 * l - 1)], x, y, r);
    const unsigned first = m > 0 ? 2 * m - 1 : 0, n_l = static_cast<unsigned>(p.l_max) + 1;
    for (unsigned l = m; l < n_l; ++l) {
        const unsigned row = l * l + first;
        put(row, r.re);
        if (m > 0) put(row + 1, r.im);
        if (l + 1 == n_l) break;
        const double* step = p.steps + 2 * (row + 2 * l + 1);
        const Harmonic next{next_degree(step, z, r2, r.re, below.re),
                            next_degree(step, z, r2, r.im, below.im)};
        below = r;
        r = next;
    }
}

/// Gradients of harmonics from those of the degree below, times factor and norms, to d[axis] + at;
/// rows of `stride`.
template <std::size_t stride>
struct HarmonicGradients {
    const SoapParameters& p;
    const double* below;  // rows of l - 1
    std::size_t l;
    V factor;
    double* const* d;
    std::size_t at;

    MOLKERN_HOST_DEVICE HarmonicGradients(const SoapParameters& parameters, const double* raw,
                                          std::size_t degree, V f, double* const* to,
                                          std::size_t place) noexcept
        : p(parameters),
          below(raw + (degree - 1) * (degree - 1) * stride),
          l(degree),
          factor(f),
          d(to),
          at(place) {}

    // Real and imaginary part of R_{l-1,m}; 0 for m >= l.
    MOLKERN_HOST_DEVICE V re(std::size_t m) const noexcept {
        return m < l ? load(below + (m > 0 ? 2 * m - 1 : 0) * stride) : V{};
    }
    MOLKERN_HOST_DEVICE V im(std::size_t m) const noexcept {
        return m > 0 && m < l ? load(below + 2 * m * stride) : V{};
    }
    MOLKERN_HOST_DEVICE void put(std::size_t k, V dx, V dy, V dz) const noexcept {
        const std::size_t row = l * l + k;
        const V scale = factor * p.norms[row];
        store(d[0] + row * stride + at, scale * dx);
        store(d[1] + row * stride + at, scale * dy);
        store(d[2] + row * stride + at, scale * dz);
    }

    MOLKERN_HOST_DEVICE void order_zero() const noexcept { put(0, -re(1), -im(1), re(0)); }
    MOLKERN_HOST_DEVICE void order(std::size_t m) const noexcept {
        put(2 * m - 1, 0.5 * (re(m - 1) - re(m + 1)), -0.5 * (im(m + 1) + im(m - 1)), re(m));
        put(2 * m, 0.5 * (im(m - 1) - im(m + 1)), 0.5 * (re(m + 1) + re(m - 1)), im(m));
    }
};

/// Those of all rows.
template <std::size_t stride>
MOLKERN_HOST_DEVICE inline void gradients(const SoapParameters& p, const double* raw, V factor,
                                          double* const* d, std::size_t at) noexcept {
    for (std::size_t c = 0; c < 3; ++c) store(d[c] + at, V{});
    for (std::size_t l = 1; l <= p.l_max; ++l) {
        const HarmonicGradients<stride> of(p, raw, l, factor, d, at);
        of.order_zero();
        for (std::size_t m = 1; m <= l; ++m) of.order(m);
    }
}

/// Whether the weight of a neighbour changes with its distance.
MOLKERN_HOST_DEVICE inline bool varies(const SoapParameters& p) noexcept {
    return p.smooth || p.weight.function != SoapWeighting::none;
}

/// Weights of neighbours; `of` are those of their species, if p has any.
template <bool derivative>
MOLKERN_HOST_DEVICE inline CutoffValue weights(const SoapParameters& p, V r2, V r, V of) noexcept {
    CutoffValue total{broadcast(1.0), V{}};
    if (p.smooth) total = cutoff<derivative>(p.cutoff, r2, 1 / (p.r_cut * p.r_cut));
    if (p.weight.function != SoapWeighting::none) {
        const CutoffValue w = weight(p.weight, r2, r);
        total = {total.value * w.value, total.slope * w.value + total.value * w.slope};
    }
    if (p.of_species != nullptr) total = {total.value * of, total.slope * of};
    return total;
}

/// Radial functions v, v + 1, ... of l and their derivative by r^2.
struct Radial {
    V value, slope;
};

MOLKERN_HOST_DEVICE inline Radial gaussian(V exponent, double r2) noexcept {
    const V e = exp2_product(broadcast(r2), -log2_e * exponent);
    return {e, -exponent * e};
}

template <bool derivative, bool table>
MOLKERN_HOST_DEVICE inline Radial radial(const SoapParameters& p, double r2, double r,
                                         std::size_t l, std::size_t v) noexcept {
    const std::size_t row = soap_row(p.n_max);
    if (!table) return gaussian(load(p.exponents + l * row + v), r2);
    const double place = r * p.inverse_spacing;
    auto interval = static_cast<std::size_t>(place);
    if (interval >= p.n_intervals) interval = p.n_intervals - 1;
    const double t = 2 * (place - static_cast<double>(interval)) - 1;
    const std::size_t step = (p.l_max + 1) * row;
    const double* c = p.table + (interval * (soap_degree + 1) + soap_degree) * step + l * row + v;
    V value = load(c), slope{};
    for (std::size_t d = 0; d < soap_degree; ++d) {
        c -= step;
        if (derivative) slope = slope * t + value;
        value = value * t + load(c);
    }
    return {value, slope * (p.inverse_spacing / r)};
}

}  // namespace soap

}  // namespace MOLKERN_ISA
}  // namespace molkern
