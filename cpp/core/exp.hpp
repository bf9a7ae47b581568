// exp(x) for x <= 0, lane by lane. std::exp does not vectorise without -ffast-math.
#pragma once

#include "core/simd.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

template <typename Real>
struct ExpConstants;

// x = n ln 2 + r with |r| <= ln 2 / 2: exp(x) = 2^n exp(r). ln 2 is split so that n times its
// first part is exact. The Taylor series ends where its next term is below half a unit in the
// last place: (ln 2 / 2)^14 / 14! = 4e-18 and (ln 2 / 2)^8 / 8! = 5e-9.
template <>
struct ExpConstants<double> {
    static constexpr int degree = 13;
    static constexpr int mantissa_bits = 52;
    static constexpr std::int64_t bias = 1023;
    static constexpr double round = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to integer
    static constexpr double ln2_high = 0x1.62e42fee00000p-1;
    static constexpr double ln2_low = 0x1.a39ef35793c76p-33;
    static constexpr double smallest = -708.0;  // below: 0, before the result turns subnormal
};

template <>
struct ExpConstants<float> {
    static constexpr int degree = 7;
    static constexpr int mantissa_bits = 23;
    static constexpr std::int32_t bias = 127;
    static constexpr float round = 12582912.0f;  // 1.5 * 2^23
    static constexpr float ln2_high = 0x1.62e400p-1f;
    static constexpr float ln2_low = 0x1.7f7d1cp-20f;
    static constexpr float smallest = -87.0f;
};

template <typename Real>
constexpr Real inverse_factorial(int k) noexcept {
    double factorial = 1;
    for (int i = 2; i <= k; ++i) factorial *= i;
    return static_cast<Real>(1 / factorial);
}

/// exp(x), relative error below 2 units in the last place for `smallest` <= x <= 0; exactly 0
/// below, exactly 1 at 0, NaN for NaN.
template <typename Real>
inline Vector<Real> exp_negative(Vector<Real> x) noexcept {
    using C = ExpConstants<Real>;
    const Vector<Real> shifted = x * Real(1.4426950408889634) + C::round;
    const Vector<Real> n = shifted - C::round;
    const Vector<Real> r = (x - n * C::ln2_high) - n * C::ln2_low;
    Vector<Real> p = broadcast(inverse_factorial<Real>(C::degree));
#pragma GCC unroll 16
    for (int k = C::degree - 1; k >= 0; --k) p = p * r + inverse_factorial<Real>(k);
    // The low bits of `shifted` hold n; moved into the exponent they are 2^n.
    const Mask<Real> rounding = (Mask<Real>)broadcast(C::round);
    const Mask<Real> exponent = ((Mask<Real>)shifted - rounding + C::bias) << C::mantissa_bits;
    return x < C::smallest ? Vector<Real>{} : p * (Vector<Real>)exponent;
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
