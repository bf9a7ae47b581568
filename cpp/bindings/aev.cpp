#include "molkern/aev.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "bindings/arrays.hpp"
#include "cpu/table.hpp"
#include "molkern/local.hpp"

namespace molkern::bindings {
namespace {

// The arrays that AevParameters points to.
struct Parameters {
    AevParameters view;
    std::vector<std::size_t> place;
    std::vector<double> shifts, angular_shifts, half_cosines, half_sines;
};

std::vector<double> padded_copy(const Array<double>& from, const char* name) {
    require_shape(name, from, -1);
    const auto n = static_cast<std::size_t>(from.shape(0));
    require(n > 0, std::string(name) + ": expected at least one");
    std::vector<double> values((n + 7) / 8 * 8);
    std::copy_n(from.data(), n, values.begin());
    return values;
}

void require_positive(const char* name, double value) {
    require(value > 0 && std::isfinite(value),
            std::string(name) + ": expected a positive number, found " + std::to_string(value));
}

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
    require_shape("species", species, -1);
    const auto n = static_cast<std::size_t>(species.shape(0));
    require(n > 0, "species: expected at least one");
    require_positive("r_cut", r_cut);
    require_positive("eta", eta);
    require_positive("angular_r_cut", angular_r_cut);
    require_positive("angular_eta", angular_eta);
    require(zeta >= 1 && std::isfinite(zeta),
            "zeta: expected a number of 1 or more, found " + std::to_string(zeta));
    std::vector<std::int32_t> ascending(species.data(), species.data() + n);
    std::sort(ascending.begin(), ascending.end());
    require(std::adjacent_find(ascending.begin(), ascending.end()) == ascending.end(),
            "species: expected different ones");

    auto owned = std::make_shared<Parameters>();
    owned->place.resize(n);
    for (std::size_t k = 0; k < n; ++k) {
        const auto* at =
            std::lower_bound(ascending.data(), ascending.data() + n, species.data()[k]);
        owned->place[static_cast<std::size_t>(at - ascending.data())] = k;
    }
    owned->shifts = padded_copy(shifts, "shifts");
    owned->angular_shifts = padded_copy(angular_shifts, "angular_shifts");
    owned->half_cosines = padded_copy(sections, "sections");
    owned->half_sines.resize(owned->half_cosines.size());
    const auto n_sections = static_cast<std::size_t>(sections.shape(0));
    for (std::size_t s = 0; s < n_sections; ++s) {
        owned->half_cosines[s] = std::cos(sections.data()[s]) / 2;
        owned->half_sines[s] = std::sin(sections.data()[s]) / 2;
    }
    owned->view = {n,
                   owned->place.data(),
                   r_cut,
                   eta,
                   static_cast<std::size_t>(shifts.shape(0)),
                   owned->shifts.data(),
                   angular_r_cut,
                   angular_eta,
                   zeta,
                   static_cast<std::size_t>(angular_shifts.shape(0)),
                   owned->angular_shifts.data(),
                   n_sections,
                   owned->half_cosines.data(),
                   owned->half_sines.data()};
    const std::size_t n_features = aev_features(owned->view);
    const std::shared_ptr<const void> parameters(owned, &owned->view);
    return {parameters, kernels().aev,          n_features, std::max(r_cut, angular_r_cut),
            ascending,  groups_of(owned->view), false};
}

}  // namespace

void define_aev(py::module_& m) {
    m.def("aev_kernel", &aev_kernel, py::arg("species").noconvert(), py::arg("r_cut"),
          py::arg("eta"), py::arg("shifts").noconvert(), py::arg("angular_r_cut"),
          py::arg("angular_eta"), py::arg("zeta"), py::arg("angular_shifts").noconvert(),
          py::arg("sections").noconvert());
}

}  // namespace molkern::bindings
