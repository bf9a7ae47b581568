// Pairs of neighbours of a centre, for the files of the atomic environment vectors.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/aev_functions.hpp"
#include "core/inverse_sqrt.hpp"
#include "core/power.hpp"
#include "core/simd.hpp"
#include "molkern/aev.hpp"
#include "molkern/local.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

constexpr std::size_t width = lanes<double>;
using V = Vector<double>;

// Sums over the pairs of a neighbour k that its gradient needs: 2 f(r_j) S, w S' / 2, and
// 0.95 w dS/dcos times the unit vector of j.
constexpr std::size_t aev_sums = 5;

// Pairs kept at a time; their factors stay in the first two levels of cache.
constexpr std::size_t most_pairs = 256;
constexpr std::size_t pairs_capacity = most_pairs + 16;
constexpr std::size_t most_segments = 64;

/// Doubles of an array of n that vectors may read and write beyond its end.
inline std::size_t room(std::size_t n) noexcept {
    return padded(n) + 8;
}

/// The next address that no vector straddles a cache line from.
inline double* aligned(double* p) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(p);
    return p + (vector_bytes - address % vector_bytes) % vector_bytes / sizeof(double);
}

/// Neighbours within the angular cutoff, ordered by species.
///
/// begin             [n_species + 1]
/// index             [n]   among all neighbours
/// x, y, z           [n]   unit vectors
/// r, inverse        [n]   distance and 1 / distance
/// cutoff, slope     [n]   cutoff function and its derivative
struct Near {
    std::size_t* begin;
    std::int64_t* index;
    double *x, *y, *z, *r, *inverse, *cutoff, *slope;

    static std::size_t size(const AevParameters& p, std::size_t most) noexcept {
        return room(p.n_species + 1) + 8 * room(most);
    }
};

/// Takes its room from `free` and moves it behind.
inline Near nearby(const AevParameters& p, const Center& center, double*& free) noexcept {
    const auto take = [&](std::size_t n) {
        double* taken = free;
        free += room(n);
        return taken;
    };
    const Near near{reinterpret_cast<std::size_t*>(take(p.n_species + 1)),
                    reinterpret_cast<std::int64_t*>(take(center.n)),
                    take(center.n),
                    take(center.n),
                    take(center.n),
                    take(center.n),
                    take(center.n),
                    take(center.n),
                    take(center.n)};
    std::size_t n = 0;
    for (std::size_t s = 0; s < p.n_species; ++s) {
        near.begin[s] = n;
        for (std::size_t j = center.begin[s]; j < center.begin[s + 1]; ++j) {
            near.index[n] = static_cast<std::int64_t>(j);
            near.x[n] = center.x[j];
            near.y[n] = center.y[j];
            near.z[n] = center.z[j];
            near.r[n] = center.distance[j];
            n += center.distance[j] < p.angular_r_cut;
        }
    }
    near.begin[p.n_species] = n;
    // What vectors read beyond the end are numbers.
    for (std::size_t j = n; j < n + 8; ++j)
        near.x[j] = near.y[j] = near.z[j] = near.r[j] = p.angular_r_cut;
    for (std::size_t j = 0; j < n + 8; j += width) {
        const V r = load(near.r + j), inverse = 1.0 / r;
        const CutoffOfDistance f = cosine_cutoff(r, p.angular_r_cut);
        store(near.inverse + j, inverse);
        store(near.x + j, load(near.x + j) * inverse);
        store(near.y + j, load(near.y + j) * inverse);
        store(near.z + j, load(near.z + j) * inverse);
        store(near.cutoff + j, f.value);
        store(near.slope + j, f.derivative);
    }
    return near;
}

/// Pairs begin .. end - 1 are of two species whose block of features begins at `feature`.
struct Segment {
    std::size_t feature, begin, end;
};

/// Pairs of neighbours; after the last one follow pairs of weight 0 up to a whole vector.
///
/// cosine          cos(theta), with cosine_factor
/// sine            sin(theta), room for it
/// mean            (r_j + r_k) / 2
/// weight          2 f(r_j) f(r_k)
/// first, second   rows j and k of Near
struct Pairs {
    double *cosine, *sine, *mean, *weight;
    std::int64_t *first, *second;
    std::size_t n = 0, n_segments = 0;
    Segment segments[most_segments];

