"""Figures, tables, words and page. The numbers here are chosen by hand: they stand for nothing."""

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib import rcParams

from molkern import report
from molkern.report.curves import check, final, microseconds, short, wins
from molkern.report.style import marks, number_ticks, spread
from molkern.study import Result
from report_results import Collector, costs_of, result_of, rows, words_cut


def test_figures_show_the_means():
    figure = report.learning_curves(result_of())
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_ylabel() == "Mean absolute error (eV)"
    first = axes.lines[0]
    np.testing.assert_allclose(first.get_xdata(), [100, 400, 1600])
    np.testing.assert_allclose(first.get_ydata(), [8.0, 4.0, 2.0], rtol=1e-12)


def test_error_bars_are_the_standard_deviation():
    figure = report.learning_curves(result_of())
    bar = figure.axes[0].containers[0].lines[2][0].get_segments()[-1]
    deviation = np.std(2.0 * np.array([0.9, 0.95, 1.0, 1.05, 1.1]), ddof=1)
    np.testing.assert_allclose(bar[:, 1], [2.0 - deviation, 2.0 + deviation], rtol=1e-12)


@pytest.mark.parametrize("narrow", [False, True])
def test_names_are_inside_and_do_not_overlap(narrow):
    figure = report.learning_curves(result_of(), narrow=narrow)
    figure.draw_without_rendering()
    texts = [text for axes in figure.axes for text in axes.texts if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    assert len(boxes) >= 6
    for k, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1 + 1
        assert not any(box.overlaps(other) for other in boxes[:k]), texts[k]


def test_microseconds_are_those_of_one_structure():
    assert microseconds(result_of())["A", "laplacian"] == pytest.approx(1.0)
    assert microseconds(result_of())["B", "laplacian"] == pytest.approx(4.0)


def test_models_differ_without_colour():
    models = [(r, k) for r in "ABCDEFGH" for k in ("laplacian", "gaussian")]
    style = marks(models)
    looks = {(m["marker"], str(m["linestyle"]), m["markerfacecolor"] == m["color"])
             for m in style.values()}  # fmt: skip
    assert len(looks) == len(models)


@pytest.mark.parametrize(
    ("options", "n_bars"),
    [({"folds": 1}, 0), ({"sizes": (50,)}, 1), ({"scatter": 0.0}, 0), ({"unit": "unknown"}, 1)],
)
def test_unusual_results_can_be_drawn(options, n_bars, tmp_path):
    result = result_of(**options)
    report.write(result, tmp_path)
    container = report.learning_curves(result).axes[0].containers[0]
    assert len(container.lines[2]) == n_bars


def test_zero_and_huge_scatter_can_be_drawn():
    some = rows(folds=2)
    for row in some[:6]:
        row["mae"] = 0.0
    some[-1]["mae"] = 1e-6  # the standard deviation is larger than the mean
    result = Result(tuple(some), (), {"n_structures": 10})
    report.learning_curves(result).draw_without_rendering()
    assert "0 eV" in report.sentences(result)[0]


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("factor", [1e-4, 1.0, 1e4])
def test_words_of_the_axes_are_inside(factor, narrow):
    result = result_of(unit="unknown")
    for row in result.rows:
        row["mae"] *= factor
    assert words_cut(report.learning_curves(result, narrow=narrow)) == []
    assert words_cut(report.error_against_cost(result, costs_of(), narrow=narrow)) == []


def test_drawing_leaves_the_settings_alone():
    before = dict(rcParams)
    report.page(result_of())
    assert dict(rcParams) == before


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1, 1000, [1, 10, 100, 1000]), (2, 31, [3, 10, 30]), (1.85, 2.25, [1.9, 2.0, 2.1, 2.2])],
)
def test_number_ticks(low, high, expected):
    assert number_ticks(low, high) == expected


@pytest.mark.parametrize("seed", range(20))
def test_number_ticks_are_inside(seed):
    low, high = np.sort(np.exp(np.random.default_rng(seed).normal(0, 3, 2)))
    ticks = number_ticks(low, high, at_least=4)
    assert len(ticks) >= 2
    assert all(low * 0.99 <= tick <= high * 1.01 for tick in ticks)


def test_number_ticks_raise():
    with pytest.raises(ValueError, match="low and high must satisfy 0 < low < high, found 0 and 1"):
        number_ticks(0, 1)


