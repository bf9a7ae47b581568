// What values and derivatives of the SOAP power spectrum share: solid harmonics, weights,
// coefficients.
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
#include "molkern/local.hpp"
#include "molkern/soap.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace soap {

using V = Vector<double>;
constexpr std::size_t width = lanes<double>;
// Neighbours whose harmonics are tabulated at a time.
constexpr std::size_t block = 32;

/// Harmonics of up to `block` neighbours times their weight; with derivatives also those.
struct Harmonics {
    double* r2;     // [block]
    double* r;      // [block]
    double* of;     // [block]                 weight of the species
    double* value;  // [n_harmonics, block]   weight * norm * R
    double* slope;  // [n_harmonics, block]   d weight / d r^2 * norm * R
    double* d[3];   // [n_harmonics, block]   weight * norm * gradient of R
};

inline std::size_t n_harmonics(const SoapParameters& p) noexcept {
    return (p.l_max + 1) * (p.l_max + 1);
}
/// Coefficients of one channel: [n_harmonics, row].
inline std::size_t n_coefficients(const SoapParameters& p) noexcept {
    return n_harmonics(p) * soap_row(p.n_max);
}
inline std::size_t n_channels(const SoapParameters& p) noexcept {
    if (p.compression == SoapCompression::mu2) return 1;
    return p.n_species + (p.compression == SoapCompression::mu1nu1 ? 1 : 0);
}
/// Channels with sums over neighbours of their own.
inline std::size_t n_summed(const SoapParameters& p) noexcept {
    return p.compression == SoapCompression::mu2 ? 1 : p.n_species;
}
/// The channel that species s is summed in.
inline std::size_t channel_of(const SoapParameters& p, std::size_t s) noexcept {
    return p.compression == SoapCompression::mu2 ? 0 : s;
}
/// Whether the coefficients of a channel change with those of species s.
inline bool depends(const SoapParameters& p, std::size_t channel, std::size_t s) noexcept {
    return channel == channel_of(p, s) || channel == p.n_species;
}
/// Whether the atom or a neighbour contributes to a channel.
inline bool surrounds(const SoapParameters& p, const Center& center, std::size_t channel) noexcept {
    if (p.compression == SoapCompression::mu2 || channel == p.n_species) return true;
    return channel == center.species || center.begin[channel + 1] > center.begin[channel];
}

/// Divides the scratch.
class Scratch {
  public:
    explicit Scratch(double* free) noexcept
        : free_(free + (8 - reinterpret_cast<std::uintptr_t>(free) / 8 % 8) % 8) {}

    double* take(std::size_t n) noexcept {
        double* taken = free_;
        free_ += padded(n);
        return taken;
    }
    template <bool derivative>
    Harmonics harmonics(const SoapParameters& p) noexcept {
        const std::size_t n = n_harmonics(p) * block;
        Harmonics h{take(block), take(block), take(block), take(n), nullptr, {}};
        if (!derivative) return h;
        h.slope = take(n);
        for (double*& d : h.d) d = take(n);
        return h;
    }

  private:
    double* free_;
};

/// R of one vector of neighbours, rows of `block`.
inline void raw_harmonics(const SoapParameters& p, V x, V y, V z, V r2, double* to) noexcept {
    store(to, broadcast(1.0));
    for (std::size_t l = 1; l <= p.l_max; ++l) {
        double* row = to + l * l * block;
        const double* before = to + (l - 1) * (l - 1) * block;
        const double* twice_before = l > 1 ? to + (l - 2) * (l - 2) * block : nullptr;
        const double* step = p.steps + 2 * l * l;
        for (std::size_t k = 0; k + 2 < 2 * l + 1; ++k) {
            V value = step[2 * k] * z * load(before + k * block);
            if (k + 4 < 2 * l + 1) value -= step[2 * k + 1] * r2 * load(twice_before + k * block);
            store(row + k * block, value);
        }
        const std::size_t last = (2 * l - 1) * block;
        const double factor = step[2 * (2 * l - 1)];
        const V c = load(before + (l > 1 ? 2 * l - 3 : 0) * block);
        const V s = l > 1 ? load(before + (2 * l - 2) * block) : V{};
        store(row + last, factor * (x * c - y * s));
        store(row + last + block, factor * (x * s + y * c));
    }
}

