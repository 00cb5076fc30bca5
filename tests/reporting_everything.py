"""Facts in which every figure of a report has something to show, under any name: for tests of the page as a whole."""

from __future__ import annotations

import dataclasses
from typing import Any

import polars as pl
import reporting_facts as facts

from toolkit.dataset.diffing import VersionDiff
from toolkit.facts import DatasetProfile, Latency, Measurement, MeasurementSet, Wire
from toolkit.projection.result import (
    ALTERNATIVE_SCHEMA,
    BOTTLENECK_SCHEMA,
    FRAME_SCHEMA,
    INFLUENCE_SCHEMA,
    PLAN_SCHEMA,
    Projection,
)


def projection(name: str, factor: float = 1.0, item: str = "drive", resource: str = "disk") -> Projection:
    """A projection with costs, risks, choices, influences and ways of training; ``item`` and ``resource`` name what is bought."""
    usual = facts.projection(name=name)
    costs = {
        "cost.monthly_capital_usd": 900.0, "cost.support_usd": 100.0, "training.electricity_usd": 300.0, "cost.owned_usd": 1300.0,
        "cost.held_usd": 2600.0, "cost.owned_so_far_usd": 15_000.0, "cost.rented_so_far_usd": 9_000.0,
    }  # fmt: skip
    lines = [(m, q, "usd", v * 0.9, v * (1 + m / 24), v * 2.2, "assumed") for q, v in costs.items() for m in facts.MONTHS]
    lines += [(m, "training.late_share", "share", m / 30, m / 30, m / 30, "assumed") for m in facts.MONTHS]
    added = pl.DataFrame(lines, schema=FRAME_SCHEMA, orient="row")
    frame = pl.concat([usual.frame.with_columns(pl.col("p10", "p50", "p90") * factor), added])
    ways = [
        (f"{what}, {way}", "training.gpu_count", "count", 8.0, 8.0 * s, 16.0 * s, 32.0 * s, 1.0, "so it is")
        for what in ("devices", "drives") for s, way in ((1, "same samples seen"), (2, "same epochs"), (9, "compute-optimal"))
    ]  # fmt: skip
    ways_frame = pl.DataFrame(ways, schema=usual.doubling.schema, orient="row")
    plan = [
        {"phase": "storage", "item": item, "count": 4.0, "unit_price_usd": 10.0, "price_usd": 40.0, "budget_count": 3.0,
         "budget_usd": 30.0, "power_w": 9.0, "needed_by_month": month, "order_by_month": 0, "reason": item, "evidence": "vendor"}
        for month in (0, 9)
    ]  # fmt: skip
    verdicts = (("chosen", 40.0, True), ("rejected: 3 times the price", 120.0, False), ("rejected: too slow", 10.0, False))
    choices = [
        {"phase": "storage", "name": "x", "item": f"{item} {place}", "count": 4.0, "price_usd": price, "power_w": 9.0,
         "is_chosen": chosen, "verdict": verdict} for place, (verdict, price, chosen) in enumerate(verdicts)
    ]  # fmt: skip
    loads = [(m, "training", resource, 1.0, 1.0, "count", m / 20) for m in facts.MONTHS]
    spread = [("storage.capacity_bytes", "growth.factor", 0.9, 0.7), ("training.cost_usd", "price.device_usd_per_s", -0.9, 0.8)]
    nodes = {
        quantity: dataclasses.replace(usual.explanations["storage.raw_bytes"], name=quantity) for quantity in frame["quantity"]
    }
    return dataclasses.replace(
        usual, frame=frame, explanations=dict(usual.explanations) | nodes, doubling=pl.concat([usual.doubling, ways_frame]),
        influences=pl.DataFrame(spread, schema=INFLUENCE_SCHEMA, orient="row"),
        bottlenecks=pl.concat([usual.bottlenecks, pl.DataFrame(loads, schema=BOTTLENECK_SCHEMA, orient="row")]),
        plan=dataclasses.replace(
            usual.plan, frame=pl.DataFrame(plan, schema=PLAN_SCHEMA), alternatives=pl.DataFrame(choices, schema=ALTERNATIVE_SCHEMA)
        ),
        scenario={"name": name, "kept": factor, "items": [item]},
    )  # fmt: skip


