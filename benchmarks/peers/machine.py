"""What a result must be read with: machine, versions, settings."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import time
from pathlib import Path
from typing import Any

LIBRARIES = (
    "molkern",
    "numpy",
    "scipy",
    "scikit-learn",
    "qmllib",
    "dscribe",
    "molml",
    "kernelforge",
    "featomic",
    "quippy-ase",
    "torch",
    "torchani",
    "ase",
    "joblib",
    "threadpoolctl",
)
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage")


def versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def simd() -> list[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return []
    known = ("sse2", "avx2", "fma", "avx512f", "avx512dq", "asimd", "sve")
    words = set(text.split())
    return [name for name in known if name in words]


def huge_pages() -> dict[str, str]:
    """Transparent huge pages as the kernel reports them, and NumPy's own switch."""
    settings = {}
    for name in ("enabled", "defrag"):
        try:
            settings[name] = (HUGE_PAGES / name).read_text().strip()
        except OSError:
            settings[name] = "not reported by this system"
    settings["NUMPY_MADVISE_HUGEPAGE"] = os.environ.get("NUMPY_MADVISE_HUGEPAGE", "default")
    return settings


def allowed_cpus() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def load() -> list[float] | None:
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None


def describe() -> dict[str, Any]:
    return {
        "cpu": cpu_model(),
        "simd": simd(),
        "cores": len(allowed_cpus()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "huge_pages": huge_pages(),
        "date": time.strftime("%Y-%m-%d %H:%M"),
    }


def thread_pools() -> list[dict[str, Any]]:
    """The BLAS and OpenMP libraries loaded now, without their paths."""
    try:
        import threadpoolctl
    except ImportError:
        return []
    kept = ("internal_api", "version", "num_threads", "architecture", "threading_layer")
    return [{k: pool[k] for k in kept if k in pool} for pool in threadpoolctl.threadpool_info()]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