/// Gradients from the rows of l - 1, times factor and norms.
inline void gradients(const SoapParameters& p, const double* raw, V factor, double* const* d,
                      std::size_t at) noexcept {
    for (std::size_t c = 0; c < 3; ++c) store(d[c] + at, V{});
    for (std::size_t l = 1; l <= p.l_max; ++l) {
        const double* below = raw + (l - 1) * (l - 1) * block;
        // Real and imaginary part of R_{l-1,m}; 0 for m >= l.
        const auto re = [&](std::size_t m) {
            return m < l ? load(below + (m > 0 ? 2 * m - 1 : 0) * block) : V{};
        };
        const auto im = [&](std::size_t m) {
            return m > 0 && m < l ? load(below + 2 * m * block) : V{};
        };
        const auto put = [&](std::size_t k, V dx, V dy, V dz) {
            const std::size_t row = l * l + k;
            const V scale = factor * p.norms[row];
            store(d[0] + row * block + at, scale * dx);
            store(d[1] + row * block + at, scale * dy);
            store(d[2] + row * block + at, scale * dz);
        };
        put(0, -re(1), -im(1), re(0));
        for (std::size_t m = 1; m <= l; ++m) {
            put(2 * m - 1, 0.5 * (re(m - 1) - re(m + 1)), -0.5 * (im(m + 1) + im(m - 1)), re(m));
            put(2 * m, 0.5 * (im(m - 1) - im(m + 1)), 0.5 * (re(m + 1) + re(m - 1)), im(m));
        }
    }
}

/// Weights of the species of neighbours begin .. end - 1; of those behind the last one anything.
inline void tabulate_species(const SoapParameters& p, const Center& center, std::size_t begin,
                             std::size_t end, const Harmonics& h) noexcept {
    for (std::size_t k = 0; k < block; ++k) h.of[k] = 0;
    for (std::size_t s = 0, k = begin; k < end; ++k) {
        while (center.begin[s + 1] <= k) ++s;
        h.of[k - begin] = p.of_species[s];
    }
}

/// Whether the weight of a neighbour changes with its distance.
inline bool varies(const SoapParameters& p) noexcept {
    return p.smooth || p.weight.function != SoapWeighting::none;
}

/// Weights of the vector of neighbours at k, which is at `at` in the tables.
template <bool derivative>
inline CutoffValue weights(const SoapParameters& p, V r2, const Harmonics& h,
                           std::size_t at) noexcept {
    CutoffValue total{broadcast(1.0), V{}};
    if (p.smooth) total = cutoff<derivative>(p.cutoff, r2, 1 / (p.r_cut * p.r_cut));
    if (p.weight.function != SoapWeighting::none) {
        const CutoffValue w = weight(p.weight, r2, load(h.r + at));
        total = {total.value * w.value, total.slope * w.value + total.value * w.slope};
    }
    if (p.of_species != nullptr) {
        const V of = load(h.of + at);
        total = {total.value * of, total.slope * of};
    }
    return total;
}

/// Tables of the neighbours begin .. end - 1, end - begin <= block, begin a multiple of it.
template <bool derivative>
inline void tabulate(const SoapParameters& p, const Center& center, std::size_t begin,
                     std::size_t end, const Harmonics& h) noexcept {
    const std::size_t n = n_harmonics(p);
    if (p.of_species != nullptr) tabulate_species(p, center, begin, end, h);
    for (std::size_t k = begin; k < end; k += width) {
        const std::size_t at = k - begin;
        const V x = load(center.x + k), y = load(center.y + k), z = load(center.z + k);
        const V r2 = x * x + y * y + z * z;
        store(h.r2 + at, r2);
        store(h.r + at, load(center.distance + k));
        const CutoffValue fc = weights<derivative>(p, r2, h, at);
        raw_harmonics(p, x, y, z, r2, h.value + at);
        if (derivative) gradients(p, h.value + at, fc.value, h.d, at);
        for (std::size_t i = 0; i < n; ++i) {
            const V value = p.norms[i] * load(h.value + i * block + at);
            if (derivative) store(h.slope + i * block + at, fc.slope * value);
            store(h.value + i * block + at, fc.value * value);
        }
    }
}

