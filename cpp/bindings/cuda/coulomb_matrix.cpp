#include "molkern/coulomb_matrix.hpp"

#include "bindings/cuda/molecules.hpp"
#include "bindings/names.hpp"
#include "molkern/cuda.hpp"

namespace molkern::bindings {
namespace {

// Without what lies on the device.
CoulombParameters parameters_of(const std::string& permutation, std::size_t size,
                                double unit_length, const Array<double>& noise) {
    const Permutation chosen = permutation_of(permutation);
    const auto n_copies =
        chosen == Permutation::random ? static_cast<std::size_t>(noise.shape(0)) : 1;
    return {chosen, size, unit_length, nullptr, nullptr, n_copies};
}

// Calls compute(parameters) with all of them on the device; the interpreter runs on.
template <typename Compute>
std::size_t with_parameters(const MoleculesOnDevice& of, CoulombParameters p,
                            const Array<double>& noise, cuda::Stream stream,
                            const Compute& compute) {
    const double* noises = noise.data();
    const std::int64_t n_noises = noise.size();
    py::gil_scoped_release release;
    const auto on_noise = cuda::uploaded(noises, n_noises, stream);
    p.half_power = of.half_powers_there();
    p.noise = on_noise.data();
    return compute(p);
}

// The features, and the first molecule in which two atoms coincide or None. What the host knows
// (numbers, sizes) has been checked.
py::tuple coulomb_matrix(const MoleculesOnDevice& of, const DeviceArray& positions,
                         const std::string& permutation, std::size_t size, double unit_length,
                         const Array<double>& noise, bool single, std::uintptr_t handle) {
    require_positions(positions, of);
    const CoulombParameters parameters = parameters_of(permutation, size, unit_length, noise);
    const cuda::CurrentDevice here(of.device);
    const cuda::Stream stream = stream_of(handle);
    DeviceArray out({of.n, static_cast<std::int64_t>(coulomb_matrix_features(parameters))},
                    single ? 4 : 8, stream);
    const std::size_t bad =
        with_parameters(of, parameters, noise, stream, [&](const CoulombParameters& p) {
            const auto run = [&](auto* to) {
                return cuda::coulomb_matrix(of.at(positions), p, to, stream);
            };
            return single ? run(out.as<float>()) : run(out.as<double>());
        });
    return with_coincident(out, bad);
}

py::tuple coulomb_matrix_vjp(const MoleculesOnDevice& of, const DeviceArray& positions,
                             const std::string& permutation, std::size_t size, double unit_length,
                             const Array<double>& noise, const DeviceArray& cotangent,
                             std::uintptr_t handle) {
    require_positions(positions, of);
    const CoulombParameters parameters = parameters_of(permutation, size, unit_length, noise);
    require_cotangent(cotangent, positions, of.n,
                      static_cast<std::int64_t>(coulomb_matrix_features(parameters)));
    const cuda::CurrentDevice here(of.device);
    const cuda::Stream stream = stream_of(handle);
    DeviceArray gradient({of.n_atoms, 3}, 8, stream);
    const std::size_t bad =
        with_parameters(of, parameters, noise, stream, [&](const CoulombParameters& p) {
            const auto run = [&](const auto* g) {
                return cuda::coulomb_matrix_vjp(of.at(positions), p, g, gradient.as<double>(),
                                                stream);
            };
            return cotangent.item_bytes() == 4 ? run(cotangent.as<const float>())
                                               : run(cotangent.as<const double>());
        });
    return with_coincident(gradient, bad);
}

template <typename Function>
void define(py::module_& m, const char* name, Function function, const char* argument) {
    m.def(name, function, py::arg("molecules"), py::arg("positions"), py::arg("permutation"),
          py::arg("size"), py::arg("unit_length"), py::arg("noise").noconvert(), py::arg(argument),
          py::arg("stream"));
}

}  // namespace

void define_coulomb_matrix(py::module_& m) {
    define(m, "coulomb_matrix", &coulomb_matrix, "single");
    define(m, "coulomb_matrix_vjp", &coulomb_matrix_vjp, "cotangent");
}

}  // namespace molkern::bindings
