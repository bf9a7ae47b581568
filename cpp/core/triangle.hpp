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

/// Where entry k is.
MOLKERN_HOST_DEVICE inline TrianglePlace triangle_place(std::int64_t k) noexcept {
    auto row = static_cast<std::int64_t>((std::sqrt(8.0 * static_cast<double>(k) + 1) - 1) / 2);
    while (row * (row + 1) / 2 > k) --row;  // the root is rounded
    while ((row + 1) * (row + 2) / 2 <= k) ++row;
    return {row, k - row * (row + 1) / 2};
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
