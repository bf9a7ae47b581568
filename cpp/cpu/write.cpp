// Rows of features, and blocks of Jacobians, on their way to the result; bound by the bytes
// written.

#include "cpu/kernels.hpp"
#include "molkern/local.hpp"

namespace molkern {
inline namespace MOLKERN_ISA {

template <typename Real>
void convert(const double* from, std::size_t n, Real* to) noexcept {
    for (std::size_t f = 0; f < n; ++f) to[f] = static_cast<Real>(from[f]);
}

template <typename Real>
void put_block(const double* rows, const ColumnRange* ranges, std::size_t n_ranges,
               std::size_t n_features, bool compact, Real* to, double* own) noexcept {
    for (std::size_t axis = 0; axis < 3; ++axis) {
        const double* row = rows + axis * n_features;
        std::size_t at = 0;
        for (std::size_t r = 0; r < n_ranges; ++r) {
            const std::size_t begin = ranges[r].begin, n = ranges[r].end - begin;
            if (!compact)
                for (; at < begin; ++at) *to++ = 0;
            for (std::size_t f = 0; f < n; ++f) to[f] = static_cast<Real>(row[begin + f]);
            to += n;
            at += n;
            if (own == nullptr) continue;
            double* sum = own + axis * n_features + begin;
            for (std::size_t f = 0; f < n; ++f) sum[f] -= row[begin + f];
        }
        if (!compact)
            for (; at < n_features; ++at) *to++ = 0;
    }
}

template void convert<float>(const double*, std::size_t, float*) noexcept;
template void convert<double>(const double*, std::size_t, double*) noexcept;
template void put_block<float>(const double*, const ColumnRange*, std::size_t, std::size_t, bool,
                               float*, double*) noexcept;
template void put_block<double>(const double*, const ColumnRange*, std::size_t, std::size_t, bool,
                                double*, double*) noexcept;

}  // namespace MOLKERN_ISA
}  // namespace molkern
