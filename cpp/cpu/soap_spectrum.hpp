// The SOAP power spectrum from its coefficients, and its norm: what soap.cpp and
// soap_derivatives.cpp share.
#pragma once

#include <cmath>

#include "cpu/soap_parts.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace soap {

/// tile[n, n'] (+)= sum_m a[lm, n] b[lm, n'], rows of `row`; summed over sets of coefficients that
/// begin at these offsets.
template <bool add>
inline void power_tile(const SoapParameters& p, std::size_t l, const double* a, const double* b,
                       const std::size_t* sets, std::size_t n_sets, double* tile) noexcept {
    const std::size_t row = soap_row(p.n_max);
    for (std::size_t v = 0; v < p.n_max; v += width)
        for (std::size_t n = 0; n < row; n += 8) {
            V total[8];
            for (std::size_t k = 0; k < 8; ++k)
                total[k] = add ? load(tile + (n + k) * row + v) : V{};
            for (std::size_t set = 0; set < n_sets; ++set) {
                const double *of_a = a + sets[set] + n, *of_b = b + sets[set] + v;
                for (std::size_t i = l * l; i < (l + 1) * (l + 1); ++i) {
                    const V other = load(of_b + i * row);
                    for (std::size_t k = 0; k < 8; ++k) total[k] += of_a[i * row + k] * other;
                }
            }
            for (std::size_t k = 0; k < 8; ++k) store(tile + (n + k) * row + v, total[k]);
        }
}

template <bool add>
inline void power_tile(const SoapParameters& p, std::size_t l, const double* a, const double* b,
                       double* tile) noexcept {
    const std::size_t here = 0;
    power_tile<add>(p, l, a, b, &here, 1, tile);
}

/// Doubles of a tile; what is read behind its last row included.
inline std::size_t tile_room(const SoapParameters& p) noexcept {
    return soap_row(p.n_max) * soap_row(p.n_max) + 8;
}

/// Copies n values and perhaps some behind them, which are overwritten later; never to `end`.
inline double* put(const double* from, std::size_t n, double* to, const double* end) noexcept {
    const std::size_t whole = (n + width - 1) / width * width;
    if (static_cast<std::size_t>(end - to) >= whole)
        for (std::size_t k = 0; k < n; k += width) store(to + k, load(from + k));
    else
        for (std::size_t k = 0; k < n; ++k) to[k] = from[k];
    return to + n;
}

/// The part of a row that belongs to one l of a pair of channels.
template <bool add>
inline double* write_tile(const SoapParameters& p, bool same, const double* tile, double* row,
                          const double* end) noexcept {
    for (std::size_t n = 0; n < p.n_max; ++n) {
        const std::size_t first = same ? n : 0;
        const double* from = tile + n * soap_row(p.n_max) + first;
        if (add) {
            for (std::size_t k = 0; k < p.n_max - first; ++k) row[k] += from[k];
            row += p.n_max - first;
        } else {
            row = put(from, p.n_max - first, row, end);
        }
    }
    return row;
}

/// Features of coefficients; there[channel] as of `coefficients`.
inline void power_spectrum(const SoapParameters& p, const double* c, const double* there,
                           double* tile, double* row) noexcept {
    const std::size_t size = n_coefficients(p);
    const double* end = row + p.n_features;
    for (std::size_t i = 0; i < p.n_pairs; ++i) {
        const SoapPair pair = p.pairs[i];
        if (there[pair.a] == 0 || there[pair.b] == 0) {
            const double* to = row + (p.l_max + 1) * soap_block(p.n_max, pair);
            for (; row != to; ++row) *row = 0;
            continue;
        }
        for (std::size_t l = 0; l <= p.l_max; ++l) {
            power_tile<false>(p, l, c + pair.a * size, c + pair.b * size, tile);
            row = write_tile<false>(p, pair.a == pair.b, tile, row, end);
        }
    }
}

/// row = or += the features of n sets of coefficients; there[set, channel]. One l after the other:
/// its coefficients stay in the first-level cache for all pairs.
template <bool add>
inline void sum_power_spectra(const SoapParameters& p, const double* c, const double* there,
                              std::size_t n, double* tile, double* row) noexcept {
    const std::size_t size = n_coefficients(p), channels = n_channels(p);
    for (std::size_t l = 0; l <= p.l_max; ++l) {
        double* block_of = row;
        for (std::size_t i = 0; i < p.n_pairs; ++i) {
            const SoapPair pair = p.pairs[i];
            const std::size_t step = soap_block(p.n_max, pair);
            double* const end_of = block_of + (p.l_max + 1) * step;
            std::size_t sets[most_sets], n_sets = 0;
            for (std::size_t k = 0; k < n; ++k)
                if (there[k * channels + pair.a] != 0 && there[k * channels + pair.b] != 0)
                    sets[n_sets++] = k * channels * size;
            if (n_sets > 0) {
                power_tile<false>(p, l, c + pair.a * size, c + pair.b * size, sets, n_sets, tile);
                // What follows the last l of a pair is there already.
                write_tile<add>(p, pair.a == pair.b, tile, block_of + l * step, end_of);
            } else if (!add) {
                std::memset(block_of + l * step, 0, step * sizeof(double));
            }
            block_of = end_of;
        }
    }
}

inline double dot(const double* a, const double* b, std::size_t n) noexcept {
    V even{}, odd{};
    std::size_t k = 0;
    for (; k + 2 * width <= n; k += 2 * width) {
        even += load(a + k) * load(b + k);
        odd += load(a + k + width) * load(b + k + width);
    }
    double total = sum<double>(even + odd);
    for (; k < n; ++k) total += a[k] * b[k];
    return total;
}

/// Divides a row by its norm, and returns one over that; what is shorter than 1e-140 becomes 0.
inline double normalize(double* row, std::size_t n) noexcept {
    const double square = dot(row, row, n);
    const double inverse = square > 1e-280 ? 1 / std::sqrt(square) : 0;
    for (std::size_t k = 0; k < n; ++k) row[k] *= inverse;
    return inverse;
}

/// to = inverse (x - u (u x)): the derivative along x of a row that was normalised to u, and as
/// that is symmetric, a cotangent before from one after. `to` may be x.
inline void project(const double* u, double inverse, const double* x, std::size_t n,
                    double* to) noexcept {
    const double along = dot(u, x, n);
    for (std::size_t k = 0; k < n; ++k) to[k] = inverse * (x[k] - along * u[k]);
}

}  // namespace soap

void soap_vjp(const void* parameters, const Center& center, const double* cotangent,
              double* scratch, double* gx, double* gy, double* gz) noexcept;
void soap_jacobian(const void* parameters, const Center& center, double* scratch, double* rows,
                   const BlockSink& sink) noexcept;
void soap_pull_back(const void* parameters, double* sums, const double* cotangent, double* scratch,
                    double* gradient) noexcept;
void soap_gradients(const void* parameters, const Center& center, const double* gradient,
                    double* scratch, double* gx, double* gy, double* gz) noexcept;

}  // namespace MOLKERN_ISA
}  // namespace molkern
