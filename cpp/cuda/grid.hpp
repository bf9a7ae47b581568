// Bins of structures on a device.
#pragma once

#include <cstdint>

#include "core/cell.hpp"

namespace molkern::cuda {

/// A structure that is searched by bins.
struct Grid {
    std::int64_t structure, first_atom, n_atoms;
    std::int64_t first_bin;  // of its own among those of all
    double vectors[9], inverse[9];
    double low[3], extent[3];  // fractions: 0 and 1 of periodic axes
    cell::Bins bins;
};

}  // namespace molkern::cuda
