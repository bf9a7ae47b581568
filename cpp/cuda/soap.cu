// The SOAP power spectrum (Bartók, Kondor, Csányi 2013, doi:10.1103/PhysRevB.87.184115), a block
// for each centre, coefficients in double.
//
// Floor, counted and not yet measured, for a centre with n neighbours of s species: the bytes of
// its row. n_max 8, l_max 6, 5 species, molecules of QM7 (n = 13, s = 2.9): 23 kB in float32, 5.5
// ns at 4.2 TB/s, or 0.7 us of one of 132 multiprocessors, which issues 4900 instructions of warps
// in that time. Counted in the machine code for sm_90 are about 11 500 (an eighth of them in
// double, at half the rate), so two fifths of the floor: 4200 for products, of which 460 are
// multiply-adds, 2600 for radial functions and harmonics, 1400 for sums, 1300 for coefficients,
// 2000 once for each species and centre. Strips of `soap_strip` functions load as one and share a
// factor; two harmonics share functions; pairs of channels without coefficients are only cleared.
// Neighbours in a warp write neighbours in the row. The products of float32 rows are formed in
// float, unless rows are normalised or summed.
//
// Averages go through the coefficients of all centres of a piece of the batch, in global memory:
// those are averaged, or their products, in chunks of centres that are summed in their order.

#include "cuda/soap_gradients.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cuda/soap_sets.hpp"

namespace molkern::cuda {
namespace {

template <typename Real, typename Product>
struct RowsOfCenters {
    static constexpr unsigned n_threads = soap_threads;

    SoapCenters of;
    std::int64_t first;  // centre
    Real* out;

    std::size_t shared_bytes() const {
        return soap_room_bytes(of.p) + soap_channels_bytes(of.p) + soap_pairs_bytes(of.p) + 2 * 16 +
               sizeof(Product) * static_cast<std::size_t>(of.shape.set_size());
    }

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t c = first + block.index();
        const SoapRoom room(block, of);
        auto* coefficients =
            block.template shared<Product>(static_cast<std::size_t>(of.shape.set_size()));
        const std::uint8_t* there = soap_channels(block, of, c);
        // From memory: compilers would compute its address again for every feature.
        Real** row = block.template shared<Real*>(1);
        block.for_each(1, [&](std::int64_t) {
            *row = out + block.index() * static_cast<std::int64_t>(of.p.n_features);
        });
        SoapCoefficients(of, room).make(block, c, coefficients);
        const SoapProducts products(of);
        double inverse = 1;
        if (of.p.normalize) inverse = soap_inverse_norm(block, products, coefficients, there);
        const SoapSortedPairs pairs = soap_sorted_pairs(block, products, there);
        products.each_of_set(block, pairs, coefficients, [&, to = *row](unsigned f, Product value) {
            to[f] = static_cast<Real>(value * static_cast<Product>(inverse));
        });
    }
};

// Rows of sets of coefficients: of the centres from `first` on, or with first < 0 of complete sets.
template <typename Real>
struct RowsOfSets {
    static constexpr unsigned n_threads = soap_threads;

    SoapCenters of;
    std::int64_t first;
    const double* sets;
    Real* out;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t c = first < 0 ? first : first + block.index();
        const double* set = sets + block.index() * of.shape.set_size();
        const std::uint8_t* there = soap_channels(block, of, c);
        const SoapProducts products(of);
        const double inverse =
            of.p.normalize ? soap_inverse_norm(block, products, set, there) : 1.0;
        const SoapSortedPairs pairs = soap_sorted_pairs(block, products, there);
        Real* row = out + block.index() * static_cast<std::int64_t>(of.p.n_features);
        products.each_of_set(block, pairs, set, [&](unsigned f, double value) {
            row[f] = static_cast<Real>(inverse * value);
        });
    }
};

// sums [n_chunks, n_features] of the features of the centres of each chunk; sets from `first` on.
struct FeaturesOfChunks {
    static constexpr unsigned n_threads = soap_threads;

    SoapCenters of;
    const SoapChunk* chunks;
    std::int64_t first;
    const double* sets;
    double* sums;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const SoapChunk chunk = chunks[block.index()];
        const double* set = sets + (chunk.begin - first) * of.shape.set_size();
        const auto in = [&](std::int64_t k, unsigned channel) {
            return of.surrounds(chunk.begin + k, channel);
        };
        const SoapProducts products(of);
        double* row = sums + block.index() * static_cast<std::int64_t>(of.p.n_features);
        block.for_each(products.size(), [&](std::int64_t i) {
            products.each(i, SoapAllPairs{products.shape.n_pairs}, set, chunk.end - chunk.begin, in,
                          [&](unsigned f, double value) { row[f] = value; });
        });
    }
};

