#include "molkern/neighbors.hpp"

#include <algorithm>
#include <cmath>

namespace molkern {
namespace {

using namespace cell;

struct Fractions {
    std::vector<double> value;  // [n_atoms, 3]
    double low[3], extent[3];   // of the axes that are not periodic; 0 and 1 of the others
};

Fractions fractions(const double* positions, std::size_t n, const double* inverse,
                    const bool* periodic, std::int32_t* wrapped) {
    Fractions f{std::vector<double>(3 * n), {0, 0, 0}, {1, 1, 1}};
    for (int k = 0; k < 3; ++k) {
        double low = INFINITY, high = -INFINITY;
        for (std::size_t i = 0; i < n; ++i) {
            double& value = f.value[3 * i + static_cast<std::size_t>(k)];
            value = dot(inverse + 3 * k, positions + 3 * i);
            if (periodic[k]) {
                const double whole = std::floor(value);
                wrapped[3 * i + static_cast<std::size_t>(k)] = static_cast<std::int32_t>(whole);
                value -= whole;
            }
            low = std::min(low, value);
            high = std::max(high, value);
        }
        if (!periodic[k]) {
            f.low[k] = low;
            f.extent[k] = high - low;
        }
    }
    return f;
}

Grid make_grid(const double* positions, std::size_t n, const double* cell, const bool* periodic,
               double r_cut) {
    Grid grid{};
    complete(cell, periodic, grid.vectors);
    double inverse[9];
    reciprocal(grid.vectors, inverse);
    std::vector<std::int32_t> wrapped(3 * n);
    const Fractions f = fractions(positions, n, inverse, periodic, wrapped.data());
    grid.bins = divided(inverse, f.extent, periodic, static_cast<std::int64_t>(n), r_cut);

    const std::int64_t* n_along = grid.bins.n;
    const auto n_bins = static_cast<std::size_t>(n_along[0] * n_along[1] * n_along[2]);
    std::vector<std::size_t> home(n);
    std::vector<std::int32_t> bins(3 * n);
    grid.start.assign(n_bins + 1, 0);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t k = 0; k < 3; ++k)
            bins[3 * i + k] = bin_along(f.value[3 * i + k], f.low[k], f.extent[k], n_along[k]);
        const std::int32_t* b = bins.data() + 3 * i;
        home[i] = static_cast<std::size_t>(bin_of(grid.bins, b[0], b[1], b[2]));
        ++grid.start[home[i] + 1];
    }
    for (std::size_t b = 0; b < n_bins; ++b) grid.start[b + 1] += grid.start[b];
    std::vector<std::size_t> next(grid.start.begin(), grid.start.end() - 1);
    grid.atom.resize(n);
    grid.entry.resize(n);
    grid.wrapped.resize(3 * n);
    grid.position.resize(3 * n);
    grid.bin.resize(3 * n);
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t e = next[home[i]]++;
        grid.atom[e] = static_cast<std::int64_t>(i);
        grid.entry[i] = e;
        for (std::size_t c = 0; c < 3; ++c) {
            double value = positions[3 * i + c];
            for (std::size_t k = 0; k < 3; ++k)
                value -= wrapped[3 * i + k] * grid.vectors[3 * k + c];
            grid.position[3 * e + c] = value;
            grid.wrapped[3 * e + c] = wrapped[3 * i + c];
            grid.bin[3 * e + c] = bins[3 * i + c];
        }
    }
    return grid;
}

std::size_t most_around(const Grid& grid) {
    std::size_t most = 0;
    for (std::size_t b = 0; b + 1 < grid.start.size(); ++b) {
        if (grid.start[b] == grid.start[b + 1]) continue;
        std::size_t total = 0;
        around(grid.bins, grid.bin.data() + 3 * grid.start[b],
               [&](std::int64_t at, const std::int32_t*) {
                   const auto bin = static_cast<std::size_t>(at);
                   total += grid.start[bin + 1] - grid.start[bin];
               });
        most = std::max(most, total);
    }
    return most;
}

}  // namespace

double images_in_reach(const double* vectors, const bool* periodic, double r_cut) {
    double complete_vectors[9], inverse[9], images = 1;
    complete(vectors, periodic, complete_vectors);
    reciprocal(complete_vectors, inverse);
    for (int k = 0; k < 3; ++k)
        if (periodic[k])
            images *= std::max(1.0, 2 * r_cut * std::sqrt(dot(inverse + 3 * k, inverse + 3 * k)));
    return images;
}

bool can_be_wrapped(const double* positions, std::size_t n, const double* vectors,
                    const bool* periodic) {
    constexpr double most_cells = 1e9;
    double complete_vectors[9], inverse[9];
    complete(vectors, periodic, complete_vectors);
    reciprocal(complete_vectors, inverse);
    for (std::size_t i = 0; i < n; ++i)
        for (int k = 0; k < 3; ++k)
            if (periodic[k] && !(std::abs(dot(inverse + 3 * k, positions + 3 * i)) < most_cells))
                return false;
    return true;
}

