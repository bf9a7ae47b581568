// Gradients of the SOAP power spectrum (Bartók, Kondor, Csányi 2013,
// doi:10.1103/PhysRevB.87.184115) with respect to neighbours; see soap.cu for values.
//
// Coefficients of a piece of the centres are made first, then the gradient with respect to the sums
// over neighbours, and from it those of the neighbours. With f the radial functions and S the solid
// harmonics of a neighbour times its weight, the one with respect to the sums g gives for each
// harmonic A = sum_n f_n g_n and B = sum_n f'_n g_n, which are multiplied by the gradient of S and
// by S: 2 n_max multiply-adds, not 5.
//
// Floor for a centre with n neighbours of s species: the cotangent is read once; s^2 n_max^2
// (l_max + 1)^2 multiply-adds for coefficients, s n_max^2 (l_max + 1)^2 for radial functions and
// 2 n n_max (l_max + 1)^2 for neighbours. Coefficients and g are written and read once. Counted for
// sm_90, not yet measured, for the centre of soap.cu: 16 000 instructions of warps for the gradient
// with respect to coefficients, 2300 to that of sums, 13 000 for neighbours.

#include <algorithm>

#include "core/triangle.hpp"
#include "cuda/soap_gradients.hpp"
#include "cuda/soap_sets.hpp"

namespace molkern::cuda {
namespace {

// Neighbours at a time and, as soap_stride, rows of their harmonics.
constexpr unsigned tile = 8;
constexpr unsigned stride = tile + 1;

// rows [n, n_features] = cotangents before the normalisation of the features of the centres from
// `first` on, or with first < 0 of complete sets.
template <typename Real>
struct ProjectedCotangents {
    static constexpr unsigned n_threads = soap_threads;

    SoapCenters of;
    std::int64_t first;
    const double* sets;
    Cotangent<Real> cotangent;
    double* rows;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t c = first < 0 ? first : first + block.index();
        const double* set = sets + block.index() * of.shape.set_size();
        const Real* from = cotangent.of(c < 0 ? block.index() : c);
        const std::uint8_t* there = soap_channels(block, of, c);
        const SoapProducts products(of);
        const double inverse = soap_inverse_norm(block, products, set, there);
        const auto in = [&](std::int64_t, unsigned channel) { return there[channel] != 0; };
        const SoapAllPairs pairs{products.shape.n_pairs};
        const double along = inverse * block.sum(products.size(), [&](std::int64_t i) {
            double total = 0;
            products.each(i, pairs, set, 1, in, [&](unsigned f, double value) {
                total += value * static_cast<double>(from[f]);
            });
            return total;
        });
        double* to = rows + block.index() * static_cast<std::int64_t>(of.p.n_features);
        block.for_each(products.size(), [&](std::int64_t i) {
            products.each(i, pairs, set, 1, in, [&](unsigned f, double value) {
                to[f] = inverse * (static_cast<double>(from[f]) - along * inverse * value);
            });
        });
    }
};

// gradient [n, n_summed, size] with respect to the sums over neighbours; first as above.
template <typename Real>
struct GradientsOfSums {
    static constexpr unsigned n_threads = soap_threads;

    SoapCenters of;
    std::int64_t first;
    const double* sets;
    Cotangent<Real> cotangent;
    bool by_block;  // rows of the cotangent belong to blocks, not to centres
    double* gradient;

