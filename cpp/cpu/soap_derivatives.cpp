// Derivatives of the SOAP power spectrum (Bartók, Kondor, Csányi 2013,
// doi:10.1103/PhysRevB.87.184115): what is computed is in soap.cpp.
//
// The function of a neighbour at r is w(r) f(r) S_lm(r) with weight w and radial function f; its
// gradient is w f grad S_lm + 2 r (f dw/d(r^2) + w df/d(r^2)) S_lm.
//
// Floor in multiply-adds, with s species that are there: the gradient costs s (s + 1) n_max^2
// (l_max + 1)^2 for the coefficients, s n_max^2 (l_max + 1)^2 for the radial functions, and for
// each neighbour n_max (l_max + 1) exponentials and 5 n_max (l_max + 1)^2. The Jacobian costs
// 3 (1 + s) n_max^2 (l_max + 1)^2 for each neighbour, and is bound by the bytes it writes.

#include "cpu/kernels.hpp"
#include "cpu/soap_spectrum.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace {

using namespace soap;

// Cotangents of one pair of species and l as a matrix and its transpose; symmetric, with a doubled
// diagonal, for a pair of the same.
void read_tile(const SoapParameters& p, bool same, const double* from, double* tile,
               double* turned) noexcept {
    const std::size_t row = soap_row(p.n_max);
    for (std::size_t n = 0; n < p.n_max; ++n)
        for (std::size_t k = same ? n : 0; k < p.n_max; ++k) {
            const double g = *from++;
            tile[n * row + k] = g;
            turned[k * row + n] = g;
        }
    if (!same) return;
    for (std::size_t n = 0; n < p.n_max; ++n)
        for (std::size_t k = n; k < p.n_max; ++k) {
            const double g = tile[n * row + k] * (n == k ? 2 : 1);
            tile[n * row + k] = g;
            tile[k * row + n] = g;
        }
}

// g[lm, :] += sum_n c[lm, n] tile[n, :].
void add_product(const SoapParameters& p, std::size_t l, const double* c, const double* tile,
                 double* g) noexcept {
    const std::size_t row = soap_row(p.n_max);
    for (std::size_t v = 0; v < p.n_max; v += width)
        for (std::size_t i = l * l; i < (l + 1) * (l + 1); ++i) {
            V total = load(g + i * row + v);
            for (std::size_t n = 0; n < p.n_max; ++n)
                total += c[i * row + n] * load(tile + n * row + v);
            store(g + i * row + v, total);
        }
}

// Gradient with respect to the coefficients; there[channel] as of `coefficients`.
void pull_back(const SoapParameters& p, const double* cotangent, const double* c,
               const double* there, double* tile, double* turned, double* g) noexcept {
    const std::size_t size = n_coefficients(p);
    for (std::size_t i = 0; i < n_channels(p) * size; ++i) g[i] = 0;
    for (std::size_t i = 0; i < tile_room(p); ++i) tile[i] = turned[i] = 0;
    for (std::size_t i = 0; i < p.n_pairs; ++i) {
        const SoapPair pair = p.pairs[i];
        const bool same = pair.a == pair.b;
        const std::size_t step = soap_block(p.n_max, pair);
        const bool both = there[pair.a] != 0 && there[pair.b] != 0;
        for (std::size_t l = 0; both && l <= p.l_max; ++l) {
            read_tile(p, same, cotangent + l * step, tile, turned);
            add_product(p, l, c + pair.a * size, tile, g + pair.b * size);
            if (!same) add_product(p, l, c + pair.b * size, turned, g + pair.a * size);
        }
        cotangent += (p.l_max + 1) * step;
    }
}

// Gradient with respect to the position of one neighbour, from that of its species' sums.
void gradient_of_neighbor(const SoapParameters& p, const Harmonics& h, std::size_t k,
                          const double* g, const double* vector, double* to) noexcept {
    const std::size_t row = soap_row(p.n_max);
    V along{}, total[3] = {};
    for (std::size_t v = 0; v < p.n_max; v += width)
        for (std::size_t l = 0; l <= p.l_max; ++l) {
            V value{}, slope{}, d[3] = {};
            for (std::size_t i = l * l; i < (l + 1) * (l + 1); ++i) {
                const V of = load(g + i * row + v);
                value += h.value[i * block + k] * of;
                if (varies(p)) slope += h.slope[i * block + k] * of;
                for (std::size_t c = 0; c < 3; ++c) d[c] += h.d[c][i * block + k] * of;
            }
            const Radial f = radial_with_slope(p, h, l, v, k);
            along += f.value * slope + f.slope * value;
            for (std::size_t c = 0; c < 3; ++c) total[c] += f.value * d[c];
        }
    const double radial = 2 * sum<double>(along);
    for (std::size_t c = 0; c < 3; ++c) to[c] = radial * vector[c] + sum<double>(total[c]);
}

