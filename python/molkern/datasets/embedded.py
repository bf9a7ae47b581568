"""The data sets that come with the package, made by its own builder."""

from __future__ import annotations

from pathlib import Path

from molkern.datasets.entry import Content, Entry, File

__all__ = ["ENTRIES", "FOLDER", "MOLECULES", "NAMES"]

FOLDER = Path(__file__).with_name("embedded_data")
MOLECULES = "mini-molecules"

_SOURCE = "made with molkern data build; the command and versions are in the file"
# molecule: SHA-256, formula
_TRAJECTORIES: dict[str, tuple[str, tuple[tuple[int, int], ...]]] = {
    "ethanol": (
        "c83405a945c6309773d5e77ad99e207b06b5f9209974b4dc3be61f9d92f977df",
        ((1, 6), (6, 2), (8, 1)),
    ),
    "malonaldehyde": (
        "2ce0878b51de831eb03fef9d908b0d942b45053b20ae0acffb16a3cb83edf4cd",
        ((1, 4), (6, 3), (8, 2)),
    ),
    "aspirin": (
        "5e28bddfbdd4fd2cf3535cd39e107ef5e3023d09fd57bad57b7e8cb20bfd0a9c",
        ((1, 8), (6, 9), (8, 4)),
    ),
}


def _entry(name: str, title: str, target: str, sha256: str, content: Content) -> Entry:
    path = f"{name.replace('-', '_')}.npz"
    file = File(path, "built", _SOURCE, sha256=sha256, content=content)
    return Entry(name, title, target, "kcal/mol", (file,))


ENTRIES = (
    _entry(
        MOLECULES,
        "2498 molecules of up to 7 atoms of C, N, O and hydrogen at minima of GFN2-xTB",
        "atomization_energy",
        "64869074864298335634825ce014e1c65622446901afee1dc412bc6f90d6253e",
        Content((2498,), None, (1, 6, 7, 8)),
    ),
    *(
        _entry(
            f"mini-{molecule}",
            f"{molecule}: 2000 frames at 500 K, energies and forces, GFN2-xTB",
            "energy",
            sha256,
            Content((2000,), formula=formula),
        )
        for molecule, (sha256, formula) in _TRAJECTORIES.items()
    ),
)
NAMES = tuple(entry.name for entry in ENTRIES)
