// p_nn'l^ZZ' = pi sqrt(8 / (2 l + 1)) sum_m c_nlm^Z c_n'lm^Z', the SOAP power spectrum (Bartók,
// Kondor, Csányi 2013, doi:10.1103/PhysRevB.87.184115), with radial functions of Gaussian
// type or tabulated.
//
// Floor, for a centre with n neighbours of s species, in multiply-adds: n n_max (l_max + 1)
// exponentials of 20, n n_max (l_max + 1)^2 for the sums over neighbours, s n_max^2 (l_max + 1)^2
// for the radial functions, s (s + 1) / 2 n_max^2 (l_max + 1)^2 for the power spectrum; and the
// bytes of the row. n_max 8, l_max 6, 5 species, the first 500 molecules of QM7 (n = 13.3, s = 2.9,
// its own included): 47 000 or 5900 vectors of 8, 1 us; 46 kB, 2 us at 22 GB/s. Measured for an
// atom: 4.5 us into warm memory, 3.1 in a sum over atoms, 1.8 with average="inner".
//
// Vectors run over radial functions n'. Sums over neighbours are over primitive functions, which
// are orthonormalised afterwards, once for a species. Blocks of absent species are only zeroed.

#include "cpu/kernels.hpp"
#include "cpu/soap_parts.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace {

using namespace soap;

// The part of a row that belongs to one l of a pair of species.
template <bool add>
double* write_tile(const SoapParameters& p, bool same, const double* tile, double* row,
                   const double* end) noexcept {
    for (std::size_t n = 0; n < p.n_max; ++n) {
        const std::size_t first = same ? n : 0;
        const double* from = tile + n * soap_row(p.n_max) + first;
        if (add) {
            for (std::size_t k = 0; k < p.n_max - first; ++k) row[k] += from[k];
            row += p.n_max - first;
        } else {
            row = put(from, p.n_max - first, row, end);
        }
    }
    return row;
}

// Features of n sets of sums, which become coefficients.
template <bool add>
void features(const SoapParameters& p, double* c, std::size_t n, Scratch scratch,
              double* row) noexcept {
    const std::size_t size = n_coefficients(p), of_set = p.n_species * size;
    double* room = scratch.take(size);
    double* tile = scratch.take(tile_room(p));
    double* there = scratch.take(n * p.n_species);
    for (std::size_t k = 0; k < n * p.n_species; ++k) {
        there[k] = present(p, c, k) ? 1 : 0;
        if (there[k] != 0) transform_in_place(p, p.transform, c + k * size, room);
    }
    const double* end = row + soap_features(p.n_species, p.n_max, p.l_max);
    for (std::size_t a = 0; a < p.n_species; ++a)
        for (std::size_t b = a; b < p.n_species; ++b) {
            std::size_t sets[most_sets], n_sets = 0;
            for (std::size_t k = 0; k < n; ++k)
                if (there[k * p.n_species + a] != 0 && there[k * p.n_species + b] != 0)
                    sets[n_sets++] = k * of_set;
            if (n_sets == 0) {
                const double* to = row + (p.l_max + 1) * block_size(p, a == b);
                if (add)
                    row = row + (to - row);
                else
                    for (; row != to; ++row) *row = 0;
                continue;
            }
            for (std::size_t l = 0; l <= p.l_max; ++l) {
                const double *of_a = c + a * size, *of_b = c + b * size;
                power_tile<false>(p, l, of_a + sets[0], of_b + sets[0], tile);
                for (std::size_t k = 1; k < n_sets; ++k)
                    power_tile<true>(p, l, of_a + sets[k], of_b + sets[k], tile);
                row = write_tile<add>(p, a == b, tile, row, end);
            }
        }
}

void soap_values(const void* parameters, const Center& center, double* from, double* row) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    Scratch scratch(from);
    const Harmonics h = scratch.harmonics<false>(p);
    const std::size_t size = p.n_species * n_coefficients(p);
    double* c = scratch.take(size);
    for (std::size_t i = 0; i < size; ++i) c[i] = 0;
    add_up<false>(p, center, h, c);
    features<false>(p, c, 1, scratch, row);
}

std::size_t soap_size(const void* parameters) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    return p.n_species * n_coefficients(p);
}

void soap_sums(const void* parameters, const Center& center, double* from, double* sums) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    Scratch scratch(from);
    const Harmonics h = scratch.harmonics<false>(p);
    add_up<false>(p, center, h, sums);
}

void soap_features_of_sums(const void* parameters, double* sums, std::size_t n, double* from,
                           double* row) noexcept {
    features<true>(*static_cast<const SoapParameters*>(parameters), sums, n, Scratch(from), row);
}

std::size_t soap_scratch(const void* parameters, std::size_t) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    const std::size_t tables = 2 * block + 5 * n_harmonics(p) * block;
    return 8 + tables + (7 + 2 * p.n_species) * n_coefficients(p) + 2 * padded(tile_room(p)) +
           most_sets * p.n_species + 8;
}

const QuadraticFunctions quadratic = {soap_size, soap_sums, soap_features_of_sums, soap_pull_back,
                                      soap_gradients};

}  // namespace

const LocalFunctions soap_functions = {soap_scratch, soap_values, soap_vjp, soap_jacobian,
                                       &quadratic};

}  // namespace MOLKERN_ISA
}  // namespace molkern
