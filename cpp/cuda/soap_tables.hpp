// SOAP on a device: sizes, work items, and the parameters there.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/soap_functions.hpp"
#include "cuda/neighbors.hpp"
#include "cuda/runtime.hpp"

namespace molkern::cuda {

/// Neighbours whose functions are tabulated at a time. Rows of harmonics are longer by one, so that
/// those of one neighbour lie in different banks of the shared memory.
constexpr unsigned soap_tile = 16;
constexpr unsigned soap_stride = soap_tile + 1;
constexpr unsigned soap_threads = 128;

/// Radial functions that a thread works on at a time. Rows have whole strips; what lies behind
/// their end is 0 among coefficients, and anything elsewhere.
constexpr unsigned soap_strip = 4;
template <typename T>
struct alignas(16) SoapStrip {
    T v[soap_strip];
};

/// Harmonics h and, where `two` is 1, h + 1 of degree l, functions v, v + 1, ...
struct SoapItem {
    std::uint16_t h, l, v, two;
};

/// Channels whose products are features, and the column of the first.
struct alignas(16) SoapPlace {
    unsigned a, b, begin;
};

/// Sizes in which blocks count; what belongs to one block fits into 32 bits.
struct SoapShape {
    unsigned n_max, n_l, n_harmonics, n_channels, n_strips;
    unsigned row;       // whole strips
    unsigned n_radial;  // radial functions of a neighbour, [n_l, row]
    unsigned size;      // coefficients of a channel, [n_harmonics, row]
    // Of products, see SoapProducts.
    bool twice;
    unsigned of_part, n_parts, n_pairs;

    /// Coefficients of all channels.
    MOLKERN_HOST_DEVICE std::int64_t set_size() const noexcept {
        return static_cast<std::int64_t>(n_channels) * size;
    }
};

inline SoapShape soap_shape(const SoapParameters& p) {
    const auto n_max = static_cast<unsigned>(p.n_max), n_l = static_cast<unsigned>(p.l_max + 1);
    const unsigned n_strips = (n_max + soap_strip - 1) / soap_strip, row = n_strips * soap_strip;
    const auto n_pairs = static_cast<unsigned>(p.n_pairs);
    const bool twice = n_strips % 2 == 0;
    const unsigned of_part = n_l * n_max * (twice ? n_strips / 2 : n_strips);
    const unsigned n_parts = of_part < soap_threads ? soap_threads / of_part : 1;
    return {n_max,
            n_l,
            n_l * n_l,
            static_cast<unsigned>(soap::n_channels(p)),
            n_strips,
            row,
            n_l * row,
            n_l * n_l * row,
            twice,
            of_part,
            n_parts < n_pairs ? n_parts : n_pairs,
            n_pairs};
}

/// l of a harmonic.
MOLKERN_DEVICE inline unsigned degree_of(unsigned harmonic) noexcept {
    return static_cast<unsigned>(std::sqrt(static_cast<float>(harmonic)));
}

/// Centres with their neighbours, and parameters on the device.
struct SoapCenters {
    SoapParameters p;
    SoapShape shape;
    const SoapPlace* places;
    const SoapItem* items;
    unsigned n_items;
    DeviceNeighbors neighbors;

    /// Neighbours of species s of centre c: from begin(c, s) to begin(c, s + 1).
    MOLKERN_DEVICE std::int64_t begin(std::int64_t c, std::int64_t s) const noexcept {
        return neighbors.begin[c * neighbors.n_species + s];
    }

    /// Whether the centre or a neighbour contributes to a channel.
    MOLKERN_DEVICE bool surrounds(std::int64_t c, unsigned channel) const noexcept {
        if (p.compression == SoapCompression::mu2 || channel == p.n_species) return true;
        return neighbors.kind[c] == static_cast<std::int32_t>(channel) ||
               begin(c, channel) < begin(c, channel + 1);
    }

    MOLKERN_DEVICE double weight_of(unsigned s) const noexcept {
        return p.of_species == nullptr ? 1 : p.of_species[s];
    }
};

/// Parameters of the host on the device.
class SoapTables {
  public:
    SoapTables(const SoapParameters& of, Stream stream) : view_(of) {
        std::vector<double> numbers;
        std::vector<std::size_t> begins;
        visit(view_, [&](const double*& table, std::size_t n) {
            begins.push_back(numbers.size());
            if (table != nullptr) numbers.insert(numbers.end(), table, table + n);
        });
        numbers_ =
            uploaded(numbers.data(), static_cast<std::int64_t>(numbers.size()), stream, true);
        std::size_t k = 0;
        visit(view_, [&](const double*& table, std::size_t) {
            if (table != nullptr) table = numbers_.data() + begins[k];
            ++k;
        });
        std::vector<SoapPlace> places;
        unsigned begin = 0;
        for (std::size_t i = 0; i < of.n_pairs; ++i) {
            const SoapPair pair = of.pairs[i];
            places.push_back({static_cast<unsigned>(pair.a), static_cast<unsigned>(pair.b), begin});
            begin += static_cast<unsigned>((of.l_max + 1) * soap_block(of.n_max, pair));
        }
        places_ = uploaded(places.data(), static_cast<std::int64_t>(places.size()), stream, true);
        view_.pairs = nullptr;
        items_ = uploaded_items(soap_shape(of), stream);
    }

    SoapCenters centers(const DeviceNeighbors& neighbors) const {
        const SoapShape shape = soap_shape(view_);
        const unsigned n_items = shape.n_l * (shape.n_l + 1) / 2 * shape.n_strips;
        return {view_, shape, places_.data(), items_.data(), n_items, neighbors};
    }

  private:
    static Buffer<SoapItem> uploaded_items(const SoapShape& shape, Stream stream) {
        std::vector<SoapItem> items;
        const auto put = [&](unsigned h, unsigned l, unsigned v, bool two) {
            items.push_back({static_cast<std::uint16_t>(h), static_cast<std::uint16_t>(l),
                             static_cast<std::uint16_t>(v), two});
        };
        for (unsigned l = 0; l < shape.n_l; ++l)
            for (unsigned h = l * l; h < (l + 1) * (l + 1); h += 2)
                for (unsigned v = 0; v < shape.row; v += soap_strip)
                    put(h, l, v, h + 1 < (l + 1) * (l + 1));
        return uploaded(items.data(), static_cast<std::int64_t>(items.size()), stream, true);
    }

    // Calls f(table, length) for every table.
    template <typename F>
    static void visit(SoapParameters& p, const F& f) {
        const std::size_t row = soap_row(p.n_max), n_l = p.l_max + 1;
        f(p.exponents, n_l * row);
        f(p.table, p.n_intervals * (soap_degree + 1) * n_l * row);
        f(p.own, row);
        f(p.transform, n_l * row * row);
        f(p.transposed, n_l * row * row);
        f(p.norms, n_l * n_l);
        f(p.steps, 2 * n_l * n_l);
        f(p.of_species, p.n_species);
    }

    SoapParameters view_;
    Buffer<double> numbers_;
    Buffer<SoapPlace> places_;
    Buffer<SoapItem> items_;
};

}  // namespace molkern::cuda
