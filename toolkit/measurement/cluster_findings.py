"""From what several hosts did at once to measurements: a rate of each, and of all to the first and to the last that is done."""

from __future__ import annotations

import dataclasses
import json
import statistics
from typing import TYPE_CHECKING, Any, Final

from toolkit.facts import CacheProof, Ceiling, Measurement, NodeShare, Sample, Wire
from toolkit.measurement.shares import UNDERSTATED_FACTOR, by_invocation, share_interval
from toolkit.measurement.statistics import MIN_BOOTSTRAP_INVOCATIONS, median_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.measurement.cluster import Step

__all__ = ["FIRST_DONE", "LAST_DONE", "STRAGGLER_FACTOR", "cluster_findings"]

FIRST_DONE: Final = "while all work"
LAST_DONE: Final = "to the last done"
STRAGGLER_FACTOR: Final = 1.25
"""A host that takes this many times as long as the middle one is named."""

_LIMITS: Final = (
    "Hosts started together through the scheduler, each with a share of the same size; what others do on the storage or the "
    "links meanwhile is in it, and so is the network to the storage where that is shared."
)
_LINK_LIMITS: Final = (
    "One plain TCP stream from memory between two workers' addresses, timed by the receiver; not Dask's own transfer, which "
    "also serialises."
)
_AMOUNTS: Final = {"bytes_per_s": "payload_bytes", "images_per_s": "images"}


def cluster_findings(lines: Sequence[Mapping[str, Any]], mean_image_bytes: float) -> list[Measurement]:
    """Return the measurements of steps that several hosts took at once, fewest hosts first.

    Parameters
    ----------
    lines : sequence of mapping
        ``invocation``, ``order``, ``step``, ``results`` by worker and ``hosts`` by worker.
    mean_image_bytes : float
        Mean encoded bytes of an image.
    """
    groups: dict[str, list[tuple[Mapping[str, Any], str]]] = {}
    for line in lines:
        for counted in (FIRST_DONE, LAST_DONE) if len(line["results"]) > 1 else (LAST_DONE,):
            groups.setdefault(_key(line, counted), []).append((line, counted))
    found = [_measurement(group, mean_image_bytes) for group in groups.values()]
    found.sort(key=lambda m: (m.metric, str(m.conditions.get("cache")), m.conditions.get("nodes", 0), str(m.conditions)))
    alone = {_what(m): m for m in found if m.conditions.get("nodes") == 1}
    links = [m.median for m in found if m.metric == "cluster.link"]
    return [_with_limit(m, alone, links) for m in found]


def _key(line: Mapping[str, Any], counted: str) -> str:
    return json.dumps([_metric(line["step"]), _conditions(line, counted)], sort_keys=True)


def _metric(step: Step) -> str:
    if step.stage is not None:
        return f"cluster.{step.stage.metric}"
    return "cluster.links_at_once" if step.is_at_once else "cluster.link"


def _conditions(line: Mapping[str, Any], counted: str) -> dict[str, Any]:
    step: Step = line["step"]
    if step.kind == "link" and not step.is_at_once:
        [(receiver, sender)] = step.sender.items()
        return {"from": sender, "to": receiver, "streams": 1}
    shared: dict[str, Any] = {"nodes": len(step.workers), "counted": counted}
    if step.stage is None:
        return shared | {"pattern": "ring", "streams": 1}
    each_host = {"threads", "workers"} if step.stage.unit == "images_per_s" else set()
    return {k: v for k, v in step.stage.conditions.items() if k not in each_host} | shared


def _measurement(group: Sequence[tuple[Mapping[str, Any], str]], mean_image_bytes: float) -> Measurement:
    first, counted = group[0]
    step: Step = first["step"]
    unit = "bytes_per_s" if step.stage is None else step.stage.unit
    samples = tuple(_sample(line, unit, counted) for line, _ in group)
    groups: dict[int, list[float]] = {}
    for sample in samples:
        groups.setdefault(sample.invocation, []).append(sample.value)
    median, low, high = median_interval(groups)
    measurement = Measurement(
        metric=_metric(step), title=_title(step, counted), unit=unit, conditions=_conditions(first, counted), samples=samples,
        median=median, interval_low=low, interval_high=high, bytes_per_image=mean_image_bytes,
        flags=_flags(samples, groups), limits=_LINK_LIMITS if step.stage is None else _LIMITS,
    )  # fmt: skip
    late = measurement.stragglers
    return dataclasses.replace(measurement, flags=(*measurement.flags, "stragglers")) if late else measurement


def _title(step: Step, counted: str) -> str:
    hosts = "1 host" if len(step.workers) == 1 else f"{len(step.workers)} hosts"
    if step.stage is not None:
        return f"{step.stage.title}: {hosts}, {counted}"
    if step.is_at_once:
        return f"Links of a ring of {hosts}, {counted}"
    [(receiver, sender)] = step.sender.items()
    return f"Link {sender} to {receiver}"