    // With respect to coefficients v, v + 1, ... of a harmonic of a channel; what lies behind the
    // last one repeats it.
    MOLKERN_DEVICE SoapStrip<double> of_coefficients(const SoapProducts& products,
                                                     const double* set, const Real* row,
                                                     const std::uint8_t* there, unsigned channel,
                                                     unsigned h, unsigned v) const {
        const unsigned n_max = of.shape.n_max, l = degree_of(h);
        SoapStrip<double> total{};
        for (unsigned i = 0; i < products.shape.n_pairs; ++i) {
            const SoapPlace place = products.places[i];
            if (place.a != channel && place.b != channel) continue;
            const unsigned other = place.a == channel ? place.b : place.a;
            if (there[other] == 0) continue;
            const double* c = set + other * of.shape.size + h * of.shape.row;
            const Real* from = row + place.begin + l * products.block_of(place);
            if (other == channel) {
                add_same(c, from, v, total);
                continue;
            }
            // From one of the other channel to the next, and from one of this channel.
            const unsigned step = place.a == channel ? 1 : n_max, apart = n_max + 1 - step;
            for (unsigned k = 0; k < n_max; ++k, from += step)
                for (unsigned j = 0; j < soap_strip; ++j)
                    total.v[j] += static_cast<double>(from[within(v + j) * apart]) * c[k];
        }
        return total;
    }

    MOLKERN_DEVICE unsigned within(unsigned n) const noexcept {
        return n < of.shape.n_max ? n : of.shape.n_max - 1;
    }

    // Products of a channel with itself, n <= n' alone.
    MOLKERN_DEVICE void add_same(const double* c, const Real* from, unsigned v,
                                 SoapStrip<double>& total) const {
        const unsigned n_max = of.shape.n_max;
        const auto begin = [&](unsigned n) { return n * (2 * n_max - n - 1) / 2; };
        for (unsigned k = 0; k < n_max; ++k)
            for (unsigned j = 0; j < soap_strip; ++j) {
                const unsigned n = within(v + j);
                const auto g = static_cast<double>(from[n < k ? begin(n) + k : begin(k) + n]);
                total.v[j] += (n == k ? 2 * g : g) * c[k];
            }
    }

    // f(harmonic, v, where its strip is) for all strips of a channel.
    template <typename Block, typename F>
    MOLKERN_DEVICE void each_strip(Block& block, const F& f) const {
        block.each_thread([&](unsigned thread) {
            const unsigned n_strips = of.shape.n_strips;
            for (unsigned i = thread; i < of.shape.n_harmonics * n_strips; i += n_threads)
                f(i / n_strips, i % n_strips * soap_strip, i * soap_strip);
        });
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t c = first < 0 ? first : first + block.index();
        const double* set = sets + block.index() * of.shape.set_size();
        const Real* row = cotangent.of(by_block || c < 0 ? block.index() : c);
        const unsigned size = of.shape.size;
        const auto n_summed = static_cast<unsigned>(soap::n_summed(of.p));
        const bool with_total = of.p.compression == SoapCompression::mu1nu1;
        const std::uint8_t* there = soap_channels(block, of, c);
        auto* room = block.template shared<double>(size);
        auto* total = block.template shared<double>(with_total ? size : 0);
        const SoapProducts products(of);
        const auto pull = [&](unsigned channel, double* to) {
            each_strip(block, [&](unsigned h, unsigned v, unsigned i) {
                soap_strip_at(to + i) = of_coefficients(products, set, row, there, channel, h, v);
            });
        };
        if (with_total) pull(n_summed, total);
        for (unsigned s = 0; s < n_summed; ++s) {
            if (there[s] == 0) continue;
            pull(s, room);
            if (with_total) block.for_each(size, [&](std::int64_t i) { room[i] += total[i]; });
            double* to =
                gradient + (block.index() * n_summed + s) * static_cast<std::int64_t>(size);
            each_strip(block, [&](unsigned h, unsigned v, unsigned i) {
                soap_strip_at(to + i) = of_sums(room + h * of.shape.row, degree_of(h), v);
            });
        }
    }

    // With respect to the sums of primitive functions v, v + 1, ..., from those with respect to
    // coefficients.
    MOLKERN_DEVICE SoapStrip<double> of_sums(const double* room, unsigned l, unsigned v) const {
        const auto row = static_cast<unsigned>(soap_row(of.p.n_max));
        const double* matrix = of.p.transposed + l * row * row + v;
        SoapStrip<double> total{};
        for (unsigned n = 0; n < of.shape.n_max; ++n, matrix += row) {
            const SoapStrip<double> of_n = soap_strip_at(matrix);
            for (unsigned j = 0; j < soap_strip; ++j) total.v[j] += room[n] * of_n.v[j];
        }
        return total;
    }

