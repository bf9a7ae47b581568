"""Blocks of Jacobians of local representations: compact ones, and into memory that is there."""

import os
import subprocess
import sys

import numpy as np
import pytest
from ase.build import bulk

import molkern as mk

ACSF = {"r_cut": 4.0, "g1": True, "g2": [(0.5, 1.0)], "g4": [(0.1, 2.0, 1.0), (0.2, 1.0, -1.0)]}
SOAP = {"r_cut": 3.0, "n_max": 3, "l_max": 2}
MODELS = [
    (mk.SOAP, {"r_cut": 3.0, "n_max": 3, "l_max": 2, "species": ["H", "C", "O", "S"]}),
    (mk.SOAP, {"r_cut": 3.0, "n_max": 9, "l_max": 1, "cutoff_function": "cosine"}),
    (mk.SOAP, {"r_cut": 3.0, "n_max": 2, "l_max": 2, "average": "inner", "dtype": "float32"}),
    (mk.SOAP, {**SOAP, "compression": "crossover"}),
    (mk.SOAP, {**SOAP, "compression": "crossover", "normalize": True}),
    (mk.SOAP, {**SOAP, "compression": "mu1nu1", "species": ["H", "C", "O", "S"]}),
    (mk.SOAP, {**SOAP, "compression": "mu2", "normalize": True}),
    (
        mk.SOAP,
        {
            **SOAP,
            "normalize": True,
            "weighting": {"function": "pow", "c": 1, "d": 1, "m": 2, "r0": 2.0},
        },
    ),
    (mk.ACSF, {**ACSF, "species": ["H", "C", "O", "S"]}),
    (mk.ACSF, {**ACSF, "g4": [], "dtype": "float32", "average": "sum"}),
    (mk.ACSF, {"r_cut": 4.0, "g4": [(0.1, 2.0, 1.0)]}),
    (mk.AEV, {"parameters": "ani-2x"}),
    (mk.AEV, {"parameters": "ani-1x", "dtype": "float32"}),
]
IDS = [f"{cls.__name__}{k}" for k, (cls, _) in enumerate(MODELS)]


@pytest.fixture
def batch():
    rng = np.random.default_rng(3)
    molecules = [(rng.choice([1, 6, 8], n), rng.uniform(0, 3.5, (n, 3))) for n in (9, 1, 0, 4, 2)]
    far = ([1, 6, 8, 8], [[0.0, 0, 0], [1.5, 0, 0], [40, 0, 0], [41.2, 0, 0]])
    return mk.Structures.from_arrays([*molecules, far])


@pytest.fixture
def crystals():
    frames = [bulk("SiC", "zincblende", a=4.36), bulk("Si", "diamond", a=3.1, cubic=False)]
    for seed, frame in enumerate(frames):
        frame.rattle(0.1, seed=seed)
    frames[1].pbc = [True, True, False]
    return mk.Structures.from_ase(frames)


@pytest.mark.parametrize(("cls", "parameters"), MODELS, ids=IDS)
@pytest.mark.parametrize("centers", [None, [0, 3, 9, 13, 18]])
def test_compact_blocks_hold_all_that_is_not_zero(batch, cls, parameters, centers):
    model = cls(**parameters).fit(batch)
    blocks = model.jacobian(batch, centers=centers)
    compact = model.jacobian(batch, compact=True, centers=centers)
    assert compact.values.dtype == blocks.values.dtype == np.dtype(model.dtype)
    assert compact.n_features == model.n_features_out_
    np.testing.assert_array_equal(compact.center, blocks.center)
    np.testing.assert_array_equal(compact.atom, blocks.atom)
    for k, block in enumerate(blocks.values):
        columns, values = compact.block(k)
        np.testing.assert_array_equal(values, block[:, columns])
        assert np.count_nonzero(values) == np.count_nonzero(block)
        assert (np.diff(columns) > 0).all()
    np.testing.assert_array_equal(compact.to_dense(), blocks.to_dense())
    # What depends on all neighbours is left out for atoms without any.
    with_all = "normalize" in parameters or parameters.get("compression") == "mu1nu1"
    assert compact.values.size < (1.0 if with_all else 0.7) * blocks.values.size
    assert np.abs(blocks.values).max() > 0.01


