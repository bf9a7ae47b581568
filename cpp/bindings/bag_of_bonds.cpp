#include "molkern/bag_of_bonds.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "bindings/arrays.hpp"

namespace molkern::bindings {
namespace {

constexpr std::int64_t most_features = std::int64_t{1} << 40;

struct Species {
    std::array<std::int32_t, n_elements> index;
    std::size_t count;
};

Species checked_species(const Array<std::int32_t>& numbers) {
    require_shape("species", numbers, -1);
    Species species{{}, static_cast<std::size_t>(numbers.shape(0))};
    species.index.fill(-1);
    std::int32_t before = 0;
    for (std::size_t s = 0; s < species.count; ++s) {
        const std::int32_t z = numbers.data()[s];
        require(z > before && z < n_elements,
                "species: expected ascending atomic numbers from 1 to 118");
        species.index[static_cast<std::size_t>(z)] = static_cast<std::int32_t>(s);
        before = z;
    }
    return species;
}

// Values that each bag of a molecule needs, in the order of the bags.
void count_bags(const Molecules& molecules, std::size_t m, const Species& species,
                std::vector<std::int64_t>& atoms, std::vector<std::int64_t>& bags) {
    atoms.assign(species.count, 0);
    for (std::size_t i = molecules.first(m); i < molecules.first(m + 1); ++i) {
        const std::int32_t s = species.index[static_cast<std::size_t>(molecules.numbers[i])];
        if (s < 0)
            throw py::value_error("molecule " + std::to_string(m) + " has an atom of number " +
                                  std::to_string(molecules.numbers[i]) +
                                  ", for which there is no bag");
        ++atoms[static_cast<std::size_t>(s)];
    }
    std::copy(atoms.begin(), atoms.end(), bags.begin());
    std::size_t b = species.count;
    for (std::size_t s = 0; s < species.count; ++s)
        for (std::size_t t = s; t < species.count; ++t)
            bags[b++] = s == t ? atoms[s] * (atoms[s] - 1) / 2 : atoms[s] * atoms[t];
}

std::string bag_name(std::size_t bag, const Array<std::int32_t>& species) {
    const auto count = static_cast<std::size_t>(species.shape(0));
    const auto number = [&](std::size_t s) { return std::to_string(species.data()[s]); };
    if (bag < count) return "element " + number(bag);
    std::size_t b = count;
    for (std::size_t s = 0; s < count; ++s)
        for (std::size_t t = s; t < count; ++t, ++b)
            if (b == bag) return "elements " + number(s) + " and " + number(t);
    return "";
}

// [n_molecules, n_bags]: values that each bag of each molecule needs.
Array<std::int64_t> bag_counts(const Array<std::int32_t>& numbers, const Array<double>& positions,
                               const Array<std::int64_t>& offsets,
                               const Array<std::int32_t>& bag_species) {
    const Molecules molecules = checked_molecules(numbers, positions, offsets, "the bag of bonds");
    const Species species = checked_species(bag_species);
    const std::size_t n_bags = species.count * (species.count + 3) / 2;
    Array<std::int64_t> result({molecules.n_molecules, n_bags});
    std::int64_t* to = result.mutable_data();
    std::vector<std::int64_t> atoms, bags(n_bags);
    for (std::size_t m = 0; m < molecules.n_molecules; ++m) {
        count_bags(molecules, m, species, atoms, bags);
        std::copy(bags.begin(), bags.end(), to + m * n_bags);
    }
    return result;
}

// The parameters of a batch that fits the bags, and what they point to.
struct Task {
    Molecules molecules;
    Species species;
    std::vector<std::int64_t> first;
    BagParameters parameters;
};

// Raises unless the bags hold all values of every molecule.
void require_room(const Molecules& molecules, const Species& species,
                  const Array<std::int32_t>& bag_species, const Array<std::int64_t>& bag_sizes) {
    const std::int64_t* sizes = bag_sizes.data();
    std::vector<std::int64_t> atoms, bags(static_cast<std::size_t>(bag_sizes.shape(0)));
    for (std::size_t m = 0; m < molecules.n_molecules; ++m) {
        count_bags(molecules, m, species, atoms, bags);
        for (std::size_t b = 0; b < bags.size(); ++b)
            if (bags[b] > sizes[b])
                throw py::value_error("molecule " + std::to_string(m) + " needs " +
                                      std::to_string(bags[b]) + " values in the bag of " +
                                      bag_name(b, bag_species) + ", which holds " +
                                      std::to_string(sizes[b]));
    }
}

// By pointer: the parameters point into the task, which must not move.
std::unique_ptr<const Task> checked_task(const Array<std::int32_t>& numbers,
                                         const Array<double>& positions,
                                         const Array<std::int64_t>& offsets,
                                         const Array<std::int32_t>& bag_species,
                                         const Array<std::int64_t>& bag_sizes, double unit_length) {
    auto task = std::make_unique<Task>();
    task->molecules = checked_molecules(numbers, positions, offsets, "the bag of bonds");
    task->species = checked_species(bag_species);
    const Species& species = task->species;
    const std::size_t n_bags = species.count * (species.count + 3) / 2;
    require_shape("bag_sizes", bag_sizes, n_bags);
    const std::int64_t* sizes = bag_sizes.data();
    std::vector<std::int64_t>& first = task->first;
    first.assign(n_bags + 1, 0);
    std::int64_t largest = 0;
    for (std::size_t b = 0; b < n_bags; ++b) {
        require(sizes[b] >= 0 && sizes[b] <= most_features - first[b],
                "bag_sizes: expected sizes of 0 or more, together below 2^40");
        first[b + 1] = first[b] + sizes[b];
        largest = std::max(largest, sizes[b]);
    }
    require_room(task->molecules, species, bag_species, bag_sizes);
    task->parameters = {bag_species.data(),
                        species.index.data(),
                        species.count,
                        first.data(),
                        unit_length,
                        half_powers(),
                        static_cast<std::size_t>(largest)};
    return task;
}

// For what is computed elsewhere: raises unless the bags hold all values of every molecule.
void check_bags(const Array<std::int32_t>& numbers, const Array<double>& positions,
                const Array<std::int64_t>& offsets, const Array<std::int32_t>& bag_species,
                const Array<std::int64_t>& bag_sizes) {
    checked_task(numbers, positions, offsets, bag_species, bag_sizes, 1.0);
}

template <typename Real>
void transform(const Array<std::int32_t>& numbers, const Array<double>& positions,
               const Array<std::int64_t>& offsets, const Array<std::int32_t>& bag_species,
               const Array<std::int64_t>& bag_sizes, double unit_length, Array<Real> out,
               std::optional<py::ssize_t> n_threads) {
    const auto task =
        checked_task(numbers, positions, offsets, bag_species, bag_sizes, unit_length);
    require_shape("out", out, task->molecules.n_molecules, task->first.back());
    const int threads = requested_threads(n_threads);
    Real* to = out.mutable_data();
    std::size_t bad = no_molecule;
    {
        py::gil_scoped_release release;
        bad = bag_of_bonds<Real>(task->molecules, task->parameters, to, threads);
    }
    if (bad != no_molecule) raise_coincident(task->molecules, bad);
}

Array<double> vjp(const Array<std::int32_t>& numbers, const Array<double>& positions,
                  const Array<std::int64_t>& offsets, const Array<std::int32_t>& bag_species,
                  const Array<std::int64_t>& bag_sizes, double unit_length,
                  const Array<double>& cotangent, std::optional<py::ssize_t> n_threads) {
    const auto task =
        checked_task(numbers, positions, offsets, bag_species, bag_sizes, unit_length);
    require_shape("gX", cotangent, task->molecules.n_molecules, task->first.back());
    const int threads = requested_threads(n_threads);
    Array<double> gradient({numbers.shape(0), py::ssize_t{3}});
    double* to = gradient.mutable_data();
    std::size_t bad = no_molecule;
    {
        py::gil_scoped_release release;
        bad = bag_of_bonds_vjp(task->molecules, task->parameters, cotangent.data(), to, threads);
    }
    if (bad != no_molecule) raise_coincident(task->molecules, bad);
    return gradient;
}

template <typename Real>
void jacobian(const Array<std::int32_t>& numbers, const Array<double>& positions,
              const Array<std::int64_t>& offsets, const Array<std::int32_t>& bag_species,
              const Array<std::int64_t>& bag_sizes, double unit_length, Array<Real> out,
              std::optional<py::ssize_t> n_threads) {
    const auto task =
        checked_task(numbers, positions, offsets, bag_species, bag_sizes, unit_length);
    require_shape("out", out, numbers.shape(0), 3, task->first.back());
    const int threads = requested_threads(n_threads);
    Real* to = out.mutable_data();
    std::size_t bad = no_molecule;
    {
        py::gil_scoped_release release;
        bad = bag_of_bonds_jacobian<Real>(task->molecules, task->parameters, to, threads);
    }
    if (bad != no_molecule) raise_coincident(task->molecules, bad);
}

template <typename Function>
void define(py::module_& m, const char* name, Function function, const char* array) {
    m.def(name, function, py::arg("numbers").noconvert(), py::arg("positions").noconvert(),
          py::arg("offsets").noconvert(), py::arg("species").noconvert(),
          py::arg("bag_sizes").noconvert(), py::arg("unit_length"), py::arg(array).noconvert(),
          py::arg("n_threads"));
}

}  // namespace

void define_bag_of_bonds(py::module_& m) {
    define(m, "bag_of_bonds", &transform<double>, "out");
    define(m, "bag_of_bonds", &transform<float>, "out");
    define(m, "bag_of_bonds_vjp", &vjp, "cotangent");
    define(m, "bag_of_bonds_jacobian", &jacobian<double>, "out");
    define(m, "bag_of_bonds_jacobian", &jacobian<float>, "out");
    m.def("bag_counts", &bag_counts, py::arg("numbers").noconvert(),
          py::arg("positions").noconvert(), py::arg("offsets").noconvert(),
          py::arg("species").noconvert());
    m.def("check_bags", &check_bags, py::arg("numbers").noconvert(),
          py::arg("positions").noconvert(), py::arg("offsets").noconvert(),
          py::arg("species").noconvert(), py::arg("bag_sizes").noconvert());
}

}  // namespace molkern::bindings