    std::size_t shared_bytes() const {
        const std::size_t rooms = of.p.compression == SoapCompression::mu1nu1 ? 2 : 1;
        return soap_channels_bytes(of.p) + rooms * (8 * of.shape.size + 16);
    }
};

// Gradients with respect to the neighbours of the centres from `first` on. That with respect to
// sums is of centres, or with `scale` [n_structures], a factor, of structures from `structure` on.
struct GradientsOfNeighbors {
    static constexpr unsigned n_threads = soap_threads;

    SoapCenters of;
    std::int64_t first;
    const double* of_sums;
    const double* scale;
    std::int64_t structure;
    double *gx, *gy, *gz;  // [n_pairs]

    // Tables of a tile.
    struct Room {
        double* near;                   // [6, tile]: x, y, z, r^2, weight and its slope
        double* value;                  // [n_harmonics, stride], then what goes along the vector
        double *dx, *dy, *dz;           // [n_harmonics, stride], with the weight
        double *radial, *radial_slope;  // [tile, n_radial]
    };

    std::size_t shared_bytes() const {
        return 8 * (6 * tile + 4 * of.shape.n_harmonics * stride + 2 * tile * of.shape.n_radial) +
               7 * 16;
    }

    template <typename Block>
    MOLKERN_DEVICE Room room_in(Block& block) const {
        const std::size_t n = of.shape.n_harmonics * stride;
        const std::size_t m = tile * of.shape.n_radial;
        return {block.template shared<double>(6 * tile), block.template shared<double>(n),
                block.template shared<double>(n),        block.template shared<double>(n),
                block.template shared<double>(n),        block.template shared<double>(m),
                block.template shared<double>(m)};
    }

    MOLKERN_DEVICE void read(const Room& room, std::int64_t pair, unsigned k) const {
        const DeviceNeighbors& at = of.neighbors;
        const double of_species = of.weight_of(static_cast<unsigned>(at.species[pair]));
        const double x = at.x[pair], y = at.y[pair], z = at.z[pair];
        const double r2 = x * x + y * y + z * z;
        const CutoffValue weight = soap::weights<true>(of.p, r2, at.distance[pair], of_species);
        const double values[6] = {x, y, z, r2, weight.value, weight.slope};
        for (unsigned i = 0; i < 6; ++i) room.near[i * tile + k] = values[i];
    }

    // Harmonics of order m.
    MOLKERN_DEVICE void harmonics(const Room& room, unsigned m, unsigned k) const {
        const double* near = room.near + k;
        soap::harmonics_of_order(
            of.p, m, near[0], near[tile], near[2 * tile], near[3 * tile],
            [&](unsigned h, double value) { room.value[h * stride + k] = value; });
    }

    MOLKERN_DEVICE void radial(const Room& room, std::int64_t begin, unsigned thread,
                               unsigned n) const {
        soap_radial_items(of.shape, thread, [&](unsigned l, unsigned v, unsigned k, unsigned step) {
            for (; k < n; k += step) {
                const double r2 = room.near[3 * tile + k], r = of.neighbors.distance[begin + k];
                const soap::Radial f = of.p.table == nullptr
                                           ? soap::radial<true, false>(of.p, r2, r, l, v)
                                           : soap::radial<true, true>(of.p, r2, r, l, v);
                const unsigned place = k * of.shape.n_radial + l * of.shape.row + v;
                room.radial[place] = f.value;
                room.radial_slope[place] = f.slope;
            }
        });
    }