def test_periodic_images(crystals):
    for model in (mk.SOAP(r_cut=3.0, n_max=2, l_max=2), mk.ACSF(**ACSF)):
        model.fit(crystals)
        blocks = model.jacobian(crystals)
        assert len(blocks.atom) > len(np.unique(np.stack([blocks.center, blocks.atom]), axis=1).T)
        dense = model.jacobian(crystals, compact=True).to_dense()
        np.testing.assert_allclose(dense, blocks.to_dense(), rtol=0, atol=1e-13)


def pairs_of(name):
    """Species that a feature of SOAP or ACSF is named by."""
    return set(name[name.index("(") + 1 :].rstrip(")").split(";")[0].split(","))


@pytest.mark.parametrize("which", ["SOAP", "ACSF"])
def test_columns_are_those_of_the_species_there(which):
    water = ([8, 1, 1], [[0.0, 0.0, 0.0], [0.0, 0.76, 0.59], [0.0, -0.76, 0.59]])
    species = ["H", "C", "N", "O", "S"]
    if which == "SOAP":
        model = mk.SOAP(species=species, n_max=2, l_max=1)
    else:
        model = mk.ACSF(species=species, **ACSF)
    compact = model.fit([water]).jacobian([water], compact=True)
    names = model.get_feature_names_out()
    symbols = ["O", "H", "H"]
    for k in range(len(compact.atom)):
        center, atom = compact.center[k], compact.atom[k]
        neighbors = {symbols[i] for i in range(3) if i != center}
        # The density of SOAP has the centre in it, symmetry functions do not.
        there = neighbors | {symbols[center]} if which == "SOAP" else neighbors
        moved = neighbors if center == atom else {symbols[atom]}
        expected = [
            f for f, name in enumerate(names) if pairs_of(name) <= there and pairs_of(name) & moved
        ]
        assert compact.block(k)[0].tolist() == expected
        assert len(expected) < len(names) / 3


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize(("cls", "parameters"), MODELS, ids=IDS)
def test_out(batch, cls, parameters, compact):
    model = cls(**parameters).fit(batch)
    expected = model.jacobian(batch, compact=compact).values
    longer = np.full((len(expected) + 3, *expected.shape[1:]), np.nan, expected.dtype)
    for out in (np.full_like(expected, np.nan), longer):
        result = model.jacobian(batch, out, compact=compact)
        assert np.shares_memory(result.values, out)
        np.testing.assert_array_equal(result.values, expected)
    assert np.isnan(longer[len(expected) :]).all()


def test_out_is_checked(batch):
    model = mk.SOAP(r_cut=3.0, n_max=2, l_max=1).fit(batch)
    values = model.jacobian(batch).values
    n, n_features = len(values), model.n_features_out_
    found = rf"out: expected shape \({n}, 3, {n_features}\) and type float64, found "
    with pytest.raises(ValueError, match=found + rf"\({n - 1}, 3, {n_features}\)"):
        model.jacobian(batch, values[1:])
    with pytest.raises(ValueError, match=found + rf"\({n}, 3, {n_features}\) and float32"):
        model.jacobian(batch, values.astype(np.float32))
    with pytest.raises(ValueError, match=found):
        model.jacobian(batch, values.reshape(-1))
    with pytest.raises(ValueError, match="out: expected a writeable C-contiguous"):
        model.jacobian(batch, np.asfortranarray(values))
    with pytest.raises(TypeError, match="out: expected an ndarray, found list"):
        model.jacobian(batch, values.tolist())
    with pytest.raises(ValueError, match=r"out: expected shape \(\d+,\) and type float64"):
        model.jacobian(batch, values, compact=True)


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize(("cls", "parameters"), MODELS, ids=IDS)
def test_same_bits_for_any_number_of_threads(batch, cls, parameters, compact):
    many = mk.Structures.concatenate([batch] * 20)
    expected = cls(**parameters, n_threads=1).fit(many).jacobian(many, compact=compact)
    for n_threads in (2, 7):
        model = cls(**parameters, n_threads=n_threads).fit(many)
        found = model.jacobian(many, compact=compact)
        np.testing.assert_array_equal(found.values, expected.values)
        np.testing.assert_array_equal(found.atom, expected.atom)
    alone = model.jacobian(batch, compact=compact).values
    np.testing.assert_array_equal(alone, expected.values[: len(alone)])


