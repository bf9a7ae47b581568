"""Figure, words, table and page of cost against size. The numbers stand for nothing."""

import numpy as np
import pytest

from molkern import report
from molkern.study import Measurements
from report_results import Collector, words_cut


def measurements(operations=("values",)):
    """Times that are exact powers of the number of atoms."""
    rows = []
    for name, power, factor in (("Local", 1.0, 1e-6), ("Global", 2.5, 1e-9)):
        for system in ("water", "diamond"):
            for operation in operations:
                for n in (10, 100, 1000, 3000, 10_000):
                    seconds = factor * n**power
                    rows.append({
                        "system": system, "representation": name, "dtype": "float64",
                        "average": "", "operation": operation, "source": "structures",
                        "kernel": "", "n_train": 0, "n_threads": 1, "n_structures": 1,
                        "n_atoms": n, "bytes": 800, "seconds": seconds,
                        "seconds_median": seconds, "n_repeats": 3, "peak_bytes": 2000,
                        "n_features": 100, "processor": "Some CPU", "isa": "v4",
                        "compiler": "GNU", "molkern": "0.1.0",
                    })  # fmt: skip
    return Measurements(tuple(rows), ("water: a <recipe>",), {"processor": "Some CPU"})


def test_sentences_say_what_is_linear():
    words = report.scaling_sentences(measurements())
    assert words[0] == (
        "The time grows in proportion to the number of atoms (power 1.15 or less) for Local, and "
        "faster than the number of atoms for Global."
    )
    assert words[2] == (
        "Global: the time grows with the power 2.50 of the number of atoms; 10000 atoms (water) "
        "take 10.0 s, 1.00 ms for each."
    )


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_words_of_the_axes_are_inside(factor, narrow):
    found = measurements()
    for row in found.rows:
        row["seconds"] *= factor
    figure = report.scaling_figure(found, narrow=narrow)
    assert words_cut(figure) == []
    ticks = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    expected = {1e-3: "0.001 µs", 1.0: "1 µs", 1e3: "1 ms"}
    assert ticks[0] == expected[factor]


def test_small_systems_have_no_exponent():
    small = Measurements(tuple(row for row in measurements().rows if row["n_atoms"] <= 1000))
    assert set(report.scaling_table(small)["Exponent"]) == {"–"}
    assert report.scaling_sentences(small)[0] == (
        "Local: 1000 atoms (water) take 1.00 ms, 1.00 µs for each."
    )


def test_two_sizes_are_no_exponent_to_believe():
    rows = measurements().rows
    some = Measurements(tuple(row for row in rows if row["n_atoms"] in (1000, 10_000)))
    assert set(report.scaling_table(some)["Exponent"]) == {"1.00 (2 sizes)", "2.50 (2 sizes)"}
    words = report.scaling_sentences(some)
    assert len(words) == 2
    assert "with the power 1.00 of the number of atoms (from two sizes only); 10000 a" in words[0]
    more = [row for row in rows if row["representation"] == "Local" and row["n_atoms"] == 3000]
    first = report.scaling_sentences(Measurements((*some.rows, *more)))[0]
    assert first == (
        "The time grows in proportion to the number of atoms (power 1.15 or less) for Local."
    )


def test_table():
    table = report.scaling_table(measurements(("values", "vjp")))
    assert len(table) == 8
    assert table.iloc[5].tolist() == [
        "Global, gradient: water", "2.50", "10000", "1.00 ms", "10.0 s", "2.00 kB"
    ]  # fmt: skip


@pytest.mark.parametrize("narrow", [False, True])
def test_figure(narrow):
    figure = report.scaling_figure(measurements(("values", "vjp")), narrow=narrow)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["water", "diamond"]
    for axes in figure.axes:
        lines = [line for line in axes.lines if line.get_marker() != "None"]
        assert len(lines) == 4
        np.testing.assert_allclose(lines[0].get_ydata(), 1e-6 * lines[0].get_xdata())
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x1 <= figure.bbox.x1
    assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes)


def test_page_and_files(tmp_path):
    files = {path.name: path for path in report.write_scaling(measurements(), tmp_path / "new")}
    assert set(files) == {"scaling.html", "scaling.png", "scaling.svg", "scaling.csv",
                          "scaling.json"}  # fmt: skip
    page = Collector(files["scaling.html"].read_text("utf-8"))
    assert page.tags.count("svg") == 2
    assert "script" not in page.tags
    words = " ".join(page.text)
    for expected in ("water: a <recipe>", "Some CPU", "in proportion to", "on 1 thread"):
        assert expected in words
    assert Measurements.load(files["scaling.json"]).rows == measurements().rows


def test_nothing_measured_raises(tmp_path):
    with pytest.raises(ValueError, match="measurements: expected at least one row, found none"):
        report.write_scaling(Measurements(()), tmp_path / "new")
    assert not (tmp_path / "new").exists()
