"""From the windows of all invocations to measurements: medians, intervals, flags, and the ceiling beside each."""

from __future__ import annotations

import dataclasses
import json
import statistics
from typing import TYPE_CHECKING, Any, Final

from toolkit.facts import CacheProof, Ceiling, Latency, Measurement, Sample, Wire
from toolkit.measurement.stages import FULL, CeilingRule
from toolkit.measurement.statistics import MIN_BOOTSTRAP_INVOCATIONS, drift, median_interval
from toolkit.units import MIB

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.measurement.stages import Stage

__all__ = ["FLAGS", "UNDERSTATED_FACTOR", "curation_of", "findings_of", "understated"]

FLAGS: Final = {
    "cache_unverified": "the state of the page cache could not be proven",
    "ceiling_understated": "the rate is above 1.05 of its ceiling even after that was taken again: no share is given",
    "coherence_unidentified": "what members cost each other by keeping in step could not be told from 0",
    "dataset_below_rule": "the dataset is smaller than the benchmark's rule asks for: caches and repeats are in the figure",
    "cpu_bound": "meant to wait for the device, but the processors were busy nine tenths of the time",
    "drift": "values changed from first to last by 10 % or more",
    "few_operations": "fewer than a hundred operations were timed in all: the 99th percentile is the slowest one",
    "few_invocations": "fewer than six fresh processes: the interval is Student's t on logarithms, and wide",
    "few_levels": "fewer than six levels were measured: a law through them says little of others",
    "few_steps": "fewer than the 500 steps that the benchmark's rule asks for",
    "from_the_record": "recorded by the dataset when it was made, not measured now",
    "interrupted": "the run was stopped; this is what had been measured",
    "little_residual": "operations in flight differ by over a tenth from the readers at work (Little's law)",
    "loopback": "both ends are this machine: protocol and processor cost, not a network",
    "most_tried": "no larger number was tried: memory would not hold its batches, or it is the most that is emulated",
    "neighbour_load": "others used more than a tenth of the processors meanwhile",
    "no_ceiling": "its ceiling could not be taken",
    "not_cold": "meant to come from the device, but some windows were served from the page cache",
    "not_warm": "meant to come from the page cache, but some windows read from the device",
    "one_process": "one process: the interval is over stretches of it, and tells nothing of other runs",
    "retransmits": "TCP had to send segments again: a link that is full, or loses",
    "shared_host": "some of these workers share one machine: as many hosts would give more",
    "steal": "the hypervisor took more than a fiftieth of the processors' time meanwhile",
    "short_window": "windows were shorter than half of what the plan asks for",
    "small_dataset": "what was read fits the processor's cache: memory was not reached",
    "stragglers": "some hosts took more than 1.25 times as long as the middle one; they are named in its samples",
}
"""What each flag says, for people."""

UNDERSTATED_FACTOR: Final = 1.05
"""A rate above this many times its ceiling shows that the ceiling was taken too low."""

_NEIGHBOUR_SHARE: Final = 0.1
_SHORT_SHARE: Final = 0.5
_BUSY_SHARE: Final = 0.9
_STEAL_SHARE: Final = 0.02
_FEW_OPERATIONS: Final = 100
_LITTLE_SHARE: Final = 0.1
_CACHE_MULTIPLE: Final = 1.5
_ASSUMED_L3_BYTES: Final = 32 * MIB
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
        Intended length of a window.
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
        lines = [
            line for line in by_key.get(stage.derived_from or stage.key, []) if _value(stage.unit, line["window"]) is not None
        ]
        if lines:
            found.append((stage, _measurement(stage, lines, environment, window_s, mean_image_bytes)))
    ceilings = [measurement for stage, measurement in found if _is_ceiling(stage)]
    kinds = list(dict.fromkeys(map(_kind, ceilings)))
    ceilings.sort(key=lambda m: (kinds.index(_kind(m)), -m.median))
    others = [_with_ceiling(m, s.ceiling, ceilings) if s.ceiling else m for s, m in found if not _is_ceiling(s)]
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
    return _with_ceiling(measurement, rule, ceilings)


def understated(found: Sequence[Measurement]) -> tuple[str, ...]:
    """Return the ceilings that some measurement passes, sorted: they are to be taken again."""
    passed = {m.ceiling.metric for m in found if m.ceiling is not None and _passes(m, m.ceiling.value)}
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
        flags=_flags(stage, samples, lines, environment, window_s),
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
        value=_value(stage.unit, window) or 0.0,
        cache=None if cache is None else CacheProof(**cache),
        wire=None if window.get("wire") is None else Wire(**window["wire"]),
        latency=None if window.get("latency") is None else Latency(**window["latency"]),
        neighbour_share=line.get("neighbour_share"),
        steal_share=line.get("steal_share"),
        io_stall_share=line.get("io_stall_share"),
        cpu_stall_share=line.get("cpu_stall_share"),
    )