def test_spread_keeps_distance_order_and_range():
    rng = np.random.default_rng(5)
    for n in (1, 2, 5, 12):
        wanted = rng.uniform(0, 1, n)
        places = np.array(spread(wanted, 0.08, 0.0, 1.0))
        order = np.argsort(wanted)
        assert (np.diff(places[order]) >= 0.08 - 1e-12).all()
        assert places.min() >= 0
        assert places.max() <= 1
    assert spread([0.2, 0.8], 0.1, 0, 1) == [0.2, 0.8]
    np.testing.assert_allclose(spread([0.5, 0.5], 0.1, 0, 1), [0.45, 0.55])
    assert spread([], 0.1, 0, 1) == []


def test_table_has_everything():
    table = report.table(result_of())
    assert len(table) == 9
    best = table[(table["representation"] == "A") & (table["kernel"] == "laplacian")]
    np.testing.assert_allclose(best["mae"], [8, 4, 2])
    np.testing.assert_allclose(best["slope"], -0.5)
    assert (table["n_runs"] == 5).all()
    assert (table["unit"] == "eV").all()


def test_overview_is_sorted_by_error():
    rows = report.overview(result_of())
    assert list(rows["Model"]) == ["A, Laplacian", "B, Laplacian", "A, Gaussian"]
    assert rows["N = 1600"][0] == "2.00 ± 0.16"
    assert rows["Slope"][0] == "-0.50"
    assert "Train" not in rows


def test_markdown_is_aligned_and_escaped():
    text = report.markdown(pd.DataFrame({"Model": ["a|b", "c"], "N": ["1", "22"]}))
    assert text == "| Model |   N |\n| ----- | --: |\n| a\\|b  |   1 |\n| c     |  22 |\n"


def test_short():
    expected = {0.0: "0", 2.4813: "2.48", 9.996: "10.0", 1234.5: "1234", 1.2e-7: "1.2e-07"}
    assert {value: short(value) for value in expected} == expected


def test_sentences_say_who_wins_and_by_how_much():
    first, second, third, *_ = report.sentences(result_of())
    assert "With 1600 training structures, A with the Laplacian kernel" in first
    assert "2.00 ± 0.16 eV" in first
    assert "B with the Laplacian kernel: 3.00 eV, 1.5 times as much" in second
    assert "in each of the 5 runs" in second
    assert "29% less error (slope -0.50)" in third


@pytest.mark.parametrize(
    ("factor", "words"),
    [(0.7071, "the error of A with the Laplacian kernel falls by 29%; two sizes only."),
     (1.2, "the error of A with the Laplacian kernel rises by 20%; two sizes only."),
     (1.001, "the error of A with the Laplacian kernel stays the same; two sizes only.")],
)  # fmt: skip
def test_two_sizes_are_no_slope(factor, words):
    some = rows(sizes=(100, 200))
    for row in some:
        mae = {"A": 1.0, "B": 3.0}[row["representation"]] + (row["kernel"] == "gaussian")
        row["mae"] = mae * (factor if row["n_train"] == 200 else 1.0)
    result = Result(tuple(some))
    third = report.sentences(result)[2]
    assert third == f"From 100 to 200 training structures {words}"
    assert "exponent of the learning curve (from two sizes only)" in report.page(result)
    assert "exponent of the learning curve<" in report.page(result_of())


def test_ties_are_called_so():
    some = rows()
    for row in some:
        row["mae"] = {"A": 2.0, "B": 2.01}[row["representation"]]
        row["mae"] += row["kernel"] == "gaussian"
        row["mae"] *= 1.0 + 0.0001 * (row["n_train"] == 100)  # a slope of nothing
    _, second, third = report.sentences(Result(tuple(some)))[:3]
    assert "Next comes B with the Laplacian kernel: 2.01 eV, the same within 0.5%;" in second
    assert "twice as many training structures do not mean less error (slope -0.00)" in third


def test_sentences_say_when_the_order_is_not_certain():
    some = rows()
    for row in some:
        if row["representation"] == "B" and row["fold"] in (0, 1):
            row["mae"] *= 0.5
    result = Result(tuple(some))
    assert wins(result) == (3, 5)
    assert "ahead of all others in only 3 of 5 runs" in report.sentences(result)[1]
    assert "single run" in report.sentences(result_of(folds=1))[1]


def test_final_uses_the_size_that_all_have():
    some = [row for row in rows() if row["representation"] == "A" or row["n_train"] < 1600]
    assert set(final(Result(tuple(some)))["n_train"]) == {400}
    none = [row for row in some if row["representation"] == "B" or row["n_train"] == 1600]
    with pytest.raises(ValueError, match="a training size that all models share, found none"):
        report.page(Result(tuple(none)))


