// Neighbours of centres, a thread for each centre, which looks at all atoms of a small structure or
// at the bins around it, twice: to count, and to write. The order is that of the host.
//
// Floor: 44 bytes written for each pair. Candidates are read from the caches: 2 x 8 operations and
// a square root for each, some 340 in the 27 bins of a condensed phase for 50 neighbours. Counted
// for sm_90: 70 instructions a candidate to count, 115 to write.

#include "cuda/neighbors.hpp"

#include <cmath>

#include "cuda/each.hpp"
#include "cuda/grid.hpp"

namespace molkern::cuda {

namespace {

constexpr std::int64_t nobody = INT64_MAX;

// What is known about a batch, on the device. Atoms of grids, "entries", come one grid after
// another.
//
// offsets      [n_structures + 1]
// grid_of      [n_structures]       or -1
// first_entry  [n_grids + 1]
// position     [n_entries, 3]       wrapped
// place        [n_entries, 3]       bin along each axis
// bin          [n_entries]          among those of all grids
// bin_begin    [n_bins + 1]         first entry of each bin among `in_bins`
// in_bins      [n_entries]          entries, bin after bin
// flags        [2]                  the first structure that is wrong; minus the most neighbours
struct Search {
    const double* positions;
    const std::int32_t* kinds;
    const std::int64_t* offsets;
    std::int64_t n_structures, n_species, n_grids;
    const std::int64_t* grid_of;
    Grid* grids;
    const std::int64_t* first_entry;
    double* position;
    std::int32_t* place;
    std::int64_t* bin;
    const std::int64_t *bin_begin, *in_bins;
    double r_cut;
    std::int64_t* flags;