// Derivatives of the coefficients of a neighbour's species with respect to its position, [3, size].
// The radial functions are orthonormalised first: once for an l, not for every m and axis.
void derivatives_of_coefficients(const SoapParameters& p, const Harmonics& h, std::size_t k,
                                 const double* vector, double* radials, double* to) noexcept {
    const std::size_t row = soap_row(p.n_max), size = n_coefficients(p);
    double *values = radials, *slopes = radials + row;
    for (std::size_t l = 0; l <= p.l_max; ++l) {
        for (std::size_t v = 0; v < row; v += width) {
            const Radial f = radial_with_slope(p, h, l, v, k);
            store(values + v, f.value);
            store(slopes + v, f.slope);
        }
        for (std::size_t v = 0; v < p.n_max; v += width) {
            V value{}, slope{};
            for (std::size_t n = 0; n < p.n_max; ++n) {
                const V column = load(p.transform + (l * row + n) * row + v);
                value += values[n] * column;
                slope += slopes[n] * column;
            }
            for (std::size_t i = l * l; i < (l + 1) * (l + 1); ++i) {
                const double of_weight = varies(p) ? h.slope[i * block + k] : 0;
                const V along = 2.0 * (of_weight * value + h.value[i * block + k] * slope);
                for (std::size_t c = 0; c < 3; ++c)
                    store(to + c * size + i * row + v,
                          along * vector[c] + value * h.d[c][i * block + k]);
            }
        }
    }
}

// Derivatives of the features when the coefficients of species s change by d. What does not depend
// on them is left as it is, unless the norm of all features does.
void push_forward(const SoapParameters& p, const Center& center, std::size_t s, const double* c,
                  const double* d, double* tile, double* to) noexcept {
    const std::size_t size = n_coefficients(p);
    const double* end = to + p.n_features;
    for (std::size_t i = 0; i < p.n_pairs; ++i) {
        const SoapPair pair = p.pairs[i];
        const bool by_a = depends(p, pair.a, s), by_b = depends(p, pair.b, s);
        const bool there = surrounds(p, center, pair.a) && surrounds(p, center, pair.b);
        if (!there || !(by_a || by_b)) {
            double* next = to + (p.l_max + 1) * soap_block(p.n_max, pair);
            for (; p.normalize && to != next; ++to) *to = 0;
            to = next;
            continue;
        }
        const double *of_a = c + pair.a * size, *of_b = c + pair.b * size;
        for (std::size_t l = 0; l <= p.l_max; ++l) {
            power_tile<false>(p, l, by_a ? d : of_a, by_a ? of_b : d, tile);
            if (by_a && by_b) power_tile<true>(p, l, of_a, d, tile);
            to = write_tile<false>(p, pair.a == pair.b, tile, to, end);
        }
    }
}

// Calls each(s, j, k) for every neighbour j of species s, which is the k-th of the tables.
template <typename Each>
void for_each_neighbor(const SoapParameters& p, const Center& center, const Harmonics& h,
                       const Each& each) noexcept {
    for (std::size_t begin = 0; begin < center.n; begin += block) {
        const std::size_t end = center.n - begin < block ? center.n : begin + block;
        // A single block is still there from the coefficients.
        if (center.n > block) tabulate<true>(p, center, begin, end, h);
        std::size_t s = 0;
        for (std::size_t j = begin; j < end; ++j) {
            while (center.begin[s + 1] <= j) ++s;
            each(s, j, j - begin);
        }
    }
}