def timed(title: str) -> Measurement:
    """A read whose operations were timed one by one, over a wire that shows the first byte."""
    latency = Latency(count=100, member_count=1, mean_s=0.002, p50_s=0.001, p95_s=0.003, p99_s=0.02, max_s=0.1)
    wire = Wire(
        path="loopback", interface="lo", latency_p50_s=0.001, latency_p99_s=0.02, latency_mean_s=0.002, first_byte_p50_s=0.0004,
        first_byte_p99_s=0.008, client_cpu_s=0.1, server_cpu_s=None, wire_bytes=None, retransmit_count=None,
        retransmit_evidence="none",
    )  # fmt: skip
    found = facts.measurement("transfer.http_range", title, "bytes_per_s", 1e9)
    return dataclasses.replace(found, samples=tuple(dataclasses.replace(s, latency=latency, wire=wire) for s in found.samples))


def measurements(day: int, title: str = "HTTP ranges", factor: float = 1.0) -> MeasurementSet:
    """A run with rates, latencies, contention and utilisation."""
    beside: list[Measurement] = []
    for load, seconds in (("none", 0.04), ("cpu", 0.09)):
        for percentile in ("p50", "p99"):
            conditions: dict[str, Any] = {"load": load, "beside": "cpu", "percentile": percentile}
            beside.append(facts.measurement("contention.batch_time", title, "s", seconds, conditions=conditions))
    beside.append(facts.measurement("contention.loss", title, "share", 0.4, conditions={"load": "cpu"}))
    same = {"preset": "a", "output": "encoded", "cache": "warm"}
    beside.append(facts.measurement("utilisation.accelerators", title, "count", 3.0, conditions=same | {"least_share": 0.9}))
    trial = same | {"accelerators": "1"}
    beside.append(facts.measurement("utilisation.without_first_step", title, "share", 0.99, conditions=trial))
    usual = facts.measurements()
    rates = [
        facts.measurement(m.metric, m.title, m.unit, m.median * factor, conditions=m.conditions) for m in usual.measurements[:6]
    ]
    found = (*rates, *usual.measurements[6:], timed(title), *beside)
    return dataclasses.replace(usual, measurements=found, started_at=f"2026-02-{day:02}T11:00:00Z")


def difference(source: str) -> VersionDiff:
    """Two versions of which one has an image more, one less, and one that is split otherwise; all of one name."""
    image = {"image_id": ["a"], "source": [source], "size_bytes": [9_000], "label": [source], "split": ["train"]}
    state = {"state": ["quarantined", "kept"], "reason": [source, None], "old_count": [3, 9], "new_count": [5, 7]}
    steps = {"version": [4], "kind": ["redecide"], "committed_at": ["2026-02-01T10:00:00Z"], "image_count": [9]}
    changed = {"image_id": ["b"], "source": [source], "columns": [["split"]]}
    return VersionDiff(
        location=source, old_version=3, new_version=4, steps=pl.DataFrame(steps), added=pl.DataFrame(image),
        removed=pl.DataFrame(image), changed=pl.DataFrame(changed), states=pl.DataFrame(state),
    )  # fmt: skip


def subjects(name: str = "lab") -> tuple[DatasetProfile | VersionDiff | MeasurementSet | Projection, ...]:
    """One of each kind and two of what is compared; ``name`` is what things in them are called."""
    return (
        facts.profile(), difference(name), measurements(1, name), measurements(2, name, 0.5), projection(name, item=name),
        projection("team", 4.0, resource=name),
    )  # fmt: skip
