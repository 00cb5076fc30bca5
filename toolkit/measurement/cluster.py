"""Several hosts of a Dask cluster measured at once: at 1, 2, 4, ... all of them, and over the links between them.

Each host is one worker's: what is measured is the host, its storage and its links. All start a step together, each does a
share of the same size, and the step counts to the first and to the last that is done.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import numpy as np

from toolkit.barriers import assemble, dismiss
from toolkit.errors import ClusterError
from toolkit.measurement.stages import stages_of
from toolkit.measurement.together import BARRIER_TIMEOUT_S, barriers_of, end_of, run_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.dataset.reading import Dataset
    from toolkit.engine import Engine, Progress
    from toolkit.measurement.plans import Plan
    from toolkit.measurement.stages import Stage

__all__ = ["ClusterRun", "Step", "levels", "sampled_pairs", "steps_of"]

_AT_ONCE: Final = (
    ("read.sequential", "cold"),
    ("read.sequential", "warm"),
    ("decode.all_cores", None),
    ("loader.decoded", "warm"),
)
"""What is measured on several hosts at once, where its family was asked for: metric, and state of the cache."""

_ALL_PAIRS_COUNT: Final = 4
"""Up to so many hosts every ordered pair of them is measured; of more a ring and as many pairs again, drawn anew each time."""
_LINK_WINDOW_S: Final = 0.3
_LEAST_MULTIPLE: Final = 4
_START_S: Final = 3.0
_PREPARE_S: Final = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that some hosts do at once."""

    kind: str
    """``stage`` or ``link``."""
    workers: tuple[str, ...]
    """Addresses of those that take part."""
    stage: Stage | None = None
    """What they do, of the kind ``stage``."""
    sender: dict[str, str] = field(default_factory=dict)
    """Who sends to whom, by receiver, of the kind ``link``."""
    is_at_once: bool = False
    """Whether several links are used at the same time on purpose."""


def levels(count: int) -> tuple[int, ...]:
    """Return how many hosts work at once: 1, 2, 4, ... and all of them.

    Examples
    --------
    >>> levels(1), levels(4), levels(6)
    ((1,), (1, 2, 4), (1, 2, 4, 6))
    """
    found = [2**power for power in range(count.bit_length()) if 2**power < count]
    return (*found, count)


def sampled_pairs(count: int, invocation: int) -> tuple[tuple[int, int], ...]:
    """Return pairs of sender and receiver: all of few hosts, a ring and as many drawn ones of many.

    Examples
    --------
    >>> sampled_pairs(2, 0)
    ((0, 1), (1, 0))
    >>> len(sampled_pairs(16, 0)) <= 32 and sampled_pairs(16, 0) != sampled_pairs(16, 1)
    True
    """
    if count <= _ALL_PAIRS_COUNT:
        return tuple((a, b) for a in range(count) for b in range(count) if a != b)
    ring = [(number, (number + 1) % count) for number in range(count)]
    random = np.random.default_rng([count, invocation])
    drawn = [tuple(int(n) for n in random.choice(count, 2, replace=False)) for _ in range(count)]
    return tuple(dict.fromkeys([*ring, *((a, b) for a, b in drawn)]))


def steps_of(stages: Sequence[Stage], workers: Sequence[str], invocation: int) -> list[Step]:
    """Return the steps of an invocation in a random order; which hosts begin changes from one invocation to the next."""
    turned = [*workers[invocation % len(workers) :], *workers[: invocation % len(workers)]]
    steps = [Step(kind="stage", workers=tuple(turned[:count]), stage=stage) for stage in stages for count in levels(len(workers))]
    for a, b in sampled_pairs(len(workers), invocation):
        steps.append(Step(kind="link", workers=(workers[b],), sender={workers[b]: workers[a]}))
    for count in levels(len(workers))[1:]:
        ring = {turned[(n + 1) % count]: turned[n] for n in range(count)}
        steps.append(Step(kind="link", workers=tuple(ring), sender=ring, is_at_once=True))
    order = np.random.default_rng([len(workers), invocation]).permutation(len(steps))
    return [steps[place] for place in order]


