"""Reports of several test sets, of unseen elements, of errors per atom, and of what was read."""

import re

import numpy as np
import pytest

from molkern import report, terminal
from molkern.report.curves import check, each, final, means, wins
from molkern.report.files import write
from molkern.report.summary import facts
from molkern.report.tables import decisions, has_dagger, side_by_side
from molkern.study import Result
from report_results import Collector, costs_of, result_of, rows, words_cut


def two(factor=3.0, names=("warm", "hot"), **changes):
    """On the second set errors are larger, and B is the best there."""
    some = []
    for row in rows(**changes):
        other = factor * row["mae"] * (0.4 if row["representation"] == "B" else 1.0)
        some.append({**row, "test": names[0]})
        some.append({**row, "test": names[1], "mae": other, "rmse": 2 * other, "n_test": 80})
    about = [{"name": name, "n_structures": 50, "source": f"there/{name}.xyz", "sha256": "ab12",
              "decisions": []} for name in names]  # fmt: skip
    return Result(tuple(some), (), {**result_of().metadata, "tests": about})


def unseen(result, sizes, symbols="Cl,Br", folds=range(5)):
    """The same, but models of these sizes and folds never saw some elements."""
    changed = [
        {**row, "unseen": symbols, "n_unseen": 3, "mae": 1000.0}
        if row["n_train"] in sizes and row["fold"] in folds
        else {**row, "unseen": "", "n_unseen": 0}
        for row in result.rows
    ]
    return Result(tuple(changed), result.notes, result.metadata)


def text_of(page):
    return " ".join(" ".join(Collector(page).text).split())


# Several test sets


def test_words_are_about_the_first_set_and_say_what_becomes_of_it_on_the_others():
    words = report.sentences(two())
    assert words[0] == (
        "With 1600 training structures, A with the Laplacian kernel has the smallest mean absolute "
        "error on warm: 2.00 ± 0.16 eV."
    )
    assert "in each of the 5 runs" in words[1]
    assert "(slope -0.50)" in words[2]
    assert words[3] == (
        "On hot, A with the Laplacian kernel has 6.00 ± 0.47 eV; the smallest error there is 3.60 "
        "± 0.28 eV of B with the Laplacian kernel."
    )
    same = report.sentences(two(factor=8.0, names=("hot", "cold")))
    assert same[3].startswith("On cold, A with the Laplacian kernel has 16.0 ± 1.3 eV; the small")
    of_a = [row for row in two(factor=0.5).rows if row["representation"] == "A"]
    assert report.sentences(Result(tuple(of_a)))[3] == (
        "On hot, A with the Laplacian kernel has 1.00 ± 0.08 eV, the smallest error there, too."
    )


def test_one_model_and_few_structures():
    some = tuple({**row, "n_test": 9} for row in two().rows if row["representation"] == "B")
    words = report.sentences(Result(some))
    assert words[0] == (
        "Tested on 9 structures of warm and 9 structures of hot only: too few to tell models apart."
    )
    assert words[-1] == "On hot, B with the Laplacian kernel has 3.60 ± 0.28 eV."


def test_recommendation_is_that_of_the_first_set():
    words = report.recommendation(two(), costs_of())
    assert words[0].startswith(
        "Recommended: A with the Laplacian kernel, 1600 training structures. Mean absolute error "
        "on warm 2.00"
    )
    np.testing.assert_array_equal(
        report.tradeoff(two(), costs_of())["mae"], report.tradeoff(result_of(), costs_of())["mae"]
    )
    axes = report.error_against_cost(two(), costs_of()).axes[0]
    assert axes.get_ylabel() == "Mean absolute error on warm (eV)"


