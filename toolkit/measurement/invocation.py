"""One invocation: a fresh process that runs the windows of all stages in a random order and prints each as a line of JSON.

Run as ``python -m toolkit.measurement.invocation`` with a job (``Job``, as JSON) on standard input. Lines are of the kind
``environment``, ``plan``, ``window``, ``searching``, ``value``, ``fault``. A stage that fails is a ``fault`` line; others go on.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.dataset.reading import open_dataset
from toolkit.errors import BusyError, TonnageError
from toolkit.measurement.caches import can_prove, opens_direct, proof_of
from toolkit.measurement.environment import busy_and_total_s, core_count, environment_of
from toolkit.measurement.plans import plan_named
from toolkit.measurement.probes import Bench
from toolkit.measurement.searches import SEARCHES
from toolkit.measurement.stages import Stage, ceiling_stages, stages_of
from toolkit.measurement.stalls import stall_shares, stalls
from toolkit.measurement.subject import Subject
from toolkit.measurement.targets import link_facts, stages_to
from toolkit.measurement.windows import run_window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolkit.facts import CacheProof
    from toolkit.measurement.windows import Probe, Window

__all__ = ["Job", "job_stages", "main"]

_ORPHAN_POLL_S: Final = 1.0
_LEAST_CLASS_IMAGES: Final = 4
"""Images a class needs, to be more than one picture's rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one invocation is to do; plain JSON types."""

    dataset: str
    """Path of the dataset."""
    version: int
    """Its version."""
    plan: str
    """Name of the plan."""
    families: tuple[str, ...]
    """Families of stages."""
    invocation: int
    """Which invocation this is."""
    seed: int = 0
    """Seed of samples and orders."""
    scratch: str = ""
    """Folder for images as single files; empty when there is none."""
    retaken: tuple[str, ...] = ()
    """Ceilings to take again, in more settings, instead of the stages."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the families further need: ``to``, ``token``, ``run``, ``storage`` of a transfer; ``presets`` of accelerators."""


def job_stages(job: Job, cores: int, mean_image_bytes: float, image_count: int) -> tuple[Stage, ...]:
    """Return the stages of a job on a machine; a pure function, so that the driver knows what the lines belong to."""
    plan = plan_named(job.plan)
    to = str(job.options.get("to", ""))
    there = stages_to(plan, cores, to) if to and "transfer" in job.families else ()
    if job.retaken:
        again = (*ceiling_stages(plan, cores, mean_image_bytes, is_sweep=True), *there)
        return tuple(stage for stage in again if stage.metric in job.retaken)
    here = tuple(family for family in job.families if not (to and family == "transfer"))
    return (*stages_of(plan, here, cores, mean_image_bytes, image_count), *there)


def main() -> None:
    """Run the job on standard input."""
    facts: dict[str, Any] = json.loads(sys.stdin.read())
    job = Job(**facts | {name: tuple(facts[name]) for name in ("families", "retaken")})
    _end_with_parent()
    try:
        with ExitStack() as stack:
            _run(job, stack)
    except TonnageError as fault:
        _say("fault", metric="", error=type(fault).__name__, message=str(fault))


def _run(job: Job, stack: ExitStack) -> None:
    dataset = open_dataset(job.dataset, job.version)
    scratch = Path(job.scratch) if job.scratch else None
    subject = Subject(dataset, plan_named(job.plan), scratch, job.seed)
    stages = job_stages(job, core_count(), subject.mean_image_bytes, len(dataset))
    probing = can_prove(scratch or dataset.location.path)
    environment = environment_of(dataset.location.path)
    facts = dict(environment.facts) | {"working_set_bytes": subject.working_set_bytes, "cache_state_is_provable": probing}
    facts |= link_facts(job.options)
    _say("environment", host=environment.host, facts=facts)
    bench = Bench(subject, stack, job.options)
    first = [stage for stage in stages if stage.conditions.get("cache") == "first_touch"]
    if job.invocation == 0:  # before anything else of this run has read the shards
        for stage in first:
            subject.evict()
            _take(stage, bench.probe_of(stage), bench, job, -1, is_provable=probing)
    probes = _probes([stage for stage in stages if stage not in first], bench)
    planned = plan_named(job.plan).window_count
    order = [stage for stage in stages if stage.key in probes for _ in range(stage.window_count or planned)]
    np.random.default_rng([job.seed, job.invocation]).shuffle(order)
    _say("plan", window_count=len(order))
    for number, stage in enumerate(order):
        probe = probes.get(stage.key)
        if probe is not None and not _take(stage, probe, bench, job, number, is_provable=probing):
            probes[stage.key] = None
    for family in () if job.retaken else job.families:
        if family in SEARCHES:
            _search(family, bench, job)


