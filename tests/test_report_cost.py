"""Error against cost: front, words, tables, figure, page. The numbers stand for nothing."""

import numpy as np
import pytest

from molkern import report, terminal
from molkern.report.tables import data_size
from molkern.report.tradeoff import front_table, seconds
from molkern.study import Measurements, Result
from report_results import Collector, costs_of, result_of, rows


def brute_front(cost, error):
    """Rows that no other beats: from the words of the definition."""
    return [
        not any(
            (cost[j] < cost[i] and error[j] <= error[i])
            or (cost[j] == cost[i] and error[j] < error[i])
            for j in range(len(cost))
        )
        for i in range(len(cost))
    ]


def test_tradeoff_joins_error_and_cost():
    table = report.tradeoff(result_of(), costs_of())
    assert len(table) == 9
    row = table[(table["representation"] == "A") & (table["kernel"] == "laplacian")].iloc[2]
    assert row["n_train"] == 1600
    assert row["mae"] == pytest.approx(2.0)
    assert row["train"] == pytest.approx(1e-6 * 1600**2)
    assert row["predict"] == pytest.approx(1e-5 * 1600 / 100)
    assert row["total"] == pytest.approx(row["train"] + 1000 * row["predict"])


@pytest.mark.parametrize("seed", range(4))
def test_front_is_what_nothing_beats(seed):
    rng = np.random.default_rng(seed)
    some = rows(folds=1)
    for row in some:
        row["mae"] = float(rng.uniform(1, 9))
    table = report.tradeoff(Result(tuple(some)), costs_of())
    for name, cost in (("on_front", "total"), ("on_front_predict", "predict")):
        expected = brute_front(table[cost].to_numpy(), table["mae"].to_numpy())
        assert table[name].tolist() == expected
        assert table[name].any()


def test_recommendation_names_the_best_and_what_is_cheaper():
    words = report.recommendation(result_of(), costs_of())
    assert words[0] == (
        "Recommended: A with the Laplacian kernel, 1600 training structures. Mean absolute error "
        "2.00 ± 0.16 eV; 2.56 s to train, 160 µs to predict a structure."
    )
    # B at N = 100: 1 ms to train, 1 µs for each prediction.
    assert words[1] == (
        "If the recommended one is too slow: B with the Laplacian kernel, 100 training structures, "
        "needs 2.00 ms instead of 2.72 s to train and to predict 1000 structures, for 1.5 times "
        "the error (3.00 eV)."
    )
    assert len(words) == 2


def test_recommendation_takes_the_cheaper_one_within_the_scatter():
    some = rows()
    for row in some:
        if row["representation"] == "B":
            row["mae"] *= 2.05 / 3.0
    first, second, *_ = report.recommendation(Result(tuple(some)), costs_of())
    assert first.startswith("Recommended: B with the Laplacian kernel, 100 training structures.")
    assert "2.00 eV of A with the Laplacian kernel, is within the scatter of the runs" in second


def test_recommendation_calls_ties_so():
    some = [row for row in rows() if row["kernel"] == "laplacian"]
    for row in some:
        row["mae"] = {"A": 2.0, "B": 2.001}[row["representation"]]
    words = report.recommendation(Result(tuple(some)), costs_of())
    assert words[1].endswith("for about the same error (2.00 eV).")
    some = [row for row in rows() if row["representation"] == "A"]
    for row in some:
        row["mae"] = {"laplacian": 2.0, "gaussian": 1.99}[row["kernel"]] + 0.1 * row["fold"]
    costs = costs_of()
    for row in costs.rows:
        row["seconds"] *= 0.99 if row["kernel"] == "laplacian" else 1.0
    words = report.recommendation(Result(tuple(some)), costs)
    assert words[1].endswith("is within the scatter of the runs, and costs about the same.")


def test_recommendation_says_when_one_model_is_best_everywhere():
    some = [row for row in rows() if row["representation"] == "A"]
    words = report.recommendation(Result(tuple(some)), costs_of())
    assert words[-1] == "At no cost that was measured does another model have a smaller error."


def test_no_recommendation_without_times():
    assert report.recommendation(result_of(), Measurements(())) == []
    with pytest.raises(ValueError, match="costs: expected times of training and prediction"):
        report.error_against_cost(result_of(), Measurements(()))


def test_sentences_begin_with_the_recommendation_and_say_nothing_twice():
    words = report.sentences(result_of(), costs_of())
    assert words[0].startswith("Recommended: A with the Laplacian kernel, 1600")
    assert words[1].startswith("Next comes B with the Laplacian kernel")
    assert not any("has the smallest" in sentence for sentence in words)
    assert any("quickest representation to compute is B with 0.100 µs" in s for s in words)


