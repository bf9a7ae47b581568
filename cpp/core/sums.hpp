// Sums over the lanes of eight vectors at once.
#pragma once

#include "core/simd.hpp"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace molkern {
inline namespace MOLKERN_ISA {

/// to[i] = sum of the lanes of v[i], i < 8.
inline void lane_sums(const Vector<double>* v, double* to) noexcept {
#if defined(__AVX512F__)
    // 14 shuffles and 7 additions. The zero-masking forms, for GCC 12: see inverse_sqrt.hpp.
    const auto fold = [](__m512d a, __m512d b) {
        return _mm512_maskz_unpacklo_pd(0xff, a, b) + _mm512_maskz_unpackhi_pd(0xff, a, b);
    };
    const __m512d p01 = fold((__m512d)v[0], (__m512d)v[1]);
    const __m512d p23 = fold((__m512d)v[2], (__m512d)v[3]);
    const __m512d p45 = fold((__m512d)v[4], (__m512d)v[5]);
    const __m512d p67 = fold((__m512d)v[6], (__m512d)v[7]);
    const __m512d p03 = _mm512_maskz_shuffle_f64x2(0xff, p01, p23, 0x44) +
                        _mm512_maskz_shuffle_f64x2(0xff, p01, p23, 0xee);
    const __m512d p47 = _mm512_maskz_shuffle_f64x2(0xff, p45, p67, 0x44) +
                        _mm512_maskz_shuffle_f64x2(0xff, p45, p67, 0xee);
    store(to, (Vector<double>)(_mm512_maskz_shuffle_f64x2(0xff, p03, p47, 0x88) +
                               _mm512_maskz_shuffle_f64x2(0xff, p03, p47, 0xdd)));
#else
    for (std::size_t i = 0; i < 8; ++i) to[i] = sum<double>(v[i]);
#endif
}

/// to[i] += sum of the lanes of v[i], i < 8.
inline void add_lane_sums(const Vector<double>* v, double* to) noexcept {
    double sums[8];
    lane_sums(v, sums);
    for (std::size_t i = 0; i < 8; i += lanes<double>) store(to + i, load(to + i) + load(sums + i));
}

alignas(64) constexpr std::int64_t lane_table[16] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                     0,  0,  0,  0,  0,  0,  0,  0};

/// True in the first n lanes, n <= 8.
inline Mask<double> first_lanes(std::size_t n) noexcept {
    Mask<double> mask;
    std::memcpy(&mask, lane_table + 8 - n, sizeof mask);
    return mask;
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
