"""Writes every number that the text quotes: ``python make_values.py``.

``build/values.tex`` defines them by keys such as ``qm7/soap/5732``; the text says
``\\result{qm7/soap/5732}``. What has not been computed yet has no key, and prints as a dash.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

import library_times
import sources
from figures.rmd17 import MOLECULES
from figures.style import ATOM_BY_ATOM, SHORT, model_name
from latex import error, number, words
from make_tables import BEYOND, GROUPS, by_error, errors, slopes
from molkern.regression.validation import DEFAULT_ALPHAS

__all__ = ["all_values", "main"]

Pairs = Iterator[tuple[str, str]]
KEYS = dict(
    zip(
        [*SHORT, ATOM_BY_ATOM],
        ("sorted", "random", "spectrum", "bags", "acsf", "aev", "soap", "unsorted", "local"),
        strict=True,
    )
)
KERNELS = {"laplacian": "", "gaussian": "-gaussian", "local.gaussian": ""}
# Models whose only kernel is the Gaussian one.
OF_ATOMS = ("acsf", "aev", "soap", "local")


def key(representation: str, kernel: str) -> str:
    """Short word for a model: ``bags``, ``bags-gaussian``, ``soap``."""
    name = KEYS[representation]
    return name if name in OF_ATOMS else name + KERNELS[kernel]


def learning(group: str, data: str, prefix: str) -> Pairs:
    """Errors, slopes and the best model of one set of learning curves."""
    table = sources.curves(*GROUPS[group]).get(data)
    if table is None:
        return
    found = errors(table)
    for (representation, kernel, n), (mean, scatter) in found.items():
        yield f"{prefix}/{key(representation, kernel)}/{n}", error(mean, scatter)
    for model, slope in slopes(table, 500).items():
        yield f"{prefix}/{key(*model)}/slope", number(slope)
    first, last = by_error(table)[0], int(table["n_train"].max())
    yield f"{prefix}/best", words(model_name(*first))
    yield f"{prefix}/best/error", error(*found[*first, last])
    yield f"{prefix}/largest", str(last)
    bags, soap = ("Bag of bonds", "laplacian"), ("SOAP (2.5 Å, sum)", "gaussian")
    for n in sorted({n for *_, n in found}):
        if (*bags, n) in found and (*soap, n) in found:
            ratio = number(found[*bags, n][0] / found[*soap, n][0])
            yield f"{prefix}/bags-to-soap/{n}", ratio


def data(group: str, name: str, prefix: str) -> Pairs:
    """What the rows of a set of curves say about how they came about."""
    parts = sources.results(*GROUPS[group]).get(name, [])
    for part in parts:
        row = part.rows[0]
        yield f"{prefix}/n", str(part.metadata["n_structures"])
        yield f"{prefix}/test", str(row["n_test"])
        yield f"{prefix}/unit", words(row["unit"])
        yield f"{prefix}/sha256", part.metadata["sha256"][:12]
        yield "version", words(part.metadata["molkern"])
        yield "values-version", str(part.metadata["values_version"])


def parameters() -> Pairs:
    """Settings of the representations of atoms, as the results state them."""
    for studies in GROUPS.values():
        for parts in sources.results(*studies).values():
            for specification in (s for part in parts for s in part.metadata["representations"]):
                given = specification["parameters"]
                name = specification["class"].lower()
                if name == "soap" and given["average"] is None:
                    name = "local"
                for word in ("r_cut", "sigma", "n_max", "l_max"):
                    if word in given:
                        yield f"{name}/{word.replace('_', '-')}", f"{given[word]:g}"
                for word in ("g2", "g4"):
                    if word in given:
                        yield f"{name}/{word}", str(len(given[word]))


def all_curves() -> Pairs:
    """Every set of learning curves."""
    for group in GROUPS:
        if group == "rmd17":
            for molecule in MOLECULES:
                yield from learning(group, f"rmd17-{molecule}", f"rmd17-{molecule}")
                yield from data(group, f"rmd17-{molecule}", "rmd17")
        else:
            name = group.split("-")[0]
            yield from learning(group, name, group)
            yield from data(group, name, group)


def wins() -> Pairs:
    """On how many molecules of rMD17 each model is the best, and the Gaussian kernel for bags."""
    found = sources.curves(*GROUPS["rmd17"])
    clear = [best for best in map(clearly_best, found.values()) if best is not None]
    for model in sorted({model for table in found.values() for model in by_error(table)}):
        yield f"rmd17/wins/{key(*model)}", str(clear.count(model))
    orders = [by_error(table) for table in found.values()]
    gaussian, laplacian = [("Bag of bonds", kernel) for kernel in ("gaussian", "laplacian")]
    if orders and all({gaussian, laplacian} <= set(order) for order in orders):
        better = sum(order.index(gaussian) < order.index(laplacian) for order in orders)
        yield "rmd17/bags-gaussian-better", f"{better} of {len(orders)}"


def clearly_best(table: pd.DataFrame) -> tuple[str, str] | None:
    """The best model at the largest size; None where the next is as good within the scatter."""
    found, n = errors(table), table["n_train"].max()
    first, second, *_ = by_error(table)
    (least, scatter), (next_, next_scatter) = found[*first, n], found[*second, n]
    return first if next_ - least > max(scatter, next_scatter) else None


def at_limits() -> Pairs:
    """Where the choice of parameters ended at a limit: see the text on the search."""
    for data, parts in sources.results("rmd17").items():
        frame = parts[0].frame
        last = frame[frame["n_train"] == frame["n_train"].max()]
        for model, part in last.groupby(["representation", "kernel"]):
            widths = ", ".join(f"{sigma:g}" for sigma in sorted(part["sigma"]))
            yield f"{data}/{key(*model)}/widths", widths
    for group in ("qm9", "qm9-gap", "qm9-mu"):
        for parts in sources.results(*GROUPS[group]).values():
            frame = pd.concat([part.frame for part in parts])
            bags = frame[frame["representation"] == "Bag of bonds"]
            largest = int((bags["alpha"] >= max(DEFAULT_ALPHAS)).sum())
            yield f"{group}/bags/largest-alpha", f"{largest} of {len(bags)}"
            above = int((bags["alpha"] > 1e-3).sum())
            yield f"{group}/bags/alpha-above", f"{above} of {len(bags)}"


def beyond() -> Pairs:
    """Errors beyond what was learnt from, at the largest size; and for each heavy atom."""
    for name, _, study in BEYOND:
        table = sources.curves(study, f"{study}-atoms").get(name)
        if table is None:
            continue
        last = table[table["n_train"] == table["n_train"].max()]
        yield f"beyond/{name}/largest", str(last["n_train"].iloc[0])
        for row in last.itertuples():
            prefix = f"beyond/{name}/{key(row.representation, row.kernel)}"
            yield prefix, error(row.mae, row.mae_std)
            if "mae_per_heavy_atom" in last:
                yield f"{prefix}/per-heavy-atom", number(row.mae_per_heavy_atom)


def literature() -> Pairs:
    """Published values, by data, source and, where it is one of ours, the model."""
    for name in ("qm7", "qm9"):
        for value in sources.literature(name):
            model = f"/{key(*value['model'])}" if "model" in value else ""
            for n, mae in sources.published(value):
                yield f"published/{name}/{value['source']}{model}/{n}", number(mae)
            if "words" in value:
                sizes = [f"/{n}" for n in value["n_train"]] or [""]
                yield f"published/{name}/{value['source']}{model}{sizes[0]}", value["words"]


def times() -> Pairs:
    """How long the studies of accuracy took: minutes each, and hours together."""
    names = {name for group in GROUPS.values() for name in group}
    names |= {name + part for *_, name in BEYOND for part in ("", "-atoms")}
    found = {name: sources.seconds(name) for name in sorted(names) if sources.exists(name)}
    for name, seconds in found.items():
        yield f"minutes/{name}", f"{seconds / 60:.0f}"
    yield "hours", f"{sum(found.values()) / 3600:.1f}"


def costs() -> Pairs:
    """Microseconds for a molecule of QM7, and seconds to train."""
    measured = sources.measurements("cost")
    yield "processor", words(str(measured.metadata["processor"]))
    yield "cores", str(measured.metadata["n_cores"])
    yield "cost/sample", str(measured.metadata["n_sample"])
    frame = measured.frame
    yield "cost/isa", words(", ".join(dict.fromkeys(frame["isa"])))
    yield "cost/compiler", words(", ".join(dict.fromkeys(frame["compiler"])))
    for row in frame[frame["n_threads"] == 1].itertuples():
        name = KEYS[row.representation]
        if row.operation in ("train", "predict"):
            model = key(row.representation, row.kernel)
            seconds = row.seconds if row.operation == "train" else 1e6 * row.seconds_per_structure
            yield f"{row.operation}/{model}/{row.n_train}", number(seconds)
        elif row.dtype == "float64":
            source = "" if row.source == "structures" else f"/{row.source}"
            yield f"{row.operation}/{name}{source}", number(1e6 * row.seconds_per_structure)


def growth() -> Pairs:
    """Exponents of time against the number of atoms."""
    measured = sources.measurements("scaling")
    yield "scaling/largest", str(int(measured.frame["n_atoms"].max()))
    fits = sources.exponents("scaling")
    for row in fits.itertuples():
        name = f"{KEYS[row.representation]}/{row.system}"
        yield f"exponent/{name}", number(row.exponent)
        yield f"atom/{name}", number(1e6 * row.seconds_per_atom)
    local = fits[fits["representation"].isin(["SOAP (2.5 Å, sum)", *_OTHER_LOCAL])]
    if len(local):
        yield "exponent/local/least", number(local["exponent"].min())
        yield "exponent/local/most", number(local["exponent"].max())


_OTHER_LOCAL = ("ACSF (8 G2, 16 G4, sum)", "AEV (ANI-2x, sum)")


def libraries() -> Pairs:
    """How many times as fast as the fastest other library."""
    found = library_times.tasks()
    for task in found:
        yield f"library/{task.name}", number(task.ratio(task.ours))
        yield f"library/{task.name}/name", words(task.best)
        if task.out:
            yield f"library/{task.name}/out", number(task.ratio(task.out))
    ahead = [task.ratio(task.ours) for task in found if faster(task)]
    others = [task for task in found if not faster(task)]
    if ahead:
        yield "library/tasks", str(len(found))
        yield "library/ahead", str(len(ahead))
        yield "library/least", number(min(ahead))
        yield "library/most", number(max(ahead))
    if others:
        each = [f"{words(task.words)} {number(task.ratio(task.ours))}" for task in others]
        names = [f"{text} ({words(task.best)})" for text, task in zip(each, others, strict=True)]
        yield "library/not-ahead", ", ".join(names)


def faster(task: library_times.Task) -> bool:
    """Whether we count as faster, into new memory."""
    return task.ratio(task.ours) >= library_times.AHEAD


def beside_dscribe() -> Pairs:
    """DScribe's time over ours for one large structure, summed SOAP."""
    ratios = []
    for row in sources.document("scaling-atoms")["rows"]:
        ours, other = (row.get(name, {}).get("microseconds_per_atom") for name in sources.LIBRARIES)
        if ours and other and row["what"] == "soap":
            ratios.append(other / ours)
            yield f"dscribe/{row['system']}/{row['size']}", number(other / ours)
    if ratios:
        yield "dscribe/least", number(min(ratios))
        yield "dscribe/most", number(max(ratios))


PARTS = (
    all_curves,
    parameters,
    wins,
    at_limits,
    beyond,
    times,
    literature,
    costs,
    growth,
    libraries,
    beside_dscribe,
)


def all_values() -> dict[str, str]:
    """Every key with its LaTeX."""
    values: dict[str, str] = {}
    for part in PARTS:
        try:
            values.update(part())
        except sources.Missing as missing:
            print(f"values of {part.__name__} left out: {missing}")
    return values


def main() -> Path:
    path = sources.BUILD / "values.tex"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = all_values().items()
    text = "".join(rf"\defresult{{{name}}}{{{value}}}" + "\n" for name, value in lines)
    path.write_text(text, encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
