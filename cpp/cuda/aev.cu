// Atomic environment vectors (Smith et al. 2017, doi:10.1039/C6SC05720A; definition in
// cpu/aev.cpp), a block for each centre, computed in double.
//
// Floor, ANI-1x in QM7: 384 numbers written for each centre; 44 pairs of 8 sections (10 operations)
// and 4 shifts (an exponential, some 30) whose products are 32 multiply-adds, and 16 exponentials
// for each of 12.8 neighbours: some 17 000 operations in double, 530 instructions of warps; counted
// for sm_90, not yet measured, are 5500. A row is made in shared memory and written at once;
// factors of 64 pairs at a time lie in tables, so that each is computed once.

#include <utility>
#include <vector>

#include "cuda/aev_near.hpp"

namespace molkern::cuda {
namespace aev {
namespace {

template <typename Real>
struct ValuesKernel {
    static constexpr unsigned n_threads = threads;

    AevParameters p;
    DeviceNeighbors neighbors;
    std::int64_t most, begin;
    Real* out;  // of centre `begin`

    static std::size_t shared_bytes(const AevParameters& p, std::int64_t most) noexcept {
        const std::size_t factors = (p.n_sections + p.n_angular_shifts) * chunk;
        const std::size_t numbers = aev_features(p) + static_cast<std::size_t>(most) + factors;
        return Near::bytes(static_cast<std::int64_t>(p.n_species), most) + Chunk::bytes() +
               8 * numbers + 3 * 16;
    }

    // Each feature is a sum over the neighbours of one species.
    template <typename Block>
    MOLKERN_DEVICE void radial(Block& block, const CenterPlace& at, double* cutoffs,
                               double* row) const {
        const auto n_species = static_cast<unsigned>(p.n_species);
        const auto n_shifts = static_cast<unsigned>(p.n_shifts);
        block.for_each(at.n, [&](std::int64_t j) {
            cutoffs[j] = cosine_cutoff(neighbors.distance[at.first + j], p.r_cut).value;
        });
        each_below(block, n_species * n_shifts, [&](unsigned f) {
            const unsigned s = f / n_shifts, k = f % n_shifts;
            const std::int64_t* range = neighbors.begin + at.center * n_species + s;
            double total = 0;
            for (std::int64_t j = range[0]; j < range[1]; ++j)
                total +=
                    cutoffs[j - at.first] * shift_value(p.eta, p.shifts[k], neighbors.distance[j]);
            row[static_cast<unsigned>(p.place[s]) * n_shifts + k] = radial_factor * total;
        });
    }

    // Factors of n pairs: sections, then shifts with the weight.
    template <typename Block>
    MOLKERN_DEVICE void tabulate(Block& block, const Chunk& pairs, unsigned n,
                                 double* table) const {
        const auto n_sections = static_cast<unsigned>(p.n_sections);
        const unsigned width = n_sections + static_cast<unsigned>(p.n_angular_shifts);
        const Exponent zeta(p.zeta);
        each_below(block, n * width, [&](unsigned i) {
            // All sections, then all shifts: threads of a warp do the same.
            if (i < n * n_sections) {
                const unsigned q = i / n_sections, k = i % n_sections;
                table[q * width + k] = section_value(p, k, pairs.cosine[q], pairs.sine[q], zeta);
            } else {
                const unsigned n_shifts = width - n_sections, j = i - n * n_sections;
                const unsigned q = j / n_shifts, k = j % n_shifts;
                table[q * width + n_sections + k] =
                    pairs.weight[q] *
                    shift_value(p.angular_eta, p.angular_shifts[k], pairs.mean[q]);
            }
        });
    }

