// SOAP on a device: coefficients, made by a block for each centre, species by species; sums over
// neighbours, radial functions and harmonics lie in shared memory.
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

    /// Coefficients of all channels.
    MOLKERN_HOST_DEVICE std::int64_t set_size() const noexcept {
        return static_cast<std::int64_t>(n_channels) * size;
    }
};

inline SoapShape soap_shape(const SoapParameters& p) {
    const auto n_max = static_cast<unsigned>(p.n_max), n_l = static_cast<unsigned>(p.l_max + 1);
    const unsigned n_strips = (n_max + soap_strip - 1) / soap_strip, row = n_strips * soap_strip;
    return {n_max,    n_l, n_l * n_l, static_cast<unsigned>(soap::n_channels(p)),
            n_strips, row, n_l * row, n_l * n_l * row};
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
        return uploaded(items.data(), static_cast<std::int64_t>(items.size()), stream);
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

/// Room of a block that makes coefficients, for `soap_tile` neighbours.
///
/// near     [6, soap_tile]               x, y, z, r^2, distance, weight
/// value    [n_harmonics, soap_stride]   harmonics times weights
/// radial   [soap_tile, n_radial]
/// sums     [size]                       over neighbours of one species
/// total    [size]                       and of all; null unless mu1nu1
struct SoapRoom {
    double *near, *value, *radial, *sums, *total;

    template <typename Block>
    MOLKERN_DEVICE SoapRoom(Block& block, const SoapCenters& of)
        : near(block.template shared<double>(6 * soap_tile)),
          value(block.template shared<double>(of.shape.n_harmonics * soap_stride)),
          radial(block.template shared<double>(soap_tile * of.shape.n_radial)),
          sums(block.template shared<double>(of.shape.size)),
          total(of.p.compression == SoapCompression::mu1nu1
                    ? block.template shared<double>(of.shape.size)
                    : nullptr) {}
};

/// Bytes of a SoapRoom.
inline std::size_t soap_room_bytes(const SoapParameters& p) {
    const SoapShape shape = soap_shape(p);
    const std::size_t sums = p.compression == SoapCompression::mu1nu1 ? 2 : 1;
    return 8 * (6 * soap_tile + shape.n_harmonics * soap_stride + soap_tile * shape.n_radial +
                sums * shape.size) +
           5 * 16;
}

/// Coefficients of a centre, by a block.
class SoapCoefficients {
  public:
    MOLKERN_DEVICE SoapCoefficients(const SoapCenters& of, const SoapRoom& room)
        : of_(of), room_(room) {}

    /// channels [n_channels, size] = those of centre c, of channels with a species that is there.
    template <typename T, typename Block>
    MOLKERN_DEVICE void make(Block& block, std::int64_t c, T* channels) const {
        const SoapShape& shape = of_.shape;
        const auto n_species = static_cast<unsigned>(of_.p.n_species);
        const auto own = static_cast<unsigned>(of_.neighbors.kind[c]);
        const bool together = of_.p.compression == SoapCompression::mu2;
        if (together) clear(block, room_.sums);
        if (room_.total != nullptr) clear(block, room_.total);
        const std::int64_t* begins = of_.neighbors.begin + c * of_.neighbors.n_species;
        Tile tile{begins[0], static_cast<unsigned>(begins[n_species] - begins[0]), 0, 0};
        for (unsigned s = 0; s < n_species; ++s) {
            const auto from = static_cast<unsigned>(begins[s] - tile.first),
                       to = static_cast<unsigned>(begins[s + 1] - tile.first);
            if (s != own && from == to) continue;
            const double start = s == own ? of_.weight_of(s) * of_.p.norms[0] : 0;
            add_species(block, from, to, start, together, tile);
            if (!together) transform(block, room_.sums, channels + s * shape.size, room_.total);
        }
        if (together) transform<T>(block, room_.sums, channels, nullptr);
        if (room_.total != nullptr)
            transform<T>(block, room_.total, channels + n_species * shape.size, nullptr);
    }

  private:
    // The neighbours first .. first + n - 1 of a centre, those from begin to end of which are in
    // the tables.
    struct Tile {
        std::int64_t first;
        unsigned n, begin, end;
    };

    template <typename Block>
    MOLKERN_DEVICE void clear(Block& block, double* sums) const {
        block.for_each(of_.shape.size, [&](std::int64_t i) { sums[i] = 0; });
    }

    // The sums over neighbours from .. end - 1, of a species; `add`: on top of what is there. The
    // tile moves on as needed.
    template <typename Block>
    MOLKERN_DEVICE void add_species(Block& block, unsigned from, unsigned end, double start,
                                    bool add, Tile& tile) const {
        bool begins = true;
        do {
            if (from < end && from == tile.end) {
                tile.begin = from;
                tile.end = tile.n - from < soap_tile ? tile.n : from + soap_tile;
                tabulate(block, tile);
            }
            const unsigned to = end < tile.end ? end : tile.end;
            add_range(block, from - tile.begin, to - tile.begin, begins && !add,
                      begins ? start : 0);
            from = to;
            begins = false;
        } while (from < end);
    }

    // Harmonics and radial functions of a tile.
    template <typename Block>
    MOLKERN_DEVICE void tabulate(Block& block, const Tile& tile) const {
        const unsigned n = tile.end - tile.begin;
        const DeviceNeighbors& at = of_.neighbors;
        block.each_thread([&](unsigned k) {
            if (k >= n) return;
            const std::int64_t pair = tile.first + tile.begin + k;
            const double x = at.x[pair], y = at.y[pair], z = at.z[pair], r = at.distance[pair];
            const double r2 = x * x + y * y + z * z;
            const double of_species = of_.weight_of(static_cast<unsigned>(at.species[pair]));
            const double values[6] = {x,  y, z,
                                      r2, r, soap::weights<false>(of_.p, r2, r, of_species).value};
            for (unsigned i = 0; i < 6; ++i) room_.near[i * soap_tile + k] = values[i];
        });
        block.each_thread([&](unsigned thread) {
            for (unsigned i = thread; i < of_.shape.n_l * soap_tile; i += soap_threads)
                if (i % soap_tile < n) harmonics(i / soap_tile, i % soap_tile);
            if (of_.p.table == nullptr)
                radial<false>(thread, n);
            else
                radial<true>(thread, n);
        });
    }

    // Those of order m of neighbour k.
    MOLKERN_DEVICE void harmonics(unsigned m, unsigned k) const {
        const double* near = room_.near + k;
        const double weight = near[5 * soap_tile];
        soap::harmonics_of_order(of_.p, m, near[0], near[soap_tile], near[2 * soap_tile],
                                 near[3 * soap_tile], [&](unsigned h, double value) {
                                     room_.value[h * soap_stride + k] =
                                         value * (of_.p.norms[h] * weight);
                                 });
    }

    // A thread has one function of neighbours that are `step` apart.
    template <bool table>
    MOLKERN_DEVICE void radial(unsigned thread, unsigned n) const {
        const SoapShape& shape = of_.shape;
        const unsigned n_functions = shape.n_l * shape.n_max;
        const unsigned step = n_functions < soap_threads ? soap_threads / n_functions : 1;
        for (unsigned i = thread; i < step * n_functions; i += soap_threads) {
            const unsigned f = i % n_functions, l = f / shape.n_max, v = f % shape.n_max;
            const double exponent = of_.p.exponents[l * soap_row(shape.n_max) + v];
            double* to = room_.radial + l * shape.row + v;
            for (unsigned k = i / n_functions; k < n; k += step) {
                const double r2 = room_.near[3 * soap_tile + k];
                const double r = room_.near[4 * soap_tile + k];
                to[k * shape.n_radial] = table ? soap::radial<false, true>(of_.p, r2, r, l, v).value
                                               : soap::gaussian(exponent, r2).value;
            }
        }
    }

    // f(item) for each strip of coefficients of a channel.
    template <typename Block, typename F>
    MOLKERN_DEVICE void each_item(Block& block, const F& f) const {
        block.each_thread([&](unsigned thread) {
            for (unsigned i = thread; i < of_.n_items; i += soap_threads) f(of_.items[i]);
        });
    }

    // Of two harmonics, which share functions.
    struct Strips {
        SoapStrip<double> a, b;

        MOLKERN_DEVICE void add(double x, double y, const SoapStrip<double>& of) noexcept {
            for (unsigned j = 0; j < soap_strip; ++j) {
                a.v[j] += x * of.v[j];
                b.v[j] += y * of.v[j];
            }
        }
    };

    template <typename T>
    MOLKERN_DEVICE static SoapStrip<T>& strip(T* at) noexcept {
        return *reinterpret_cast<SoapStrip<T>*>(at);
    }
    template <typename T>
    MOLKERN_DEVICE static SoapStrip<T> strip(const T* at) noexcept {
        return *reinterpret_cast<const SoapStrip<T>*>(at);
    }

    // sums += those over the neighbours from .. to - 1 of the tables, or = if they are new; and
    // `start` times the part of the centre itself, which has l = 0 only.
    template <typename Block>
    MOLKERN_DEVICE void add_range(Block& block, unsigned from, unsigned to, bool is_new,
                                  double start) const {
        const SoapShape& shape = of_.shape;
        each_item(block, [&](SoapItem at) {
            const double* value = room_.value + at.h * soap_stride;
            const double* other = value + at.two * soap_stride;
            const double* radial = room_.radial + from * shape.n_radial + at.l * shape.row + at.v;
            Strips total{};
            for (unsigned k = from; k < to; ++k, radial += shape.n_radial)
                total.add(value[k], other[k], strip(radial));
            if (at.h == 0) total.add(start, start, strip(of_.p.own + at.v));
            double* sums = room_.sums + at.h * shape.row + at.v;
            double* next = sums + at.two * shape.row;
            if (!is_new)
                for (unsigned j = 0; j < soap_strip; ++j) {
                    total.a.v[j] += sums[j];
                    total.b.v[j] += next[j];
                }
            strip(next) = total.b;
            strip(sums) = total.a;
        });
    }

    // Coefficients of sums, which are added to `total` if there is any.
    template <typename T, typename Block>
    MOLKERN_DEVICE void transform(Block& block, const double* sums, T* to, double* total) const {
        const SoapShape& shape = of_.shape;
        const auto row = static_cast<unsigned>(soap_row(of_.p.n_max));
        each_item(block, [&](SoapItem at) {
            const double* matrix = of_.p.transform + at.l * row * row + at.v;
            const double* from = sums + at.h * shape.row;
            const double* other = from + at.two * shape.row;
            Strips c{};
            for (unsigned k = 0; k < shape.n_max; ++k, matrix += row)
                c.add(from[k], other[k], strip(matrix));
            const unsigned place = at.h * shape.row + at.v, next = place + at.two * shape.row;
            strip(to + next) = rounded<T>(c.b);
            strip(to + place) = rounded<T>(c.a);
            if (total == nullptr) return;
            for (unsigned j = 0; j < soap_strip; ++j) {
                total[place + j] += from[at.v + j];
                if (at.two) total[next + j] += other[at.v + j];
            }
        });
    }

    template <typename T>
    MOLKERN_DEVICE static SoapStrip<T> rounded(const SoapStrip<double>& of) noexcept {
        SoapStrip<T> to;
        for (unsigned j = 0; j < soap_strip; ++j) to.v[j] = static_cast<T>(of.v[j]);
        return to;
    }

    const SoapCenters& of_;
    const SoapRoom& room_;
};

}  // namespace molkern::cuda
