"""Every instruction set that this processor has, against the baseline."""

import os
import subprocess
import sys

import numpy as np
import pytest

LEVELS = ["baseline", "x86-64-v3", "x86-64-v4"]

CODE = """
import sys
import numpy as np, molkern as mk

from all_representations import CASES, DTYPES, ELEMENTS, cotangent

rng = np.random.default_rng(1)
sizes = rng.integers(0, 40, 60)
molecules = [(rng.choice(ELEMENTS, n), rng.uniform(0, 8, (n, 3))) for n in sizes]
structures = mk.Structures.from_arrays(molecules)
x = rng.normal(size=(70, 33))
results = {}
for name, cls, parameters in CASES:
    for dtype in DTYPES:
        model = cls(**parameters, dtype=dtype).fit(structures)
        results[f"{name} {dtype}"] = model.transform(structures)
    # Single eigenvalues have no derivatives where they are degenerate.
    if "eigenspectrum" not in name:
        results[f"{name} vjp"] = model.vjp(structures, cotangent(model, structures))
        results[f"{name} jacobian float32"] = model.jacobian(structures[:5]).values
for dtype in ("float64", "float32"):
    for name in ("gaussian", "laplacian"):
        kernel = getattr(mk.kernels, name)
        results[f"{name} {dtype}"] = kernel(x.astype(dtype), sigma=[2.0, 20.0])
    results[f"manhattan {dtype}"] = mk.kernels.manhattan_distances(x.astype(dtype))
    atoms = rng.normal(size=(len(structures.numbers), 200)).astype(dtype)
    local = mk.kernels.local
    results[f"local.gaussian {dtype}"] = local.gaussian(atoms, structures, sigma=[5.0, 50.0])
    results[f"local.polynomial {dtype}"] = local.polynomial(atoms, structures, degree=3)
assert mk.build_info()["isa"] == sys.argv[2]
np.savez(sys.argv[1], **results)
"""


def run(level, path):
    return subprocess.run(
        [sys.executable, "-c", CODE, str(path), level],
        env={**os.environ, "MOLKERN_ISA": level, "PYTHONPATH": os.path.dirname(__file__)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    path = tmp_path_factory.mktemp("isa") / "baseline.npz"
    result = run("baseline", path)
    assert result.returncode == 0, result.stderr
    return dict(np.load(path))


@pytest.mark.parametrize("level", LEVELS[1:])
def test_equals_baseline(level, baseline, tmp_path):
    result = run(level, tmp_path / "level.npz")
    if "is not supported by this processor" in result.stderr or "expected one of" in result.stderr:
        pytest.skip(result.stderr.strip().splitlines()[-1])
    assert result.returncode == 0, result.stderr
    with np.load(tmp_path / "level.npz") as rows:
        assert set(rows) == set(baseline)
        for name, expected in baseline.items():
            # A few roundings of the largest value; sums of 33 terms for the distances.
            unit = 1e-7 if name.endswith("float32") else 1e-15
            atol = 20 * unit * np.abs(expected).max()
            np.testing.assert_allclose(rows[name], expected, rtol=0, atol=atol, err_msg=name)


def test_unknown_level_raises(tmp_path):
    result = run("avx9000", tmp_path / "none.npz")
    assert result.returncode != 0
    assert "RuntimeError: MOLKERN_ISA: expected one of" in result.stderr
    assert "'avx9000'" in result.stderr
