// exp(x) for x <= 0, lane by lane. std::exp does not vectorise without -ffast-math.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/device.hpp"
#include "core/simd.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

constexpr double log2_e = 1.4426950408889634;

template <typename Real>
struct ExpConstants;

// x = n ln 2 + r with |r| <= ln 2 / 2: exp(x) = 2^n exp(r). ln 2 is split so that n times its
// first part is exact. In double exp(r) is the polynomial of degree 11 with least relative error
// (4e-18) that is 1 at 0, its coefficients by iteratively reweighted least squares; in float the
// Taylor series, whose next term, (ln 2 / 2)^8 / 8!, is 5e-9.
template <>
struct ExpConstants<double> {
    static constexpr int degree = 11;
    double coefficients[degree + 1] = {1.0,
                                       1.0,
                                       0.50000000000000125,
                                       0.16666666666666217,
                                       0.041666666666517834,
                                       0.0083333333335497317,
                                       0.0013888888946350653,
                                       0.00019841269436693057,
                                       2.4801490639095123e-5,
                                       2.7557626803549951e-6,
                                       2.7631032997455246e-7,
                                       2.4991395651257864e-8};
    static constexpr int mantissa_bits = 52;
    // 1.5 * 2^52, the addition of which rounds to integer, plus the bias of the exponent.
    static constexpr double round = 6755399441055744.0 + 1023.0;
    static constexpr double ln2_high = 0x1.62e42fee00000p-1;
    static constexpr double ln2_low = 0x1.a39ef35793c76p-33;
    static constexpr double smallest = -708.0;  // below: 0, before the result turns subnormal
};

template <>
struct ExpConstants<float> {
    static constexpr int degree = 7;
    float coefficients[degree + 1] = {1.0f,      1.0f,       1.0f / 2,      1.0f / 6,
                                      1.0f / 24, 1.0f / 120, 1.0f / 720.0f, 1.0f / 5040.0f};
    static constexpr int mantissa_bits = 23;
    static constexpr float round = 12582912.0f + 127.0f;  // 1.5 * 2^23
    static constexpr float ln2_high = 0x1.62e400p-1f;
    static constexpr float ln2_low = 0x1.7f7d1cp-20f;
    static constexpr float smallest = -87.0f;
};

/// 2^n with the n that `shifted` holds in its low bits, with the bias: moved into the exponent.
template <typename Real>
MOLKERN_HOST_DEVICE inline Vector<Real> power_of_two(Vector<Real> shifted) noexcept {
#if defined(MOLKERN_ONE_LANE)
    static_assert(sizeof(Real) == sizeof(std::uint64_t), "one lane is double");
    std::uint64_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits <<= ExpConstants<Real>::mantissa_bits;
    std::memcpy(&shifted, &bits, sizeof bits);
    return shifted;
#else
    return (Vector<Real>)((Mask<Real>)shifted << ExpConstants<Real>::mantissa_bits);
#endif
}

MOLKERN_TABLE(ExpConstants<double>, exp_of_double);
MOLKERN_TABLE(ExpConstants<float>, exp_of_float);

template <typename Real>
MOLKERN_HOST_DEVICE inline const ExpConstants<Real>& exp_constants() noexcept {
    if constexpr (sizeof(Real) == sizeof(double))
        return MOLKERN_TABLE_OF(exp_of_double);
    else
        return MOLKERN_TABLE_OF(exp_of_float);
}

/// exp(x), relative error below 2 units in the last place for `smallest` <= x <= 0; exactly 0
/// below, exactly 1 at 0, NaN for NaN.
template <typename Real>
MOLKERN_HOST_DEVICE inline Vector<Real> exp_negative(Vector<Real> x) noexcept {
    using C = ExpConstants<Real>;
    const C& constants = exp_constants<Real>();
    const Vector<Real> shifted = x * Real(log2_e) + C::round;
    const Vector<Real> n = shifted - C::round;
    const Vector<Real> r = (x - n * C::ln2_high) - n * C::ln2_low;
    Vector<Real> p = broadcast(constants.coefficients[C::degree]);
    MOLKERN_UNROLL
    for (int k = C::degree - 1; k >= 0; --k) p = p * r + constants.coefficients[k];
    return x < C::smallest ? Vector<Real>{} : p * power_of_two<Real>(shifted);
}

/// Coefficients of 2^f, |f| <= 1/2, of the same polynomial.
struct Exp2Constants {
    double coefficients[ExpConstants<double>::degree + 1] = {};

    constexpr Exp2Constants() noexcept {
        double power = 1;
        for (int k = 0; k <= ExpConstants<double>::degree; ++k) {
            coefficients[k] = ExpConstants<double>().coefficients[k] * power;
            power *= 0.69314718055994531;
        }
    }
};

MOLKERN_TABLE(Exp2Constants, exp2_constants);

/// 2^(a b) for a b <= 0, exactly 0 below 2^-1021, 1 at 0: exp(x y) with y log2(e) for b, in three
/// quarters of the steps. The relative error is that of rounding b, so up to 1e-16 |a b|, and below
/// 2 units in the last place.
MOLKERN_HOST_DEVICE inline Vector<double> exp2_product(Vector<double> a,
                                                       Vector<double> b) noexcept {
    using C = ExpConstants<double>;
    const Exp2Constants& constants = MOLKERN_TABLE_OF(exp2_constants);
    const Vector<double> shifted = a * b + C::round;
    const Vector<double> f = a * b - (shifted - C::round);
    Vector<double> p = broadcast(constants.coefficients[C::degree]);
    MOLKERN_UNROLL
    for (int k = C::degree - 1; k >= 0; --k) p = p * f + constants.coefficients[k];
    return shifted < C::round - 1021.0 ? Vector<double>{} : p * power_of_two<double>(shifted);
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
