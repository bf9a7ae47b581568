"""The command ``molkern``: compare representations, measure their cost, look after data.

Wrong input gives one line on stderr and exit code 2; ``MOLKERN_DEBUG=1`` shows the traceback, too.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

try:
    import typer

    from molkern import cli_data, cli_featurize, cli_load, cli_scaling, terminal, terminal_bars
    from molkern.cli_load import (
        LengthUnit,
        MaxBytes,
        Property,
        SkipDummies,
        SkipMissing,
        Species,
        Unit,
    )
except ImportError as error:  # the compiled package is useful without the command line
    _MISSING: ImportError | None = error
else:
    _MISSING = None

from molkern.cli_options import (
    BASELINE,
    DASK,
    KERNELS,
    REPRESENTATIONS,
    SPLIT,
    TEST,
    WORKERS,
    at_least,
    checked_baseline,
    executor,
    folder_name,
    integers,
    names,
    no_empty_folders,
    test_files,
    writable,
)

if TYPE_CHECKING:
    from molkern.datasets import Dataset
    from molkern.study import Measurements, Result

__all__ = ["main"]

_REPORTS = "molkern-report"
_INSTALL = 'pip install "molkern[study]"'
_COMMAS = "; several values of an option are joined by commas: --sizes 100,200,500"
_SIZES = (
    "Training-set sizes with commas, e.g. 100,200,500. Default: a series up to the whole training "
    "part. At least 10 structures are needed; where there are no official folds, a fifth is held "
    "out for testing."
)
_SEEDS = "Seeds with commas. Default: 0 with official folds or splits, else 0,1,2."
_N_THREADS = (
    "Of each worker. Default: all allowed cores, shared by --workers; with --dask those that its "
    "workers have."
)
_OUT = (
    "Folder of the report; an existing report there is replaced. Default: molkern-report/<data>, "
    "or molkern-report/<data>-<property> for another property than the usual one; with --split "
    "or --test that follows, too."
)
_STORE = "Folder of finished results. Default: <out>/store."
# What makes the comparison without DATA quick; every option can be given all the same.
_QUICK = {"sizes": [100, 200, 500, 1000], "n_tune": 500}
_N_TUNE = 2000
_CV = 5  # folds of the cross-validation in study.compare
_EXTRAS = {
    "study": ("ase", "h5py", "jinja2", "matplotlib", "pandas", "pooch", "rich", "scipy",
              "threadpoolctl", "typer"),
    "build": ("networkx", "rdkit", "tblite"),
    "dask": ("dask", "distributed"),
    "zarr": ("zarr",),
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        None: those of the process.

    Returns
    -------
    int
        Exit code: 0, or 2 for wrong input or a missing package, 130 after Ctrl-C.
    """
    if _MISSING is not None:
        return _fail(f"the command line needs the package {_MISSING.name}: {_INSTALL}")
    usage: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            code = _app()(args=arguments, prog_name="molkern", standalone_mode=False)
            return int(code or 0)
        except usage as wrong:
            words = wrong.format_message()
            many = "unexpected extra argument" in words and "compare" in (arguments or sys.argv)
            return _fail(words + (_COMMAS if many else ""))
        except (KeyboardInterrupt, typer.Abort):
            return _fail("interrupted", code=130)
        except ImportError as missing:
            _debug()
            words = str(missing)
            package = f"needs the package {missing.name}: {_INSTALL}"
            return _fail(words if "pip install" in words else package)
        except (ValueError, TypeError, OSError, MemoryError) as wrong:
            _debug()
            return _fail(str(wrong) or type(wrong).__name__)


def _fail(message: str, code: int = 2) -> int:
    print(f"molkern: error: {' '.join(message.split())}", file=sys.stderr)
    return code


def _debug() -> None:
    if os.environ.get("MOLKERN_DEBUG"):
        traceback.print_exc()


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"molkern: note: {' '.join(str(message).split())}", file=sys.stderr)


