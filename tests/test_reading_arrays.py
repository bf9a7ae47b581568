"""Arrays in .npz, MATLAB and HDF5 files, under the names and in the layouts that people use."""

import contextlib
import re
import struct
import zipfile

import numpy as np
import pytest

from molkern.datasets import load
from molkern.datasets.units import BOHR

h5py = pytest.importorskip("h5py")

NUMBERS = [[8, 1, 1], [1, 1], [6, 8]]
SYMBOLS = [["O", "H", "H"], ["H", "H"], ["C", "O"]]
ENERGY = np.array([-76.5, -1.25, -113.5])


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path / "cache"))


def positions(seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(len(z), 3)) for z in NUMBERS]


def padded(fill=0, size=4):
    z, r = np.full((3, size), fill), np.full((3, size, 3), 9.0)
    for k, (numbers, xyz) in enumerate(zip(NUMBERS, positions(), strict=True)):
        z[k, : len(numbers)], r[k, : len(numbers)] = numbers, xyz
    return z, r


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


def require_same(dataset):
    assert dataset.structures.numbers.tolist() == [8, 1, 1, 1, 1, 6, 8]
    assert dataset.structures.sizes.tolist() == [3, 2, 2]
    np.testing.assert_array_equal(dataset.structures.positions, np.concatenate(positions()))


class TestLayouts:
    @pytest.mark.parametrize("fill", [0, -1])
    def test_padded(self, tmp_path, fill):
        z, r = padded(fill)
        require_same(load(saved(tmp_path / "a.npz", Z=z, R=r, E=ENERGY)))

    def test_padded_symbols(self, tmp_path):
        symbols = np.array([s + [""] * (4 - len(s)) for s in SYMBOLS])
        require_same(load(saved(tmp_path / "a.npz", species=symbols, coords=padded()[1], E=ENERGY)))

    @pytest.mark.parametrize("key", ["N", "n_atoms", "num_atoms", "natoms"])
    def test_counts_are_as_good_as_offsets(self, tmp_path, key):
        arrays = {"Z": np.concatenate(NUMBERS), "R": np.concatenate(positions()), "U0": ENERGY}
        dataset = load(saved(tmp_path / "a.npz", **{key: np.array([3, 2, 2])}, **arrays))
        require_same(dataset)
        assert dataset.targets["energy"].tolist() == ENERGY.tolist()

    def test_counts_that_do_not_add_up_are_none(self, tmp_path):
        arrays = {"Z": np.concatenate(NUMBERS), "R": np.concatenate(positions()), "U0": ENERGY}
        with pytest.raises(ValueError, match=r"a\.npz: .* neither packed \(with offsets, or count"):
            load(saved(tmp_path / "a.npz", N=np.array([3, 2, 1]), **arrays))

    def test_symbols_in_packed_files(self, tmp_path):
        dataset = load(
            saved(
                tmp_path / "a.npz",
                elements=np.array([*"OHHHHCO"]),
                pos=np.concatenate(positions()),
                ptr=np.array([0, 3, 5, 7]),
                energies=ENERGY,
            )
        )
        require_same(dataset)

    def test_flat_positions_of_a_trajectory(self, tmp_path):
        xyz = np.random.default_rng(1).normal(size=(4, 9))
        path = saved(tmp_path / "a.npz", z=[8, 1, 1], R=xyz, E=np.arange(4.0) / 3, F=xyz)
        dataset = load(path)
        np.testing.assert_array_equal(dataset.structures.positions, xyz.reshape(-1, 3))
        np.testing.assert_array_equal(dataset.targets["forces"], xyz.reshape(-1, 3))

    def test_partial_charges_are_no_atomic_numbers(self, tmp_path):
        z, r = padded()
        dataset = load(saved(tmp_path / "a.npz", numbers=z, charges=z * 0.25, R=r, E=ENERGY))
        require_same(dataset)

    def test_dipole_of_three_atoms_is_a_vector_of_the_molecule(self, tmp_path):
        xyz = np.random.default_rng(1).normal(size=(5, 3, 3))
        mu = np.random.default_rng(2).normal(size=(5, 3))
        dataset = load(saved(tmp_path / "a.npz", z=[8, 1, 1], R=xyz, mu=mu), property="mu")
        np.testing.assert_array_equal(dataset.targets["mu"], mu)

    def test_types_need_elements(self, tmp_path):
        arrays = {"R": np.array([[[0, 0, 0], [0, 0, 1.6]]] * 2), "E": [1.5, 2.5]}
        path = saved(tmp_path / "a.npz", atom_types=np.array([[1, 2], [2, 1]]), **arrays)
        with pytest.raises(
            ValueError, match=r"a\.npz: atom_types: numbers of types.* --species Si"
        ):
            load(path)
        assert load(path, species=["Si", "O"]).structures.numbers.tolist() == [14, 8, 8, 14]

    def test_booleans_are_no_energies(self, tmp_path):
        z, r = padded()
        dataset = load(saved(tmp_path / "a.npz", Z=z, R=r, E=np.array([True, False, True])))
        assert dataset.default_target == ""
        assert dataset.unused["E"] == "E: expected numbers, found type bool"

    def test_gradients_become_forces(self, tmp_path):
        z, r = padded()
        dataset = load(saved(tmp_path / "a.npz", Z=z, R=r, energy=ENERGY, gradient=r), unit="eV")
        np.testing.assert_array_equal(dataset.targets["forces"], -np.concatenate(positions()))