    // Those of degree l and order m, entry `lm` of a triangle.
    MOLKERN_DEVICE void gradient(const Room& room, unsigned lm, unsigned k) const {
        double* const d[3] = {room.dx, room.dy, room.dz};
        if (lm == 0) {
            for (unsigned c = 0; c < 3; ++c) d[c][k] = 0;
            return;
        }
        const auto place = triangle_place_of<std::int32_t, float>(static_cast<std::int32_t>(lm));
        const soap::HarmonicGradients<stride> of_degree(of.p, room.value + k,
                                                        static_cast<std::size_t>(place.row),
                                                        room.near[4 * tile + k], d, k);
        const auto m = static_cast<std::size_t>(place.column);
        m == 0 ? of_degree.order_zero() : of_degree.order(m);
    }

    // The terms of a harmonic of a neighbour, in place of its tables.
    MOLKERN_DEVICE void multiply(const Room& room, const double* g, unsigned h, unsigned k) const {
        const unsigned at = k * of.shape.n_radial + degree_of(h) * of.shape.row;
        const double *f = room.radial + at, *slope = room.radial_slope + at;
        double a = 0, b = 0;
        for (unsigned n = 0; n < of.shape.n_max; ++n) {
            a += f[n] * g[n];
            b += slope[n] * g[n];
        }
        const unsigned i = h * stride + k;
        const double value = of.p.norms[h] * room.value[i];
        room.value[i] = value * (a * room.near[5 * tile + k] + b * room.near[4 * tile + k]);
        room.dx[i] *= a;
        room.dy[i] *= a;
        room.dz[i] *= a;
    }

    // Sums over harmonics.
    MOLKERN_DEVICE void add_up(const Room& room, std::int64_t pair, unsigned k, unsigned axis,
                               double factor) const {
        const double* d = axis == 0 ? room.dx : axis == 1 ? room.dy : room.dz;
        double along = 0, total = 0;
        for (unsigned h = 0; h < of.shape.n_harmonics; ++h) {
            along += room.value[h * stride + k];
            total += d[h * stride + k];
        }
        (axis == 0   ? gx
         : axis == 1 ? gy
                     : gz)[pair] = factor * (2 * along * room.near[axis * tile + k] + total);
    }

    // f(item, neighbour) for n_items items of each of n neighbours of a tile.
    template <typename Block, typename F>
    MOLKERN_DEVICE static void each_of(Block& block, unsigned n_items, unsigned n, const F& f) {
        block.each_thread([&](unsigned thread) {
            for (unsigned i = thread; i < n_items * tile; i += n_threads)
                if (i % tile < n) f(i / tile, i % tile);
        });
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t c = first + block.index();
        const std::int64_t m = of.neighbors.structure[c];
        const double factor = scale == nullptr ? 1 : scale[m - structure];
        const std::int64_t row = scale == nullptr ? block.index() : m - structure;
        const Room room = room_in(block);
        const SoapShape& shape = of.shape;
        const double* gradients =
            of_sums + row * static_cast<std::int64_t>(soap::n_summed(of.p) * shape.size);
        const std::int64_t end = of.neighbors.first[c + 1];
        for (std::int64_t begin = of.neighbors.first[c]; begin < end; begin += tile) {
            const auto n = static_cast<unsigned>(end - begin < tile ? end - begin : tile);
            each_of(block, 1, n, [&](unsigned, unsigned k) { read(room, begin + k, k); });
            block.each_thread([&](unsigned thread) { radial(room, begin, thread, n); });
            each_of(block, shape.n_l, n, [&](unsigned i, unsigned k) { harmonics(room, i, k); });
            each_of(block, shape.n_l * (shape.n_l + 1) / 2, n,
                    [&](unsigned i, unsigned k) { gradient(room, i, k); });
            each_of(block, shape.n_harmonics, n, [&](unsigned h, unsigned k) {
                const auto s = static_cast<std::size_t>(of.neighbors.species[begin + k]);
                multiply(room, gradients + soap::channel_of(of.p, s) * shape.size + h * shape.row,
                         h, k);
            });
            each_of(block, 3, n,
                    [&](unsigned axis, unsigned k) { add_up(room, begin + k, k, axis, factor); });
        }
    }
};

// of_sums [n, n_summed, size] of n sets, of centres from `first` on or of structures.
template <typename Real>
void pull_back(const SoapCenters& of, std::int64_t first, std::int64_t n, const double* sets,
               const Cotangent<Real>& cotangent, double* of_sums, Stream stream) {
    if (!of.p.normalize) {
        const GradientsOfSums<Real> kernel{of, first, sets, cotangent, false, of_sums};
        launch_of_any_size(kernel, n, kernel.shared_bytes(), stream);
        return;
    }
    const auto n_features = static_cast<std::int64_t>(of.p.n_features);
    const Buffer<double> rows(n * n_features, stream);
    launch(ProjectedCotangents<Real>{of, first, sets, cotangent, rows.data()}, n,
           soap_channels_bytes(of.p), stream);
    const GradientsOfSums<double> kernel{of,   first,  sets, {rows.data(), n_features, nullptr},
                                         true, of_sums};
    launch_of_any_size(kernel, n, kernel.shared_bytes(), stream);
}

}  // namespace