/// Radial functions v, v + 1, ... of l and their derivative by r^2 for neighbour k of the tables.
struct Radial {
    V value, slope;
};

template <bool derivative, bool table>
inline Radial radial(const SoapParameters& p, const Harmonics& h, std::size_t l, std::size_t v,
                     std::size_t k) noexcept {
    const std::size_t row = soap_row(p.n_max);
    if (!table) {
        const V exponent = load(p.exponents + l * row + v);
        const V e = exp2_product(broadcast(h.r2[k]), -log2_e * exponent);
        return {e, -exponent * e};
    }
    const double place = h.r[k] * p.inverse_spacing;
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
    return {value, slope * (p.inverse_spacing / h.r[k])};
}

inline Radial radial_with_slope(const SoapParameters& p, const Harmonics& h, std::size_t l,
                                std::size_t v, std::size_t k) noexcept {
    return p.table == nullptr ? radial<true, false>(p, h, l, v, k)
                              : radial<true, true>(p, h, l, v, k);
}

/// sums[lm, :] += sum over `count` neighbours of radial function times harmonic; with `even` for
/// even l alone.
template <std::size_t count, bool table, bool even>
inline void add_neighbors(const SoapParameters& p, const Harmonics& h, std::size_t first,
                          double* sums) noexcept {
    const std::size_t row = soap_row(p.n_max);
    for (std::size_t v = 0; v < p.n_max; v += width)
        for (std::size_t l = 0; l <= p.l_max; l += even ? 2 : 1) {
            V e[count];
#pragma GCC unroll 4
            for (std::size_t k = 0; k < count; ++k)
                e[k] = radial<false, table>(p, h, l, v, first + k).value;
            for (std::size_t i = l * l; i < (l + 1) * (l + 1); ++i) {
                const double* value = h.value + i * block + first;
                V total = load(sums + i * row + v);
                for (std::size_t k = 0; k < count; ++k) total += value[k] * e[k];
                store(sums + i * row + v, total);
            }
        }
}

/// to[lm, :] = sum_k from[lm, k] matrix_l[k, :]; eight rows of the matrix stay in registers.
inline void transform(const SoapParameters& p, const double* matrix, const double* from,
                      double* to) noexcept {
    const std::size_t row = soap_row(p.n_max);
    for (std::size_t l = 0; l <= p.l_max; ++l)
        for (std::size_t v = 0; v < p.n_max; v += width)
            for (std::size_t k = 0; k < row; k += 8) {
                V m[8];
                for (std::size_t i = 0; i < 8; ++i)
                    m[i] = load(matrix + (l * row + k + i) * row + v);
                for (std::size_t h = l * l; h < (l + 1) * (l + 1); ++h) {
                    const double* f = from + h * row + k;
                    V even = f[0] * m[0], odd = f[1] * m[1];
                    if (k > 0) even += load(to + h * row + v);
                    for (std::size_t i = 2; i < 8; i += 2) {
                        even += f[i] * m[i];
                        odd += f[i + 1] * m[i + 1];
                    }
                    store(to + h * row + v, even + odd);
                }
            }
}

/// Neighbours first .. last - 1 of the tables, of one species.
template <bool table, bool even>
inline void add_range(const SoapParameters& p, const Harmonics& h, std::size_t first,
                      std::size_t last, double* sums) noexcept {
    for (; first + 4 <= last; first += 4) add_neighbors<4, table, even>(p, h, first, sums);
    switch (last - first) {
        case 3:
            return add_neighbors<3, table, even>(p, h, first, sums);
        case 2:
            return add_neighbors<2, table, even>(p, h, first, sums);
        case 1:
            return add_neighbors<1, table, even>(p, h, first, sums);
        default:
            return;
    }
}

