#include "cuda/local.hpp"

#include <algorithm>
#include <optional>

#include "bindings/acsf_parameters.hpp"
#include "bindings/aev_parameters.hpp"
#include "bindings/cuda/arrays.hpp"
#include "bindings/names.hpp"
#include "bindings/soap_parameters.hpp"

namespace molkern::bindings {
namespace {

using Kernel = std::shared_ptr<cuda::DeviceKernel>;

// A kernel that frees what it has on devices while other threads of the interpreter run on.
Kernel waiting(Kernel kernel) {
    cuda::DeviceKernel* const plain = kernel.get();
    auto* const held = new Kernel(std::move(kernel));
    return {plain, [held](cuda::DeviceKernel*) { Waiting{}(held); }};
}

Kernel aev_kernel(const Array<std::int32_t>& species, double r_cut, double eta,
                  const Array<double>& shifts, double angular_r_cut, double angular_eta,
                  double zeta, const Array<double>& angular_shifts, const Array<double>& sections) {
    const auto owned = aev_parameters(species, r_cut, eta, shifts, angular_r_cut, angular_eta, zeta,
                                      angular_shifts, sections);
    Kernel kernel = cuda::aev_kernel(std::shared_ptr<const AevParameters>(owned, &owned->view));
    kernel->species = owned->species;
    kernel->n_features = static_cast<std::int64_t>(aev_features(owned->view));
    kernel->r_cut = owned->longest();
    return waiting(std::move(kernel));
}

Kernel acsf_kernel(const Array<std::int32_t>& species, double r_cut,
                   const std::string& cutoff_function, bool g1, const Array<double>& g2,
                   const Array<double>& g3, const Array<double>& g4, const Array<double>& g5) {
    const auto owned = acsf_parameters(species, r_cut, cutoff_function, g1, g2, g3, g4, g5);
    Kernel kernel = cuda::acsf_kernel(std::shared_ptr<const AcsfParameters>(owned, &owned->view));
    kernel->species.assign(species.data(), species.data() + species.shape(0));
    kernel->n_features = static_cast<std::int64_t>(acsf_features(owned->view));
    kernel->r_cut = r_cut;
    return waiting(std::move(kernel));
}

Kernel soap_kernel(const Array<std::int32_t>& species, double r_cut,
                   const std::optional<std::string>& cutoff_function,
                   const Array<double>& exponents, const Array<double>& transform,
                   const std::optional<Array<double>>& table, double spacing,
                   const std::optional<std::string>& compression, bool normalize,
                   const std::optional<std::string>& weighting, const std::array<double, 4>& weight,
                   double own_weight, const std::optional<Array<double>>& of_species) {
    const auto parameters =
        soap_parameters(species, r_cut, cutoff_function, exponents, transform, table, spacing,
                        compression, normalize, weighting, weight, own_weight, of_species);
    Kernel kernel = cuda::soap_kernel(parameters);
    kernel->species.assign(species.data(), species.data() + species.shape(0));
    kernel->n_features = static_cast<std::int64_t>(parameters->n_features);
    kernel->r_cut = r_cut;
    return waiting(std::move(kernel));
}

using Around = std::shared_ptr<cuda::Surroundings>;

std::vector<std::int32_t> kinds_of(const Array<std::int32_t>& numbers,
                                   const std::vector<std::int32_t>& species) {
    std::vector<std::int32_t> kinds(static_cast<std::size_t>(numbers.shape(0)));
    std::transform(numbers.data(), numbers.data() + numbers.shape(0), kinds.begin(),
                   [&](std::int32_t number) {
                       const auto at = std::lower_bound(species.begin(), species.end(), number);
                       return static_cast<std::int32_t>(at - species.begin());
                   });
    return kinds;
}

// A batch but for its positions on a device; _core.check_local has checked it.
Around surroundings(const std::vector<std::int32_t>& species, double r_cut,
                    const Array<std::int32_t>& numbers, const Array<std::int64_t>& offsets,
                    const std::optional<Array<double>>& cells,
                    const std::optional<Array<bool>>& pbc,
                    const std::optional<Array<std::int64_t>>& centers, int device,
                    std::uintptr_t stream) {
    const std::vector<std::int32_t> kinds = kinds_of(numbers, species);
    const bool periodic = cells && pbc;
    const cuda::Composition of{kinds.data(),
                               static_cast<std::int64_t>(species.size()),
                               offsets.data(),
                               offsets.shape(0) - 1,
                               periodic ? cells->data() : nullptr,
                               periodic ? pbc->data() : nullptr,
                               centers ? centers->data() : nullptr,
                               centers ? centers->shape(0) : numbers.shape(0),
                               r_cut};
    const cuda::CurrentDevice here(device);
    py::gil_scoped_release release;
    return Around(new cuda::Surroundings(of, stream_of(stream)), Waiting{});
}

Around surroundings_for(const Kernel& kernel, const Array<std::int32_t>& numbers,
                        const Array<std::int64_t>& offsets,
                        const std::optional<Array<double>>& cells,
                        const std::optional<Array<bool>>& pbc,
                        const std::optional<Array<std::int64_t>>& centers, int device,
                        std::uintptr_t stream) {
    return surroundings(kernel->species, kernel->r_cut, numbers, offsets, cells, pbc, centers,
                        device, stream);
}

void require_positions(const cuda::Surroundings& of, const DeviceArray& positions) {
    require_shape("positions", positions, {of.n_atoms, 3});
    require(positions.item_bytes() == 8, "positions: expected float64, found " + positions.dtype());
    require(positions.device() == of.device, "positions: expected an array on device " +
                                                 std::to_string(of.device) + ", found " +
                                                 std::to_string(positions.device()));
}

std::int64_t n_rows(const cuda::Surroundings& of, Average average) {
    return average == Average::none ? of.n_centers : of.n_structures;
}

py::object found(std::size_t structure) {
    return structure == no_molecule ? py::object(py::none()) : py::object(py::int_(structure));
}

// Features, and the first structure that is wrong or None.
py::tuple local_values(const Kernel& kernel, const Around& of, const DeviceArray& positions,
                       const std::string& average, bool single, std::uintptr_t stream) {
    require_positions(*of, positions);
    const Average chosen = average_of(average);
    const cuda::CurrentDevice here(of->device);
    DeviceArray out({n_rows(*of, chosen), kernel->n_features}, single ? 4 : 8, stream_of(stream));
    std::size_t wrong = no_molecule;
    {
        py::gil_scoped_release release;
        const auto* at = positions.as<const double>();
        const auto run = [&](auto* to) {
            return cuda::local_values(*kernel, *of, at, chosen, to, out.stream());
        };
        wrong = single ? run(out.as<float>()) : run(out.as<double>());
        cuda::synchronize(out.stream());
    }
    return py::make_tuple(out, found(wrong));
}

// Gradients with respect to positions and, if wanted, to strain (else None), and the first
// structure that is wrong or None.
py::tuple local_vjp(const Kernel& kernel, const Around& of, const DeviceArray& positions,
                    const std::string& average, const DeviceArray& cotangent, bool strain,
                    std::uintptr_t stream) {
    require_positions(*of, positions);
    const Average chosen = average_of(average);
    require_shape("gX", cotangent, {n_rows(*of, chosen), kernel->n_features});
    require(cotangent.device() == of->device, "gX: expected an array on device " +
                                                  std::to_string(of->device) + ", found " +
                                                  std::to_string(cotangent.device()));
    const cuda::CurrentDevice here(of->device);
    const cuda::Stream queue = stream_of(stream);
    DeviceArray gradient({of->n_atoms, 3}, 8, queue);
    DeviceArray strains({strain ? of->n_structures : 0, 3, 3}, 8, queue);
    std::size_t wrong = no_molecule;
    {
        py::gil_scoped_release release;
        const auto* at = positions.as<const double>();
        double* strain_to = strain ? strains.as<double>() : nullptr;
        const auto run = [&](const auto* g) {
            return cuda::local_vjp(*kernel, *of, at, chosen, g, gradient.as<double>(), strain_to,
                                   queue);
        };
        wrong = cotangent.item_bytes() == 4 ? run(cotangent.as<const float>())
                                            : run(cotangent.as<const double>());
        cuda::synchronize(queue);
    }
    return py::make_tuple(gradient, strain ? py::cast(strains) : py::object(py::none()),
                          found(wrong));
}

template <typename T>
Array<T> on_host(const T* from, std::int64_t n, cuda::Stream stream) {
    Array<T> to(n);
    cuda::download(to.mutable_data(), from, static_cast<std::size_t>(n) * sizeof(T), stream);
    return to;
}

// Neighbours as the kernels see them, for tests: begin, species, atom, x, y, z, distance; and the
// first structure that is wrong or None.
py::tuple neighbors(const Around& of, const DeviceArray& positions, std::uintptr_t stream) {
    require_positions(*of, positions);
    const cuda::CurrentDevice here(of->device);
    const cuda::Stream on = stream_of(stream);
    const cuda::FoundNeighbors all(*of, positions.as<const double>(), on);
    if (all.coincident != no_molecule) return py::make_tuple(py::none(), all.coincident);
    const cuda::DeviceNeighbors& n = all.view();
    const py::tuple lists = py::make_tuple(
        on_host(n.first, n.n_centers + 1, on), on_host(n.begin, n.n_centers * n.n_species + 1, on),
        on_host(n.species, n.n_pairs, on), on_host(n.atom, n.n_pairs, on),
        on_host(n.x, n.n_pairs, on), on_host(n.y, n.n_pairs, on), on_host(n.z, n.n_pairs, on),
        on_host(n.distance, n.n_pairs, on), all.most);
    return py::make_tuple(lists, py::none());
}

}  // namespace

void define_local(py::module_& m) {
    py::class_<cuda::DeviceKernel, Kernel>(m, "LocalKernel", py::module_local())
        .def_readonly("n_features", &cuda::DeviceKernel::n_features);
    m.def("acsf_kernel", &acsf_kernel, py::arg("species").noconvert(), py::arg("r_cut"),
          py::arg("cutoff_function"), py::arg("g1"), py::arg("g2").noconvert(),
          py::arg("g3").noconvert(), py::arg("g4").noconvert(), py::arg("g5").noconvert());
    m.def("aev_kernel", &aev_kernel, py::arg("species").noconvert(), py::arg("r_cut"),
          py::arg("eta"), py::arg("shifts").noconvert(), py::arg("angular_r_cut"),
          py::arg("angular_eta"), py::arg("zeta"), py::arg("angular_shifts").noconvert(),
          py::arg("sections").noconvert());
    m.def("soap_kernel", &soap_kernel, py::arg("species").noconvert(), py::arg("r_cut"),
          py::arg("cutoff_function"), py::arg("exponents").noconvert(),
          py::arg("transform").noconvert(), py::arg("table").noconvert(), py::arg("spacing"),
          py::arg("compression"), py::arg("normalize"), py::arg("weighting"), py::arg("weight"),
          py::arg("own_weight"), py::arg("of_species").noconvert());
    py::class_<cuda::Surroundings, Around>(m, "Surroundings", py::module_local());
    m.def("surroundings", &surroundings_for, py::arg("kernel"), py::arg("numbers").noconvert(),
          py::arg("offsets").noconvert(), py::arg("cells").noconvert(), py::arg("pbc").noconvert(),
          py::arg("centers").noconvert(), py::arg("device"), py::arg("stream"));
    m.def("surroundings", &surroundings, py::arg("species"), py::arg("r_cut"),
          py::arg("numbers").noconvert(), py::arg("offsets").noconvert(),
          py::arg("cells").noconvert(), py::arg("pbc").noconvert(), py::arg("centers").noconvert(),
          py::arg("device"), py::arg("stream"));
    m.def("local_values", &local_values, py::arg("kernel"), py::arg("surroundings"),
          py::arg("positions"), py::arg("average"), py::arg("single"), py::arg("stream"));
    m.def("local_vjp", &local_vjp, py::arg("kernel"), py::arg("surroundings"), py::arg("positions"),
          py::arg("average"), py::arg("cotangent"), py::arg("strain"), py::arg("stream"));
    m.def("neighbors", &neighbors, py::arg("surroundings"), py::arg("positions"),
          py::arg("stream"));
}

}  // namespace molkern::bindings
