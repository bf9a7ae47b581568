"""ASE's files and databases: what it converts, what it makes up, and what it leaves out."""

import sqlite3

import numpy as np
import pytest

from molkern.datasets import load
from molkern.datasets.errors import AskedFor

ase = pytest.importorskip("ase")

BOHR = 0.529177210544


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path_factory.mktemp("cache")))


def file(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def bond(dataset, k=0):
    atoms = list(dataset.structures)[k][1]
    return float(np.linalg.norm(atoms[1] - atoms[0]))


def images(n=4, size=2, **results):
    from ase.calculators.singlepoint import SinglePointCalculator

    made = []
    for k in range(n):
        positions = [[0, 0, 1.1 * i + 0.01 * k] for i in range(size)]
        image = ase.Atoms("N" * size, positions)
        values = {name: value(k, size) for name, value in results.items()}
        image.calc = SinglePointCalculator(image, **values)
        made.append(image)
    return made


class TestLengths:
    COORD = "$coord\n0 0 0 c\n0 0 2.2 o\n$end\n"

    def test_converted_ones_cannot_be_said(self, tmp_path):
        path = file(tmp_path, "coord", self.COORD)
        assert bond(load(path)) == pytest.approx(2.2 * BOHR)
        assert bond(load(path, length_unit="angstrom")) == pytest.approx(2.2 * BOHR)
        with pytest.raises(AskedFor, match=r"coord: ASE already gives angstrom .*\(turbomole\)"):
            load(path, length_unit="bohr")

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("a.gro", "made\n2\n    1CO      C    1   0.000   0.000   0.000\n"
             "    1CO      O    2   0.000   0.000   0.113\n   2.0 2.0 2.0\n"),
            ("POSCAR", "made\n1.0\n9 0 0\n0 9 0\n0 0 9\nC O\n1 1\nCartesian\n0 0 0\n0 0 1.13\n"),
            ("a.gen", "2 C\nC O\n1 1 0 0 0\n2 2 0 0 1.13\n"),
        ],
    )  # fmt: skip
    def test_of_other_formats(self, tmp_path, name, text):
        path = file(tmp_path, name, text)
        assert bond(load(path)) == pytest.approx(1.13)
        with pytest.raises(AskedFor, match="ASE already gives angstrom"):
            load(path, length_unit="nm")

    def test_elements_by_names_are_said(self, tmp_path):
        path = file(tmp_path, "a.gro", self.test_of_other_formats.pytestmark[0].args[1][0][1])
        assert any("CA may be carbon or calcium" in note for note in load(path).notes)


class TestRunner:
    TEXT = "begin\ncomment mine\natom 0 0 0 C 0 0 0 0 0.5\natom 0 0 2.1 O 0 0 0 0 -0.5\n" \
           "energy -113.25\ncharge 0\nend\n"  # fmt: skip

    def test_lengths_must_be_said(self, tmp_path):
        with pytest.raises(AskedFor, match=r"input\.data: .* bohr, those of n2p2 in any unit"):
            load(file(tmp_path, "input.data", self.TEXT * 2))

    @pytest.mark.parametrize(("length", "factor"), [("angstrom", 1), ("bohr", BOHR)])
    def test_nothing_is_converted_unasked(self, tmp_path, length, factor):
        path = file(tmp_path, "input.data", self.TEXT * 2)
        dataset = load(path, length_unit=length)
        assert bond(dataset) == pytest.approx(2.1 * factor)
        assert dataset.targets["energy"].tolist() == [-113.25] * 2
        assert dataset.units["energy"] == "unknown"
        assert load(path, length_unit=length, unit="eV").targets["energy"][0] == -113.25


class TestPrograms:
    def test_output_that_ase_converts(self, tmp_path):
        text = (
            "$grad          cartesian gradients\n"
            "  cycle =      1    SCF energy =   -113.0   |dE/dxyz| =  0.1\n"
            "    0.0   0.0   0.0   c\n    0.0   0.0   2.2   o\n"
            "  0.0D+00  0.0D+00  -.1D+00\n  0.0D+00  0.0D+00  .1D+00\n$end\n"
        )
        dataset = load(file(tmp_path, "gradient", text))
        assert dataset.units == {"energy": "eV", "forces": "eV/angstrom"}
        assert dataset.targets["energy"][0] == pytest.approx(-113 * 27.2114, rel=1e-5)
        assert dataset.targets["forces"][0, 2] == pytest.approx(0.1 * 27.2114 / BOHR, rel=1e-5)

    def test_output_that_ase_does_not_convert(self, tmp_path):
        atom = (
            '<atom name="{e}1" species="{e}">\n<position> 0 0 {z} </position>\n'
            "<velocity> 0 0 0 </velocity>\n<force> 0 0 0.5 </force>\n</atom>\n"
        )
        species = "".join(
            f'<species name="{e}">\n<symbol>{e}</symbol>\n<atomic_number>{n}</atomic_number>\n'
            f"<mass>{m}</mass>\n</species>\n"
            for e, n, m in (("C", 6, 12), ("O", 8, 16))
        )
        text = (
            '<?xml version="1.0"?>\n<fpmd:simulation xmlns:fpmd="http://q">\n<release> 1.60 qb '
            f'</release>\n{species}<cmd>run 1</cmd>\n<iteration count="1">\n'
            "<etotal> -21.5 </etotal>\n<atomset>\n"
            '<unit_cell a="9 0 0" b="0 9 0" c="0 0 9"/>\n'
            + atom.format(e="C", z=0) + atom.format(e="O", z=2.2)
            + "</atomset>\n</iteration>\n</fpmd:simulation>\n"
        )  # fmt: skip
        dataset = load(file(tmp_path, "a.r", text))
        assert bond(dataset) == pytest.approx(2.2 * BOHR)
        assert dataset.targets["energy"].tolist() == [-21.5]
        assert dataset.units["energy"] == "hartree"

    def test_every_program_of_the_list_is_one_of_ase(self):
        from ase.io.formats import ioformats

        from molkern.datasets.readers.ase_files import _PROGRAMS

        assert {kind for kind in _PROGRAMS if kind not in ioformats} == set()


