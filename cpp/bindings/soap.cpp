#include "molkern/soap.hpp"

#include "bindings/arrays.hpp"
#include "bindings/soap_parameters.hpp"
#include "cpu/table.hpp"
#include "molkern/local.hpp"

namespace molkern::bindings {
namespace {

// Columns of each pair of channels. The sum over species and the norm depend on all neighbours.
std::vector<ColumnGroup> groups_of(const SoapParameters& p) {
    if (p.compression == SoapCompression::mu2) return {};
    std::vector<ColumnGroup> groups;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < p.n_pairs; ++i) {
        const SoapPair pair = p.pairs[i];
        const std::size_t end = begin + (p.l_max + 1) * soap_block(p.n_max, pair);
        const bool with_all = pair.b == p.n_species;
        groups.push_back({begin, end, pair.a, with_all ? pair.a : pair.b, with_all || p.normalize});
        begin = end;
    }
    return groups;
}

LocalKernel soap_kernel(const Array<std::int32_t>& species, double r_cut,
                        const std::optional<std::string>& cutoff_function,
                        const Array<double>& exponents, const Array<double>& transform,
                        const std::optional<Array<double>>& table, double spacing,
                        const std::optional<std::string>& compression, bool normalize,
                        const std::optional<std::string>& weighting,
                        const std::array<double, 4>& weight, double own_weight,
                        const std::optional<Array<double>>& of_species) {
    const auto parameters =
        soap_parameters(species, r_cut, cutoff_function, exponents, transform, table, spacing,
                        compression, normalize, weighting, weight, own_weight, of_species);
    return {parameters,
            kernels().soap,
            parameters->n_features,
            r_cut,
            std::vector<std::int32_t>(species.data(), species.data() + species.shape(0)),
            groups_of(*parameters),
            true};
}

}  // namespace

void define_soap(py::module_& m) {
    m.def("soap_kernel", &soap_kernel, py::arg("species").noconvert(), py::arg("r_cut"),
          py::arg("cutoff_function"), py::arg("exponents").noconvert(),
          py::arg("transform").noconvert(), py::arg("table").noconvert(), py::arg("spacing"),
          py::arg("compression"), py::arg("normalize"), py::arg("weighting"), py::arg("weight"),
          py::arg("own_weight"), py::arg("of_species").noconvert());
}

}  // namespace molkern::bindings
