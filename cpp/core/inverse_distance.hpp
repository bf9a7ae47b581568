// The derivative of 1 / |a - b|.
#pragma once

#include <cmath>
#include <cstddef>

#include "core/device.hpp"

namespace molkern {

MOLKERN_HOST_DEVICE inline double squared_distance(const double* a, const double* b) noexcept {
    const double x = a[0] - b[0], y = a[1] - b[1], z = a[2] - b[2];
    return x * x + y * y + z * z;
}

/// What a - b is multiplied by to be factor times the derivative of 1 / |a - b| with respect to a,
/// given |a - b|^2.
MOLKERN_HOST_DEVICE inline double inverse_distance_scale(double squared, double factor) noexcept {
    return -factor / (std::sqrt(squared) * squared);
}

/// to [3] = factor times the derivative of 1 / |a - b| with respect to a, given |a - b|^2. The
/// derivative with respect to b is its opposite.
MOLKERN_HOST_DEVICE inline void inverse_distance_slope(const double* a, const double* b,
                                                       double squared, double factor,
                                                       double* to) noexcept {
    const double scale = inverse_distance_scale(squared, factor);
    for (std::size_t x = 0; x < 3; ++x) to[x] = scale * (a[x] - b[x]);
}

}  // namespace molkern
