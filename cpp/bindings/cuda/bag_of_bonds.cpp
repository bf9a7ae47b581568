#include "molkern/bag_of_bonds.hpp"

#include "bindings/cuda/molecules.hpp"
#include "molkern/cuda.hpp"

namespace molkern::bindings {
namespace {

using Numbers = Array<std::int32_t>;
using Offsets = Array<std::int64_t>;

// Calls compute(parameters) with all of them on the device; the interpreter runs on.
template <typename Compute>
std::size_t with_bags(const MoleculesOnDevice& of, const Numbers& species, const Offsets& first,
                      double unit_length, cuda::Stream stream, const Compute& compute) {
    const auto n_species = static_cast<std::int64_t>(species.shape(0));
    std::vector<std::int32_t> table(n_elements, -1);
    for (std::int64_t s = 0; s < n_species; ++s)
        table[static_cast<std::size_t>(species.data()[s])] = static_cast<std::int32_t>(s);
    const std::int32_t* elements = species.data();
    const std::int64_t *bags = first.data(), n_bags = first.shape(0) - 1;
    py::gil_scoped_release release;
    const auto on_elements = cuda::uploaded(elements, n_species, stream);
    const auto on_table = cuda::uploaded(table.data(), n_elements, stream);
    const auto on_bags = cuda::uploaded(bags, n_bags + 1, stream);
    const BagParameters p{on_elements.data(),
                          on_table.data(),
                          static_cast<std::size_t>(n_species),
                          on_bags.data(),
                          unit_length,
                          of.half_powers_there(),
                          0};
    return compute(p);
}

// first: the first feature of each bag, then their number. What the host knows (numbers, species,
// sizes of bags) has been checked.
py::tuple bag_of_bonds(const MoleculesOnDevice& of, const DeviceArray& positions,
                       const Numbers& species, const Offsets& first, double unit_length,
                       bool single, std::uintptr_t handle) {
    require_positions(positions, of);
    const cuda::CurrentDevice here(of.device);
    const cuda::Stream stream = stream_of(handle);
    DeviceArray out({of.n, first.data()[first.shape(0) - 1]}, single ? 4 : 8, stream);
    const std::size_t bad =
        with_bags(of, species, first, unit_length, stream, [&](const BagParameters& p) {
            const auto run = [&](auto* to) {
                return cuda::bag_of_bonds(of.at(positions), p, to, stream);
            };
            return single ? run(out.as<float>()) : run(out.as<double>());
        });
    return with_coincident(out, bad);
}

py::tuple bag_of_bonds_vjp(const MoleculesOnDevice& of, const DeviceArray& positions,
                           const Numbers& species, const Offsets& first, double unit_length,
                           const DeviceArray& cotangent, std::uintptr_t handle) {
    require_positions(positions, of);
    require_cotangent(cotangent, positions, of.n, first.data()[first.shape(0) - 1]);
    const cuda::CurrentDevice here(of.device);
    const cuda::Stream stream = stream_of(handle);
    DeviceArray gradient({of.n_atoms, 3}, 8, stream);
    const std::size_t bad =
        with_bags(of, species, first, unit_length, stream, [&](const BagParameters& p) {
            const auto run = [&](const auto* g) {
                return cuda::bag_of_bonds_vjp(of.at(positions), p, g, gradient.as<double>(),
                                              stream);
            };
            return cotangent.item_bytes() == 4 ? run(cotangent.as<const float>())
                                               : run(cotangent.as<const double>());
        });
    return with_coincident(gradient, bad);
}

template <typename Function>
void define(py::module_& m, const char* name, Function function, const char* argument) {
    m.def(name, function, py::arg("molecules"), py::arg("positions"),
          py::arg("species").noconvert(), py::arg("first").noconvert(), py::arg("unit_length"),
          py::arg(argument), py::arg("stream"));
}

}  // namespace

void define_bag_of_bonds(py::module_& m) {
    define(m, "bag_of_bonds", &bag_of_bonds, "single");
    define(m, "bag_of_bonds_vjp", &bag_of_bonds_vjp, "cotangent");
}

}  // namespace molkern::bindings
