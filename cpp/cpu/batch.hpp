// What the functions over batches share: scratch of the threads, the size of a range, the first
// molecule with something wrong.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <new>

#include "molkern/molecules.hpp"

namespace molkern {

/// One aligned piece of scratch per thread, allocated before the parallel region. T is trivial.
template <typename T>
class Scratch {
  public:
    Scratch(std::size_t per_thread, int n_threads)
        : stride_((per_thread + 15) / 16 * 16),
          data_(static_cast<T*>(::operator new(
              stride_* static_cast<std::size_t>(n_threads) * sizeof(T), alignment))) {}
    ~Scratch() { ::operator delete(data_, alignment); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    T* of(int thread) const { return data_ + stride_ * static_cast<std::size_t>(thread); }

  private:
    static constexpr std::align_val_t alignment{64};
    std::size_t stride_;
    T* data_;
};

/// The smallest index that any range reported.
class LowestIndex {
  public:
    void report(std::size_t index) {
        std::size_t known = value_.load();
        while (index < known && !value_.compare_exchange_weak(known, index)) {
        }
    }
    std::size_t value() const { return value_.load(); }

  private:
    std::atomic<std::size_t> value_{no_molecule};
};

inline std::size_t largest_molecule(const Molecules& molecules) {
    std::size_t largest = 0;
    for (std::size_t m = 0; m < molecules.n_molecules; ++m)
        largest = std::max(largest, molecules.size(m));
    return largest;
}

inline double mean_size_squared(const Molecules& molecules) {
    const auto n = static_cast<double>(std::max<std::size_t>(molecules.n_molecules, 1));
    const double mean = static_cast<double>(molecules.offsets[molecules.n_molecules]) / n + 1;
    return mean * mean;
}

/// Items that make a range of about 50 microseconds: enough to be worth handing to a thread, and
/// batches below two of them stay serial.
inline std::size_t items_per_range(double nanoseconds_per_item) {
    return static_cast<std::size_t>(std::clamp(50e3 / nanoseconds_per_item, 1.0, 1e6));
}

}  // namespace molkern
