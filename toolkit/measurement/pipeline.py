"""What the stages of a loader should reach together, from what each was measured to do alone, beside what the loader did."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from toolkit.facts import Model, Prediction
from toolkit.laws.forms import shared_cores_rate, slowest_stage
from toolkit.measurement.statistics import median_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from toolkit.facts import Measurement

__all__ = ["pipeline_models"]

_ROOFLINE: Final = (
    "What the slowest stage alone allows, were the others free: a loader can come near it, not pass it. Assembling batches, "
    "and what stages take from each other, are not in it."
)
_SHARED: Final = "What the cores allow if every stage takes its processor time from the same ones, one after the other."


def pipeline_models(found: Sequence[Measurement]) -> Iterator[Model]:
    """Yield, for each loader that was measured, its stage roofline and what shared cores allow, beside the measured rate."""
    for loader in found:
        if not loader.metric.startswith("loader.") or loader.unit not in {"images_per_s", "bytes_per_s"}:
            continue
        stages = _stages(loader, found)
        if len(stages) < 2:
            continue
        cores = int(loader.conditions.get("workers", 1))
        by_stage = {name: _by_invocation(stage, loader) for name, (stage, _) in stages.items()}
        parallel = {name: count for name, (_, count) in stages.items()}
        shared = sorted(set.intersection(*(set(rates) for rates in by_stage.values())))
        if not shared:
            continue

        def bound(n: int, by_stage: dict[str, dict[int, float]] = by_stage, parallel: dict[str, int] = parallel) -> float:
            return slowest_stage([rates[n] * parallel[name] for name, rates in by_stage.items()])[1]

        def together(n: int, by_stage: dict[str, dict[int, float]] = by_stage, cores: int = cores) -> float:
            return shared_cores_rate([1 / rates[n] for rates in by_stage.values()], cores)

        alone = {f"{name}_{loader.unit}": statistics.median(r.values()) * parallel[name] for name, r in by_stage.items()}
        binding = list(by_stage)[slowest_stage(list(alone.values()))[0]]
        yield _model(loader, "stage roofline", f"{binding} binds", alone, shared, bound, _ROOFLINE)
        yield _model(loader, "shared cores", "cores shared", alone, shared, together, _SHARED)


def _stages(loader: Measurement, found: Sequence[Measurement]) -> dict[str, tuple[Measurement, int]]:
    """Return the stages that the loader's bytes pass, each with how many of it run at once."""
    cores = int(loader.conditions.get("workers", 1))
    host, output = loader.conditions.get("host"), loader.conditions.get("output")
    wanted: list[tuple[str, str, dict[str, object], int]] = [
        ("read", "read.sequential", {"cache": loader.conditions.get("cache", "warm")}, 1)
    ]
    if loader.conditions.get("verify"):
        wanted.append(("hash", "hash.sha256", {}, cores))
    if output != "encoded":
        wanted.append(("decode", "decode.core", {"output": output}, cores))
    stages = {}
    for name, metric, asked, count in wanted:
        match = {key: value for key, value in (asked | {"host": host}).items() if value is not None}
        stage = next((m for m in found if m.metric == metric and _holds(m, match)), None)
        if stage is not None and stage.median > 0:
            stages[name] = (stage, count)
    return stages


def _holds(measurement: Measurement, match: dict[str, object]) -> bool:
    return all(measurement.conditions.get(key) == value for key, value in match.items())


def _by_invocation(stage: Measurement, loader: Measurement) -> dict[int, float]:
    """Return a stage's rate in each invocation, in the loader's unit."""
    size_bytes = loader.bytes_per_image or stage.bytes_per_image
    factor = 1.0
    if stage.unit == "bytes_per_s" and loader.unit == "images_per_s":
        factor = 1 / size_bytes if size_bytes else 0.0
    elif stage.unit == "images_per_s" and loader.unit == "bytes_per_s":
        factor = size_bytes
    rates: dict[int, list[float]] = {}
    for sample in stage.samples:
        if sample.value * factor > 0:
            rates.setdefault(sample.invocation, []).append(sample.value * factor)
    return {invocation: statistics.median(values) for invocation, values in rates.items()}


def _model(
    loader: Measurement, law: str, how: str, alone: dict[str, float], invocations: Sequence[int],
    rate: Callable[[int], float], limits: str,
) -> Model:  # fmt: skip
    value, low, high = median_interval({n: [rate(n)] for n in invocations})
    level = float(loader.conditions.get("workers", 1))
    return Model(
        metric=loader.metric, title=f"{loader.title}, from its stages: {how}", unit=loader.unit, law=law, swept="",
        conditions=dict(loader.conditions), parameters=alone, parameter_intervals={}, left_out_share={},
        predictions=(Prediction(level=level, value=value, low=low, high=high, measured=loader.median),),
        limits=limits,
    )  # fmt: skip
