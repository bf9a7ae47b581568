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
// 2 n n_max (l_max + 1)^2 for neighbours. Coefficients and g are written and read once.

#include <algorithm>

#include "cuda/soap_gradients.hpp"
#include "cuda/soap_sets.hpp"

namespace molkern::cuda {
namespace {

// Neighbours at a time and, as soap_stride, rows of their harmonics.
constexpr unsigned tile = 8;
constexpr std::size_t stride = tile + 1;

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
        const double along = inverse * block.sum(products.size(), [&](std::int64_t i) {
            double total = 0;
            products.each(i, set, 1, in, [&](unsigned f, double value) {
                total += value * static_cast<double>(from[f]);
            });
            return total;
        });
        double* to = rows + block.index() * static_cast<std::int64_t>(of.p.n_features);
        block.for_each(products.size(), [&](std::int64_t i) {
            products.each(i, set, 1, in, [&](unsigned f, double value) {
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

    // With respect to the coefficient n of a harmonic of a channel.
    MOLKERN_DEVICE double of_coefficient(const SoapProducts& products, const double* set,
                                         const Real* row, const std::uint8_t* there,
                                         unsigned channel, unsigned h, unsigned n) const {
        const unsigned n_max = of.shape.n_max, l = degree_of(h);
        double total = 0;
        for (unsigned i = 0; i < products.n_pairs; ++i) {
            const SoapPlace place = products.places[i];
            if (place.a != channel && place.b != channel) continue;
            const unsigned other = place.a == channel ? place.b : place.a;
            if (there[other] == 0) continue;
            const double* c = set + other * of.shape.size + h * of.shape.row;
            if (other == channel) {
                for (unsigned k = 0; k < n_max; ++k) {
                    const unsigned f = products.place_of(place, l, n < k ? n : k, n < k ? k : n);
                    total += (n == k ? 2 : 1) * static_cast<double>(row[f]) * c[k];
                }
            } else {
                const bool by_a = place.a == channel;
                const Real* from = row + products.place_of(place, l, by_a ? n : 0, by_a ? 0 : n);
                const unsigned step = by_a ? 1 : n_max;
                for (unsigned k = 0; k < n_max; ++k)
                    total += static_cast<double>(from[k * step]) * c[k];
            }
        }
        return total;
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t c = first < 0 ? first : first + block.index();
        const double* set = sets + block.index() * of.shape.set_size();
        const Real* row = cotangent.of(by_block || c < 0 ? block.index() : c);
        const unsigned size = of.shape.size, columns = of.shape.row;
        const auto n_summed = static_cast<unsigned>(soap::n_summed(of.p));
        const bool with_total = of.p.compression == SoapCompression::mu1nu1;
        const std::uint8_t* there = soap_channels(block, of, c);
        auto* room = block.template shared<double>(size);
        auto* total = block.template shared<double>(with_total ? size : 0);
        const SoapProducts products(of);
        const auto pulled = [&](std::int64_t i, unsigned channel) {
            const unsigned h = static_cast<unsigned>(i) / columns,
                           n = static_cast<unsigned>(i) % columns;
            if (n >= of.shape.n_max) return 0.0;
            return of_coefficient(products, set, row, there, channel, h, n);
        };
        if (with_total)
            block.for_each(size, [&](std::int64_t i) { total[i] = pulled(i, n_summed); });
        for (unsigned s = 0; s < n_summed; ++s) {
            if (there[s] == 0) continue;
            block.for_each(size, [&](std::int64_t i) {
                room[i] = pulled(i, s) + (with_total ? total[i] : 0);
            });
            double* to =
                gradient + (block.index() * n_summed + s) * static_cast<std::int64_t>(size);
            block.for_each(size, [&](std::int64_t i) { to[i] = of_sum(room, i); });
        }
    }

    // With respect to the sum of a primitive function, from those with respect to coefficients.
    MOLKERN_DEVICE double of_sum(const double* room, std::int64_t i) const {
        const unsigned columns = of.shape.row, h = static_cast<unsigned>(i) / columns;
        const auto row = static_cast<unsigned>(soap_row(of.p.n_max));
        const double* matrix =
            of.p.transposed + degree_of(h) * row * row + static_cast<unsigned>(i) % columns;
        double total = 0;
        for (unsigned n = 0; n < of.shape.n_max; ++n)
            total += room[h * columns + n] * matrix[n * row];
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

    // Tables of a tile, as the host's `Harmonics`.
    struct Room {
        double *value, *slope;          // [n_harmonics, stride]
        double *dx, *dy, *dz;           // [n_harmonics, stride]
        double *radial, *radial_slope;  // [tile, n_radial]
    };

    std::size_t shared_bytes() const {
        return 8 * (5 * of.shape.n_harmonics * stride + 2 * tile * of.shape.n_radial) + 7 * 16;
    }

    template <typename Block>
    MOLKERN_DEVICE Room room_in(Block& block) const {
        const std::size_t n = of.shape.n_harmonics * stride;
        const std::size_t m = tile * of.shape.n_radial;
        return {block.template shared<double>(n), block.template shared<double>(n),
                block.template shared<double>(n), block.template shared<double>(n),
                block.template shared<double>(n), block.template shared<double>(m),
                block.template shared<double>(m)};
    }

    MOLKERN_DEVICE void harmonics(const Room& room, std::int64_t pair, unsigned k) const {
        const DeviceNeighbors& at = of.neighbors;
        const double of_species = of.weight_of(static_cast<unsigned>(at.species[pair]));
        const double x = at.x[pair], y = at.y[pair], z = at.z[pair];
        const double r2 = x * x + y * y + z * z;
        const CutoffValue weight = soap::weights<true>(of.p, r2, at.distance[pair], of_species);
        soap::raw_harmonics<stride>(of.p, x, y, z, r2, room.value + k);
        double* const d[3] = {room.dx, room.dy, room.dz};
        soap::gradients<stride>(of.p, room.value + k, weight.value, d, k);
        for (unsigned h = 0; h < of.shape.n_harmonics; ++h) {
            const double value = of.p.norms[h] * room.value[h * stride + k];
            room.slope[h * stride + k] = weight.slope * value;
            room.value[h * stride + k] = weight.value * value;
        }
    }

    MOLKERN_DEVICE void radial(const Room& room, unsigned k, unsigned i, std::int64_t begin) const {
        const DeviceNeighbors& at = of.neighbors;
        const std::int64_t pair = begin + k;
        const double x = at.x[pair], y = at.y[pair], z = at.z[pair], r = at.distance[pair];
        const double r2 = x * x + y * y + z * z;
        const unsigned l = i / of.shape.n_max, n = i % of.shape.n_max;
        const soap::Radial f = of.p.table == nullptr ? soap::radial<true, false>(of.p, r2, r, l, n)
                                                     : soap::radial<true, true>(of.p, r2, r, l, n);
        const unsigned place = k * of.shape.n_radial + l * of.shape.row + n;
        room.radial[place] = f.value;
        room.radial_slope[place] = f.slope;
    }

    // The terms of a harmonic of a neighbour, in place of its tables.
    MOLKERN_DEVICE void multiply(const Room& room, const double* gradient, unsigned h,
                                 unsigned k) const {
        const unsigned n_max = of.shape.n_max, row = of.shape.row;
        const unsigned at = k * of.shape.n_radial + degree_of(h) * row;
        double a = 0, b = 0;
        for (unsigned n = 0; n < n_max; ++n) {
            a += room.radial[at + n] * gradient[h * row + n];
            b += room.radial_slope[at + n] * gradient[h * row + n];
        }
        const std::size_t i = h * stride + k;
        room.value[i] = a * room.slope[i] + b * room.value[i];
        room.dx[i] *= a;
        room.dy[i] *= a;
        room.dz[i] *= a;
    }

    // Sums over harmonics.
    MOLKERN_DEVICE void add_up(const Room& room, std::int64_t pair, unsigned k, unsigned axis,
                               double factor) const {
        const DeviceNeighbors& at = of.neighbors;
        const double* d = axis == 0 ? room.dx : axis == 1 ? room.dy : room.dz;
        const double component = (axis == 0 ? at.x : axis == 1 ? at.y : at.z)[pair];
        double along = 0, total = 0;
        for (unsigned h = 0; h < of.shape.n_harmonics; ++h) {
            along += room.value[h * stride + k];
            total += d[h * stride + k];
        }
        (axis == 0 ? gx : axis == 1 ? gy : gz)[pair] = factor * (2 * along * component + total);
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        constexpr unsigned warp = 32;
        const std::int64_t c = first + block.index();
        const std::int64_t m = of.neighbors.structure[c];
        const double factor = scale == nullptr ? 1 : scale[m - structure];
        const std::int64_t row = scale == nullptr ? block.index() : m - structure;
        const Room room = room_in(block);
        const double* gradients =
            of_sums + row * static_cast<std::int64_t>(soap::n_summed(of.p) * of.shape.size);
        const std::int64_t end = of.neighbors.first[c + 1];
        for (std::int64_t begin = of.neighbors.first[c]; begin < end; begin += tile) {
            const auto n = static_cast<unsigned>(end - begin < tile ? end - begin : tile);
            const unsigned n_functions = of.shape.n_l * of.shape.n_max;
            block.for_each(warp + n * n_functions, [&](std::int64_t item) {
                const auto i = static_cast<unsigned>(item);
                if (i < n)
                    harmonics(room, begin + i, i);
                else if (i >= warp)
                    radial(room, (i - warp) / n_functions, (i - warp) % n_functions, begin);
            });
            block.for_each(n * of.shape.n_harmonics, [&](std::int64_t i) {
                const unsigned k = static_cast<unsigned>(i) % n;
                const auto s = static_cast<std::size_t>(of.neighbors.species[begin + k]);
                const double* gradient = gradients + soap::channel_of(of.p, s) * of.shape.size;
                multiply(room, gradient, static_cast<unsigned>(i) / n, k);
            });
            block.for_each(3 * n, [&](std::int64_t i) {
                const unsigned k = static_cast<unsigned>(i) % n;
                add_up(room, begin + k, k, static_cast<unsigned>(i) / n, factor);
            });
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
        const Buffer<double> sets(n * set + soap_padding, stream);
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
