// Cells of structures: vectors of missing axes, fractions along them, and bins no narrower than a
// cutoff in which neighbours are looked for.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/device.hpp"
#include "molkern/isa.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace cell {

/// A bin is a little wider than the cutoff, so that rounding can not hide a pair.
constexpr double margin = 1 + 1e-9;

/// Structures of fewer atoms, and without a cell, are searched without bins: with 1 atom in 10
/// cubic angstrom and a cutoff of 5 angstrom, the 27 bins around an atom hold some 340 atoms.
constexpr std::int64_t large = 256;

/// No more bins than this for n atoms: a structure in a vast box stays cheap.
MOLKERN_HOST_DEVICE inline std::int64_t most_bins(std::int64_t n) noexcept {
    return n > 8 ? n : 8;
}

/// Bins along each axis, and how many on either side can hold neighbours.
struct Bins {
    std::int64_t n[3];
    std::int32_t reach[3];
    bool periodic[3];
};

MOLKERN_HOST_DEVICE inline double dot(const double* a, const double* b) noexcept {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

MOLKERN_HOST_DEVICE inline void cross(const double* a, const double* b, double* out) noexcept {
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

/// Cell vectors; an axis that is not periodic gets a unit vector at right angles to the periodic
/// ones, whatever the cell says: a vacuum direction may have any vector, or none.
inline void complete(const double* from, const bool* periodic, double* vectors) noexcept {
    for (int k = 0; k < 3; ++k)
        for (int c = 0; c < 3; ++c) vectors[3 * k + c] = periodic[k] ? from[3 * k + c] : 0.0;
    for (int k = 0; k < 3; ++k) {
        if (periodic[k]) continue;
        double* v = vectors + 3 * k;
        const double* a = vectors + 3 * ((k + 1) % 3);
        const double* b = vectors + 3 * ((k + 2) % 3);
        if (dot(a, a) > 0 && dot(b, b) > 0) {
            cross(a, b, v);
        } else {
            const double* only = dot(a, a) > 0 ? a : b;
            if (dot(only, only) == 0) {
                v[k] = 1;
                continue;
            }
            int smallest = 0;
            for (int c = 1; c < 3; ++c)
                if (std::abs(only[c]) < std::abs(only[smallest])) smallest = c;
            double unit[3] = {0, 0, 0};
            unit[smallest] = 1;
            cross(only, unit, v);
        }
        const double length = std::sqrt(dot(v, v));
        for (int c = 0; c < 3; ++c) v[c] /= length;
    }
}

/// Rows of the inverse transposed: fraction along axis k is dot(row k, r).
inline void reciprocal(const double* vectors, double* out) noexcept {
    for (int k = 0; k < 3; ++k)
        cross(vectors + 3 * ((k + 1) % 3), vectors + 3 * ((k + 2) % 3), out + 3 * k);
    const double volume = dot(vectors, out);
    for (int k = 0; k < 9; ++k) out[k] /= volume;
}

/// Bins of n atoms. `extent` is that of the fractions along each axis: 1 of periodic ones.
MOLKERN_HOST_DEVICE inline Bins divided(const double* inverse, const double* extent,
                                        const bool* periodic, std::int64_t n,
                                        double r_cut) noexcept {
    Bins bins;
    double widths[3];
    for (int k = 0; k < 3; ++k) {
        widths[k] = extent[k] / std::sqrt(dot(inverse + 3 * k, inverse + 3 * k));
        const double whole = std::floor(widths[k] / (r_cut * margin));
        bins.n[k] = whole > 1e6 ? 1000000 : whole > 1.0 ? static_cast<std::int64_t>(whole) : 1;
        bins.periodic[k] = periodic[k];
    }
    while (static_cast<double>(bins.n[0]) * static_cast<double>(bins.n[1]) *
               static_cast<double>(bins.n[2]) >
           static_cast<double>(most_bins(n))) {
        int most = 0;
        for (int k = 1; k < 3; ++k)
            if (bins.n[k] > bins.n[most]) most = k;
        bins.n[most] = (bins.n[most] + 1) / 2;
    }
    for (int k = 0; k < 3; ++k) {
        const double width = widths[k] / static_cast<double>(bins.n[k]);
        const double reach = std::ceil(r_cut * margin / (width > 1e-12 ? width : 1e-12));
        const auto others = static_cast<double>(bins.n[k] - 1);
        bins.reach[k] = static_cast<std::int32_t>(periodic[k] || reach < others ? reach : others);
    }
    return bins;
}

/// The bin along an axis of n bins.
MOLKERN_HOST_DEVICE inline std::int32_t bin_along(double fraction, double low, double extent,
                                                  std::int64_t n) noexcept {
    const double part = extent > 0 ? (fraction - low) / extent : 0;
    const double at = std::floor(part * static_cast<double>(n));
    const auto last = static_cast<double>(n - 1);
    return static_cast<std::int32_t>(at > 0 ? (at < last ? at : last) : 0);
}

MOLKERN_HOST_DEVICE inline std::int64_t bin_of(const Bins& bins, std::int64_t a, std::int64_t b,
                                               std::int64_t c) noexcept {
    return (a * bins.n[1] + b) * bins.n[2] + c;
}

/// Bin b + offset along axis k: which it is, and of which image; false: there is none.
MOLKERN_HOST_DEVICE inline bool place(const Bins& bins, int k, std::int32_t b, std::int32_t offset,
                                      std::int64_t* at, std::int32_t* image) noexcept {
    const auto n = static_cast<std::int32_t>(bins.n[k]);
    const std::int32_t target = b + offset;
    if (!bins.periodic[k]) {
        image[k] = 0;
        at[k] = target;
        return target >= 0 && target < n;
    }
    image[k] = target >= 0 ? target / n : -((n - 1 - target) / n);
    at[k] = target - image[k] * n;
    return true;
}

/// Calls visit(bin, image) for every bin, and image of it, that may hold neighbours of atoms in
/// the bin b [3].
template <typename Visit>
MOLKERN_DEVICE inline void around(const Bins& bins, const std::int32_t* b, const Visit& visit) {
    std::int32_t image[3];
    std::int64_t at[3];
    for (std::int32_t p = -bins.reach[0]; p <= bins.reach[0]; ++p) {
        if (!place(bins, 0, b[0], p, at, image)) continue;
        for (std::int32_t q = -bins.reach[1]; q <= bins.reach[1]; ++q) {
            if (!place(bins, 1, b[1], q, at, image)) continue;
            for (std::int32_t r = -bins.reach[2]; r <= bins.reach[2]; ++r) {
                if (!place(bins, 2, b[2], r, at, image)) continue;
                visit(bin_of(bins, at[0], at[1], at[2]), image);
            }
        }
    }
}

}  // namespace cell
}  // namespace MOLKERN_ISA
}  // namespace molkern
