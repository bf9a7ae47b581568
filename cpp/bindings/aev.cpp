#include "bindings/aev_parameters.hpp"
#include "bindings/arrays.hpp"
#include "cpu/table.hpp"
#include "molkern/local.hpp"

namespace molkern::bindings {
namespace {

// Columns of each species, then of each pair of species, in the order of the features.
std::vector<ColumnGroup> groups_of(const AevParameters& p) {
    const std::size_t n = p.n_species, angular = p.n_angular_shifts * p.n_sections;
    std::vector<std::size_t> kind(n);
    for (std::size_t s = 0; s < n; ++s) kind[p.place[s]] = s;
    std::vector<ColumnGroup> groups;
    for (std::size_t a = 0; a < n; ++a)
        groups.push_back({a * p.n_shifts, (a + 1) * p.n_shifts, kind[a], kind[a]});
    std::size_t begin = n * p.n_shifts;
    for (std::size_t a = 0; a < n; ++a)
        for (std::size_t b = a; b < n; ++b, begin += angular)
            groups.push_back({begin, begin + angular, kind[a], kind[b]});
    return groups;
}

// species: in the order of the features.
LocalKernel aev_kernel(const Array<std::int32_t>& species, double r_cut, double eta,
                       const Array<double>& shifts, double angular_r_cut, double angular_eta,
                       double zeta, const Array<double>& angular_shifts,
                       const Array<double>& sections) {
    const auto owned = aev_parameters(species, r_cut, eta, shifts, angular_r_cut, angular_eta, zeta,
                                      angular_shifts, sections);
    const std::size_t n_features = aev_features(owned->view);
    const std::shared_ptr<const void> parameters(owned, &owned->view);
    return {parameters,     kernels().aev,          n_features, owned->longest(),
            owned->species, groups_of(owned->view), false};
}

}  // namespace

void define_aev(py::module_& m) {
    m.def("aev_kernel", &aev_kernel, py::arg("species").noconvert(), py::arg("r_cut"),
          py::arg("eta"), py::arg("shifts").noconvert(), py::arg("angular_r_cut"),
          py::arg("angular_eta"), py::arg("zeta"), py::arg("angular_shifts").noconvert(),
          py::arg("sections").noconvert());
}

}  // namespace molkern::bindings
