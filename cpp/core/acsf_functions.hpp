// Factors of atom-centred symmetry functions (Behler 2011, doi:10.1063/1.3553717) and their
// derivatives, lane by lane.
#pragma once

#include <cmath>
#include <cstddef>

#include "core/device.hpp"
#include "core/exp.hpp"
#include "core/power.hpp"
#include "core/simd.hpp"
#include "molkern/acsf.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace acsf {

MOLKERN_HOST_DEVICE inline Vector<double> cosine_of(Vector<double> x) noexcept {
#if defined(MOLKERN_ONE_LANE)
    return std::cos(x);
#else
    for (std::size_t k = 0; k < lanes<double>; ++k) x[k] = std::cos(x[k]);
    return x;
#endif
}

MOLKERN_HOST_DEVICE inline Vector<double> sine_of(Vector<double> x) noexcept {
#if defined(MOLKERN_ONE_LANE)
    return std::sin(x);
#else
    for (std::size_t k = 0; k < lanes<double>; ++k) x[k] = std::sin(x[k]);
    return x;
#endif
}

/// A function of the distance; `fc` is the cutoff function.
MOLKERN_HOST_DEVICE inline Vector<double> radial_value(const AcsfRadial& f, Vector<double> r,
                                                       Vector<double> fc) noexcept {
    if (f.kind == AcsfRadial::cutoff) return fc;
    if (f.kind == AcsfRadial::gaussian) {
        const Vector<double> d = r - f.r_s;
        return fc * exp2_product(d * d, broadcast(-log2_e * f.factor));
    }
    return fc * cosine_of(f.factor * r);
}

/// Its derivative by r^2; `slope` is that of the cutoff function.
MOLKERN_HOST_DEVICE inline Vector<double> radial_slope(const AcsfRadial& f, Vector<double> r,
                                                       Vector<double> inverse_r, Vector<double> fc,
                                                       Vector<double> slope) noexcept {
    if (f.kind == AcsfRadial::cutoff) return slope;
    if (f.kind == AcsfRadial::gaussian) {
        const Vector<double> d = r - f.r_s;
        return exp2_product(d * d, broadcast(-log2_e * f.factor)) *
               (slope - f.factor * d * inverse_r * fc);
    }
    const Vector<double> x = f.factor * r;
    return cosine_of(x) * slope - 0.5 * f.factor * sine_of(x) * inverse_r * fc;
}

MOLKERN_HOST_DEVICE inline Vector<double> whole_power(Vector<double> x,
                                                      std::size_t power) noexcept {
    const Vector<double> x2 = x * x, x4 = x2 * x2;
    // One jump for the frequent powers: the branches of the loop are mispredicted.
    switch (power) {
        case 0:
            return broadcast(1.0);
        case 1:
            return x;
        case 2:
            return x2;
        case 3:
            return x2 * x;
        case 4:
            return x4;
        case 5:
            return x4 * x;
        case 6:
            return x4 * x2;
        case 7:
            return x4 * (x2 * x);
        case 8:
            return x4 * x4;
    }
    Vector<double> result = power & 1 ? x : broadcast(1.0);
    for (power >>= 1; power != 0; power >>= 1) {
        x *= x;
        if (power & 1) result *= x;
    }
    return result;
}

/// ((1 + lambda cos) / 2)^zeta and, if wanted, its derivative by cos.
struct AngleFactor {
    Vector<double> value, slope;
};
template <bool derivative>
MOLKERN_HOST_DEVICE inline AngleFactor angle_factor(const AcsfAngle& a,
                                                    Vector<double> cosine) noexcept {
    Vector<double> t = 0.5 + 0.5 * a.lambda * cosine;
    t = t < 0.0 ? Vector<double>{} : t;  // rounding
    const Vector<double> value = a.whole > 0 ? whole_power(t, derivative ? a.whole - 1 : a.whole)
                                             : power(t, Exponent(derivative ? a.zeta - 1 : a.zeta));
    if (!derivative) return {value, value};
    return {value * t, 0.5 * a.lambda * a.zeta * value};
}

}  // namespace acsf
}  // namespace MOLKERN_ISA
}  // namespace molkern
