// The parameters of atomic environment vectors from what Python gives.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bindings/checks.hpp"
#include "molkern/aev.hpp"

namespace molkern::bindings {

/// The arrays that AevParameters points to.
struct OwnedAevParameters {
    AevParameters view;
    std::vector<std::int32_t> species;  // ascending
    std::vector<std::size_t> place;
    std::vector<double> shifts, angular_shifts, half_cosines, half_sines;

    double longest() const noexcept { return std::max(view.r_cut, view.angular_r_cut); }
};

inline std::vector<double> padded_copy(const Array<double>& from, const char* name) {
    require_shape(name, from, -1);
    const auto n = static_cast<std::size_t>(from.shape(0));
    require(n > 0, std::string(name) + ": expected at least one");
    std::vector<double> values((n + 7) / 8 * 8);
    std::copy_n(from.data(), n, values.begin());
    return values;
}

inline void require_positive(const char* name, double value) {
    require(value > 0 && std::isfinite(value),
            std::string(name) + ": expected a positive number, found " + std::to_string(value));
}

/// species: in the order of the features.
inline std::shared_ptr<const OwnedAevParameters> aev_parameters(
    const Array<std::int32_t>& species, double r_cut, double eta, const Array<double>& shifts,
    double angular_r_cut, double angular_eta, double zeta, const Array<double>& angular_shifts,
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
    auto owned = std::make_shared<OwnedAevParameters>();
    std::vector<std::int32_t>& ascending = owned->species;
    ascending.assign(species.data(), species.data() + n);
    std::sort(ascending.begin(), ascending.end());
    require(std::adjacent_find(ascending.begin(), ascending.end()) == ascending.end(),
            "species: expected different ones");

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
    return owned;
}

}  // namespace molkern::bindings
