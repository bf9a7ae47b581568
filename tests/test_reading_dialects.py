"""Files written in every format with random dialects, and read back: the same data, each time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from molkern.datasets import load
from molkern.datasets.names import marks_of
from written_files import (
    CELL_KEYS,
    ENERGY_KEYS,
    FORCES_KEYS,
    FORMATS,
    NUMBERS_KEYS,
    POSITIONS_KEYS,
    Content,
    Dialect,
    example,
    write,
)

UNITS = {"": "unknown", "eV": "eV", "Hartree": "hartree", "kcal/mol": "kcal/mol", "Ry": "Ry"}


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOLKERN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@st.composite
def contents(draw, equal):
    """A few structures; positions of four decimals, which every format keeps."""
    n = draw(st.integers(1, 5))
    species = st.sampled_from([1, 6, 7, 8, 9, 14, 17, 35])
    first = draw(st.lists(species, min_size=2, max_size=5))
    numbers = [first if equal else draw(st.lists(species, min_size=2, max_size=5))
               for _ in range(n)]  # fmt: skip
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    forces = None
    if draw(st.booleans()):
        forces = [rng.normal(size=(len(z), 3)) for z in numbers]
    return Content(
        numbers=numbers,
        positions=[rng.uniform(-9, 9, (len(z), 3)).round(4) for z in numbers],
        energy=rng.normal(-500, 30, n),
        forces=forces,
        cell=np.diag(rng.uniform(5, 9, 3)) if draw(st.booleans()) else None,
    )


dialects = st.builds(
    Dialect,
    format=st.sampled_from(FORMATS),
    energy=st.sampled_from(ENERGY_KEYS),
    forces=st.sampled_from(FORCES_KEYS),
    numbers=st.sampled_from(NUMBERS_KEYS),
    positions=st.sampled_from(POSITIONS_KEYS),
    cell=st.sampled_from(CELL_KEYS),
    length=st.sampled_from(["angstrom", "bohr"]),
    unit=st.sampled_from(list(UNITS)),
    symbols=st.booleans(),
    padding=st.sampled_from([0, -1]),
    compressed=st.sampled_from(["", "gz", "bz2"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    blank_lines=st.integers(0, 2),
    mark=st.booleans(),
    extra=st.dictionaries(
        st.sampled_from(["gap", "mu", "step", "note with words"]),
        st.floats(-9, 9).map(lambda x: round(x, 3)),
        max_size=2,
    ),
)


def kept(content, dialect):
    """The dialect, without what its format has no place for."""
    format = dialect.format
    if format in ("mat", "sdf", "deepmd"):
        dialect = replace(dialect, length="angstrom", unit="", symbols=False)
    if format == "deepmd":
        dialect = replace(dialect, energy="energy", forces="forces", extra={})
    if format in ("xyz", "folder", "tar", "zip", "sdf", "database"):
        extra = {k: v for k, v in dialect.extra.items() if " " not in k}
        dialect = replace(dialect, extra=extra)
    if format in ("mat", "hdf5"):
        dialect = replace(dialect, extra={})
    if format == "mat":  # names of variables
        dialect = replace(dialect, energy="energy")
    if format.startswith("npz") and not dialect.symbols and dialect.padding == -1:
        assume(dialect.numbers != "species")
    return dialect


@settings(
    max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(data=st.data(), dialect=dialects)
def test_written_and_read_back(tmp_path_factory, data, dialect):
    content = data.draw(contents(dialect.format == "npz-trajectory"))
    dialect = kept(content, dialect)
    path = write(tmp_path_factory.mktemp("files"), content, dialect)
    dataset = load(path, property=dialect.energy)
    structures = dataset.structures
    assert structures.numbers.tolist() == [z for numbers in content.numbers for z in numbers]
    assert structures.sizes.tolist() == list(map(len, content.numbers))
    expected = np.concatenate(content.positions)
    np.testing.assert_allclose(structures.positions, expected, atol=1e-12, rtol=1e-12)
    np.testing.assert_array_equal(dataset.targets[dialect.energy], content.energy)
    assert dataset.units[dialect.energy] == UNITS[dialect.unit]
    if content.cell is None or dialect.format == "sdf":
        assert structures.pbc is None or not structures.pbc.any()
    else:
        assert structures.pbc.all()
        np.testing.assert_allclose(structures.cells[0], content.cell, rtol=1e-12)
    if content.forces is not None and dialect.format != "sdf":
        forces = np.concatenate(content.forces)
        # Forces of one method do not belong to the energy of another.
        marks = marks_of(dialect.energy), marks_of(dialect.forces)
        other = dialect.format != "deepmd" and all(marks) and marks[0] != marks[1]
        name = f"forces_{dialect.forces}" if other else "forces"
        if dialect.length == "bohr" and dialect.unit:
            assert dataset.units[name] == f"{UNITS[dialect.unit]}/angstrom"
            forces = forces / 0.529177210544
        np.testing.assert_allclose(dataset.targets[name], forces, rtol=1e-12)
    for name in dialect.extra:
        assert name in dataset.targets


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("key", ENERGY_KEYS[1:])
def test_the_only_energy_is_found_under_any_name(tmp_path, format, key):
    if format in ("deepmd", "mat"):
        pytest.skip("names are those of the format")
    content = example(equal=format == "npz-trajectory", cell=False, n=20)
    path = write(tmp_path, content, Dialect(format=format, energy=key, extra={"step": 0.5}))
    dataset = load(path)
    assert dataset.default_target == "energy"
    np.testing.assert_array_equal(dataset.targets["energy"], content.energy)
    if format != "npz-trajectory":
        assert dataset.extensivity("energy").baseline == "elements"
    asked = load(path, property="energy")
    np.testing.assert_array_equal(asked.targets["energy"], content.energy)
