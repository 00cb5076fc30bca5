"""A worker's part in measuring several hosts at once: the task that starts a node, and takes it through the steps in common."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from toolkit.barriers import arrive, exchange
from toolkit.measurement.task import SET_BY_DASK

__all__ = ["BARRIER_TIMEOUT_S", "barriers_of", "end_of", "run_node"]

BARRIER_TIMEOUT_S: Final = 120.0
"""How long hosts wait for the slowest of them to have prepared."""


def barriers_of(name: str, step_index: int) -> tuple[str, str]:
    """Return the two barriers of a step: all are at rest, all are ready.

    Examples
    --------
    >>> barriers_of("run-0", 3)
    ('run-0-3-rest', 'run-0-3-ready')
    """
    return f"{name}-{step_index}-rest", f"{name}-{step_index}-ready"


def end_of(name: str) -> str:
    """Return the barrier behind the last step: who has no part in it may be who serves those that have.

    Examples
    --------
    >>> end_of("run-0")
    'run-0-end'
    """
    return f"{name}-end"


def run_node(task: dict[str, Any]) -> dict[str, Any]:
    """Take part in all steps of an invocation, and return what this host did in each.

    Parameters
    ----------
    task : dict
        ``job`` of the node, ``name`` of the invocation, ``me`` (the worker's address), ``world`` (all workers' addresses)
        and ``steps``: mappings with ``kind``, ``workers`` and what the node needs to know.

    Notes
    -----
    Hosts that have no part in a step wait at its barriers all the same, so that nothing they prepare disturbs it.
    """
    if not Path(task["job"]["dataset"]).is_dir():
        return {"fault": "the dataset is not visible", "is_blind": True, "results": {}}
    surroundings = {name: value for name, value in os.environ.items() if name not in SET_BY_DASK}
    command = [sys.executable, "-m", "toolkit.measurement.node"]
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=surroundings
    ) as process:
        try:
            return _steps(process, task)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def _steps(process: subprocess.Popen[str], task: dict[str, Any]) -> dict[str, Any]:
    hello = _order(process, task["job"])
    peers = _exchanged(task, hello)
    results: dict[str, Any] = {}
    for index, step in enumerate(task["steps"]):
        rest, ready = barriers_of(task["name"], index)
        arrive(rest, task["me"], BARRIER_TIMEOUT_S, task["name"])
        is_in = task["me"] in step["workers"] and "fault" not in hello
        order = step | ({"peer": peers.get(step["from"][task["me"]])} if step["kind"] == "link" and is_in else {})
        prepared = _order(process, {"do": "prepare"} | order) if is_in else {}
        released_s = arrive(ready, task["me"], BARRIER_TIMEOUT_S, task["name"])
        if is_in:
            did = prepared if "fault" in prepared else _order(process, {"do": "run"} | order)
            results[str(index)] = did | {"released_s": released_s}
    arrive(end_of(task["name"]), task["me"], BARRIER_TIMEOUT_S, task["name"])
    return {"hello": hello, "results": results} | ({"fault": hello["fault"]} if "fault" in hello else {})


def _exchanged(task: dict[str, Any], hello: dict[str, Any]) -> dict[str, Any]:
    """Tell the others where this host serves, and return where each of them does."""
    mine = {name: hello.get(name) for name in ("host", "port", "token")}
    return exchange(f"{task['name']}-peers", task["me"], mine, len(task["world"]), BARRIER_TIMEOUT_S)


def _order(process: subprocess.Popen[str], order: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
    except OSError:
        return {"fault": "the process that measures has ended"}
    answer: dict[str, Any] = json.loads(process.stdout.readline() or '{"fault": "the process that measures has ended"}')
    return answer
