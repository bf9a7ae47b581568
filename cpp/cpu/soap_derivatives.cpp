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
#include "cpu/soap_parts.hpp"

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

// Gradient with respect to the coefficients.
void pull_back(const SoapParameters& p, const double* cotangent, const double* c, double* tile,
               double* turned, double* g) noexcept {
    const std::size_t size = n_coefficients(p);
    for (std::size_t i = 0; i < p.n_species * size; ++i) g[i] = 0;
    for (std::size_t i = 0; i < tile_room(p); ++i) tile[i] = turned[i] = 0;
    for (std::size_t a = 0; a < p.n_species; ++a)
        for (std::size_t b = a; b < p.n_species; ++b) {
            const std::size_t step = block_size(p, a == b);
            const bool there = present(p, c, a) && present(p, c, b);
            for (std::size_t l = 0; there && l <= p.l_max; ++l) {
                read_tile(p, a == b, cotangent + l * step, tile, turned);
                add_product(p, l, c + a * size, tile, g + b * size);
                if (a != b) add_product(p, l, c + b * size, turned, g + a * size);
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
                if (p.smooth) slope += h.slope[i * block + k] * of;
                for (std::size_t c = 0; c < 3; ++c) d[c] += h.d[c][i * block + k] * of;
            }
            const Radial f = radial_with_slope(p, h, l, v, k);
            along += f.value * slope + f.slope * value;
            for (std::size_t c = 0; c < 3; ++c) total[c] += f.value * d[c];
        }
    const double radial = 2 * sum<double>(along);
    for (std::size_t c = 0; c < 3; ++c) to[c] = radial * vector[c] + sum<double>(total[c]);
}

// Derivatives of the sums of a neighbour's species with respect to its position, [3, size].
void derivatives_of_sums(const SoapParameters& p, const Harmonics& h, std::size_t k,
                         const double* vector, double* to) noexcept {
    const std::size_t row = soap_row(p.n_max), size = n_coefficients(p);
    for (std::size_t v = 0; v < p.n_max; v += width)
        for (std::size_t l = 0; l <= p.l_max; ++l) {
            const Radial f = radial_with_slope(p, h, l, v, k);
            for (std::size_t i = l * l; i < (l + 1) * (l + 1); ++i) {
                const double slope = p.smooth ? h.slope[i * block + k] : 0;
                const V along = 2.0 * (slope * f.value + h.value[i * block + k] * f.slope);
                for (std::size_t c = 0; c < 3; ++c)
                    store(to + c * size + i * row + v,
                          along * vector[c] + f.value * h.d[c][i * block + k]);
            }
        }
}

// Derivatives of the features when the coefficients of species s change by d.
void push_forward(const SoapParameters& p, const Center& center, std::size_t s, const double* c,
                  const double* d, double* tile, double* to) noexcept {
    const std::size_t row = soap_row(p.n_max), size = n_coefficients(p);
    const double* end = to + soap_features(p.n_species, p.n_max, p.l_max);
    for (std::size_t a = 0; a < p.n_species; ++a)
        for (std::size_t b = a; b < p.n_species; ++b) {
            if ((a != s && b != s) || !present(center, a) || !present(center, b)) {
                const std::size_t zeros = (p.l_max + 1) * block_size(p, a == b);
                for (const double* last = to + zeros; to != last; ++to) *to = 0;
                continue;
            }
            for (std::size_t l = 0; l <= p.l_max; ++l) {
                power_tile<false>(p, l, a == s ? d : c + a * size, a == s ? c + b * size : d, tile);
                if (a == b) power_tile<true>(p, l, c + a * size, d, tile);
                for (std::size_t n = 0; n < p.n_max; ++n) {
                    const std::size_t first = a == b ? n : 0;
                    to = put(tile + n * row + first, p.n_max - first, to, end);
                }
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
    for (std::size_t s = 0; s < p.n_species; ++s)
        if (present(p, c, s)) transform_in_place(p, p.transform, c + s * size, room);
    pull_back(p, cotangent, c, tile, turned, g);
    for (std::size_t s = 0; s < p.n_species; ++s)
        if (present(p, c, s)) transform_in_place(p, p.transposed, g + s * size, room);
}

// Gradient with respect to positions, with the tables of the last neighbours at hand or not.
void gradients_of_neighbors(const SoapParameters& p, const Center& center, const Harmonics& h,
                            const double* g, double* gx, double* gy, double* gz) noexcept {
    for_each_neighbor(p, center, h, [&](std::size_t s, std::size_t j, std::size_t k) {
        const double vector[3] = {center.x[j], center.y[j], center.z[j]};
        double gradient[3];
        gradient_of_neighbor(p, h, k, g + s * n_coefficients(p), vector, gradient);
        gx[j] = gradient[0];
        gy[j] = gradient[1];
        gz[j] = gradient[2];
    });
}

}  // namespace

void soap_vjp(const void* parameters, const Center& center, const double* cotangent, double* from,
              double* gx, double* gy, double* gz) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    const std::size_t size = n_coefficients(p);
    Scratch scratch(from);
    const Harmonics h = scratch.harmonics<true>(p);
    double* c = scratch.take(p.n_species * size);
    double* g = scratch.take(p.n_species * size);
    for (std::size_t i = 0; i < p.n_species * size; ++i) c[i] = 0;
    add_up<true>(p, center, h, c);
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

void soap_jacobian(const void* parameters, const Center& center, double* from,
                   double* values) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    const std::size_t size = n_coefficients(p);
    const std::size_t n_features = soap_features(p.n_species, p.n_max, p.l_max);
    Scratch scratch(from);
    const Harmonics h = scratch.harmonics<true>(p);
    double* sums = scratch.take(3 * size);
    double* c = scratch.take(p.n_species * size);
    double* d = scratch.take(3 * size);
    double* tile = scratch.take(tile_room(p));
    coefficients<true>(p, center, h, sums, c);
    for_each_neighbor(p, center, h, [&](std::size_t s, std::size_t j, std::size_t k) {
        const double vector[3] = {center.x[j], center.y[j], center.z[j]};
        derivatives_of_sums(p, h, k, vector, sums);
        for (std::size_t axis = 0; axis < 3; ++axis) {
            transform(p, p.transform, sums + axis * size, d + axis * size);
            push_forward(p, center, s, c, d + axis * size, tile,
                         values + (3 * j + axis) * n_features);
        }
    });
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
