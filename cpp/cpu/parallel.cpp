#include "cpu/parallel.hpp"

#include <algorithm>
#include <atomic>

#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace molkern {
namespace {

std::atomic<bool> used_threads{false};
std::atomic<bool> forked{false};

#if defined(_OPENMP) && (defined(__unix__) || defined(__APPLE__))
// A forked child has the parent's OpenMP runtime but none of its threads: it would wait for
// them for ever.
const int registered = pthread_atfork(nullptr, nullptr, [] {
    if (used_threads.load()) forked.store(true);
});
#endif

}  // namespace

bool forked_after_threads() {
    return forked.load();
}

int default_threads() {
#if defined(_OPENMP)
    // The affinity may have changed since the runtime started.
    return std::min(omp_get_max_threads(), omp_get_num_procs());
#else
    return 1;
#endif
}

int most_threads() {
#if defined(_OPENMP)
    return std::max(64, 4 * omp_get_num_procs());
#else
    return 1;
#endif
}

int openmp_version() {
#if defined(_OPENMP)
    return _OPENMP;
#else
    return 0;
#endif
}

int threads_in_use(int n_threads) {
    if (forked_after_threads()) return 1;
#if defined(_OPENMP)
    // The runtime ends the process where a thread can not be started; the result is the same.
    return n_threads > 0 ? std::min(n_threads, most_threads()) : default_threads();
#else
    (void)n_threads;
    return 1;
#endif
}

int threads_for(std::size_t n, std::size_t grain, int n_threads) {
    const std::size_t n_ranges = std::max<std::size_t>((n + grain - 1) / grain, 1);
    const auto threads = static_cast<std::size_t>(threads_in_use(n_threads));
    return static_cast<int>(std::min(threads, n_ranges));
}

void parallel_ranges(std::size_t n, std::size_t grain, int n_threads, RangeBody body,
                     void* context) {
#if defined(_OPENMP)
    if (n_threads > 1) {
        used_threads.store(true);
        const std::size_t n_ranges = (n + grain - 1) / grain;
#pragma omp parallel for schedule(dynamic) num_threads(n_threads)
        for (std::size_t r = 0; r < n_ranges; ++r) {
            const std::size_t begin = r * grain;
            const std::size_t end = begin + grain < n ? begin + grain : n;
            body(context, begin, end, omp_get_thread_num());
        }
        return;
    }
#else
    (void)grain;
    (void)n_threads;
#endif
    if (n > 0) body(context, 0, n, 0);
}

}  // namespace molkern
