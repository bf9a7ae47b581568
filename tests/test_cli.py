"""The command line, in this process and as a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from ase import units
from ase.build import molecule
from ase.io import write

import molkern
from cli_calls import failing
from molkern import cli, terminal
from molkern.datasets.units import ENERGIES
from molkern.study import REPRESENTATIONS, Result
from molkern.study.result import ORIGIN

pytestmark = pytest.mark.usefixtures("own_folders")

NAMES = ["CH4", "NH3", "H2O", "C2H6", "CH3OH", "C2H4"]
FEW = ["--representations", "bag_of_bonds,coulomb_matrix", "--kernels", "laplacian",
       "--sizes", "10,20,40", "--seeds", "0,1", "--n-threads", "1"]  # fmt: skip


def nuclear_repulsion(atoms):
    """Sum of Z_i Z_j / R_ij in eV: a label that is exact, and easy to learn from these features."""
    distances = atoms.get_all_distances()
    i, j = np.triu_indices(len(atoms), 1)
    return float((atoms.numbers[i] * atoms.numbers[j] / distances[i, j]).sum() * units.Hartree
                 * units.Bohr)  # fmt: skip


@pytest.fixture(scope="module")
def xyz(tmp_path_factory):
    """60 distorted molecules with their nuclear repulsion."""
    rng = np.random.default_rng(7)
    frames = []
    for k in range(60):
        atoms = molecule(NAMES[k % len(NAMES)])
        atoms.positions += rng.normal(0, 0.04, atoms.positions.shape)
        atoms.info = {"repulsion": nuclear_repulsion(atoms)}
        frames.append(atoms)
    path = tmp_path_factory.mktemp("data") / "mine.xyz"
    write(path, frames)
    return path


def process(*arguments, code=None, **options):
    start = ["-m", "molkern"] if code is None else ["-c", code]
    command = [sys.executable, *start, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def numbers(folder):
    """Rows of a finished comparison without the times and what computed them."""
    result = Result.load(folder / "results.json")
    return [
        {k: v for k, v in row.items() if not k.startswith("seconds") and k not in ORIGIN}
        for row in result.rows
    ]


def test_compare_writes_a_report(xyz, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["compare", xyz, "--property", "repulsion", "--unit", "eV", "--out", out, *FEW]
    assert cli.main(list(map(str, arguments))) == 0
    shown = capsys.readouterr()
    assert "mine: 60 structures, repulsion (eV)" in shown.out
    assert "Bag of bonds, Laplacian" in shown.out
    assert "model 2 of 2: Coulomb matrix (sorted), laplacian" in shown.err
    for name in (
        "report.html",
        "learning_curves.png",
        "error_against_cost.svg",
        "table.csv",
        "table.md",
        "costs.json",
    ):
        assert (out / name).stat().st_size > 100
        assert name in shown.out
    found = Result.load(out / "results.json")
    assert len(found.rows) == 2 * 2 * 3
    assert set(found.frame["unit"]) == {"eV"}
    assert "mine.xyz" in (out / "report.html").read_text("utf-8")
    built = f"1 thread, {molkern.build_info()['isa']}, compiler"
    assert f"Computed with {built}" in shown.out
    assert built in (out / "report.html").read_text("utf-8")


def test_compare_says_that_the_unit_is_unknown(xyz, tmp_path, capsys):
    arguments = ["compare", str(xyz), *FEW[:4], "--sizes", "20", "--seeds", "0", "--no-cost"]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "note: unit of repulsion is unknown" in shown
    assert "Mean absolute error, unit unknown" in shown
    page = (tmp_path / "molkern-report" / "mine" / "report.html").read_text("utf-8")
    assert "unit of repulsion is unknown" in page
    assert "Mean absolute error (unit unknown)" in page


def test_another_property_has_a_report_of_its_own(tmp_path, capsys):
    rng = np.random.default_rng(0)
    frames = [molecule("H2O") for _ in range(20)]
    for atoms in frames:
        atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
        atoms.info = {"energy": nuclear_repulsion(atoms), "gap": float(atoms.positions[0, 2])}
    write(tmp_path / "two.xyz", frames)
    few = ["--representations", "bag_of_bonds", *FEW[2:4], "--sizes", "10", "--seeds", "0",
           "--no-cost"]  # fmt: skip
    for options in ([], ["--property", "energy"], ["--property", "gap"]):
        assert cli.main(["compare", "two.xyz", *few, *options]) == 0
    folders = sorted(path.name for path in (tmp_path / "molkern-report").iterdir())
    assert folders == ["two", "two-gap"]
    for name, learnt in (("two", "energy"), ("two-gap", "gap")):
        found = Result.load(tmp_path / "molkern-report" / name / "results.json")
        assert set(found.frame["property"]) == {learnt}
    capsys.readouterr()


def test_failed_run_leaves_no_folders(xyz, tmp_path, capsys):
    failing_size = ["compare", xyz, "--sizes", "4000"]
    failing(capsys, *failing_size)
    failing(capsys, *failing_size, "--out", "a/b", "--store", "c/d")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "kept").mkdir()
    failing(capsys, *failing_size, "--out", "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert list((tmp_path / "kept").iterdir()) == []


def test_killed_and_given_again(xyz, tmp_path):
    """SIGKILL after the first results: the same command continues and ends with the same."""
    few = [*FEW, "--no-cost"]
    command = [sys.executable, "-m", "molkern", "compare", str(xyz), "--unit", "eV", *few]
    undisturbed, killed = tmp_path / "a", tmp_path / "b"
    process("compare", xyz, "--unit", "eV", "--out", undisturbed, *few, check=True)
    running = subprocess.Popen(
        [*command, "--out", str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while len(list((killed / "store").glob("*.json"))) < 3:
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.001)
    running.kill()
    assert running.wait() == -signal.SIGKILL
    assert not (killed / "report.html").exists()
    kept = {path: path.stat().st_mtime_ns for path in (killed / "store").glob("*.json")}
    process("compare", xyz, "--unit", "eV", "--out", killed, *few, check=True)
    assert numbers(killed) == numbers(undisturbed)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_interrupted(xyz, tmp_path):
    """Ctrl-C: one line that says where the results are, exit code 130."""
    code = (
        "import sys\n"
        "from molkern import cli, study, terminal_bars\n"
        "def interrupt(self, step):\n"
        "    if step.stage == 'fit':\n"
        "        raise KeyboardInterrupt\n"
        "terminal_bars.ProgressBars.__call__ = interrupt\n"
        "sys.exit(cli.main())\n"
    )
    done = process("compare", xyz, *FEW, "--out", tmp_path / "out", code=code)
    assert done.returncode == 130
    assert done.stderr.startswith("molkern: error: interrupted; finished results are in ")
    assert "the same command continues" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list((tmp_path / "out" / "store").glob("*.json"))


def test_signal_interrupts(xyz, tmp_path):
    command = [sys.executable, "-m", "molkern", "compare", str(xyz), *FEW[4:], "--out", "out"]
    running = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs, and so their children, ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "out" / "store").glob("*.json")):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.001)
    running.send_signal(signal.SIGINT)
    _, shown = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "interrupted; finished results are in out" in shown
    assert "Traceback" not in shown


def test_without_data_the_sets_of_the_package_are_compared(tmp_path, capsys):
    options = ["--sizes", "50,100", "--seeds", "0", "--kernels", "laplacian", "--no-cost"]
    assert cli.main(["compare", *options]) == 0
    shown = capsys.readouterr()
    index = (tmp_path / "molkern-report" / "index.html").read_text()
    for name in ("mini-molecules", "mini-ethanol", "mini-malonaldehyde", "mini-aspirin"):
        assert (tmp_path / "molkern-report" / name / "report.html").exists()
        assert f'href="{name}/report.html"' in index
        assert name in shown.out
    assert "no replacement for density functional theory" in shown.out
    assert shown.out.endswith("molkern-report/index.html\n")
    assert "no replacement for density functional theory" in index
    # Frames of one molecule keep the order of their atoms, different molecules have none.
    assert "unsorted" not in (tmp_path / "molkern-report/mini-molecules/table.md").read_text()
    assert "unsorted" in (tmp_path / "molkern-report/mini-ethanol/table.md").read_text()


@pytest.mark.parametrize("option", ["property", "unit", "length-unit", "test"])
def test_option_that_needs_data(option, capsys):
    assert cli.main(["compare", f"--{option}", "energy"]) == 2
    assert capsys.readouterr().err.startswith(f"molkern: error: --{option}: needs DATA")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["qm77"], "no data set or file 'qm77'; did you mean qm7"),
        (["rmd17-etanol"], "did you mean rmd17-ethanol"),
        (["zzzz"], "no data set or file 'zzzz'; \"molkern data list\" names them"),
        (["nowhere.xyz"], "no such file: nowhere.xyz"),
        (["mine", "--bogus", "1"], "No such option: --bogus"),
        (["mine", "--n-tune", "many"], "Invalid value for '--n-tune'"),
        (["mine", "--sizes", "10,x"], "--sizes: expected integers of at least 1 with commas"),
        (["mine", "--sizes", ""], "--sizes: expected integers of at least 1"),
        (["mine", "--sizes", "0"], "--sizes: expected integers of at least 1"),
        (["mine", "--sizes", "4000"], "sizes: expected training-set sizes from 5"),
        (["mine", "--seeds", "-1"], "--seeds: expected integers of at least 0"),
        (["mine", "--kernels", "gauss"], "--kernels: expected one of laplacian, gaussian,"),
        (["mine", "--kernels", "laplacian,laplacian"], "found laplacian twice"),
        (["mine", "--representations", "acsf,soap,acsf"],
         "--representations: expected different ones, found acsf twice"),
        (["mine", "--representations", "cm"], "--representations: expected one of coulomb_matrix,"),
        (["mine", "--representations", ","], "--representations: expected one of coulomb_matrix,"),
        (["mine", "--baseline", "median"], "--baseline: expected one of none, mean, elements"),
        (["mine", "--baseline", "atoms:H"], "--baseline: expected atoms:<symbol>=<energy>"),
        (["mine", "--baseline", "atoms"], "atoms is for energies of whole structures, 'repulsion'"),
        (["mine", "--test", "nowhere.xyz"], "no such file: nowhere.xyz"),
        (["mine", "--test", ","], "--test: expected names or paths with commas"),
        (["mine", "--test", "qm77"], "no data set or file 'qm77'; did you mean qm7"),
        (["mine", "--split", "energy", "--test", "mini-ethanol"],
         "--split, --test: expected one of them, found both"),
        (["mine", "--n-threads", "0"], "--n-threads: expected at least 1, found 0"),
        (["mine", "--n-tune", "2"], "--n-tune: expected at least 5, one structure for each fold"),
        (["mine", "--sizes", "5", "10"], "joined by commas: --sizes 100,200,500"),
        (["mine", "--property", "charm"], "mine has no 'charm'; it has: repulsion"),
        (["mine", "--length-unit", "mile"], "length_unit: expected one of"),
        (["mine", "--unit", ""], "unit: expected a name such as 'kcal/mol', found an empty string"),
        (["mine", "--out", "taken"], "cannot write to the folder taken"),
        (["mine", "--store", "taken"], "store: cannot write to the folder taken"),
        (["mine", "--store", "here", "--out", "taken"], "--out: cannot write to the folder taken"),
    ],
)  # fmt: skip
def test_wrong_input(arguments, words, xyz, tmp_path, capsys):
    (tmp_path / "taken").write_text("a file, where a folder is wanted")
    first = str(xyz) if arguments[0] == "mine" else arguments[0]
    assert words in failing(capsys, "compare", first, *arguments[1:])


def test_too_few_molecules(tmp_path, capsys):
    frames = [molecule("H2O") for _ in range(4)]
    for k, atoms in enumerate(frames):
        atoms.info = {"energy": float(k)}
    write(tmp_path / "few.xyz", frames)
    line = failing(capsys, "compare", "few.xyz")
    assert "needs at least 10 structures with a label, found 4 in 'few'" in line


def test_no_property(tmp_path, capsys):
    write(tmp_path / "bare.xyz", [molecule("H2O") for _ in range(12)])
    line = failing(capsys, "compare", "bare.xyz")
    assert "no property found that could be learnt; extended XYZ needs energy=..." in line


def test_broken_file(tmp_path, capsys):
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and nothing more")
    assert "broken.npz" in failing(capsys, "compare", "broken.npz")


def test_errors_reach_the_shell_without_traceback(xyz):
    for arguments in (["qm77"], [xyz, "--sizes", "4000"]):
        done = process("compare", *arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("molkern: error: ")


def test_traceback_on_request(capsys, monkeypatch):
    monkeypatch.setenv("MOLKERN_DEBUG", "1")
    assert cli.main(["compare", "qm77"]) == 2
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert shown.splitlines()[-1].startswith("molkern: error: no data set or file 'qm77'")


@pytest.mark.parametrize("package", ["typer", "rich", "scipy", "pandas", "matplotlib"])
def test_missing_package(package, xyz):
    """One line with what to install, whichever package is not there."""
    code = (
        f"import sys\nsys.modules[{package!r}] = None\n"
        "from molkern.cli import main\nsys.exit(main())\n"
    )
    done = process("compare", xyz, *FEW, code=code)
    assert done.returncode == 2
    assert 'pip install "molkern[study]"' in done.stderr
    assert package in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_version_and_help(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"molkern {molkern.__version__}\n"
    for arguments in ([], ["--help"], ["compare", "--help"], ["data", "--help"]):
        assert cli.main(arguments) == 0
        assert "Usage" in capsys.readouterr().out


def test_help_says_names_and_defaults(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main(["compare", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for words in ("a fifth is held out", "converts if the file states its unit",
                  "an existing report there is replaced", "else 0,1,2", "At least 10"):  # fmt: skip
        assert words in shown
    named = re.search(r"--representations \S+ (Names .*?) Default:", shown).group(1)
    assert set(re.findall(r"[a-z][\w-]+", named)) >= set(REPRESENTATIONS)
    for unit in ENERGIES:
        assert unit in shown


def test_info(capsys):
    assert cli.main(["info"]) == 0
    shown = capsys.readouterr().out
    for name, value in {**molkern.build_info(), "cuda": molkern.cuda.reason()}.items():
        assert any(line.split() == [name, *str(value).split()] for line in shown.splitlines())
    assert "MOLKERN_DATA" in shown
    assert "scipy" in shown


def test_compare_on_a_known_set(shared_data, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MOLKERN_DATA", str(shared_data))
    assert cli.main(["compare", "qm7", "--out", "out", "--representations", "bag_of_bonds",
                     "--kernels", "laplacian", "--sizes", "20,100", "--no-cost"]) == 0  # fmt: skip
    assert "5 folds" in (tmp_path / "out" / "report.html").read_text("utf-8")
    content = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    assert content["metadata"]["sha256"]
    assert {row["n_test"] for row in content["rows"]} == {1433}


def test_module_and_script_are_the_same():
    assert process("--version").stdout == f"molkern {molkern.__version__}\n"
    script = os.path.join(os.path.dirname(sys.executable), "molkern")
    if os.path.exists(script):
        done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60)
        assert done.stdout == f"molkern {molkern.__version__}\n"


def test_table_fits_the_terminal():
    columns = {"Model": ["Model", "x" * 40]}
    columns |= {f"N = {n}": [f"N = {n}", "12.34 ± 0.56"] for n in (100, 200, 500, 1000)}
    columns |= {"Slope": ["Slope", "-0.50"]}
    assert terminal._fitting(columns, 200) == list(columns)
    assert terminal._fitting(columns, 70) == ["Model", "N = 500", "N = 1000", "Slope"]
    assert terminal._fitting(columns, 10) == ["Model", "N = 1000", "Slope"]
