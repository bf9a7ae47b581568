"""Reports in headless Chromium: charts are there, nothing is too wide, the console is silent.

The pages have no scripts. What is measured here is measured by one that is added to a copy.
"""

import html
import json
import re
import shutil
import subprocess

import pytest

from molkern import report
from molkern.study import Result
from report_results import costs_of, result_of
from test_report_own_tests import two, unseen
from test_report_scaling import measurements

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PROBE = """
<script>
window.addEventListener("load", () => {
  const shown = [...document.querySelectorAll("svg")].filter(s => s.getBoundingClientRect().width);
  const box = s => s.getBoundingClientRect();
  const found = {
    width: window.innerWidth,
    page: document.documentElement.scrollWidth,
    charts: shown.map(s => [s.getAttribute("aria-label"), box(s).width, box(s).height]),
    lines: shown.map(s => s.querySelectorAll("path").length),
    tables: [...document.querySelectorAll(".scroll")].map(t => [t.clientWidth, t.scrollWidth]),
    rows: document.querySelectorAll("tbody tr").length,
    heads: [...document.querySelectorAll("th")].map(c => c.innerText),
    cells: [...document.querySelectorAll("th, td")].map(c => [c.clientWidth, c.scrollWidth]),
    fonts: Math.min(...[...document.querySelectorAll("p, td, th, dd, li, figcaption")]
      .map(e => parseFloat(getComputedStyle(e).fontSize))),
  };
  parent.document.body.append(Object.assign(document.createElement("pre"),
    {id: "probe", textContent: JSON.stringify(found)}));
});
</script>
"""


@pytest.fixture(scope="module")
def chromium():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    return found


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages, by name."""
    folder = tmp_path_factory.mktemp("pages")
    report.write(result_of(notes=["a note"]), folder / "compare", costs=costs_of())
    report.write_index([result_of()], [folder / "compare"], folder / "index.html")
    report.write_scaling(measurements(("values", "vjp")), folder / "scaling")
    report.write(own_tests(), folder / "tests", costs=costs_of())
    return {
        "compare": folder / "compare" / "report.html",
        "index": folder / "index.html",
        "scaling": folder / "scaling" / "scaling.html",
        "tests": folder / "tests" / "report.html",
    }


def own_tests():
    """All that a page can have: test sets, errors for each atom, marks, what was read."""
    per_atom = {"split": "heavy_atoms:6", "mae_per_heavy_atom": 0.25, "mae_per_atom": 0.125}
    names = ("validation_at_300_kelvin", "of another folder/test")
    result = unseen(two(names=names, **per_atom), (100,))
    read = [["energy", "REF_energy", "eV, as said by the user; " * 6], ["cell", "lattice", ""]]
    return Result(result.rows, ("a note",), {**result.metadata, "decisions": read})


def opened(chromium, page, width, tmp_path, probe=PROBE):
    """What the probe found in a window of this width, and the lines of the console."""
    # A frame, since a window is never narrower than 500 pixels.
    inside = html.escape(page.read_text("utf-8").replace("</body>", probe + "</body>"))
    frame = f'<iframe style="border: 0; width: {width}px; height: 3000px" srcdoc="{inside}">'
    copy = tmp_path / "copy.html"
    copy.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{frame}</iframe></body>", "utf-8")
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--enable-logging=stderr", "--window-size=1400,3000", "--virtual-time-budget=5000",
        f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", copy.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(found.group(1))), console


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(
    ("name", "n_charts"),
    [("compare", 2), ("scaling", 1), ("index", 0), ("tests", 2)],
)
def test_page_is_complete_and_fits(name, n_charts, width, chromium, pages, tmp_path):
    found, console = opened(chromium, pages[name], width, tmp_path)
    assert console == []
    assert found["width"] == width
    assert found["page"] <= width
    assert len(found["charts"]) == n_charts
    for (label, across, high), n_lines in zip(found["charts"], found["lines"], strict=True):
        assert label
        assert min(width, 600) * 0.8 < across <= width
        assert high > 200
        assert n_lines > 20
    assert found["rows"] >= 3
    for inside, needed in found["tables"]:
        assert needed <= inside  # no table has to be scrolled
    for inside, needed in found["cells"]:
        assert needed <= inside + 1
    assert found["fonts"] >= 11
    heads = [" ".join(words.split()) for words in found["heads"]]
    assert ("N = 1600" in heads) == (name != "scaling")


def test_an_error_on_the_console_is_seen(chromium, pages, tmp_path):
    probe = PROBE.replace("const shown", 'console.error("seen"); const shown')
    _, console = opened(chromium, pages["index"], 800, tmp_path, probe)
    assert len(console) == 1
    assert "seen" in console[0]
