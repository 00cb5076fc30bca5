"""``toolkit.measure_step``: how long a training or inference step of the user's own model takes here, kept as measurements.

The step is called until its times settle, then timed one by one; work that a device does on its own time is waited for. A
projection takes the rate in place of a published one.
"""

from __future__ import annotations

import dataclasses
import itertools
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from toolkit.errors import UsageError
from toolkit.facts import Measurement, MeasurementSet, Sample
from toolkit.measurement.environment import environment_of
from toolkit.measurement.memory import PeakMemory
from toolkit.measurement.statistics import drift, median_interval
from toolkit.measurement.windows import utc_now

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

__all__ = ["measure_step"]

_LEAST_WARM_UP: Final = 3
_SETTLED_SHARE: Final = 0.05
_WARM_UP_SHARE: Final = 0.3
_LEAST_STEPS: Final = 10
_MOST_STEPS: Final = 5_000
_BLOCKS: Final = 10
_PERCENTILES: Final = (50, 90, 99)
_LIMITS: Final = (
    "The user's own step in the user's own process, on this machine, with the input it was given: what storage and decoding "
    "add is not in it unless the step reads and decodes. The interval is over stretches of one process, unless several were run."
)


def measure_step(
    step: Callable[[], object],
    images_per_step: int,
    *,
    kind: Literal["training", "inference"] = "training",
    model: str | None = None,
    accelerator: str | None = None,
    device_count: int = 1,
    target_s: float = 10.0,
    dataset: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
) -> MeasurementSet:
    """Return how long one step takes: median, percentiles, images each second, peak memory; saved if asked.

    Parameters
    ----------
    step : callable
        One training step (forward, backward, update) or one inference call, with its input at hand; takes nothing.
    images_per_step : int
        Images that one call takes.
    kind : str
        ``training`` or ``inference``.
    model, accelerator : str, optional
        Names from the hardware facts (``tonnage hardware``), such as ``resnet50`` and ``h100_sxm``: a projection takes the
        rate for scenarios of the same. Without them for any scenario, and says so.
    device_count : int
        Devices that take part in the step.
    target_s : float
        Seconds to measure for, warm-up apart; at least ten steps are timed.
    dataset : path, optional
        Dataset beside whose measurements the result is saved, so that ``tonnage project --dataset`` finds it.
    out : path, optional
        JSON file to save to instead. If it holds the same step from an earlier process, this one is added to it, and the
        interval is then over processes.

    Raises
    ------
    UsageError
        If an argument cannot be used. What the step raises is not caught.

    Examples
    --------
    >>> measured = measure_step(lambda: sum(range(1000)), images_per_step=8, target_s=0.01)
    >>> measured.find("step.training_rate").unit
    'images_per_s'
    """
    _check(images_per_step, kind, device_count, target_s, out)
    if dataset is not None and not Path(dataset).is_dir():
        raise UsageError(f"there is no dataset at '{dataset}' beside which the step could be saved")
    _warm_up(step, target_s)
    memory = PeakMemory()
    memory.reset()
    started_at, times_s, cpu_s = _timed(step, target_s)
    conditions = {
        "images_per_step": images_per_step, "devices": device_count, "device": memory.device,
        **{name: value for name, value in (("model", model), ("accelerator", accelerator)) if value is not None},
    }  # fmt: skip
    samples = _samples(times_s, cpu_s, started_at, images_per_step)
    folder = Path(dataset) if dataset is not None else Path()
    found = MeasurementSet(
        dataset="" if dataset is None else str(dataset), dataset_version=-1, plan="step", started_at=started_at,
        elapsed_s=float(np.sum(times_s)), environment=environment_of(folder),
        measurements=_measurements(kind, conditions, samples, memory.found_bytes()),
    )  # fmt: skip
    return _saved(found, kind, dataset, out)


