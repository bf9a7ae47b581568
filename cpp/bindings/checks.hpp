// Checks of what comes from Python, for the modules of host and device.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

namespace molkern::bindings {

namespace py = pybind11;

/// C-contiguous and of exactly this type; together with .noconvert() never a silent copy.
template <typename T>
using Array = py::array_t<T, py::array::c_style>;

inline void require(bool ok, const std::string& message) {
    if (!ok) throw py::value_error(message);
}

inline std::string shape_of(const py::array& a) {
    std::string text = "(";
    for (py::ssize_t k = 0; k < a.ndim(); ++k)
        text += std::to_string(a.shape(k)) + (k + 1 < a.ndim() ? ", " : a.ndim() == 1 ? "," : "");
    return text + ")";
}

/// Requires the shape given; -1 allows any length.
template <typename... Length>
void require_shape(const char* name, const py::array& a, Length... lengths) {
    const py::ssize_t expected[] = {static_cast<py::ssize_t>(lengths)...};
    bool ok = a.ndim() == static_cast<py::ssize_t>(sizeof...(lengths));
    std::string text = "(";
    for (std::size_t k = 0; k < sizeof...(lengths); ++k) {
        if (ok && expected[k] >= 0) ok = a.shape(static_cast<py::ssize_t>(k)) == expected[k];
        text += (expected[k] < 0 ? "any" : std::to_string(expected[k])) +
                (k + 1 < sizeof...(lengths) ? ", "
                 : sizeof...(lengths) == 1  ? ","
                                            : "");
    }
    require(ok, std::string(name) + ": expected shape " + text + "), found " + shape_of(a));
}

}  // namespace molkern::bindings
