// Numbers that differ by rounding alone become equal.
#pragma once

#include <cmath>

#include "core/device.hpp"
#include "molkern/isa.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

/// Rounded to 10 significant digits.
MOLKERN_HOST_DEVICE inline double ten_digits(double x) noexcept {
    if (!(x > 0)) return x;
    const double unit = std::pow(10.0, std::floor(std::log10(x)) - 9);
    return std::floor(x / unit + 0.5) * unit;
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