bool spans_volume(const double* vectors, const bool* periodic) {
    double complete_vectors[9], normal[3];
    complete(vectors, periodic, complete_vectors);
    double product = 1;
    for (int k = 0; k < 3; ++k)
        product *= std::sqrt(dot(complete_vectors + 3 * k, complete_vectors + 3 * k));
    cross(complete_vectors, complete_vectors + 3, normal);
    // Angles below a millionth of a radian are a mistake, not a cell.
    return std::abs(dot(normal, complete_vectors + 6)) > 1e-6 * product;
}

NeighborSearch::NeighborSearch(const Molecules& molecules, const Cells& cells, double r_cut)
    : molecules_(molecules), r_cut_(r_cut), most_(0) {
    const bool none[3] = {false, false, false};
    const double empty[9] = {};
    for (std::size_t m = 0; m < molecules.n_molecules; ++m) {
        const std::size_t n = molecules.size(m);
        const bool* periodic = cells.periodic == nullptr ? none : cells.periodic + 3 * m;
        const bool repeats = periodic[0] || periodic[1] || periodic[2];
        if (n == 0 || (!repeats && static_cast<std::int64_t>(n) < large)) {
            most_ = std::max(most_, n);
            continue;
        }
        if (grid_of_.empty()) grid_of_.assign(molecules.n_molecules, -1);
        grid_of_[m] = static_cast<std::int64_t>(grids_.size());
        grids_.push_back(make_grid(molecules.positions + 3 * molecules.first(m), n,
                                   cells.vectors == nullptr ? empty : cells.vectors + 9 * m,
                                   periodic, r_cut));
        most_ = std::max(most_, most_around(grids_.back()));
    }
}

std::size_t NeighborSearch::collect(std::size_t m, std::size_t i,
                                    const Neighborhood& out) const noexcept {
    if (direct(m)) return collect_all(m, i, out);
    return collect_cells(grids_[static_cast<std::size_t>(grid_of_[m])], molecules_.first(m), i,
                         out);
}

std::size_t NeighborSearch::collect_all(std::size_t m, std::size_t i,
                                        const Neighborhood& out) const noexcept {
    const std::size_t first = molecules_.first(m), size = molecules_.size(m);
    const double* r = molecules_.positions + 3 * first;
    std::size_t n = 0;
    for (std::size_t j = 0; j < size; ++j) {
        const double x = r[3 * j] - r[3 * i], y = r[3 * j + 1] - r[3 * i + 1],
                     z = r[3 * j + 2] - r[3 * i + 2];
        const double d = std::sqrt(x * x + y * y + z * z);
        out.atom[n] = static_cast<std::int64_t>(first + j);
        out.x[n] = x;
        out.y[n] = y;
        out.z[n] = z;
        out.distance[n] = d;
        // The last entry is overwritten unless it counts: no branch to mispredict.
        n += d < r_cut_ && j != i;
    }
    if (out.shift != nullptr) std::fill(out.shift, out.shift + 3 * n, 0);
    return n;
}

std::size_t NeighborSearch::collect_cells(const Grid& grid, std::size_t first, std::size_t i,
                                          const Neighborhood& out) const noexcept {
    const std::size_t own = grid.entry[i];
    const double* center = grid.position.data() + 3 * own;
    const std::int32_t* own_wrapped = grid.wrapped.data() + 3 * own;
    const double squared = r_cut_ * r_cut_ * margin;
    std::size_t n = 0;
    around(grid.bins, grid.bin.data() + 3 * own, [&](std::int64_t at, const std::int32_t* image) {
        const auto bin = static_cast<std::size_t>(at);
        double offset[3] = {};
        for (std::size_t c = 0; c < 3; ++c)
            for (std::size_t k = 0; k < 3; ++k) offset[c] += image[k] * grid.vectors[3 * k + c];
        const bool home = image[0] == 0 && image[1] == 0 && image[2] == 0;
        for (std::size_t e = grid.start[bin]; e < grid.start[bin + 1]; ++e) {
            const double* r = grid.position.data() + 3 * e;
            // In this order rounding gives the opposite vector for the other order of the pair:
            // both are within the cutoff, or none.
            const double x = r[0] - center[0] + offset[0], y = r[1] - center[1] + offset[1],
                         z = r[2] - center[2] + offset[2];
            const double d2 = x * x + y * y + z * z;
            if (d2 > squared || (home && e == own)) continue;
            const double d = std::sqrt(d2);
            if (d >= r_cut_) continue;
            out.atom[n] = static_cast<std::int64_t>(first) + grid.atom[e];
            out.x[n] = x;
            out.y[n] = y;
            out.z[n] = z;
            out.distance[n] = d;
            if (out.shift != nullptr)
                for (std::size_t k = 0; k < 3; ++k)
                    out.shift[3 * n + k] = image[k] - grid.wrapped[3 * e + k] + own_wrapped[k];
            ++n;
        }
    });
    return n;
}

}  // namespace molkern
