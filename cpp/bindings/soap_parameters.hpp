// The parameters of SOAP from what Python gives.
#pragma once

#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bindings/checks.hpp"
#include "bindings/names.hpp"
#include "molkern/soap.hpp"

namespace molkern::bindings {

/// The arrays that SoapParameters points to.
struct OwnedSoapParameters {
    SoapParameters view;
    std::vector<double> exponents, table, own, transform, transposed, norms, steps, of_species;
    std::vector<SoapPair> pairs;
};

inline double factorial(std::size_t n) {
    return std::tgamma(static_cast<double>(n) + 1);
}

// Factors of the recurrence of the solid harmonics, and norms that make them r^l Y_lm: see
// core/soap_functions.hpp.
inline void fill_harmonics(OwnedSoapParameters& p, std::size_t l_max) {
    constexpr double pi = 3.14159265358979323846;
    for (std::size_t l = 0; l <= l_max; ++l)
        for (std::size_t k = 0; k <= 2 * l; ++k) {
            const std::size_t m = (k + 1) / 2;
            const auto n = static_cast<double>(2 * l + 1);
            const double parts = m == 0 ? 1 : 2;
            p.norms.push_back(
                std::sqrt(parts * n / (4 * pi) * factorial(l - m) * factorial(l + m)));
            const auto difference = static_cast<double>(l * l - m * m);
            p.steps.push_back(m == l ? 1 / std::max(n - 1, 1.0) : (n - 2) / difference);
            p.steps.push_back(m == l ? 0 : 1 / difference);
        }
}

// Copies a table with padded rows; returns the number of intervals, 0 without a table.
inline std::size_t fill_table(OwnedSoapParameters& p, const std::optional<Array<double>>& table,
                              double spacing, std::size_t n_l, std::size_t n_max) {
    if (!table) return 0;
    require_shape("table", *table, -1, soap_degree + 1, n_l, n_max);
    require(spacing > 0 && std::isfinite(spacing),
            "spacing: expected a positive number, found " + std::to_string(spacing));
    const auto n_intervals = static_cast<std::size_t>(table->shape(0));
    require(n_intervals > 0, "table: expected at least one interval");
    const std::size_t row = soap_row(n_max), n_rows = n_intervals * (soap_degree + 1) * n_l;
    p.table.resize(n_rows * row);
    for (std::size_t i = 0; i < n_rows; ++i)
        std::copy_n(table->data() + i * n_max, n_max, p.table.data() + i * row);
    // At r = 0, where t = -1.
    for (std::size_t n = 0; n < n_max; ++n) {
        double value = 0;
        for (std::size_t d = soap_degree + 1; d-- > 0;) value = p.table[d * n_l * row + n] - value;
        p.own[n] = value;
    }
    return n_intervals;
}

// Copies exponents and transforms with padded rows.
inline void fill_radial(OwnedSoapParameters& p, const Array<double>& exponents,
                        const Array<double>& transform, std::size_t n_l, std::size_t n_max) {
    require_shape("transform", transform, n_l, n_max, n_max);
    for (py::ssize_t i = 0; i < exponents.size(); ++i)
        require(exponents.data()[i] >= 0 && std::isfinite(exponents.data()[i]),
                "exponents: expected numbers of 0 or more");
    const std::size_t row = soap_row(n_max);
    p.exponents.resize(n_l * row);
    p.transform.resize(n_l * row * row);
    p.transposed.resize(n_l * row * row);
    for (std::size_t l = 0; l < n_l; ++l)
        for (std::size_t k = 0; k < n_max; ++k) {
            p.exponents[l * row + k] = exponents.data()[l * n_max + k];
            for (std::size_t n = 0; n < n_max; ++n) {
                const double value = transform.data()[(l * n_max + k) * n_max + n];
                p.transform[(l * row + k) * row + n] = value;
                p.transposed[(l * row + n) * row + k] = value;
            }
        }
    p.own.assign(row, 1.0);
}

inline SoapCompression compression_of(const std::optional<std::string>& name) {
    if (!name) return SoapCompression::none;
    if (*name == "mu2") return SoapCompression::mu2;
    if (*name == "mu1nu1") return SoapCompression::mu1nu1;
    if (*name == "crossover") return SoapCompression::crossover;
    throw py::value_error("compression: expected None, mu2, mu1nu1 or crossover, found '" + *name +
                          "'");
}

inline std::vector<SoapPair> pairs_of(SoapCompression compression, std::size_t n_species) {
    if (compression == SoapCompression::mu2) return {{0, 0}};
    std::vector<SoapPair> pairs;
    for (std::size_t a = 0; a < n_species; ++a) {
        if (compression == SoapCompression::mu1nu1)
            pairs.push_back({a, n_species});
        else
            for (std::size_t b = a; b < n_species; ++b)
                if (a == b || compression == SoapCompression::none) pairs.push_back({a, b});
    }
    return pairs;
}

// A name and c, d, m, r_0; weights of 1 without a name.
inline SoapWeight weight_of(const std::optional<std::string>& name,
                            const std::array<double, 4>& of) {
    SoapWeighting function = SoapWeighting::none;
    if (name && *name == "poly") function = SoapWeighting::poly;
    if (name && *name == "pow") function = SoapWeighting::pow;
    if (name && *name == "exp") function = SoapWeighting::exp;
    require(!name || function != SoapWeighting::none,
            "weighting: expected poly, pow or exp, found '" + name.value_or("") + "'");
    const auto& [c, d, m, r_0] = of;
    require(!name || (c >= 0 && d >= 0 && m >= 0 && r_0 > 0 && std::isfinite(c + d + m + r_0)),
            "weighting: expected numbers of 0 or more, and r0 above 0");
    return {function, c, d, m, r_0};
}

inline void fill_weights(OwnedSoapParameters& p, double own_weight,
                         const std::optional<Array<double>>& of_species, std::size_t n_species) {
    require(std::isfinite(own_weight), "own_weight: expected a finite number");
    for (double& value : p.own) value *= own_weight;
    if (of_species) {
        require_shape("of_species", *of_species, n_species);
        p.of_species.assign(of_species->data(), of_species->data() + n_species);
    }
}

/// The view keeps what it points to.
inline std::shared_ptr<const SoapParameters> soap_parameters(
    const Array<std::int32_t>& species, double r_cut,
    const std::optional<std::string>& cutoff_function, const Array<double>& exponents,
    const Array<double>& transform, const std::optional<Array<double>>& table, double spacing,
    const std::optional<std::string>& compression, bool normalize,
    const std::optional<std::string>& weighting, const std::array<double, 4>& weight,
    double own_weight, const std::optional<Array<double>>& of_species) {
    require_shape("species", species, -1);
    const auto n_species = static_cast<std::size_t>(species.shape(0));
    for (std::size_t s = 1; s < n_species; ++s)
        require(species.data()[s - 1] < species.data()[s], "species: expected ascending numbers");
    require(r_cut > 0 && std::isfinite(r_cut),
            "r_cut: expected a positive number, found " + std::to_string(r_cut));
    require_shape("exponents", exponents, -1, -1);
    const auto n_l = static_cast<std::size_t>(exponents.shape(0));
    const auto n_max = static_cast<std::size_t>(exponents.shape(1));
    require(n_l > 0 && n_max > 0, "exponents: expected at least one");
    // Factorials of 2 l, and powers of r, stay far from overflow.
    require(n_l <= 31, "l_max: expected at most 30, found " + std::to_string(n_l - 1));

    const auto owned = std::make_shared<OwnedSoapParameters>();
    OwnedSoapParameters& p = *owned;
    fill_radial(p, exponents, transform, n_l, n_max);
    const std::size_t n_intervals = fill_table(p, table, spacing, n_l, n_max);
    fill_weights(p, own_weight, of_species, n_species);
    fill_harmonics(p, n_l - 1);
    p.pairs = pairs_of(compression_of(compression), n_species);
    std::size_t n_features = 0;
    for (const SoapPair& pair : p.pairs) n_features += n_l * soap_block(n_max, pair);
    CutoffFunction cutoff = CutoffFunction::cosine;
    if (cutoff_function) cutoff = cutoff_function_of(*cutoff_function);
    p.view = {n_species,
              n_max,
              n_l - 1,
              compression_of(compression),
              p.pairs.data(),
              p.pairs.size(),
              n_features,
              normalize,
              p.exponents.data(),
              n_intervals > 0 ? p.table.data() : nullptr,
              n_intervals,
              n_intervals > 0 ? 1 / spacing : 0.0,
              p.own.data(),
              p.transform.data(),
              p.transposed.data(),
              p.norms.data(),
              p.steps.data(),
              of_species ? p.of_species.data() : nullptr,
              weight_of(weighting, weight),
              cutoff_function.has_value(),
              cutoff,
              r_cut};
    return {owned, &p.view};
}

}  // namespace molkern::bindings
