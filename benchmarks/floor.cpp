// What one machine can do at best, measured: the rates from which floors.py makes lower bounds.
// Build as floors.py does: c++ -O3 -march=native -fno-math-errno -fopenmp, never -ffast-math.
// Prints one JSON object; every rate is the best of several trials.
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#if defined(_OPENMP)
#include <omp.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

#if defined(__x86_64__)
#define OPAQUE(value) __asm__ volatile("" : "+v"(value))
#elif defined(__aarch64__)
#define OPAQUE(value) __asm__ volatile("" : "+w"(value))
#else
#error "floor.cpp knows x86-64 and aarch64"
#endif

typedef double Doubles __attribute__((vector_size(vector_bytes)));
typedef float Floats __attribute__((vector_size(vector_bytes)));
typedef int64_t Longs __attribute__((vector_size(vector_bytes)));
typedef int32_t Ints __attribute__((vector_size(vector_bytes)));

volatile double sink;  // results go here, so that no loop is removed

template <class Function>
double best_seconds(Function&& function, int trials = 7) {
    function();
    double best = 1e300;
    for (int trial = 0; trial < trials; ++trial) {
        const auto start = std::chrono::steady_clock::now();
        function();
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
        best = std::min(best, elapsed.count());
    }
    return best;
}

template <class Vector>
double first_sum(const Vector* accumulators, int n) {
    double total = 0;
    for (int i = 0; i < n; ++i) total += static_cast<double>(accumulators[i][0]);
    return total;
}

// Multiply-adds on independent accumulators: latency 4, two ports, so 8 would do; 12 is safe.
constexpr int n_accumulators = 12;
constexpr long n_rounds = 10'000'000;

template <class Vector, class Scalar>
double multiply_add_flops() {
    Vector accumulators[n_accumulators];
    for (int i = 0; i < n_accumulators; ++i) accumulators[i] = Vector{} + Scalar(0.001) * Scalar(i);
    Vector factor = Vector{} + Scalar(0.9999), term = Vector{} + Scalar(1e-5);
    OPAQUE(factor);
    OPAQUE(term);
    const double seconds = best_seconds([&] {
        for (long round = 0; round < n_rounds; ++round) {
#pragma GCC unroll 12
            for (int i = 0; i < n_accumulators; ++i)
                accumulators[i] = accumulators[i] * factor + term;
        }
        sink = first_sum(accumulators, n_accumulators);
    });
    return 2.0 * n_accumulators * (sizeof(Vector) / sizeof(Scalar)) * n_rounds / seconds;
}

// sum += |a - b| with everything in registers: the ceiling of a Manhattan distance.
template <class Vector, class Bits, class Scalar, class BitScalar>
double absolute_differences(BitScalar all_but_sign) {
    Vector accumulators[n_accumulators], a[n_accumulators];
    for (int i = 0; i < n_accumulators; ++i) {
        accumulators[i] = Vector{};
        a[i] = Vector{} + Scalar(0.1) * Scalar(i);
        OPAQUE(a[i]);
    }
    Vector b = Vector{} + Scalar(0.37);
    const Bits mask = Bits{} + all_but_sign;
    const long rounds = n_rounds / 4;
    const double seconds = best_seconds([&] {
        for (long round = 0; round < rounds; ++round) {
            OPAQUE(b);
#pragma GCC unroll 12
            for (int i = 0; i < n_accumulators; ++i) {
                accumulators[i] += (Vector)((Bits)(a[i] - b) & mask);
            }
        }
        sink = first_sum(accumulators, n_accumulators);
    });
    return double(n_accumulators) * (sizeof(Vector) / sizeof(Scalar)) * rounds / seconds;
}

// Elementwise functions of 2048 numbers, which stay in the first-level cache.
constexpr int n_cached = 2048;

