// Numbers of single precision in double. Floor: 12 bytes a number.

#include "cuda/each.hpp"

namespace molkern::cuda {
namespace {

struct Widen {
    const float* from;
    double* to;
    MOLKERN_DEVICE void operator()(std::int64_t i) const { to[i] = from[i]; }
};

}  // namespace

void widen(const float* from, std::int64_t n, double* to, Stream stream) {
    launch_each(Widen{from, to}, n, stream);
}

}  // namespace molkern::cuda
