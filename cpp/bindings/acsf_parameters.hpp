// The parameters of atom-centred symmetry functions from what Python gives.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bindings/checks.hpp"
#include "bindings/names.hpp"
#include "molkern/acsf.hpp"

namespace molkern::bindings {

/// The arrays that AcsfParameters points to.
struct OwnedAcsfParameters {
    AcsfParameters view;
    std::vector<AcsfRadial> radial;
    std::vector<AcsfExponential> exponentials;
    std::vector<AcsfAngle> angles;
    std::vector<AcsfAngular> angular;
    std::vector<AcsfGroup> groups;
};

inline void require_number(const char* name, double value, double least) {
    require(value >= least && std::isfinite(value), std::string(name) + ": expected a number of " +
                                                        std::to_string(least) + " or more, found " +
                                                        std::to_string(value));
}

inline void add_radial(OwnedAcsfParameters& p, bool g1, const Array<double>& g2,
                       const Array<double>& g3) {
    if (g1) p.radial.push_back({AcsfRadial::cutoff, 0, 0});
    for (py::ssize_t f = 0; f < g2.shape(0); ++f) {
        const double* row = g2.data(f, 0);
        require_number("g2: eta", row[0], 0);
        require_number("g2: r_s", row[1], 0);
        p.radial.push_back({AcsfRadial::gaussian, row[0], row[1]});
    }
    for (py::ssize_t f = 0; f < g3.shape(0); ++f) {
        require_number("g3: kappa", g3.data()[f], 0);
        p.radial.push_back({AcsfRadial::cosine, g3.data()[f], 0});
    }
}

// An exponential that is a power of a smaller one, up to the eighth, is not computed again: its
// relative error is the power times that of the base, no more than the exponent's rounding causes.
inline void add_exponentials(OwnedAcsfParameters& p, std::vector<double> etas, bool closed) {
    constexpr double most_power = 8;
    std::sort(etas.begin(), etas.end());
    etas.erase(std::unique(etas.begin(), etas.end()), etas.end());
    const std::size_t first = p.exponentials.size();
    for (const double eta : etas) {
        AcsfExponential x{eta, 0, 0, closed, 0, 0};
        for (std::size_t i = first; i < p.exponentials.size(); ++i) {
            const AcsfExponential& base = p.exponentials[i];
            if (base.power != 0 || base.eta == 0) continue;
            const double ratio = eta / base.eta, whole = std::round(ratio);
            if (whole > most_power || std::abs(ratio - whole) > 4e-16 * whole) continue;
            x.power = static_cast<std::size_t>(whole);
            x.base = i;
        }
        p.exponentials.push_back(x);
    }
}

inline std::size_t angle_of(OwnedAcsfParameters& p, double zeta, double lambda) {
    for (std::size_t c = 0; c < p.angles.size(); ++c)
        if (p.angles[c].zeta == zeta && p.angles[c].lambda == lambda) return c;
    const bool whole = zeta == std::floor(zeta) && zeta < 1e9;
    p.angles.push_back({lambda, zeta, whole ? static_cast<std::size_t>(zeta) : 0});
    return p.angles.size() - 1;
}

inline void add_angular(OwnedAcsfParameters& p, const Array<double>& from, const char* name,
                        bool closed) {
    const std::size_t first_slot = p.angular.size();
    const auto n = static_cast<std::size_t>(from.shape(0));
    std::vector<double> etas;
    for (std::size_t f = 0; f < n; ++f) {
        const double* row = from.data() + 3 * f;
        require_number((std::string(name) + ": eta").c_str(), row[0], 0);
        require_number((std::string(name) + ": zeta").c_str(), row[1], 1);
        require(std::abs(row[2]) <= 1,
                std::string(name) + ": lambda: expected -1 to 1, found " + std::to_string(row[2]));
        etas.push_back(row[0]);
    }
    const std::size_t first = p.exponentials.size();
    add_exponentials(p, etas, closed);
    for (std::size_t i = first; i < p.exponentials.size(); ++i) {
        AcsfExponential& x = p.exponentials[i];
        x.first = p.angular.size();
        for (std::size_t f = 0; f < n; ++f) {
            const double* row = from.data() + 3 * f;
            if (row[0] == x.eta)
                p.angular.push_back({i, angle_of(p, row[1], row[2]), first_slot + f});
        }
        x.last = p.angular.size();
    }
}

// Groups of 8 functions; where two exponentials have the same angles, four of these for both.
inline void add_groups(OwnedAcsfParameters& p) {
    std::vector<AcsfAngular> rest;
    const auto* all = p.angular.data();
    const auto same = [&](const AcsfExponential& a, const AcsfExponential& b) {
        return std::equal(
            all + a.first, all + a.last, all + b.first, all + b.last,
            [](const AcsfAngular& f, const AcsfAngular& g) { return f.angle == g.angle; });
    };
    for (std::size_t i = 0; i < p.exponentials.size(); ++i) {
        const AcsfExponential& x = p.exponentials[i];
        std::size_t f = x.first;
        if (i + 1 < p.exponentials.size() && same(x, p.exponentials[i + 1])) {
            const std::size_t n = x.last - x.first;
            for (; f + 4 <= x.last; f += 4) {
                AcsfGroup group{8, {}, true, false};
                std::copy_n(all + f, 4, group.function);
                std::copy_n(all + f + n, 4, group.function + 4);
                p.groups.push_back(group);
            }
            for (std::size_t g = f + n; g < x.last + n; ++g) rest.push_back(all[g]);
            ++i;
        }
        rest.insert(rest.end(), all + f, all + x.last);
    }
    for (std::size_t f = 0; f < rest.size(); f += 8) {
        AcsfGroup group{std::min<std::size_t>(8, rest.size() - f), {}, false, false};
        std::copy_n(rest.data() + f, group.n, group.function);
        p.groups.push_back(group);
    }
    for (AcsfGroup& group : p.groups) {
        group.contiguous = group.n == 8;
        for (std::size_t i = 0; i < 8; ++i)
            group.contiguous &= group.function[i].slot == group.function[0].slot + i;
    }
}

/// species: ascending.
inline std::shared_ptr<const OwnedAcsfParameters> acsf_parameters(
    const Array<std::int32_t>& species, double r_cut, const std::string& cutoff_function, bool g1,
    const Array<double>& g2, const Array<double>& g3, const Array<double>& g4,
    const Array<double>& g5) {
    require_shape("species", species, -1);
    const auto n = static_cast<std::size_t>(species.shape(0));
    for (std::size_t s = 1; s < n; ++s)
        require(species.data()[s - 1] < species.data()[s], "species: expected ascending numbers");
    require(r_cut > 0 && std::isfinite(r_cut),
            "r_cut: expected a positive number, found " + std::to_string(r_cut));
    require_shape("g2", g2, -1, 2);
    require_shape("g3", g3, -1);
    require_shape("g4", g4, -1, 3);
    require_shape("g5", g5, -1, 3);

    auto owned = std::make_shared<OwnedAcsfParameters>();
    OwnedAcsfParameters& p = *owned;
    add_radial(p, g1, g2, g3);
    add_angular(p, g4, "g4", true);
    add_angular(p, g5, "g5", false);
    require(!p.radial.empty() || !p.angular.empty(), "g1, g2, g3, g4, g5: expected some functions");
    add_groups(p);
    p.view = {n,
              r_cut,
              cutoff_function_of(cutoff_function),
              p.radial.data(),
              p.radial.size(),
              p.exponentials.data(),
              p.exponentials.size(),
              p.angles.data(),
              p.angles.size(),
              p.angular.data(),
              p.angular.size(),
              p.groups.data(),
              p.groups.size()};
    return owned;
}

}  // namespace molkern::bindings