def _sample(line: Mapping[str, Any], unit: str, counted: str) -> Sample:
    results: Mapping[str, Any] = line["results"]
    amounts = {worker: result["tally"][_AMOUNTS[unit]] for worker, result in results.items()}
    times = {worker: result["elapsed_s"] for worker, result in results.items()}
    middle_s = statistics.median(times.values())
    rates = {worker: amounts[worker] / times[worker] for worker in results}
    nodes = tuple(
        NodeShare(
            worker=worker, host=line["hosts"][worker], elapsed_s=times[worker], value=rates[worker],
            payload_bytes=result["tally"]["payload_bytes"], images=result["tally"]["images"],
            is_straggler=times[worker] > STRAGGLER_FACTOR * middle_s,
        )
        for worker, result in results.items()
    )  # fmt: skip
    is_first = counted == FIRST_DONE
    tallies = [result["tally"] for result in results.values()]
    wires = [result["wire"] for result in results.values()]
    return Sample(
        invocation=line["invocation"], order=line["order"], started_at=min(result["started_at"] for result in results.values()),
        elapsed_s=min(times.values()) if is_first else max(times.values()),
        cpu_s=sum(result["cpu_s"] for result in results.values()), operations=sum(t["operations"] for t in tallies),
        payload_bytes=sum(t["payload_bytes"] for t in tallies), images=sum(t["images"] for t in tallies),
        value=sum(rates.values()) if is_first else sum(amounts.values()) / max(times.values()),
        cache=_proof([result["cache"] for result in results.values()]), nodes=nodes,
        wire=Wire(**wires[0]) if len(wires) == 1 and wires[0] is not None else None,
    )  # fmt: skip


def _proof(proofs: Sequence[Mapping[str, Any] | None]) -> CacheProof | None:
    """Return one proof of all hosts: their bytes together, their verdict if they agree."""
    known = [proof for proof in proofs if proof is not None]
    if not known:
        return None
    verdicts = {proof["verdict"] for proof in known}
    verdict = verdicts.pop() if len(verdicts) == 1 else "mixed"
    sums = {name: sum(proof[name] for proof in known) for name in ("device_bytes", "payload_bytes")}
    return CacheProof(intended=known[0]["intended"], verdict=verdict, evidence=known[0]["evidence"], **sums)


def _flags(samples: Sequence[Sample], groups: Mapping[int, Sequence[float]]) -> tuple[str, ...]:
    flags = ["few_invocations"] if len(groups) < MIN_BOOTSTRAP_INVOCATIONS else []
    wires = [sample.wire for sample in samples if sample.wire is not None]
    if any(wire.path == "loopback" for wire in wires):
        flags.append("loopback")
    if any(wire.retransmit_count for wire in wires):
        flags.append("retransmits")
    if len({node.host for sample in samples for node in sample.nodes}) < max(len(sample.nodes) for sample in samples):
        flags.append("shared_host")
    proofs = [sample.cache for sample in samples if sample.cache is not None]
    verdicts = {proof.verdict for proof in proofs}
    if "unverified" in verdicts:
        flags.append("cache_unverified")
    if proofs and verdicts - {proofs[0].intended, "unverified"}:
        flags.append(f"not_{proofs[0].intended}")
    return tuple(flags)


def _what(measurement: Measurement) -> str:
    facts = {k: v for k, v in measurement.conditions.items() if k not in {"nodes", "counted"}}
    return json.dumps([measurement.metric, facts], sort_keys=True)


def _with_limit(measurement: Measurement, alone: Mapping[str, Measurement], links: Sequence[float]) -> Measurement:
    """Put beside a rate of several hosts as many times what one did alone: the share is the efficiency of scaling."""
    count = measurement.conditions.get("nodes", 1)
    if count == 1:
        return measurement
    one = statistics.median(links) if measurement.metric == "cluster.links_at_once" and links else None
    single = alone.get(_what(measurement))
    value = one if one is not None else single.median if single is not None else None
    known = {} if one is not None or single is None else by_invocation(single)
    if value is None:
        return measurement
    what = "one link alone" if one is not None else "one host alone"
    metric = "cluster.link" if one is not None else measurement.metric
    ceiling = Ceiling(metric=metric, value=value * count, explanation=f"{count} times what {what} did: scaling without loss.")
    is_passed = measurement.median > UNDERSTATED_FACTOR * ceiling.value
    flags = (*measurement.flags, "ceiling_understated") if is_passed else measurement.flags
    limited = dataclasses.replace(measurement, ceiling=ceiling, flags=flags)
    limits = {n: [value * count for value in values] for n, values in known.items()}
    return dataclasses.replace(limited, ceiling_share_interval=share_interval(limited, limits))
