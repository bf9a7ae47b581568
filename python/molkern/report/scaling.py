"""Cost against system size: figure, words, table, page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from molkern.report.curves import MIN_SIZES
from molkern.report.figures import inches, log_axis, saved
from molkern.report.page import inline, template
from molkern.report.style import RC, marks, number_ticks
from molkern.report.summary import measured_how
from molkern.report.tables import data_size
from molkern.report.tradeoff import seconds
from molkern.study import Measurements

__all__ = ["scaling_figure", "scaling_sentences", "scaling_table", "write_scaling"]

_LEFT = 0.85  # inches; for the words of the axis of times
_OPERATIONS = {"values": "", "vjp": ", gradient"}
LINEAR = 1.15  # what counts as linear: caches and noise leave nothing exact


def scaling_figure(measurements: Measurements, *, narrow: bool = False) -> Figure:
    """Time of one call against the number of atoms, both logarithmic, one panel per series.

    Parameters
    ----------
    measurements : Measurements
        Of ``study.scaling``.
    narrow : bool, default=False
        For a phone: the panels below each other.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are no rows.
    """
    frame = _checked(measurements)
    systems = list(dict.fromkeys(frame["system"]))
    models = list(dict.fromkeys(zip(frame["representation"], frame["operation"], strict=True)))
    kinds = {"values": "laplacian", "vjp": "gaussian"}  # full and broken lines
    looks = marks([(name, kinds[operation]) for name, operation in models])
    style = dict(zip(models, looks.values(), strict=True))
    with rc_context(RC):
        figure, panels = _canvas(len(systems), len(models), narrow)
        for axes, system in zip(panels, systems, strict=True):
            _draw(axes, frame[frame["system"] == system], frame, style)
            axes.set_title(system, fontsize=9.0, loc="left")
            axes.set_xlabel("Atoms")
        for axes in panels if narrow else panels[:1]:
            axes.set_ylabel("Time of one call")
        for axes in () if narrow else panels[1:]:
            axes.set_yticklabels([])
        names = [f"{name}{_OPERATIONS[operation]}" for name, operation in models]
        figure.legend(
            [Line2D([], [], **look) for look in style.values()], names, loc="lower left",
            bbox_to_anchor=(0.01, 0.0), ncols=1 if narrow else 3, frameon=False, fontsize=8.0,
            handlelength=3.2, borderaxespad=0.2,
        )  # fmt: skip
    return figure


def _checked(measurements: Measurements) -> pd.DataFrame:
    if not measurements.rows:
        raise ValueError("measurements: expected at least one row, found none")
    return measurements.frame


def _canvas(n_panels: int, n_names: int, narrow: bool) -> tuple[Figure, list[Axes]]:
    """Panels beside or below each other, and room for the names below; sizes in inches."""
    if narrow:
        key = 0.2 * n_names + 0.25
        figure = Figure(figsize=(3.9, key + 3.1 * n_panels))
        places = [key + 3.1 * k + 0.5 for k in reversed(range(n_panels))]
        return figure, [inches(figure, (_LEFT, bottom, 3.75 - _LEFT, 2.3)) for bottom in places]
    key = 0.2 * -(-n_names // 3) + 0.25
    figure = Figure(figsize=(7.8, key + 3.7))
    step = (7.8 - _LEFT) / n_panels
    boxes = [(_LEFT + step * k, key + 0.5, step - 0.15, 2.9) for k in range(n_panels)]
    return figure, [inches(figure, box) for box in boxes]


def _draw(axes: Axes, part: pd.DataFrame, everything: pd.DataFrame, style: Any) -> None:
    first, last = float(everything["n_atoms"].min()), float(everything["n_atoms"].max())
    bottom, top = float(everything["seconds"].min()), float(everything["seconds"].max())
    atoms = np.array([first / 2, last * 2])
    for start in 10.0 ** np.arange(-9, 3):
        axes.plot(atoms, start * atoms, color="#9aa0a6", linewidth=0.5, alpha=0.6, zorder=0.5)
    for key, rows in part.groupby(["representation", "operation"], sort=False):
        rows = rows.sort_values("n_atoms")
        axes.plot(rows["n_atoms"], rows["seconds"], **{**style[key], "markersize": 4.0})
    log_axis(axes, "x", first, last, number_ticks(first, last)[:: 2 if last / first > 3e3 else 1])
    ticks = number_ticks(bottom, top)
    log_axis(axes, "y", bottom, top, ticks if len(ticks) < 9 else ticks[::2])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _round_time(value)))
    axes.grid(False)


def _round_time(value: float) -> str:
    """A round time in few letters."""
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if value < limit:
            return f"{value * factor:.10g} {unit}"
    return f"{value:.10g} s"


def scaling_sentences(measurements: Measurements) -> list[str]:
    """What to take home, as plain text.

    Parameters
    ----------
    measurements : Measurements
        Of ``study.scaling``.

    Returns
    -------
    list of str
        Whose time grows in proportion to the size; for each representation how its time grows and
        what its largest system takes.
    """
    frame, fits = _checked(measurements), measurements.exponents()
    words = _groups(fits)
    for (name, operation), part in frame.groupby(["representation", "operation"], sort=False):
        largest = part.loc[part["n_atoms"].idxmax()]
        end = (
            f"{largest['n_atoms']} atoms ({largest['system']}) take {seconds(largest['seconds'])}, "
            f"{seconds(largest['seconds_per_atom'])} for each."
        )
        own = fits[(fits["representation"] == name) & (fits["operation"] == operation)]
        who = f"{name}{_OPERATIONS[operation]}"
        if not len(own):
            words.append(f"{who}: {end}")
            continue
        low, high = own["exponent"].min(), own["exponent"].max()
        power = f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"
        few = " (from two sizes only)" if own["n_sizes"].min() < MIN_SIZES else ""
        words.append(
            f"{who}: the time grows with the power {power} of the number of atoms{few}; {end}"
        )
    return words


def _groups(fits: pd.DataFrame) -> list[str]:
    """Which representations are linear and which are not, as far as three sizes tell."""
    usable = fits[(fits["operation"] == "values") & (fits["n_sizes"] >= MIN_SIZES)]
    steepest = usable.groupby("representation", sort=False)
    powers = steepest["exponent"].max()
    groups = (
        (f"in proportion to the number of atoms (power {LINEAR} or less)", powers <= LINEAR),
        ("faster than the number of atoms", powers > LINEAR),
    )
    words = [
        f"The time grows {how} for {', '.join(powers.index[chosen])}"
        for how, chosen in groups
        if chosen.any()
    ]
    return ["; ".join(words).replace("; The time grows", ", and") + "."] if words else []


def scaling_table(measurements: Measurements) -> pd.DataFrame:
    """One row for each series, all entries text.

    Returns
    -------
    pandas.DataFrame
        ``Series``; ``Exponent`` from 1000 atoms on, a dash for fewer than two such sizes, and a
        word where there are no more than two; of the largest system: ``Atoms``, ``Per atom``,
        ``In all``, ``Memory``.
    """
    frame, fits = _checked(measurements), measurements.exponents()
    key = ["representation", "system", "operation"]
    exponents = {
        tuple(fit[name] for name in key): f"{fit['exponent']:.2f}"
        + (" (2 sizes)" if fit["n_sizes"] < MIN_SIZES else "")
        for _, fit in fits.iterrows()
    }
    lines = []
    for (name, system, operation), part in frame.groupby(key, sort=False):
        largest = part.loc[part["n_atoms"].idxmax()]
        lines.append(
            {
                "Series": f"{name}{_OPERATIONS[operation]}: {system}",
                "Exponent": exponents.get((name, system, operation), "–"),
                "Atoms": str(largest["n_atoms"]),
                "Per atom": seconds(largest["seconds_per_atom"]),
                "In all": seconds(largest["seconds"]),
                "Memory": data_size(float(largest["peak_bytes"])),
            }
        )
    return pd.DataFrame(lines)


def write_scaling(measurements: Measurements, folder: str | Path) -> list[Path]:
    """Write page, figure and numbers into a folder.

    Parameters
    ----------
    measurements : Measurements
        Of ``study.scaling``.
    folder : str or Path
        Made if it does not exist; files of an earlier report in it are replaced.

    Returns
    -------
    list of Path
        ``scaling.html``, ``scaling.png`` and ``.svg``, ``scaling.csv`` and ``scaling.json``.

    Raises
    ------
    ValueError
        If there are no rows; nothing is written then.
    OSError
        If the folder cannot be written.
    """
    figure = scaling_figure(measurements)
    contents = {
        "scaling.html": _page(measurements).encode(),
        "scaling.png": saved(figure, "png"),
        "scaling.svg": saved(figure, "svg"),
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        temporary = folder / f".{name}.{os.getpid()}.tmp"
        temporary.write_bytes(content)
        temporary.replace(folder / name)
    numbers = [measurements.save(folder / name) for name in ("scaling.csv", "scaling.json")]
    return [folder / name for name in contents] + numbers


def _page(measurements: Measurements) -> str:
    frame, about = _checked(measurements), measurements.metadata
    n_representations = frame["representation"].nunique()
    machine = f"{about.get('processor', 'unknown processor')}, {frame['isa'].iloc[0]}"
    return template("scaling.html.j2").render(
        lead=f"Time and memory of one call for one system, {n_representations} representation"
        f"{'s' if n_representations > 1 else ''}; molkern {frame['molkern'].iloc[0]}, {machine}",
        sentences=scaling_sentences(measurements),
        wide=inline(scaling_figure(measurements), "s", "Time against size"),
        narrow=inline(scaling_figure(measurements, narrow=True), "t", "Time against size"),
        how=measured_how(measurements),
        rows=scaling_table(measurements),
        notes=list(measurements.notes),
    )
