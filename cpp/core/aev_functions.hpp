// Factors of atomic environment vectors (Smith et al. 2017, doi:10.1039/C6SC05720A, as torchani has
// them) and their derivatives, lane by lane.
#pragma once

#include <cstddef>

#include "core/cutoff_functions.hpp"
#include "core/device.hpp"
#include "core/exp.hpp"
#include "core/inverse_sqrt.hpp"
#include "core/power.hpp"
#include "core/simd.hpp"
#include "molkern/aev.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

// torchani's: keeps arccos away from +-1.
constexpr double cosine_factor = 0.95;
constexpr double radial_factor = 0.25;

/// (1 + cos(pi r / r_cut)) / 2, 0 from r_cut on, and its derivative by r.
struct CutoffOfDistance {
    Vector<double> value, derivative;
};
MOLKERN_HOST_DEVICE inline CutoffOfDistance cosine_cutoff(Vector<double> r, double r_cut) noexcept {
    const CutoffValue c = cutoff<true>(CutoffFunction::cosine, r * r, 1 / (r_cut * r_cut));
    return {c.value, 2.0 * r * c.slope};
}

/// A factor and its derivative by cos(theta), or by the distance.
struct AevFactor {
    Vector<double> value, derivative;
};

/// cos and sin of theta, and their ratio.
struct AevAngle {
    Vector<double> cosine, sine, cotangent;
};
MOLKERN_HOST_DEVICE inline AevAngle aev_angle(Vector<double> cosine) noexcept {
    const Vector<double> rest = 1.0 - cosine * cosine;
    const Vector<double> inverse = inverse_sqrt(rest);
    return {cosine, rest * inverse, cosine * inverse};
}

/// [(1 + cos(theta - theta_s)) / 2]^zeta of section s.
MOLKERN_HOST_DEVICE inline Vector<double> section_value(const AevParameters& p, std::size_t s,
                                                        Vector<double> cosine, Vector<double> sine,
                                                        const Exponent& zeta) noexcept {
    return power(0.5 + cosine * p.half_cosines[s] + sine * p.half_sines[s], zeta);
}

/// `less_one` is zeta - 1.
MOLKERN_HOST_DEVICE inline AevFactor section(const AevParameters& p, std::size_t s,
                                             const AevAngle& angle,
                                             const Exponent& less_one) noexcept {
    const double half_cosine = p.half_cosines[s], half_sine = p.half_sines[s];
    const Vector<double> base = 0.5 + angle.cosine * half_cosine + angle.sine * half_sine;
    const Vector<double> low = power(base, less_one);
    return {base * low, (p.zeta * low) * (half_cosine - angle.cotangent * half_sine)};
}

/// exp(-eta (r - center)^2).
MOLKERN_HOST_DEVICE inline Vector<double> shift_value(double eta, double center,
                                                      Vector<double> r) noexcept {
    const Vector<double> d = r - center;
    return exp2_product(d * d, broadcast(-log2_e * eta));
}

MOLKERN_HOST_DEVICE inline AevFactor shift(double eta, double center, Vector<double> r) noexcept {
    const Vector<double> value = shift_value(eta, center, r);
    return {value, (-2 * eta) * (r - center) * value};
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
