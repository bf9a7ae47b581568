// Vectors as wide as the level's registers, by the compiler's vector extension (GCC, Clang).
// Arithmetic, comparison and `mask ? a : b` work lane by lane; no lane sees another.
// With MOLKERN_ONE_LANE, for the threads of a device, they are numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__) && !defined(MOLKERN_ONE_LANE)
#include <immintrin.h>
#endif

#include "core/device.hpp"
#include "molkern/isa.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

#if defined(MOLKERN_ONE_LANE)

template <typename Real>
using Vector = Real;
template <typename Real>
using Mask = std::int64_t;

template <typename Real>
constexpr std::size_t lanes = 1;

template <typename Real>
MOLKERN_HOST_DEVICE inline Real broadcast(Real value) noexcept {
    return value;
}

template <typename Real>
MOLKERN_HOST_DEVICE inline Real load(const Real* p) noexcept {
    return *p;
}

template <typename Real>
MOLKERN_HOST_DEVICE inline void store(Real* p, Real v) noexcept {
    *p = v;
}

#else

#if defined(__AVX512F__)
constexpr std::size_t vector_bytes = 64;
#elif defined(__AVX__)
constexpr std::size_t vector_bytes = 32;
#else
constexpr std::size_t vector_bytes = 16;
#endif

template <typename Real>
struct Simd;

template <>
struct Simd<double> {
    typedef double Vector __attribute__((vector_size(vector_bytes)));
    typedef std::int64_t Mask __attribute__((vector_size(vector_bytes)));
    using Integer = std::int64_t;
    static constexpr Integer sign_bit = INT64_MIN;
};

template <>
struct Simd<float> {
    typedef float Vector __attribute__((vector_size(vector_bytes)));
    typedef std::int32_t Mask __attribute__((vector_size(vector_bytes)));
    using Integer = std::int32_t;
    static constexpr Integer sign_bit = INT32_MIN;
};

template <typename Real>
using Vector = typename Simd<Real>::Vector;
template <typename Real>
using Mask = typename Simd<Real>::Mask;

/// Lanes of a vector of Real.
template <typename Real>
constexpr std::size_t lanes = vector_bytes / sizeof(Real);

/// All lanes equal to value.
template <typename Real>
inline Vector<Real> broadcast(Real value) noexcept {
    return value - Vector<Real>{};  // unlike 0 + value, exact for -0 and so free
}

/// Unaligned load and store.
template <typename Real>
inline Vector<Real> load(const Real* p) noexcept {
    Vector<Real> v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

template <typename Real>
inline void store(Real* p, Vector<Real> v) noexcept {
    std::memcpy(p, &v, sizeof v);
}

/// Store past the caches, where the processor can: writing memory that is not read soon costs half,
/// since it is not fetched first. p is a multiple of vector_bytes. `stream_end` orders these stores
/// before all that follow.
template <typename Real>
inline void stream(Real* p, Vector<Real> v) noexcept {
#if defined(__AVX512F__)
    if constexpr (sizeof(Real) == 8)
        _mm512_stream_pd(p, (__m512d)v);
    else
        _mm512_stream_ps(p, (__m512)v);
#elif defined(__AVX__)
    if constexpr (sizeof(Real) == 8)
        _mm256_stream_pd(p, (__m256d)v);
    else
        _mm256_stream_ps(p, (__m256)v);
#elif defined(__SSE2__)
    if constexpr (sizeof(Real) == 8)
        _mm_stream_pd(p, (__m128d)v);
    else
        _mm_stream_ps(p, (__m128)v);
#else
    store(p, v);
#endif
}

inline void stream_end() noexcept {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

template <typename Real>
inline Vector<Real> absolute(Vector<Real> v) noexcept {
    return (Vector<Real>)((Mask<Real>)v & ~Simd<Real>::sign_bit);
}

/// Sum of the lanes, in lane order.
template <typename Real>
inline Real sum(Vector<Real> v) noexcept {
    Real total = v[0];
    for (std::size_t k = 1; k < lanes<Real>; ++k) total += v[k];
    return total;
}

#endif

/// The next multiple of the longest vector (8 double), the same at every level.
constexpr std::size_t padded(std::size_t n) noexcept {
    return (n + 7) / 8 * 8;
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
