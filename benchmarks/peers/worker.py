"""One process of the comparison: pinned to its cores before any library is loaded.

Started by ``compare.py``; the thread variables are already in its environment.

    python worker.py REQUEST.json RESULT.json
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peers import machine


def pin(threads: int) -> list[int]:
    """Keep this process, and all threads it will start, on the first allowed cores."""
    cpus = machine.allowed_cpus()
    if len(cpus) < threads:
        raise SystemExit(f"{threads} threads asked for, {len(cpus)} cores allowed")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cpus[:threads])
    return machine.allowed_cpus()


def run_task(name: str, pairs: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Check the values of every contestant, then race them all."""
    from peers import race, tasks
    from peers.task import compare_values, reference_of

    begin = time.perf_counter()
    threads, budget = request["threads"], request["budget"]
    task = tasks.build(name, pairs, threads)
    reference = reference_of(task)
    records: list[dict[str, Any]] = []
    entrants, repeats = [], []
    for contestant in task.contestants:
        if not (contestant.ours or request["with_peers"]):
            continue
        print(f"  {name}: {contestant.name}", file=sys.stderr, flush=True)
        source = race.subset(task.source, contestant.rows)
        n_items = task.n_items if contestant.rows is None else len(contestant.rows)
        record = {"name": contestant.name, "items": n_items, "note": contestant.note}
        try:
            native = contestant.convert(source)
            start = time.perf_counter()
            result = contestant.run(native)
            seconds = time.perf_counter() - start
        except Exception as error:  # a peer's failure must not end the run of the others
            if contestant.ours:
                raise
            records.append({**record, "error": f"{type(error).__name__}: {error}"})
            continue
        record["values"] = compare_values(contestant, result, reference, task)
        del native, result
        records.append(record)
        entrants.append(contestant)
        repeats.append(max(2, min(request["repeats"], int(budget / max(seconds, 1e-9)))))
    del reference
    times = race.race(entrants, task.source, repeats)
    timed = [record for record in records if "error" not in record]
    for record, entry in zip(timed, times, strict=True):
        record.update(entry.summary())
    return {
        "name": name,
        "description": task.description,
        "precision": task.precision,
        "seconds": round(time.perf_counter() - begin, 1),
        "items": task.n_items,
        "contestants": records,
        "skipped": task.skipped,
    }


def main(request_path: str, result_path: str) -> None:
    request = json.loads(Path(request_path).read_text())
    affinity = pin(request["threads"])
    from peers import molecules

    pairs = molecules.read_pairs(request["data"])
    if request["size"]:
        step = max(1, len(pairs) // request["size"])
        pairs = pairs[::step][: request["size"]]
    import molkern

    result: dict[str, Any] = {
        "threads": request["threads"],
        "affinity": affinity,
        "environment": {name: os.environ.get(name) for name in machine.THREAD_VARIABLES},
        "build_info": molkern.build_info(),
        "molecules": len(pairs),
        "load_before": machine.load(),
        "tasks": [],
    }
    for name in request["tasks"]:
        result["tasks"].append(run_task(name, pairs, request))
        result["load_after"] = machine.load()
        result["thread_pools"] = machine.thread_pools()
        Path(result_path).write_text(json.dumps(result, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
