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
constexpr std::size_t soap_stride = soap_tile + 1;
/// Radial functions that a thread works on at a time. Rows may be read, not written, behind their
/// end.
constexpr unsigned soap_strip = 4;
constexpr unsigned soap_threads = 128;

/// Channels whose products are features, and the column of the first.
struct SoapPlace {
    unsigned a, b;
    std::int64_t begin;
};

/// Sizes in which blocks count; what belongs to one block fits into 32 bits.
struct SoapShape {
    unsigned n_max, n_l, n_harmonics, n_radial, n_channels, n_strips;
    unsigned size;  // coefficients of a channel, [n_harmonics, n_max]

    /// Coefficients of all channels.
    MOLKERN_HOST_DEVICE std::int64_t set_size() const noexcept {
        return static_cast<std::int64_t>(n_channels) * size;
    }
};

inline SoapShape soap_shape(const SoapParameters& p) {
    const auto n_max = static_cast<unsigned>(p.n_max), n_l = static_cast<unsigned>(p.l_max + 1);
    const auto n_channels = static_cast<unsigned>(soap::n_channels(p));
    return {n_max,
            n_l,
            n_l * n_l,
            n_l * n_max,
            n_channels,
            (n_max + soap_strip - 1) / soap_strip,
            n_l * n_l * n_max};
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
        std::int64_t begin = 0;
        for (std::size_t i = 0; i < of.n_pairs; ++i) {
            const SoapPair pair = of.pairs[i];
            places.push_back({static_cast<unsigned>(pair.a), static_cast<unsigned>(pair.b), begin});
            begin += static_cast<std::int64_t>((of.l_max + 1) * soap_block(of.n_max, pair));
        }
        places_ = uploaded(places.data(), static_cast<std::int64_t>(places.size()), stream, true);
        view_.pairs = nullptr;
    }

    SoapCenters centers(const DeviceNeighbors& neighbors) const {
        return {view_, soap_shape(view_), places_.data(), neighbors};
    }

  private:
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
};

/// Room of a block that makes coefficients, for `soap_tile` neighbours.
///
/// value    [n_harmonics, soap_stride]   harmonics times weights
/// radial   [soap_tile, n_radial]
/// sums     [size]                       over neighbours of one species
/// total    [size]                       and of all; null unless mu1nu1
struct SoapRoom {
    double *value, *radial, *sums, *total;

    template <typename Block>
    MOLKERN_DEVICE SoapRoom(Block& block, const SoapCenters& of)
        : value(block.template shared<double>(of.shape.n_harmonics * soap_stride)),
          radial(block.template shared<double>(soap_tile * of.shape.n_radial + soap_strip)),
          sums(block.template shared<double>(of.shape.size)),
          total(of.p.compression == SoapCompression::mu1nu1
                    ? block.template shared<double>(of.shape.size)
                    : nullptr) {}
};

/// Bytes of a SoapRoom.
inline std::size_t soap_room_bytes(const SoapParameters& p) {
    const SoapShape shape = soap_shape(p);
    const std::size_t sums = p.compression == SoapCompression::mu1nu1 ? 2 : 1;
    return 8 * (shape.n_harmonics * soap_stride + soap_tile * shape.n_radial + soap_strip +
                sums * shape.size) +
           4 * 16;
}

/// Coefficients of a centre, by a block.
class SoapCoefficients {
  public:
    MOLKERN_DEVICE SoapCoefficients(const SoapCenters& of, const SoapRoom& room)
        : of_(of), room_(room) {}

    /// to [n_channels, size] = those of centre c, of channels with a species that is there.
    template <typename T, typename Block>
    MOLKERN_DEVICE void make(Block& block, std::int64_t c, T* to) const {
        const SoapShape& shape = of_.shape;
        const auto n_species = static_cast<unsigned>(of_.p.n_species);
        const bool together = of_.p.compression == SoapCompression::mu2;
        if (together) clear(block, room_.sums);
        if (room_.total != nullptr) clear(block, room_.total);
        Tile tile{of_.begin(c, 0), of_.begin(c, 0)};
        for (unsigned s = 0; s < n_species; ++s) {
            const bool own = of_.neighbors.kind[c] == static_cast<std::int32_t>(s);
            if (!own && of_.begin(c, s) == of_.begin(c, s + 1)) continue;
            add_species(block, c, s, own, together, tile);
            if (!together) transform(block, room_.sums, to + s * shape.size, room_.total);
        }
        if (together) transform<T>(block, room_.sums, to, nullptr);
        if (room_.total != nullptr)
            transform<T>(block, room_.total, to + n_species * shape.size, nullptr);
    }

  private:
    // Neighbours whose functions are in the tables.
    struct Tile {
        std::int64_t begin, end;
    };

    template <typename Block>
    MOLKERN_DEVICE void clear(Block& block, double* sums) const {
        block.for_each(of_.shape.size, [&](std::int64_t i) { sums[i] = 0; });
    }

