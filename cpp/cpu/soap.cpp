// p_nn'l^ZZ' = pi sqrt(8 / (2 l + 1)) sum_m c_nlm^Z c_n'lm^Z', the SOAP power spectrum (Bartók,
// Kondor, Csányi 2013, doi:10.1103/PhysRevB.87.184115), with radial functions of Gaussian
// type or tabulated.
//
// Floor, for a centre with n neighbours of s species, in multiply-adds: n n_max (l_max + 1)
// exponentials of 18, n n_max (l_max + 1)^2 for the sums over neighbours, s n_max^2 (l_max + 1)^2
// for the radial functions, s (s + 1) / 2 n_max^2 (l_max + 1)^2 for the power spectrum; and the
// bytes of the row. n_max 8, l_max 6, 5 species, the first 500 molecules of QM7 (n = 13.3, s = 2.9,
// its own included): 47 000 or 5900 vectors of 8, 1 us; 46 kB, 2 us at 22 GB/s. Measured for an
// atom: 4.5 us into warm memory, 3.1 in a sum over atoms, 1.0 with average="inner".
//
// Vectors run over radial functions n'. Sums over neighbours are over primitive functions, which
// are orthonormalised afterwards, once for a species. Blocks of absent species are only zeroed.
// Compression is a choice of the coefficients that are multiplied; mu2 sums all species at once.

#include <cmath>

#include "cpu/kernels.hpp"
#include "cpu/soap_spectrum.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace {

using namespace soap;

void soap_values(const void* parameters, const Center& center, double* from, double* row) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    Scratch scratch(from);
    const Harmonics h = scratch.harmonics<false>(p);
    double* c = scratch.take(n_channels(p) * n_coefficients(p));
    sums_of<false>(p, center, h, c);
    double* there = scratch.take(n_channels(p));
    coefficients(p, c, scratch.take(n_coefficients(p)), there);
    power_spectrum(p, c, there, scratch.take(tile_room(p)), row);
    if (p.normalize) normalize(row, p.n_features);
}

std::size_t soap_size(const void* parameters) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    return n_channels(p) * n_coefficients(p);
}

void soap_sums(const void* parameters, const Center& center, bool add, double* from,
               double* sums) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    Scratch scratch(from);
    const Harmonics h = scratch.harmonics<false>(p);
    if (add)
        add_up<false>(p, center, h, sums);
    else
        sums_of<false>(p, center, h, sums);
}

// Vectors of pairs of atoms of a molecule, whatever their centres.
struct PairBlock {
    std::size_t n = 0;
    double x[block + 8], y[block + 8], z[block + 8], distance[block + 8];

    // Adds their sums to `sums`; empty then.
    void flush(const SoapParameters& p, const Harmonics& h, bool even, double* sums) noexcept {
        for (std::size_t k = n; k < n + 8; ++k) {
            x[k] = y[k] = z[k] = 1;
            distance[k] = p.r_cut;
        }
        tabulate<false>(p, {0, n, nullptr, x, y, z, distance}, 0, n, h);
        if (even)
            add_even(p, h, n, sums);
        else
            add_all(p, h, 0, n, sums);
        n = 0;
    }
};

// sums += those over the pairs of species a <= b; returns the least distance.
double sums_of_pairs(const SoapParameters& p, const Cluster& of, std::size_t a, std::size_t b,
                     const Harmonics& h, double* sums) noexcept {
    PairBlock pairs;
    double nearest = p.r_cut;
    for (std::size_t i = of.begin[a]; i < of.begin[a + 1]; ++i)
        for (std::size_t j = a == b ? i + 1 : of.begin[b]; j < of.begin[b + 1]; ++j) {
            const double x = of.x[j] - of.x[i], y = of.y[j] - of.y[i], z = of.z[j] - of.z[i];
            const double r = std::sqrt(x * x + y * y + z * z);
            pairs.x[pairs.n] = x;
            pairs.y[pairs.n] = y;
            pairs.z[pairs.n] = z;
            pairs.distance[pairs.n] = r;
            nearest = r < nearest ? r : nearest;
            // The last entry is overwritten unless it counts: no branch to mispredict.
            pairs.n += r < p.r_cut;
            if (pairs.n == block) pairs.flush(p, h, a == b, sums);
        }
    pairs.flush(p, h, a == b, sums);
    return nearest;
}

