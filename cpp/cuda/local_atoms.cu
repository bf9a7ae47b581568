// Means of the features of each element, and norms of atoms.
//
// Floor: the bytes of the features. Both go through parts of 64 atoms of an element, a block each.

#include "cuda/local_atoms.hpp"

#include <algorithm>
#include <vector>

namespace molkern::cuda {
namespace {

constexpr std::int64_t part = 64;

// Up to `part` atoms of an element.
struct Part {
    std::int64_t element, begin, n;
};

// Sums of the features of the atoms of a part, one block for each.
template <typename Real>
struct PartSumsKernel {
    static constexpr unsigned n_threads = 128;
    AtomsByElement<Real> atoms;
    const Part* parts;
    std::int64_t n_features;
    double* sums;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const Part here = parts[block.index()];
        block.for_each(n_features, [&](std::int64_t k) {
            double total = 0;
            for (std::int64_t i = 0; i < here.n; ++i)
                total += static_cast<double>(atoms.x[atoms.index[here.begin + i] * n_features + k]);
            sums[block.index() * n_features + k] = total;
        });
    }
};

// Means over the parts first[e] .. first[e + 1] - 1 of element e, one block for each.
template <typename Real>
struct MeansKernel {
    static constexpr unsigned n_threads = 128;
    const Part* parts;
    const std::int64_t* first;
    const double* sums;
    std::int64_t n_features;
    Real* means;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t e = block.index();
        block.for_each(n_features, [&](std::int64_t k) {
            double total = 0;
            std::int64_t n = 0;
            for (std::int64_t p = first[e]; p < first[e + 1]; ++p) {
                total += sums[p * n_features + k];
                n += parts[p].n;
            }
            means[e * n_features + k] =
                static_cast<Real>(n > 0 ? total / static_cast<double>(n) : 0);
        });
    }
};

// |x - mean|^2 of the atoms of a part, in the order and rounding of the products of a tile: equal
// rows have distance 0.
template <typename Real>
struct NormsKernel {
    static constexpr unsigned n_threads = part;
    static constexpr unsigned depth = 32, line = part + 1;  // features at a time
    static constexpr std::size_t shared_bytes =
        depth * line * sizeof(Real) + part * sizeof(std::int64_t) + 2 * 16;
    AtomsByElement<Real> atoms;
    const Part* parts;
    const Real* means;
    std::int64_t n_features;
    double* norms;

    struct Sums {
        Real chunk;
        double total;
    };

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const Part here = parts[block.index()];
        const auto n = static_cast<unsigned>(here.n);
        const Real* mean = means + here.element * n_features;
        auto* values = block.template shared<Real>(depth * line);
        auto* starts = block.template shared<std::int64_t>(part);
        auto sums = block.template local<Sums>();
        block.each_thread([&](unsigned thread) {
            sums[thread] = Sums{0, 0};
            if (thread < n) starts[thread] = atoms.index[here.begin + thread] * n_features;
        });
        for (std::int64_t k = 0; k < n_features; k += depth) {
            block.each_thread([&](unsigned thread) {
                const unsigned d = thread % depth;
                const bool there = k + d < n_features;
                const Real* x = atoms.x + k + d;
                const Real of_element = there ? mean[k + d] : 0;
#pragma unroll 8
                for (unsigned row = thread / depth; row < n; row += n_threads / depth)
                    values[d * line + row] = there ? x[starts[row]] - of_element : 0;
            });
            block.each_thread([&](unsigned thread) {
                if (thread >= n) return;
                Sums& mine = sums[thread];
                for (unsigned d = 0; d < depth; ++d) {
                    const Real value = values[d * line + thread];
                    mine.chunk += value * value;
                }
                if ((k + depth) % chunk_of_atoms<Real> == 0 || k + depth >= n_features) {
                    mine.total += static_cast<double>(mine.chunk);
                    mine.chunk = 0;
                }
            });
        }
        block.each_thread([&](unsigned thread) {
            if (thread < n) norms[here.begin + thread] = sums[thread].total;
        });
    }
};

// All parts, and the first one of each element.
struct Parts {
    std::vector<Part> parts;
    std::vector<std::int64_t> first{0};

    Parts(const std::int64_t* first_atoms, std::int64_t n_elements) {
        for (std::int64_t e = 0; e < n_elements; ++e) {
            for (std::int64_t i = first_atoms[e]; i < first_atoms[e + 1]; i += part)
                parts.push_back({e, i, std::min(part, first_atoms[e + 1] - i)});
            first.push_back(n());
        }
    }

    std::int64_t n() const { return static_cast<std::int64_t>(parts.size()); }
};

}  // namespace

template <typename Real>
Buffer<Real> element_means(const AtomsByElement<Real>& atoms, std::int64_t n_elements,
                           std::int64_t n_features, Stream stream) {
    const Parts parts(atoms.first, n_elements);
    const auto list = uploaded(parts.parts.data(), parts.n(), stream);
    const auto first = uploaded(parts.first.data(), n_elements + 1, stream);
    const Buffer<double> sums(parts.n() * n_features, stream);
    Buffer<Real> means(n_elements * n_features, stream);
    launch(PartSumsKernel<Real>{atoms, list.data(), n_features, sums.data()}, parts.n(), 0, stream);
    launch(MeansKernel<Real>{list.data(), first.data(), sums.data(), n_features, means.data()},
           n_elements, 0, stream);
    return means;
}

template <typename Real>
Buffer<double> norms_of(const AtomsByElement<Real>& atoms, const Real* means,
                        std::int64_t n_elements, std::int64_t n_features, Stream stream) {
    const Parts parts(atoms.first, n_elements);
    const auto list = uploaded(parts.parts.data(), parts.n(), stream);
    Buffer<double> norms(n_elements > 0 ? atoms.first[n_elements] : 0, stream);
    launch(NormsKernel<Real>{atoms, list.data(), means, n_features, norms.data()}, parts.n(),
           NormsKernel<Real>::shared_bytes, stream);
    return norms;
}

#define MOLKERN_INSTANTIATE(Real)                                                                  \
    template Buffer<Real> element_means<Real>(const AtomsByElement<Real>&, std::int64_t,           \
                                              std::int64_t, Stream);                               \
    template Buffer<double> norms_of<Real>(const AtomsByElement<Real>&, const Real*, std::int64_t, \
                                           std::int64_t, Stream);
MOLKERN_INSTANTIATE(float)
MOLKERN_INSTANTIATE(double)
#undef MOLKERN_INSTANTIATE

}  // namespace molkern::cuda
