// Batches of molecules on a device: positions come from there, the rest from the host.
#pragma once

#include <algorithm>

#include "bindings/cuda/arrays.hpp"
#include "bindings/half_powers.hpp"
#include "molkern/molecules.hpp"

namespace molkern::bindings {

/// A batch, and what it points to.
class MoleculesOnDevice {
  public:
    MoleculesOnDevice(const std::int32_t* numbers, std::int64_t n_atoms,
                      const DeviceArray& positions, const std::int64_t* offsets, std::int64_t n,
                      cuda::Stream stream)
        : numbers_(cuda::uploaded(numbers, n_atoms, stream)),
          offsets_(cuda::uploaded(offsets, n + 1, stream)),
          molecules_{numbers_.data(), positions.as<double>(), offsets_.data(),
                     static_cast<std::size_t>(n)} {
        for (std::int64_t m = 0; m < n; ++m)
            largest_ = std::max(largest_, offsets[m + 1] - offsets[m]);
    }

    const Molecules& molecules() const noexcept { return molecules_; }
    std::int64_t largest() const noexcept { return largest_; }

  private:
    cuda::Buffer<std::int32_t> numbers_;
    cuda::Buffer<std::int64_t> offsets_;
    Molecules molecules_;
    std::int64_t largest_ = 0;
};

/// Raises unless there is a position, in float64, for each atom.
inline void require_positions(const DeviceArray& positions, const Array<std::int32_t>& numbers) {
    require_shape("positions", positions, {static_cast<std::int64_t>(numbers.shape(0)), 3});
    require(positions.item_bytes() == 8, "positions: expected float64, found " + positions.dtype());
}

/// Raises unless a cotangent has this shape and lies where the positions are.
inline void require_cotangent(const DeviceArray& cotangent, const DeviceArray& positions,
                              std::int64_t rows, std::int64_t columns) {
    require_shape("gX", cotangent, {rows, columns});
    require(cotangent.device() == positions.device(),
            "gX: expected an array on the device of the positions, " +
                std::to_string(positions.device()) + ", found " +
                std::to_string(cotangent.device()));
}

/// What a function returns to Python: its result, and the first molecule in which two atoms
/// coincide or None.
inline py::tuple with_coincident(const DeviceArray& result, std::size_t bad) {
    if (bad == no_molecule) return py::make_tuple(result, py::none());
    return py::make_tuple(result, bad);
}

}  // namespace molkern::bindings
