// Names of choices, as Python has them; unknown ones raise.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "molkern/acsf.hpp"
#include "molkern/coulomb_matrix.hpp"
#include "molkern/local.hpp"
#include "molkern/pairwise.hpp"

namespace molkern::bindings {

inline CutoffFunction cutoff_function_of(const std::string& name) {
    if (name == "cosine") return CutoffFunction::cosine;
    if (name == "tanh3") return CutoffFunction::tanh3;
    if (name == "polynomial") return CutoffFunction::polynomial;
    throw pybind11::value_error("cutoff_function: expected cosine, tanh3 or polynomial, found '" +
                                name + "'");
}

inline Permutation permutation_of(const std::string& name) {
    if (name == "none") return Permutation::none;
    if (name == "row_norm") return Permutation::row_norm;
    if (name == "random") return Permutation::random;
    if (name == "eigenspectrum") return Permutation::eigenspectrum;
    throw pybind11::value_error("permutation: unknown value '" + name + "'");
}

inline Average average_of(const std::string& name) {
    if (name == "none") return Average::none;
    if (name == "sum") return Average::sum;
    if (name == "mean") return Average::mean;
    if (name == "inner") return Average::inner;
    throw pybind11::value_error("average: unknown value '" + name + "'");
}

inline Metric metric_of(const std::string& name) {
    if (name == "manhattan") return Metric::manhattan;
    if (name == "euclidean") return Metric::euclidean;
    throw pybind11::value_error("metric: unknown value '" + name + "'");
}

inline Similarity similarity_of(const std::string& name) {
    if (name == "none") return Similarity::none;
    if (name == "laplacian") return Similarity::laplacian;
    if (name == "gaussian") return Similarity::gaussian;
    throw pybind11::value_error("similarity: unknown value '" + name + "'");
}

}  // namespace molkern::bindings
