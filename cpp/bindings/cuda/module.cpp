#include "bindings/cuda/arrays.hpp"
#include "bindings/cuda/molecules.hpp"

namespace molkern::bindings {
namespace {

// A copy of an array of the host on a device.
template <typename Real>
DeviceArray upload(const Array<Real>& from, int device, std::uintptr_t stream) {
    const cuda::CurrentDevice here(device);
    DeviceArray to(std::vector<std::int64_t>(from.shape(), from.shape() + from.ndim()),
                   sizeof(Real), stream_of(stream));
    const void* data = from.data();
    {
        py::gil_scoped_release release;
        cuda::upload(to.data(), data, to.bytes(), to.stream());
    }
    return to;
}

void download_into(const DeviceArray& from, py::array& to) {
    const cuda::CurrentDevice here(from.device());
    void* data = to.mutable_data();
    py::gil_scoped_release release;
    cuda::download(data, from.data(), from.bytes(), nullptr);  // complete; its stream may be gone
}

py::array download(const DeviceArray& from) {
    py::array to(py::dtype(from.dtype()), from.shape());
    download_into(from, to);
    return to;
}

// Into an array of the host, C-contiguous, of the same type and shape.
template <typename Real>
void copy_to(const DeviceArray& from, Array<Real>& to) {
    const std::vector<std::int64_t> shape(to.shape(), to.shape() + to.ndim());
    require(shape == from.shape() && sizeof(Real) == from.item_bytes(),
            "out: expected an array of shape " + from.shape_text() + " of " + from.dtype());
    download_into(from, to);
}

// float32 as float64; float64 as it is.
DeviceArray as_double(const DeviceArray& from, std::uintptr_t stream) {
    if (from.item_bytes() == 8) return from;
    const cuda::CurrentDevice here(from.device());
    DeviceArray to(from.shape(), sizeof(double), stream_of(stream));
    cuda::widen(from.as<float>(), from.size(), to.as<double>(), to.stream());
    cuda::synchronize(to.stream());
    return to;
}

py::dict interface_of(const DeviceArray& array) {
    py::dict fields;
    fields["shape"] = py::tuple(py::cast(array.shape()));
    fields["typestr"] = array.item_bytes() == 4 ? "<f4" : "<f8";
    fields["data"] = py::make_tuple(reinterpret_cast<std::uintptr_t>(array.data()), false);
    fields["strides"] = py::none();
    fields["version"] = 3;
    fields["stream"] = py::none();  // the array is complete
    return fields;
}

void define_arrays(py::module_& m) {
    // Local: the emulation may be in the same process.
    py::class_<DeviceArray>(m, "DeviceArray", py::module_local())
        .def_property_readonly("shape",
                               [](const DeviceArray& a) { return py::tuple(py::cast(a.shape())); })
        .def_property_readonly("dtype", [](const DeviceArray& a) { return py::dtype(a.dtype()); })
        .def_property_readonly("device", &DeviceArray::device)
        .def("to_numpy", &download)
        .def("copy_to", &copy_to<double>, py::arg("out").noconvert())
        .def("copy_to", &copy_to<float>, py::arg("out").noconvert())
        .def("__array__",
             [](const DeviceArray& a, const py::args&, const py::kwargs&) { return download(a); })
        .def("__dlpack__",
             // The array is complete: whatever stream is named does not have to wait.
             [](const DeviceArray& a, const py::kwargs&) { return a.exported(); })
        .def("__dlpack_device__",
             [](const DeviceArray& a) { return py::make_tuple(cuda::device_kind(), a.device()); })
        .def_property_readonly("__cuda_array_interface__", &interface_of)
        .def("__repr__", [](const DeviceArray& a) {
            return "DeviceArray(shape=" + a.shape_text() + ", dtype=" + a.dtype() +
                   ", device=" + std::to_string(a.device()) + ")";
        });
    m.def("upload", &upload<double>, py::arg("array").noconvert(), py::arg("device"),
          py::arg("stream"));
    m.def("upload", &upload<float>, py::arg("array").noconvert(), py::arg("device"),
          py::arg("stream"));
    m.def("as_double", &as_double, py::arg("array"), py::arg("stream"));
    m.def(
        "imported",
        [](const std::string& name, const py::capsule& capsule, std::uintptr_t stream) {
            return DeviceArray(name, capsule, stream_of(stream));
        },
        py::arg("name"), py::arg("capsule"), py::arg("stream"));
}

// A batch of molecules but for its positions.
void define_molecules(py::module_& m) {
    using Of = std::shared_ptr<MoleculesOnDevice>;
    py::class_<MoleculesOnDevice, Of>(m, "Molecules", py::module_local());
    m.def(
        "molecules",
        [](const Array<std::int32_t>& numbers, const Array<std::int64_t>& offsets, int device,
           std::uintptr_t stream) {
            const cuda::CurrentDevice here(device);
            const py::gil_scoped_release release;
            return Of(new MoleculesOnDevice(numbers, offsets, stream_of(stream)), Waiting{});
        },
        py::arg("numbers").noconvert(), py::arg("offsets").noconvert(), py::arg("device"),
        py::arg("stream"));
}

}  // namespace

PYBIND11_MODULE(_cuda, m) {
    m.doc() = "CUDA kernels of molkern; arguments are checked by the Python modules beside it.";
    m.attr("__version__") = MOLKERN_VERSION;
    m.attr("device_kind") = cuda::device_kind();
    py::register_local_exception<cuda::Error>(m, "Error", PyExc_RuntimeError);
    py::register_local_exception<cuda::OutOfMemory>(m, "OutOfMemory", PyExc_MemoryError);
    m.def("unavailable", &cuda::unavailable);
    m.def("unsupported", &cuda::unsupported, py::arg("device"));
    m.def("n_devices", &cuda::n_devices);
    m.def("description", &cuda::description, py::arg("device"));
    m.def(
        "free_bytes",
        [](int device) {
            const cuda::CurrentDevice here(device);
            return cuda::free_bytes();
        },
        py::arg("device"));
#if !defined(MOLKERN_CUDA)
    m.def("run_backwards", [](bool backwards) { cuda::backwards = backwards; });
#endif
    define_arrays(m);
    define_molecules(m);
    define_bag_of_bonds(m);
    define_coulomb_matrix(m);
    define_local(m);
    define_local_kernels(m);
    define_pairwise(m);
}

}  // namespace molkern::bindings
