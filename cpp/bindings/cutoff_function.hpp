// Names of cutoff functions.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "molkern/acsf.hpp"

namespace molkern::bindings {

/// Raises for an unknown name.
inline CutoffFunction cutoff_function_of(const std::string& name) {
    if (name == "cosine") return CutoffFunction::cosine;
    if (name == "tanh3") return CutoffFunction::tanh3;
    if (name == "polynomial") return CutoffFunction::polynomial;
    throw pybind11::value_error("cutoff_function: expected cosine, tanh3 or polynomial, found '" +
                                name + "'");
}

}  // namespace molkern::bindings
