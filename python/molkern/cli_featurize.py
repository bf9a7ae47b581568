"""``molkern featurize``: features of a whole data set on disk."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from molkern import terminal, terminal_bars
from molkern.cli_load import LengthUnit, MaxBytes, SkipDummies, Species, load
from molkern.cli_options import DASK, WORKERS, at_least, executor, no_empty_folders

__all__ = ["featurize"]

_DATA = "Name of a data set, or a file, as for compare. Labels are not needed."
_REPRESENTATION = "A name as of compare, or a class: SOAP, ACSF, AEV, CoulombMatrix, BagOfBonds."
_PARAMETERS = (
    'Parameters in JSON, e.g. \'{"r_cut": 5, "average": null}\'; with average null rows are atoms.'
)
_OUTPUT = (
    "A .zarr folder, written in chunks, the same command continues; or a .npz file, for what fits "
    "in memory. Missing folders around it are made, and this is said."
)


def featurize(
    data: Annotated[str, typer.Argument(help=_DATA)],
    representation: Annotated[str, typer.Option(help=_REPRESENTATION)],
    output: Annotated[Path, typer.Option(help=_OUTPUT)],
    parameters: Annotated[str | None, typer.Option(help=_PARAMETERS)] = None,
    length_unit: LengthUnit = None,
    species: Species = None,
    skip_dummies: SkipDummies = False,
    max_bytes: MaxBytes = None,
    chunk_bytes: Annotated[int, typer.Option(help="Size of a chunk of whole rows.")] = 64 * 2**20,
    n_threads: Annotated[int | None, typer.Option(help="Of each worker.")] = None,
    workers: Annotated[int | None, typer.Option(help=WORKERS)] = None,
    dask: Annotated[str | None, typer.Option(help=DASK)] = None,
) -> None:
    """Features of all structures of DATA, on disk.

    Says first how many bytes they are. The bytes are the same wherever chunks are computed.
    """
    from molkern import study

    options: dict[str, Any] = {
        "executor": executor(workers, dask),
        "n_threads": at_least("n-threads", n_threads, 1),
    }
    model = {"name": representation, **_parsed(parameters)}
    dataset = load(
        data,
        length_unit=length_unit,
        species=species,
        skip_dummies=skip_dummies,
        max_bytes=max_bytes,
        structures_only=True,
    )
    plan = study.plan_features(dataset, model, chunk_bytes=chunk_bytes)
    terminal.decisions(dataset.decisions)
    terminal.notes(dataset.notes)
    print(plan.words(), flush=True)
    folder = output.parent
    made = "" if folder.exists() else f" (the folder {folder} was made)"
    try:
        with no_empty_folders(folder), terminal_bars.ProgressBars() as bars:
            path = plan.write(output, progress=bars, **options)
    except KeyboardInterrupt:
        kept = output.suffix == ".zarr"
        words = "finished chunks are kept, the same command continues" if kept else "nothing kept"
        print(f"molkern: error: interrupted; {words}", file=sys.stderr)
        raise typer.Exit(130) from None
    print(f"written: {path}{made}")


def _parsed(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"--parameters: {text!r} is not JSON ({error})") from error
    if not isinstance(found, dict) or "name" in found:
        raise ValueError(f"--parameters: expected an object of parameters, found {text!r}")
    return found