@pytest.mark.parametrize(("cls", "parameters"), MODELS, ids=IDS)
def test_nothing_around(cls, parameters):
    nothing = (np.empty(0, int), np.empty((0, 3)))
    carbon = mk.Structures.from_arrays([nothing, ([6], [[1.0, 2, 3]])])
    model = cls(**parameters).fit(carbon)
    lonely = model.jacobian(carbon, compact=True)
    assert lonely.atom.tolist() == lonely.center.tolist() == [0]
    assert lonely.values.size == 0
    np.testing.assert_array_equal(lonely.to_dense(), np.zeros((1, 1, 3, model.n_features_out_)))
    empty = model.jacobian(mk.Structures.from_arrays([nothing]), compact=True)
    assert empty.values.shape == (0,)
    assert empty.to_dense().shape == (0, 0, 3, model.n_features_out_)


def test_bytes_are_checked_first(batch):
    many = mk.Structures.concatenate([batch] * 20000)
    model = mk.SOAP(n_max=12, l_max=9).fit(many)
    with pytest.raises(MemoryError, match=r"SOAP\.jacobian: the result of shape \(\d+,\)"):
        model.jacobian(many, compact=True)
    few = mk.SOAP(n_max=12, l_max=9).fit(batch).jacobian(batch[0], compact=True)
    wide = type(few)(**{**vars(few), "n_atoms": 10**9})
    with pytest.raises(MemoryError, match=r"CompactJacobian\.to_dense"):
        wide.to_dense()


# More than 16 MB into memory that is there is written past the caches, in whole vectors from the
# first multiple of their length on.
LARGE = """
import sys
import numpy as np
import molkern as mk

rng = np.random.default_rng(1)
molecules = [(rng.choice([1, 6, 16], 10), rng.uniform(0, 4, (10, 3))) for _ in range(80)]
structures = mk.Structures.from_arrays(molecules)
few, some = structures[:3], structures[:15]
assert mk.build_info()["isa"] == sys.argv[1]


def places(like):
    for shift in (0, 1, 5):
        memory = np.full(like.size + 64, np.nan, like.dtype)
        yield memory, memory[shift : shift + like.size].reshape(like.shape)


def same(compute, expected):
    assert expected.nbytes > 1 << 24
    for memory, out in places(expected):
        compute(out)
        np.testing.assert_array_equal(out, expected)
        assert np.isnan(memory).sum() == 64


for dtype in ("float32", "float64"):
    model = mk.SOAP(species=["H", "C", "N", "O", "S"], dtype=dtype).fit(structures)
    same(lambda out: model.transform(structures, out), model.transform(structures))
    same(lambda out: model.jacobian(few, out), model.jacobian(few).values)
    expected = model.jacobian(some, compact=True).values
    same(lambda out: model.jacobian(some, out, compact=True), expected)
    model = mk.SOAP(species=["H", "C", "N", "O", "S"], average="sum", dtype=dtype).fit(few)
    many = structures[np.arange(800) % 80]
    same(lambda out: model.transform(many, out), model.transform(many))
"""


@pytest.mark.parametrize("level", ["baseline", "x86-64-v3", "x86-64-v4"])
def test_past_the_caches(level):
    result = subprocess.run(
        [sys.executable, "-c", LARGE, level],
        env={**os.environ, "MOLKERN_ISA": level},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if "is not supported by this processor" in result.stderr or "expected one of" in result.stderr:
        pytest.skip(result.stderr.strip().splitlines()[-1])
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("compression", [None, "mu1nu1", "crossover"])
@pytest.mark.parametrize("compact", [False, True])
def test_normalized_blocks_do_not_depend_on_what_came_before(compression, compact):
    # Norms below 1, and more neighbours in a row than what is left over takes to grow to infinity.
    lattice = 1.5 * np.array(list(np.ndindex(4, 4, 4)), dtype=float)
    batch = [([1, 1], [[0, 0, 0], [0, 0, 0.74]]), ([8] * 64, lattice)]
    model = mk.SOAP(
        species=["H", "O"], sigma=0.15, n_max=4, l_max=3, normalize=True, compression=compression
    )
    together = model.fit(batch).jacobian(batch, compact=compact).values
    assert np.isfinite(together).all()
    alone = [model.jacobian([pair], compact=compact).values for pair in batch]
    np.testing.assert_array_equal(together, np.concatenate(alone))
