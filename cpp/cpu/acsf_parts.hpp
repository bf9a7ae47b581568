// What values and derivatives of atom-centred symmetry functions share: the neighbours of a centre
// with their cutoffs, and pairs of neighbours, packed so that no lane is empty.
#pragma once

#include <cmath>

#include "core/acsf_functions.hpp"
#include "core/cutoff_functions.hpp"
#include "core/exp.hpp"
#include "core/simd.hpp"
#include "core/sums.hpp"
#include "molkern/acsf.hpp"
#include "molkern/local.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {
namespace acsf {

constexpr std::size_t width = lanes<double>;
using V = Vector<double>;

// Pairs that are worked on at a time: their tables stay in the first-level cache.
constexpr std::size_t most_pairs = 128;
// Vectors are stored at any place, and run over.
constexpr std::size_t pair_room = most_pairs + 8;

/// Hands out parts of the scratch, aligned.
class Scratch {
  public:
    explicit Scratch(double* from) noexcept
        : next_(from + (64 - reinterpret_cast<std::uintptr_t>(from) % 64) / sizeof(double) % 8) {}

    double* take(std::size_t n) noexcept {
        double* taken = next_;
        next_ += padded(n);
        return taken;
    }

  private:
    double* next_;
};

/// Neighbours, each array [room] with room = padded(n) + 8: pairs start at any of them.
///
/// cutoff, slope   fc(r), d fc / d(r^2)
struct Neighbors {
    std::size_t n, room;
    double *x, *y, *z, *r2, *inverse_r, *cutoff, *slope;
};

constexpr std::size_t neighbor_arrays = 7;

template <bool derivative>
Neighbors read_neighbors(const AcsfParameters& p, const Center& center, Scratch& scratch) noexcept {
    const std::size_t room = padded(center.n) + 8;
    Neighbors nb{center.n,           room,
                 scratch.take(room), scratch.take(room),
                 scratch.take(room), scratch.take(room),
                 scratch.take(room), scratch.take(room),
                 scratch.take(room)};
    const double inverse_r2_cut = 1 / (p.r_cut * p.r_cut);
    for (std::size_t k = 0; k < padded(center.n); k += width) {
        const V r = load(center.distance + k), r2 = r * r;
        const CutoffValue c = cutoff<derivative>(p.cutoff, r2, inverse_r2_cut);
        store(nb.x + k, load(center.x + k));
        store(nb.y + k, load(center.y + k));
        store(nb.z + k, load(center.z + k));
        store(nb.r2 + k, r2);
        store(nb.inverse_r + k, inverse_sqrt(r2));
        store(nb.cutoff + k, c.value);
        store(nb.slope + k, c.slope);
    }
    // Numbers beyond the end meet real ones in vectors, without effect.
    double* arrays[] = {nb.x, nb.y, nb.z, nb.r2, nb.inverse_r, nb.cutoff, nb.slope};
    for (double* a : arrays)
        for (std::size_t k = padded(center.n); k < room; k += width) store(a + k, V{});
    return nb;
}

/// Pairs of neighbour j with neighbours k, k + 1, ... k + n - 1.
struct Run {
    std::size_t j, k, n;
};

/// Pairs begin .. end - 1, those of the species a <= b, and their runs.
struct Segment {
    std::size_t a, b, begin, end, first_run, last_run;
};

/// Some pairs, one after the other.
struct Runs {
    Run run[most_pairs];
    Segment segment[most_pairs];
    std::size_t n_runs, n_segments, n_pairs;
};

/// Goes over all pairs of neighbours, ordered by their species.
class Walk {
  public:
    Walk(const std::size_t* begin, std::size_t n_species) noexcept
        : begin_(begin), n_species_(n_species) {
        enter();
    }

    /// The next most_pairs pairs, or what is left of them; false if nothing is.
    bool next(Runs& runs) noexcept {
        std::size_t n_runs = 0, n_segments = 0, total = 0;
        while (b_ < n_species_ && total < most_pairs) {
            const std::size_t first_run = n_runs, begin = total;
            while (j_ < j_end_ && total < most_pairs) {
                const std::size_t left = k_end_ - k_, free = most_pairs - total;
                const std::size_t n = left < free ? left : free;
                if (n > 0) runs.run[n_runs++] = {j_, k_, n};
                total += n;
                k_ += n;
                if (k_ == k_end_) next_row();
            }
            if (total > begin)
                runs.segment[n_segments++] = {a_, b_, begin, total, first_run, n_runs};
            if (j_ < j_end_) continue;
            if (++a_ > b_) {
                a_ = 0;
                ++b_;
            }
            if (b_ < n_species_) enter();
        }
        runs.n_runs = n_runs;
        runs.n_segments = n_segments;
        runs.n_pairs = total;
        return total > 0;
    }