    // Adds the products of pairs q .. q + n - 1.
    template <typename Block>
    MOLKERN_DEVICE void multiply(Block& block, const Near& near, const Chunk& pairs, std::int64_t q,
                                 unsigned n, const double* table, double* row) const {
        const auto n_sections = static_cast<unsigned>(p.n_sections);
        const unsigned width = n_sections + static_cast<unsigned>(p.n_angular_shifts);
        const unsigned size = n_sections * (width - n_sections);
        const auto first = static_cast<unsigned>(pairs.segment[0]),
                   last = static_cast<unsigned>(pairs.segment[n - 1]);
        each_below(block, (last + 1 - first) * size, [&](unsigned i) {
            const unsigned t = first + i / size, f = i % size;
            const std::int64_t from = near.pairs.begin[t] - q, to = near.pairs.begin[t + 1] - q;
            const auto start = static_cast<unsigned>(from > 0 ? from : 0),
                       end = static_cast<unsigned>(to < n ? to : n);
            const double* section = table + start * width + f % n_sections;
            const double* shift = table + start * width + n_sections + f / n_sections;
            double total = 0;
            for (unsigned e = start; e < end; ++e, section += width, shift += width)
                total += *section * *shift;
            row[near.feature[t] + f] += total;
        });
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t center = begin + block.index();
        const CenterPlace at{center, neighbors.first[center],
                             neighbors.first[center + 1] - neighbors.first[center]};
        const std::size_t features = aev_features(p);
        const Near near = Near::in(block, static_cast<std::int64_t>(p.n_species), most);
        const Chunk pairs = Chunk::in(block);
        double* row = block.template shared<double>(features);
        double* cutoffs = block.template shared<double>(static_cast<std::size_t>(most));
        double* table = block.template shared<double>((p.n_sections + p.n_angular_shifts) * chunk);
        const auto n_features = static_cast<std::int64_t>(features);
        block.for_each(n_features, [&](std::int64_t f) { row[f] = 0; });
        radial(block, at, cutoffs, row);
        near.prepare(block, p, neighbors, at);
        const std::int64_t n_pairs = near.pairs.size();
        for (std::int64_t q = 0; q < n_pairs; q += chunk) {
            const auto n = static_cast<unsigned>(n_pairs - q < chunk ? n_pairs - q : chunk);
            pairs.fill(block, near, q, n);
            tabulate(block, pairs, n, table);
            multiply(block, near, pairs, q, n, table, row);
        }
        Real* to = out + block.index() * n_features;
        block.for_each(n_features, [&](std::int64_t f) { to[f] = static_cast<Real>(row[f]); });
    }
};

// The arrays of the parameters, one after another.
struct Uploaded {
    Uploaded(const AevParameters& host, Stream stream) : p(host) {
        const auto add = [&](const double* from, std::size_t n) {
            numbers.insert(numbers.end(), from, from + n);
        };
        add(host.shifts, host.n_shifts);
        add(host.angular_shifts, host.n_angular_shifts);
        add(host.half_cosines, host.n_sections);
        add(host.half_sines, host.n_sections);
        place = uploaded(host.place, static_cast<std::int64_t>(host.n_species), stream, true);
        values = uploaded(numbers.data(), static_cast<std::int64_t>(numbers.size()), stream, true);
        p.place = place.data();
        p.shifts = values.data();
        p.angular_shifts = p.shifts + p.n_shifts;
        p.half_cosines = p.angular_shifts + p.n_angular_shifts;
        p.half_sines = p.half_cosines + p.n_sections;
    }

    AevParameters p;
    std::vector<double> numbers;
    Buffer<std::size_t> place;
    Buffer<double> values;
};

class Kernel : public TypedKernel<Kernel> {
  public:
    explicit Kernel(std::shared_ptr<const AevParameters> parameters)
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
    std::shared_ptr<const AevParameters> parameters_;
    PerDevice<Uploaded> uploaded_;
};

}  // namespace
}  // namespace aev

std::shared_ptr<DeviceKernel> aev_kernel(std::shared_ptr<const AevParameters> parameters) {
    return std::make_shared<aev::Kernel>(std::move(parameters));
}

}  // namespace molkern::cuda
