"""One invocation as a task: the process is started where the task runs, and the lines that it printed come back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

__all__ = ["SET_BY_DASK", "parsed_lines", "run_invocation"]

SET_BY_DASK: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")
"""Variables that a Dask worker sets for itself, and which would limit the process that is measured."""


def run_invocation(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Run one invocation in a process of its own and return its lines.

    Parameters
    ----------
    task : dict
        ``job`` (see ``toolkit.measurement.invocation.Job``) and ``lines_path``, a file to print to, so that others can
        watch the lines arrive; an empty text uses a file of our own.
    """
    job, lines_path = task["job"], task["lines_path"]
    if not Path(job["dataset"]).is_dir():
        return [{"kind": "fault", "metric": "", "error": "ClusterError", "message": "the dataset is not visible"}]
    surroundings = {name: value for name, value in os.environ.items() if name not in SET_BY_DASK}
    command = [sys.executable, "-m", "toolkit.measurement.invocation"]
    with tempfile.TemporaryDirectory() as spare:
        path = Path(lines_path or f"{spare}/lines.jsonl")
        with path.open("wb") as sink:
            done = subprocess.run(  # noqa: S603 - our own interpreter and module
                command, input=json.dumps(job).encode(), stdout=sink, stderr=subprocess.PIPE, env=surroundings, check=False
            )
        lines = parsed_lines(path)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        lines.append({"kind": "fault", "metric": "", "error": "TonnageError", "message": f"an invocation failed: {last[0]}"})
    return lines


def parsed_lines(path: Path | None) -> list[dict[str, Any]]:
    """Return the whole lines of a file of JSON lines; the last may still be being written, and the file may not be there."""
    try:
        text = "" if path is None else path.read_text(encoding="utf-8")
    except OSError:
        return []
    return [json.loads(line) for line in text.split("\n")[:-1] if line.startswith("{")]