def test_overview_has_a_block_for_each_set():
    table = report.overview(two(), costs_of())
    assert table["Tested on"].tolist() == ["warm"] * 3 + ["hot"] * 3
    order = ["A, Laplacian", "B, Laplacian", "A, Gaussian"]
    assert table["Model"].tolist() == ["★ A, Laplacian", *order[1:], *order]
    assert table["N = 1600"].tolist()[::3] == ["2.00 ± 0.16", "6.00 ± 0.47"]
    single = report.overview(two().of_test("hot"))
    assert "Tested on" not in single
    assert single["Model"].tolist()[0] == "B, Laplacian"
    beside = side_by_side(two())
    assert beside.columns.tolist() == ["Model", "warm", "hot"]
    assert beside.iloc[1].tolist() == ["B, Laplacian", "3.00 ± 0.24", "3.60 ± 0.28"]


def test_spreadsheet_has_a_row_for_each_set():
    table = report.table(two())
    assert len(table) == 18
    part = table[(table["test"] == "hot") & (table["kernel"] == "gaussian")]
    np.testing.assert_allclose(part["mae"], 3 * np.array([16, 8, 4]))
    np.testing.assert_allclose(table.query("representation == 'A'")["slope"], -0.5)


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("n_tests", [2, 3])
def test_a_panel_for_each_set(narrow, n_tests):
    result = two(names=("warm", "a very long name of a file with $prices$ and more of the same"))
    if n_tests == 3:
        third = tuple({**row, "test": "third"} for row in result.of_test("warm").rows)
        result = Result(result.rows + third, (), result.metadata)
    figure = report.learning_curves(result, narrow=narrow)
    assert len(figure.axes) == n_tests
    for axes, name in zip(figure.axes, result.tests, strict=True):
        first = axes.lines[0]
        expected = means(result.of_test(name)).query("representation == 'A'")
        np.testing.assert_allclose(
            first.get_ydata(), expected[expected["kernel"] == "laplacian"]["mae"]
        )
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert figure.axes[0].get_title(loc="left") == "warm"
    title = figure.axes[1].get_title(loc="left")
    assert title == r"…f a file with \$prices\$ and more of the same"
    assert words_cut(figure) == []
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes)
    titles = [axes._left_title.get_window_extent() for axes in figure.axes]
    assert all(title.x1 <= figure.bbox.x1 for title in titles)
    if not narrow:
        assert titles[0].x1 < titles[1].x0


def test_one_own_set_is_named_at_the_axis():
    axes = report.learning_curves(two().of_test("hot")).axes[0]
    assert axes.get_ylabel() == "Mean absolute error on hot (eV)"


def test_page_and_text_of_several_sets(tmp_path):
    files = {path.name: path for path in write(two(), tmp_path, costs=costs_of())}
    page = text_of(files["report.html"].read_text("utf-8"))
    for words in (
        "molecules to learn from, tested on warm, hot", "a panel for each test set",
        "(eV) ± standard deviation over 5 runs at N = 1600, by test set", "on warm", "on hot",
        "hot: 80 structures (hot.xyz, SHA-256 ab12)", "1 order of the data",
    ):  # fmt: skip
        assert words in page, words
    assert "there/" not in page
    assert "The number behind each name" not in page
    text = files["table.md"].read_text("utf-8")
    assert re.search(r"\\| Model +\\| +warm \\| +hot \\|".replace("\\\\", "\\"), text)
    assert "Mean absolute error at N = 1600 (eV)." in text
    assert re.search(r"\| Tested on \| +Model \|", text)


def test_index_shows_the_first_set(tmp_path):
    path = report.write_index([two()], [tmp_path / "a"], tmp_path / "index.html")
    text = text_of(path.read_text("utf-8"))
    assert text.count("A, Laplacian") == 1
    assert "2.00 ± 0.16" in text