inline void add_all(const SoapParameters& p, const Harmonics& h, std::size_t first,
                    std::size_t last, double* sums) noexcept {
    if (p.table == nullptr)
        add_range<false, false>(p, h, first, last, sums);
    else
        add_range<true, false>(p, h, first, last, sums);
}

inline void add_even(const SoapParameters& p, const Harmonics& h, std::size_t n,
                     double* sums) noexcept {
    if (p.table == nullptr)
        add_range<false, true>(p, h, 0, n, sums);
    else
        add_range<true, true>(p, h, 0, n, sums);
}

/// The part of `count` atoms of species s in their own surroundings, with l = 0 only.
inline void add_own(const SoapParameters& p, std::size_t s, std::size_t count, double* c) noexcept {
    double* own = c + channel_of(p, s) * n_coefficients(p);
    const double of = p.of_species == nullptr ? 1 : p.of_species[s];
    const double factor = static_cast<double>(count) * of * p.norms[0];
    for (std::size_t k = 0; k < p.n_max; ++k) own[k] += factor * p.own[k];
}

/// Adds the sums over neighbours for each channel to c, [n_channels, n_harmonics, row].
template <bool derivative>
inline void add_up(const SoapParameters& p, const Center& center, const Harmonics& h,
                   double* c) noexcept {
    const std::size_t n = n_coefficients(p);
    add_own(p, center.species, 1, c);
    for (std::size_t begin = 0; begin < center.n; begin += block) {
        const std::size_t end = center.n - begin < block ? center.n : begin + block;
        tabulate<derivative>(p, center, begin, end, h);
        for (std::size_t s = 0; s < p.n_species; ++s) {
            const std::size_t from = center.begin[s] > begin ? center.begin[s] : begin;
            const std::size_t to = center.begin[s + 1] < end ? center.begin[s + 1] : end;
            if (from >= to) continue;
            add_all(p, h, from - begin, to - begin, c + channel_of(p, s) * n);
        }
    }
}

/// Whether there is anything in a channel of sums. The terms of l = 0 of a species have one sign,
/// or are not small all at once; where they underflow, those of other l do so, too. Those of all
/// species may cancel.
inline bool present(const SoapParameters& p, const double* c, std::size_t channel) noexcept {
    if (p.compression == SoapCompression::mu2 || channel == p.n_species) return true;
    const double* of_species = c + channel * n_coefficients(p);
    for (std::size_t n = 0; n < p.n_max; ++n)
        if (of_species[n] != 0) return true;
    return false;
}

/// Multiplies the sums of a species, in place; `room` holds those of one.
inline void transform_in_place(const SoapParameters& p, const double* matrix, double* c,
                               double* room) noexcept {
    for (std::size_t i = 0; i < n_coefficients(p); ++i) room[i] = c[i];
    transform(p, matrix, room, c);
}

/// Makes coefficients of the sums of all channels; there[channel] is whether it is not empty.
inline void coefficients(const SoapParameters& p, double* c, double* room, double* there) noexcept {
    const std::size_t size = n_coefficients(p);
    double* total = c + p.n_species * size;
    const bool with_total = p.compression == SoapCompression::mu1nu1;
    for (std::size_t i = 0; with_total && i < size; ++i) total[i] = 0;
    for (std::size_t k = 0; k < n_channels(p); ++k) there[k] = present(p, c, k) ? 1 : 0;
    for (std::size_t k = 0; k < n_summed(p); ++k) {
        if (there[k] == 0) continue;
        transform_in_place(p, p.transform, c + k * size, room);
        for (std::size_t i = 0; with_total && i < size; ++i) total[i] += c[k * size + i];
    }
}

/// Sums of a centre. Of a species that is not there only what `present` reads is cleared.
template <bool derivative>
inline void sums_of(const SoapParameters& p, const Center& center, const Harmonics& h,
                    double* c) noexcept {
    const std::size_t n = n_coefficients(p);
    for (std::size_t k = 0; k < n_summed(p); ++k)
        std::memset(c + k * n, 0, (surrounds(p, center, k) ? n : p.n_max) * sizeof(double));
    add_up<derivative>(p, center, h, c);
}

}  // namespace soap

}  // namespace MOLKERN_ISA
}  // namespace molkern
