"""The commands ``molkern data``: list, fetch, verify and build data sets."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from molkern import terminal, terminal_bars
from molkern.cli_load import (
    LengthUnit,
    MaxBytes,
    Property,
    SkipDummies,
    Species,
    Unit,
    check_registered,
    load,
)

__all__ = ["data_app"]

_NAME = 'A name of "molkern data list".'
_OUT = "The .npz file to make; finished work is kept beside it, the same command continues."
_ELEMENTS = "With commas, of C, N, O, F, S."
_PROCESSES = "Default: all allowed cores."


def data_app() -> Any:
    """The Typer application of ``molkern data``."""
    data = typer.Typer(help="List, show, fetch, verify and build data sets.")
    data.command("list")(data_list)
    data.command("show")(data_show)
    data.command("fetch")(data_fetch)
    data.command("verify")(data_verify)
    build = typer.Typer(help="Compute a data set of your own with GFN2-xTB.")
    build.command("molecules")(build_molecules)
    build.command("trajectory")(build_trajectory)
    data.add_typer(build, name="build")
    return data


def data_list() -> None:
    """The known data sets, and where each is or would come from."""
    from molkern import datasets

    terminal.show_available(datasets.available())


def data_show(
    data: Annotated[str, typer.Argument(help="Name of a data set, or a file, folder or archive.")],
    property: Property = None,
    unit: Unit = None,
    length_unit: LengthUnit = None,
    species: Species = None,
    skip_dummies: SkipDummies = False,
    max_bytes: MaxBytes = None,
) -> None:
    """What a data set or a file holds, and what is taken for what; computes nothing."""
    dataset = load(
        data,
        property=property,
        unit=unit,
        length_unit=length_unit,
        species=species,
        skip_dummies=skip_dummies,
        max_bytes=max_bytes,
        overview=True,
    )
    terminal.show_dataset(dataset)


def data_fetch(name: Annotated[str, typer.Argument(help=_NAME)]) -> None:
    """Make sure that a data set is on this machine; download it if it is not."""
    from molkern import datasets

    check_registered(name)
    print(datasets.fetch(name))


def data_verify(name: Annotated[str, typer.Argument(help=_NAME)]) -> None:
    """Verify the file of a data set by its hash and by what it holds."""
    from molkern import datasets

    check_registered(name)
    found = datasets.verify(name)
    checks = f"content: {', '.join(found.checks)}" if found.checks else "content: not described"
    terminal.pairs([("file", str(found.path)), ("SHA-256", found.sha256),
                    ("verified", found.verified), ("checks", checks)])  # fmt: skip


def build_molecules(
    out: Annotated[Path, typer.Argument(help=_OUT)],
    heavy_atoms: Annotated[
        int | None, typer.Option(help="Enumerate molecules of up to so many non-hydrogen atoms.")
    ] = None,
    elements: Annotated[str, typer.Option(help=_ELEMENTS)] = "C,N,O",
    smiles: Annotated[
        Path | None,
        typer.Option(
            help="Instead: a text file whose lines begin with SMILES; # begins a comment."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="A random choice of so many.")] = None,
    n_conformers: Annotated[int, typer.Option(help="Embedded for each molecule.")] = 10,
    seed: int = 0,
    n_processes: Annotated[int | None, typer.Option(help=_PROCESSES)] = None,
) -> None:
    """Enumerate (as GDB does) or read molecules; embed, relax and label them."""
    from molkern.datasets import build

    if (heavy_atoms is None) == (smiles is None):
        raise ValueError("expected either --heavy-atoms or --smiles")
    listed = None if smiles is None else _smiles_of(smiles)
    with _resumable(out), terminal_bars.BuildBar() as bar:
        path = build.build_molecules(
            out,
            heavy_atoms=heavy_atoms,
            elements=[name.strip() for name in elements.split(",") if name.strip()],
            smiles=listed,
            limit=limit,
            n_conformers=n_conformers,
            seed=seed,
            n_processes=n_processes,
            command=_command(),
            progress=bar,
        )
    terminal.show_built(path)


def build_trajectory(
    molecule: Annotated[str, typer.Argument(help="SMILES, or a file with one structure.")],
    out: Annotated[Path, typer.Argument(help=_OUT)],
    frames: int = 2000,
    temperature: Annotated[float, typer.Option(help="In K.")] = 500.0,
    timestep: Annotated[float, typer.Option(help="In fs.")] = 0.5,
    stride: Annotated[int, typer.Option(help="Time steps from frame to frame.")] = 50,
    equilibrate: Annotated[int, typer.Option(help="Time steps before the first frame.")] = 4000,
    ensemble: Annotated[str, typer.Option(help="langevin or nve.")] = "langevin",
    n_walkers: Annotated[
        int | None, typer.Option(help="Independent trajectories. Default: 4.")
    ] = None,
    seed: int = 0,
    n_processes: Annotated[int | None, typer.Option(help=_PROCESSES)] = None,
) -> None:
    """Molecular dynamics of one molecule, as in MD17: energies and forces of its frames."""
    from molkern.datasets import build

    with _resumable(out), terminal_bars.BuildBar() as bar:
        path = build.build_trajectory(
            molecule,
            out,
            frames=frames,
            temperature=temperature,
            timestep=timestep,
            stride=stride,
            equilibrate=equilibrate,
            ensemble=ensemble,
            n_walkers=n_walkers,
            seed=seed,
            n_processes=n_processes,
            command=_command(),
            progress=bar,
        )
    terminal.show_built(path)


@contextlib.contextmanager
def _resumable(out: Path) -> Iterator[None]:
    """Say after Ctrl-C where the finished work is."""
    try:
        yield
    except KeyboardInterrupt:
        words = f"interrupted; finished work is in {out.stem}.journal, the same command continues"
        print(f"molkern: error: {words}", file=sys.stderr)
        raise typer.Exit(130) from None


def _command() -> str:
    """The command line as it was given."""
    return " ".join(["molkern", *(shlex.quote(word) for word in sys.argv[1:])])


def _smiles_of(path: Path) -> list[str]:
    """The first words of the lines; checked here, where the line is known."""
    from molkern.datasets.build import geometry

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"--smiles: {path} is no text file ({error})") from error
    found = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            found.append(geometry.canonical(words[0]))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    if not found:
        raise ValueError(f"--smiles: {path} holds no SMILES")
    return found