template <typename Real>
void average_rows(const SoapCenters& of, const std::vector<std::int64_t>& centers, Average average,
                  Real* out, Stream stream) {
    const std::int64_t set = of.shape.set_size();
    const auto n_features = static_cast<std::int64_t>(of.p.n_features);
    const bool inner = average == Average::inner;
    const auto bytes = static_cast<std::size_t>(8 * set);
    for (std::int64_t from = 0; from + 1 < static_cast<std::int64_t>(centers.size());) {
        const SoapPiece piece(centers, from, average, bytes, inner ? bytes : 8 * of.p.n_features);
        const std::int64_t first = centers[static_cast<std::size_t>(from)];
        const std::int64_t n = centers[static_cast<std::size_t>(piece.last)] - first;
        Real* rows = out + from * n_features;
        if (inner) {
            const Buffer<double> means = soap_mean_sets(of, piece, first, n, stream);
            launch_of_any_size(RowsOfSets<Real>{of, -1, means.data(), rows}, piece.size(),
                               soap_channels_bytes(of.p) + soap_pairs_bytes(of.p), stream);
        } else {
            const Buffer<double> sets(n * set, stream);
            soap_sets(of, first, n, of.p.normalize, sets.data(), stream);
            const SoapSums sums(piece, n_features, stream);
            launch(FeaturesOfChunks{of, sums.chunks(), first, sets.data(), sums.sums()},
                   sums.n_chunks(), 0, stream);
            sums.finish(rows, stream);
        }
        from = piece.last;
    }
}

// Where the coefficients of a centre are too many for the shared memory.
template <typename Real>
void rows_by_sets(const SoapCenters& of, std::int64_t begin, std::int64_t end, Real* out,
                  Stream stream) {
    const std::int64_t set = of.shape.set_size();
    const std::int64_t most =
        std::max<std::int64_t>(static_cast<std::int64_t>(soap_piece_bytes) / 8 / set, 1);
    for (std::int64_t first = begin; first < end; first += most) {
        const std::int64_t n = std::min(most, end - first);
        const Buffer<double> sets(n * set, stream);
        soap_sets(of, first, n, false, sets.data(), stream);
        Real* rows = out + (first - begin) * static_cast<std::int64_t>(of.p.n_features);
        launch_of_any_size(RowsOfSets<Real>{of, first, sets.data(), rows}, n,
                           soap_channels_bytes(of.p) + soap_pairs_bytes(of.p), stream);
    }
}

// Products are formed in the type `Product`.
template <typename Product, typename Real>
void rows(const SoapCenters& of, std::int64_t begin, std::int64_t end, Real* out, Stream stream) {
    const RowsOfCenters<Real, Product> kernel{of, begin, out};
    if (fits(kernel.shared_bytes()))
        launch(kernel, end - begin, kernel.shared_bytes(), stream);
    else
        rows_by_sets(of, begin, end, out, stream);
}

class SoapKernel final : public TypedKernel<SoapKernel> {
  public:
    explicit SoapKernel(std::shared_ptr<const SoapParameters> parameters)
        : parameters_(std::move(parameters)) {}

    template <typename Real>
    void run_values(const DeviceNeighbors& neighbors, std::int64_t, std::int64_t begin,
                    std::int64_t end, Real* to, Stream stream) const {
        const SoapTables& tables = tables_.get(*parameters_, stream);
        if (parameters_->normalize)
            rows<double>(tables.centers(neighbors), begin, end, to, stream);
        else
            rows<Real>(tables.centers(neighbors), begin, end, to, stream);
    }

    template <typename Real>
    void run_vjp(const DeviceNeighbors& neighbors, std::int64_t, const Cotangent<Real>& cotangent,
                 double* gx, double* gy, double* gz, Stream stream) const {
        const SoapTables& tables = tables_.get(*parameters_, stream);
        soap_vjp(tables.centers(neighbors), cotangent, gx, gy, gz, stream);
    }

    bool averages(const DeviceNeighbors& neighbors, const std::vector<std::int64_t>& centers,
                  Average average, double* to, Stream stream) const override {
        const SoapTables& tables = tables_.get(*parameters_, stream);
        average_rows(tables.centers(neighbors), centers, average, to, stream);
        return true;
    }
    bool averages(const DeviceNeighbors& neighbors, const std::vector<std::int64_t>& centers,
                  Average average, float* to, Stream stream) const override {
        const SoapTables& tables = tables_.get(*parameters_, stream);
        average_rows(tables.centers(neighbors), centers, average, to, stream);
        return true;
    }

    void inner_vjp(const DeviceNeighbors& neighbors, const std::vector<std::int64_t>& centers,
                   const double* cotangent, double* gx, double* gy, double* gz,
                   Stream stream) const override {
        const SoapTables& tables = tables_.get(*parameters_, stream);
        soap_inner_vjp(tables.centers(neighbors), centers, cotangent, gx, gy, gz, stream);
    }

  private:
    std::shared_ptr<const SoapParameters> parameters_;
    PerDevice<SoapTables> tables_;
};

}  // namespace

std::shared_ptr<DeviceKernel> soap_kernel(std::shared_ptr<const SoapParameters> parameters) {
    return std::make_shared<SoapKernel>(std::move(parameters));
}

}  // namespace molkern::cuda
