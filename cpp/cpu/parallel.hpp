// Loops over independent pieces of work, on OpenMP threads where the build has them.
#pragma once

#include <cstddef>

namespace molkern {

/// Threads that a call with n_threads = 0 uses: the cores this process may run on (affinity,
/// OMP_NUM_THREADS). 1 without OpenMP.
int default_threads();

/// Threads that are started at most, whatever was asked for: 64, or four for each core.
int most_threads();

/// True in a process forked from one that had already used threads: the OpenMP runtime can not
/// be used there, and every loop is serial.
bool forked_after_threads();

/// Threads that a request for n_threads (0: the default) really gets.
int threads_in_use(int n_threads);

/// The same for n items in ranges of `grain`: no more threads than ranges, at least 1. Asked once,
/// since the answer may change with the affinity: scratch and loop must agree.
int threads_for(std::size_t n, std::size_t grain, int n_threads);

/// The version date of OpenMP, 0 without it.
int openmp_version();

/// Calls body(context, begin, end, thread), thread < n_threads, for ranges that cover 0 .. n.
/// Ranges hold `grain` items (the last fewer) and are handed to the threads as they become free, so
/// results must not depend on which thread takes which range. body must not throw.
using RangeBody = void (*)(void* context, std::size_t begin, std::size_t end, int thread);
void parallel_ranges(std::size_t n, std::size_t grain, int n_threads, RangeBody body,
                     void* context);

template <typename Body>
void parallel_for(std::size_t n, std::size_t grain, int n_threads, Body& body) {
    parallel_ranges(
        n, grain, n_threads,
        [](void* context, std::size_t begin, std::size_t end, int thread) {
            (*static_cast<Body*>(context))(begin, end, thread);
        },
        &body);
}

}  // namespace molkern
