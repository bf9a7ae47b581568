"""The paper: studies can be run, committed results give every figure, table and number."""

import importlib
import inspect
import itertools
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import molkern as mk

pd = pytest.importorskip("pandas")
matplotlib = pytest.importorskip("matplotlib")

PAPER = Path(__file__).parents[1] / "paper"
if not PAPER.is_dir():
    pytest.skip("a source distribution has no paper", allow_module_level=True)

STUDIES = sorted((PAPER / "studies").glob("*.toml"))
ACCURACY = [path for path in STUDIES if "measure" not in tomllib.loads(path.read_text())]
SMOKE = {
    "molecules": """
        data = ["mini-molecules", "mini-ethanol"]
        representations = ["bag_of_bonds", "soap"]
        kernels = ["gaussian"]
        sizes = [10, 20]
        seeds = [0, 1]
        n_tune = 10
        cv = 2
    """,
    "cost": """
        measure = "cost"
        [[part]]
        data = "mini-molecules"
        representations = ["bag_of_bonds"]
        operations = ["values", "train", "predict"]
        sizes = [20]
        max_structures = 20
        n_threads = 1
        [[part]]
        data = "mini-molecules"
        representations = ["soap-local"]
        operations = ["values"]
        max_structures = 5
        n_threads = 1
    """,
    "scaling": """
        measure = "scaling"
        [[part]]
        representations = ["soap"]
        max_atoms = 30
        n_threads = 1
    """,
}

# What figures and tables cannot do without; the others need studies of QM7, QM9 or rMD17.
NEEDS = {
    "scaling": "scaling",
    "large_structures": "scaling-atoms",
    "libraries": "peers",
    "cost": "cost",
    "error_against_cost": "cost",
    "literature": "qm7-mean",
    "qm9": "qm9",
    "rmd17": "rmd17",
    "extrapolation": "extrapolate-qm7",
}
# Beginnings of keys by the file that they come from.
MEASURED = {
    "cost": ("values/", "vjp/", "train/", "predict/", "cost/", "processor", "cores"),
    "scaling": ("exponent/", "atom/", "scaling/"),
    "peers": ("library/",),
    "scaling-atoms": ("dscribe/",),
}


@pytest.fixture
def paper(monkeypatch, tmp_path):
    """Imports a module of the paper; what is drawn and written goes elsewhere."""
    monkeypatch.syspath_prepend(str(PAPER))
    monkeypatch.setattr(importlib.import_module("sources"), "BUILD", tmp_path / "build")
    return importlib.import_module


@pytest.fixture
def driver(paper, tmp_path):
    """Runs `SMOKE`; returns the results by name."""
    folder = tmp_path / "studies"
    folder.mkdir()
    for name, text in SMOKE.items():
        (folder / f"{name}.toml").write_text(text)
    options = [f"--studies={folder}", f"--results={tmp_path / 'results'}"]
    options += [f"--store={tmp_path / 'store'}", "--n-threads=1"]

    def run(*names):
        paper("run_studies").main([*names, *options])
        return {path.stem: path for path in (tmp_path / "results").glob("*.json")}

    return run


@pytest.mark.parametrize("path", ACCURACY, ids=lambda path: path.stem)
def test_studies_of_accuracy_are_valid(path, paper):
    content = tomllib.loads(path.read_text())
    names = content.pop("data")
    content.pop("unit", None)  # for loading the data
    inspect.signature(mk.study.compare).bind(names, content.pop("representations"), **content)
    known = {data.name for data in mk.datasets.available()}
    assert known >= ({names} if isinstance(names, str) else set(names))
    style = paper("figures.style")
    for representation in tomllib.loads(path.read_text())["representations"]:
        model = mk.study.models.representation(representation)
        for kernel in content["kernels"]:
            style.look(mk.study.models.label(model), kernel)


def test_studies_of_cost_are_valid(paper):
    measures = paper("run_studies").MEASURES
    found = [tomllib.loads(path.read_text()) for path in STUDIES if path not in ACCURACY]
    assert {content["measure"] for content in found} == set(measures)
    for content in found:
        for part in content["part"]:
            inspect.signature(measures[content["measure"]]).bind(**part)