def test_overview_has_the_times():
    table = report.overview(result_of(), costs_of())
    assert table["Model"].tolist() == ["★ A, Laplacian", "B, Laplacian", "A, Gaussian"]
    best = table.iloc[0]
    assert (best["Train"], best["Predict one"]) == ("2.56 s", "160 µs")
    few = costs_of(sizes=(100,))
    assert set(report.overview(result_of(), few)["Train"]) == {"–"}
    assert not any("★" in name for name in report.overview(result_of())["Model"])


def test_tables_mark_what_is_recommended(tmp_path, capsys):
    files = {path.name: path for path in report.write(result_of(), tmp_path, costs=costs_of())}
    page = Collector(files["report.html"].read_text("utf-8"))
    words = " ".join(page.text)
    # In both tables of the accuracy and in that of the front.
    assert words.count("★ A, Laplacian") == 3
    assert words.count("★: recommended") == 2
    text = files["table.md"].read_text("utf-8")
    assert text.count("★ A, Laplacian") == 2
    assert "★: recommended" in text
    terminal.show(result_of(), [], costs_of())
    shown = capsys.readouterr().out
    assert "★: recommended" in shown
    assert "★ A, Laplacian" in shown
    terminal.show(result_of(), [])
    assert "★" not in capsys.readouterr().out


def test_front_table():
    table = front_table(result_of(), costs_of())
    assert list(table.columns) == ["Model", "N", "Error", "Total", "Train", "Predict one"]
    assert table["Model"].tolist()[0] == "B, Laplacian"
    assert table.iloc[-1].tolist() == [
        "★ A, Laplacian", "1600", "2.00 ± 0.16", "2.72 s", "2.56 s", "160 µs"
    ]  # fmt: skip


def test_descriptors():
    table = report.descriptors(costs_of())
    assert table.to_dict("records")[1] == {
        "Representation": "B", "Features": "7", "Size": "56.0 B", "Time": "0.100 µs",
        "from ASE": "0.300 µs", "Gradient": "0.500 µs", "Memory": "6.00 kB",
    }  # fmt: skip


def test_descriptors_name_the_options_that_differ():
    some = [dict(row) for row in costs_of().rows if row["operation"] == "values"]
    for row in some:
        row |= {"dtype": "float32", "peak_bytes": None}
    both = Measurements((*costs_of().rows, *some))
    table = report.descriptors(both)
    assert table["Representation"].tolist() == [
        "A, float64", "B, float64", "A, float32", "B, float32"
    ]  # fmt: skip
    assert table["Memory"].tolist() == ["6.00 kB", "6.00 kB", "–", "–"]
    assert table["Gradient"].tolist()[2] == "–"


@pytest.mark.parametrize(
    ("value", "words"), [(0.5e-6, "0.500 µs"), (0.0999, "99.9 ms"), (119.0, "119 s"), (0, "0 µs")]
)
def test_seconds(value, words):
    assert seconds(value) == words


def test_data_size_has_no_unit_above_gigabytes():
    assert data_size(4.6e12) == "4600 GB"


@pytest.mark.parametrize("narrow", [False, True])
def test_figure_shows_every_point_and_the_front(narrow):
    figure = report.error_against_cost(result_of(), costs_of(), narrow=narrow)
    table = report.tradeoff(result_of(), costs_of())
    for axes, name, factor in zip(figure.axes, ("total", "predict"), (1, 1e6), strict=True):
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        front, *models = axes.lines
        assert len(models) == 3
        x = np.concatenate([line.get_xdata() for line in models])
        np.testing.assert_allclose(sorted(x), sorted(factor * table[name]), rtol=1e-12)
        assert min(front.get_ydata()) == pytest.approx(table["mae"].min())
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes)


def test_page_with_costs():
    text = report.page(result_of(), costs=costs_of())
    page = Collector(text)
    assert page.tags.count("svg") == 4
    assert not {"script", "iframe", "img", "link src"} & set(page.tags)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    words = " ".join(page.text)
    for expected in ("Error against cost", "Cost of each representation", "Recommended: A",
                     "on 1 thread", "Some CPU", "A, vjp: something was left out",
                     "memory for 100 structures"):  # fmt: skip
        assert expected in words


def test_page_without_times_of_learning():
    few = [row for row in costs_of().rows if row["operation"] == "values"]
    words = " ".join(Collector(report.page(result_of(), costs=Measurements(tuple(few)))).text)
    assert "Error against cost" not in words
    assert "Cost of each representation" in words
    assert "Cost of each representation" not in report.page(result_of())


def test_write_with_costs(tmp_path):
    files = {path.name: path for path in report.write(result_of(), tmp_path, costs=costs_of())}
    assert {"error_against_cost.png", "error_against_cost.svg", "costs.csv"} <= set(files)
    assert Measurements.load(files["costs.json"]).rows == costs_of().rows
    text = files["table.md"].read_text("utf-8")
    assert "| B, Laplacian " in text
    assert "Total: time to train on N structures" in text
