"""What is to be said of a measurement beside its figure: windows too short, neighbours, a cache in another state."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, Final

from toolkit.measurement.statistics import MIN_BOOTSTRAP_INVOCATIONS, drift
from toolkit.units import MIB

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.facts import Sample
    from toolkit.measurement.stage import Stage

__all__ = ["FEW_OPERATIONS", "FLAGS", "flags_of"]

FLAGS: Final = {
    "cache_unverified": "the state of the page cache could not be proven",
    "ceiling_understated": "the rate is above 1.05 of its ceiling even after that was taken again: no share is given",
    "coherence_unidentified": "what members cost each other by keeping in step could not be told from 0",
    "dataset_below_rule": "the dataset is smaller than the benchmark's rule asks for: caches and repeats are in the figure",
    "cpu_bound": "meant to wait for a device or a link, but processors (of one end, if a transfer) were busy nine tenths of it",
    "drift": "values changed from first to last by 10 % or more",
    "few_operations": "fewer than a hundred operations were timed in all: the 99th percentile is the slowest one",
    "few_invocations": "fewer than six fresh processes: the interval is Student's t on logarithms, and wide",
    "few_levels": "fewer than six levels were measured: a law through them says little of others",
    "few_steps": "fewer than the 500 steps that the benchmark's rule asks for",
    "from_the_record": "recorded by the dataset when it was made, not measured now",
    "interrupted": "the run was stopped; this is what had been measured",
    "little_residual": "operations in flight differ by over a tenth from the readers or streams at work (Little's law)",
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
    "short_window": "windows were shorter than half of what was planned",
    "small_dataset": "what was read fits the processor's cache: memory was not reached",
    "stragglers": "some hosts took more than 1.25 times as long as the middle one; they are named in its samples",
}
"""What each flag says, for people."""

FEW_OPERATIONS: Final = 100
"""Of fewer the 99th percentile is the slowest one."""

_NEIGHBOUR_SHARE: Final = 0.1
_SHORT_SHARE: Final = 0.5
_BUSY_SHARE: Final = 0.9
_STEAL_SHARE: Final = 0.02
_LITTLE_SHARE: Final = 0.1
_CACHE_MULTIPLE: Final = 1.5
_ASSUMED_L3_BYTES: Final = 32 * MIB


def flags_of(stage: Stage, samples: Sequence[Sample], environment: Mapping[str, Any], planned_s: float) -> tuple[str, ...]:
    """Return the flags of a stage's samples, in the order in which they are told.

    Parameters
    ----------
    stage : Stage
        What was measured.
    samples : sequence of Sample
        Its windows.
    environment : mapping
        Facts of the machine.
    planned_s : float
        Length of a window by the plan, where the stage asks for no other.
    """
    flags: list[str] = []
    if len({sample.invocation for sample in samples}) < MIN_BOOTSTRAP_INVOCATIONS:
        flags.append("few_invocations")
    least_s = _SHORT_SHARE * (stage.window_s or planned_s)
    if stage.unit != "s" and statistics.median(sample.elapsed_s for sample in samples) < least_s:
        flags.append("short_window")
    neighbours = [sample.neighbour_share for sample in samples if sample.neighbour_share is not None]
    if neighbours and statistics.median(neighbours) > _NEIGHBOUR_SHARE:
        flags.append("neighbour_load")
    flags += _loop_flags(stage, samples, environment)
    if drift([sample.value for sample in samples]):
        flags.append("drift")
    wires = [sample.wire for sample in samples if sample.wire is not None]
    if stage.conditions.get("path") == "loopback" or any(wire.path == "loopback" for wire in wires):
        flags.append("loopback")
    if any(wire.retransmit_count for wire in wires):
        flags.append("retransmits")
    flags += _cache_flags(stage, samples, environment)
    return tuple(flags)


def _loop_flags(stage: Stage, samples: Sequence[Sample], environment: Mapping[str, Any]) -> list[str]:
    """Return what is to be said of processors and closed loops."""
    flags = ["cpu_bound"] if _is_busy(stage, samples, environment) else []
    stolen = [sample.steal_share for sample in samples if sample.steal_share is not None]
    flags += ["steal"] if stolen and statistics.median(stolen) > _STEAL_SHARE else []
    timed = [(sample.latency, sample.elapsed_s) for sample in samples if sample.latency is not None]
    if timed:
        flags += ["few_operations"] if sum(latency.count for latency, _ in timed) < FEW_OPERATIONS else []
        residual = statistics.median(latency.little_residual(elapsed_s) for latency, elapsed_s in timed)
        flags += ["little_residual"] if abs(residual) > _LITTLE_SHARE else []
    return flags


def _is_busy(stage: Stage, samples: Sequence[Sample], environment: Mapping[str, Any]) -> bool:
    """Return whether processors, and not the device or the link that was meant, had the work of most windows.

    They cannot be busier than the members of the loop, nor than there are cores. Of a transfer either end counts.
    """
    members = int(next((stage.conditions[name] for name in ("threads", "streams", "depth") if name in stage.conditions), 1))
    most = min(members, int(environment.get("core_count") or members))
    wires = [(sample.wire, sample.elapsed_s) for sample in samples if sample.wire is not None]
    if wires:
        ends = [max(wire.client_cpu_s, wire.server_cpu_s or 0.0) / elapsed_s / most for wire, elapsed_s in wires]
        return statistics.median(ends) > _BUSY_SHARE
    if stage.conditions.get("cache") != "cold":
        return False
    return statistics.median(sample.cpu_s / sample.elapsed_s / most for sample in samples) > _BUSY_SHARE


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
