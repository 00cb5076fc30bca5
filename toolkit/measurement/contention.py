"""What a machine that is shared loses: the loader, a cold read and a transfer alone, and beside a load that takes all it can.

Each window with a load stands between windows without; the loss is taken within one invocation, so that what disturbs both
disturbs neither's ratio.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.measurement.accesses import RowGroupRead
from toolkit.measurement.caches import can_prove, proof_of
from toolkit.measurement.environment import core_count
from toolkit.measurement.flags import FEW_OPERATIONS
from toolkit.measurement.transfer import HttpRange
from toolkit.measurement.values import value_line
from toolkit.measurement.windows import run_window
from toolkit.units import MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolkit.measurement.invocation import Job
    from toolkit.measurement.probes import Bench
    from toolkit.measurement.windows import Probe

__all__ = ["LEAST_S", "LOADS", "SETTLE_S", "WORKS", "batch_times", "search_contention"]

LOADS: Final = ("cpu", "disk", "network")
"""What runs beside: a busy process per core; reads and synced writes beside the dataset; a stream over loopback."""

LEAST_S: Final = 1.0
SETTLE_S: Final = 0.5
_BATCH: Final = 32
_LEAST_BATCHES: Final = 4
_RESIZE_PX: Final = 224
_LIMITS: Final = (
    "Beside one load of one kind that takes all it can get. A real neighbour takes less, or several kinds at once; the network "
    "is loopback, so that its cost is the processors' and memory's. A loss below 0 is noise: none was found."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Took:
    """What a window came to."""

    amount_count: float
    """Images or bytes."""
    elapsed_s: float
    """In which they came."""
    times_s: Sequence[float]
    """How long each operation took."""
    cpu_s: float = 0.0
    """CPU time of this process meanwhile."""
    device_bytes: int | None = None
    """What came from the device meanwhile; None where the kernel does not say."""

    def __add__(self, other: _Took) -> _Took:
        known = self.device_bytes is not None and other.device_bytes is not None
        return _Took(
            amount_count=self.amount_count + other.amount_count,
            elapsed_s=self.elapsed_s + other.elapsed_s,
            times_s=[*self.times_s, *other.times_s],
            cpu_s=self.cpu_s + other.cpu_s,
            device_bytes=(self.device_bytes or 0) + (other.device_bytes or 0) if known else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is disturbed."""

    prefix: str
    """Begins the names of its rate and its loss."""
    timed: str
    """Name of the time of one operation."""
    title: str
    operation: str
    unit: str
    loads: tuple[str, ...]
    """What it is disturbed by."""


WORKS: Final[dict[str, _Work]] = {
    "loader": _Work(
        prefix="", timed="batch_time", title="Loader", operation="a batch", unit="images_per_s", loads=LOADS
    ),
    "read": _Work(
        prefix="read_", timed="read_time", title="Cold read of row groups", operation="a row group", unit="bytes_per_s",
        loads=("disk",),
    ),
    "transfer": _Work(
        prefix="transfer_", timed="request_time", title="HTTP ranges over loopback", operation="a range", unit="bytes_per_s",
        loads=("network",),
    ),
}  # fmt: skip
"""What is measured alone and beside a load, by name: the warm loader, cold storage, and the way over a network."""


def search_contention(bench: Bench, job: Job, say: Callable[..., None], works: Sequence[str] = tuple(WORKS)) -> None:
    """Say what each work does alone and beside each of its loads, and what it loses."""
    window_s = max(LEAST_S, 2 * bench.subject.plan.window_s)
    pairs = [(name, load) for name in works for load in WORKS[name].loads]
    order = 0
    for place in np.random.default_rng([job.seed, job.invocation]).permutation(len(pairs)):
        name, load = pairs[place]
        work = WORKS[name]
        say("searching", what=f"{work.title.lower()} beside a load on {load}")
        conditions, take = _taker(name, bench)
        before = take(window_s)
        beside = _beside(load, bench, partial(take, window_s))
        alone = before + take(window_s)
        lines = [*_lines(work, "none", load, alone, conditions), *_lines(work, load, load, beside, conditions)]
        loss_share = 1 - _rate(beside) / _rate(alone)
        title = f"Loss beside a load on {load}: {work.title}"
        lines.append(_line(f"{work.prefix}loss", title, "share", loss_share, {"load": load, **conditions}, beside))
        for line in lines:
            say("value", invocation=job.invocation, order=order, **line)
            order += 1