class TestCells:
    CELL = np.array([[5.0, 0, 0], [1, 6, 0], [0, 0, 7]])

    @pytest.mark.parametrize("key", ["cell", "cells", "lattice", "box", "Lattice"])
    @pytest.mark.parametrize("layout", ["packed", "padded", "trajectory"])
    @pytest.mark.parametrize("one", [True, False])
    def test_used_in_every_layout_under_every_name(self, tmp_path, key, layout, one):
        z, r = padded()
        n = 5 if layout == "trajectory" else 3
        arrays = {
            "packed": {"Z": np.concatenate(NUMBERS), "R": np.concatenate(positions()),
                       "offsets": [0, 3, 5, 7]},
            "padded": {"Z": z, "R": r},
            "trajectory": {"z": [6, 8], "R": np.random.default_rng(0).normal(size=(5, 2, 3))},
        }[layout]  # fmt: skip
        cell = self.CELL if one else np.tile(self.CELL, (n, 1, 1))
        energy = np.linspace(-3, -1.5, n)
        path = saved(tmp_path / "a.npz", E=energy, **arrays, **{key: cell})
        dataset = load(path)
        np.testing.assert_array_equal(dataset.structures.cells, np.tile(self.CELL, (n, 1, 1)))
        assert dataset.structures.pbc.all()
        said = {d.what: d for d in dataset.decisions}["cell"]
        assert said.source == key
        assert f"{n} of {n} structures are periodic" in said.words
        path = saved(tmp_path / "b.npz", E=energy, **arrays, **{key: cell}, pbc=[True, False, True])
        assert load(path).structures.pbc.tolist() == [[True, False, True]] * n

    @pytest.mark.parametrize("pbc", [True, np.array([1, 1, 1]), np.ones((3, 3), bool), np.ones(3)])
    def test_periodicity_for_all_or_each(self, tmp_path, pbc):
        z, r = padded()
        path = saved(tmp_path / "a.npz", Z=z, R=r, E=ENERGY, cell=self.CELL, pbc=pbc)
        assert load(path).structures.pbc.all()

    @pytest.mark.parametrize(
        ("arrays", "match"),
        [
            ({"pbc": np.ones((3, 3), bool)}, "pbc: structure 0 is periodic, .* has no cell for it"),
            ({"cell": np.ones((2, 3, 3))}, r"cell: expected cells of shape \(3, 3\) or \(3, 3, 3"),
            ({"cell": CELL, "pbc": np.ones((2, 3))}, r"pbc: expected shape \(3,\) or \(3, 3\)"),
            ({"cell": CELL, "pbc": np.full(3, 2.0)}, "pbc: expected booleans"),
            ({"cell": np.array(["a"])}, "cell: expected numbers"),
        ],
    )
    def test_refused_by_name(self, tmp_path, arrays, match):
        z, r = padded()
        with pytest.raises(ValueError, match=rf"a\.npz: {match}"):
            load(saved(tmp_path / "a.npz", Z=z, R=r, E=ENERGY, **arrays))

    def test_lengths_of_cells_follow_the_positions(self, tmp_path):
        z, r = padded()
        path = saved(tmp_path / "a.npz", Z=z, R=r, E=ENERGY, cell=self.CELL, r_unit="bohr")
        np.testing.assert_allclose(load(path).structures.cells[0], self.CELL * BOHR)


