"""``toolkit.measure``: a dataset and this machine (or each machine of a cluster) in, measurements out.

This module only wires: it sends invocations to workers as Dask tasks, one host at a time, watches their lines arrive, and
puts the findings together. Each invocation is a fresh process on the worker's host; windows run there, alone.
"""

from __future__ import annotations

import dataclasses
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolkit.dataset.reading import open_dataset
from toolkit.engine import engine
from toolkit.errors import TonnageError, UsageError
from toolkit.facts import MeasurementSet
from toolkit.measurement.asked import options_of
from toolkit.measurement.cluster import ClusterRun
from toolkit.measurement.cluster_findings import cluster_findings
from toolkit.measurement.durations import Expected, invocation_s, searches_s
from toolkit.measurement.findings import curation_of, findings_of, understated
from toolkit.measurement.hosts import HostLines, environment_of_hosts, nothing_measured
from toolkit.measurement.invocation import Job, job_stages
from toolkit.measurement.models import models_of
from toolkit.measurement.places import file_of, scratch_beside
from toolkit.measurement.plans import families_named, plan_named
from toolkit.measurement.targets import clear_target
from toolkit.measurement.task import parsed_lines, run_invocation
from toolkit.measurement.under_way import UnderWay
from toolkit.measurement.values import values_of
from toolkit.notebook_progress import shows_progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from toolkit.dataset.reading import Dataset
    from toolkit.engine import Engine, Progress, Scheduler
    from toolkit.facts import Measurement
    from toolkit.measurement.plans import Plan
    from toolkit.measurement.stages import Stage

__all__ = ["measure"]

_POLL_S: Final = 0.2