    // Fraction of an atom along an axis, and the whole vectors that were taken off.
    MOLKERN_DEVICE double fraction(const Grid& g, std::int64_t atom, int k,
                                   double& whole) const noexcept {
        double value = cell::dot(g.inverse + 3 * k, positions + 3 * atom);
        whole = 0;
        if (!g.bins.periodic[k]) return value;
        whole = std::floor(value);
        // Farther away the differences of shifts are no 32-bit integers.
        if (!(std::abs(value) < 1e9)) {
            atomic_min(flags, g.structure);
            whole = value = 0;
        }
        return value - whole;
    }
};

struct CheckAtoms {
    Search s;
    MOLKERN_DEVICE void operator()(std::int64_t i) const {
        const double* r = s.positions + 3 * i;
        const bool finite = std::abs(r[0]) < farthest_position &&
                            std::abs(r[1]) < farthest_position &&
                            std::abs(r[2]) < farthest_position;
        if (!finite) atomic_min(s.flags, last_not_above(s.offsets, s.n_structures, i));
    }
};

// Bins of a structure, a block for each.
struct DivideKernel {
    static constexpr unsigned n_threads = 256;
    Search s;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        Grid& g = s.grids[block.index()];
        auto* low = block.template shared<double>(3 * n_threads);
        auto* high = block.template shared<double>(3 * n_threads);
        block.each_thread([&](unsigned t) {
            for (int k = 0; k < 3; ++k) {
                double least = INFINITY, most = -INFINITY, whole;
                for (std::int64_t i = t; i < g.n_atoms; i += n_threads) {
                    const double value = s.fraction(g, g.first_atom + i, k, whole);
                    least = value < least ? value : least;
                    most = value > most ? value : most;
                }
                low[3 * t + static_cast<unsigned>(k)] = least;
                high[3 * t + static_cast<unsigned>(k)] = most;
            }
        });
        block.for_each(1, [&](std::int64_t) {
            for (unsigned k = 0; k < 3; ++k) {
                double least = INFINITY, most = -INFINITY;
#pragma unroll 1
                for (unsigned t = 0; t < n_threads; ++t) {
                    least = low[3 * t + k] < least ? low[3 * t + k] : least;
                    most = high[3 * t + k] > most ? high[3 * t + k] : most;
                }
                const bool periodic = g.bins.periodic[k];
                g.low[k] = periodic ? 0 : least;
                g.extent[k] = periodic ? 1 : most - least;
            }
            g.bins = cell::divided(g.inverse, g.extent, g.bins.periodic, g.n_atoms, s.r_cut);
        });
    }
};

struct PutInBins {
    Search s;
    MOLKERN_DEVICE void operator()(std::int64_t e) const {
        const std::int64_t at = last_not_above(s.first_entry, s.n_grids, e);
        const Grid& g = s.grids[at];
        const std::int64_t atom = g.first_atom + e - s.first_entry[at];
        double moved[3];
        for (int c = 0; c < 3; ++c) moved[c] = s.positions[3 * atom + c];
        std::int32_t* b = s.place + 3 * e;
        for (int k = 0; k < 3; ++k) {
            double whole;
            const double value = s.fraction(g, atom, k, whole);
            b[k] = cell::bin_along(value, g.low[k], g.extent[k], g.bins.n[k]);
            for (int c = 0; c < 3; ++c) moved[c] -= whole * g.vectors[3 * k + c];
        }
        for (int c = 0; c < 3; ++c) s.position[3 * e + c] = moved[c];
        s.bin[e] = g.first_bin + cell::bin_of(g.bins, b[0], b[1], b[2]);
    }
};

// Calls visit(atom, x, y, z, distance) for the neighbours of an atom.
template <typename Visit>
MOLKERN_DEVICE inline void visit_all(const Search& s, std::int64_t m, std::int64_t atom,
                                     const Visit& visit) {
    const double own[3] = {s.positions[3 * atom], s.positions[3 * atom + 1],
                           s.positions[3 * atom + 2]};
    const std::int64_t begin = s.offsets[m], end = s.offsets[m + 1];
    const double* r = s.positions + 3 * begin;
    for (std::int64_t j = begin; j < end; ++j, r += 3) {
        const double x = r[0] - own[0], y = r[1] - own[1], z = r[2] - own[2];
        const double d = std::sqrt(x * x + y * y + z * z);
        if (d < s.r_cut && j != atom) visit(j, x, y, z, d);
    }
}

template <typename Visit>
MOLKERN_DEVICE inline void visit_bins(const Search& s, std::int64_t at, std::int64_t atom,
                                      const Visit& visit) {
    const Grid& g = s.grids[at];
    const std::int64_t first = s.first_entry[at], own = first + atom - g.first_atom;
    const double center[3] = {s.position[3 * own], s.position[3 * own + 1],
                              s.position[3 * own + 2]};
    cell::around(g.bins, s.place + 3 * own, [&](std::int64_t bin, const std::int32_t* image) {
        double offset[3] = {0, 0, 0};
        for (int c = 0; c < 3; ++c)
            for (int k = 0; k < 3; ++k) offset[c] += image[k] * g.vectors[3 * k + c];
        const bool home = image[0] == 0 && image[1] == 0 && image[2] == 0;
        const std::int64_t b = g.first_bin + bin;
        const std::int64_t end = s.bin_begin[b + 1];
        for (std::int64_t k = s.bin_begin[b]; k < end; ++k) {
            const std::int64_t e = s.in_bins[k];
            const double* r = s.position + 3 * e;
            // In this order rounding gives the opposite vector for the other order of the pair:
            // both are within the cutoff, or none.
            const double x = r[0] - center[0] + offset[0], y = r[1] - center[1] + offset[1],
                         z = r[2] - center[2] + offset[2];
            const double d = std::sqrt(x * x + y * y + z * z);
            if (d < s.r_cut && !(home && e == own)) visit(g.first_atom + e - first, x, y, z, d);
        }
    });
}

template <typename Visit>
MOLKERN_DEVICE inline void visit_neighbors(const Search& s, std::int64_t m, std::int64_t atom,
                                           const Visit& visit) {
    const std::int64_t grid = s.n_grids == 0 ? -1 : s.grid_of[m];
    if (grid < 0)
        visit_all(s, m, atom, visit);
    else
        visit_bins(s, grid, atom, visit);
}

// counts [n_centers, n_species], cleared before.
struct CountNeighbors {
    Search s;
    const std::int64_t *center, *structure;
    std::int64_t* counts;
    MOLKERN_DEVICE void operator()(std::int64_t c) const {
        const std::int64_t m = structure[c];
        std::int64_t total = 0;
        double nearest = s.r_cut;
        visit_neighbors(s, m, center[c], [&](std::int64_t j, double, double, double, double d) {
            ++counts[c * s.n_species + s.kinds[j]];
            ++total;
            nearest = d < nearest ? d : nearest;
        });
        if (total > 0 && nearest < nearest_distance) atomic_min(s.flags, m);
        atomic_min(s.flags + 1, -total);
    }
};

// next [n_centers, n_species]: where the next neighbour of each species goes.
struct WriteNeighbors {
    Search s;
    const std::int64_t *center, *structure, *begin;
    std::int64_t *first, *next, *atom;
    std::int32_t* species;
    double *x, *y, *z, *distance;
    std::int64_t n_centers;
    MOLKERN_DEVICE void operator()(std::int64_t c) const {
        const std::int64_t own = c * s.n_species;
        first[c] = begin[own];
        if (c + 1 == n_centers) first[c + 1] = begin[own + s.n_species];
        for (std::int64_t k = 0; k < s.n_species; ++k) next[own + k] = begin[own + k];
        visit_neighbors(s, structure[c], center[c],
                        [&](std::int64_t j, double dx, double dy, double dz, double d) {
                            const std::int32_t kind = s.kinds[j];
                            const std::int64_t p = next[own + kind]++;
                            // Were a distance at the cutoff rounded otherwise than when counted.
                            if (p >= begin[own + kind + 1]) return;
                            atom[p] = j;
                            species[p] = kind;
                            x[p] = dx;
                            y[p] = dy;
                            z[p] = dz;
                            distance[p] = d;
                        });
    }
};

// The memory of a Search.
struct Prepared {
    Prepared(const Surroundings& of, const double* positions, Stream stream) {
        const std::int64_t none[2] = {nobody, 0};
        flags = uploaded(none, 2, stream);
        grids = Buffer<Grid>(of.n_grids, stream);
        copy(grids.data(), of.grids.data(), static_cast<std::size_t>(of.n_grids) * sizeof(Grid),
             stream);
        position = Buffer<double>(3 * of.n_entries, stream);
        place = Buffer<std::int32_t>(3 * of.n_entries, stream);
        bin = Buffer<std::int64_t>(of.n_entries, stream);
        search = {positions,         of.kinds.data(), of.offsets.data(),
                  of.n_structures,   of.n_species,    of.n_grids,
                  of.grid_of.data(), grids.data(),    of.first_entry.data(),
                  position.data(),   place.data(),    bin.data(),
                  nullptr,           nullptr,         of.r_cut,
                  flags.data()};
        launch_each(CheckAtoms{search}, of.n_atoms, stream);
        if (of.n_grids == 0) return;
        launch(DivideKernel{search}, of.n_grids, 6 * DivideKernel::n_threads * sizeof(double),
               stream);
        launch_each(PutInBins{search}, of.n_entries, stream);
        bins = group(bin.data(), of.n_entries, of.n_bins, stream);
        search.bin_begin = bins.begin.data();
        search.in_bins = bins.order.data();
    }

