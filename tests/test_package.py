"""The package as it is installed: imports, information, version."""

import re
import subprocess
import sys
from importlib import metadata, resources

import pytest

import molkern as mk


def test_build_info():
    info = mk.build_info()
    assert info["version"] == mk.__version__ == metadata.version("molkern")
    assert info["isa"] in ("baseline", "x86-64-v3", "x86-64-v4")
    assert info["n_threads"] >= 1
    assert set(info) == {"version", "compiler", "build_type", "isa", "openmp", "n_threads"}


def test_import_needs_numpy_only():
    code = (
        "import sys; import numpy; before = set(sys.modules); import molkern; "
        "print(*{m.split('.')[0] for m in set(sys.modules) - before})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    others = set(result.stdout.split()) - set(sys.stdlib_module_names) - {"molkern", "numpy"}
    assert not others
    required = [r for r in metadata.requires("molkern") or [] if "extra ==" not in r]
    assert [re.split(r"[<>=~!\[; ]", r)[0] for r in required] == ["numpy"]


def test_lazy_modules_and_names():
    assert set(mk.__all__) <= set(dir(mk))
    assert mk.regression.KernelRidge.__name__ == "KernelRidge"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = mk.nothing


def test_types_are_shipped():
    files = resources.files("molkern")
    assert (files / "py.typed").is_file()
    assert (files / "_core.pyi").is_file()
