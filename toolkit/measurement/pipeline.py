"""What the stages of a loader should reach together, from what each was measured to do alone, beside what the loader did."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final, NamedTuple

from toolkit.dataset.read_ahead import READERS
from toolkit.facts import Model, Prediction
from toolkit.laws.forms import shared_cores_rate, slowest_stage
from toolkit.measurement.statistics import median_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from toolkit.facts import Measurement

__all__ = ["pipeline_models"]

_LOADERS: Final = ("loader.decoded", "loader.bytes")

_ROOFLINE: Final = (
    "What the slowest stage alone allows, were the others free: a loader can come near it, not pass it. Assembling batches, "
    "and what stages take from each other, are not in it."
)
_SHARED: Final = "What the cores allow if every stage takes its processor time from the same ones, one after the other."


class _Part(NamedTuple):
    """A stage of a loader: what was measured of it alone, and how the loader uses it."""

    measured: Measurement
    thread_count: int
    """Threads that it was measured with."""
    times: int
    """How many times that the loader runs at once."""


def pipeline_models(found: Sequence[Measurement]) -> Iterator[Model]:
    """Yield, for each loader that was measured, its stage roofline and what shared cores allow, beside the measured rate."""
    for loader in found:
        if loader.metric not in _LOADERS:
            continue
        parts = _parts(loader, found)
        if len(parts) < 2:
            continue
        cores = int(loader.conditions.get("workers", 1))
        rates = {name: _by_invocation(part.measured, loader) for name, part in parts.items()}
        shared = sorted(set.intersection(*map(set, rates.values())))
        if not shared:
            continue

        def bound(n: int, rates: dict[str, dict[int, float]] = rates, parts: dict[str, _Part] = parts) -> float:
            return slowest_stage([by[n] * parts[name].times for name, by in rates.items()])[1]

        def together(
            n: int, rates: dict[str, dict[int, float]] = rates, parts: dict[str, _Part] = parts, cores: int = cores
        ) -> float:
            return shared_cores_rate([parts[name].thread_count / by[n] for name, by in rates.items()], cores)

        alone = {f"{name}_{loader.unit}": statistics.median(by.values()) * parts[name].times for name, by in rates.items()}
        binding = list(rates)[slowest_stage(list(alone.values()))[0]]
        yield _model(loader, "stage roofline", f"{binding} binds", alone, shared, bound, _ROOFLINE)
        yield _model(loader, "shared cores", "cores shared", alone, shared, together, _SHARED)


def _parts(loader: Measurement, found: Sequence[Measurement]) -> dict[str, _Part]:
    """Return the stages that the loader's bytes pass: as they were measured with as many threads, else one times as many."""
    cores = int(loader.conditions.get("workers", 1))
    cache = {"cache": loader.conditions.get("cache", "warm")}
    check, output = loader.conditions.get("verify"), {"output": loader.conditions.get("output")}
    wanted: dict[str, list[tuple[str, dict[str, object], int, int]]] = {
        "read": [
            ("read.row_groups", cache | {"threads": READERS}, READERS, 1),
            ("read.sequential", cache, 1, READERS),
        ]
    }
    if check:
        by_readers = check == "pages"  # they hold each page against its checksum; images are hashed by those who decode
        wanted["hash"] = [("hash.crc32" if by_readers else "hash.sha256", {}, 1, READERS if by_readers else cores)]
    if output["output"] != "encoded":
        wanted["decode"] = [
            ("decode.all_cores", output | {"threads": cores}, cores, 1),
            ("decode.core", output, 1, cores),
        ]
    host = {} if loader.conditions.get("host") is None else {"host": loader.conditions["host"]}
    parts = {}
    for name, choices in wanted.items():
        for metric, asked, threads, times in choices:
            stage = next((m for m in found if m.metric == metric and _holds(m, asked | host) and m.median > 0), None)
            if stage is not None:
                parts[name] = _Part(stage, threads, times)
                break
    return parts


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
