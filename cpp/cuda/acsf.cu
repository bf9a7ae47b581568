// Atom-centred symmetry functions (Behler 2011, doi:10.1063/1.3553717; definitions in
// cpu/acsf.cpp), a block for each centre, computed in double.
//
// Floor: the bytes of the row; for each of n neighbours an exponential (some 30 operations) for
// each G2; for each of n (n - 1) / 2 pairs 40 operations for geometry and cutoffs, an exponential
// for each eta, a power for each (zeta, lambda), and a multiply-add for each function. Factors of
// 64 pairs at a time lie in tables in shared memory, so that each is computed once.

#include <utility>
#include <vector>

#include "cuda/acsf_near.hpp"

namespace molkern::cuda {
namespace acsf_device {
namespace {

template <typename Real>
struct ValuesKernel {
    static constexpr unsigned n_threads = threads;

    AcsfParameters p;
    DeviceNeighbors neighbors;
    std::int64_t most, begin;
    Real* out;  // of centre `begin`

    static std::size_t shared_bytes(const AcsfParameters& p, std::int64_t most) noexcept {
        const std::size_t numbers = acsf_features(p) + (p.n_exponentials + p.n_angles) * chunk;
        return Near::bytes(static_cast<std::int64_t>(p.n_species), most) + Chunk::bytes() +
               8 * numbers + 2 * 16;
    }

    // Each feature is a sum over the neighbours of one species.
    template <typename Block>
    MOLKERN_DEVICE void radial(Block& block, const Near& near, double* row) const {
        const auto n_radial = static_cast<unsigned>(p.n_radial);
        each_below(block, static_cast<unsigned>(p.n_species) * n_radial, [&](unsigned f) {
            const unsigned s = f / n_radial;
            const AcsfRadial function = p.radial[f % n_radial];
            double total = 0;
            for (std::int64_t k = near.of[s]; k < near.of[s + 1]; ++k)
                total += acsf::radial_value(function, neighbors.distance[near.first + k],
                                            near.cutoff[k]);
            row[f] = total;
        });
    }

    // Factors of n pairs: exponentials with the cutoffs, then angles.
    template <typename Block>
    MOLKERN_DEVICE void tabulate(Block& block, const Chunk& pairs, unsigned n,
                                 double* table) const {
        const auto n_exponentials = static_cast<unsigned>(p.n_exponentials);
        const unsigned width = n_exponentials + static_cast<unsigned>(p.n_angles);
        each_below(block, n * width, [&](unsigned i) {
            // All exponentials, then all angles: threads of a warp do the same.
            if (i < n * n_exponentials) {
                const unsigned q = i / n_exponentials, c = i % n_exponentials;
                const AcsfExponential& x = p.exponentials[c];
                const double cutoffs = x.closed ? pairs.open[q] * pairs.cutoff[q] : pairs.open[q];
                table[q * width + c] = pairs.exponential(x, q) * cutoffs;
            } else {
                const unsigned n_angles = width - n_exponentials, j = i - n * n_exponentials;
                const unsigned q = j / n_angles, c = j % n_angles;
                table[q * width + n_exponentials + c] =
                    acsf::angle_factor<false>(p.angles[c], pairs.cosine[q]).value;
            }
        });
    }