class TestUnits:
    @pytest.mark.parametrize(
        ("words", "unit"),
        [({"e_unit": "kcal/mol"}, "kcal/mol"), ({"energy_unit": "Hartree"}, "hartree"),
         ({"units": "E: eV, R: Angstrom"}, "eV"), ({"unit": "Ry"}, "Ry"),
         ({"units": '{"E": "meV"}'}, "meV"),
         ({"units": "R Angstrom (as in the source); E Hartree, PBE0/def2-SVP"}, "hartree")],
    )  # fmt: skip
    def test_of_energies(self, tmp_path, words, unit):
        z, r = padded()
        path = saved(tmp_path / "a.npz", Z=z, R=r, E=ENERGY, **words)
        dataset = load(path)
        assert dataset.units["energy"] == unit
        np.testing.assert_array_equal(dataset.targets["energy"], ENERGY)

    @pytest.mark.parametrize("words", [{"r_unit": "au"}, {"length_unit": "Bohr"},
                                       {"units": "R: bohr, E: eV"}])  # fmt: skip
    def test_of_lengths(self, tmp_path, words):
        z, r = padded()
        structures = load(saved(tmp_path / "a.npz", Z=z, R=r, E=ENERGY, **words)).structures
        np.testing.assert_allclose(structures.positions, np.concatenate(positions()) * BOHR)

    def test_the_users_word_on_lengths_wins(self, tmp_path):
        z, r = padded()
        path = saved(tmp_path / "a.npz", Z=z, R=r, E=ENERGY, r_unit="bohr")
        dataset = load(path, length_unit="angstrom")
        require_same(dataset)
        said = {d.what: d for d in dataset.decisions}["positions"].words
        assert "as said by the user; the file states bohr" in said

    def test_length_unit_that_is_none(self, tmp_path):
        z, r = padded()
        path = saved(tmp_path / "a.npz", Z=z, R=r, E=ENERGY, r_unit="furlong")
        with pytest.raises(
            ValueError, match=r"a\.npz: length unit: r_unit=furlong states 'furlong"
        ):
            load(path)
        assert len(load(path, length_unit="nm")) == 3

    def test_forces_are_converted_with_the_energy(self, tmp_path):
        z, r = padded()
        arrays = {"Z": z, "R": r, "E": ENERGY, "F": r, "e_unit": "hartree", "r_unit": "bohr"}
        dataset = load(saved(tmp_path / "a.npz", **arrays), unit="eV")
        expected = np.concatenate(positions()) * 27.211386245981 / BOHR
        np.testing.assert_allclose(dataset.targets["forces"], expected, rtol=1e-12)
        assert dataset.units["forces"] == "eV/angstrom"

    @pytest.mark.parametrize(
        "keys", [("nuclear_charges", "coords", "energies", "forces"), ("z", "R", "E", "F")]
    )
    def test_keys_of_published_files_tell_no_unit(self, tmp_path, keys):
        xyz = np.random.default_rng(0).normal(size=(6, 2, 3))
        energy = np.random.default_rng(1).normal(size=6)
        arrays = dict(zip(keys, ([6, 8], xyz, energy, xyz), strict=True))
        dataset = load(saved(tmp_path / "md17_ethanol.npz", **arrays), unit="eV")
        np.testing.assert_array_equal(dataset.targets["energy"], energy)
        assert dataset.citation == ""
        assert load(tmp_path / "md17_ethanol.npz").units["energy"] == "unknown"

    def test_keys_of_qm9_in_ev(self, tmp_path):
        """The arrays of Cormorant and EGNN, with energies that somebody converted."""
        z, r = padded()
        names = ["A", "B", "C", "mu", "alpha", "homo", "lumo", "gap", "r2", "zpve", "U0", "U", "H",
                 "G", "Cv"]  # fmt: skip
        labels = {name: np.arange(3) + 0.5 * k for k, name in enumerate(names)}
        counts = np.array([3, 2, 2])
        path = saved(tmp_path / "a.npz", num_atoms=counts, charges=z, positions=r, **labels)
        dataset = load(path, property="U0", unit="eV")
        require_same(dataset)
        np.testing.assert_array_equal(dataset.targets["U0"], labels["U0"])