def _lines(work: _Work, load: str, beside: str, took: _Took, conditions: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rate and the times of operations of a work, alone or beside a load."""
    words = "alone" if load == "none" else f"beside a load on {load}"
    facts = {"load": load, "beside": beside, **conditions}
    found = [_line(f"{work.prefix}rate", f"{work.title} {words}", work.unit, _rate(took), facts, took)]
    for percentile in (50, 99):
        value = float(np.percentile(took.times_s, percentile))
        title = f"{work.title} {words}: time of {work.operation}, p{percentile}"
        flags = ["few_operations"] if percentile == 99 and len(took.times_s) < FEW_OPERATIONS else []
        found.append(_line(work.timed, title, "s", value, facts | {"percentile": f"p{percentile}"}, took, flags))
    return found


def _line(
    name: str, title: str, unit: str, value: float, conditions: Mapping[str, Any], took: _Took, flags: Sequence[str] = ()
) -> dict[str, Any]:
    is_images = "batch_size" in conditions
    size_bytes = 0 if is_images else round(took.amount_count)
    facts = {name: value for name, value in conditions.items() if name != "is_provable"}
    cache = None
    if "cache" in conditions:
        cache = proof_of(str(conditions["cache"]), took.device_bytes, size_bytes, is_provable=bool(conditions["is_provable"]))
    return value_line(
        f"contention.{name}", title, unit, value, conditions=facts, elapsed_s=took.elapsed_s, cpu_s=took.cpu_s, flags=flags,
        limits=_LIMITS, operations=len(took.times_s), images=round(took.amount_count) if is_images else 0,
        payload_bytes=size_bytes, cache=cache,
    )  # fmt: skip


def _rate(took: _Took) -> float:
    return took.amount_count / took.elapsed_s


def _taker(name: str, bench: Bench) -> tuple[dict[str, Any], Callable[[float], _Took]]:
    """Return the conditions of a work, and what takes a window of it."""
    if name == "loader":
        size = max(1, min(_BATCH, len(bench.subject.dataset) // _LEAST_BATCHES))
        conditions = {"output": f"{_RESIZE_PX} px", "batch_size": size, "workers": core_count()}
        return conditions, partial(batch_times, bench, size)
    if name == "read":
        is_provable = can_prove(bench.subject.scratch or bench.subject.dataset.location.path)
        conditions = {"cache": "cold", "threads": 1, "is_provable": is_provable}
        return conditions, partial(_probed, RowGroupRead(bench.subject, "cold", 1))
    conditions = {"path": "loopback", "range_bytes": MIB, "streams": 1}
    return conditions, partial(_probed, HttpRange(bench.subject, bench.server, MIB, 1))


def _probed(probe: Probe, window_s: float) -> _Took:
    window = run_window(probe, window_s)
    return _Took(
        amount_count=window.tally.payload_bytes, elapsed_s=window.elapsed_s, times_s=list(probe.times_s()), cpu_s=window.cpu_s,
        device_bytes=window.device_bytes,
    )  # fmt: skip


def _beside(load: str, bench: Bench, take: Callable[[], _Took]) -> _Took:
    """Return what a work comes to while a load runs in processes of its own."""
    count = core_count() if load == "cpu" else 1
    folder = str(bench.subject.scratch or bench.subject.dataset.location.path)
    command = [sys.executable, "-m", "toolkit.measurement.load", load, folder]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)]  # noqa: S603
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        time.sleep(SETTLE_S)
        return take()
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def batch_times(bench: Bench, size: int, window_s: float) -> _Took:
    """Return the time of each full batch for a while, without the first of each epoch: that one waits for the start.

    Where an epoch is one batch there is no other, and it is counted.
    """
    times_s: list[float] = []
    begun_s, epoch, cpu_s = time.perf_counter(), 0, time.process_time()
    bench.subject.warm()
    with bench.subject.dataset.loader(batch_size=size, resize_px=_RESIZE_PX, drop_last=True) as loader:
        skipped_count = 1 if len(loader) > 1 else 0
        while time.perf_counter() - begun_s <= window_s or len(times_s) <= 2:
            loader.set_epoch(epoch)
            before_s, taken = time.perf_counter(), list[float]()
            batches = iter(loader)
            for _ in batches:
                now_s = time.perf_counter()
                taken.append(now_s - before_s)
                before_s = now_s
                if now_s - begun_s > window_s and len(times_s) + len(taken) > 2 + skipped_count:
                    break
            batches.close()  # type: ignore[attr-defined]  # a generator
            times_s += taken[skipped_count:]
            epoch += 1
    cpu_s = time.process_time() - cpu_s
    return _Took(amount_count=size * len(times_s), elapsed_s=sum(times_s), times_s=times_s, cpu_s=cpu_s)