class TestSeveralStructures:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("POSCAR", "mine\n1.0\n9 0 0\n0 9 0\n0 0 9\nC O\n1 1\nDirect\n0 0 0\n0 0 .13\n"),
            ("a.gen", "2 C\nC O\n1 1 0 0 0\n2 2 0 0 1.13\n"),
            ("coord", TestLengths.COORD),
            ("a.gjf", "# hf\n\nmine\n\n0 1\nC 0.0 0.0 0.0\nO 0.0 0.0 1.13\n\n"),
        ],
    )
    def test_one_after_another_are_refused(self, tmp_path, name, text):
        assert len(load(file(tmp_path, name, text))) == 1
        second = text.replace("mine", "second one").replace("1.13", "1.2")
        second = f"--Link1--\n{second}" if name.endswith(".gjf") else second
        with pytest.raises(ValueError, match=rf"{name}: holds several structures one after"):
            load(file(tmp_path, name, text + second))

    @pytest.mark.parametrize(
        ("name", "text", "match"),
        [
            (
                "a.gen",
                "3 C\nC O\n1 1 0 0 0\n2 2 0 0 1.13\n",
                "truncated: expected 3 atoms, found 2",
            ),
            ("coord", TestLengths.COORD.replace("$end\n", ""), r"truncated: expected \$end"),
        ],
    )
    def test_less_than_it_declares(self, tmp_path, name, text, match):
        with pytest.raises(ValueError, match=rf"{name}: {match}"):
            load(file(tmp_path, name, text))

    def test_velocities_are_no_structure(self, tmp_path):
        text = "mine\n1.0\n9 0 0\n0 9 0\n0 0 9\nC O\n1 1\nDirect\n0 0 0\n0 0 .13\n\n0 0 1\n0 0 -1\n"
        assert len(load(file(tmp_path, "POSCAR", text))) == 1

    def test_end_of_pdb(self, tmp_path):
        lines = [
            f"ATOM      {i + 1} {e}    MOL A   1    {0:8.3f}{0:8.3f}{z:8.3f}  1.00  0.00{e:>12}"
            for i, (e, z) in enumerate((("C", 0), ("O", 1.13)))
        ]
        model = "\n".join(["MODEL     1", *lines, "ENDMDL", ""])
        dataset = load(file(tmp_path, "a.pdb", model * 2 + "END\n"))
        assert dataset.structures.sizes.tolist() == [2, 2]


@pytest.mark.parametrize("name", ["a@1.gen", "postgres.gen", "a@:2.gen", "a*.gen"])
def test_names_that_mean_something_to_ase(tmp_path, monkeypatch, name):
    file(tmp_path, "a.gen", "1 C\nC\n1 1 0 0 0\n")
    file(tmp_path, name, "2 C\nC O\n1 1 0 0 0\n2 2 0 0 1.13\n")
    monkeypatch.chdir(tmp_path)
    assert load(f"./{name}").structures.sizes.tolist() == [2]


def test_sites_that_are_occupied_in_part(tmp_path):
    head = "data_mine\n" + "".join(f"_cell_length_{a} 4.0\n" for a in "abc")
    head += "".join(f"_cell_angle_{a} 90\n" for a in ("alpha", "beta", "gamma"))
    loop = "loop_\n_atom_site_label\n_atom_site_type_symbol\n"
    loop += "".join(f"_atom_site_fract_{a}\n" for a in "xyz") + "_atom_site_occupancy\n"
    whole = file(tmp_path, "a.cif", head + loop + "C1 C 0 0 0 1.0\nO1 O 0 0 0.3 1.0\n")
    assert not any("occupied in part" in note for note in load(whole).notes)
    split = file(tmp_path, "b.cif", head + loop + "C1 C 0 0 0 0.7\nSi1 Si 0 0 0 0.3\n")
    assert any("1 structures have sites" in note for note in load(split).notes)


