// One thread for each of n elements, and what is built of that: sums of all elements before, and
// elements grouped by a key.
#pragma once

#include <cstdint>

#include "core/device.hpp"
#include "cuda/runtime.hpp"

namespace molkern::cuda {

template <typename F>
struct EachKernel {
    static constexpr unsigned n_threads = 128;
    F f;
    std::int64_t n;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        block.each_thread([&](unsigned thread) {
            const std::int64_t i = block.index() * n_threads + thread;
            if (i < n) f(i);
        });
    }
};

/// f(i) for i < n; none may read what another one writes.
template <typename F>
void launch_each(const F& f, std::int64_t n, Stream stream) {
    constexpr std::int64_t size = EachKernel<F>::n_threads;
    launch(EachKernel<F>{f, n}, (n + size - 1) / size, 0, stream);
}

/// The last of n ascending numbers, the first of which is 0, that is not above `value` >= 0.
MOLKERN_DEVICE inline std::int64_t last_not_above(const std::int64_t* numbers, std::int64_t n,
                                                  std::int64_t value) noexcept {
    std::int64_t low = 0, high = n;
    while (high - low > 1) {
        const std::int64_t middle = low + (high - low) / 2;
        (numbers[middle] <= value ? low : high) = middle;
    }
    return low;
}

/// Replaces each of n values by the sum of those before it.
void exclusive_scan(std::int64_t* values, std::int64_t n, Stream stream);

/// Elements by key.
///
/// begin   [n_groups + 1]   where the elements of each key begin
/// order   [n]              elements; those of one key ascending
struct Groups {
    Buffer<std::int64_t> begin, order;
};

/// key   [n]   0 .. n_groups - 1
Groups group(const std::int64_t* key, std::int64_t n, std::int64_t n_groups, Stream stream);

}  // namespace molkern::cuda
