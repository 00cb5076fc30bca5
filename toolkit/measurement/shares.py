"""A measurement beside its ceiling: which setting of it, in which unit, and what share of it was reached, with an interval."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Final

from toolkit.facts import Ceiling
from toolkit.measurement.statistics import median_interval, ratio_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.facts import Measurement
    from toolkit.measurement.stage import CeilingRule

__all__ = ["UNDERSTATED_FACTOR", "by_invocation", "passes", "share_interval", "with_ceiling"]

UNDERSTATED_FACTOR: Final = 1.05
"""A rate above this many times its ceiling shows that the ceiling was taken too low."""


def with_ceiling(measurement: Measurement, rule: CeilingRule, known: Sequence[Measurement]) -> Measurement:
    """Return a measurement with the best setting of its ceiling among those known; flagged where there is none."""
    settings = [m for m in known if m.metric == rule.metric and all(m.conditions.get(k) == v for k, v in rule.match.items())]
    settings = [m for m in settings if not {"not_cold", "not_warm"} & set(m.flags)] or settings
    if not settings:
        return dataclasses.replace(measurement, flags=(*measurement.flags, "no_ceiling"))
    if rule.metric == "ceiling.device_read" and measurement.cache_verdict in {"warm", "mixed"}:
        return measurement  # what came from the cache is not held against the device
    best = max(settings, key=lambda m: m.median)
    limits = _limits(measurement, best, rule.parallel_count)
    value = (
        median_interval(limits)[0]
        if _is_processor_time(measurement)
        else _converted(measurement, best.median * rule.parallel_count)
    )
    ceiling = Ceiling(metric=rule.metric, value=value, explanation=rule.explanation)
    is_passed = passes(measurement, value)
    flags = measurement.flags + (("ceiling_understated",) if is_passed else ())
    limited = dataclasses.replace(measurement, ceiling=ceiling, flags=flags)
    return dataclasses.replace(limited, ceiling_share_interval=share_interval(limited, limits))


def _is_processor_time(measurement: Measurement) -> bool:
    return measurement.metric.endswith("cpu_per_image")


def _limits(measurement: Measurement, best: Measurement, parallel_count: int) -> dict[int, list[float]]:
    """Return the values of a ceiling's windows, by invocation, in the unit of a measurement; of processor time their own."""
    if not _is_processor_time(measurement):
        return {
            invocation: [_converted(measurement, value * parallel_count) for value in values]
            for invocation, values in by_invocation(best).items()
        }
    spent: dict[int, list[float]] = {}
    for sample in best.samples:
        if sample.images:
            spent.setdefault(sample.invocation, []).append(sample.cpu_s / sample.images)
    return spent


def by_invocation(measurement: Measurement) -> dict[int, list[float]]:
    """Return the values of a measurement's windows by the invocation that took them."""
    groups: dict[int, list[float]] = {}
    for sample in measurement.samples:
        groups.setdefault(sample.invocation, []).append(sample.value)
    return groups


def share_interval(measurement: Measurement, limits: Mapping[int, Sequence[float]]) -> tuple[float, float] | None:
    """Return the 95 % interval of what share of its ceiling a measurement reaches; None where it is not known.

    Invocations that took both are held against each other, so that what slowed a process down slows both.

    Parameters
    ----------
    measurement : Measurement
        What reaches it, with its ceiling.
    limits : mapping of int to sequence of float
        The ceiling's values in the measurement's unit, by invocation.
    """
    reached = {n: values for n, values in by_invocation(measurement).items() if min(values) > 0}
    known = {n: values for n, values in limits.items() if min(values) > 0}
    share = measurement.ceiling_share
    if share is None or len(set(reached) & set(known)) < 2:
        return None
    _, low, high = ratio_interval(known, reached) if measurement.unit == "s" else ratio_interval(reached, known)
    return (min(low, share), max(high, share)) if math.isfinite(high) else None


def _converted(measurement: Measurement, rate: float) -> float:
    """Return a ceiling's rate in the unit of the measurement."""
    if measurement.unit == "s":
        images = sum(sample.images for sample in measurement.samples) / max(1, sum(s.operations for s in measurement.samples))
        return images / rate if rate else 0.0
    if measurement.unit == "pixels_per_s":
        pixels = sum(sample.value * sample.elapsed_s for sample in measurement.samples)
        images = sum(sample.images for sample in measurement.samples)
        return rate * pixels / images if images else 0.0
    return rate


def passes(measurement: Measurement, ceiling: float) -> bool:
    """Return whether a measurement is beyond what a ceiling can be wrong by."""
    if ceiling <= 0:
        return False
    if measurement.unit == "s":
        return measurement.median * UNDERSTATED_FACTOR < ceiling
    return measurement.median > UNDERSTATED_FACTOR * ceiling
