// log(x) and x^p, lane by lane.
#pragma once

#include <cmath>

#include "core/device.hpp"
#include "core/exp.hpp"
#include "core/simd.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

#if defined(MOLKERN_ONE_LANE)

MOLKERN_HOST_DEVICE inline double log_positive(double x) noexcept {
    return std::log(x);
}

#else

/// log(x) of normal positive x, absolute error below 2e-16 + 2e-16 |log(x)|.
///
/// x = 2^n m with m in [sqrt(1/2), sqrt(2)): log(m) = 2 atanh(s), s = (m - 1) / (m + 1). With
/// |s| <= 0.1716 the first term left out, s^23 / 23, is 1e-19.
inline Vector<double> log_positive(Vector<double> x) noexcept {
    using C = ExpConstants<double>;
    constexpr double sqrt_half = 0.70710678118654752;
    const Mask<double> bits = (Mask<double>)x - (Mask<double>)broadcast(sqrt_half);
    const Mask<double> n = bits >> C::mantissa_bits;
    const Vector<double> m = (Vector<double>)((Mask<double>)x - (n << C::mantissa_bits));
    // Integers below 2^51 become doubles by their place in the mantissa.
    const Vector<double> whole = (Vector<double>)(n + (Mask<double>)broadcast(C::round)) - C::round;
    const Vector<double> s = (m - 1.0) / (m + 1.0);
    const Vector<double> s2 = s * s;
    Vector<double> p = broadcast(1.0 / 21);
    MOLKERN_UNROLL
    for (int k = 19; k > 0; k -= 2) p = p * s2 + 1.0 / k;
    return whole * C::ln2_high + (2.0 * s * p + whole * C::ln2_low);
}

#endif

/// An exponent of 0 or more, prepared: a whole one up to 2^31 is done by repeated squaring.
struct Exponent {
    double value;
    std::uint32_t whole;  // 0: not whole

    MOLKERN_HOST_DEVICE explicit Exponent(double p) noexcept
        : value(p),
          whole(p <= 0x1p31 && static_cast<double>(static_cast<std::uint32_t>(p)) == p
                    ? static_cast<std::uint32_t>(p)
                    : 0) {}
};

/// x^p for 0 <= x <= 1, a rounding error above 1 allowed; below 1e-300 x counts as that. For a
/// whole p other x, too.
MOLKERN_HOST_DEVICE inline Vector<double> power(Vector<double> x, const Exponent& p) noexcept {
    if (p.value == 0.0) return broadcast(1.0);
    if (p.whole == 0) {
        const Vector<double> least = broadcast(1e-300);
        return exp_negative<double>(p.value * log_positive(x > least ? x : least));
    }
    std::uint32_t rest = p.whole;
    for (; (rest & 1) == 0; rest >>= 1) x *= x;
    Vector<double> result = x;
    for (rest >>= 1; rest != 0; rest >>= 1) {
        x *= x;
        if (rest & 1) result *= x;
    }
    return result;
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