def _check(images_per_step: int, kind: str, device_count: int, target_s: float, out: str | os.PathLike[str] | None) -> None:
    if kind not in {"training", "inference"}:
        raise UsageError(f"kind must be 'training' or 'inference', not '{kind}'")
    for name, value in (("images_per_step", images_per_step), ("device_count", device_count)):
        if value < 1:
            raise UsageError(f"{name} must be 1 or more, not {value!r}")
    if not target_s > 0:
        raise UsageError(f"target_s must be more than 0 seconds, not {target_s!r}")
    if out is not None and Path(out).suffix != ".json":
        raise UsageError(f"out must be a .json file, not '{out}'; its samples are written to .parquet beside it")


def _wait() -> None:
    """Wait for work that PyTorch has only handed to a device; the step may be what imports it."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif getattr(torch.backends, "mps", None) is not None and torch.backends.mps.is_available():
        torch.mps.synchronize()


def _warm_up(step: Callable[[], object], target_s: float) -> None:
    """Call the step until two in a row take about as long, at least three times and for at most a share of the target."""
    begun_s, before_s, count = time.perf_counter(), 0.0, 0
    while True:
        now_s = time.perf_counter()
        step()
        _wait()
        took_s, count = time.perf_counter() - now_s, count + 1
        is_settled = abs(took_s - before_s) <= _SETTLED_SHARE * took_s
        if count >= _LEAST_WARM_UP and (is_settled or time.perf_counter() - begun_s > _WARM_UP_SHARE * target_s):
            return
        before_s = took_s


def _timed(step: Callable[[], object], target_s: float) -> tuple[str, list[float], list[float]]:
    """Return when it began, and wall and processor seconds of each step."""
    started_at = utc_now()
    times_s: list[float] = []
    cpu_s: list[float] = []
    begun_s = time.perf_counter()
    while len(times_s) < _LEAST_STEPS or (time.perf_counter() - begun_s < target_s and len(times_s) < _MOST_STEPS):
        cpu_before, now_s = time.process_time(), time.perf_counter()
        step()
        _wait()
        times_s.append(time.perf_counter() - now_s)
        cpu_s.append(time.process_time() - cpu_before)
    return started_at, times_s, cpu_s


def _samples(times_s: Sequence[float], cpu_s: Sequence[float], started_at: str, images: int) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            invocation=0, order=order, started_at=started_at, elapsed_s=elapsed_s, cpu_s=cpu, operations=1, payload_bytes=0,
            images=images, value=elapsed_s,
        )
        for order, (elapsed_s, cpu) in enumerate(zip(times_s, cpu_s, strict=True))
    )  # fmt: skip


def _measurements(
    kind: str, conditions: dict[str, Any], samples: tuple[Sample, ...], memory_bytes: dict[str, int]
) -> tuple[Measurement, ...]:
    """Return times by percentile, the rate, and the peak of each memory."""
    found = [_of_times(kind, conditions, samples, percentile) for percentile in _PERCENTILES]
    found.append(_of_rate(kind, conditions, samples))
    for where, size_bytes in memory_bytes.items():
        sample = dataclasses.replace(samples[0], value=float(size_bytes))
        found.append(
            Measurement(
                metric=f"step.{kind}_memory", title=f"Peak memory of a step, {where}", unit="bytes",
                conditions=conditions | {"memory": where}, samples=(sample,), median=float(size_bytes),
                interval_low=float(size_bytes), interval_high=float(size_bytes), flags=("few_invocations",), limits=_LIMITS,
            )
        )  # fmt: skip
    return tuple(found)


def _of_times(kind: str, conditions: dict[str, Any], samples: tuple[Sample, ...], percentile: int) -> Measurement:
    """Return the time of a step: the median, or a percentile of all steps of each process."""
    by_block = {n: [float(np.percentile([s.value for s in block], percentile))] for n, block in enumerate(_blocks(samples))}
    _, low, high = median_interval(by_block)
    by_process = [float(np.percentile([s.value for s in group], percentile)) for group in _processes(samples)]
    value = float(np.median(by_process))
    title = f"Time of {'an inference' if kind == 'inference' else 'a training'} step"
    return Measurement(
        metric=f"step.{kind}", title=title if percentile == 50 else f"{title}, p{percentile}", unit="s",
        conditions=conditions | {"percentile": f"p{percentile}"}, samples=samples, median=value,
        interval_low=min(low, value), interval_high=max(high, value), flags=_flags(samples), limits=_LIMITS,
    )  # fmt: skip


def _of_rate(kind: str, conditions: dict[str, Any], samples: tuple[Sample, ...]) -> Measurement:
    """Return images each second: all of a stretch over all of its time, so that slow steps count in full."""
    blocks = _blocks(samples)
    rates = [sum(s.images for s in block) / sum(s.elapsed_s for s in block) for block in blocks]
    groups: dict[int, list[float]] = {}
    for number, (block, rate) in enumerate(zip(blocks, rates, strict=True)):
        groups.setdefault(block[0].invocation if len(_processes(samples)) > 1 else number, []).append(rate)
    value, low, high = median_interval(groups)
    stretches = tuple(
        dataclasses.replace(
            block[0], elapsed_s=sum(s.elapsed_s for s in block), cpu_s=sum(s.cpu_s for s in block), operations=len(block),
            images=sum(s.images for s in block), value=rate,
        )
        for block, rate in zip(blocks, rates, strict=True)
    )  # fmt: skip
    return Measurement(
        metric=f"step.{kind}_rate", title=f"Images through {kind}, each second", unit="images_per_s", conditions=conditions,
        samples=stretches, median=value, interval_low=low, interval_high=high, flags=_flags(samples), limits=_LIMITS,
    )  # fmt: skip


def _processes(samples: Sequence[Sample]) -> list[list[Sample]]:
    return [[s for s in samples if s.invocation == n] for n in sorted({s.invocation for s in samples})]


def _blocks(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Return stretches of consecutive steps of each process: neighbours share what disturbed them, stretches less so.

    Source: Law and Kelton, "Simulation Modeling and Analysis", section 9.5.3 (batch means).
    """
    blocks = []
    for group in _processes(samples):
        edges = np.linspace(0, len(group), min(_BLOCKS, len(group)) + 1).astype(int)
        blocks += [group[start:stop] for start, stop in itertools.pairwise(edges)]
    return blocks


