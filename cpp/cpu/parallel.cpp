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
    return n_threads > 0 ? n_threads : default_threads();
#else
    (void)n_threads;
    return 1;
#endif
}

void parallel_ranges(std::size_t n, std::size_t grain, int n_threads, RangeBody body,
                     void* context) {
    const std::size_t n_ranges = (n + grain - 1) / grain;
    int threads = threads_in_use(n_threads);
    if (static_cast<std::size_t>(threads) > n_ranges) threads = static_cast<int>(n_ranges);
#if defined(_OPENMP)
    if (threads > 1) {
        used_threads.store(true);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
        for (std::size_t r = 0; r < n_ranges; ++r) {
            const std::size_t begin = r * grain;
            const std::size_t end = begin + grain < n ? begin + grain : n;
            body(context, begin, end, omp_get_thread_num());
        }
        return;
    }
#endif
    if (n > 0) body(context, 0, n, 0);
}

}  // namespace molkern
