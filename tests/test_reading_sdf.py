"""Fields of SDF: missing ones, units, and two of one name."""

import pytest

from molkern.datasets import load

BLOCK = (
    "{title}\n  mine\n\n  2  1  0  0  0  0  0  0  0  0999 V2000\n"
    "    0.0000    0.0000    0.0000 C   0  0\n    0.0000    0.1000    1.1300 O   0  0\n"
    "  1  2  3  0\nM  END\n{fields}$$$$\n"
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path_factory.mktemp("cache")))


def written(tmp_path, *records, title="co"):
    """Records with the fields of each, as name and text."""
    text = "".join(
        BLOCK.format(
            title=f"{title} {k}",
            fields="".join(f"> <{name}>\n{value}\n\n" for name, value in fields),
        )
        for k, fields in enumerate(records)
    )
    (tmp_path / "a.sdf").write_text(text)
    return tmp_path / "a.sdf"


@pytest.mark.parametrize("word", ["NA", "N/A", "None", "null", "-", "nan", "NULL", ""])
def test_missing_values(tmp_path, word):
    path = written(tmp_path, [("e_tot", "-1.5")], [("e_tot", word)], [("e_tot", "-3.5")])
    with pytest.raises(ValueError, match=r"a\.sdf: .* missing .* 1 of 3 .* record 2"):
        load(path)
    dataset = load(path, property="e_tot", skip_missing=True)
    assert dataset.targets["e_tot"].tolist() == [-1.5, -3.5]


def test_a_field_that_is_always_missing(tmp_path):
    dataset = load(written(tmp_path, [("e_tot", "1.5"), ("mu", "NA")], [("e_tot", "2.5")]))
    assert dataset.unused["mu"] == "mu: no record has a value"


def test_two_fields_of_one_name(tmp_path):
    fields = [("energy", "-1.5"), ("note", "x"), ("energy", "-1.50")]
    assert load(written(tmp_path, fields)).targets["energy"].tolist() == [-1.5]
    fields[2] = ("energy", "-7")
    with pytest.raises(ValueError, match=r"record 2 \(line 13\): two fields 'energy', '-1\.5' and"):
        load(written(tmp_path, [("energy", "-1.5")], fields))


def test_unit_in_a_field(tmp_path):
    records = [[("energy", "-1.5"), ("energy_unit", unit)] for unit in ("Ha", "hartree", "Ha")]
    assert load(written(tmp_path, *records)).units["energy"] == "hartree"


@pytest.mark.parametrize("second", ["eV", "NA"])
def test_units_that_differ(tmp_path, second):
    records = [[("energy", "-1.5"), ("energy_unit", unit)] for unit in ("Ha", second, "Ha")]
    with pytest.raises(ValueError, match=r"record 1 \(line 1\) states energy_unit='Ha', record 2"):
        load(written(tmp_path, *records))


def test_titles_that_a_table_cannot_tell_apart(tmp_path):
    path = written(tmp_path, [], [])
    path.write_text(path.read_text().replace("co 0", "co").replace("co 1", "co"))
    (tmp_path / "a.csv").write_text("id,energy\nco,-1.5\n")
    with pytest.raises(ValueError, match=r"a\.csv: line 2: 2 structures are called 'co'"):
        load(path)


def test_exponents_of_fortran(tmp_path):
    assert load(written(tmp_path, [("energy", "-1.5D+02")])).targets["energy"].tolist() == [-150]