  private:
    // The longer range becomes the vectors.
    void enter() noexcept {
        const bool swap = begin_[a_ + 1] - begin_[a_] > begin_[b_ + 1] - begin_[b_];
        const std::size_t outer = swap ? b_ : a_, inner = swap ? a_ : b_;
        j_ = begin_[outer];
        j_end_ = begin_[inner] == begin_[inner + 1] ? j_ : begin_[outer + 1];
        k_begin_ = begin_[inner];
        k_end_ = begin_[inner + 1];
        k_ = a_ == b_ ? j_ + 1 : k_begin_;
    }

    void next_row() noexcept {
        ++j_;
        k_ = a_ == b_ ? j_ + 1 : k_begin_;
    }

    const std::size_t* begin_;
    std::size_t n_species_, a_ = 0, b_ = 0;
    std::size_t j_ = 0, j_end_ = 0, k_begin_ = 0, k_end_ = 0, k_ = 0;
};

/// Pairs, each array [pair_room].
///
/// r2        r_jk^2
/// sum       r_j^2 + r_k^2
/// cosine    of the angle at the centre
/// product   2 fc(r_j) fc(r_k)
struct Pairs {
    double *r2, *sum, *cosine, *product;
};

constexpr std::size_t pair_arrays = 4;

inline Pairs pairs_in(Scratch& scratch) noexcept {
    return {scratch.take(pair_room), scratch.take(pair_room), scratch.take(pair_room),
            scratch.take(pair_room)};
}

inline void pack(const Neighbors& nb, const Runs& runs, double r2_cut, const Pairs& to) noexcept {
    std::size_t place = 0;
    for (std::size_t r = 0; r < runs.n_runs; ++r) {
        const auto [j, first, n] = runs.run[r];
        const V x = broadcast(nb.x[j]), y = broadcast(nb.y[j]), z = broadcast(nb.z[j]);
        const V r2 = broadcast(nb.r2[j]), inverse = broadcast(nb.inverse_r[j]);
        const V twice = broadcast(2 * nb.cutoff[j]);
        // The next run overwrites what the last vector of this one leaves behind its end.
        for (std::size_t e = 0; e < n; e += width) {
            const std::size_t k = first + e, at = place + e;
            const V xk = load(nb.x + k), yk = load(nb.y + k), zk = load(nb.z + k);
            const V dx = xk - x, dy = yk - y, dz = zk - z;
            store(to.r2 + at, dx * dx + dy * dy + dz * dz);
            store(to.sum + at, r2 + load(nb.r2 + k));
            store(to.cosine + at, (x * xk + y * yk + z * zk) * (inverse * load(nb.inverse_r + k)));
            store(to.product + at, twice * load(nb.cutoff + k));
        }
        place += n;
    }
    for (std::size_t e = 0; e < 8; e += width) {
        store(to.r2 + place + e, broadcast(r2_cut));
        store(to.sum + place + e, V{});
        store(to.cosine + place + e, V{});
        store(to.product + place + e, V{});
    }
}

/// Exponentials of pairs e .. e + width - 1: to + i * pair_room for exponential i.
inline void exponentials(const AcsfParameters& p, const Pairs& pairs, std::size_t e,
                         double* to) noexcept {
    const V open = load(pairs.sum + e), closed = open + load(pairs.r2 + e);
    for (std::size_t i = 0; i < p.n_exponentials; ++i) {
        const AcsfExponential& x = p.exponentials[i];
        const V value = x.power == 0
                            ? exp2_product(x.closed ? closed : open, broadcast(-log2_e * x.eta))
                            : whole_power(load(to + x.base * pair_room + e), x.power);
        store(to + i * pair_room + e, value);
    }
}

/// ((1 + lambda cos) / 2)^zeta of pairs e .. e + width - 1 and, if wanted, its derivative by cos:
/// values + c * pair_room for angle c.
template <bool derivative>
void angles(const AcsfParameters& p, const Pairs& pairs, std::size_t e, double* values,
            double* slopes) noexcept {
    const V cosine = load(pairs.cosine + e);
    for (std::size_t c = 0; c < p.n_angles; ++c) {
        const AngleFactor f = angle_factor<derivative>(p.angles[c], cosine);
        store(values + c * pair_room + e, f.value);
        if (derivative) store(slopes + c * pair_room + e, f.slope);
    }
}

inline std::size_t angular_begin(const AcsfParameters& p, std::size_t a, std::size_t b) noexcept {
    return p.n_species * p.n_radial + (b * (b + 1) / 2 + a) * p.n_angular;
}

}  // namespace acsf

void acsf_vjp(const void* parameters, const Center& center, const double* cotangent,
              double* scratch, double* gx, double* gy, double* gz) noexcept;
void acsf_jacobian(const void* parameters, const Center& center, double* scratch, double* rows,
                   const BlockSink& sink) noexcept;
}  // namespace MOLKERN_ISA
}  // namespace molkern
