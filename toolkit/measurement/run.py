"""``toolkit.measure``: a dataset and this machine (or each machine of a cluster) in, measurements out.

This module only wires: it sends invocations to workers as Dask tasks, one host at a time, watches their lines arrive, and
puts the findings together. Each invocation is a fresh process on the worker's host; windows run there, alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolkit.dataset.reading import open_dataset
from toolkit.engine import engine
from toolkit.errors import BusyError, ClusterError, TonnageError, UsageError
from toolkit.facts import Environment, MeasurementSet
from toolkit.measurement.findings import findings_of, understated
from toolkit.measurement.invocation import Job, job_stages
from toolkit.measurement.plans import families_named, plan_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from distributed import Client

    from toolkit.dataset.reading import Dataset
    from toolkit.engine import Engine, Progress
    from toolkit.facts import Measurement
    from toolkit.measurement.plans import Plan
    from toolkit.measurement.stages import Stage

__all__ = ["measure"]

_POLL_S: Final = 0.2
_SET_BY_DASK: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")
"""Variables that a Dask worker sets for itself, and which would limit the process that is measured."""


@dataclass(slots=True)
class _Gathered:
    """The lines of one host's invocations so far."""

    worker: str
    """Address of the worker that runs them."""
    environment: dict[str, Any] = field(default_factory=dict)
    """Its first ``environment`` line."""
    windows: list[dict[str, Any]] = field(default_factory=list)
    """Its ``window`` lines."""
    faults: list[dict[str, Any]] = field(default_factory=list)
    """Its ``fault`` lines."""

    def take(self, lines: Sequence[dict[str, Any]]) -> None:
        """Add the lines of an invocation."""
        for line in lines:
            if line["kind"] == "environment":
                self.environment = self.environment or line
            elif line["kind"] == "window":
                self.windows.append(line)
            elif line["kind"] == "fault":
                self.faults.append(line)