def test_page_loads_nothing_and_parses():
    page = Collector(report.page(result_of(notes=["positions converted from bohr"])))
    assert not {"script", "iframe", "img", "object", "embed", "image"} & set(page.tags)
    for tag, name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "srcset", "data", "style", "fill", "clip-path"):
            inside = re.findall(r"url\(([^)]*)", value) if "url(" in value else [value]
            loads = name in ("src", "href", "xlink:href") or "url(" in value
            for target in inside if loads else []:
                assert target.startswith(("#", "data:")), (tag, name, value)
    text = " ".join(page.text)
    assert "://" not in text
    assert "@import" not in text
    assert ("meta", "name", "viewport") in page.attributes
    assert page.tags.count("svg") == 2
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    used = [value[1:] for _, name, value in page.attributes if name == "href" and value[0] == "#"]
    assert used
    assert set(used) <= set(ids)


def test_page_says_how_it_was_measured():
    result = result_of(notes=["unit of energy is unknown: the file does not say"])
    text = " ".join(Collector(report.page(result, environment={"Computed with": "2 threads"})).text)
    for words in ("molecules, 1000 structures", "5 folds × 1 seed", "50 test structures",
                  "mean – the mean of the training set", "molecules.xyz", "12ab", "Some Paper",
                  "not verified", "molkern 0.1.0", "unit of energy is unknown", "2 threads",
                  "5-fold cross-validation"):  # fmt: skip
        assert words in text
    assert "folder/" not in text


def test_report_says_what_computed_the_rows(tmp_path):
    one = {"n_threads": 1, "isa": "x86-64-v4", "compiler": "GNU 12"}
    assert report.origin(result_of(**one)) == "1 thread, x86-64-v4, compiler GNU 12"
    assert report.origin(result_of()) == ""
    some = rows(**one)
    some[0] |= {"n_threads": 4, "isa": "x86-64-v3"}
    some[1] |= {"n_threads": 0, "isa": "unknown", "compiler": "unknown"}
    mixed = Result(tuple(some))
    text = report.origin(mixed)
    assert text.startswith("different processes, so times do not compare: 1 thread, x86-64-v4, ")
    for words in ("GNU 12 (43 runs)", "4 threads, x86-64-v3, compiler GNU 12 (1 run)",
                  "not recorded (1 run)"):  # fmt: skip
        assert words in text
    assert f"Computed with {text}" in " ".join(Collector(report.page(mixed)).text)
    report.write(mixed, tmp_path)
    assert f"Computed with: {text}" in (tmp_path / "table.md").read_text("utf-8")


def test_page_escapes_what_comes_from_the_data():
    bad = "<script>alert(1)</script>"
    changes = {"dataset": bad, "property": bad, "unit": bad, "representation": bad}
    some = [{**row, **changes} for row in rows() if row["representation"] == "B"]
    metadata = {"citation": bad, "source": bad, "verified": bad, "sha256": bad}
    page = report.page(Result(tuple(some), (bad,), metadata), environment={bad: bad})
    assert "script" not in Collector(page).tags
    assert page.count("&lt;script&gt;") >= 10


def test_write_makes_all_files(tmp_path):
    result = result_of()
    files = report.write(result, tmp_path / "a" / "b")
    names = [path.name for path in files]
    figures = ["learning_curves.png", "learning_curves.svg"]
    tables = ["table.csv", "table.md", "results.csv", "results.json"]
    assert names == ["report.html", *figures, *tables]
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == sorted(names)
    for path in files:
        if path.suffix == ".png":
            assert path.read_bytes().startswith(b"\x89PNG")
        elif path.suffix == ".svg":
            assert ElementTree.parse(path).getroot().tag.endswith("svg")
    assert len(pd.read_csv(files[3])) == 9
    assert "| A, Laplacian |" in files[4].read_text("utf-8")
    assert Result.load(files[6]).rows == result.rows


def test_write_is_reproducible(tmp_path):
    first, second = (report.write(result_of(), tmp_path / name) for name in "ab")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mae": float("nan")}, r"errors must be finite and not negative, row 0 has \[nan"),
        ({"rmse": -1.0}, "errors must be finite and not negative, row 0"),
        ({"unit": "kcal/mol"}, r"expected one unit in a report, found \['eV', 'kcal/mol'\]"),
        ({"baseline": "none"}, r"expected one baseline in a report, found \['mean', 'none'\]"),
    ],
)
def test_results_that_cannot_be_reported_raise(change, words):
    some = rows()
    some[0] |= change
    with pytest.raises(ValueError, match=words):
        check(Result(tuple(some)))


def test_no_results_raise(tmp_path):
    with pytest.raises(ValueError, match="expected at least one row, found none"):
        report.write(Result(()), tmp_path / "new")
    assert not (tmp_path / "new").exists()
