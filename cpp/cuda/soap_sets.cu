// Coefficients of centres, their sums and means over structures. Sums go by chunks of centres, so
// that a large structure has many blocks, and in a fixed order.
//
// Floor: the coefficients of each centre are written and read once; see soap.cu for the rest.

#include "cuda/soap_sets.hpp"

#include <algorithm>
#include <cmath>

namespace molkern::cuda {
namespace {

constexpr std::int64_t centers_per_chunk = 64;

struct SetsOfCenters {
    static constexpr unsigned n_threads = soap_threads;

    SoapCenters of;
    std::int64_t first;
    bool normalize;
    double* sets;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t c = first + block.index(), size = of.shape.set_size();
        double* set = sets + block.index() * size;
        const SoapRoom room(block, of);
        SoapCoefficients(of, room).make(block, c, set);
        if (!normalize) return;
        const std::uint8_t* there = soap_channels(block, of, c);
        const double inverse = soap_inverse_norm(block, SoapProducts(of), set, there);
        const double factor = std::sqrt(inverse);
        block.for_each(size, [&](std::int64_t i) {
            if (there[static_cast<unsigned>(i) / of.shape.size] != 0) set[i] *= factor;
        });
    }
};

// sums [n_chunks, n_channels, size] of the sets, from that of centre `first` on, of each chunk.
struct SetsOfChunks {
    static constexpr unsigned n_threads = soap_threads;

    SoapCenters of;
    const SoapChunk* chunks;
    std::int64_t first;
    const double* sets;
    double* sums;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const SoapChunk chunk = chunks[block.index()];
        const std::int64_t size = of.shape.set_size();
        block.for_each(size, [&](std::int64_t i) {
            const unsigned channel = static_cast<unsigned>(i) / of.shape.size;
            double total = 0;
            for (std::int64_t c = chunk.begin; c < chunk.end; ++c)
                if (of.surrounds(c, channel)) total += sets[(c - first) * size + i];
            sums[block.index() * size + i] = total;
        });
    }
};

template <typename Real>
struct SumsOfChunks {
    static constexpr unsigned n_threads = soap_threads;
    static constexpr std::int64_t slice = 4 * n_threads;

    const std::int64_t* begin;
    const double* scale;
    std::int64_t size, n_slices;
    const double* sums;
    Real* out;

    template <typename Block>
    MOLKERN_DEVICE void operator()(Block& block) const {
        const std::int64_t m = block.index() / n_slices, from = block.index() % n_slices * slice;
        block.for_each(size - from < slice ? size - from : slice, [&](std::int64_t k) {
            double total = 0;
            for (std::int64_t chunk = begin[m]; chunk < begin[m + 1]; ++chunk)
                total += sums[chunk * size + from + k];
            out[m * size + from + k] = static_cast<Real>(scale[m] * total);
        });
    }
};

}  // namespace

void soap_sets(const SoapCenters& of, std::int64_t first, std::int64_t n, bool normalize,
               double* sets, Stream stream) {
    const std::size_t bytes = soap_room_bytes(of.p) + soap_channels_bytes(of.p);
    launch_of_any_size(SetsOfCenters{of, first, normalize, sets}, n, bytes, stream);
}

SoapPiece::SoapPiece(const std::vector<std::int64_t>& centers, std::int64_t from, Average average,
                     std::size_t bytes_per_center, std::size_t bytes_per_chunk)
    : first(from), last(from) {
    std::size_t bytes = 0;
    for (auto m = static_cast<std::size_t>(from); m + 1 < centers.size(); ++m, ++last) {
        const std::int64_t n = centers[m + 1] - centers[m];
        const std::int64_t n_chunks = (n + centers_per_chunk - 1) / centers_per_chunk;
        bytes += static_cast<std::size_t>(n) * bytes_per_center +
                 static_cast<std::size_t>(n_chunks) * bytes_per_chunk;
        if (last > first && bytes > soap_piece_bytes) return;
        for (std::int64_t at = centers[m]; at < centers[m + 1]; at += centers_per_chunk)
            chunks.push_back({at, std::min(at + centers_per_chunk, centers[m + 1])});
        begin.push_back(static_cast<std::int64_t>(chunks.size()));
        scale.push_back(average == Average::sum || n == 0 ? 1 : 1 / static_cast<double>(n));
    }
}

SoapSums::SoapSums(const SoapPiece& of, std::int64_t size, Stream stream)
    : n_(of.size()),
      n_chunks_(of.begin.back()),
      size_(size),
      chunks_(uploaded(of.chunks.data(), n_chunks_, stream)),
      begin_(uploaded(of.begin.data(), n_ + 1, stream)),
      scale_(uploaded(of.scale.data(), n_, stream)),
      sums_(n_chunks_ * size, stream) {}

template <typename Real>
void SoapSums::finish(Real* out, Stream stream) const {
    constexpr std::int64_t slice = SumsOfChunks<Real>::slice;
    const std::int64_t n_slices = (size_ + slice - 1) / slice;
    launch(SumsOfChunks<Real>{begin_.data(), scale_.data(), size_, n_slices, sums_.data(), out},
           n_ * n_slices, 0, stream);
}

template void SoapSums::finish<float>(float*, Stream) const;
template void SoapSums::finish<double>(double*, Stream) const;

Buffer<double> soap_mean_sets(const SoapCenters& of, const SoapPiece& piece, std::int64_t first,
                              std::int64_t n_centers, Stream stream) {
    const std::int64_t size = of.shape.set_size();
    Buffer<double> means(piece.size() * size, stream);
    const Buffer<double> sets(n_centers * size, stream);
    const SoapSums sums(piece, size, stream);
    soap_sets(of, first, n_centers, false, sets.data(), stream);
    launch(SetsOfChunks{of, sums.chunks(), first, sets.data(), sums.sums()}, sums.n_chunks(), 0,
           stream);
    sums.finish(means.data(), stream);
    return means;
}

}  // namespace molkern::cuda
