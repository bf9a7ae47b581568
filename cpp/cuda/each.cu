// Sums of all elements before, and grouping: a handful of passes over memory.

#include "cuda/each.hpp"

namespace molkern::cuda {
namespace {

// Scans chunks of values; what each adds up to goes to `totals`.
struct ScanKernel {
    static constexpr unsigned n_threads = 256;
    static constexpr std::int64_t each = 8, chunk = each * n_threads;

    std::int64_t* values;
    std::int64_t n;
    std::int64_t* totals;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t begin = block.index() * chunk;
        auto* sums = block.template shared<std::int64_t>(n_threads);
        auto* next = block.template shared<std::int64_t>(n_threads);
        block.each_thread([&](unsigned t) {
            std::int64_t total = 0;
            for (std::int64_t k = 0; k < each; ++k) {
                const std::int64_t i = begin + each * t + k;
                if (i < n) total += values[i];
            }
            sums[t] = total;
        });
        for (unsigned step = 1; step < n_threads; step *= 2) {
            block.each_thread(
                [&](unsigned t) { next[t] = sums[t] + (t >= step ? sums[t - step] : 0); });
            auto* swapped = sums;
            sums = next;
            next = swapped;
        }
        block.each_thread([&](unsigned t) {
            std::int64_t before = t == 0 ? 0 : sums[t - 1];
            for (std::int64_t k = 0; k < each; ++k) {
                const std::int64_t i = begin + each * t + k;
                if (i >= n) break;
                const std::int64_t value = values[i];
                values[i] = before;
                before += value;
            }
            if (t + 1 == n_threads) totals[block.index()] = sums[t];
        });
    }
};

struct AddTotals {
    std::int64_t* values;
    const std::int64_t* before;
    MOLKERN_DEVICE void operator()(std::int64_t i) const {
        values[i] += before[i / ScanKernel::chunk];
    }
};

struct CountKeys {
    const std::int64_t* key;
    std::int64_t* counts;
    MOLKERN_DEVICE void operator()(std::int64_t i) const { atomic_add(counts + key[i], 1); }
};

// Elements in their groups, in any order.
struct PutElements {
    const std::int64_t *key, *begin;
    std::int64_t *used, *unordered;
    MOLKERN_DEVICE void operator()(std::int64_t i) const {
        unordered[begin[key[i]] + atomic_add(used + key[i], 1)] = i;
    }
};

// An element's place in its group is the number of smaller ones: groups are small.
struct OrderElements {
    const std::int64_t *key, *begin, *unordered;
    std::int64_t* order;
    MOLKERN_DEVICE void operator()(std::int64_t e) const {
        const std::int64_t i = unordered[e], first = begin[key[i]], last = begin[key[i] + 1];
        std::int64_t rank = first;
        for (std::int64_t k = first; k < last; ++k) rank += unordered[k] < i;
        order[rank] = i;
    }
};

}  // namespace

void exclusive_scan(std::int64_t* values, std::int64_t n, Stream stream) {
    if (n == 0) return;
    const std::int64_t n_chunks = (n + ScanKernel::chunk - 1) / ScanKernel::chunk;
    Buffer<std::int64_t> totals(n_chunks, stream);
    launch(ScanKernel{values, n, totals.data()}, n_chunks,
           2 * ScanKernel::n_threads * sizeof(std::int64_t), stream);
    if (n_chunks == 1) return;
    exclusive_scan(totals.data(), n_chunks, stream);
    launch_each(AddTotals{values, totals.data()}, n, stream);
}

Groups group(const std::int64_t* key, std::int64_t n, std::int64_t n_groups, Stream stream) {
    Groups groups{Buffer<std::int64_t>(n_groups + 1, stream), Buffer<std::int64_t>(n, stream)};
    Buffer<std::int64_t> used(n_groups, stream), unordered(n, stream);
    const auto bytes = static_cast<std::size_t>(n_groups) * sizeof(std::int64_t);
    fill(groups.begin.data(), 0, bytes + sizeof(std::int64_t), stream);
    fill(used.data(), 0, bytes, stream);
    launch_each(CountKeys{key, groups.begin.data()}, n, stream);
    exclusive_scan(groups.begin.data(), n_groups + 1, stream);
    const std::int64_t* begin = groups.begin.data();
    launch_each(PutElements{key, begin, used.data(), unordered.data()}, n, stream);
    launch_each(OrderElements{key, begin, unordered.data(), groups.order.data()}, n, stream);
    return groups;
}

}  // namespace molkern::cuda