    // The sums of a species; `add`: on top of what is there. The tile moves on as needed.
    template <typename Block>
    MOLKERN_DEVICE void add_species(Block& block, std::int64_t c, unsigned s, bool own, bool add,
                                    Tile& tile) const {
        const std::int64_t end = of_.begin(c, s + 1);
        std::int64_t from = of_.begin(c, s);
        const double start = own ? of_.weight_of(s) * of_.p.norms[0] : 0;
        bool begins = true;
        do {
            if (from < end && from == tile.end) {
                const std::int64_t last = of_.begin(c, of_.neighbors.n_species);
                tile = {from, last - from < soap_tile ? last : from + soap_tile};
                tabulate(block, tile);
            }
            const std::int64_t to = end < tile.end ? end : tile.end;
            add_range(block, static_cast<unsigned>(from - tile.begin),
                      static_cast<unsigned>(to - tile.begin), begins && !add, begins ? start : 0);
            from = to;
            begins = false;
        } while (from < end);
    }

    // Harmonics, which have a warp of their own, and radial functions.
    template <typename Block>
    MOLKERN_DEVICE void tabulate(Block& block, const Tile& tile) const {
        constexpr unsigned warp = 32;
        const unsigned n_radial = of_.shape.n_radial;
        const auto n = static_cast<unsigned>(tile.end - tile.begin);
        block.for_each(warp + n * n_radial, [&](std::int64_t item) {
            const auto i = static_cast<unsigned>(item);
            if (i < n)
                harmonics(tile.begin + i, i);
            else if (i >= warp)
                radial((i - warp) / n_radial, (i - warp) % n_radial, tile.begin);
        });
    }

    MOLKERN_DEVICE void harmonics(std::int64_t pair, unsigned k) const {
        const DeviceNeighbors& at = of_.neighbors;
        const double x = at.x[pair], y = at.y[pair], z = at.z[pair];
        const double r2 = x * x + y * y + z * z;
        soap::raw_harmonics<soap_stride>(of_.p, x, y, z, r2, room_.value + k);
        const double of_species = of_.weight_of(static_cast<unsigned>(at.species[pair]));
        const double weight = soap::weights<false>(of_.p, r2, at.distance[pair], of_species).value;
        for (unsigned h = 0; h < of_.shape.n_harmonics; ++h)
            room_.value[h * soap_stride + k] *= of_.p.norms[h] * weight;
    }

    MOLKERN_DEVICE void radial(unsigned k, unsigned i, std::int64_t first) const {
        const DeviceNeighbors& at = of_.neighbors;
        const std::int64_t pair = first + k;
        const double x = at.x[pair], y = at.y[pair], z = at.z[pair], r = at.distance[pair];
        const double r2 = x * x + y * y + z * z;
        const unsigned l = i / of_.shape.n_max, n = i % of_.shape.n_max;
        room_.radial[k * of_.shape.n_radial + i] =
            of_.p.table == nullptr ? soap::radial<false, false>(of_.p, r2, r, l, n).value
                                   : soap::radial<false, true>(of_.p, r2, r, l, n).value;
    }

    // sums += those over the neighbours from .. to - 1 of the tables, or = if they are new; and
    // `start` times the part of the centre itself, which has l = 0 only.
    template <typename Block>
    MOLKERN_DEVICE void add_range(Block& block, unsigned from, unsigned to, bool is_new,
                                  double start) const {
        const SoapShape& shape = of_.shape;
        block.for_each(shape.n_harmonics * shape.n_strips, [&](std::int64_t item) {
            const unsigned h = static_cast<unsigned>(item) / shape.n_strips;
            const unsigned v = static_cast<unsigned>(item) % shape.n_strips * soap_strip;
            const double* value = room_.value + h * soap_stride;
            const double* radials = room_.radial + degree_of(h) * shape.n_max + v;
            double total[soap_strip] = {};
            for (unsigned k = from; k < to; ++k)
                for (unsigned j = 0; j < soap_strip; ++j)
                    total[j] += value[k] * radials[k * shape.n_radial + j];
            double* sums = room_.sums + h * shape.n_max + v;
            for (unsigned j = 0; j < soap_strip && v + j < shape.n_max; ++j) {
                if (h == 0) total[j] += start * of_.p.own[v + j];
                sums[j] = is_new ? total[j] : sums[j] + total[j];
            }
        });
    }

    // Coefficients of sums, which are added to `total` if there is any.
    template <typename T, typename Block>
    MOLKERN_DEVICE void transform(Block& block, const double* sums, T* to, double* total) const {
        const SoapShape& shape = of_.shape;
        const auto row = static_cast<unsigned>(soap_row(of_.p.n_max));
        block.for_each(shape.n_harmonics * shape.n_strips, [&](std::int64_t item) {
            const unsigned h = static_cast<unsigned>(item) / shape.n_strips;
            const unsigned v = static_cast<unsigned>(item) % shape.n_strips * soap_strip;
            const double* matrix = of_.p.transform + degree_of(h) * row * row + v;
            const double* from = sums + h * shape.n_max;
            double c[soap_strip] = {};
            for (unsigned k = 0; k < shape.n_max; ++k)
                for (unsigned j = 0; j < soap_strip; ++j) c[j] += from[k] * matrix[k * row + j];
            for (unsigned j = 0; j < soap_strip && v + j < shape.n_max; ++j) {
                to[h * shape.n_max + v + j] = static_cast<T>(c[j]);
                if (total != nullptr) total[h * shape.n_max + v + j] += from[v + j];
            }
        });
    }

    const SoapCenters& of_;
    const SoapRoom& room_;
};

}  // namespace molkern::cuda
