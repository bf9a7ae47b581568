#include "molkern/coulomb_matrix.hpp"

#include "bindings/cuda/molecules.hpp"
#include "bindings/names.hpp"
#include "molkern/cuda.hpp"

namespace molkern::bindings {
namespace {

using Numbers = Array<std::int32_t>;
using Offsets = Array<std::int64_t>;

// Without what lies on the device.
CoulombParameters parameters_of(const std::string& permutation, std::size_t size,
                                double unit_length, const Array<double>& noise) {
    const Permutation chosen = permutation_of(permutation);
    const auto n_copies =
        chosen == Permutation::random ? static_cast<std::size_t>(noise.shape(0)) : 1;
    return {chosen, size, unit_length, nullptr, nullptr, n_copies};
}

// Calls compute(batch, parameters) with all of it on the device; the interpreter runs on.
template <typename Compute>
std::size_t with_matrix(const Numbers& numbers, const DeviceArray& positions,
                        const Offsets& offsets, CoulombParameters p, const Array<double>& noise,
                        cuda::Stream stream, const Compute& compute) {
    const std::int64_t n_atoms = numbers.shape(0), n = offsets.shape(0) - 1;
    const std::int32_t* z = numbers.data();
    const std::int64_t* first = offsets.data();
    const double* noises = noise.data();
    const std::int64_t n_noises = noise.size();
    py::gil_scoped_release release;
    const MoleculesOnDevice batch(z, n_atoms, positions, first, n, stream);
    const auto on_powers = cuda::uploaded(half_powers(), n_elements, stream);
    const auto on_noise = cuda::uploaded(noises, n_noises, stream);
    p.half_power = on_powers.data();
    p.noise = on_noise.data();
    return compute(batch, p);
}

// The features, and the first molecule in which two atoms coincide or None. What the host knows
// (numbers, sizes) has been checked.
py::tuple coulomb_matrix(const Numbers& numbers, const DeviceArray& positions,
                         const Offsets& offsets, const std::string& permutation, std::size_t size,
                         double unit_length, const Array<double>& noise, bool single,
                         std::uintptr_t handle) {
    require_positions(positions, numbers);
    const CoulombParameters parameters = parameters_of(permutation, size, unit_length, noise);
    const cuda::CurrentDevice here(positions.device());
    const cuda::Stream stream = stream_of(handle);
    DeviceArray out({static_cast<std::int64_t>(offsets.shape(0)) - 1,
                     static_cast<std::int64_t>(coulomb_matrix_features(parameters))},
                    single ? 4 : 8, stream);
    const std::size_t bad = with_matrix(
        numbers, positions, offsets, parameters, noise, stream,
        [&](const MoleculesOnDevice& batch, const CoulombParameters& p) {
            const auto run = [&](auto* to) {
                return cuda::coulomb_matrix(batch.molecules(), p, batch.largest(), to, stream);
            };
            return single ? run(out.as<float>()) : run(out.as<double>());
        });
    return with_coincident(out, bad);
}

py::tuple coulomb_matrix_vjp(const Numbers& numbers, const DeviceArray& positions,
                             const Offsets& offsets, const std::string& permutation,
                             std::size_t size, double unit_length, const Array<double>& noise,
                             const DeviceArray& cotangent, std::uintptr_t handle) {
    require_positions(positions, numbers);
    const CoulombParameters parameters = parameters_of(permutation, size, unit_length, noise);
    require_cotangent(cotangent, positions, static_cast<std::int64_t>(offsets.shape(0)) - 1,
                      static_cast<std::int64_t>(coulomb_matrix_features(parameters)));
    const cuda::CurrentDevice here(positions.device());
    const cuda::Stream stream = stream_of(handle);
    DeviceArray gradient({static_cast<std::int64_t>(numbers.shape(0)), 3}, 8, stream);
    const std::size_t bad =
        with_matrix(numbers, positions, offsets, parameters, noise, stream,
                    [&](const MoleculesOnDevice& batch, const CoulombParameters& p) {
                        const auto run = [&](const auto* g) {
                            return cuda::coulomb_matrix_vjp(batch.molecules(), p, batch.largest(),
                                                            g, gradient.as<double>(), stream);
                        };
                        return cotangent.item_bytes() == 4 ? run(cotangent.as<const float>())
                                                           : run(cotangent.as<const double>());
                    });
    return with_coincident(gradient, bad);
}

template <typename Function>
void define(py::module_& m, const char* name, Function function, const char* argument) {
    m.def(name, function, py::arg("numbers").noconvert(), py::arg("positions"),
          py::arg("offsets").noconvert(), py::arg("permutation"), py::arg("size"),
          py::arg("unit_length"), py::arg("noise").noconvert(), py::arg(argument),
          py::arg("stream"));
}

}  // namespace

void define_coulomb_matrix(py::module_& m) {
    define(m, "coulomb_matrix", &coulomb_matrix, "single");
    define(m, "coulomb_matrix_vjp", &coulomb_matrix_vjp, "cotangent");
}

}  // namespace molkern::bindings