template <class Function>
double cached_rate(double lowest, double highest, Function&& function) {
    alignas(64) static double x[n_cached], y[n_cached];
    for (int i = 0; i < n_cached; ++i) x[i] = lowest + (highest - lowest) * i / n_cached;
    const int repeats = 5000;
    const double seconds = best_seconds([&] {
        for (int repeat = 0; repeat < repeats; ++repeat) {
            function(x, y);
            __asm__ volatile("" ::: "memory");
        }
    });
    sink = y[n_cached / 2];
    return double(n_cached) * repeats / seconds;
}

// e^x for |x| < 700: x = k ln 2 + r, Taylor polynomial of degree 12 in |r| <= ln 2 / 2
// (next term: 2e-16), k added to the exponent bits.
Doubles vector_exp(Doubles x) {
    constexpr double reciprocal_factorial[] = {1.0,
                                               1.0,
                                               1.0 / 2,
                                               1.0 / 6,
                                               1.0 / 24,
                                               1.0 / 120,
                                               1.0 / 720,
                                               1.0 / 5040,
                                               1.0 / 40320,
                                               1.0 / 362880,
                                               1.0 / 3628800,
                                               1.0 / 39916800,
                                               1.0 / 479001600};
    constexpr double shift = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer
    const Doubles shifted = x * 1.4426950408889634 + shift;
    const Doubles k = shifted - shift;
    // ln 2 in two parts, the first with 32 trailing zero bits, so that its product with k is exact
    const Doubles r = (x - k * 0x1.62e42fee00000p-1) - k * 0x1.a39ef35793c76p-33;
    Doubles sum = Doubles{} + reciprocal_factorial[12];
#pragma GCC unroll 12
    for (int i = 11; i >= 0; --i) sum = sum * r + reciprocal_factorial[i];
    return (Doubles)((Longs)sum + ((Longs)shifted << 52));
}

void exp_all(const double* x, double* y) {
    for (int i = 0; i < n_cached; i += vector_bytes / 8) {
        Doubles value;
        std::memcpy(&value, x + i, vector_bytes);
        value = vector_exp(value);
        std::memcpy(y + i, &value, vector_bytes);
    }
}

double exp_relative_error() {
    double worst = 0;
    alignas(64) double x[n_cached], y[n_cached];
    for (int i = 0; i < n_cached; ++i) x[i] = -40.0 + 40.0 * i / n_cached;
    exp_all(x, y);
    for (int i = 0; i < n_cached; ++i)
        worst = std::max(worst, std::fabs(y[i] / std::exp(x[i]) - 1));
    return worst;
}

// Memory: arrays far larger than any cache.
constexpr long n_streamed = 64L * 1024 * 1024;  // doubles, 512 MiB

struct Bandwidth {
    double read, write, stream, copy;  // bytes per second
};

void stream_store(double* target, double value) {
#if defined(__SSE2__)
    for (int i = 0; i < 8; i += 2) _mm_stream_pd(target + i, _mm_set1_pd(value));
#else
    for (int i = 0; i < 8; ++i) target[i] = value;
#endif
}

// Four independent sums: one would wait for the adder, not for the memory.
double vector_sum(const double* numbers, long n) {
    constexpr int lanes = vector_bytes / 8;
    Doubles sums[4] = {};
    for (long i = 0; i < n; i += 4 * lanes) {
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
            Doubles part;
            std::memcpy(&part, numbers + i + k * lanes, vector_bytes);
            sums[k] += part;
        }
    }
    return first_sum(sums, 4);
}

Bandwidth bandwidth(double* a, double* b, int n_threads) {
    Bandwidth result{};
    const double bytes = 8.0 * n_streamed;
    const long block = 1L << 16;
    result.read = bytes / best_seconds(
                              [&] {
                                  double total = 0;
#pragma omp parallel for num_threads(n_threads) schedule(static) reduction(+ : total)
                                  for (long i = 0; i < n_streamed; i += block)
                                      total += vector_sum(a + i, block);
                                  sink = total;
                              },
                              4);
    result.write = bytes / best_seconds(
                               [&] {
#pragma omp parallel for num_threads(n_threads) schedule(static)
                                   for (long i = 0; i < n_streamed; ++i) a[i] = n_threads;
                               },
                               4);
    result.stream = bytes / best_seconds(
                                [&] {
#pragma omp parallel for num_threads(n_threads) schedule(static)
                                    for (long i = 0; i < n_streamed; i += 8)
                                        stream_store(a + i, 1.5);
                                },
                                4);
    result.copy = 2 * bytes /
                  best_seconds(
                      [&] {
#pragma omp parallel for num_threads(n_threads) schedule(static)
                          for (long i = 0; i < n_streamed; ++i) b[i] = a[i];
                      },
                      4);
    return result;
}

