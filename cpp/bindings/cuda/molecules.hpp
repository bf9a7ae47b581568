// Batches of molecules on a device: positions come from there, the rest from the host.
#pragma once

#include <algorithm>

#include "bindings/cuda/arrays.hpp"
#include "bindings/half_powers.hpp"
#include "molkern/cuda.hpp"

namespace molkern::bindings {

/// A batch of molecules but for its positions, on the current device: made once, for as many
/// positions as wanted.
class MoleculesOnDevice {
  public:
    MoleculesOnDevice(const Array<std::int32_t>& numbers, const Array<std::int64_t>& offsets,
                      cuda::Stream stream)
        : n_atoms(numbers.shape(0)),
          n(offsets.shape(0) - 1),
          device(cuda::current_device()),
          numbers_(cuda::uploaded(numbers.data(), n_atoms, stream, true)),
          offsets_(cuda::uploaded(offsets.data(), n + 1, stream, true)),
          half_powers_(cuda::uploaded(half_powers(), n_elements, stream, true)) {
        const std::int64_t* first = offsets.data();
        for (std::int64_t m = 0; m < n; ++m) largest = std::max(largest, first[m + 1] - first[m]);
    }

    const std::int64_t n_atoms, n;
    const int device;
    std::int64_t largest = 0;

    cuda::DeviceMolecules at(const DeviceArray& positions) const noexcept {
        return {
            {numbers_.data(), positions.as<double>(), offsets_.data(), static_cast<std::size_t>(n)},
            n_atoms,
            largest};
    }
    const double* half_powers_there() const noexcept { return half_powers_.data(); }

  private:
    cuda::Buffer<std::int32_t> numbers_;
    cuda::Buffer<std::int64_t> offsets_;
    cuda::Buffer<double> half_powers_;
};

/// Raises unless there is a position, in float64, for each atom.
inline void require_positions(const DeviceArray& positions, const MoleculesOnDevice& of) {
    require_shape("positions", positions, {of.n_atoms, 3});
    require(positions.item_bytes() == 8, "positions: expected float64, found " + positions.dtype());
    require(positions.device() == of.device, "positions: expected an array on device " +
                                                 std::to_string(of.device) + ", found " +
                                                 std::to_string(positions.device()));
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
