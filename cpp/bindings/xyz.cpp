#include "formats/xyz.hpp"

#include <pybind11/stl.h>

#include <memory>

#include "bindings/arrays.hpp"

namespace molkern::bindings {
namespace {

using formats::Column;
using formats::Texts;
using formats::XyzParser;

constexpr Column::Role roles[] = {Column::Role::skipped, Column::Role::symbol, Column::Role::number,
                                  Column::Role::position, Column::Role::kept};

// An array that takes over the memory of a vector.
template <typename T>
py::array_t<T> taken(std::vector<T>&& values) {
    auto owner = std::make_unique<std::vector<T>>(std::move(values));
    T* const data = owner->data();
    const auto size = static_cast<py::ssize_t>(owner->size());
    const py::capsule capsule(owner.release(),
                              [](void* p) { delete static_cast<std::vector<T>*>(p); });
    return py::array_t<T>(size, data, capsule);
}

py::list bytes_of(const Texts& texts) {
    py::list result;
    for (const std::string& text : texts.all()) result.append(py::bytes(text));
    return result;
}

py::object as_bytes(const std::optional<std::string>& text) {
    if (!text) return py::none();
    return py::bytes(*text);
}

// (role, words, which of the arrays that are kept) of each column.
using Columns = std::vector<std::tuple<std::size_t, std::size_t, std::size_t>>;

void add_layout(XyzParser& parser, const std::string& properties, const Columns& columns) {
    std::vector<Column> checked;
    std::size_t n_positions = 0;
    for (const auto& [role, width, kept] : columns) {
        require(role < std::size(roles), "role: unknown");
        checked.push_back({roles[role], width, kept});
        if (roles[role] == Column::Role::position) n_positions += width;
    }
    require(n_positions == 3, "columns: expected three for the positions");
    parser.add_layout(properties, std::move(checked));
}

py::dict results(XyzParser& parser) {
    py::list kept;
    for (auto& values : parser.kept) kept.append(taken(std::move(values)));
    formats::Comments& comments = parser.comments;
    py::dict found;
    found["codes"] = taken(std::move(parser.codes));
    found["positions"] =
        taken(std::move(parser.positions)).reshape({py::ssize_t{-1}, py::ssize_t{3}});
    found["offsets"] = taken(std::move(parser.offsets));
    found["lines"] = taken(std::move(parser.lines));
    found["layouts"] = taken(std::move(parser.layouts));
    found["kept"] = kept;
    found["n_longer_lines"] = parser.n_longer_lines;
    found["frame"] = taken(std::move(comments.frame));
    found["key"] = taken(std::move(comments.key));
    found["kind"] = taken(std::move(comments.kind));
    found["value"] = taken(std::move(comments.value));
    found["count"] = taken(std::move(comments.count));
    found["numbers"] = taken(std::move(comments.numbers));
    found["keys"] = bytes_of(comments.keys);
    found["texts"] = bytes_of(comments.texts);
    return found;
}

}  // namespace

void define_xyz(py::module_& m) {
    py::register_exception<formats::XyzError>(m, "XyzError", PyExc_ValueError);
    py::class_<XyzParser>(m, "XyzParser")
        .def(py::init<const std::vector<std::pair<std::string, std::int32_t>>&>(), py::arg("codes"))
        .def(
            "feed",
            [](XyzParser& parser, const py::bytes& bytes) {
                const std::string_view view = bytes;
                std::optional<std::string> missing;
                {
                    py::gil_scoped_release release;
                    missing = parser.feed(view);
                }
                return as_bytes(missing);
            },
            py::arg("bytes"))
        .def("finish", [](XyzParser& parser) { return as_bytes(parser.finish()); })
        .def("add_layout", &add_layout, py::arg("properties"), py::arg("columns"))
        .def("results", &results)
        .def_property_readonly("n_frames", &XyzParser::n_frames)
        .def_property_readonly("n_lines", &XyzParser::n_lines)
        .def_property_readonly("bytes", &XyzParser::bytes);
}

}  // namespace molkern::bindings
