// Products of the features of a tile of atoms by a tile of atoms, by a block.
//
// A thread holds side x side products in registers; `depth` features of the rows and columns lie in
// shared memory, minus their means, twice: while these are added up the next ones are on their way,
// through registers. `depth` features cost a thread, counted for sm_90: in float 350 instructions,
// of which 264 are arithmetic; in double 390, of which 264, at half the rate.
#pragma once

#include "cuda/local_atoms.hpp"

namespace molkern::cuda {

template <typename Real>
struct TileProducts {
    static constexpr unsigned tile = 64, depth = 16;  // atoms; features at a time
    static constexpr unsigned stride = tile + 4;      // the padding keeps stores off one bank
    static constexpr unsigned side = 4, across = tile / side;  // outputs of a thread; threads
    static constexpr unsigned n_threads = across * across;

    // What a thread fetches at a time of the rows and of the columns: features that are `apart`
    // from each other, of atoms that are `step` apart.
    static constexpr unsigned apart = 8, step = n_threads / apart;
    static constexpr unsigned n_features = depth / apart, n_atoms = tile / step;
    struct Fetched {
        Real x[n_atoms][n_features], y[n_atoms][n_features];
    };

    /// What a thread keeps: where it fetches, and its products.
    struct Thread {
        const Real *x[n_atoms], *y[n_atoms], *centre;
        Real chunk[side][side];
        double total[side][side];
    };

    struct alignas(16) Four {
        Real v[4];
    };

    /// Of rows and of columns, twice.
    static constexpr unsigned size = depth * stride, n_shared = 4 * size;

    /// Products of rows of x by rows of y, which begin at x_starts and y_starts (in shared memory);
    /// `centre` are the means of n features, `shared` has room for n_shared numbers.
    template <typename Block>
    MOLKERN_DEVICE static void multiply(Block& block, const Real* x, const std::int64_t* x_starts,
                                        const Real* y, const std::int64_t* y_starts,
                                        const Real* centre, std::int64_t n, Real* shared,
                                        Local<Thread>& threads) {
        block.each_thread([&](unsigned thread) {
            Thread& mine = threads[thread];
            mine.centre = centre + thread % apart;
#pragma unroll
            for (unsigned q = 0; q < n_atoms; ++q) {
                const unsigned r = thread / apart + q * step;
                mine.x[q] = x + x_starts[r] + thread % apart;
                mine.y[q] = y + y_starts[r] + thread % apart;
            }
#pragma unroll
            for (unsigned i = 0; i < side; ++i)
#pragma unroll
                for (unsigned j = 0; j < side; ++j) mine.total[i][j] = mine.chunk[i][j] = 0;
            Fetched first;
            fetch(mine, n, thread, first);
            store(first, thread, shared);
        });
        unsigned here = 0, next = 2 * size;
        for (std::int64_t left = n; left > 0;) {
            const std::int64_t end = left < chunk_of_atoms<Real> ? 0 : left - chunk_of_atoms<Real>;
            for (; left > end; left -= depth) {
                block.each_thread([&](unsigned thread) {
                    Thread& mine = threads[thread];
                    Fetched coming;
                    fetch(mine, left - depth, thread, coming);
                    add(shared + here, shared + here + size, thread, mine.chunk);
                    store(coming, thread, shared + next);
                });
                here = 2 * size - here;
                next = 2 * size - next;
            }
            block.each_thread([&](unsigned thread) {
                Thread& mine = threads[thread];
#pragma unroll
                for (unsigned i = 0; i < side; ++i)
#pragma unroll
                    for (unsigned j = 0; j < side; ++j) {
                        mine.total[i][j] += static_cast<double>(mine.chunk[i][j]);
                        mine.chunk[i][j] = 0;
                    }
            });
        }
    }

  private:
    MOLKERN_DEVICE static void add(const Real* xs, const Real* ys, unsigned thread,
                                   Real (&sums)[side][side]) noexcept {
        const unsigned tx = thread % across, ty = thread / across;
#pragma unroll
        for (unsigned d = 0; d < depth; ++d) {
            const Four a = *reinterpret_cast<const Four*>(xs + d * stride + side * ty);
            const Four b = *reinterpret_cast<const Four*>(ys + d * stride + side * tx);
#pragma unroll
            for (unsigned i = 0; i < side; ++i)
#pragma unroll
                for (unsigned j = 0; j < side; ++j) sums[i][j] += a.v[i] * b.v[j];
        }
    }

    // The next features, of which there are `left`, minus their means; those beyond are 0.
    MOLKERN_DEVICE static void fetch(Thread& mine, std::int64_t left, unsigned thread,
                                     Fetched& to) noexcept {
#pragma unroll
        for (unsigned h = 0; h < n_features; ++h) {
            const bool there = thread % apart + h * apart < left;
            const Real mean = there ? mine.centre[h * apart] : Real{0};
#pragma unroll
            for (unsigned q = 0; q < n_atoms; ++q) {
                to.x[q][h] = there ? mine.x[q][h * apart] - mean : 0;
                to.y[q][h] = there ? mine.y[q][h * apart] - mean : 0;
            }
        }
#pragma unroll
        for (unsigned q = 0; q < n_atoms; ++q) {
            mine.x[q] += depth;
            mine.y[q] += depth;
        }
        mine.centre += depth;
    }

    MOLKERN_DEVICE static void store(const Fetched& values, unsigned thread, Real* to) noexcept {
        to += thread % apart * stride + thread / apart;
#pragma unroll
        for (unsigned h = 0; h < n_features; ++h)
#pragma unroll
            for (unsigned q = 0; q < n_atoms; ++q) {
                to[h * apart * stride + q * step] = values.x[q][h];
                to[(depth + h * apart) * stride + q * step] = values.y[q][h];
            }
    }
};

}  // namespace molkern::cuda