template <typename Real>
void soap_vjp(const SoapCenters& of, const Cotangent<Real>& cotangent, double* gx, double* gy,
              double* gz, Stream stream) {
    const std::int64_t set = of.shape.set_size();
    const auto row = static_cast<std::int64_t>(of.p.normalize ? of.p.n_features : 0);
    const auto piece = static_cast<std::int64_t>(soap_piece_bytes) / 8;
    const std::int64_t most = std::max<std::int64_t>(piece / (2 * set + row), 1);
    const std::int64_t n_centers = of.neighbors.n_centers;
    for (std::int64_t first = 0; first < n_centers; first += most) {
        const std::int64_t n = std::min(most, n_centers - first);
        const Buffer<double> sets(n * set, stream);
        const Buffer<double> of_sums(n * set, stream);
        soap_sets(of, first, n, false, sets.data(), stream);
        pull_back(of, first, n, sets.data(), cotangent, of_sums.data(), stream);
        const GradientsOfNeighbors kernel{of, first, of_sums.data(), nullptr, 0, gx, gy, gz};
        launch_of_any_size(kernel, n, kernel.shared_bytes(), stream);
    }
}

void soap_inner_vjp(const SoapCenters& of, const std::vector<std::int64_t>& centers,
                    const double* cotangent, double* gx, double* gy, double* gz, Stream stream) {
    const std::int64_t set = of.shape.set_size();
    const auto n_features = static_cast<std::int64_t>(of.p.n_features);
    const auto bytes = static_cast<std::size_t>(8 * set);
    for (std::int64_t from = 0; from + 1 < static_cast<std::int64_t>(centers.size());) {
        const SoapPiece piece(centers, from, Average::inner, bytes, 2 * bytes);
        const std::int64_t first = centers[static_cast<std::size_t>(from)];
        const std::int64_t n = centers[static_cast<std::size_t>(piece.last)] - first;
        const Buffer<double> means = soap_mean_sets(of, piece, first, n, stream);
        const Buffer<double> of_sums(piece.size() * set, stream);
        const Cotangent<double> rows{cotangent + from * n_features, n_features, nullptr};
        pull_back(of, -1, piece.size(), means.data(), rows, of_sums.data(), stream);
        const auto scale = uploaded(piece.scale.data(), piece.size(), stream);
        const GradientsOfNeighbors kernel{of, first, of_sums.data(), scale.data(), from, gx,
                                          gy, gz};
        launch_of_any_size(kernel, n, kernel.shared_bytes(), stream);
        from = piece.last;
    }
}

template void soap_vjp<float>(const SoapCenters&, const Cotangent<float>&, double*, double*,
                              double*, Stream);
template void soap_vjp<double>(const SoapCenters&, const Cotangent<double>&, double*, double*,
                               double*, Stream);

}  // namespace molkern::cuda
