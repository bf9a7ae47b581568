// SOAP on a device: coefficients, made by a block for each centre, species by species; sums over
// neighbours, radial functions and harmonics lie in shared memory.
#pragma once

#include "cuda/soap_tables.hpp"

namespace molkern::cuda {

/// Calls f(l, v, first, step) for the radial functions of a thread, one of the neighbours first,
/// first + step, ....
template <typename F>
MOLKERN_DEVICE void soap_radial_items(const SoapShape& shape, unsigned thread, const F& f) {
    const unsigned n_functions = shape.n_l * shape.n_max;
    const unsigned step = n_functions < soap_threads ? soap_threads / n_functions : 1;
    for (unsigned i = thread; i < step * n_functions; i += soap_threads) {
        const unsigned function = i % n_functions;
        f(function / shape.n_max, function % shape.n_max, i / n_functions, step);
    }
}

template <typename T>
MOLKERN_DEVICE inline SoapStrip<T>& soap_strip_at(T* at) noexcept {
    return *reinterpret_cast<SoapStrip<T>*>(at);
}
template <typename T>
MOLKERN_DEVICE inline SoapStrip<T> soap_strip_at(const T* at) noexcept {
    return *reinterpret_cast<const SoapStrip<T>*>(at);
}

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
        soap_radial_items(shape, thread, [&](unsigned l, unsigned v, unsigned k, unsigned step) {
            const double exponent = of_.p.exponents[l * soap_row(shape.n_max) + v];
            double* to = room_.radial + l * shape.row + v;
            for (; k < n; k += step) {
                const double r2 = room_.near[3 * soap_tile + k];
                const double r = room_.near[4 * soap_tile + k];
                to[k * shape.n_radial] = table ? soap::radial<false, true>(of_.p, r2, r, l, v).value
                                               : soap::gaussian(exponent, r2).value;
            }
        });
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
                total.add(value[k], other[k], soap_strip_at(radial));
            if (at.h == 0) total.add(start, start, soap_strip_at(of_.p.own + at.v));
            double* sums = room_.sums + at.h * shape.row + at.v;
            double* next = sums + at.two * shape.row;
            if (!is_new)
                for (unsigned j = 0; j < soap_strip; ++j) {
                    total.a.v[j] += sums[j];
                    total.b.v[j] += next[j];
                }
            soap_strip_at(next) = total.b;
            soap_strip_at(sums) = total.a;
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
                c.add(from[k], other[k], soap_strip_at(matrix));
            const unsigned place = at.h * shape.row + at.v, next = place + at.two * shape.row;
            soap_strip_at(to + next) = rounded<T>(c.b);
            soap_strip_at(to + place) = rounded<T>(c.a);
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