class TestOnlyWhatIsNeeded:
    def test_large_arrays_are_not_read(self, tmp_path, monkeypatch):
        z, r = padded()
        big = np.zeros((3, 40, 40))
        path = saved(tmp_path / "a.npz", Z=z, R=r, E=ENERGY, features=big, other=np.zeros(10**5))
        from molkern.datasets.readers import npz

        read, names = npz._read, []
        monkeypatch.setattr(npz, "_read", lambda *a: names.append(a[1]) or read(*a))
        dataset = load(path)
        assert sorted(names) == ["E", "R", "Z"]
        assert "1600 numbers for each structure, read only if asked" in dataset.unused["features"]
        assert "expected 3 rows, found shape (100000,)" in dataset.unused["other"]
        asked = load(path, property="features")
        assert asked.targets["features"].shape == (3, 40, 40)

    def test_declared_size_is_compared_with_the_file(self, tmp_path):
        path = tmp_path / "a.npz"
        z, r = padded()
        saved(path, Z=z, R=r, E=ENERGY)
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }"
        for shape in (header, header.replace(b"99999999999999999999", b"500000000")):
            content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(shape) + 1) + shape + b"\n"
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr(f"x{len(shape)}.npy", content + b"0" * 100)
            with pytest.raises(ValueError, match=r"a\.npz: array 'x\d+' is damaged: it declares"):
                load(path)
            saved(path, Z=z, R=r, E=ENERGY)

    def test_compressed_bombs_are_refused(self, tmp_path):
        many = np.zeros((10**4, 1300, 3), np.float32)
        np.savez_compressed(tmp_path / "a.npz", z=np.ones(1300, int), R=many, E=np.zeros(10**4))
        with pytest.raises(ValueError, match=r"array 'R' would take 156000000 bytes.* --max-bytes"):
            load(tmp_path / "a.npz")

    def test_two_arrays_of_one_name(self, tmp_path):
        z, r = padded()
        path = saved(tmp_path / "a.npz", Z=z, R=r, E=ENERGY)
        with zipfile.ZipFile(path) as archive:
            content = archive.read("E.npy")
        with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as more:
            more.writestr("E.npy", content)
        with pytest.raises(ValueError, match=r"a\.npz: holds two arrays of the name 'E'"):
            load(path)


class TestMatlab:
    def write(self, path, **arrays):
        from scipy.io import savemat

        z, r = padded()
        savemat(path, {"Z": z, "R": r, "T": ENERGY[None], **arrays})
        return path

    def test_values(self, tmp_path):
        dataset = load(self.write(tmp_path / "a.mat"), property="T", unit="eV")
        require_same(dataset)
        assert dataset.targets["T"].tolist() == ENERGY.tolist()

    def test_every_damaged_byte_is_an_error_or_read(self, tmp_path):
        """One of them used to end the process: SciPy trusts the types of elements."""
        content = self.write(tmp_path / "a.mat").read_bytes()
        path = tmp_path / "b.mat"
        for place in range(128, len(content)):
            for value in (0, 8, 255):
                damaged = bytearray(content)
                damaged[place] = value
                path.write_bytes(damaged)
                with contextlib.suppress(ValueError):
                    require_numbers(load(path, property="T", skip_missing=True))

    def test_compressed_and_other_variables(self, tmp_path):
        from scipy.io import savemat

        z, r = padded()
        content = {"Z": z, "R": r, "T": ENERGY[None], "name": "text", "c": {"field": 1.0},
                   "i": np.array([1j])}  # fmt: skip
        savemat(tmp_path / "a.mat", content, do_compression=True)
        require_same(load(tmp_path / "a.mat", property="T"))

    def test_no_matlab_file(self, tmp_path):
        (tmp_path / "a.mat").write_bytes(b"x" * 300)
        with pytest.raises(ValueError, match=r"a\.mat: not a readable MATLAB file"):
            load(tmp_path / "a.mat")


def require_numbers(dataset):
    assert np.isfinite(dataset.structures.positions).all()