def test_runs_from_the_whole_of_the_data_have_no_scatter():
    result = two()
    whole = Result(result.rows, (), {**result.metadata, "n_structures": 1600})
    assert final(whole)["mae_std"].isna().all()
    assert wins(whole) == (1, 1)
    words = report.sentences(whole)
    assert words[0].endswith("on warm: 2.00 eV.")
    assert (
        "all runs learn from the same structures, so the scatter between training sets" in words[1]
    )
    assert report.overview(whole)["N = 400"].tolist()[0] == "4.00 ± 0.32"
    assert report.overview(whole)["N = 1600"].tolist()[0] == "2.00"
    rows_of = dict(facts(Result(tuple({**row, "seed": row["fold"]} for row in whole.rows), (),
                                whole.metadata)))  # fmt: skip
    assert rows_of["Runs"].startswith("5 orders of the data; at N = 1600, all of the data, they")
    # Other results may learn from all structures but those of a fold: their runs differ.
    assert final(result_of())["mae_std"].notna().all()


def test_terminal_shows_blocks(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    terminal.show(two(), [], costs_of())
    shown = capsys.readouterr().out
    assert shown.count("│ warm ") == 1
    assert shown.count("│ hot ") == 1
    assert shown.count("A, Laplacian") == 2
    assert "On hot, A with the Laplacian kernel" in shown


# Unseen elements


def test_no_number_where_no_training_set_has_all_elements():
    result = unseen(result_of(), (100, 400, 1600))
    words = report.sentences(result, costs_of())
    assert words[0].startswith(
        "No model can be recommended: the test structures hold Cl, Br, which no training set has, "
        "even with 1600 structures."
    )
    text = " ".join(words)
    assert "Recommended" not in text
    assert "slope" not in text
    assert not re.search(r"\d eV", text)
    assert report.recommendation(result, costs_of()) == []
    assert len(report.tradeoff(result, costs_of())) == 0
    table = report.overview(result, costs_of())
    assert table["Slope"].tolist() == ["–"] * 3
    assert table["N = 400"].tolist()[0] == "1000 † ± 0"
    assert table["RMSE"].tolist()[0].endswith(" †")
    assert not any("★" in name for name in table["Model"])
    assert "Train" not in table


def test_sizes_without_a_score_are_marked_and_not_drawn(tmp_path):
    result = unseen(result_of(), (100,))
    table = report.overview(result)
    assert has_dagger(table)
    assert table["N = 100"].tolist()[0] == "1000 † ± 0"
    assert table["N = 400"].tolist()[0] == "4.00 ± 0.32"
    assert table["RMSE"].tolist()[0] == "4.00"
    line = report.learning_curves(result).axes[0].lines[0]
    np.testing.assert_allclose(line.get_xdata(), [400, 1600])
    page = text_of(report.page(result))
    assert "Sizes whose training sets all lack elements of the test set are left out." in page
    assert "†: no training set of this size has all elements of the test set" in page
    words = report.sentences(result)
    assert "smallest mean absolute error: 2.00 ± 0.16 eV" in words[0]
    assert words[2].startswith("From 400 to 1600 training structures the error of A")
    text = {path.name: path for path in write(result, tmp_path)}["table.md"].read_text("utf-8")
    assert "†: no training set of this size" in text
    assert "†" not in report.page(result_of())


def test_runs_without_a_score_do_not_count():
    result = unseen(result_of(), (100, 400, 1600), folds=(0, 1))
    best = final(result).iloc[0]
    assert (best["n_runs"], best["unseen"]) == (3, "")
    assert best["mae"] == pytest.approx(2.0 * np.mean([1.0, 1.05, 1.1]))
    assert wins(result) == (3, 3)
    assert result.slope("A", "laplacian") == pytest.approx(-0.5)
    assert not has_dagger(report.overview(result))


def test_a_further_set_without_a_score():
    result = two()
    changed = {"unseen": "I", "n_unseen": 2}
    some = tuple({**row, **(changed if row["test"] == "hot" else {"unseen": "", "n_unseen": 0})}
                 for row in result.rows)  # fmt: skip
    words = report.sentences(Result(some, (), result.metadata))
    assert words[-1] == "Errors on hot do not count: it holds I, which no training set has."
    assert "on warm: 2.00" in words[0]
    figure = report.learning_curves(Result(some))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["warm", "hot †"]
    # And where the first set is such a one.
    swapped = {"warm": changed, "hot": {"unseen": "", "n_unseen": 0}}
    some = tuple({**row, **swapped[row["test"]]} for row in result.rows)
    words = report.sentences(Result(some))
    assert words[0].startswith("No model can be recommended on warm: the test structures hold I,")
    assert words[1] == (
        "On hot, the smallest mean absolute error is 3.60 ± 0.28 eV of B with the Laplacian kernel."
    )
    # Nothing is the best of the first set.
    assert 'class="best-first"' not in report.page(Result(some))
    assert 'class="best-first"' in report.page(result)


# Errors per atom


def test_errors_per_atom_are_shown():
    result = result_of(mae_per_atom=0.125)
    assert report.overview(result)["Per atom"].tolist() == ["0.125"] * 3
    assert "At N = 1600: mean absolute error per atom, root" in text_of(report.page(result))
    assert "per atom" not in " ".join(report.sentences(result))
    both = result_of(mae_per_atom=0.125, mae_per_heavy_atom=0.5, split="heavy_atoms:6")
    table = report.overview(both)
    assert list(table)[4:6] == ["Per heavy atom", "Per atom"]
    assert "for each heavy atom and per atom, root" in text_of(report.page(both))


def test_errors_of_crystals_are_said_per_atom():
    result = result_of(mae_per_atom=0.125)
    crystals = Result(result.rows, (), {**result.metadata, "periodic": True})
    assert report.sentences(crystals)[0].endswith("2.00 ± 0.16 eV, 0.125 eV per atom.")
    recommended = report.sentences(crystals, costs_of())[0]
    assert "Mean absolute error 2.00 ± 0.16 eV, 0.125 eV per atom; 2.56 s to train" in recommended


def test_older_rows_have_a_dash():
    some = rows(mae_per_atom=0.125)
    some[2] = {key: value for key, value in some[2].items() if key != "mae_per_atom"}
    result = Result(tuple(some), (), {"periodic": True})
    assert report.overview(result)["Per atom"].tolist() == ["–", "0.125", "0.125"]
    assert each(final(result).iloc[0], result, "eV") == ""
    assert len(report.table(result)) == 9
    check(result)


# What was read


def test_what_was_read_is_a_table(tmp_path):
    energy = ["energy", "REF_energy", "eV, as said by the user"]
    own = [energy, ["cell", "", "<b>of each frame</b>"]]
    result = two()
    tests = [{**test, "decisions": [energy, ["forces", "dft_forces", "left out"]]}
             for test in result.metadata["tests"]]  # fmt: skip
    read = Result(result.rows, (), {**result.metadata, "decisions": own, "tests": tests})
    table = decisions(read)
    assert table.to_numpy().tolist() == [
        energy,
        ["cell", "–", "<b>of each frame</b>"],
        ["forces (warm)", "dft_forces", "left out"],
        ["forces (hot)", "dft_forces", "left out"],
    ]
    files = {path.name: path for path in write(read, tmp_path)}
    page = files["report.html"].read_text("utf-8")
    assert "What was read" in text_of(page)
    assert "REF_energy" in text_of(page)
    assert "<b>" not in page
    assert "| cell " in files["table.md"].read_text("utf-8")
    assert len(decisions(result_of())) == 0
    assert "What was read" not in report.page(result_of())


def test_energies_of_free_atoms_are_facts():
    result = result_of(baseline="atoms")
    about = {**result.metadata, "atom_energies": {"H": -13.6, "C": -1029.25}}
    assert dict(facts(Result(result.rows, (), about)))["Baseline"] == (
        "atoms – energies of free atoms, and then the mean of the training set, are subtracted "
        "before learning: H -13.6, C -1029.25 (eV)"
    )