// The harmonics of the opposite vector are (-1)^l times those of the vector, so that a pair is
// enough for the sums of both its centres. Of two equal species odd l cancel.
double soap_cluster(const void* parameters, const Cluster& of, double* from,
                    double* sums) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    SoapParameters unweighted = p;
    unweighted.of_species = nullptr;
    const std::size_t size = n_coefficients(p), row = soap_row(p.n_max);
    Scratch scratch(from);
    const Harmonics h = scratch.harmonics<false>(p);
    double* both = scratch.take(size);
    double nearest = p.r_cut;
    const auto weight = [&](std::size_t s) { return p.of_species ? p.of_species[s] : 1.0; };
    for (std::size_t a = 0; a < p.n_species; ++a) {
        if (of.begin[a] == of.begin[a + 1]) continue;
        add_own(p, a, of.begin[a + 1] - of.begin[a], sums);
        double* of_a = sums + channel_of(p, a) * size;
        for (std::size_t b = a; b < p.n_species; ++b) {
            if (of.begin[b] == of.begin[b + 1]) continue;
            std::memset(both, 0, size * sizeof(double));
            const double least = sums_of_pairs(unweighted, of, a, b, h, both);
            nearest = least < nearest ? least : nearest;
            double* of_b = sums + channel_of(p, b) * size;
            for (std::size_t l = 0; l <= p.l_max; ++l) {
                const double back = (l % 2 == 0 ? 1 : -1) * weight(a);
                for (std::size_t i = l * l * row; i < (l + 1) * (l + 1) * row; ++i) {
                    of_b[i] += weight(b) * both[i];
                    of_a[i] += back * both[i];
                }
            }
        }
    }
    return nearest;
}

void soap_features_of_sums(const void* parameters, double* sums, std::size_t n, bool add,
                           double* from, double* row) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    const std::size_t of_set = n_channels(p) * n_coefficients(p);
    Scratch scratch(from);
    double* room = scratch.take(n_coefficients(p));
    double* tile = scratch.take(tile_room(p));
    double* there = scratch.take(n * n_channels(p));
    for (std::size_t k = 0; k < n; ++k)
        coefficients(p, sums + k * of_set, room, there + k * n_channels(p));
    if (!p.normalize) {
        if (add) return sum_power_spectra<true>(p, sums, there, n, tile, row);
        if (n > 1) return sum_power_spectra<false>(p, sums, there, n, tile, row);
        if (n == 1) return power_spectrum(p, sums, there, tile, row);
    }
    if (!add) std::memset(row, 0, p.n_features * sizeof(double));
    if (n == 0) return;
    double* alone = scratch.take(p.n_features);
    for (std::size_t k = 0; k < n; ++k) {
        power_spectrum(p, sums + k * of_set, there + k * n_channels(p), tile, alone);
        normalize(alone, p.n_features);
        for (std::size_t f = 0; f < p.n_features; ++f) row[f] += alone[f];
    }
}

std::size_t soap_scratch(const void* parameters, std::size_t) noexcept {
    const auto& p = *static_cast<const SoapParameters*>(parameters);
    const std::size_t tables = 3 * block + 5 * n_harmonics(p) * block;
    const std::size_t flags = padded(most_sets * n_channels(p));
    const std::size_t row = p.normalize ? padded(p.n_features) : 0;
    return 8 + tables + (7 + 2 * n_channels(p)) * n_coefficients(p) + 2 * padded(tile_room(p)) +
           flags + row;
}

const QuadraticFunctions quadratic = {
    soap_size, soap_sums, soap_cluster, soap_features_of_sums, soap_pull_back, soap_gradients};

}  // namespace

const LocalFunctions soap_functions = {soap_scratch,  soap_values, soap_vjp,
                                       soap_jacobian, false,       &quadratic};

}  // namespace MOLKERN_ISA
}  // namespace molkern