def test_driver_end_to_end(driver, paper, capsys):
    files = driver()
    assert set(files) == set(SMOKE)
    stored = paper("stored")
    found = stored.read(files["molecules"])
    assert list(found) == ["mini-molecules", "mini-ethanol"]
    frame = found["mini-molecules"].frame
    assert len(frame) == 2 * 2 * 2
    assert set(frame["n_train"]) == {10, 20}
    assert {"n_threads", "isa", "compiler", "seconds_fit"} <= set(frame)
    assert (frame["n_threads"] == 1).all()
    costs = stored.read(files["cost"])["cost"].frame
    assert list(costs["operation"]) == ["values", "train", "predict", "values"]
    assert set(stored.read(files["scaling"])["scaling"].frame["system"]) >= {"water", "diamond"}
    assert "molecules.json" in capsys.readouterr().out
    # Again, from the store: even the times are those of the first run.
    before = {name: path.read_bytes() for name, path in files.items()}
    again = driver("molecules", "cost")
    assert {name: path.read_bytes() for name, path in again.items()} == before


def test_driver_names_studies_that_it_has(driver, capsys):
    with pytest.raises(SystemExit):
        driver("qm77")
    assert "expected names among cost, molecules, scaling; found qm77" in capsys.readouterr().err


def test_stored_results_are_the_results(paper, tmp_path):
    stored = paper("stored")
    data = mk.datasets.load("mini-molecules")
    result = mk.study.compare(
        data, ["bag_of_bonds"], kernels=["laplacian", "gaussian"], sizes=[20, 40], n_threads=1
    )
    path = stored.write(tmp_path / "a.json", {"mini": result})
    again = stored.read(path)["mini"]
    assert len(again.rows) == 2 * 2 * 3  # kernels, sizes, seeds
    for row, kept in zip(result.rows, again.rows, strict=True):
        assert set(row) == set(kept)
        for name, value in row.items():
            if isinstance(value, float):
                tolerance = 1e-3 if name.startswith("seconds") else 1e-5  # four digits, and six
                assert kept[name] == pytest.approx(value, rel=tolerance)
            else:
                assert kept[name] == value
    assert "/" not in again.metadata["source"]
    assert stored.write(tmp_path / "b.json", {"mini": again}).read_bytes() == path.read_bytes()


def test_other_files_are_no_results(paper, tmp_path):
    (tmp_path / "a.json").write_text('{"results": [1]}')
    with pytest.raises(ValueError, match=r"a\.json holds no results of studies"):
        paper("stored").read(tmp_path / "a.json")


def test_committed_results_are_of_the_studies(paper):
    sources, stored = paper("sources"), paper("stored")
    studies = {path.stem: tomllib.loads(path.read_text()) for path in ACCURACY}
    for name, content in studies.items():
        path = sources.RESULTS / f"{name}.json"
        if not path.is_file():
            continue
        found = stored.read(path)
        names = content["data"]
        assert list(found) == ([names] if isinstance(names, str) else names)
        for result in found.values():
            assert sorted(set(result.frame["n_train"])) == content["sizes"]
            assert sorted(result.metadata["kernels"]) == sorted(content["kernels"])
            assert result.metadata["values_version"] == mk.study.VALUES_VERSION
            assert len(result.metadata["sha256"]) == 64
            assert np.isfinite(result.frame["mae"]).all()
            expected = content.get("baseline")
            assert expected is None or set(result.frame["baseline"]) == {expected}


def made(paper, needs, names):
    """Those of these names whose results are there."""
    folder = paper("sources").RESULTS
    return {name for name in names if (folder / f"{needs.get(name, 'qm7')}.json").is_file()}


def test_figures_of_committed_results(paper):
    sources, figures = paper("sources"), paper("figures.__main__").FIGURES
    for name in figures:
        try:
            paper(f"figures.{name}").main()
        except sources.Missing:
            continue
        for form, start in (("pdf", b"%PDF"), ("png", b"\x89PNG")):
            assert (sources.BUILD / f"{name}.{form}").read_bytes().startswith(start)
    drawn = {path.stem for path in sources.BUILD.glob("*.pdf")}
    assert drawn == made(paper, NEEDS, figures)


