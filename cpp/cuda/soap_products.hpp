// SOAP on a device: the power spectrum of coefficients, and its norm.
#pragma once

#include "cuda/soap_parts.hpp"

namespace molkern::cuda {

/// Work items of a power spectrum: of each l a row of n' and strips of n, and as many parts of the
/// pairs of channels as keep all threads busy.
struct SoapProducts {
    SoapShape shape;
    const SoapPlace* places;
    unsigned n_pairs, of_part, n_parts;

    MOLKERN_DEVICE explicit SoapProducts(const SoapCenters& of)
        : shape(of.shape),
          places(of.places),
          n_pairs(static_cast<unsigned>(of.p.n_pairs)),
          of_part(of.shape.n_l * of.shape.n_strips * of.shape.n_max),
          n_parts(soap_threads / of_part) {
        if (n_parts == 0) n_parts = 1;
        if (n_parts > n_pairs) n_parts = n_pairs;
    }

    MOLKERN_DEVICE unsigned size() const noexcept { return of_part * n_parts; }

    /// Calls put(column, sum of products) for each feature of an item, summed over n sets of
    /// coefficients, [n, n_channels, size], in which there(set, channel).
    template <typename T, typename There, typename Put>
    MOLKERN_DEVICE void each(std::int64_t item, const T* sets, std::int64_t n, const There& there,
                             const Put& put) const {
        const auto i = static_cast<unsigned>(item);
        const unsigned n_max = shape.n_max, row = shape.row;
        const unsigned column = i % n_max, rest = i / n_max;
        const unsigned v = rest % shape.n_strips * soap_strip, of_l = rest / shape.n_strips;
        const unsigned l = of_l % shape.n_l, most = n_max - v < soap_strip ? n_max - v : soap_strip;
        // Of one channel n <= n'.
        const unsigned below = column < v ? 0 : column - v + 1, least = below < most ? below : most;
        // Behind the first column of a pair, of two channels and of one.
        const unsigned two = l * n_max * n_max + v * n_max + column;
        const unsigned one = l * (n_max * (n_max + 1) / 2) + v * (2 * n_max - v - 1) / 2 + column;
        for (unsigned k = of_l / shape.n_l; k < n_pairs; k += n_parts) {
            const SoapPlace place = places[k];
            const bool same = place.a == place.b;
            const unsigned end = same ? least : most;
            if (end == 0) continue;
            T total[soap_strip] = {};
            for (std::int64_t set = 0; set < n; ++set) {
                if (!(there(set, place.a) & there(set, place.b))) continue;
                const T* c = sets + set * shape.set_size() + l * l * row;
                const T *a = c + place.a * shape.size + v, *b = c + place.b * shape.size + column;
                for (unsigned m = 0; m < 2 * l + 1; ++m, a += row, b += row) {
                    const auto strip = *reinterpret_cast<const SoapStrip<T>*>(a);
                    for (unsigned j = 0; j < soap_strip; ++j) total[j] += strip.v[j] * *b;
                }
            }
            unsigned f = place.begin + (same ? one : two), step = same ? n_max - 1 - v : n_max;
            for (unsigned j = 0; j < soap_strip; ++j) {
                if (j < end) put(f, total[j]);
                f += step;
                step -= same;
            }
        }
    }

    /// The column of n of channel a and n' of channel b; n <= n' for a channel with itself.
    MOLKERN_DEVICE unsigned place_of(const SoapPlace& place, unsigned l, unsigned n,
                                     unsigned k) const noexcept {
        const unsigned n_max = shape.n_max;
        const bool same = place.a == place.b;
        const unsigned step = same ? n_max * (n_max + 1) / 2 : n_max * n_max;
        const unsigned inside = (same ? n * (2 * n_max - n - 1) / 2 : n * n_max) + k;
        return place.begin + l * step + inside;
    }
};

/// Numbers behind the coefficients of sets that may be read.
constexpr std::int64_t soap_padding = soap_strip;

/// Which channels of a centre, or with c < 0 of anything, have coefficients; in shared memory.
template <typename Block>
MOLKERN_DEVICE const std::uint8_t* soap_channels(Block& block, const SoapCenters& of,
                                                 std::int64_t c) {
    auto* there = block.template shared<std::uint8_t>(of.shape.n_channels);
    block.for_each(of.shape.n_channels, [&](std::int64_t channel) {
        there[channel] = c < 0 || of.surrounds(c, static_cast<unsigned>(channel));
    });
    return there;
}

/// Bytes of that.
inline std::size_t soap_channels_bytes(const SoapParameters& p) {
    return soap::n_channels(p) + 16;
}

/// One over the norm of the features of coefficients, as on the host.
template <typename T, typename Block>
MOLKERN_DEVICE double soap_inverse_norm(Block& block, const SoapProducts& products, const T* c,
                                        const std::uint8_t* there) {
    const auto in = [&](std::int64_t, unsigned channel) { return there[channel] != 0; };
    const double square = block.sum(products.size(), [&](std::int64_t i) {
        double total = 0;
        products.each(i, c, 1, in, [&](unsigned, double f) { total += f * f; });
        return total;
    });
    return square > 1e-280 ? 1 / std::sqrt(square) : 0;
}

}  // namespace molkern::cuda
