"""molkern beside other libraries, in one interleaved run.

    python benchmarks/peers/compare.py --data QM7.npz --threads 1,2 --out results.json

Writes the raw times with everything they depend on (JSON) and a Markdown report beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peers import machine, report

GROUPS = {
    "global": (
        "coulomb_sorted",
        "coulomb_eigenspectrum",
        "coulomb_unsorted",
        "bag_of_bonds",
        "packing",
    ),
    "kernels": ("gaussian", "laplacian"),
    "local": (
        "soap",
        "soap_polynomial",
        "soap_float32",
        "soap_inner",
        "soap_outer",
        "soap_vjp",
        "soap_jacobian",
        "acsf",
        "acsf_vjp",
        "aev",
        "aev_vjp",
        "local_gaussian",
    ),
}
TASKS = tuple(name for group in GROUPS.values() for name in group)
CLOCK = {
    "run": "the library's call on its own input objects, with every allocation it makes; "
    "molkern fresh: transform or kernel returning a new array while the previous result is alive; "
    "molkern out: the same into memory that was written before; molkern vjp: the gradient for a "
    "cotangent that exists before; libraries without one: all derivatives",
    "conversion": "building the library's input objects from a list of (numbers, positions) "
    "NumPy arrays; Gram matrices start from the feature matrix",
    "outside": "imports, fit (sizes, bags, radial tables), garbage collection, comparison of "
    "values",
}


def integers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def names(text: str) -> list[str]:
    chosen = [name for word in text.split(",") for name in GROUPS.get(word, (word,))]
    unknown = [name for name in chosen if name not in TASKS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"unknown task {unknown[0]!r}; known: {', '.join((*GROUPS, *TASKS))}"
        )
    return chosen


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="packed .npz of molecules")
    parser.add_argument(
        "--tasks", type=names, default=list(TASKS), help=", ".join((*GROUPS, *TASKS))
    )
    parser.add_argument("--threads", type=integers, default=[1, 2], help="default 1,2")
    parser.add_argument(
        "--peers-threads",
        type=integers,
        default=[1],
        help="thread counts at which the other libraries take part, default 1",
    )
    parser.add_argument("--repeats", type=int, default=15, help="turns of the race, default 15")
    parser.add_argument(
        "--budget",
        type=float,
        default=60.0,
        help="seconds per contestant and task; slow ones get fewer turns, at least 2",
    )
    parser.add_argument("--size", type=int, default=0, help="use only so many molecules")
    parser.add_argument("--out", type=Path, default=Path("results.json"))
    return parser.parse_args(arguments)


def command(options: argparse.Namespace) -> str:
    """What was asked for, without the folders of this machine."""
    asked = {
        "data": options.data.name,
        "tasks": ",".join(options.tasks),
        "threads": ",".join(map(str, options.threads)),
        "peers-threads": ",".join(map(str, options.peers_threads)),
        "repeats": options.repeats,
        "budget": f"{options.budget:g}",
        "size": options.size,
    }
    return "compare.py " + " ".join(f"--{name} {value}" for name, value in asked.items())


def run_worker(options: argparse.Namespace, threads: int) -> dict[str, Any]:
    """A process of its own per thread count: its libraries see the limits when they load."""
    environment = dict(os.environ)
    environment.update({name: str(threads) for name in machine.THREAD_VARIABLES})
    request = {
        "data": str(options.data.resolve()),
        "tasks": options.tasks,
        "threads": threads,
        "with_peers": threads in options.peers_threads,
        "repeats": options.repeats,
        "budget": options.budget,
        "size": options.size,
    }
    with tempfile.TemporaryDirectory() as folder:
        asked, answer = Path(folder, "request.json"), Path(folder, "result.json")
        asked.write_text(json.dumps(request))
        worker = Path(__file__).with_name("worker.py")
        command = [sys.executable, str(worker), str(asked), str(answer)]
        code = subprocess.call(command, env=environment)
        result = json.loads(answer.read_text()) if answer.exists() else {"threads": threads}
    if code:
        result["failed"] = f"the process ended with code {code}; its last task is missing"
    return result


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    if not options.data.is_file():
        print(f"no file {options.data}", file=sys.stderr)
        return 2
    document: dict[str, Any] = {
        "machine": machine.describe(),
        "versions": machine.versions(),
        "command": command(options),
        "clock": CLOCK,
        "data": {"file": options.data.name, "sha256": machine.sha256(options.data)},
        "repeats": options.repeats,
        "budget_seconds": options.budget,
        "runs": [],
    }
    for threads in options.threads:
        print(f"{threads} thread(s)", file=sys.stderr, flush=True)
        document["runs"].append(run_worker(options, threads))
        options.out.write_text(json.dumps(document, indent=1) + "\n")
    text = report.markdown(document)
    options.out.with_suffix(".md").write_text(text)
    print(text)
    return 1 if any("failed" in run for run in document["runs"]) else 0


if __name__ == "__main__":
    sys.exit(main())