    // Adds the products of pairs q .. q + n - 1.
    template <typename Block>
    MOLKERN_DEVICE void multiply(Block& block, const Near& near, const Chunk& pairs, std::int64_t q,
                                 unsigned n, const double* table, double* row) const {
        const auto n_exponentials = static_cast<unsigned>(p.n_exponentials);
        const unsigned width = n_exponentials + static_cast<unsigned>(p.n_angles);
        const auto size = static_cast<unsigned>(p.n_angular);
        const auto first = static_cast<unsigned>(pairs.segment[0]),
                   last = static_cast<unsigned>(pairs.segment[n - 1]);
        each_below(block, (last + 1 - first) * size, [&](unsigned i) {
            const unsigned t = first + i / size;
            const AcsfAngular& f = p.angular[i % size];
            const std::int64_t from = near.pairs.begin[t] - q, to = near.pairs.begin[t + 1] - q;
            const auto start = static_cast<unsigned>(from > 0 ? from : 0),
                       end = static_cast<unsigned>(to < n ? to : n);
            const double* weight = table + start * width + f.exponential;
            const double* angle = table + start * width + n_exponentials + f.angle;
            double total = 0;
            for (unsigned e = start; e < end; ++e, weight += width, angle += width)
                total += *weight * *angle;
            row[angular_begin(p, t) + static_cast<std::int64_t>(f.slot)] += total;
        });
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t center = begin + block.index(),
                           size = static_cast<std::int64_t>(acsf_features(p));
        const Near near = Near::in(block, p, neighbors, center, most);
        const Chunk pairs = Chunk::in(block);
        double* row = block.template shared<double>(static_cast<std::size_t>(size));
        double* table = block.template shared<double>((p.n_exponentials + p.n_angles) * chunk);
        const std::int64_t angular = angular_begin(p, 0);
        block.for_each(size - angular, [&](std::int64_t f) { row[angular + f] = 0; });
        radial(block, near, row);
        const std::int64_t n_pairs = p.n_angular == 0 ? 0 : near.pairs.size();
        for (std::int64_t q = 0; q < n_pairs; q += chunk) {
            const auto n = static_cast<unsigned>(n_pairs - q < chunk ? n_pairs - q : chunk);
            pairs.fill(block, p, near, q, n);
            tabulate(block, pairs, n, table);
            multiply(block, near, pairs, q, n, table, row);
        }
        Real* to = out + block.index() * size;
        block.for_each(size, [&](std::int64_t f) { to[f] = static_cast<Real>(row[f]); });
    }
};

// The parameters with their arrays on the device.
struct Uploaded {
    Uploaded(const AcsfParameters& host, Stream stream)
        : p(host),
          radial(copy(host.radial, host.n_radial, stream)),
          exponentials(copy(host.exponentials, host.n_exponentials, stream)),
          angles(copy(host.angles, host.n_angles, stream)),
          angular(copy(host.angular, host.n_angular, stream)) {
        p.radial = radial.data();
        p.exponentials = exponentials.data();
        p.angles = angles.data();
        p.angular = angular.data();
        p.groups = nullptr;
        p.n_groups = 0;
    }

    template <typename T>
    static Buffer<T> copy(const T* from, std::size_t n, Stream stream) {
        return uploaded(from, static_cast<std::int64_t>(n), stream, true);
    }

    AcsfParameters p;
    Buffer<AcsfRadial> radial;
    Buffer<AcsfExponential> exponentials;
    Buffer<AcsfAngle> angles;
    Buffer<AcsfAngular> angular;
};

class Kernel : public TypedKernel<Kernel> {
  public:
    explicit Kernel(std::shared_ptr<const AcsfParameters> parameters)
        : parameters_(std::move(parameters)) {}

    template <typename Real>
    void run_values(const DeviceNeighbors& neighbors, std::int64_t most, std::int64_t begin,
                    std::int64_t end, Real* to, Stream stream) const {
        const Uploaded& on = uploaded_.get(*parameters_, stream);
        launch_of_any_size(ValuesKernel<Real>{on.p, neighbors, most, begin, to}, end - begin,
                           ValuesKernel<Real>::shared_bytes(on.p, most), stream);
    }

    template <typename Real>
    void run_vjp(const DeviceNeighbors& neighbors, std::int64_t most,
                 const Cotangent<Real>& cotangent, double* gx, double* gy, double* gz,
                 Stream stream) const {
        const Uploaded& on = uploaded_.get(*parameters_, stream);
        pair_gradients(on.p, neighbors, most, cotangent, gx, gy, gz, stream);
    }

  private:
    std::shared_ptr<const AcsfParameters> parameters_;
    PerDevice<Uploaded> uploaded_;
};

}  // namespace
}  // namespace acsf_device

std::shared_ptr<DeviceKernel> acsf_kernel(std::shared_ptr<const AcsfParameters> parameters) {
    return std::make_shared<acsf_device::Kernel>(std::move(parameters));
}

}  // namespace molkern::cuda