def _value(unit: str, window: Mapping[str, Any]) -> float | None:
    """Return a window's value in a unit; None when nothing was done in it."""
    tally, elapsed_s = window["tally"], window["elapsed_s"]
    if elapsed_s <= 0 or not tally["operations"]:
        return None
    if unit == "s":
        return float(elapsed_s / tally["operations"])
    amounts = {"bytes_per_s": "payload_bytes", "images_per_s": "images", "pixels_per_s": "pixels"}
    return float(tally[amounts[unit]] / elapsed_s)


def _flags(
    stage: Stage, samples: Sequence[Sample], lines: Sequence[Mapping[str, Any]], environment: Mapping[str, Any], window_s: float
) -> tuple[str, ...]:
    flags: list[str] = []
    if len({sample.invocation for sample in samples}) < MIN_BOOTSTRAP_INVOCATIONS:
        flags.append("few_invocations")
    if stage.unit != "s" and statistics.median(sample.elapsed_s for sample in samples) < _SHORT_SHARE * window_s:
        flags.append("short_window")
    neighbours = [line["neighbour_share"] for line in lines if line.get("neighbour_share") is not None]
    if neighbours and statistics.median(neighbours) > _NEIGHBOUR_SHARE:
        flags.append("neighbour_load")
    flags += _loop_flags(stage, samples)
    if drift([sample.value for sample in samples]):
        flags.append("drift")
    wires = [sample.wire for sample in samples if sample.wire is not None]
    if stage.conditions.get("path") == "loopback" or any(wire.path == "loopback" for wire in wires):
        flags.append("loopback")
    if any(wire.retransmit_count for wire in wires):
        flags.append("retransmits")
    flags += _cache_flags(stage, samples, environment)
    return tuple(flags)


def _loop_flags(stage: Stage, samples: Sequence[Sample]) -> list[str]:
    """Return what is to be said of processors and closed loops."""
    flags: list[str] = []
    members = int(stage.conditions.get("threads", 1))
    if stage.conditions.get("cache") == "cold":
        busy = statistics.median(sample.cpu_s / sample.elapsed_s / members for sample in samples)
        flags += ["cpu_bound"] if busy > _BUSY_SHARE else []
    stolen = [sample.steal_share for sample in samples if sample.steal_share is not None]
    flags += ["steal"] if stolen and statistics.median(stolen) > _STEAL_SHARE else []
    timed = [(sample.latency, sample.elapsed_s) for sample in samples if sample.latency is not None]
    if timed:
        flags += ["few_operations"] if sum(latency.count for latency, _ in timed) < _FEW_OPERATIONS else []
        residual = statistics.median(latency.little_residual(elapsed_s) for latency, elapsed_s in timed)
        flags += ["little_residual"] if abs(residual) > _LITTLE_SHARE else []
    return flags


def _cache_flags(stage: Stage, samples: Sequence[Sample], environment: Mapping[str, Any]) -> list[str]:
    """Return what is to be said of the cache: not as intended, not known, or the processor's own."""
    intended = stage.conditions.get("cache")
    verdicts = {sample.cache.verdict for sample in samples if sample.cache is not None}
    flags = ["cache_unverified"] if "unverified" in verdicts else []
    if intended in {"cold", "warm"} and verdicts - {intended, "unverified"}:
        flags.append(f"not_{intended}")
    held_bytes = environment.get("working_set_bytes", 0)
    reads_shards = intended == "warm" or stage.metric.startswith("transfer.")
    if reads_shards and held_bytes < _CACHE_MULTIPLE * (environment.get("l3_cache_bytes") or _ASSUMED_L3_BYTES):
        flags.append("small_dataset")
    return flags


def _with_ceiling(measurement: Measurement, rule: CeilingRule, known: Sequence[Measurement]) -> Measurement:
    settings = [m for m in known if m.metric == rule.metric and all(m.conditions.get(k) == v for k, v in rule.match.items())]
    settings = [m for m in settings if not {"not_cold", "not_warm"} & set(m.flags)] or settings
    if not settings:
        return dataclasses.replace(measurement, flags=(*measurement.flags, "no_ceiling"))
    best = max(settings, key=lambda m: m.median)
    value = _converted(measurement, best.median * rule.parallel_count)
    ceiling = Ceiling(metric=rule.metric, value=value, explanation=rule.explanation)
    flags = measurement.flags + (("ceiling_understated",) if _passes(measurement, value) else ())
    return dataclasses.replace(measurement, ceiling=ceiling, flags=flags)


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


def _passes(measurement: Measurement, ceiling: float) -> bool:
    if ceiling <= 0:
        return False
    if measurement.unit == "s":
        return measurement.median * UNDERSTATED_FACTOR < ceiling
    return measurement.median > UNDERSTATED_FACTOR * ceiling
