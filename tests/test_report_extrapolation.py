"""Reports of results on what lies beyond the training part: the words say so."""

import pytest

from molkern import report
from molkern.report.curves import check, microseconds
from molkern.report.summary import facts
from molkern.study import Result
from report_results import Collector, costs_of, result_of, rows

SIZE = {"split": "heavy_atoms:6", "mae_per_heavy_atom": 0.25}
ENERGY = {"split": "energy:0.5"}


def test_first_words_say_what_was_learnt_from_and_tested_on():
    first = report.sentences(result_of(**SIZE))[0]
    assert first == (
        "With 1600 training structures of up to 6 heavy atoms, A with the Laplacian kernel has the "
        "smallest mean absolute error on larger structures: 2.00 ± 0.16 eV, 0.250 eV for each "
        "heavy atom."
    )
    first = report.sentences(result_of(**ENERGY))[0]
    assert first == (
        "With 1600 training structures of low energy, A with the Laplacian kernel has the smallest "
        "mean absolute error at higher energies: 2.00 ± 0.16 eV."
    )


def test_one_model():
    some = tuple(row for row in rows(**ENERGY) if row["representation"] == "B")
    assert report.sentences(Result(some))[0] == (
        "With 1600 training structures of low energy, B with the Laplacian kernel has a mean "
        "absolute error at higher energies of 3.00 ± 0.24 eV."
    )


def test_recommendation_says_so_too():
    first = report.sentences(result_of(**SIZE), costs_of())[0]
    assert "training structures of up to 6 heavy atoms. Mean absolute error on larger" in first


def test_axes_say_so():
    axes = report.learning_curves(result_of(**SIZE)).axes[0]
    assert axes.get_xlabel() == "Training structures N of up to 6 heavy atoms"
    assert axes.get_ylabel() == "Mean absolute error on larger structures (eV)"
    axes = report.error_against_cost(result_of(**ENERGY), costs_of()).axes[0]
    assert axes.get_ylabel() == "Mean absolute error at higher energies (eV)"


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("split", [SIZE, ENERGY])
def test_labels_have_room(split, narrow):
    result = result_of(**split, unit="unknown")  # the longest one
    figures = [report.learning_curves(result, narrow=narrow)]
    figures.append(report.error_against_cost(result, costs_of(), narrow=narrow))
    for figure in figures:
        figure.draw_without_rendering()
        boxes = [a.yaxis.label.get_window_extent() for a in figure.axes if a.get_ylabel()]
        for k, box in enumerate(boxes):
            assert box.y0 >= 0
            assert box.y1 <= figure.bbox.y1 + 1
            assert not any(box.overlaps(other) for other in boxes[:k])


def test_tables_and_facts():
    table = report.overview(result_of(**SIZE))
    assert table["Per heavy atom"].tolist() == ["0.250"] * 3
    assert set(report.table(result_of(**SIZE))["split"]) == {"heavy_atoms:6"}
    assert "Per heavy atom" not in report.overview(result_of(**ENERGY))
    assert dict(facts(result_of(**SIZE)))["Split"] == (
        "heavy_atoms:6 – structures of up to 6 heavy atoms (atoms other than hydrogen) to learn "
        "from, larger ones to be tested on"
    )
    assert "50% of each molecule's structures" in dict(facts(result_of(**ENERGY)))["Split"]
    assert "Split" not in dict(facts(result_of()))


def test_page_and_text(tmp_path):
    text = " ".join(
        " ".join(Collector(report.page(result_of(**SIZE), costs=costs_of())).text).split()
    )
    assert "kernel ridge regression of energy: structures of up to 6 heavy atoms" in text
    assert "Mean absolute error on larger structures against the number" in text
    assert "Mean absolute error on larger structures (eV)" in text
    assert "At N = 1600: mean absolute error for each heavy atom, root mean square" in text
    plain = " ".join(" ".join(Collector(report.page(result_of())).text).split())
    assert "Mean absolute error on test structures against the number" in plain
    report.write(result_of(**SIZE), tmp_path)
    assert "mean absolute error on larger structures ±" in (tmp_path / "table.md").read_text(
        "utf-8"
    )


def test_several_splits_are_no_report():
    mixed = Result((*rows(), *rows(**ENERGY)))
    with pytest.raises(ValueError, match="expected one split in a report, found"):
        check(mixed)


def test_microseconds_are_those_of_what_was_represented():
    assert microseconds(result_of(n_represented=500))["A", "laplacian"] == pytest.approx(2.0)
    # Rows of an earlier version beside others: of all structures.
    old = result_of()
    mixed = Result((*old.rows, *rows(n_represented=500)), (), old.metadata)
    assert microseconds(mixed)["A", "laplacian"] == pytest.approx(1.5)
