// What is known of a batch without its positions, copied to the device once: 24 bytes an atom.

#include <algorithm>

#include "cuda/each.hpp"
#include "cuda/grid.hpp"
#include "cuda/neighbors.hpp"

namespace molkern::cuda {
namespace {

// The structures that need bins, on the host.
struct HostGrids {
    explicit HostGrids(const Composition& of)
        : grid_of(static_cast<std::size_t>(of.n_structures), -1), first_entry{0} {
        const double none[9] = {};
        for (std::int64_t m = 0; m < of.n_structures; ++m) {
            const std::int64_t n = of.offsets[m + 1] - of.offsets[m];
            Grid g{};
            for (int k = 0; k < 3; ++k)
                g.bins.periodic[k] = of.periodic != nullptr && of.periodic[3 * m + k];
            const bool repeats = g.bins.periodic[0] || g.bins.periodic[1] || g.bins.periodic[2];
            if (n == 0 || (!repeats && n < cell::large)) continue;
            g.structure = m;
            g.first_atom = of.offsets[m];
            g.n_atoms = n;
            g.first_bin = n_bins;
            cell::complete(of.vectors == nullptr ? none : of.vectors + 9 * m, g.bins.periodic,
                           g.vectors);
            cell::reciprocal(g.vectors, g.inverse);
            grid_of[static_cast<std::size_t>(m)] = static_cast<std::int64_t>(all.size());
            all.push_back(g);
            n_bins += cell::most_bins(n);
            first_entry.push_back(first_entry.back() + n);
        }
    }

    std::vector<Grid> all;
    std::vector<std::int64_t> grid_of, first_entry;
    std::int64_t n_bins = 0;
};

// The first centre of each structure, and behind the last their number.
std::vector<std::int64_t> first_centers_of(const Composition& of) {
    std::vector<std::int64_t> first(of.offsets, of.offsets + of.n_structures + 1);
    if (of.centers != nullptr)
        for (std::int64_t& at : first)
            at = std::lower_bound(of.centers, of.centers + of.n_centers, at) - of.centers;
    return first;
}

// The atom, the structure and the species of each centre.
struct ListCenters {
    const std::int64_t *rows, *first_centers;
    std::int64_t n_structures;
    const std::int32_t* kinds;
    std::int64_t *center, *structure;
    std::int32_t* center_kinds;
    MOLKERN_DEVICE void operator()(std::int64_t c) const {
        const std::int64_t atom = rows == nullptr ? c : rows[c];
        center[c] = atom;
        structure[c] = last_not_above(first_centers, n_structures, c);
        center_kinds[c] = kinds[atom];
    }
};

}  // namespace

Surroundings::Surroundings(const Composition& of, Stream stream)
    : n_atoms(of.n_atoms()),
      n_structures(of.n_structures),
      n_centers(of.n_centers),
      n_species(of.n_species),
      r_cut(of.r_cut),
      device(current_device()),
      host_first_centers(first_centers_of(of)) {
    const HostGrids host(of);
    n_grids = static_cast<std::int64_t>(host.all.size());
    n_entries = host.first_entry.back();
    n_bins = host.n_bins;
    offsets = uploaded(of.offsets, n_structures + 1, stream, true);
    kinds = uploaded(of.kinds, n_atoms, stream, true);
    first_centers = uploaded(host_first_centers.data(), n_structures + 1, stream, true);
    grid_of = uploaded(host.grid_of.data(), n_grids == 0 ? 0 : n_structures, stream, true);
    grids = uploaded(host.all.data(), n_grids, stream, true);
    first_entry = uploaded(host.first_entry.data(), n_grids + 1, stream, true);
    center = Buffer<std::int64_t>(n_centers, stream, true);
    structure = Buffer<std::int64_t>(n_centers, stream, true);
    center_kinds = Buffer<std::int32_t>(n_centers, stream, true);
    const auto rows = uploaded(of.centers, of.centers == nullptr ? 0 : n_centers, stream);
    launch_each(ListCenters{of.centers == nullptr ? nullptr : rows.data(), first_centers.data(),
                            n_structures, kinds.data(), center.data(), structure.data(),
                            center_kinds.data()},
                n_centers, stream);
    synchronize(stream);
}

}  // namespace molkern::cuda
