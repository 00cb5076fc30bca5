"""What a machine that is shared loses: the loader alone, and beside a load on processors, disk or network as large as it allows.

Each window with a load stands between windows without; the loss is taken within one invocation, so that what disturbs both
disturbs neither's ratio.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.measurement.environment import core_count
from toolkit.measurement.values import value_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.measurement.invocation import Job
    from toolkit.measurement.probes import Bench

__all__ = ["LOADS", "search_contention"]

LOADS: Final = ("cpu", "disk", "network")
"""What runs beside the loader: a busy process per core; reads and synced writes beside the dataset; a stream over loopback."""

_LEAST_S: Final = 1.0
_SETTLE_S: Final = 0.5
_BATCH: Final = 32
_RESIZE_PX: Final = 224
_LIMITS: Final = (
    "Beside one load of one kind that takes all it can get. A real neighbour takes less, or several kinds at once; the network "
    "is loopback, so that its cost is the processors' and memory's."
)


def search_contention(bench: Bench, job: Job, say: Callable[..., None]) -> None:
    """Say what the loader does alone and beside each load, and what it loses."""
    window_s = max(_LEAST_S, 2 * bench.subject.plan.window_s)
    order = 0

    def tell(name: str, title: str, unit: str, value: float, conditions: dict[str, Any], times_s: list[float]) -> None:
        nonlocal order
        shared = {"output": f"{_RESIZE_PX} px", "batch_size": _BATCH, "workers": core_count()}
        line = value_line(
            f"contention.{name}", title, unit, value, conditions=shared | conditions, elapsed_s=sum(times_s),
            operations=len(times_s), images=len(times_s) * _BATCH, limits=_LIMITS,
        )  # fmt: skip
        say("value", invocation=job.invocation, order=order, **line)
        order += 1

    for place in np.random.default_rng([job.seed, job.invocation]).permutation(len(LOADS)):
        load = LOADS[place]
        say("searching", what=f"the loader beside a load on {load}")
        before = _batch_times_s(bench, window_s)
        beside = _beside(load, bench, window_s)
        after = _batch_times_s(bench, window_s)
        alone_s = before + after
        for name, times_s in (("none", alone_s), (load, beside)):
            words = "alone" if name == "none" else f"beside a load on {name}"
            conditions = {"load": name, "beside": load}
            tell("rate", f"Loader {words}", "images_per_s", _BATCH / statistics.fmean(times_s), conditions, times_s)
            for percentile in (50, 99):
                value = float(np.percentile(times_s, percentile))
                title = f"Loader {words}: time of a batch, p{percentile}"
                tell("batch_time", title, "s", value, conditions | {"percentile": f"p{percentile}"}, times_s)
        loss_share = max(0.0, 1 - statistics.fmean(alone_s) / statistics.fmean(beside))
        tell("loss", f"What the loader loses beside a load on {load}", "share", loss_share, {"load": load}, beside)


def _beside(load: str, bench: Bench, window_s: float) -> list[float]:
    """Return the times of batches while a load runs in processes of its own."""
    count = core_count() if load == "cpu" else 1
    folder = str(bench.subject.scratch or bench.subject.dataset.location.path)
    command = [sys.executable, "-m", "toolkit.measurement.load", load, folder]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)]  # noqa: S603
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        time.sleep(_SETTLE_S)
        return _batch_times_s(bench, window_s)
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _batch_times_s(bench: Bench, window_s: float) -> list[float]:
    """Return the time of each full batch, without the first, for a while."""
    size = min(_BATCH, len(bench.subject.dataset))
    loader = bench.subject.dataset.loader(batch_size=size, resize_px=_RESIZE_PX, drop_last=True)
    bench.subject.warm()
    times_s: list[float] = []
    begun_s, epoch = time.perf_counter(), 0
    while True:
        loader.set_epoch(epoch)
        batches = iter(loader)
        before_s = time.perf_counter()
        for _ in batches:
            now_s = time.perf_counter()
            times_s.append((now_s - before_s) * _BATCH / size)
            before_s = now_s
            if now_s - begun_s > window_s and len(times_s) > 2:
                batches.close()  # type: ignore[attr-defined]
                return times_s
        epoch += 1
