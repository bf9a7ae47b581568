// Weights w(r) of neighbours in SOAP and their derivative by r^2, lane by lane: the functions of
// DScribe (Himanen et al. 2020, doi:10.1016/j.cpc.2019.106949). With x = r / r_0:
//     poly   c ((1 - x)^2 (1 + 2 x))^m, 0 from r_0 on (Caro 2019, doi:10.1103/PhysRevB.100.024112)
//     pow    c / (d + x^m)       (Willatt, Musil, Ceriotti 2018, doi:10.1039/c8cp05921g)
//     exp    c / (d + exp(-x))
#pragma once

#include "core/cutoff_functions.hpp"
#include "core/device.hpp"
#include "core/power.hpp"
#include "molkern/soap.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

MOLKERN_HOST_DEVICE inline CutoffValue weight_poly(const SoapWeight& w, Vector<double> r) noexcept {
    const Vector<double> x = r * (1 / w.r_0), y = 1.0 - x, rise = 1.0 + 2.0 * x;
    const Mask<double> inside = (Mask<double>)(y > 0.0);
    const Vector<double> zero{}, base = inside ? y * y * rise : zero;
    const Vector<double> value = w.c * power(base, Exponent(w.m));
    // d base / d(r^2) = -3 (1 - x) / r_0^2.
    const Vector<double> slope = value * (-3 * w.m / (w.r_0 * w.r_0)) / (y * rise);
    return {inside ? value : zero, inside ? slope : zero};
}

MOLKERN_HOST_DEVICE inline CutoffValue weight_pow(const SoapWeight& w, Vector<double> r2,
                                                  Vector<double> r) noexcept {
    // x^m, or for x > 1 its inverse, which is below 1, too.
    const Vector<double> x = r * (1 / w.r_0);
    const Mask<double> small = (Mask<double>)(x < 1.0);
    const Vector<double> q = power(small ? x : 1.0 / x, Exponent(w.m));
    const Vector<double> inverse = 1.0 / (small ? w.d + q : 1.0 + w.d * q);
    const Vector<double> value = w.c * inverse * (small ? broadcast(1.0) : q);
    const Vector<double> share = inverse * (small ? q : broadcast(1.0));  // x^m / (d + x^m)
    return {value, -0.5 * w.m * value * share / r2};
}

MOLKERN_HOST_DEVICE inline CutoffValue weight_exp(const SoapWeight& w, Vector<double> r) noexcept {
    const Vector<double> e = exp_negative<double>(r * (-1 / w.r_0));
    const Vector<double> inverse = 1.0 / (w.d + e), value = w.c * inverse;
    return {value, (0.5 / w.r_0) * value * e * inverse / r};
}

/// r is the distance, r2 its square; above 0.
MOLKERN_HOST_DEVICE inline CutoffValue weight(const SoapWeight& w, Vector<double> r2,
                                              Vector<double> r) noexcept {
    return w.function == SoapWeighting::poly  ? weight_poly(w, r)
           : w.function == SoapWeighting::pow ? weight_pow(w, r2, r)
                                              : weight_exp(w, r);
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
