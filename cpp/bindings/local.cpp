#include "molkern/local.hpp"

#include <algorithm>

#include "bindings/arrays.hpp"

namespace molkern::bindings {
namespace {

using Numbers = Array<std::int32_t>;
using Offsets = Array<std::int64_t>;
using Vectors = std::optional<Array<double>>;
using Flags = std::optional<Array<bool>>;
using Rows = std::optional<Array<std::int64_t>>;

Average checked_average(const LocalKernel& kernel, const std::string& name) {
    const Average average = average_of(name);
    require(average != Average::inner || kernel.functions->quadratic != nullptr,
            "average: unknown value '" + name + "'");
    return average;
}

LocalTask checked_task(const LocalKernel& kernel, const Numbers& numbers,
                       const Array<double>& positions, const Offsets& offsets, const Vectors& cells,
                       const Flags& pbc, const Rows& centers, const std::string& average) {
    const Molecules molecules = checked_structures(numbers, positions, offsets);
    const auto n_atoms = static_cast<std::size_t>(numbers.shape(0));
    for (std::size_t i = 0; i < n_atoms; ++i)
        if (!std::binary_search(kernel.species.begin(), kernel.species.end(), molecules.numbers[i]))
            throw py::value_error("species: molecule " + std::to_string(molecule_of(molecules, i)) +
                                  " has species " + std::to_string(molecules.numbers[i]) +
                                  ", which is not among them");
    if (!centers)
        return {molecules, checked_cells(molecules, cells, pbc, kernel.r_cut), nullptr, n_atoms,
                checked_average(kernel, average)};
    const std::int64_t* rows = centers->data();
    const auto n = static_cast<std::size_t>(centers->shape(0));
    for (std::size_t k = 0; k < n; ++k)
        if (rows[k] < 0 || static_cast<std::size_t>(rows[k]) >= n_atoms ||
            (k > 0 && rows[k] <= rows[k - 1]))
            throw py::value_error("centers: expected ascending rows below " +
                                  std::to_string(n_atoms) + ", found " + std::to_string(rows[k]));
    return {molecules, checked_cells(molecules, cells, pbc, kernel.r_cut), rows, n,
            checked_average(kernel, average)};
}

void raise_if(const LocalOutcome& outcome) {
    if (outcome.coincident == no_molecule) return;
    throw py::value_error("molecule " + std::to_string(outcome.coincident) +
                          " has two atoms (or an atom and an image) closer than 0.001 angstrom");
}

std::size_t n_rows(const LocalTask& task) {
    return task.average == Average::none ? task.n_centers : task.molecules.n_molecules;
}

template <typename Real>
void values(const LocalKernel& kernel, const Numbers& numbers, const Array<double>& positions,
            const Offsets& offsets, const Vectors& cells, const Flags& pbc, const Rows& centers,
            const std::string& average, Array<Real> out, bool warm,
            std::optional<py::ssize_t> n_threads) {
    const LocalTask task =
        checked_task(kernel, numbers, positions, offsets, cells, pbc, centers, average);
    require_shape("out", out, n_rows(task), kernel.n_features);
    const int threads = requested_threads(n_threads);
    Real* to = out.mutable_data();
    LocalOutcome outcome;
    {
        py::gil_scoped_release release;
        outcome = local_values<Real>(kernel, task, to, warm, threads);
    }
    raise_if(outcome);
}

template <typename Real>
py::tuple vjp(const LocalKernel& kernel, const Numbers& numbers, const Array<double>& positions,
              const Offsets& offsets, const Vectors& cells, const Flags& pbc, const Rows& centers,
              const std::string& average, const Array<Real>& cotangent, bool strain,
              std::optional<py::ssize_t> n_threads) {
    const LocalTask task =
        checked_task(kernel, numbers, positions, offsets, cells, pbc, centers, average);
    require_shape("gX", cotangent, n_rows(task), kernel.n_features);
    const int threads = requested_threads(n_threads);
    Array<double> gradient({numbers.shape(0), py::ssize_t{3}});
    Array<double> strains({strain ? offsets.shape(0) - 1 : 0, py::ssize_t{3}, py::ssize_t{3}});
    double* to = gradient.mutable_data();
    double* strain_to = strain ? strains.mutable_data() : nullptr;
    LocalOutcome outcome;
    {
        py::gil_scoped_release release;
        outcome = local_vjp<Real>(kernel, task, cotangent.data(), to, strain_to, threads);
    }
    raise_if(outcome);
    return py::make_tuple(gradient, strains);
}

// Neighbours of each species of each centre: the caller checks the bytes before asking for more.
Offsets neighbor_counts(const LocalKernel& kernel, const Numbers& numbers,
                        const Array<double>& positions, const Offsets& offsets,
                        const Vectors& cells, const Flags& pbc, const Rows& centers,
                        std::optional<py::ssize_t> n_threads) {
    const LocalTask task =
        checked_task(kernel, numbers, positions, offsets, cells, pbc, centers, "none");
    const int threads = requested_threads(n_threads);
    Offsets counts({task.n_centers, kernel.species.size()});
    std::int64_t* to = counts.mutable_data();
    {
        py::gil_scoped_release release;
        local_neighbor_counts(kernel, task, to, threads);
    }
    return counts;
}

// Columns that depend on neighbours of species s (-1: on the centre), which is of species `center`;
// there are neighbours of the species marked.
Offsets columns(const LocalKernel& kernel, const Array<bool>& neighbors, std::size_t center,
                py::ssize_t s) {
    const std::size_t n_species = kernel.species.size();
    require_shape("neighbors", neighbors, n_species);
    require(center < n_species && s >= -1 && s < static_cast<py::ssize_t>(n_species),
            "center, species: expected less than " + std::to_string(n_species));
    std::vector<std::size_t> begin(n_species + 1);
    for (std::size_t t = 0; t < n_species; ++t)
        begin[t + 1] = begin[t] + (neighbors.data()[t] ? 1 : 0);
    const Center example{center, begin.back(), begin.data(), nullptr, nullptr, nullptr, nullptr};
    std::vector<ColumnRange> ranges;
    columns_of(kernel, example, s < 0 ? n_species : static_cast<std::size_t>(s), ranges);
    std::vector<std::int64_t> found;
    for (const ColumnRange& range : ranges)
        for (std::size_t f = range.begin; f < range.end; ++f)
            found.push_back(static_cast<std::int64_t>(f));
    return Offsets(static_cast<py::ssize_t>(found.size()), found.data());
}

template <typename Real>
py::tuple jacobian(const LocalKernel& kernel, const Numbers& numbers,
                   const Array<double>& positions, const Offsets& offsets, const Vectors& cells,
                   const Flags& pbc, const Rows& centers, const Offsets& first,
                   const Offsets& start, bool compact, Array<Real> out, bool warm,
                   std::optional<py::ssize_t> n_threads) {
    const LocalTask task =
        checked_task(kernel, numbers, positions, offsets, cells, pbc, centers, "none");
    require_shape("first", first, task.n_centers + 1);
    require_shape("start", start, task.n_centers + 1);
    const py::ssize_t n = first.data()[task.n_centers];
    require_shape("out", out, start.data()[task.n_centers]);
    const int threads = requested_threads(n_threads);
    Offsets center(n), atom(n);
    const JacobianBlocks<Real> blocks{
        first.data(),        start.data(),       compact, center.mutable_data(),
        atom.mutable_data(), out.mutable_data(), warm};
    LocalOutcome outcome;
    {
        py::gil_scoped_release release;
        outcome = local_jacobian<Real>(kernel, task, blocks, threads);
    }
    raise_if(outcome);
    return py::make_tuple(center, atom);
}

template <typename Real>
void define_for(py::module_& m) {
    m.def("local_values", &values<Real>, py::arg("kernel"), py::arg("numbers").noconvert(),
          py::arg("positions").noconvert(), py::arg("offsets").noconvert(),
          py::arg("cells").noconvert(), py::arg("pbc").noconvert(), py::arg("centers").noconvert(),
          py::arg("average"), py::arg("out").noconvert(), py::arg("warm"), py::arg("n_threads"));
    m.def("local_vjp", &vjp<Real>, py::arg("kernel"), py::arg("numbers").noconvert(),
          py::arg("positions").noconvert(), py::arg("offsets").noconvert(),
          py::arg("cells").noconvert(), py::arg("pbc").noconvert(), py::arg("centers").noconvert(),
          py::arg("average"), py::arg("cotangent").noconvert(), py::arg("strain"),
          py::arg("n_threads"));
    m.def("local_jacobian", &jacobian<Real>, py::arg("kernel"), py::arg("numbers").noconvert(),
          py::arg("positions").noconvert(), py::arg("offsets").noconvert(),
          py::arg("cells").noconvert(), py::arg("pbc").noconvert(), py::arg("centers").noconvert(),
          py::arg("first").noconvert(), py::arg("start").noconvert(), py::arg("compact"),
          py::arg("out").noconvert(), py::arg("warm"), py::arg("n_threads"));
}

}  // namespace

void define_local(py::module_& m) {
    py::class_<LocalKernel>(m, "LocalKernel")
        .def_readonly("n_features", &LocalKernel::n_features)
        .def_readonly("own", &LocalKernel::own);
    m.def(
        "check_local",
        [](const LocalKernel& kernel, const Numbers& numbers, const Array<double>& positions,
           const Offsets& offsets, const Vectors& cells, const Flags& pbc, const Rows& centers,
           const std::string& average) {
            checked_task(kernel, numbers, positions, offsets, cells, pbc, centers, average);
        },
        py::arg("kernel"), py::arg("numbers").noconvert(), py::arg("positions").noconvert(),
        py::arg("offsets").noconvert(), py::arg("cells").noconvert(), py::arg("pbc").noconvert(),
        py::arg("centers").noconvert(), py::arg("average"));
    define_for<double>(m);
    define_for<float>(m);
    m.def("local_columns", &columns, py::arg("kernel"), py::arg("neighbors").noconvert(),
          py::arg("center"), py::arg("species"));
    m.def("local_neighbor_counts", &neighbor_counts, py::arg("kernel"),
          py::arg("numbers").noconvert(), py::arg("positions").noconvert(),
          py::arg("offsets").noconvert(), py::arg("cells").noconvert(), py::arg("pbc").noconvert(),
          py::arg("centers").noconvert(), py::arg("n_threads"));
}

}  // namespace molkern::bindings
