"""What a run of ``measure`` says and does not say, in sentences that are shown with every figure of it."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.facts.measurements import Measurement, MeasurementSet

__all__ = ["faults_of", "statement_of"]

_LOADERS: Final = ("loader.", "utilisation.", "contention.")
_WRITES: Final = ("write.", "ceiling.write", "transfer.copy", "transfer.object_put", "curate.")


def statement_of(found: MeasurementSet) -> tuple[str, ...]:
    """Return what the figures of a run hold for, and what is not in them: one sentence each, only those that apply."""
    windows = [sample for m in found.measurements for sample in m.samples]
    if not windows:
        return ()
    flags = {flag for m in found.measurements for flag in m.flags}
    said = [_scope(found), _below(found.environment.facts, flags)]
    if "loopback" in flags:
        said.append("Transfers over loopback are the cost of protocol and processors at both ends, not of a network.")
    if _has(found.measurements, _LOADERS):
        said.append("Batches end in host memory: no copy to an accelerator, no augmentation and no training step is in a rate.")
    if _has(found.measurements, ("utilisation.",)):
        said.append("Emulated accelerators wait for a step's time; nothing computes.")
    durable = "a synced write returned, and " if _has(found.measurements, _WRITES) else ""
    said.append(
        f"Durability is not measured: {durable}whether a drive keeps what it took through a power cut is not known; "
        "no failure was caused."
    )
    length_s = statistics.median(sample.elapsed_s for sample in windows)
    said.append(
        f"The middle window took {show(length_s, 's')}: credits that run out, caches that fill and heat come later than that."
    )
    if not any(sample.nodes for sample in windows):
        said.append("One host at a time: what several do to the same storage or network is not in it.")
    return tuple(said)


def faults_of(found: MeasurementSet) -> tuple[str, ...]:
    """Return what could not be measured, or not each time, and why: one sentence for each metric and reason."""
    grouped: dict[tuple[str, str], int] = {}
    for name, reason in dict(found.environment.facts.get("not_measured", {})).items():
        key = (str(name).partition(" (")[0], str(reason))
        grouped[key] = grouped.get(key, 0) + 1
    return tuple(
        f"{metric}{f' in {count} settings' if count > 1 else ''}: {reason}" for (metric, reason), count in grouped.items()
    )


def _scope(found: MeasurementSet) -> str:
    runs = len({sample.invocation for m in found.measurements for sample in m.samples})
    processes = "one process" if runs == 1 else f"{runs} fresh processes"
    return (
        f"Payload at the Python interface, on {found.environment.host} on {found.started_at[:10]}, of the dataset at version "
        f"{found.dataset_version}, in the cache state shown, from {processes}."
    )


def _below(facts: Mapping[str, object], flags: set[str]) -> str:
    if "cache_unverified" in flags:
        kind = facts.get("filesystem", "this filesystem")
        return (
            f"The state of the page cache could not be proven on {kind} (so it is on NFS, FUSE and filesystems in memory): no "
            "figure that says unverified is cold or warm."
        )
    return "Caches below this kernel (hypervisor, array, drive) and other tenants are out of sight: cold is cold for this kernel."


def _has(measurements: Sequence[Measurement], starts: tuple[str, ...]) -> bool:
    return any(m.metric.startswith(starts) for m in measurements)
