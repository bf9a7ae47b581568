// Gradients of pairs, added up for each atom: 24 bytes read twice for each pair, in a fixed order;
// and for each structure, which has a block, times the vectors of the pairs.

#include "cuda/each.hpp"
#include "cuda/neighbors.hpp"

namespace molkern::cuda {
namespace {

struct AddOthers {
    const std::int64_t *begin, *order;
    const double *gx, *gy, *gz;
    double* gradient;
    MOLKERN_DEVICE void operator()(std::int64_t a) const {
        double x = 0, y = 0, z = 0;
        for (std::int64_t k = begin[a]; k < begin[a + 1]; ++k) {
            const std::int64_t p = order[k];
            x += gx[p];
            y += gy[p];
            z += gz[p];
        }
        gradient[3 * a] = x;
        gradient[3 * a + 1] = y;
        gradient[3 * a + 2] = z;
    }
};

struct SubtractOwn {
    const std::int64_t *center, *first;
    const double *gx, *gy, *gz;
    double* gradient;
    MOLKERN_DEVICE void operator()(std::int64_t c) const {
        double x = 0, y = 0, z = 0;
        for (std::int64_t p = first[c]; p < first[c + 1]; ++p) {
            x += gx[p];
            y += gy[p];
            z += gz[p];
        }
        double* to = gradient + 3 * center[c];
        to[0] -= x;
        to[1] -= y;
        to[2] -= z;
    }
};

struct StrainKernel {
    static constexpr unsigned n_threads = 256;

    DeviceNeighbors neighbors;
    const double *gx, *gy, *gz;
    const std::int64_t* centers;
    double* strain;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const double* vectors[] = {neighbors.x, neighbors.y, neighbors.z};
        const double* gradients[] = {gx, gy, gz};
        const std::int64_t m = block.index();
        const std::int64_t begin = neighbors.first[centers[m]];
        const std::int64_t n = neighbors.first[centers[m + 1]] - begin;
        for (unsigned a = 0; a < 3; ++a)
            for (unsigned b = 0; b < 3; ++b) {
                const double *v = vectors[a] + begin, *g = gradients[b] + begin;
                const double total = block.sum(n, [&](std::int64_t p) { return v[p] * g[p]; });
                block.for_each(1, [&](std::int64_t) { strain[9 * m + 3 * a + b] = total; });
            }
    }
};

}  // namespace

void gather_strains(const DeviceNeighbors& neighbors, const double* gx, const double* gy,
                    const double* gz, const std::int64_t* centers, std::int64_t n_structures,
                    double* strain, Stream stream) {
    launch(StrainKernel{neighbors, gx, gy, gz, centers, strain}, n_structures, 0, stream);
}

void gather_gradients(const DeviceNeighbors& neighbors, const double* gx, const double* gy,
                      const double* gz, std::int64_t n_atoms, double* gradient, Stream stream) {
    const Groups of_atoms = group(neighbors.atom, neighbors.n_pairs, n_atoms, stream);
    launch_each(AddOthers{of_atoms.begin.data(), of_atoms.order.data(), gx, gy, gz, gradient},
                n_atoms, stream);
    launch_each(SubtractOwn{neighbors.center, neighbors.first, gx, gy, gz, gradient},
                neighbors.n_centers, stream);
}

}  // namespace molkern::cuda
