"""Every example in a docstring of the installed package runs."""

import doctest
import importlib
import pkgutil

import pytest

import molkern

FOUND = (module.name for module in pkgutil.walk_packages(molkern.__path__, "molkern."))
MODULES = ["molkern", *sorted(n for n in FOUND if not n.endswith(("__main__", "._core", "._cuda")))]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name in ("molkern.jax", "molkern.torch"):
        pytest.importorskip(name.partition(".")[2])
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_public_classes_and_functions_have_examples():
    public = [
        getattr(module, name)
        for module in (molkern, molkern.kernels, molkern.kernels.local)
        for name in module.__all__
        if callable(getattr(module, name)) and name != "build_info"
    ]
    assert len(public) > 8
    for item in public:
        assert ">>>" in item.__doc__, item.__name__