def test_numbers_at_axes_are_apart(paper):
    sources, style = paper("sources"), paper("figures.style")
    for name in paper("figures.__main__").FIGURES:
        try:
            with matplotlib.rc_context(style.RC):
                figure = paper(f"figures.{name}").draw()
                figure.draw_without_rendering()
        except sources.Missing:
            continue
        space = 0.02 * figure.dpi
        boxes = []
        for axes in figure.axes:
            for tick in (*axes.xaxis.get_major_ticks(), *axes.yaxis.get_major_ticks()):
                if tick.label1.get_visible() and tick.label1.get_text():
                    boxes.append((tick.label1.get_text(), tick.label1.get_window_extent()))
        assert len(boxes) > 5
        for (first, box), (second, other) in itertools.combinations(boxes, 2):
            assert not box.padded(space).overlaps(other.padded(space)), (name, first, second)
        for words, box in boxes:  # under the axes it belongs to, not under its neighbour
            below = [
                axes for axes in figure.axes if axes.bbox.x0 < box.x1 and box.x0 < axes.bbox.x1
            ]
            assert len({round(axes.bbox.x0) for axes in below}) <= 1, (name, words)


def test_tables_of_committed_results(paper):
    tables = paper("make_tables")
    tables.main()
    written = sorted(paper("sources").BUILD.glob("table_*.tex"))
    names = {table.__name__ for table in tables.TABLES}
    assert {path.stem.removeprefix("table_") for path in written} == made(paper, NEEDS, names)
    for path in written:
        rows = [line for line in path.read_text().splitlines() if line.endswith(r"\\")]
        assert len(rows) > 1, path.name
        assert len({row.count(" & ") for row in rows}) == 1, path.name


def keys_of_missing_results(paper):
    """Beginnings of the keys of models, or measurements, whose file is not there."""
    values, absent = paper("make_values"), []
    for path in STUDIES:
        if paper("sources").exists(path.stem):
            continue
        content = tomllib.loads(path.read_text())
        if path not in ACCURACY:
            absent += MEASURED[content["measure"]]
            continue
        names = content["data"]
        group = re.sub("-(atoms|local)", "", path.stem).replace("extrapolate-", "beyond/")
        prefixes = [group] if isinstance(names, str) else [*names, f"{group}/wins"]
        found = map(mk.study.models.representation, content["representations"])
        labels = [mk.study.models.label(representation) for representation in found]
        models = [values.key(label, kernel) for label in labels for kernel in content["kernels"]]
        absent += [f"{prefix}/{model}" for prefix in prefixes for model in models]
        if not path.stem.endswith(("-atoms", "-local")):
            absent.append(f"{group}/largest")
    for name, starts in MEASURED.items():
        if not paper("sources").exists(name):
            absent += starts
    return tuple(absent)


def test_every_number_of_the_text_has_a_result(paper):
    text = (PAPER / "molkern.tex").read_text(encoding="utf-8")
    used = set(re.findall(r"\\result\{([^}]+)\}", text)) - {"key"}
    assert len(used) > 50
    known, absent = paper("make_values").all_values(), keys_of_missing_results(paper)
    assert sorted(key for key in used - set(known) if not key.startswith(absent)) == []
    assert not [key for key in known if key.startswith(absent)]
    for key, value in known.items():
        assert "nan" not in value, key


def test_a_model_wins_by_more_than_the_scatter(paper):
    values = paper("make_values")
    columns = ["representation", "kernel", "n_train", "mae", "mae_std"]
    rows = [("a", "gaussian", 10, 1.0, 0.1), ("a", "gaussian", 20, 0.4, 0.1)]
    for mae, scatter, expected in (
        (0.6, 0.1, ("a", "gaussian")),
        (0.6, 0.3, None),
        (0.45, 0.0, None),
        (0.2, 0.1, ("b", "gaussian")),
    ):
        table = pd.DataFrame([*rows, ("b", "gaussian", 20, mae, scatter)], columns=columns)
        assert values.clearly_best(table) == expected