class ClusterRun:
    """The invocations on several hosts at once.

    Parameters
    ----------
    dataset : Dataset
        What is measured.
    plan : Plan
        How often and how much.
    families : sequence of str
        What was asked for.
    cluster : Engine
        The cluster.
    workers : sequence of str
        One worker of each host.
    """

    def __init__(self, dataset: Dataset, plan: Plan, families: Sequence[str], cluster: Engine, workers: Sequence[str]) -> None:
        self.dataset = dataset
        self.plan = plan
        self.families = families
        self.cluster = cluster
        self.workers = tuple(workers)
        self.lines: list[dict[str, Any]] = []
        """What each step gave: ``invocation``, ``order``, ``step`` and ``results`` by worker."""
        self.faults: dict[str, str] = {}
        """What could not be measured, and why."""

    @property
    def expected_s(self) -> float:
        """Seconds that all invocations should take: each step is prepared, waited for at the barriers, and done."""
        steps = len(steps_of(self._stages(), self.workers, 0))
        return self.plan.invocation_count * (_START_S + steps * (max(self.plan.window_s, _LINK_WINDOW_S) + _PREPARE_S))

    def gather(self, progress: Progress | None = None) -> None:
        """Run all invocations.

        Raises
        ------
        ClusterError
            If a host does not come to the start, or does not see the dataset.
        """
        begun_s = time.perf_counter()
        for invocation in range(self.plan.invocation_count):
            self._invoke(invocation)
            if progress is not None:
                each_s = (time.perf_counter() - begun_s) / (invocation + 1)
                left_s = each_s * (self.plan.invocation_count - invocation - 1)
                detail = f"{len(self.workers)} hosts at once" + (f"; about {left_s:.0f} s left" if left_s else "")
                progress("cluster", invocation + 1, self.plan.invocation_count, detail)

    def _stages(self) -> list[Stage]:
        # the share of a host is decoded and loaded by all its cores; how many they are, it says itself
        known = stages_of(self.plan, self.families, 0, 1.0, len(self.dataset))
        wanted = {
            (s.metric, s.conditions.get("cache"), s.conditions.get("output")): s
            for s in known
            if not s.derived_from and s.ceiling
        }
        found = [wanted.get((metric, cache, output)) for metric, cache in _AT_ONCE for output in (None, "full size")]
        return [stage for stage in found if stage is not None]

    def _invoke(self, invocation: int) -> None:
        steps = steps_of(self._stages(), self.workers, invocation)
        name = f"tonnage-{uuid.uuid4().hex[:10]}"
        futures = [
            self.cluster.client.submit(run_node, self._task(name, worker, rank, steps), workers=[worker], pure=False, retries=0)
            for rank, worker in enumerate(self.workers)
        ]
        try:
            barriers = [barrier for index in range(len(steps)) for barrier in barriers_of(name, index)]
            for barrier in (*barriers, end_of(name)):
                missing = assemble(self.cluster.client, barrier, self.workers, futures, BARRIER_TIMEOUT_S)
                if missing:
                    self._explain(missing, futures)
            answers = dict(zip(self.workers, self.cluster.client.gather(futures), strict=True))
        finally:
            dismiss(self.cluster.client, name)
            self.cluster.client.cancel(futures)
        for index, step in enumerate(steps):
            results = {w: answers[w]["results"][str(index)] for w in step.workers}
            fault = next((f"{w}: {r['fault']}" for w, r in results.items() if "fault" in r), "")
            if fault:
                self.faults["links" if step.stage is None else f"{step.stage.metric} on {len(step.workers)} hosts"] = fault
            else:
                hosts = {worker: answers[worker]["hello"]["name"] for worker in results}
                self.lines.append({"invocation": invocation, "order": index, "step": step, "results": results, "hosts": hosts})

    def _explain(self, missing: set[str], futures: Sequence[Any]) -> None:
        """Say why hosts did not come."""
        for worker, future in zip(self.workers, futures, strict=True):
            answer = future.result() if future.status == "finished" else {}
            if answer.get("is_blind"):
                raise ClusterError(f"the worker at {worker} does not see the dataset; it must lie at the same path on every host")
            if future.status == "error":
                raise ClusterError(f"the worker at {worker} could not take part: {future.exception()}")
        raise ClusterError(
            f"{', '.join(sorted(missing))} did not come to the common start within {BARRIER_TIMEOUT_S:.0f} s; "
            "a worker that is busy with other tasks cannot be measured"
        )

    def _task(self, name: str, worker: str, rank: int, steps: Sequence[Step]) -> dict[str, Any]:
        job = {
            "dataset": str(self.dataset.location.path), "version": self.dataset.version, "plan": self.plan.name, "rank": rank,
            "world_size": len(self.workers), "address": urlsplit(worker).hostname or "127.0.0.1",
        }  # fmt: skip
        return {
            "job": job, "name": name, "me": worker, "world": list(self.workers), "steps": [self._order(step) for step in steps],
        }  # fmt: skip

    def _order(self, step: Step) -> dict[str, Any]:
        order: dict[str, Any] = {"kind": step.kind, "workers": list(step.workers), "from": step.sender}
        if step.stage is None:
            return order | {"streams": 1, "window_s": max(self.plan.window_s, _LINK_WINDOW_S)}
        facts = asdict(step.stage) | {"ceiling": None}
        return order | {
            "stage": facts,
            "least_bytes": self.plan.working_set_bytes * _LEAST_MULTIPLE,
            "least_images": self.plan.raw_file_count if step.stage.unit == "images_per_s" else 2**62,
        }

    def start_skew_s(self) -> float | None:
        """Return the median over the steps of how far apart hosts were let go, by their own clocks; None without two hosts."""
        spreads = list(self._spreads())
        return float(np.median(spreads)) if spreads else None

    def _spreads(self) -> Iterator[float]:
        for line in self.lines:
            released = [result["released_s"] for result in line["results"].values()]
            if len(released) > 1:
                yield max(released) - min(released)
