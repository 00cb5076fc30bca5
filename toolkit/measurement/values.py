"""Values that an invocation found by searching, whose conditions are not known beforehand: said as lines, made measurements."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from toolkit.facts import CacheProof, Ceiling, Measurement, Sample
from toolkit.measurement.statistics import MIN_BOOTSTRAP_INVOCATIONS, median_interval
from toolkit.measurement.windows import utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


__all__ = ["value_line", "values_of"]


def value_line(
    metric: str,
    title: str,
    unit: str,
    value: float,
    *,
    conditions: Mapping[str, Any],
    elapsed_s: float,
    cpu_s: float = 0.0,
    operations: int = 1,
    payload_bytes: int = 0,
    images: int = 0,
    cache: CacheProof | None = None,
    ceiling: Mapping[str, Any] | None = None,
    flags: Sequence[str] = (),
    limits: str = "",
) -> dict[str, Any]:
    """Return one value as plain JSON types: what a ``Measurement`` and its ``Sample`` hold of it."""
    return {
        "metric": metric, "title": title, "unit": unit, "conditions": dict(conditions), "flags": list(flags), "limits": limits,
        "bytes_per_image": payload_bytes / images if images else 0.0, "ceiling": None if ceiling is None else dict(ceiling),
        "sample": {
            "started_at": utc_now(), "elapsed_s": elapsed_s, "cpu_s": cpu_s, "operations": operations,
            "payload_bytes": payload_bytes, "images": images, "value": value,
            "cache": None if cache is None else dataclasses.asdict(cache),
        },
    }  # fmt: skip


def values_of(lines: Sequence[Mapping[str, Any]], extra: Mapping[str, Any] | None = None) -> list[Measurement]:
    """Return a measurement of every metric and conditions that lines of the kind ``value`` tell of, in their order.

    Parameters
    ----------
    lines : sequence of mapping
        What ``value_line`` gave, with ``invocation`` and ``order``.
    extra : mapping, optional
        Conditions to add to each, such as the host when there are several.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        groups.setdefault(json.dumps([line["metric"], line["unit"], line["conditions"]], sort_keys=True), []).append(line)
    return [_measurement(group, dict(extra or {})) for group in groups.values()]


def _measurement(lines: Sequence[Mapping[str, Any]], extra: dict[str, Any]) -> Measurement:
    samples = tuple(_sample(line) for line in lines)
    by_invocation: dict[int, list[float]] = {}
    for sample in samples:
        by_invocation.setdefault(sample.invocation, []).append(sample.value)
    median, low, high = _interval(lines[0], by_invocation)
    flags = ["few_invocations"] if len(by_invocation) < MIN_BOOTSTRAP_INVOCATIONS else []
    flags += dict.fromkeys(flag for line in lines for flag in line["flags"])
    first = lines[-1]
    ceilings = [line["ceiling"] for line in lines if line["ceiling"] is not None]
    return Measurement(
        metric=first["metric"], title=first["title"], unit=first["unit"], conditions=dict(first["conditions"]) | extra,
        samples=samples, median=median, interval_low=low, interval_high=high, bytes_per_image=first["bytes_per_image"],
        ceiling=_ceiling(ceilings), flags=tuple(flags), limits=first["limits"],
    )  # fmt: skip


def _interval(line: Mapping[str, Any], by_invocation: Mapping[int, Sequence[float]]) -> tuple[float, float, float]:
    """Return the median and its interval; of a loss by way of what is kept, which is a ratio of rates and never negative."""
    if line["metric"].endswith("loss"):
        kept, low, high = median_interval({n: [1 - value for value in values] for n, values in by_invocation.items()})
        return 1 - kept, 1 - high, 1 - low
    median, low, high = median_interval(by_invocation)
    return median, low, min(high, max(1.0, median)) if line["unit"] == "share" else high


def _ceiling(found: Sequence[Mapping[str, Any]]) -> Ceiling | None:
    """Return the median of the ceilings that the invocations took."""
    if not found:
        return None
    value, _, _ = median_interval({n: [float(one["value"])] for n, one in enumerate(found)})
    return Ceiling(metric=found[-1]["metric"], value=value, explanation=found[-1]["explanation"])


def _sample(line: Mapping[str, Any]) -> Sample:
    facts = dict(line["sample"])
    facts["cache"] = None if facts["cache"] is None else CacheProof(**facts["cache"])
    return Sample(invocation=line["invocation"], order=line["order"], **facts)
