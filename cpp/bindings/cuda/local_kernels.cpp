#include "molkern/local_kernels.hpp"

#include <optional>
#include <tuple>
#include <utility>

#include "bindings/cuda/arrays.hpp"
#include "molkern/cuda.hpp"

namespace molkern::bindings {
namespace {

using Rows = Array<std::int64_t>;

// Features, and what the host knows of their atoms: index, owners, starts, first and n of
// AtomsByElement.
using Side = std::tuple<DeviceArray, Rows, Array<std::int32_t>, Rows, Rows, std::int64_t>;

const DeviceArray& features(const Side& side) noexcept {
    return std::get<DeviceArray>(side);
}

std::int64_t n_structures(const Side& side) noexcept {
    return std::get<5>(side);
}

template <typename T>
cuda::Buffer<T> copied(const Array<T>& array, cuda::Stream stream) {
    return cuda::uploaded(array.data(), static_cast<std::int64_t>(array.size()), stream);
}

// One side on the device, and what it points to.
template <typename Real>
class SideOnDevice {
  public:
    SideOnDevice(const Side& side, cuda::Stream stream)
        : index_(copied(std::get<1>(side), stream)),
          owners_(copied(std::get<2>(side), stream)),
          starts_(copied(std::get<3>(side), stream)),
          atoms_{features(side).as<const Real>(), index_.data(),     owners_.data(), starts_.data(),
                 std::get<4>(side).data(),        n_structures(side)} {}

    const cuda::AtomsByElement<Real>& atoms() const noexcept { return atoms_; }

  private:
    cuda::Buffer<std::int64_t> index_;
    cuda::Buffer<std::int32_t> owners_;
    cuda::Buffer<std::int64_t> starts_;
    cuda::AtomsByElement<Real> atoms_;
};

std::int64_t n_elements(const Side& side) noexcept {
    return static_cast<std::int64_t>(std::get<4>(side).size()) - 1;
}

// Of the host; the widths are copied where it is used.
AtomSimilarity similarity_of(const std::string& name, const Array<double>& scales, double offset,
                             std::size_t degree) {
    require(name == "gaussian" || name == "polynomial", "similarity: unknown value " + name);
    require(degree >= 1, "degree: expected 1 or more");
    return {name == "gaussian" ? AtomSimilarity::gaussian : AtomSimilarity::polynomial,
            scales.data(), static_cast<std::size_t>(scales.size()), offset, degree};
}

using Roots = std::optional<std::pair<Array<double>, Array<double>>>;

template <typename Real>
void compute(const Side& of_x, const std::optional<Side>& of_y, AtomSimilarity similarity,
             const Roots& roots, const DeviceArray& out) {
    const py::gil_scoped_release release;
    const cuda::Stream stream = out.stream();
    const SideOnDevice<Real> x(of_x, stream);
    std::optional<SideOnDevice<Real>> y;
    if (of_y) y.emplace(*of_y, stream);
    const auto scales =
        cuda::uploaded(similarity.scales, static_cast<std::int64_t>(similarity.n_scales), stream);
    similarity.scales = scales.data();
    cuda::Buffer<double> x_roots, y_roots;
    if (roots) {
        x_roots = copied(roots->first, stream);
        y_roots = copied(roots->second, stream);
    }
    cuda::local_kernel<Real>(x.atoms(), y ? &y->atoms() : nullptr, n_elements(of_x),
                             features(of_x).shape()[1], similarity, x_roots.data(), y_roots.data(),
                             out.as<Real>(), stream);
    cuda::synchronize(stream);
}

// y None: symmetric. The result has shape (n, m), with `several` (n_scales, n, m). What the host
// knows (which atoms there are) has been checked.
DeviceArray local_kernel(const Side& x, const std::optional<Side>& y, const std::string& name,
                         const Array<double>& scales, double offset, std::size_t degree,
                         const Roots& roots, bool several, std::uintptr_t stream) {
    const DeviceArray& X = features(x);
    require_shape("X", X, {-1, -1});
    if (y) {
        const DeviceArray& Y = features(*y);
        require_shape("Y", Y, {-1, X.shape()[1]});
        require(X.item_bytes() == Y.item_bytes(),
                "Y: expected " + X.dtype() + " as X is, found " + Y.dtype());
    }
    const AtomSimilarity similarity = similarity_of(name, scales, offset, degree);
    const cuda::CurrentDevice here(X.device());
    std::vector<std::int64_t> shape{n_structures(x), n_structures(y ? *y : x)};
    if (several) shape.insert(shape.begin(), static_cast<std::int64_t>(scales.size()));
    const DeviceArray out(shape, X.item_bytes(), stream_of(stream));
    const auto run = X.item_bytes() == 4 ? &compute<float> : &compute<double>;
    run(x, y, similarity, roots, out);
    return out;
}

template <typename Real>
void compute_diagonal(const Side& of_x, AtomSimilarity similarity, const DeviceArray& out) {
    const py::gil_scoped_release release;
    const cuda::Stream stream = out.stream();
    const SideOnDevice<Real> x(of_x, stream);
    const auto scales =
        cuda::uploaded(similarity.scales, static_cast<std::int64_t>(similarity.n_scales), stream);
    similarity.scales = scales.data();
    cuda::local_kernel_diagonal<Real>(x.atoms(), n_elements(of_x), features(of_x).shape()[1],
                                      similarity, out.as<double>(), stream);
    cuda::synchronize(stream);
}

// Shape (n,), with `several` (n_scales, n), float64.
DeviceArray local_kernel_diagonal(const Side& x, const std::string& name,
                                  const Array<double>& scales, double offset, std::size_t degree,
                                  bool several, std::uintptr_t stream) {
    const DeviceArray& X = features(x);
    require_shape("X", X, {-1, -1});
    const AtomSimilarity similarity = similarity_of(name, scales, offset, degree);
    const cuda::CurrentDevice here(X.device());
    std::vector<std::int64_t> shape{n_structures(x)};
    if (several) shape.insert(shape.begin(), static_cast<std::int64_t>(scales.size()));
    const DeviceArray out(shape, 8, stream_of(stream));
    const auto run = X.item_bytes() == 4 ? &compute_diagonal<float> : &compute_diagonal<double>;
    run(x, similarity, out);
    return out;
}

}  // namespace

void define_local_kernels(py::module_& m) {
    m.def("local_kernel", &local_kernel, py::arg("x"), py::arg("y").none(true),
          py::arg("similarity"), py::arg("scales").noconvert(), py::arg("offset"),
          py::arg("degree"), py::arg("roots").none(true), py::arg("several"), py::arg("stream"));
    m.def("local_kernel_diagonal", &local_kernel_diagonal, py::arg("x"), py::arg("similarity"),
          py::arg("scales").noconvert(), py::arg("offset"), py::arg("degree"), py::arg("several"),
          py::arg("stream"));
}

}  // namespace molkern::bindings
