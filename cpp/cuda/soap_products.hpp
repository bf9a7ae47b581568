// SOAP on a device: the power spectrum of coefficients, and its norm.
#pragma once

#include "cuda/soap_parts.hpp"

namespace molkern::cuda {

/// Pairs of channels, one after another.
struct SoapAllPairs {
    unsigned n;
    MOLKERN_DEVICE unsigned operator[](unsigned k) const noexcept { return k; }
};

/// All pairs of channels, first the n of which both have coefficients; in shared memory.
struct SoapSortedPairs {
    unsigned n;
    const unsigned* order;
    MOLKERN_DEVICE unsigned operator[](unsigned k) const noexcept { return order[k]; }
};

/// Work items of a power spectrum: of each l a row of n' and strips of n, two at a time where they
/// are even, and as many parts of the pairs of channels as keep all threads busy. Threads of a warp
/// are at neighbouring l.
struct SoapProducts {
    SoapShape shape;
    const SoapPlace* places;

    MOLKERN_DEVICE explicit SoapProducts(const SoapCenters& of)
        : shape(of.shape), places(of.places) {}

    MOLKERN_DEVICE unsigned size() const noexcept { return shape.of_part * shape.n_parts; }

    /// Calls put(column, sum of products) for each feature of an item and of `pairs`, summed over n
    /// sets of coefficients, [n, n_channels, size], in which there(set, channel).
    template <typename Pairs, typename T, typename There, typename Put>
    MOLKERN_DEVICE void each(std::int64_t item, const Pairs& pairs, const T* sets, std::int64_t n,
                             const There& there, const Put& put) const {
        if (shape.twice)
            each_of<2>(static_cast<unsigned>(item), pairs, sets, n, there, put);
        else
            each_of<1>(static_cast<unsigned>(item), pairs, sets, n, there, put);
    }

    /// Those of one set, with put(column, 0) for pairs without coefficients.
    template <typename Block, typename T, typename Put>
    MOLKERN_DEVICE void each_of_set(Block& block, const SoapSortedPairs& pairs, const T* set,
                                    const Put& put) const {
        const auto always = [](std::int64_t, unsigned) { return true; };
        block.each_thread([&](unsigned thread) {
            for (unsigned i = thread; i < size(); i += soap_threads)
                each(i, pairs, set, 1, always, put);
            constexpr unsigned warp = 32;
            for (unsigned k = pairs.n + thread / warp; k < shape.n_pairs;
                 k += soap_threads / warp) {
                const SoapPlace place = places[pairs[k]];
                const unsigned end = shape.n_l * block_of(place);
                for (unsigned f = thread % warp; f < end; f += warp) put(place.begin + f, T{0});
            }
        });
    }

    template <unsigned n_strips, typename Pairs, typename T, typename There, typename Put>
    MOLKERN_DEVICE void each_of(unsigned item, const Pairs& pairs, const T* sets, std::int64_t n,
                                const There& there, const Put& put) const {
        constexpr unsigned width = n_strips * soap_strip;
        const unsigned n_max = shape.n_max, row = shape.row;
        const unsigned column = item % n_max, of_column = item / n_max;
        const unsigned n_parts = shape.n_parts, part = of_column % n_parts;
        const unsigned rest = of_column / n_parts;
        const unsigned v = rest % (row / width) * width, l = rest / (row / width);
        const unsigned most = n_max - v < width ? n_max - v : width;
        // Of one channel n <= n'.
        const unsigned below = column < v ? 0 : column - v + 1, least = below < most ? below : most;
        // Behind the first column of a pair, of two channels and of one.
        const unsigned two = l * n_max * n_max + v * n_max + column;
        const unsigned one = l * (n_max * (n_max + 1) / 2) + v * (2 * n_max - v - 1) / 2 + column;
        for (unsigned k = part; k < pairs.n; k += n_parts) {
            const SoapPlace place = places[pairs[k]];
            const bool same = place.a == place.b;
            const unsigned end = same ? least : most;
            if (end == 0) continue;
            T total[n_strips][soap_strip] = {};
            for (std::int64_t set = 0; set < n; ++set) {
                if (!(there(set, place.a) & there(set, place.b))) continue;
                const T* c = sets + set * shape.set_size() + l * l * row;
                const T *a = c + place.a * shape.size + v, *b = c + place.b * shape.size + column;
                for (unsigned m = 0; m < 2 * l + 1; ++m, a += row, b += row)
                    for (unsigned s = 0; s < n_strips; ++s) {
                        const SoapStrip<T> strip = reinterpret_cast<const SoapStrip<T>*>(a)[s];
                        for (unsigned j = 0; j < soap_strip; ++j) total[s][j] += strip.v[j] * *b;
                    }
            }
            unsigned f = place.begin + (same ? one : two), step = same ? n_max - 1 - v : n_max;
            for (unsigned j = 0; j < width; ++j) {
                if (j < end) put(f, total[j / soap_strip][j % soap_strip]);
                f += step;
                step -= same;
            }
        }
    }

