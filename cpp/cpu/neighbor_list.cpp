// Lists of all pairs within the cutoff, and what one search is used for per atom.

#include <algorithm>

#include "cpu/parallel.hpp"
#include "molkern/neighbors.hpp"

namespace molkern {
namespace {

// Room for the neighbours of one atom.
class Room {
  public:
    explicit Room(std::size_t most)
        : atom_(most), real_(4 * most), shift_(3 * most), order_(most), most_(most) {}

    Neighborhood of() {
        return {atom_.data(),
                real_.data(),
                real_.data() + most_,
                real_.data() + 2 * most_,
                real_.data() + 3 * most_,
                shift_.data()};
    }
    std::size_t* order() { return order_.data(); }

  private:
    std::vector<std::int64_t> atom_;
    std::vector<double> real_;
    std::vector<std::int32_t> shift_;
    std::vector<std::size_t> order_;
    std::size_t most_;
};

constexpr std::size_t atoms_per_range = 64;

template <typename Each>
void for_each_atom(const Molecules& molecules, const NeighborSearch& search, int n_threads,
                   const Each& each) {
    const std::size_t n = molecules.first(molecules.n_molecules);
    const int threads = threads_for(n, atoms_per_range, n_threads);
    std::vector<Room> rooms(static_cast<std::size_t>(threads), Room(search.most()));
    auto body = [&](std::size_t begin, std::size_t end, int thread) {
        Room& room = rooms[static_cast<std::size_t>(thread)];
        std::size_t m = molecule_of(molecules, begin);
        for (std::size_t i = begin; i < end; ++i) {
            while (molecules.first(m + 1) <= i) ++m;
            const Neighborhood found = room.of();
            each(i, search.collect(m, i - molecules.first(m), found), found, room.order());
        }
    };
    parallel_for(n, atoms_per_range, threads, body);
}

}  // namespace

std::size_t molecule_of(const Molecules& molecules, std::size_t atom) {
    const std::int64_t* end = molecules.offsets + molecules.n_molecules + 1;
    const auto* above = std::upper_bound(molecules.offsets, end, static_cast<std::int64_t>(atom));
    return static_cast<std::size_t>(above - molecules.offsets) - 1;
}

void count_neighbors(const Molecules& molecules, const NeighborSearch& search, std::int64_t* counts,
                     int n_threads) {
    for_each_atom(molecules, search, n_threads,
                  [&](std::size_t i, std::size_t n, const Neighborhood&, std::size_t*) {
                      counts[i] = static_cast<std::int64_t>(n);
                  });
}

void list_neighbors(const Molecules& molecules, const NeighborSearch& search,
                    const std::int64_t* first, const PairList& out, int n_threads) {
    for_each_atom(
        molecules, search, n_threads,
        [&](std::size_t i, std::size_t n, const Neighborhood& found, std::size_t* order) {
            for (std::size_t k = 0; k < n; ++k) order[k] = k;
            std::sort(order, order + n, [&](std::size_t a, std::size_t b) {
                if (found.atom[a] != found.atom[b]) return found.atom[a] < found.atom[b];
                return std::lexicographical_compare(found.shift + 3 * a, found.shift + 3 * a + 3,
                                                    found.shift + 3 * b, found.shift + 3 * b + 3);
            });
            for (std::size_t k = 0; k < n; ++k) {
                const std::size_t p = static_cast<std::size_t>(first[i]) + k, from = order[k];
                out.i[p] = static_cast<std::int64_t>(i);
                out.j[p] = found.atom[from];
                std::copy_n(found.shift + 3 * from, 3, out.shift + 3 * p);
                out.vector[3 * p] = found.x[from];
                out.vector[3 * p + 1] = found.y[from];
                out.vector[3 * p + 2] = found.z[from];
                out.distance[p] = found.distance[from];
            }
        });
}

}  // namespace molkern
