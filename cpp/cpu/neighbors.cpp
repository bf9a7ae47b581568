#include "molkern/neighbors.hpp"

#include <algorithm>
#include <cmath>

namespace molkern {
namespace {

// Below this size all pairs are faster than cells: with 1 atom in 10 cubic angstrom and a cutoff
// of 5 angstrom, the 27 cells around an atom hold some 340 atoms.
constexpr std::size_t large = 256;

// A cell is a little wider than the cutoff, so that rounding can not hide a pair.
constexpr double margin = 1 + 1e-9;

void cross(const double* a, const double* b, double* out) {
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

double dot(const double* a, const double* b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

// Cell vectors; an axis that is not periodic gets a unit vector at right angles to the periodic
// ones, whatever the cell says: a vacuum direction may have any vector, or none.
void complete(const double* cell, const bool* periodic, double* vectors) {
    for (int k = 0; k < 3; ++k)
        for (int c = 0; c < 3; ++c) vectors[3 * k + c] = periodic[k] ? cell[3 * k + c] : 0.0;
    for (int k = 0; k < 3; ++k) {
        if (periodic[k]) continue;
        double* v = vectors + 3 * k;
        const double* a = vectors + 3 * ((k + 1) % 3);
        const double* b = vectors + 3 * ((k + 2) % 3);
        if (dot(a, a) > 0 && dot(b, b) > 0) {
            cross(a, b, v);
        } else {
            const double* only = dot(a, a) > 0 ? a : b;
            if (dot(only, only) == 0) {
                v[k] = 1;
                continue;
            }
            int smallest = 0;
            for (int c = 1; c < 3; ++c)
                if (std::abs(only[c]) < std::abs(only[smallest])) smallest = c;
            double unit[3] = {0, 0, 0};
            unit[smallest] = 1;
            cross(only, unit, v);
        }
        const double length = std::sqrt(dot(v, v));
        for (int c = 0; c < 3; ++c) v[c] /= length;
    }
}

// Rows of the inverse transposed: fraction along axis k is dot(row k, r).
void reciprocal(const double* vectors, double* out) {
    for (int k = 0; k < 3; ++k)
        cross(vectors + 3 * ((k + 1) % 3), vectors + 3 * ((k + 2) % 3), out + 3 * k);
    const double volume = dot(vectors, out);
    for (int k = 0; k < 9; ++k) out[k] /= volume;
}

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

// Bins along each axis, no more of them than atoms: a structure in a vast box stays cheap.
void divide(Grid& grid, const Fractions& f, const double* inverse, std::size_t n, double r_cut) {
    double widths[3];
    for (int k = 0; k < 3; ++k) {
        const double height = f.extent[k] / std::sqrt(dot(inverse + 3 * k, inverse + 3 * k));
        grid.bins[k] =
            static_cast<std::size_t>(std::clamp(std::floor(height / (r_cut * margin)), 1.0, 1e6));
        widths[k] = height;
    }
    while (static_cast<double>(grid.bins[0]) * static_cast<double>(grid.bins[1]) *
               static_cast<double>(grid.bins[2]) >
           static_cast<double>(std::max<std::size_t>(n, 8))) {
        std::size_t* most = std::max_element(grid.bins, grid.bins + 3);
        *most = (*most + 1) / 2;
    }
    for (int k = 0; k < 3; ++k) {
        const double width = widths[k] / static_cast<double>(grid.bins[k]);
        const double reach = std::ceil(r_cut * margin / std::max(width, 1e-12));
        const auto others = static_cast<double>(grid.bins[k] - 1);
        grid.reach[k] =
            static_cast<std::int32_t>(grid.periodic[k] ? reach : std::min(reach, others));
    }
}

Grid make_grid(const double* positions, std::size_t n, const double* cell, const bool* periodic,
               double r_cut) {
    Grid grid{};
    std::copy(periodic, periodic + 3, grid.periodic);
    complete(cell, periodic, grid.vectors);
    double inverse[9];
    reciprocal(grid.vectors, inverse);
    std::vector<std::int32_t> wrapped(3 * n);
    const Fractions f = fractions(positions, n, inverse, periodic, wrapped.data());
    divide(grid, f, inverse, n, r_cut);

    const std::size_t n_bins = grid.bins[0] * grid.bins[1] * grid.bins[2];
    std::vector<std::size_t> home(n);
    std::vector<std::int32_t> bins(3 * n);
    grid.start.assign(n_bins + 1, 0);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t k = 0; k < 3; ++k) {
            const double part = f.extent[k] > 0 ? (f.value[3 * i + k] - f.low[k]) / f.extent[k] : 0;
            const auto last = static_cast<double>(grid.bins[k] - 1);
            bins[3 * i + k] = static_cast<std::int32_t>(
                std::clamp(std::floor(part * static_cast<double>(grid.bins[k])), 0.0, last));
        }
        const std::int32_t* b = bins.data() + 3 * i;
        home[i] = (static_cast<std::size_t>(b[0]) * grid.bins[1] + static_cast<std::size_t>(b[1])) *
                      grid.bins[2] +
                  static_cast<std::size_t>(b[2]);
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

// Calls visit(bin, image) for every bin, and image of it, that may hold neighbours of atoms in
// bin b.
template <typename Visit>
void around(const Grid& grid, const std::int32_t* b, const Visit& visit) {
    std::int32_t image[3];
    std::size_t at[3];
    const auto place = [&](int k, std::int32_t offset) {
        const auto n = static_cast<std::int32_t>(grid.bins[k]);
        const std::int32_t target = b[k] + offset;
        if (!grid.periodic[k]) {
            image[k] = 0;
            at[k] = static_cast<std::size_t>(target);
            return target >= 0 && target < n;
        }
        image[k] = target >= 0 ? target / n : -((n - 1 - target) / n);
        at[k] = static_cast<std::size_t>(target - image[k] * n);
        return true;
    };
    for (std::int32_t p = -grid.reach[0]; p <= grid.reach[0]; ++p) {
        if (!place(0, p)) continue;
        for (std::int32_t q = -grid.reach[1]; q <= grid.reach[1]; ++q) {
            if (!place(1, q)) continue;
            for (std::int32_t r = -grid.reach[2]; r <= grid.reach[2]; ++r) {
                if (!place(2, r)) continue;
                visit((at[0] * grid.bins[1] + at[1]) * grid.bins[2] + at[2], image);
            }
        }
    }
}

std::size_t most_around(const Grid& grid) {
    std::size_t most = 0;
    for (std::size_t b = 0; b + 1 < grid.start.size(); ++b) {
        if (grid.start[b] == grid.start[b + 1]) continue;
        std::size_t total = 0;
        around(grid, grid.bin.data() + 3 * grid.start[b],
               [&](std::size_t bin, const std::int32_t*) {
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
        if (n == 0 || (!repeats && n < large)) {
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
    around(grid, grid.bin.data() + 3 * own, [&](std::size_t bin, const std::int32_t* image) {
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