def measure(
    dataset: str | os.PathLike[str] | Dataset,
    plan: str = "quick",
    only: Sequence[str] | None = None,
    scheduler: str | Client | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> MeasurementSet:
    """Return rates of reading, decoding, loading and transferring a dataset here, each beside its ceiling; saved as well.

    Parameters
    ----------
    dataset : str, path or Dataset
        What to measure.
    plan : str
        ``quick`` (under a minute), ``standard`` (minutes) or ``thorough`` (most of an hour).
    only : sequence of str, optional
        Families to measure: ``read``, ``decode``, ``loader``, ``transfer``; by default all. Their ceilings are always taken.
    scheduler : str or Client, optional
        An existing Dask cluster: one worker of each host measures its host, one host at a time.
    out : str or path, optional
        JSON file to write, with Parquet beside it; by default ``DATASET/measurements/<UTC>.json``.
    progress : callable, optional
        Called as ``progress(stage, done, total, detail)``.

    Raises
    ------
    UsageError
        If the plan or a family does not exist, or the dataset has no images.
    BusyError
        If a port is in use.
    ClusterError
        If the scheduler cannot be reached, or a worker does not see the dataset.

    Notes
    -----
    Ctrl-C keeps what was measured: the set is saved and returned, each measurement flagged ``interrupted``.
    """
    chosen, families = plan_named(plan), families_named(only)
    opened = open_dataset(Path(dataset) if isinstance(dataset, os.PathLike) else dataset)
    if not len(opened):
        raise UsageError(f"the dataset '{opened.location}' has no images to measure")
    now = datetime.now(UTC)
    target = _target(opened, out, now)
    started_s = time.perf_counter()
    with _scratch(opened) as scratch, engine(scheduler, workers=1, threads=1) as cluster:
        run = _Run(opened, chosen, families, scratch, cluster, progress)
        is_whole = run.gather()
    hosts = [host for host in run.hosts if host.windows]
    if not hosts:
        raise KeyboardInterrupt if not is_whole else _nothing(run.hosts)
    found = MeasurementSet(
        dataset=str(opened.location),
        dataset_version=opened.version,
        plan=chosen.name,
        started_at=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        elapsed_s=time.perf_counter() - started_s,
        environment=_environment(hosts, is_whole=is_whole),
        measurements=tuple(run.findings(hosts, is_whole=is_whole)),
    )
    try:
        found.save(target)
    except OSError as fault:
        raise TonnageError(f"the measurements cannot be written to '{target}': {fault.strerror or fault}") from fault
    return found


class _Run:
    """The invocations of one run of ``measure``, on one host or on several in turn."""

    def __init__(
        self,
        dataset: Dataset,
        plan: Plan,
        families: tuple[str, ...],
        scratch: Path | None,
        cluster: Engine,
        progress: Progress | None,
    ) -> None:
        self.dataset = dataset
        self.plan = plan
        self.families = families
        self.scratch = scratch
        self.cluster = cluster
        self.progress = progress
        self.hosts = [_Gathered(worker) for worker in _one_worker_per_host(cluster)]

    def gather(self) -> bool:
        """Run all invocations; return False if the user stopped it."""
        try:
            for invocation in range(self.plan.invocation_count):
                for host in self.hosts:
                    self._invoke(host, invocation)
            for host in self.hosts:
                passed = understated(self._findings(host))
                if passed:
                    self._invoke(host, self.plan.invocation_count, passed)
        except KeyboardInterrupt:
            return False
        return True

    def findings(self, hosts: Sequence[_Gathered], *, is_whole: bool) -> Iterator[Measurement]:
        """Yield the measurements of all hosts, ceilings first."""
        for host in hosts:
            extra = {"host": host.environment["host"]} if len(hosts) > 1 else {}
            for measurement in self._findings(host, extra):
                yield measurement if is_whole else dataclasses.replace(measurement, flags=(*measurement.flags, "interrupted"))

    def _findings(self, host: _Gathered, extra: dict[str, Any] | None = None) -> list[Measurement]:
        environment = host.environment["facts"] if host.environment else {}
        return findings_of(
            self._stages(environment.get("core_count", 1)),
            host.windows,
            environment=environment,
            window_s=self.plan.window_s,
            mean_image_bytes=self._mean_image_bytes,
            extra=extra,
        )

    def _stages(self, cores: int) -> list[Stage]:
        """Return all stages a host may have windows of: those of the plan, and the ceilings that were taken again."""
        usual = job_stages(self._job(0), cores, self._mean_image_bytes, len(self.dataset))
        ceilings = tuple(sorted({stage.metric for stage in usual if stage.family == "ceiling"}))
        again = job_stages(self._job(0, ceilings), cores, self._mean_image_bytes, len(self.dataset))
        return list({stage.key + stage.derived_from: stage for stage in (*usual, *again)}.values())

    @property
    def _mean_image_bytes(self) -> float:
        return self.dataset.state.image_bytes / len(self.dataset)

    def _job(self, invocation: int, retaken: tuple[str, ...] = ()) -> Job:
        return Job(
            dataset=str(self.dataset.location.path),
            version=self.dataset.version,
            plan=self.plan.name,
            families=self.families,
            invocation=invocation,
            scratch="" if self.scratch is None else str(self.scratch),
            retaken=retaken,
        )

    def _invoke(self, host: _Gathered, invocation: int, retaken: tuple[str, ...] = ()) -> None:
        """Run one invocation on a host's worker, and take its lines, whole or as far as it came."""
        job = self._job(invocation, retaken)
        lines_path = None if self.scratch is None else self.scratch / f"{invocation}-{self.hosts.index(host)}.jsonl"
        task = {"job": dataclasses.asdict(job), "lines_path": "" if lines_path is None else str(lines_path)}
        future = self.cluster.client.submit(run_invocation, task, workers=[host.worker], pure=False, retries=0)
        try:
            while not future.done():
                time.sleep(_POLL_S)
                self._show(host, invocation, lines_path, is_again=bool(retaken))
            lines = future.result()
        except KeyboardInterrupt:
            future.cancel()
            host.take(_parsed(_text(lines_path)))
            raise
        _raise_faults(lines, host.worker)
        host.take(lines)
        if self.progress is not None:
            self.progress("measure", invocation + 1, self.plan.invocation_count + bool(retaken), "")

    def _show(self, host: _Gathered, invocation: int, lines_path: Path | None, *, is_again: bool) -> None:
        if self.progress is None:
            return
        lines = _parsed(_text(lines_path))
        planned = next((line["window_count"] for line in lines if line["kind"] == "plan"), 0)
        latest = next((line["metric"] for line in reversed(lines) if line["kind"] == "window"), "")
        done = sum(line["kind"] == "window" for line in lines)
        what = "ceilings again" if is_again else f"process {invocation + 1} of {self.plan.invocation_count}"
        where = f" on {host.worker}" if len(self.hosts) > 1 else ""
        detail = f"{what}{where}: {done} of {planned} windows, {latest}" if planned else f"{what}{where}: starts"
        self.progress("measure", invocation, self.plan.invocation_count, detail)


def run_invocation(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Run one invocation in a process of its own and return its lines; this is the Dask task."""
    job, lines_path = task["job"], task["lines_path"]
    if not Path(job["dataset"]).is_dir():
        return [{"kind": "fault", "metric": "", "error": "ClusterError", "message": "not visible"}]
    surroundings = {name: value for name, value in os.environ.items() if name not in _SET_BY_DASK}
    command = [sys.executable, "-m", "toolkit.measurement.invocation"]
    with tempfile.TemporaryDirectory() as spare:
        path = Path(lines_path or f"{spare}/lines.jsonl")
        with path.open("wb") as sink:
            done = subprocess.run(  # noqa: S603 - our own interpreter and module
                command, input=json.dumps(job).encode(), stdout=sink, stderr=subprocess.PIPE, env=surroundings, check=False
            )
        lines = _parsed(_text(path))
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        lines.append({"kind": "fault", "metric": "", "error": "TonnageError", "message": f"an invocation failed: {last[0]}"})
    return lines


def _one_worker_per_host(cluster: Engine) -> list[str]:
    workers = cluster.client.scheduler_info(n_workers=-1)["workers"]
    by_host: dict[str, str] = {}
    for address in sorted(workers):
        by_host.setdefault(str(workers[address].get("host", address)), address)
    return list(by_host.values())


def _raise_faults(lines: Sequence[dict[str, Any]], worker: str) -> None:
    """Raise what stopped an invocation; faults of single stages are kept as findings."""
    for line in lines:
        if line["kind"] != "fault" or line["metric"]:
            continue
        if line["error"] == "ClusterError":
            raise ClusterError(f"the worker at {worker} does not see the dataset; it must lie at the same path on every host")
        kind = {"BusyError": BusyError, "UsageError": UsageError}.get(line["error"], TonnageError)
        raise kind(line["message"])


def _nothing(hosts: Sequence[_Gathered]) -> TonnageError:
    why = next((fault["message"] for host in hosts for fault in host.faults), "no window was completed")
    return TonnageError(f"nothing could be measured: {why}")


def _environment(hosts: Sequence[_Gathered], *, is_whole: bool) -> Environment:
    """Return the environment of the first host, with what could not be measured, and the other hosts below it."""
    first = hosts[0].environment
    facts: dict[str, Any] = dict(first["facts"])
    faults = {
        f"{fault['metric']} {_words(fault.get('conditions'))}".strip(): fault["message"] for h in hosts for fault in h.faults
    }
    if faults:
        facts["not_measured"] = faults
    if not is_whole:
        facts["is_interrupted"] = True
    if len(hosts) > 1:
        facts["other_hosts"] = {host.environment["host"]: host.environment["facts"] for host in hosts[1:]}
    return Environment(host=first["host"], facts=facts)


def _words(conditions: dict[str, Any] | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (conditions or {}).items())


def _target(dataset: Dataset, out: str | os.PathLike[str] | None, now: datetime) -> Path:
    if out is None:
        return dataset.location.path / "measurements" / f"{now:%Y%m%dT%H%M%SZ}.json"
    if Path(out).suffix != ".json":
        raise UsageError(f"out must be a .json file, not '{out}'; its samples are written to .parquet beside it")
    return Path(out)


@contextlib.contextmanager
def _scratch(dataset: Dataset) -> Iterator[Path | None]:
    """Give a folder on the dataset's filesystem, removed afterwards; None where none can be made."""
    try:
        folder = dataset.location.path / "measurements"
        folder.mkdir(exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".running-", dir=folder))
    except OSError:
        yield None
        return
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _parsed(text: str) -> list[dict[str, Any]]:
    """Return the whole lines of a text; the last may still be being written."""
    lines = text.split("\n")[:-1]
    return [json.loads(line) for line in lines if line.startswith("{")]


def _text(path: Path | None) -> str:
    try:
        return "" if path is None else path.read_text(encoding="utf-8")
    except OSError:
        return ""