def _flags(samples: Sequence[Sample]) -> tuple[str, ...]:
    flags = ["one_process"] if len({s.invocation for s in samples}) == 1 else []
    means = [float(np.mean([s.value for s in block])) for block in _blocks(samples)]
    return (*flags, "drift") if drift(means) else tuple(flags)


def _saved(
    found: MeasurementSet, kind: str, dataset: str | os.PathLike[str] | None, out: str | os.PathLike[str] | None
) -> MeasurementSet:
    """Save where asked, together with what an earlier process saved of the same step."""
    if out is None and dataset is None:
        return found
    if out is None:
        out = Path(dataset or "") / "measurements" / "steps" / f"{kind}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    elif Path(out).exists():
        found = _joined(MeasurementSet.load(Path(out)), found, kind)
    found.save(Path(out))
    return found


def _joined(before: MeasurementSet, now: MeasurementSet, kind: str) -> MeasurementSet:
    """Return one set of both processes' steps, if they are of the same step; the others of the file are kept."""
    old, new = before.find(f"step.{kind}", percentile="p50"), now.find(f"step.{kind}", percentile="p50")
    if old is None or new is None or dict(old.conditions) != dict(new.conditions):
        return dataclasses.replace(now, measurements=(*before.measurements, *now.measurements))
    invocation = 1 + max(sample.invocation for sample in old.samples)
    samples = old.samples + tuple(dataclasses.replace(sample, invocation=invocation) for sample in new.samples)
    conditions = {name: value for name, value in new.conditions.items() if name != "percentile"}
    both = [m for m in (*before.measurements, *now.measurements) if m.metric == f"step.{kind}_memory"]
    memory = {where: max(round(m.median) for m in both if m.conditions["memory"] == where) for where in _memories(both)}
    others = tuple(m for m in before.measurements if not m.metric.startswith(f"step.{kind}"))
    return dataclasses.replace(now, measurements=(*others, *_measurements(kind, conditions, samples, memory)))


def _memories(found: Sequence[Measurement]) -> list[str]:
    return list(dict.fromkeys(str(m.conditions["memory"]) for m in found))
