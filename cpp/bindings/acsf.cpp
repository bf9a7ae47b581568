#include "bindings/acsf_parameters.hpp"
#include "bindings/arrays.hpp"
#include "cpu/table.hpp"
#include "molkern/local.hpp"

namespace molkern::bindings {
namespace {

// Columns of each species, then of each pair of species.
std::vector<ColumnGroup> groups_of(const AcsfParameters& p) {
    std::vector<ColumnGroup> groups;
    for (std::size_t a = 0; a < p.n_species; ++a)
        groups.push_back({a * p.n_radial, (a + 1) * p.n_radial, a, a});
    std::size_t begin = p.n_species * p.n_radial;
    for (std::size_t a = 0; a < p.n_species; ++a)
        for (std::size_t b = 0; b <= a; ++b, begin += p.n_angular)
            groups.push_back({begin, begin + p.n_angular, b, a});
    return groups;
}

LocalKernel acsf_kernel(const Array<std::int32_t>& species, double r_cut,
                        const std::string& cutoff_function, bool g1, const Array<double>& g2,
                        const Array<double>& g3, const Array<double>& g4, const Array<double>& g5) {
    const auto owned = acsf_parameters(species, r_cut, cutoff_function, g1, g2, g3, g4, g5);
    const AcsfParameters& p = owned->view;
    return {std::shared_ptr<const void>(owned, &p),
            kernels().acsf,
            acsf_features(p),
            r_cut,
            std::vector<std::int32_t>(species.data(), species.data() + species.shape(0)),
            groups_of(p),
            false};
}

}  // namespace

void define_acsf(py::module_& m) {
    m.def("acsf_kernel", &acsf_kernel, py::arg("species").noconvert(), py::arg("r_cut"),
          py::arg("cutoff_function"), py::arg("g1"), py::arg("g2").noconvert(),
          py::arg("g3").noconvert(), py::arg("g4").noconvert(), py::arg("g5").noconvert());
}

}  // namespace molkern::bindings
