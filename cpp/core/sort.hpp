// Sorting for the kernels: values descending, and the order that sorts keys descending.
// Short sequences count, for every element, how many precede it: n^2 comparisons, but 8 at a
// time and without a branch that could be mispredicted. Longer ones are merged from such blocks.
#pragma once

#include "core/simd.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

/// Up to this many elements are sorted by counting; merging takes over above.
constexpr std::size_t counting_limit = 256;

/// Ranks of `blocks` vectors of keys; several at a time hide the latency of the comparison.
template <std::size_t blocks>
inline void count_blocks(const double* keys, std::size_t n, std::size_t j,
                         std::int64_t* rank) noexcept {
    constexpr std::size_t w = lanes<double>;
    Vector<double> key[blocks];
    Mask<double> count[blocks] = {};
#pragma GCC unroll 4
    for (std::size_t b = 0; b < blocks; ++b) key[b] = load(keys + j + b * w);
    for (std::size_t i = 0; i < n; ++i) {
        const Vector<double> other = broadcast(keys[i]);
#pragma GCC unroll 4
        for (std::size_t b = 0; b < blocks; ++b)
            count[b] = other > key[b] ? count[b] + 1 : count[b];
    }
    std::memcpy(rank + j, count, sizeof count);
}

/// rank[i] = number of keys greater than keys[i], for n keys. `keys` and `rank` have room for
/// padded(n) elements; keys beyond n are overwritten. Returns the sum of the ranks, which is
/// n (n - 1) / 2 if and only if all keys differ.
inline std::int64_t count_greater(double* keys, std::size_t n, std::int64_t* rank) noexcept {
    constexpr std::size_t w = lanes<double>;
    const std::size_t stop = (n + w - 1) / w * w;
    for (std::size_t j = n; j < stop; ++j) keys[j] = 0;
    std::size_t j = 0;
    for (; j + 4 * w <= stop; j += 4 * w) count_blocks<4>(keys, n, j, rank);
    if (j + 2 * w <= stop) {
        count_blocks<2>(keys, n, j, rank);
        j += 2 * w;
    }
    if (j < stop) count_blocks<1>(keys, n, j, rank);
    std::int64_t total = 0;
    for (std::size_t i = 0; i < n; ++i) total += rank[i];
    return total;
}

/// Writes `values` (n <= counting_limit, all positive) in descending order to `out`.
inline void sort_block(double* values, std::size_t n, std::int64_t* rank, double* out) noexcept {
    const std::int64_t total = count_greater(values, n, rank);
    const bool distinct = total == static_cast<std::int64_t>(n * (n - 1) / 2);
    if (!distinct)
        for (std::size_t i = 0; i < n; ++i) out[i] = 0;
    for (std::size_t i = 0; i < n; ++i) out[rank[i]] = values[i];
    // Equal values share the first of their places; the others are still 0.
    if (!distinct)
        for (std::size_t i = 1; i < n; ++i)
            if (out[i] == 0) out[i] = out[i - 1];
}

/// Sorts n positive values in descending order into `out`; `values` is overwritten.
/// `rank` has room for counting_limit elements, `out` and `values` for padded(n).
inline void sort_descending(double* values, std::size_t n, std::int64_t* rank,
                            double* out) noexcept {
    if (n <= counting_limit) {
        sort_block(values, n, rank, out);
        return;
    }
    double tail[counting_limit + 8];
    for (std::size_t i = 0; i < n; i += counting_limit) {
        const std::size_t length = n - i < counting_limit ? n - i : counting_limit;
        for (std::size_t k = 0; k < length; ++k) tail[k] = values[i + k];
        sort_block(tail, length, rank, out + i);
    }
    double* from = out;
    double* to = values;
    for (std::size_t width = counting_limit; width < n; width *= 2) {
        for (std::size_t start = 0; start < n; start += 2 * width) {
            const std::size_t middle = start + width < n ? start + width : n;
            const std::size_t stop = middle + width < n ? middle + width : n;
            std::size_t a = start, b = middle;
            for (std::size_t k = start; k < stop; ++k)
                to[k] = b == stop || (a < middle && from[a] >= from[b]) ? from[a++] : from[b++];
        }
        double* swap = from;
        from = to;
        to = swap;
    }
    if (from != out)
        for (std::size_t i = 0; i < n; ++i) out[i] = from[i];
}

/// order = the stable permutation that sorts n keys in descending order. `work` has room for n.
inline void stable_order(const double* keys, std::size_t n, std::int64_t* order,
                         std::int64_t* work) noexcept {
    for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<std::int64_t>(i);
    std::int64_t* from = order;
    std::int64_t* to = work;
    for (std::size_t width = 1; width < n; width *= 2) {
        for (std::size_t start = 0; start < n; start += 2 * width) {
            const std::size_t middle = start + width < n ? start + width : n;
            const std::size_t stop = middle + width < n ? middle + width : n;
            std::size_t a = start, b = middle;
            for (std::size_t k = start; k < stop; ++k) {
                const bool left = b == stop || (a < middle && keys[from[a]] >= keys[from[b]]);
                to[k] = left ? from[a++] : from[b++];
            }
        }
        std::int64_t* swap = from;
        from = to;
        to = swap;
    }
    if (from != order)
        for (std::size_t i = 0; i < n; ++i) order[i] = from[i];
}

}  // namespace MOLKERN_ISA
}  // namespace molkern
