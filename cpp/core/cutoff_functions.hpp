// Cutoff functions fc(r) and their derivative by r^2, lane by lane, from r^2: where algebra allows
// it without a square root.
#pragma once

#include "core/device.hpp"
#include "core/exp.hpp"
#include "core/inverse_sqrt.hpp"
#include "core/simd.hpp"
#include "molkern/acsf.hpp"
#include "molkern/molecules.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

/// fc and d fc / d(r^2), both 0 from r_cut on.
struct CutoffValue {
    Vector<double> value, slope;
};

// cos(x) is a series in x^2, so cos(pi r / (2 r_cut)) needs no square root. The coefficients are
// (-1)^k (pi/2)^(2k) / (2k)!; the first one left out, k = 11, is 2e-17.
constexpr int cosine_degree = 10;
struct CosineConstants {
    double coefficients[cosine_degree + 1] = {1};

    constexpr CosineConstants() noexcept {
        constexpr double square = 2.467401100272339655;  // (pi/2)^2
        for (int k = 1; k <= cosine_degree; ++k)
            coefficients[k] = coefficients[k - 1] * (-square / ((2 * k - 1) * (2 * k)));
    }
};
MOLKERN_TABLE(CosineConstants, cosine_constants);

/// (1 + cos(pi r / r_cut)) / 2 = cos(pi r / (2 r_cut))^2 for u = r^2 / r_cut^2; slope by u.
template <bool derivative>
MOLKERN_HOST_DEVICE inline CutoffValue cutoff_cosine(Vector<double> u) noexcept {
    const CosineConstants& constants = MOLKERN_TABLE_OF(cosine_constants);
    Vector<double> c = broadcast(constants.coefficients[cosine_degree]), d{};
    MOLKERN_UNROLL
    for (int k = cosine_degree - 1; k >= 0; --k) {
        if (derivative) d = d * u + c;
        c = c * u + constants.coefficients[k];
    }
    return {c * c, 2.0 * c * d};
}

/// tanh(1 - r / r_cut)^3; slope by u.
template <bool derivative>
MOLKERN_HOST_DEVICE inline CutoffValue cutoff_tanh3(Vector<double> u) noexcept {
    const Vector<double> inverse = inverse_sqrt(u);
    const Vector<double> y = u < 1.0 ? 1.0 - u * inverse : Vector<double>{};
    const Vector<double> e = exp_negative<double>(-2.0 * y);
    const Vector<double> t = (1.0 - e) / (1.0 + e);
    const Vector<double> t2 = t * t;
    return {t2 * t, derivative ? -1.5 * t2 * (1.0 - t2) * inverse : t};
}

/// 1 - 10 x^3 + 15 x^4 - 6 x^5 for x = r / r_cut (Singraber, Behler, Dellago 2019,
/// doi:10.1021/acs.jctc.8b00770), in a form that does not cancel near 1; slope by u.
template <bool derivative>
MOLKERN_HOST_DEVICE inline CutoffValue cutoff_polynomial(Vector<double> u) noexcept {
    const Vector<double> x = u * inverse_sqrt(u);
    const Vector<double> y = 1.0 - x, y2 = y * y;
    return {y2 * y * (1.0 + x * (3.0 + 6.0 * x)), derivative ? -15.0 * x * y2 : x};
}

/// r2 is the squared distance; inverse_r2_cut is 1 / r_cut^2. Without derivative the slope is
/// meaningless.
template <bool derivative>
MOLKERN_HOST_DEVICE inline CutoffValue cutoff(CutoffFunction function, Vector<double> r2,
                                              double inverse_r2_cut) noexcept {
    // Two neighbours of an atom may coincide where only some atoms are centres.
    constexpr double least = nearest_distance * nearest_distance;
    const Vector<double> u = (r2 < least ? broadcast(least) : r2) * inverse_r2_cut;
    const CutoffValue c = function == CutoffFunction::cosine  ? cutoff_cosine<derivative>(u)
                          : function == CutoffFunction::tanh3 ? cutoff_tanh3<derivative>(u)
                                                              : cutoff_polynomial<derivative>(u);
    const Mask<double> inside = (Mask<double>)(u < 1.0);
    const Vector<double> zero{};
    return {inside ? c.value : zero, inside ? c.slope * inverse_r2_cut : zero};
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
