// Rows and columns of lower triangles that are stored row by row: (0,0) (1,0) (1,1) (2,0) ....
#pragma once

#include <cmath>
#include <cstdint>

#include "core/device.hpp"
#include "molkern/isa.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

struct TrianglePlace {
    std::int64_t row, column;
};

template <typename Index, typename Float>
MOLKERN_HOST_DEVICE inline TrianglePlace triangle_place_of(Index k) noexcept {
    auto row = static_cast<Index>((std::sqrt(8 * static_cast<Float>(k) + 1) - 1) / 2);
    while (row * (row + 1) / 2 > k) --row;  // the root is rounded
    while ((row + 1) * (row + 2) / 2 <= k) ++row;
    return {row, k - row * (row + 1) / 2};
}

/// Where entry k is. Small numbers are several times cheaper on a device.
MOLKERN_HOST_DEVICE inline TrianglePlace triangle_place(std::int64_t k) noexcept {
    constexpr std::int64_t small = std::int64_t{1} << 29;  // (row + 1) (row + 2) fits
    return k < small ? triangle_place_of<std::int32_t, float>(static_cast<std::int32_t>(k))
                     : triangle_place_of<std::int64_t, double>(k);
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
