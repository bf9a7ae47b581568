// The diagonal of the Coulomb matrix.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "molkern/molecules.hpp"

namespace molkern::bindings {

/// Z^2.4 / 2 for Z = 0 .. n_elements - 1.
inline const double* half_powers() {
    static const auto table = [] {
        std::array<double, n_elements> t{};
        for (std::int32_t z = 0; z < n_elements; ++z)
            t[static_cast<std::size_t>(z)] = 0.5 * std::pow(z, 2.4);
        return t;
    }();
    return table.data();
}

}  // namespace molkern::bindings