    /// Features of a pair of channels for one l.
    MOLKERN_DEVICE unsigned block_of(const SoapPlace& place) const noexcept {
        const unsigned n_max = shape.n_max;
        return place.a == place.b ? n_max * (n_max + 1) / 2 : n_max * n_max;
    }
};

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

template <typename Block>
MOLKERN_DEVICE SoapSortedPairs soap_sorted_pairs(Block& block, const SoapProducts& products,
                                                 const std::uint8_t* there) {
    const unsigned n_pairs = products.shape.n_pairs;
    auto* order = block.template shared<unsigned>(n_pairs);
    auto* counts = block.template shared<unsigned>(soap_threads);
    const unsigned of_thread = (n_pairs + soap_threads - 1) / soap_threads;
    const unsigned n_parts = (n_pairs + of_thread - 1) / of_thread;
    const auto both = [&](unsigned k) {
        return there[products.places[k].a] & there[products.places[k].b];
    };
    const auto end_of = [&](unsigned part) {
        const unsigned end = (part + 1) * of_thread;
        return end < n_pairs ? end : n_pairs;
    };
    block.for_each(n_parts, [&](std::int64_t item) {
        const auto part = static_cast<unsigned>(item);
        counts[part] = 0;
        for (unsigned k = part * of_thread; k < end_of(part); ++k) counts[part] += both(k);
    });
    block.for_each(n_parts, [&](std::int64_t item) {
        const auto part = static_cast<unsigned>(item);
        unsigned before = 0, total = 0;
        for (unsigned i = 0; i < n_parts; ++i) {
            before += i < part ? counts[i] : 0;
            total += counts[i];
        }
        for (unsigned k = part * of_thread; k < end_of(part); ++k) {
            const unsigned one = both(k);
            order[one ? before : total + k - before] = k;
            before += one;
        }
    });
    unsigned n = 0;
    for (unsigned i = 0; i < n_parts; ++i) n += counts[i];
    return {n, order};
}

/// Bytes of that.
inline std::size_t soap_pairs_bytes(const SoapParameters& p) {
    return (p.n_pairs + soap_threads) * sizeof(unsigned) + 2 * 16;
}

/// One over the norm of the features of coefficients, as on the host.
template <typename T, typename Block>
MOLKERN_DEVICE double soap_inverse_norm(Block& block, const SoapProducts& products, const T* c,
                                        const std::uint8_t* there) {
    const auto in = [&](std::int64_t, unsigned channel) { return there[channel] != 0; };
    const SoapAllPairs pairs{products.shape.n_pairs};
    const double square = block.sum(products.size(), [&](std::int64_t i) {
        double total = 0;
        products.each(i, pairs, c, 1, in, [&](unsigned, double f) { total += f * f; });
        return total;
    });
    return square > 1e-280 ? 1 / std::sqrt(square) : 0;
}

}  // namespace molkern::cuda