@shows_progress
def measure(
    dataset: str | os.PathLike[str] | Dataset,
    plan: str = "quick",
    only: Sequence[str] | None = None,
    scheduler: Scheduler | None = None,
    *,
    to: str | None = None,
    token: str = "",
    storage_options: Mapping[str, str] | None = None,
    presets: Sequence[str] = (),
    step_time_s: float | None = None,
    step_images: int | None = None,
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
        Families to measure: ``read``, ``decode``, ``loader``, ``transfer``, by default; and, where named,
        ``utilisation``, ``contention``, ``compute``. Their ceilings are always taken.
    scheduler : str or Client, optional
        An existing Dask cluster: one worker of each host measures its host, one host at a time; then 1, 2, 4, ... all of
        them at once, and the links between them.
    to : str, optional
        Where to transfer: ``host:port`` of ``tonnage serve``, ``s3://bucket/prefix``, or a folder that is there. Then by
        default nothing but the transfer is measured.
    token : str
        What ``tonnage serve`` printed.
    storage_options : mapping, optional
        Of an object store: ``endpoint``, ``region`` and whatever obstore knows; the environment says the rest.
    presets : sequence of str
        Accelerators to emulate where ``only`` names ``utilisation``, such as ``resnet50-h100``; see ``presets.py``.
    step_time_s, step_images : float and int, optional
        A step of the user's own to emulate: its seconds, and its images (64 by default).
    out : str or path, optional
        JSON file to write, with Parquet beside it; by default ``DATASET/measurements/<UTC>.json``.
    progress : callable, optional
        Called as ``progress(stage, done, total, detail)``.

    Raises
    ------
    UsageError
        If the plan or a family does not exist, something is asked for that these do not use, the dataset has no images, or
        nothing can be written where the measurements are to lie.
    BusyError
        If a port is in use.
    ClusterError
        If the scheduler cannot be reached, or a worker does not see the dataset.

    Notes
    -----
    Ctrl-C keeps what was measured: the set is saved and returned, each measurement flagged ``interrupted``.
    """
    chosen, families = plan_named(plan), families_named(("transfer",) if to and only is None else only)
    options = options_of(
        families, to=to, token=token, storage=storage_options or {}, presets=presets, step_s=step_time_s, step_images=step_images
    )
    opened = open_dataset(Path(dataset) if isinstance(dataset, os.PathLike) else dataset)
    if not len(opened):
        raise UsageError(f"the dataset '{opened.location}' has no images to measure")
    now = datetime.now(UTC)
    target = file_of(opened, out, now)
    started_s = time.perf_counter()
    with scratch_beside(opened) as scratch, engine(scheduler, workers=1, threads=1) as cluster:
        run = _Run(opened, chosen, families, scratch, cluster, progress, options)
        try:
            is_whole = run.gather()
        finally:
            if to:
                clear_target(options)
    hosts = [host for host in run.hosts if host.windows]
    if not hosts:
        raise KeyboardInterrupt if not is_whole else nothing_measured(run.hosts)
    measurements = tuple(run.findings(hosts, is_whole=is_whole))
    found = MeasurementSet(
        dataset=str(opened.location),
        dataset_version=opened.version,
        plan=chosen.name,
        started_at=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        elapsed_s=time.perf_counter() - started_s,
        environment=environment_of_hosts(hosts, is_whole=is_whole, together=run.together),
        measurements=measurements,
        models=models_of(measurements),
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
        options: Mapping[str, Any],
    ) -> None:
        self.dataset = dataset
        self.plan = plan
        self.families = families
        self.scratch = scratch
        self.cluster = cluster
        self.progress = progress
        self.options = options
        self.hosts = [HostLines(worker) for worker in _one_worker_per_host(cluster)]
        workers = [host.worker for host in self.hosts]
        self.together = (
            ClusterRun(dataset, plan, families, cluster, workers) if len(workers) > 1 and "to" not in options else None
        )
        self.under_way = UnderWay(progress, self._expected())

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
            if self.together is not None:
                self.together.gather(self.progress)
        except KeyboardInterrupt:
            return False
        return True

    def findings(self, hosts: Sequence[HostLines], *, is_whole: bool) -> Iterator[Measurement]:
        """Yield the measurements of all hosts, ceilings first."""
        extra = {host.host: {"host": host.host} if len(hosts) > 1 else {} for host in hosts}
        found = [m for host in hosts for m in self._findings(host, extra[host.host])]
        found += [m for host in hosts for m in values_of(host.values, extra[host.host])]
        found += [] if self.together is None else cluster_findings(self.together.lines, self._mean_image_bytes)
        if "decode" in self.families:
            state = self.dataset.state
            curated = curation_of(state.curation, state.committed_at, found)
            found += [] if curated is None else [curated]
        for measurement in found:
            yield measurement if is_whole else dataclasses.replace(measurement, flags=(*measurement.flags, "interrupted"))

    def _findings(self, host: HostLines, extra: dict[str, Any] | None = None) -> list[Measurement]:
        return findings_of(
            self._stages(host.facts.get("core_count", 1)),
            host.windows,
            environment=host.facts,
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
            options=self.options,
        )

    def _invoke(self, host: HostLines, invocation: int, retaken: tuple[str, ...] = ()) -> None:
        """Run one invocation on a host's worker, and take its lines, whole or as far as it came."""
        job = self._job(invocation, retaken)
        number, where = self.hosts.index(host), f" on {host.worker}" if len(self.hosts) > 1 else ""
        lines_path = None if self.scratch is None else self.scratch / f"{invocation}-{number}.jsonl"
        task = {"job": dataclasses.asdict(job), "lines_path": "" if lines_path is None else str(lines_path)}
        future = self.cluster.client.submit(run_invocation, task, workers=[host.worker], pure=False, retries=0)
        try:
            while not future.done():
                time.sleep(_POLL_S)
                if self.progress is not None:
                    self.under_way.show(parsed_lines(lines_path), invocation, number, where)
            lines = future.result()
        except KeyboardInterrupt:
            future.cancel()
            host.take(parsed_lines(lines_path))
            raise
        host.take(lines)
        self.under_way.finish(invocation)

    def _expected(self) -> Expected:
        """Return what this run should take; the number of cores, which is not known yet, hardly changes it."""
        stages = job_stages(self._job(0), 2, self._mean_image_bytes, len(self.dataset))
        ceilings = tuple(sorted({stage.metric for stage in stages if stage.family == "ceiling"}))
        again = job_stages(self._job(0, ceilings), 2, self._mean_image_bytes, len(self.dataset)) if ceilings else ()
        return Expected(
            invocation_s=invocation_s(self.plan, stages),
            search_s=searches_s(self.plan, self.families, self.options.get("presets", ())),
            again_s=invocation_s(self.plan, again),
            cluster_s=0.0 if self.together is None else self.together.expected_s,
            invocation_count=self.plan.invocation_count,
            host_count=len(self.hosts),
        )


def _one_worker_per_host(cluster: Engine) -> list[str]:
    workers = cluster.client.scheduler_info(n_workers=-1)["workers"]
    by_host: dict[str, str] = {}
    for address in sorted(workers):
        by_host.setdefault(str(workers[address].get("host", address)), address)
    return list(by_host.values())
