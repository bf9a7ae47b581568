// What values and derivatives of the SOAP power spectrum share: tables of neighbours, sums,
// coefficients.
#pragma once

#include "core/soap_functions.hpp"
#include "molkern/local.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace soap {

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

/// Weights of the species of neighbours begin .. end - 1; of those behind the last one anything.
inline void tabulate_species(const SoapParameters& p, const Center& center, std::size_t begin,
                             std::size_t end, const Harmonics& h) noexcept {
    for (std::size_t k = 0; k < block; ++k) h.of[k] = 0;
    for (std::size_t s = 0, k = begin; k < end; ++k) {
        while (center.begin[s + 1] <= k) ++s;
        h.of[k - begin] = p.of_species[s];
    }
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
        const V of = p.of_species == nullptr ? V{} : load(h.of + at);
        const CutoffValue fc = weights<derivative>(p, r2, load(h.r + at), of);
        raw_harmonics<block>(p, x, y, z, r2, h.value + at);
        if (derivative) gradients<block>(p, h.value + at, fc.value, h.d, at);
        for (std::size_t i = 0; i < n; ++i) {
            const V value = p.norms[i] * load(h.value + i * block + at);
            if (derivative) store(h.slope + i * block + at, fc.slope * value);
            store(h.value + i * block + at, fc.value * value);
        }
    }
}

/// Of neighbour k of the tables.
inline Radial radial_with_slope(const SoapParameters& p, const Harmonics& h, std::size_t l,
                                std::size_t v, std::size_t k) noexcept {
    return p.table == nullptr ? radial<true, false>(p, h.r2[k], h.r[k], l, v)
                              : radial<true, true>(p, h.r2[k], h.r[k], l, v);
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
                e[k] = radial<false, table>(p, h.r2[first + k], h.r[first + k], l, v).value;
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