def _app() -> Any:
    """The Typer application; made here so that this file can be read without Typer."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.callback(invoke_without_command=True)(_root)
    app.command()(compare)
    app.command()(cli_scaling.scaling)
    app.command()(cli_featurize.featurize)
    app.add_typer(cli_data.data_app(), name="data")
    app.command()(info)
    return app


def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Representations of molecules for machine learning: which one, at what accuracy and cost?"""
    import molkern

    if version:
        print(f"molkern {molkern.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def compare(
    data: Annotated[
        str | None,
        typer.Argument(
            help="Name of a data set, or a file or folder: extended XYZ, .npz, HDF5, SDF, ASE's "
            "databases, DeePMD-kit, ... "
            "Default: the data sets that come with the package."
        ),
    ] = None,
    property: Property = None,
    unit: Unit = None,
    length_unit: LengthUnit = None,
    species: Species = None,
    skip_missing: SkipMissing = False,
    skip_dummies: SkipDummies = False,
    max_bytes: MaxBytes = None,
    representations: Annotated[str | None, typer.Option(help=REPRESENTATIONS)] = None,
    kernels: Annotated[str | None, typer.Option(help=KERNELS)] = None,
    sizes: Annotated[str | None, typer.Option(help=_SIZES)] = None,
    seeds: Annotated[str | None, typer.Option(help=_SEEDS)] = None,
    baseline: Annotated[str | None, typer.Option(help=BASELINE)] = None,
    split: Annotated[str | None, typer.Option(help=SPLIT)] = None,
    test: Annotated[list[str] | None, typer.Option(help=TEST)] = None,
    n_tune: Annotated[
        int | None,
        typer.Option(help="Largest size at which sigma and alpha are chosen. Default: 2000."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help=_OUT)] = None,
    store: Annotated[Path | None, typer.Option(help=_STORE)] = None,
    n_threads: Annotated[int | None, typer.Option(help=_N_THREADS)] = None,
    workers: Annotated[int | None, typer.Option(help=WORKERS)] = None,
    dask: Annotated[str | None, typer.Option(help=DASK)] = None,
    cost: Annotated[
        bool, typer.Option(help="Measure what representations, training and prediction cost.")
    ] = True,
) -> None:
    """Learning curves and cost of every representation on DATA, and a report.

    Without DATA: of the data sets that come with the package, up to N = 1000, in about two minutes.
    The same command, given again, continues where it was stopped.
    """
    from molkern import study

    chosen = names("representations", representations, list(study.REPRESENTATIONS))
    options: dict[str, Any] = {
        "kernels": names("kernels", kernels, ["laplacian", "gaussian", "local.gaussian"]),
        "sizes": integers("sizes", sizes, 1),
        "seeds": integers("seeds", seeds, 0),
        "baseline": checked_baseline(baseline),
        "split": split,
        "n_tune": at_least("n-tune", n_tune, _CV, ", one structure for each fold of the choice"),
        "n_threads": at_least("n-threads", n_threads, 1),
        "executor": executor(workers, dask),
        "cost": cost,
    }
    if data is None:
        options |= {name: options[name] or value for name, value in _QUICK.items()}
        _only_with_data(
            property=property,
            unit=unit,
            length_unit=length_unit,
            species=species,
            skip_missing=skip_missing or None,
            skip_dummies=skip_dummies or None,
            max_bytes=max_bytes,
            split=split,
            test=test or None,
        )
        _compare_embedded(chosen, options, out or Path(_REPORTS), store)
        return
    options["n_tune"] = options["n_tune"] or _N_TUNE
    paths = test_files(test)
    if split is not None and paths:
        raise ValueError("--split, --test: expected one of them, found both")
    reading = {
        "unit": unit,
        "length_unit": length_unit,
        "species": species,
        "skip_missing": skip_missing,
        "skip_dummies": skip_dummies,
        "max_bytes": max_bytes,
    }
    dataset = _load(data, property=property, **reading)
    tests = [_load(path, like=dataset, **reading) for path in paths]
    options["test"] = tests or None
    folder = out or Path(_REPORTS) / folder_name(dataset, property, split, tests)
    _compare_one(dataset, chosen, options, folder, store)