// Every byte of a new mapping written once, with the given advice about huge pages.
double first_touch(int advice) {
    const size_t bytes = size_t(256) << 20;
    double best = 1e300;
    for (int trial = 0; trial < 4; ++trial) {
        void* memory =
            mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return 0;
#if defined(__linux__)
        if (madvise(memory, bytes, advice) != 0) {
            munmap(memory, bytes);
            return 0;
        }
#endif
        double* numbers = static_cast<double*>(memory);
        const auto start = std::chrono::steady_clock::now();
        for (size_t i = 0; i < bytes / 8; ++i) numbers[i] = 1.5;
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
        sink = numbers[bytes / 16];
        best = std::min(best, elapsed.count());
        munmap(memory, bytes);
    }
    return bytes / best;
}

void print(const char* name, double value, const char* end = ",\n") {
    std::printf("  \"%s\": %.6g%s", name, value, end);
}

int available_threads() {
#if defined(_OPENMP)
    return omp_get_max_threads();
#else
    return 1;
#endif
}

}  // namespace

int main() {
    std::printf("{\n");
    print("vector_bytes", vector_bytes);
    print("float64_multiply_add_flops", multiply_add_flops<Doubles, double>());
    print("float32_multiply_add_flops", multiply_add_flops<Floats, float>());
    print("float64_absolute_differences",
          absolute_differences<Doubles, Longs, double>(INT64_C(0x7fffffffffffffff)));
    print("float32_absolute_differences",
          absolute_differences<Floats, Ints, float>(INT32_C(0x7fffffff)));
    print("float64_exp", cached_rate(-40.0, 0.0, exp_all));
    print("float64_exp_relative_error", exp_relative_error());
    print("float64_exp_one_by_one", cached_rate(-40.0, 0.0, [](const double* x, double* y) {
              for (int i = 0; i < n_cached; ++i) y[i] = std::exp(x[i]);
          }));
    print("float64_sqrt", cached_rate(1.0, 9.0, [](const double* x, double* y) {
              for (int i = 0; i < n_cached; ++i) y[i] = std::sqrt(x[i]);
          }));
    print("float64_divide", cached_rate(1.0, 9.0, [](const double* x, double* y) {
              for (int i = 0; i < n_cached; ++i) y[i] = 1.0 / x[i];
          }));
    const std::unique_ptr<double[]> a(new double[n_streamed]), b(new double[n_streamed]);
    std::fill_n(a.get(), n_streamed, 1.0);
    std::fill_n(b.get(), n_streamed, 2.0);
    const int threads = available_threads();
    for (const int n_threads : {1, threads}) {
        const Bandwidth found = bandwidth(a.get(), b.get(), n_threads);
        const char* suffix = n_threads == 1 ? "one_thread" : "all_threads";
        std::printf("  \"read_%s\": %.6g,\n  \"write_%s\": %.6g,\n", suffix, found.read, suffix,
                    found.write);
        std::printf("  \"stream_%s\": %.6g,\n  \"copy_%s\": %.6g,\n", suffix, found.stream, suffix,
                    found.copy);
        if (threads == 1) break;
    }
#if defined(__linux__)
    print("first_touch_small_pages", first_touch(MADV_NOHUGEPAGE));
    print("first_touch_huge_pages", first_touch(MADV_HUGEPAGE));
#else
    print("first_touch_small_pages", first_touch(0));
#endif
    print("threads", threads, "\n}\n");
    return 0;
}