// Gradient of features with respect to the sums, which become coefficients.
void gradient_of_sums(const SoapParameters& p, double* c, const double* cotangent, Scratch scratch,
                      double* g) noexcept {
    const std::size_t size = n_coefficients(p);
    double* room = scratch.take(size);
    double* tile = scratch.take(tile_room(p));
    double* turned = scratch.take(tile_room(p));
    double* there = scratch.take(n_channels(p));
    coefficients(p, c, room, there);
    if (p.normalize) {
        double* row = scratch.take(p.n_features);
        power_spectrum(p, c, there, tile, row);
        const double inverse = normalize(row, p.n_features);
        project(row, inverse, cotangent, p.n_features, row);
        cotangent = row;
    }
    pull_back(p, cotangent, c, there, tile, turned, g);
    for (std::size_t k = 0; k < n_summed(p); ++k) {
        if (there[k] == 0) continue;
        const double* of_total = g + p.n_species * size;
        if (p.compression == SoapCompression::mu1nu1)
            for (std::size_t i = 0; i < size; ++i) g[k * size + i] += of_total[i];
        transform_in_place(p, p.transposed, g + k * size, room);
    }
}

// Gradient with respect to positions, with the tables of the last neighbours at hand or not.
void gradients_of_neighbors(const SoapParameters& p, const Center& center, const Harmonics& h,
                            const double* g, double* gx, double* gy, double* gz) noexcept {
    for_each_neighbor(p, center, h, [&](std::size_t s, std::size_t j, std::size_t k) {
        const double vector[3] = {center.x[j], center.y[j], center.z[j]};
        double gradient[3];
        gradient_of_neighbor(p, h, k, g + channel_of(p, s) * n_coefficients(p), vector, gradient);
        gx[j] = gradient[0];
        gy[j] = gradient[1];
        gz[j] = gradient[2];
    });
}

}  // namespace

void soap_vjp(const void* parameters, const Center& center, const double* cotangent, double* from,
              double* gx, double* gy, double* gz) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    const std::size_t size = n_channels(p) * n_coefficients(p);
    Scratch scratch(from);
    const Harmonics h = scratch.harmonics<true>(p);
    double* c = scratch.take(size);
    double* g = scratch.take(size);
    sums_of<true>(p, center, h, c);
    gradient_of_sums(p, c, cotangent, scratch, g);
    gradients_of_neighbors(p, center, h, g, gx, gy, gz);
}

void soap_pull_back(const void* parameters, double* sums, const double* cotangent, double* from,
                    double* gradient) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    gradient_of_sums(p, sums, cotangent, Scratch(from), gradient);
}

void soap_gradients(const void* parameters, const Center& center, const double* gradient,
                    double* from, double* gx, double* gy, double* gz) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    Scratch scratch(from);
    const Harmonics h = scratch.harmonics<true>(p);
    if (center.n > 0 && center.n <= block) tabulate<true>(p, center, 0, center.n, h);
    gradients_of_neighbors(p, center, h, gradient, gx, gy, gz);
}

void soap_jacobian(const void* parameters, const Center& center, double* from, double* rows,
                   const BlockSink& sink) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    const std::size_t size = n_coefficients(p);
    Scratch scratch(from);
    const Harmonics h = scratch.harmonics<true>(p);
    double* room = scratch.take(size);
    double* c = scratch.take(n_channels(p) * size);
    double* d = scratch.take(3 * size);
    double* radials = scratch.take(2 * soap_row(p.n_max));
    double* tile = scratch.take(tile_room(p));
    double* there = scratch.take(n_channels(p));
    double* row = scratch.take(p.normalize ? p.n_features : 0);
    sums_of<true>(p, center, h, c);
    coefficients(p, c, room, there);
    double inverse = 1;
    if (p.normalize) {
        power_spectrum(p, c, there, tile, row);
        inverse = normalize(row, p.n_features);
    }
    for_each_neighbor(p, center, h, [&](std::size_t s, std::size_t j, std::size_t k) {
        const double vector[3] = {center.x[j], center.y[j], center.z[j]};
        derivatives_of_coefficients(p, h, k, vector, radials, d);
        for (std::size_t axis = 0; axis < 3; ++axis) {
            double* to = rows + axis * p.n_features;
            push_forward(p, center, s, c, d + axis * size, tile, to);
            if (p.normalize) project(row, inverse, to, p.n_features, to);
        }
        sink.take(sink.context, rows);
    });
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