class TestValues:
    def test_what_is_not_used_is_named(self, tmp_path):
        from ase.io import write

        made = images(size=12, energy=lambda k, n: -k - 0.5, charges=lambda k, n: np.ones(n),
                      dipole=lambda k, n: np.ones(3))  # fmt: skip
        for k, image in enumerate(made):
            image.info |= {"spectrum": np.arange(40.0) + k, "ok": True, "how": {"code": {"a": 1}}}
            image.set_initial_charges(np.ones(12))
            image.calc.atoms = image.copy()
        write(tmp_path / "a.traj", made)
        dataset = load(tmp_path / "a.traj")
        assert dataset.unused["charges"] == "charges: one number for each atom, not used"
        assert dataset.unused["initial_charges"].endswith("one number for each atom, not used")
        assert dataset.unused["ok"] == "ok: true or false, not used"
        assert dataset.unused["how"] == "how: a mapping, not used"
        assert "40 numbers for each structure" in dataset.unused["spectrum"]
        assert dataset.targets["dipole"].shape == (4, 3)

    def test_charges_of_few_atoms_are_no_vector(self, tmp_path):
        from ase.io import write

        write(
            tmp_path / "a.traj", images(energy=lambda k, n: -k - 0.5, magmoms=lambda k, n: [1, 2])
        )
        assert "magmoms" not in load(tmp_path / "a.traj").targets

    def test_two_energies_that_differ(self, tmp_path):
        from ase.db import connect

        made = images(energy=lambda k, n: -k - 0.5, forces=lambda k, n: np.full((n, 3), float(k)))
        with connect(tmp_path / "a.db") as database:
            for k, image in enumerate(made):
                database.write(image, data={"energy": 7.5 + 0.5**k, "forces": np.zeros((2, 3))})
        with pytest.raises(AskedFor, match=r"calculator_energy .*, data_energy"):
            load(tmp_path / "a.db")
        dataset = load(tmp_path / "a.db", property="data_energy", unit="eV")
        assert dataset.targets["data_energy"].tolist() == [8.5, 8.0, 7.75, 7.625]
        assert not dataset.targets["forces"].any()
        assert any("energy stands in 2 places" in note for note in dataset.notes)

    def test_two_energies_that_are_the_same(self, tmp_path):
        from ase.io import write

        made = images(energy=lambda k, n: -k - 0.5)
        for k, image in enumerate(made):
            image.info["energy"] = -k - 0.5
        write(tmp_path / "a.traj", made)
        assert load(tmp_path / "a.traj").targets["energy"].tolist() == [-0.5, -1.5, -2.5, -3.5]

    def test_units_that_differ_between_frames(self, tmp_path):
        from ase.io import write

        made = images(energy=lambda k, n: -k - 0.5)
        for k, image in enumerate(made):
            image.info["energy_unit"] = "Ha" if k else "eV"
        write(tmp_path / "a.traj", made)
        with pytest.raises(ValueError, match=r"frame 0 states energy_unit='eV', frame 1 "):
            load(tmp_path / "a.traj")


class TestDatabases:
    def test_json(self, tmp_path):
        from ase.db import connect

        with connect(tmp_path / "a.json") as database:
            for k, image in enumerate(images(n=3)):
                database.write(image, u_tot=-k - 0.25, data={"forces": np.full((2, 3), float(k))})
        (tmp_path / "a.json").rename(tmp_path / "any.name")
        dataset = load(tmp_path / "any.name", property="u_tot", unit="eV")
        assert dataset.targets["u_tot"].tolist() == [-0.25, -1.25, -2.25]

    @pytest.mark.parametrize("ending", ["db", "json"])
    def test_units_of_descriptions(self, tmp_path, ending):
        from ase.db import connect

        described = {"binding_energy": ["Binding", "Binding energy", "kcal/mol"],
                     "label": ["Label", "Some label", ""]}  # fmt: skip
        path = tmp_path / f"a.{ending}"
        with connect(path) as database:
            for k, image in enumerate(images(n=3)):
                database.write(image, binding_energy=-k - 0.25, label=k)
            if ending == "db":
                database.metadata = {"key_descriptions": described}
        if ending == "json":
            text = path.read_text()
            import json

            path.write_text(text.replace(
                '"ids":', f'"metadata": {json.dumps({"key_descriptions": described})},\n"ids":'
            ))  # fmt: skip
        dataset = load(path, property="binding_energy")
        assert dataset.units["binding_energy"] == "kcal/mol"

    def test_others_are_left_as_they_are(self, tmp_path):
        with sqlite3.connect(tmp_path / "a.db") as connection:
            connection.execute("CREATE TABLE birds (name TEXT)")
        connection.close()
        before = (tmp_path / "a.db").read_bytes()
        with pytest.raises(ValueError, match=r"a\.db: an SQLite database that is not .*: birds"):
            load(tmp_path / "a.db")
        assert (tmp_path / "a.db").read_bytes() == before
