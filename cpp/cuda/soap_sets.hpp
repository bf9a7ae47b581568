// SOAP on a device: sets of coefficients in global memory, [n_channels, size] for each centre or
// structure.
#pragma once

#include <vector>

#include "cuda/soap_products.hpp"
#include "molkern/local.hpp"

namespace molkern::cuda {

/// Of coefficients and sums at a time, unless a single structure needs more. Little in the
/// emulation, so that tests have several pieces.
#if defined(__CUDACC__)
constexpr std::size_t soap_piece_bytes = std::size_t{1} << 29;
#else
constexpr std::size_t soap_piece_bytes = std::size_t{1} << 16;
#endif

/// sets [n, n_channels, size] = coefficients of n centres from `first` on, of channels with a
/// species that is there. With `normalize` those of features of norm 1.
void soap_sets(const SoapCenters& of, std::int64_t first, std::int64_t n, bool normalize,
               double* sets, Stream stream);

/// Centres of one structure that are summed by one block.
struct SoapChunk {
    std::int64_t begin, end;
};

/// Some structures with their chunks, on the host.
///
/// first, last   structures
/// begin         [n_structures + 1]   first chunk of each
/// scale         [n_structures]       what sums are multiplied by
struct SoapPiece {
    std::int64_t first, last;
    std::vector<SoapChunk> chunks;
    std::vector<std::int64_t> begin{0};
    std::vector<double> scale;

    /// Of the structures from `from` on as many as have memory.
    ///
    /// centers   [n_structures + 1]   the first one of each
    SoapPiece(const std::vector<std::int64_t>& centers, std::int64_t from, Average average,
              std::size_t bytes_per_center, std::size_t bytes_per_chunk);

    std::int64_t size() const noexcept { return last - first; }
};

/// The chunks of a piece on the device, and a row of sums for each.
///
/// sums   [n_chunks, size]
class SoapSums {
  public:
    SoapSums(const SoapPiece& of, std::int64_t size, Stream stream);

    const SoapChunk* chunks() const noexcept { return chunks_.data(); }
    std::int64_t n_chunks() const noexcept { return n_chunks_; }
    double* sums() const noexcept { return sums_.data(); }

    /// out [n_structures, size] = the sums of each structure's chunks in their order, scaled.
    template <typename Real>
    void finish(Real* out, Stream stream) const;

  private:
    std::int64_t n_, n_chunks_, size_;
    Buffer<SoapChunk> chunks_;
    Buffer<std::int64_t> begin_;
    Buffer<double> scale_, sums_;
};

/// The mean coefficients of each structure of a piece whose first centre is `first`.
Buffer<double> soap_mean_sets(const SoapCenters& of, const SoapPiece& piece, std::int64_t first,
                              std::int64_t n_centers, Stream stream);

}  // namespace molkern::cuda
