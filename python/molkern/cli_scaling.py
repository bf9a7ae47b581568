"""``molkern scaling``: cost against the size of a system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molkern import terminal, terminal_bars
from molkern.cli_options import at_least, names, no_empty_folders, writable

__all__ = ["scaling"]

_REPRESENTATIONS = (
    "Names with commas, as of compare. Default: coulomb_matrix,bag_of_bonds,acsf,ani-2x,soap."
)
_OPERATIONS = "values, vjp (the gradient) or both with a comma."


def scaling(
    max_atoms: Annotated[int, typer.Option(help="Largest system.")] = 100_000,
    representations: Annotated[str | None, typer.Option(help=_REPRESENTATIONS)] = None,
    operations: Annotated[str, typer.Option(help=_OPERATIONS)] = "values",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    max_seconds: Annotated[
        float, typer.Option(help="A series ends where a call would take longer.")
    ] = 30.0,
    n_threads: Annotated[int, typer.Option(help="Threads of each call.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path(
        "molkern-report/scaling"
    ),
    store: Annotated[
        Path | None, typer.Option(help="Folder of finished measurements. Default: <out>/store.")
    ] = None,
) -> None:
    """Cost against system size, up to 100 000 atoms, and a report.

    Periodic water and diamond by recipes that the report states, and real molecules of 140 to
    32 512 atoms where their file is found (molkern data list). The same command, given again,
    continues where it was stopped.
    """
    from molkern import report, study

    store = store or out / "store"
    with no_empty_folders(out, store):
        writable(out)
        with terminal_bars.ProgressBars() as bars:
            found = study.scaling(
                names("representations", representations, list(study.REPRESENTATIONS)),
                max_atoms=at_least("max-atoms", max_atoms, 10) or max_atoms,
                operations=names("operations", operations, ["values", "vjp"]) or (),
                dtype=dtype,
                max_seconds=max_seconds,
                n_threads=at_least("n-threads", n_threads, 1),
                store=store,
                progress=bars,
            )
        files = report.write_scaling(found, out)
    terminal.show_scaling(found, files)
