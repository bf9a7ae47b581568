"""Markdown from the JSON of a comparison: ratios, with the project's requirement beside them.

python benchmarks/peers/report.py results.json
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Requirement:
    """``ours`` must be ``factor`` times as fast as ``peer`` (None: the fastest of them)."""

    task: str
    ours: str
    factor: float
    peer: str | None = None


REQUIREMENTS = (
    Requirement("coulomb_sorted", "molkern fresh", 5.0),
    Requirement("coulomb_sorted", "molkern out", 10.0),
    Requirement("coulomb_eigenspectrum", "molkern fresh", 8.0),
    Requirement("coulomb_eigenspectrum", "molkern out", 8.0),
    Requirement("bag_of_bonds", "molkern fresh", 25.0),
    Requirement("bag_of_bonds", "molkern out", 40.0),
    Requirement("packing", "molkern from_arrays", 1.0),
    Requirement("laplacian", "molkern fresh", 4.0, "qmllib"),
    Requirement("gaussian", "molkern fresh", 1.6, "scikit-learn"),
    Requirement("gaussian", "molkern out", 1.8, "scikit-learn"),
    Requirement("gaussian", "molkern fresh", 1.0, "NumPy by hand"),
    Requirement("gaussian", "molkern fresh", 1.0, "kernelforge"),
    Requirement("soap", "molkern fresh", 5.0),
    Requirement("soap", "molkern out", 10.0),
    Requirement("soap_float32", "molkern fresh", 10.0),
    Requirement("soap_float32", "molkern out", 10.0),
    Requirement("soap_inner", "molkern fresh", 20.0),
    Requirement("soap_outer", "molkern fresh", 20.0),
    Requirement("soap_vjp", "molkern vjp", 15.0, "featomic derivatives"),
    Requirement("soap_jacobian", "molkern out", 3.0, "featomic derivatives"),
    Requirement("soap_jacobian", "molkern compact", 3.0, "featomic derivatives"),
    Requirement("acsf", "molkern fresh", 15.0),
    Requirement("acsf_vjp", "molkern vjp", 10.0, "qmllib derivatives"),
    Requirement("aev", "molkern fresh", 10.0),
    Requirement("local_gaussian", "molkern fresh", 20.0, "qmllib"),
)
SPEED_UP = 1.8  # two threads against one
ONE_THREAD = ", 1 thread"


def cost(contestant: dict[str, Any], key: str = "seconds_min") -> float:
    """Seconds per item: slow libraries get fewer molecules."""
    return contestant[key] / contestant["items"]


def timed(task: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {c["name"]: c for c in task["contestants"] if "seconds_min" in c}


def is_ours(name: str) -> bool:
    return name.startswith("molkern")


def best_peer(task: dict[str, Any], key: str = "seconds_min") -> dict[str, Any] | None:
    peers = [c for name, c in timed(task).items() if not is_ours(name)]
    return min(peers, key=lambda c: cost(c, key)) if peers else None


def ratio(mine: dict[str, Any], peer: dict[str, Any], key: str = "seconds_min") -> float:
    """How many times as fast ``mine`` is."""
    return cost(peer, key) / cost(mine, key)


def run_with(document: dict[str, Any], threads: int) -> dict[str, Any] | None:
    return next((r for r in document["runs"] if r["threads"] == threads and "tasks" in r), None)


def judge(value: float, required: float) -> str:
    return "yes" if value >= required else "**no**"


def required_row(task: dict[str, Any], need: Requirement) -> str | None:
    found = timed(task)
    mine = found.get(need.ours)
    if mine is None:
        return None
    start = f"| {task['name']} | {need.ours} |"
    if need.peer is None:
        peer, whole = best_peer(task), best_peer(task, "seconds_with_conversion_min")
    else:
        peer = whole = found.get(need.peer)
    if peer is None or whole is None:
        return f"{start} {need.peer or 'best'}: not in this run | | | | {need.factor:g} | |"
    value = ratio(mine, peer)
    return (
        f"{start} {peer['name']} | {value:.2f} | {ratio(mine, peer, 'seconds_median'):.2f} "
        f"| {ratio(mine, whole, 'seconds_with_conversion_min'):.2f} "
        f"| {need.factor:g} | {judge(value, need.factor)} |"
    )


def requirements_table(run: dict[str, Any]) -> list[str]:
    lines = [
        "| task | molkern | against | times as fast (minima) | (medians) "
        "| with conversion | required | met |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for task in run["tasks"]:
        for need in REQUIREMENTS:
            row = required_row(task, need) if need.task == task["name"] else None
            if row:
                lines.append(row)
    return lines


def speed_ups(task: dict[str, Any]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Entries with all threads and with one thread in the same process, by name."""
    found = timed(task)
    return {
        name: (found[name], entry)
        for name, entry in ((n.removesuffix(ONE_THREAD), e) for n, e in found.items())
        if name in found and entry is not found[name]
    }