    static constexpr std::size_t size() noexcept { return 6 * pairs_capacity; }

    /// Takes its room from `free` and moves it behind.
    explicit Pairs(double*& free) noexcept
        : cosine(free),
          sine(free + pairs_capacity),
          mean(free + 2 * pairs_capacity),
          weight(free + 3 * pairs_capacity),
          first(reinterpret_cast<std::int64_t*>(free + 4 * pairs_capacity)),
          second(reinterpret_cast<std::int64_t*>(free + 5 * pairs_capacity)) {
        free += size();
    }

    /// Neighbour j with k .. k + count - 1, count <= width.
    template <bool with_rows>
    void append(const Near& near, std::size_t j, std::size_t k, std::size_t count) noexcept {
        const V dot = near.x[j] * load(near.x + k) + near.y[j] * load(near.y + k) +
                      near.z[j] * load(near.z + k);
        store(cosine + n, cosine_factor * dot);
        store(mean + n, 0.5 * (near.r[j] + load(near.r + k)));
        store(weight + n, (2 * near.cutoff[j]) * load(near.cutoff + k));
        for (std::size_t l = 0; with_rows && l < width; ++l) {
            first[n + l] = static_cast<std::int64_t>(j);
            second[n + l] = static_cast<std::int64_t>(k + l);
        }
        n += count;
    }

    /// Overwrites what vectors left behind the last pair.
    void fill() noexcept {
        store(cosine + n, V{});
        store(mean + n, V{});
        store(weight + n, V{});
    }
};

/// Calls consume() for the pairs j < k of all species, as often as they fill `pairs`. Segments
/// begin at multiples of the vector's length, and rows are known, if `separate`.
template <bool separate, typename Consume>
inline void for_pairs(const AevParameters& p, const Near& near, Pairs& pairs,
                      const Consume& consume) noexcept {
    const std::size_t size = p.n_angular_shifts * p.n_sections;
    const auto close = [&] {
        Segment& segment = pairs.segments[pairs.n_segments];
        segment.end = pairs.n;
        if (segment.begin == segment.end) return;
        ++pairs.n_segments;
        pairs.fill();
        if (separate) pairs.n = (pairs.n + width - 1) / width * width;
    };
    const auto flush = [&] {
        if (pairs.n_segments > 0) consume();
        pairs.n = pairs.n_segments = 0;
    };
    for (std::size_t a = 0; a < p.n_species; ++a) {
        if (near.begin[a] == near.begin[a + 1]) continue;
        for (std::size_t b = a; b < p.n_species; ++b) {
            if (near.begin[b] == near.begin[b + 1]) continue;
            const std::size_t low = p.place[a] < p.place[b] ? p.place[a] : p.place[b];
            const std::size_t high = p.place[a] + p.place[b] - low;
            const std::size_t block = low * p.n_species - low * (low + 1) / 2 + high;
            const std::size_t feature = p.n_species * p.n_shifts + block * size;
            if (pairs.n_segments == most_segments) flush();
            pairs.segments[pairs.n_segments] = {feature, pairs.n, pairs.n};
            for (std::size_t j = near.begin[a]; j < near.begin[a + 1]; ++j) {
                const std::size_t end = a == b ? j : near.begin[b + 1];
                for (std::size_t k = near.begin[b]; k < end; k += width) {
                    if (pairs.n + width > most_pairs) {
                        close();
                        flush();
                        pairs.segments[0] = {feature, 0, 0};
                    }
                    pairs.append<separate>(near, j, k, end - k < width ? end - k : width);
                }
            }
            close();
        }
    }
    flush();
}

void aev_vjp(const void* parameters, const Center& center, const double* cotangent, double* scratch,
             double* gx, double* gy, double* gz) noexcept;
void aev_jacobian(const void* parameters, const Center& center, double* scratch, double* values,
                  const BlockSink& sink) noexcept;

}  // namespace MOLKERN_ISA
}  // namespace molkern