def test_time_of_a_study_counts_what_is_shared_once(paper, monkeypatch, tmp_path):
    sources, stored = paper("sources"), paper("stored")
    monkeypatch.setattr(sources, "RESULTS", tmp_path)
    common = {"representation": "a", "seed": 0, "n_tune": 20, "seconds_representation": 100.0}
    common |= {"seconds_kernel": 10.0, "seconds_fit": 1.0, "seconds_predict": 2.0}
    rows = [
        {**common, "kernel": kernel, "fold": fold, "n_train": n, "seconds_tune": seconds}
        for kernel in ("gaussian", "laplacian")
        for fold in (0, 1)
        for n, seconds in ((20, 5.0 + fold), (40, 8.0 + fold))  # 3 of its own
    ]
    stored.write(tmp_path / "a.json", {"a": mk.study.Result(tuple(rows))})
    assert sources.seconds("a") == 100 + 2 * (10 + 4 * (1 + 2) + (5 + 6) + 2 * 3)
    # Widths that were computed together share their matrices, the next ones others.
    assert sources._kernel_seconds([100.0, 101.0, 150.0, 152.0]) == 100 + 1 + 150 + 2
    assert sources._kernel_seconds([1.0, 1.0, 5.0]) == 1 + 4


def test_every_table_and_figure_of_the_text_is_made(paper):
    text = (PAPER / "molkern.tex").read_text(encoding="utf-8")
    figures = set(re.findall(r"\\resultfigure\{[^}]+\}\{([a-z0-9_]+)\}", text))
    assert figures == set(paper("figures.__main__").FIGURES)
    tables = set(re.findall(r"\\resulttable\{table_([a-z0-9]+)\}", text))
    assert tables == {table.__name__ for table in paper("make_tables").TABLES}


def test_published_values_carry_their_source(paper):
    sources = paper("sources")
    keys = set(re.findall(r"@\w+\{(\w+),", (PAPER / "references.bib").read_text(encoding="utf-8")))
    content = tomllib.loads(sources.LITERATURE.read_text(encoding="utf-8"))["value"]
    assert len(content) > 5
    for value in content:
        assert value["source"] in keys
        assert value["seen"] in sources.SEEN
        assert value["note"]
        assert len(value.get("mae", value["n_train"])) == len(value["n_train"])
    drawn = [value for name in ("qm7", "qm9", "rmd17")
             for value in sources.literature(name, drawn=True)]  # fmt: skip
    assert all(value["seen"] in ("primary", "copied") for value in drawn)
    assert 0 < len(drawn) < len(content)


def test_every_citation_is_in_the_bibliography():
    text = (PAPER / "molkern.tex").read_text(encoding="utf-8")
    cited = {key.strip() for keys in re.findall(r"\\cite\{([^}]+)\}", text)
             for key in keys.split(",")}  # fmt: skip
    keys = set(re.findall(r"@\w+\{(\w+),", (PAPER / "references.bib").read_text(encoding="utf-8")))
    assert cited == keys


def test_latex_words(paper):
    latex = paper("latex")
    assert latex.words("50 % of_a {b} Å") == r"50 \% of\_a \{b\} \AA{}"
    assert latex.error(2.4813, 0.1237) == r"2.48\,$\pm$\,0.12"
    assert latex.number(-0.45678) == r"\textminus{}0.457"
    assert latex.number(float("nan")) == "--"


def test_tables_of_the_readme_are_of_the_results(paper):
    made = paper("make_readme")
    text = made.README.read_text(encoding="utf-8")
    assert made.written(text) == text
    assert text.count("<!-- errors: ") == len(made.TABLES)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.05041, "0.0504"), (0.0996, "0.0996"), (0.7712, "0.771"), (0.99961, "1.00"), (2.343, "2.34"),
     (9.9961, "10.0"), (12.84, "12.8"), (99.61, "100"), (585.4, "585")],
)  # fmt: skip
def test_three_digits(paper, value, words):
    cell = paper("make_readme").cell
    assert cell(value) == words
    assert cell(value, value).split(" ± ") == [words, words]
