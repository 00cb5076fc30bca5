"""From the windows of all invocations to measurements: medians, intervals, flags, and the ceiling beside each."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from toolkit.facts import CacheProof, Latency, Measurement, Sample, Wire
from toolkit.measurement.flags import flags_of
from toolkit.measurement.headspace import headspace_of
from toolkit.measurement.shares import passes, with_ceiling
from toolkit.measurement.stages import FULL, CeilingRule
from toolkit.measurement.statistics import median_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.measurement.stages import Stage

__all__ = ["curation_of", "findings_of", "understated"]

_CURATION_LIMITS: Final = (
    "One run at the time of curation, on the machine that did it; with everything curation does, writing included."
)


def findings_of(
    stages: Sequence[Stage],
    windows: Sequence[Mapping[str, Any]],
    *,
    environment: Mapping[str, Any],
    window_s: float,
    mean_image_bytes: float,
    extra: Mapping[str, Any] | None = None,
) -> list[Measurement]:
    """Return the measurements of the stages that have windows, in the order of the stages, best setting of a ceiling first.

    Parameters
    ----------
    stages : sequence of Stage
        What was to be measured, ceilings included.
    windows : sequence of mapping
        Lines of the kind ``window`` that the invocations printed.
    environment : mapping
        Facts of the machine they ran on.
    window_s : float
        Intended length of a window, where its stage asks for no other.
    mean_image_bytes : float
        Mean encoded bytes of an image of the dataset, to convert rates that have no images of their own.
    extra : mapping, optional
        Conditions to add to each, such as the host when there are several.
    """
    by_key: dict[str, list[Mapping[str, Any]]] = {}
    for line in sorted(windows, key=lambda line: (line["invocation"], line["order"])):
        by_key.setdefault(_key(line), []).append(line)
    found: list[tuple[Stage, Measurement]] = []
    for stage in stages:
        lines = [line for line in by_key.get(stage.derived_from or stage.key, []) if _value(stage, line["window"]) is not None]
        if lines:
            found.append((stage, _measurement(stage, lines, environment, window_s, mean_image_bytes)))
    ceilings = [measurement for stage, measurement in found if _is_ceiling(stage)]
    kinds = list(dict.fromkeys(map(_kind, ceilings)))
    ceilings.sort(key=lambda m: (kinds.index(_kind(m)), -m.median))
    others = [with_ceiling(m, s.ceiling, ceilings) if s.ceiling else m for s, m in found if not _is_ceiling(s)]
    others += [headspace for m in others if (headspace := headspace_of(m, ceilings)) is not None]
    return [dataclasses.replace(m, conditions=dict(m.conditions) | dict(extra or {})) for m in (*ceilings, *others)]


def curation_of(rates: Mapping[str, float], committed_at: str, ceilings: Sequence[Measurement]) -> Measurement | None:
    """Return how fast the dataset was curated, as its last commit recorded it; None when it did not.

    It is one run, not measured here: the ceiling beside it is this machine's, for as many cores.
    """
    if rates.get("images_per_s", 0) <= 0 or rates.get("elapsed_s", 0) <= 0:
        return None
    elapsed_s, cores = float(rates["elapsed_s"]), max(1, int(rates.get("core_count", 1)))
    value, bytes_per_s = float(rates["images_per_s"]), float(rates.get("bytes_per_s", 0.0))
    sample = Sample(
        invocation=0, order=0, started_at=committed_at, elapsed_s=elapsed_s, cpu_s=float(rates.get("cpu_s", 0.0)), operations=1,
        payload_bytes=round(bytes_per_s * elapsed_s), images=round(value * elapsed_s), value=value,
    )  # fmt: skip
    measurement = Measurement(
        metric="curate.write", title="Curation of the last batch", unit="images_per_s", samples=(sample,), median=value,
        conditions={"cores": cores, "workers": int(rates.get("worker_count", 1)), "taken": "when the batch was curated"},
        interval_low=value, interval_high=value, bytes_per_image=bytes_per_s / value,
        flags=("few_invocations", "from_the_record"), limits=_CURATION_LIMITS,
    )  # fmt: skip
    codec = f"The codec alone in memory at full size; times {cores} cores of this machine."
    rule = CeilingRule(metric="ceiling.decode_core", match={"output": FULL}, parallel_count=cores, explanation=codec)
    return with_ceiling(measurement, rule, ceilings)


def understated(found: Sequence[Measurement]) -> tuple[str, ...]:
    """Return the ceilings that some measurement passes, sorted: they are to be taken again."""
    passed = {m.ceiling.metric for m in found if m.ceiling is not None and passes(m, m.ceiling.value)}
    return tuple(sorted(passed))


def _key(line: Mapping[str, Any]) -> str:
    return json.dumps([line["metric"], dict(line["conditions"])], sort_keys=True)


def _is_ceiling(stage: Stage) -> bool:
    """Return whether a stage is one that others are held against: of this machine, or of the target of a transfer."""
    return stage.family == "ceiling" or stage.metric.startswith("ceiling.")


def _kind(ceiling: Measurement) -> tuple[object, ...]:
    """Return what the settings of one ceiling share; the others are what its sweep varies."""
    return ceiling.metric, ceiling.conditions.get("pattern"), ceiling.conditions.get("output")


def _measurement(
    stage: Stage, lines: Sequence[Mapping[str, Any]], environment: Mapping[str, Any], window_s: float, mean_image_bytes: float
) -> Measurement:
    samples = tuple(_sample(stage, line) for line in lines)
    groups: dict[int, list[float]] = {}
    for sample in samples:
        groups.setdefault(sample.invocation, []).append(sample.value)
    median, low, high = median_interval(groups)
    if stage.unit == "share":
        high = min(high, max(1.0, median))
    images = sum(sample.images for sample in samples)
    payload_bytes = sum(sample.payload_bytes for sample in samples)
    return Measurement(
        metric=stage.metric,
        title=stage.title,
        unit=stage.unit,
        conditions=stage.conditions,
        samples=samples,
        median=median,
        interval_low=low,
        interval_high=high,
        bytes_per_image=payload_bytes / images if images else mean_image_bytes,
        flags=flags_of(stage, samples, environment, window_s),
        limits=stage.limits,
    )


def _sample(stage: Stage, line: Mapping[str, Any]) -> Sample:
    window, cache = line["window"], line["cache"]
    return Sample(
        invocation=line["invocation"],
        order=line["order"],
        started_at=window["started_at"],
        elapsed_s=window["elapsed_s"],
        cpu_s=window["cpu_s"],
        operations=window["tally"]["operations"],
        payload_bytes=window["tally"]["payload_bytes"],
        images=window["tally"]["images"],
        value=_value(stage, window) or 0.0,
        cache=None if cache is None else CacheProof(**cache),
        wire=None if window.get("wire") is None else Wire(**window["wire"]),
        latency=None if window.get("latency") is None else Latency(**window["latency"]),
        neighbour_share=line.get("neighbour_share"),
        steal_share=line.get("steal_share"),
        io_stall_share=line.get("io_stall_share"),
        cpu_stall_share=line.get("cpu_stall_share"),
    )


def _value(stage: Stage, window: Mapping[str, Any]) -> float | None:
    """Return a window's value in the unit of a stage; None when nothing was done in it."""
    tally, elapsed_s, unit = window["tally"], window["elapsed_s"], stage.unit
    if elapsed_s <= 0 or not tally["operations"]:
        return None
    if stage.figure == "cpu_per_image":
        return float(window["cpu_s"] / tally["images"]) if tally["images"] else None
    if stage.figure == "stall_share":
        return float(min(1.0, tally["waited_s"] / elapsed_s))
    if unit == "s":
        return float(elapsed_s / tally["operations"])
    amounts = {"bytes_per_s": "payload_bytes", "images_per_s": "images", "pixels_per_s": "pixels"}
    return float(tally[amounts[unit]] / elapsed_s)