def _search(family: str, bench: Bench, job: Job) -> None:
    """Run a family that searches; what stops it is said, and what it found until then stays."""
    try:
        SEARCHES[family](bench, job, _say)
    except (OSError, ValueError, RuntimeError, MemoryError, TonnageError) as fault:
        _say("fault", metric=family, conditions={}, error=type(fault).__name__, message=str(fault))


def _probes(stages: Sequence[Stage], bench: Bench) -> dict[str, Probe | None]:
    """Return the probes by their stage's key, each after one operation that pays for imports and first allocations."""
    probes: dict[str, Probe | None] = {}
    for stage in stages:
        if stage.derived_from or not _is_possible(stage, bench):
            continue

        def ready(stage: Stage = stage) -> Probe:
            probe = bench.probe_of(stage)
            if stage.family != "loader":  # it decodes batches ahead, and the decoders are warm by then
                run_window(probe, 0.0)
            return probe

        probes[stage.key] = _guarded(stage, ready)
    return probes


def _is_possible(stage: Stage, bench: Bench) -> bool:
    """Say why a stage cannot be measured here, if it cannot."""
    if stage.conditions.get("access") == "direct" and not opens_direct(bench.subject.paths[0]):
        why = "reads past the page cache are not possible on this filesystem"
    elif stage.metric == "decode.class":
        facts = stage.conditions
        return len(bench.images_of(facts["format"], facts["size_class"], facts.get("quality", ""))) >= _LEAST_CLASS_IMAGES
    elif stage.metric in {"write.fsync", "ceiling.synced_write"} and bench.subject.scratch is None:
        why = "no folder beside the shards can be written"
    elif stage.metric == "read.pieces" and not hasattr(os, "posix_fadvise"):
        why = "this system cannot be told not to read ahead"
    elif stage.metric == "read.raw_files" and not bench.subject.raw_files:
        why = "no folder beside the shards can be written"
    elif not hasattr(os, "preadv") and stage.metric in {"ceiling.page_cache_read", "ceiling.device_read"}:
        why = "this system has no preadv"
    elif stage.metric.startswith(("decode", "ceiling.decode")) and not bench.images:
        why = "no image of the sample decodes"
    elif "to" in stage.conditions and (reason := _guarded(stage, bench.targets.why_not)) != "":
        if reason is None:
            return False
        why = reason
    else:
        return True
    _say("fault", metric=stage.metric, conditions=dict(stage.conditions), error="NotPossible", message=why)
    return False


def _take(stage: Stage, probe: Probe, bench: Bench, job: Job, order: int, *, is_provable: bool) -> bool:
    """Run one window and say it; return whether it went well."""
    busy_before, cpu_before = busy_and_total_s(), time.process_time() + bench.server_cpu_s()
    is_served = stage.metric.startswith(("transfer.", "ceiling.tcp"))
    server_cpu_s = bench.server_cpu_s if is_served else _no_server_cpu_s
    window_s = stage.window_s or plan_named(job.plan).window_s
    before = stalls()
    window = _guarded(stage, lambda: run_window(probe, window_s, server_cpu_s))
    if window is None:
        return False
    own_cpu_s = time.process_time() + bench.server_cpu_s() - cpu_before
    proof = _proof(stage, window, is_provable=is_provable)
    _say(
        "window",
        metric=stage.metric,
        conditions=dict(stage.conditions),
        invocation=job.invocation,
        order=order,
        window=dataclasses.asdict(window),
        cache=None if proof is None else dataclasses.asdict(proof),
        neighbour_share=_neighbour_share(busy_before, busy_and_total_s(), own_cpu_s),
        **stall_shares(before, stalls()),
    )
    return True


def _no_server_cpu_s() -> float:
    return 0.0


def _proof(stage: Stage, window: Window, *, is_provable: bool) -> CacheProof | None:
    intended = stage.conditions.get("cache")
    if intended is None:
        return None
    evidence = "odirect" if stage.conditions.get("access") == "direct" else "read_bytes"
    return proof_of(intended, window.device_bytes, window.tally.payload_bytes, is_provable=is_provable, evidence=evidence)


def _neighbour_share(before: tuple[float, float] | None, after: tuple[float, float] | None, own_cpu_s: float) -> float | None:
    """Return the share of the machine's processors that others had during a window."""
    if before is None or after is None or after[1] <= before[1]:
        return None
    return max(0.0, (after[0] - before[0] - own_cpu_s) / (after[1] - before[1]))


def _guarded(stage: Stage, work: Callable[[], Any]) -> Any:
    """Return what the work gives, or None after saying why it gave nothing."""
    try:
        return work()
    except BusyError:
        raise
    except (OSError, ValueError, RuntimeError, MemoryError, StopIteration, TonnageError) as fault:  # Arrow's are among these
        _say("fault", metric=stage.metric, conditions=dict(stage.conditions), error=type(fault).__name__, message=str(fault))
        return None


def _say(kind: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"kind": kind} | facts) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, so that an interrupted run leaves nothing behind."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_ORPHAN_POLL_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