    Search search{};
    Buffer<std::int64_t> flags, bin;
    Buffer<Grid> grids;
    Buffer<double> position;
    Buffer<std::int32_t> place;
    Groups bins;
};

}  // namespace

FoundNeighbors::FoundNeighbors(const Surroundings& of, const double* positions, Stream stream) {
    const Prepared prepared(of, positions, stream);
    const Search& search = prepared.search;

    const std::int64_t n_counts = of.n_centers * of.n_species;
    begin_ = Buffer<std::int64_t>(n_counts + 1, stream);
    fill(begin_.data(), 0, static_cast<std::size_t>(n_counts + 1) * sizeof(std::int64_t), stream);
    launch_each(CountNeighbors{search, of.center.data(), of.structure.data(), begin_.data()},
                of.n_centers, stream);
    exclusive_scan(begin_.data(), n_counts + 1, stream);
    std::int64_t flags[2], n_pairs = 0;
    download(flags, search.flags, sizeof flags, stream);
    download(&n_pairs, begin_.data() + n_counts, sizeof n_pairs, stream);
    most = -flags[1];
    if (flags[0] != nobody) {
        coincident = static_cast<std::size_t>(flags[0]);
        return;
    }
    first_ = Buffer<std::int64_t>(of.n_centers + 1, stream);
    fill(first_.data(), 0, sizeof(std::int64_t), stream);  // of no centres at all
    atom_ = Buffer<std::int64_t>(n_pairs, stream);
    species_ = Buffer<std::int32_t>(n_pairs, stream);
    vectors_ = Buffer<double>(4 * n_pairs, stream);
    Buffer<std::int64_t> next(n_counts, stream);
    double* v = vectors_.data();
    launch_each(WriteNeighbors{search, of.center.data(), of.structure.data(), begin_.data(),
                               first_.data(), next.data(), atom_.data(), species_.data(), v,
                               v + n_pairs, v + 2 * n_pairs, v + 3 * n_pairs, of.n_centers},
                of.n_centers, stream);
    view_ = {of.n_centers,        of.n_species,          n_pairs,         first_.data(),
             begin_.data(),       species_.data(),       atom_.data(),    v,
             v + n_pairs,         v + 2 * n_pairs,       v + 3 * n_pairs, of.center.data(),
             of.structure.data(), of.center_kinds.data()};
}

}  // namespace molkern::cuda