def _only_with_data(**given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"--{name.replace('_', '-')}: needs DATA, a name or a file; without it the data "
                "sets that come with the package are compared"
            )


def _compare_embedded(
    chosen: list[str] | None, options: dict[str, Any], folder: Path, store: Path | None
) -> None:
    """Every data set of the package, and a page that leads to their reports."""
    from molkern import report
    from molkern.datasets import embedded

    results, folders = [], []
    for name in embedded.NAMES:
        dataset = _load(name)
        folders.append(folder / name)
        results.append(_compare_one(dataset, chosen, dict(options), folders[-1], store))
    print(report.write_index(results, folders, folder / "index.html"))


def _compare_one(
    dataset: Dataset,
    chosen: list[str] | None,
    options: dict[str, Any],
    folder: Path,
    store: Path | None,
) -> Result:
    from molkern import study

    store = store or folder / "store"
    with no_empty_folders(folder, store):
        writable(folder)
        options["store"] = study.Store(store)
        terminal.describe(dataset)
        terminal.describe_tests(options.get("test") or [])
        return _study_and_report(dataset, chosen, options, folder)


def _study_and_report(
    dataset: Dataset, chosen: list[str] | None, options: dict[str, Any], folder: Path
) -> Result:
    from molkern import report, study

    costs = None
    measuring = options.pop("cost")
    try:
        with terminal_bars.ProgressBars() as bars:
            result = study.compare(dataset, chosen, progress=bars, **options)
        if measuring:
            costs = _measure(dataset, chosen, options)
        files = report.write(result, folder, costs=costs)
    except KeyboardInterrupt:
        place = options["store"].folder
        message = f"interrupted; finished results are in {place}, the same command continues"
        raise typer.Exit(_fail(message, code=130)) from None
    terminal.notes([note for note in result.notes if note not in dataset.notes])
    terminal.show(result, files, costs)
    return result


def _measure(dataset: Dataset, chosen: list[str] | None, options: dict[str, Any]) -> Measurements:
    """What the models of the comparison cost; here, on one thread unless a number is given."""
    from molkern import study

    given = {name: value for name, value in options.items() if name not in ("seeds", "executor")}
    with terminal_bars.ProgressBars() as bars:
        return study.cost(
            dataset,
            chosen,
            operations=("values", "vjp", "train", "predict"),
            sources=("structures", "ase"),
            progress=bars,
            **{**given, "n_threads": given["n_threads"] or 1},
        )


def info() -> None:
    """Version, compiler, instruction set, threads, data folder, and packages found."""
    import molkern
    from molkern.datasets import cache

    facts = {**molkern.build_info(), "python": sys.version.split()[0]}
    facts["cuda"] = ", ".join(molkern.cuda.devices()) or molkern.cuda.reason()
    facts["numpy"] = importlib.metadata.version("numpy")
    facts["MOLKERN_DATA"] = os.environ.get("MOLKERN_DATA") or "not set"
    try:
        facts["cache"] = cache.cache_folder()
    except ImportError as missing:
        facts["cache"] = str(missing)
    for extra, packages in _EXTRAS.items():
        for name in packages:
            try:
                facts[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                facts[name] = f'not installed (pip install "molkern[{extra}]")'
    terminal.pairs([(name, str(value)) for name, value in facts.items()])


def _load(data: str, **options: Any) -> Dataset:
    """A data set with something to learn."""
    from molkern.datasets.selection import why_none

    dataset = cli_load.load(data, **options)
    if not dataset.default_target:
        none = why_none(dataset)
        raise ValueError(f"{data}: no property found that could be learnt{none}")
    return dataset