def speed_up_table(run: dict[str, Any]) -> list[str]:
    """All threads against one thread in the same process."""
    lines = [
        f"| task | | {run['threads']} threads, ms | 1 thread, ms | speed-up (minima) "
        "| (medians) | required | met |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for task in run["tasks"]:
        for name, (many, one) in speed_ups(task).items():
            value = ratio(many, one)
            required, met = (f"{SPEED_UP:g}", judge(value, SPEED_UP))
            if run["threads"] != 2:
                required = met = ""
            lines.append(
                f"| {task['name']} | {name} | {1e3 * many['seconds_min']:.2f} "
                f"| {1e3 * one['seconds_min']:.2f} | {value:.2f} "
                f"| {ratio(many, one, 'seconds_median'):.2f} | {required} | {met} |"
            )
    return lines


def summary_table(document: dict[str, Any]) -> list[str]:
    """One row for each task: how many times as fast as the best of the others."""
    one, two = run_with(document, 1), run_with(document, 2)
    assert one is not None
    threads = {task["name"]: speed_ups(task) for task in two["tasks"]} if two else {}
    lines = [
        "| | best of the others | its items/s | molkern, new memory | into `out=` | two threads |",
        "|---|---|---|---|---|---|",
    ]
    for task in one["tasks"]:
        best, found = best_peer(task), timed(task)
        if best is None:
            continue
        fresh = next(entry for name, entry in found.items() if is_ours(name))
        out = found.get("molkern out")
        gains = [f"{ratio(*entries):.2f}" for entries in threads.get(task["name"], {}).values()]
        lines.append(
            f"| {task['name']} | {best['name']} | {1 / cost(best):.4g} | {ratio(fresh, best):.1f} "
            f"| {f'{ratio(out, best):.1f}' if out else ''} | {', '.join(gains)} |"
        )
    return lines


def agreement_words(values: Any) -> str:
    if not isinstance(values, dict):
        return str(values)
    words = f"{values['max_deviation']:.1e}"
    if values["max_deviation"] > values.get("tolerance", 1e-9):
        words = f"**differs**: {words}"
    if values["rows_left_out"]:
        words += f" ({values['rows_left_out']} rows with near-equal norms left out)"
    return words


def contestants_table(task: dict[str, Any]) -> list[str]:
    best = best_peer(task)
    lines = [
        f"**{task['name']}**: {task['description']}; {task.get('precision', 'float64')}; "
        f"{task.get('seconds', 0):.0f} s",
        "",
        "| contestant | items | turns | ms min | ms median | items/s | items/s with conversion "
        "| speed relative to the best peer | fresh pages | deviation from ours | note |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for c in task["contestants"]:
        if "seconds_min" not in c:
            lines.append(f"| {c['name']} | {c['items']} | | | | | | | | | {c['error']} |")
            continue
        relative = f"{ratio(c, best):.2f}" if best else ""
        lines.append(
            f"| {c['name']} | {c['items']} | {c['repeats']} | {1e3 * c['seconds_min']:.2f} "
            f"| {1e3 * c['seconds_median']:.2f} | {1 / cost(c):.4g} "
            f"| {1 / cost(c, 'seconds_with_conversion_min'):.4g} | {relative} "
            f"| {c['page_faults_median']:.0f} | {agreement_words(c['values'])} | {c['note']} |"
        )
    for name, reason in task["skipped"].items():
        lines.append(f"| {name} | | | | | | | | | | not in this run: {reason} |")
    return [*lines, ""]


def header(document: dict[str, Any]) -> list[str]:
    machine = document["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in document["versions"].items())
    pages = ", ".join(f"{k}: {v}" for k, v in machine["huge_pages"].items())
    clock = [f"- {what}: {words}" for what, words in document["clock"].items()]
    return [
        "# molkern beside other libraries",
        "",
        f"- machine: {machine['cpu']}, {machine['cores']} cores, {' '.join(machine['simd'])}, "
        f"{machine['system']}; huge pages {pages}; {machine['date']}",
        f"- versions: Python {machine['python']}, {versions}",
        f"- data: {document['data']['file']}, sha256 {document['data']['sha256']}",
        f"- command: `{document.get('command', '')}`",
        *clock,
        "",
    ]


def markdown(document: dict[str, Any]) -> str:
    lines = header(document)
    one = run_with(document, 1)
    if one:
        lines += ["## Times as fast as the best of the others, one thread", ""]
        lines += [*summary_table(document), ""]
        lines += ["## Against the other libraries, one thread", "", *requirements_table(one), ""]
    for run in document["runs"]:
        if "failed" in run:
            lines += [f"{run['threads']} threads: {run['failed']}", ""]
        if run["threads"] > 1 and "tasks" in run:
            lines += [f"## {run['threads']} threads against one", "", *speed_up_table(run), ""]
    for run in document["runs"]:
        if "tasks" not in run:
            continue
        lines += [
            f"## All contestants, {run['threads']} thread(s), {run['molecules']} molecules",
            "",
            f"cores {run['affinity']}; load before {run['load_before']}, "
            f"after {run.get('load_after')}",
            "",
        ]
        for task in run["tasks"]:
            lines += contestants_table(task)
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text())))
