"""Cost of an atom against the size of the structure, one thread, and peak memory.

    python benchmarks/scaling.py --data large_structures.npz --out scaling.json

Periodic diamond and water of 1000 to 100 000 atoms, and real structures if ``--data`` names a
packed file of them. Every case runs in a process of its own, whose largest resident memory is
reported. In that process the structure takes turns with the smallest one of its kind, so that the
ratio of their costs does not depend on the hour, and with itself on two threads. DScribe does the
same SOAP in a process right after.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from peers import machine

SIZES: dict[str, list[Any]] = {
    "diamond": [5, 9, 16, 23],  # 8 n^3 atoms
    "water": [7, 13, 22, 32],  # 3 n^3 atoms
    "stored": [
        "ubiquitin_1ubq",
        "T4_lysozyme_L99A_pxylene",
        "protein_1C17",
        "dhfr_water_box",
        "popc_membrane",
    ],
}
QUICK: dict[str, list[Any]] = {"diamond": [1, 2], "water": [2, 3], "stored": []}
WHAT = ("soap", "soap dense", "acsf", "aev")
BATCH_BYTES = 5e8
GROWTH, SPEED_UP, PEER = 1.3, 1.8, 5.0  # required: at most, at least, at least


def run_case(request: dict[str, Any]) -> dict[str, Any]:
    """This process stays small: a new one counts its parent's memory as its own."""
    environment = dict(os.environ)
    threads = "1" if request["library"] == "dscribe" else "2"
    environment.update(dict.fromkeys(machine.THREAD_VARIABLES, threads))
    case = Path(__file__).with_name("scaling_case.py")
    command = [sys.executable, str(case), json.dumps(request)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return {"error": f"the process ended with code {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def cases(options: argparse.Namespace) -> list[dict[str, Any]]:
    sizes = QUICK if options.quick else SIZES
    common = {
        "data": str(options.data) if options.data else None,
        "seconds": 0.0 if options.quick else options.seconds,
        "least_bytes": 1e5 if options.quick else BATCH_BYTES,
    }
    return [
        {"system": system, "size": size, "smallest": some[0], "what": what, **common}
        for system, some in sizes.items()
        for what in options.what
        for size in some
        if system != "stored" or options.data
    ]


def row_of(request: dict[str, Any], with_peer: bool) -> dict[str, Any]:
    row = {name: request[name] for name in ("system", "size", "what")}
    row["molkern"] = run_case({**request, "library": "molkern"})
    if with_peer and request["what"].startswith("soap"):
        row["DScribe"] = run_case({**request, "library": "dscribe"})
    return row


def judged(value: float, good: bool) -> str:
    return f"{value:.2f}" if good else f"**{value:.2f}**"


def table_row(row: dict[str, Any]) -> str:
    mine, peer = row["molkern"], row.get("DScribe", {})
    name = row["size"] if row["system"] == "stored" else row["system"]
    start = f"| {row['what']} | {name} |"
    if "microseconds_per_atom" not in mine:
        return f"{start} | {mine.get('error', 'left out')} | | | | | | |"
    cost = mine["microseconds_per_atom"]
    growth = threads = times = peers_cost = peers_peak = ""
    if "to_smallest" in mine:
        growth = judged(mine["to_smallest"], mine["to_smallest"] <= GROWTH)
    threads = judged(mine["two_threads"], mine["two_threads"] >= SPEED_UP)
    if "microseconds_per_atom" in peer:
        factor = peer["microseconds_per_atom"] / cost
        peers_cost, times = f"{peer['microseconds_per_atom']:.1f}", judged(factor, factor >= PEER)
        peers_peak = f"{(peer['bytes_peak'] - peer['bytes_before']) / 1e6:.0f}"
    elif peer:
        peers_cost = peer.get("error", "left out")
    peak = (mine["bytes_peak"] - mine["bytes_before"]) / 1e6
    return (
        f"{start} {mine['n_atoms']} | {cost:.2f} | {growth} | {threads} | {peers_cost} | {times} "
        f"| {peak:.0f} | {peers_peak} |"
    )


def markdown(document: dict[str, Any]) -> str:
    rows = [
        "# Cost against size",
        "",
        f"{document['machine']['cpu']}, {document['machine']['cores']} cores; huge pages "
        f"{document['machine']['huge_pages']['enabled']}; "
        + ", ".join(f"{name} {version}" for name, version in document["versions"].items()),
        f"`{document['command']}`, {document['seconds']:.0f} s; load before "
        f"{document['load_before']}, after {document['load_after']}",
        "",
        "SOAP: gto, n_max 8, l_max 6, r_cut 5 Å, the elements of the structure; *soap*, *acsf* (8 "
        "G2, 16 G4, r_cut 6 Å) and *aev* (ANI-2x): the sum over the atoms; *soap dense*: a row for "
        f"each atom into `out=`, in batches of at least {document['batch_bytes'] / 1e6:g} MB. "
        "DScribe: average outer, or all rows new. Memory: of the call, MB, results included. Bold: "
        f"not as required (growth at most {GROWTH:g}, two threads at least {SPEED_UP:g}, DScribe's "
        f"time at least {PEER:g} times ours).",
        "",
        "| | structure | atoms | µs per atom | to the smallest | two threads | DScribe, µs "
        "| DScribe's time over ours | memory | DScribe's memory |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    rows += [table_row(row) for row in document["rows"]]
    return "\n".join([*rows, "", *left_out(document["rows"]), ""])


def left_out(rows: list[dict[str, Any]]) -> list[str]:
    """Why: a library that is not installed, an element that a representation does not know."""
    reasons = [
        f"{library}, {row['what']}, {row['size']}: {row[library]['left_out']}"
        for row in rows
        for library in ("molkern", "DScribe")
        if "left_out" in row.get(library, {})
    ]
    return ["Left out:", "", *[f"- {reason}" for reason in reasons]] if reasons else []


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="packed .npz of named structures")
    parser.add_argument("--what", type=lambda text: text.split(","), default=list(WHAT))
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="for each case; at least one turn is taken"
    )
    parser.add_argument("--no-peer", action="store_true", help="without DScribe")
    parser.add_argument("--quick", action="store_true", help="a trial with tiny structures")
    parser.add_argument("--out", type=Path, default=Path("scaling.json"))
    options = parser.parse_args(arguments)
    unknown = set(options.what) - set(WHAT)
    if unknown:
        parser.error(f"--what: expected some of {', '.join(WHAT)}, found {sorted(unknown)[0]}")
    if options.data and not options.data.is_file():
        parser.error(f"no file {options.data}")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    begin = time.perf_counter()
    document: dict[str, Any] = {
        "machine": machine.describe(),
        "versions": machine.versions(),
        "command": "scaling.py --quick" if options.quick else "scaling.py",
        "batch_bytes": 1e5 if options.quick else BATCH_BYTES,
        "load_before": machine.load(),
        "rows": [],
    }
    for request in cases(options):
        print(f"  {request['what']} {request['system']} {request['size']}", file=sys.stderr)
        document["rows"].append(row_of(request, not options.no_peer))
        document["seconds"] = time.perf_counter() - begin
        document["load_after"] = machine.load()
        options.out.write_text(json.dumps(document, indent=1) + "\n")
    text = markdown(document)
    options.out.with_suffix(".md").write_text(text)
    print(text)
    return 1 if any("error" in row["molkern"] for row in document["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