def groups(path, **changes):
    """Conformers of two molecules under the names that SPICE uses."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for name, numbers in (("water", [8, 1, 1]), ("carbon monoxide", [6, 8])):
            n = len(numbers)
            group = file.create_group(name)
            content = {
                "atomic_numbers": np.array(numbers),
                "conformations": rng.normal(size=(4, n, 3)),
                "dft_total_energy": rng.normal(size=4),
                "dft_total_gradient": rng.normal(size=(4, n, 3)),
                "mbis_charges": rng.normal(size=(4, n, 1)),
            } | {key: value(n) for key, value in changes.items()}
            for key, values in content.items():
                if values is not None:
                    group[key] = values
            units = {"conformations": "bohr", "dft_total_energy": "hartree",
                     "dft_total_gradient": "hartree/bohr"}  # fmt: skip
            for key, unit in units.items():
                if key in group:
                    group[key].attrs["units"] = unit
    return path


class TestHDF5:
    def test_units_of_attributes(self, tmp_path):
        path = groups(tmp_path / "a.hdf5")
        dataset = load(path)
        with h5py.File(path) as file:
            names = list(file)
            first = file[names[0]]["conformations"][:].reshape(-1, 3)
            gradient = file[names[0]]["dft_total_gradient"][:].reshape(-1, 3)
        np.testing.assert_allclose(dataset.structures.positions[: len(first)], first * BOHR)
        np.testing.assert_allclose(dataset.targets["forces"][: len(first)], -gradient / BOHR)
        assert dataset.units == {"energy": "hartree", "forces": "hartree/angstrom"}
        assert dataset.molecules.tolist() == [0] * 4 + [1] * 4
        assert "mbis_charges" in dataset.unused
        assert load(path, unit="eV").units["forces"] == "eV/angstrom"
        assert load(path, length_unit="angstrom").structures.positions[0, 0] == first[0, 0]

    @pytest.mark.parametrize("name", ["coordinates", "xyz", "geometries", "R", "my frames"])
    def test_positions_under_any_name(self, tmp_path, name):
        rng = np.random.default_rng(0)
        path = groups(tmp_path / "a.h5", conformations=lambda n: None,
                      **{name: lambda n: rng.normal(size=(4, n, 3))})  # fmt: skip
        assert len(load(path)) == 8

    def test_another_molecule_in_each_row(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            for n in (2, 3):
                group = file.create_group(f"{n:03}")
                group["species"] = np.array([[8] + [1] * (n - 1), [6] * n])
                group["coordinates"] = np.random.default_rng(n).normal(size=(2, n, 3))
                group["energies"] = np.array([1.5, 2.5]) * n
        dataset = load(tmp_path / "a.h5")
        assert dataset.structures.numbers.tolist() == [8, 1, 6, 6, 8, 1, 1, 6, 6, 6]
        assert dataset.targets["energy"].tolist() == [3, 5, 4.5, 7.5]
        assert dataset.molecules is None

    def test_a_group_for_each_structure(self, tmp_path):
        """QM7-X: positions (n_atoms, 3) and one value."""
        with h5py.File(tmp_path / "a.hdf5", "w") as file:
            for k in range(4):
                group = file.create_group(f"1/Geom-m1-i1-c{k}")
                group["atNUM"] = np.array([8, 1, 1])[: 3 - k // 2]
                group["atXYZ"] = np.random.default_rng(k).normal(size=(3 - k // 2, 3))
                group["ePBE0+MBD"] = np.array([-k - 0.5])
                group["totFOR"] = np.full((3 - k // 2, 3), float(k))
        dataset = load(tmp_path / "a.hdf5", unit="eV")
        assert dataset.structures.sizes.tolist() == [3, 3, 2, 2]
        assert dataset.targets["energy"].tolist() == [-0.5, -1.5, -2.5, -3.5]
        assert dataset.targets["forces"][:, 0].tolist() == [0] * 3 + [1] * 3 + [2] * 2 + [3] * 2

    def test_links_to_the_same_group_count_once(self, tmp_path):
        """Transition1x: reactions under data, and again under train, val and test."""
        with h5py.File(tmp_path / "a.h5", "w") as file:
            for k in range(3):
                group = file.create_group(f"data/C2H2/rxn{k}")
                group["atomic_numbers"] = np.array([6, 6, 1, 1])
                group["positions"] = np.random.default_rng(k).normal(size=(2, 4, 3))
                group["wB97x_6-31G(d).energy"] = np.array([1.5, 2.25]) + k
                group["wB97x_6-31G(d).forces"] = np.zeros((2, 4, 3))
            file["train/C2H2/rxn0"] = h5py.SoftLink("/data/C2H2/rxn0")
            file["test/C2H2/rxn1"] = file["data/C2H2/rxn1"]
        dataset = load(tmp_path / "a.h5")
        assert len(dataset) == 6
        assert "forces" in dataset.targets

    def test_layouts_of_npz_at_the_top(self, tmp_path):
        z, r = padded()
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["Z"], file["R"], file["E"] = z, r, ENERGY
        require_same(load(tmp_path / "a.h5"))

    def test_dotted_names_and_labels_that_groups_lack(self, tmp_path):
        path = groups(tmp_path / "a.h5", dft_total_energy=lambda n: None)
        with h5py.File(path, "a") as file:
            for k, group in enumerate(file.values()):
                group["wb97x_dz.energy"] = np.arange(4.0) / 3
                if k == 0:
                    group["ccsd(t)_cbs.energy"] = np.array([1.5, np.nan, 2.5, 3.5])
        with pytest.raises(ValueError, match=r"choose one of: .*ccsd\(t\)_cbs.energy"):
            load(path)
        assert len(load(path, property="wb97x_dz.energy")) == 8
        dataset = load(path, property="ccsd(t)_cbs.energy")
        assert dataset.targets["ccsd(t)_cbs.energy"].tolist() == [1.5, 2.5, 3.5]
        assert any("5 of 8 structures have no ccsd" in note for note in dataset.notes)

    def test_other_files_are_not_read(self, tmp_path):
        secret = tmp_path / "secret"
        secret.write_bytes(struct.pack("<4d", *range(4)))
        for way in ("external", "virtual", "link"):
            path = groups(tmp_path / f"{way}.h5")
            with h5py.File(path, "a") as file:
                group = next(iter(file.values()))
                del group["dft_total_energy"]
                if way == "external":
                    group.create_dataset(
                        "dft_total_energy", (4,), "f8", external=[(str(secret), 0, 32)]
                    )
                elif way == "virtual":
                    layout = h5py.VirtualLayout((4,), "f8")
                    layout[:] = h5py.VirtualSource(str(secret), "x", (4,))
                    group.create_virtual_dataset("dft_total_energy", layout)
                else:
                    group["dft_total_energy"] = h5py.ExternalLink(str(secret), "x")
            with pytest.raises(ValueError, match=rf"{way}\.h5: .* another file"):
                load(path)

    def test_declared_and_never_written(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["species"] = np.array([8, 1, 1])
            file.create_dataset("coordinates", (5_000_000, 3, 3), "f8", chunks=(1000, 3, 3))
        assert (tmp_path / "a.h5").stat().st_size < 10_000
        with pytest.raises(
            ValueError, match=r"a\.h5: .*coordinates.* 360000000 bytes .*--max-byte"
        ):
            load(tmp_path / "a.h5")

    def test_empty_shapes_and_references(self, tmp_path):
        path = groups(tmp_path / "a.h5")
        with h5py.File(path, "a") as file:
            group = next(iter(file.values()))
            group["nothing"] = h5py.Empty("f8")
            group["refs"] = np.array([group.ref] * 4, dtype=h5py.ref_dtype)
        assert len(load(path)) == 8
        with h5py.File(tmp_path / "b.h5", "w") as file:
            file["coordinates"], file["species"] = h5py.Empty("f8"), [8, 1]
        with pytest.raises(ValueError, match=r"b\.h5: no group holds positions"):
            load(tmp_path / "b.h5")

    def test_groups_that_state_different_units(self, tmp_path):
        path = groups(tmp_path / "a.h5")
        with h5py.File(path, "a") as file:
            next(iter(file.values()))["conformations"].attrs["units"] = "nm"
        with pytest.raises(ValueError, match="positions: groups state different units"):
            load(path)


def test_message_names_the_array_and_the_layouts(tmp_path):
    path = saved(tmp_path / "a.npz", a=np.zeros(3), b=np.zeros((2, 2)))
    with pytest.raises(ValueError, match=re.escape("found a (3,), b (2, 2)")):
        load(path)
