"""Builds the CUDA module for the host: the same sources, memory of the host, emulated blocks."""

import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import molkern as mk

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ["-std=c++20", "-O1", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off"]
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wpedantic", "-Wno-unknown-pragmas", "-Werror"]


def sources():
    """Kernels and bindings; empty where only the installed package is there."""
    return sorted([*ROOT.glob("cpp/cuda/*.cu"), *ROOT.glob("cpp/bindings/cuda/*.cpp")])


def compiler():
    """The C++ compiler, as a command."""
    command = shlex.split(os.environ.get("CXX", "c++"))
    return command if shutil.which(command[0]) else None


def load():
    """The module, compiled once for each state of the sources, by whichever process comes first."""
    folder = Path(tempfile.gettempdir()) / f"molkern-emulation-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{_state()}{sysconfig.get_config_var('EXT_SUFFIX')}"
    with _locked(folder / "lock"):
        if not target.exists():
            for old in folder.glob("*.so"):
                old.unlink()
            _build(target)
    spec = importlib.util.spec_from_file_location("_cuda", target)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _state():
    texts = hashlib.sha256()
    for path in [*sorted(ROOT.glob("cpp/**/*.?*")), Path(__file__)]:
        if path.is_file():
            texts.update(path.read_bytes())
    for part in (sys.version, mk.__version__, str(compiler()), os.environ.get("CXXFLAGS", "")):
        texts.update(part.encode())
    return texts.hexdigest()


def _build(target):
    import pybind11

    include = [f"-isystem{pybind11.get_include()}", f"-isystem{sysconfig.get_path('include')}"]
    define = [f'-DMOLKERN_VERSION="{mk.__version__}"', "-DMOLKERN_ISA=device", "-DMOLKERN_ONE_LANE"]
    include += [f"-I{ROOT / 'cpp/include'}", f"-I{ROOT / 'cpp'}"]
    options = [*FLAGS, *WARNINGS, *define, *include, *shlex.split(os.environ.get("CXXFLAGS", ""))]
    with tempfile.TemporaryDirectory() as work:

        def compiled(path):
            out = Path(work) / f"{path.parent.parent.name}-{path.stem}.o"
            _run([*compiler(), *options, "-x", "c++", "-c", str(path), "-o", str(out)])
            return str(out)

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            objects = list(pool.map(compiled, sources()))
        part = Path(work) / "module.so"
        flags = shlex.split(os.environ.get("CXXFLAGS", ""))
        _run([*compiler(), "-shared", *flags, *objects, "-o", str(part)])
        shutil.move(part, target)


def _run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class _locked:
    """One process at a time."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        import fcntl

        self.file = open(self.path, "w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.file.close()
