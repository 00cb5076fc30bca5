"""From demand and supply to what to buy, when, and what limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from toolkit.projection.alternatives import alternatives
from toolkit.projection.cheapest import with_cheapest
from toolkit.projection.edge import edge_fit
from toolkit.projection.hardware_facts import accelerators, cards, figure, media, racks, switches
from toolkit.projection.plan_check import late_stage
from toolkit.projection.purchases import items, steps
from toolkit.projection.result import BOTTLENECK_SCHEMA, PLAN_SCHEMA, Plan
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from toolkit.projection.explain import Ledger
    from toolkit.projection.scenario import Scenario

__all__ = ["bottlenecks", "make_plan"]

_PREPARED_SHARE = 0.9
"""Load from which a resource counts as about to bind."""

_EASY_SHARE = 0.5
"""Load below which nothing is said to limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """A demand and the supply that must meet it."""

    phase: str
    resource: str
    demand: str
    supply: str
    unit: str


_PAIRS = (
    _Pair(phase="training", resource="storage bandwidth", demand="bandwidth.storage_demand_bytes_per_s",
          supply="bandwidth.storage_supply_bytes_per_s", unit="bytes_per_s"),
    _Pair(phase="training", resource="image decoding", demand="training.required_images_per_s",
          supply="training.decode_images_per_s", unit="images_per_s"),
    _Pair(phase="training", resource="node network", demand="network.node_bytes_per_s",
          supply="network.fabric_link_bytes_per_s", unit="bytes_per_s"),
    _Pair(phase="training", resource="time to the deadline", demand="training.elapsed_s", supply="training.deadline_s", unit="s"),
    _Pair(phase="inference", resource="device power", demand="inference.device_w", supply="inference.device_limit_w", unit="w"),
    _Pair(phase="inference", resource="latency against its objective", demand="inference.latency_p99_s",
          supply="inference.objective_s", unit="s"),
    _Pair(phase="inference", resource="host link", demand="inference.input_bytes_per_s",
          supply="inference.host_link_bytes_per_s", unit="bytes_per_s"),
    _Pair(phase="inference", resource="uplink", demand="inference.sent_bytes_per_s",
          supply="inference.uplink_limit_bytes_per_s", unit="bytes_per_s"),
    _Pair(phase="site", resource="power", demand="site.power_w", supply="site.power_limit_w", unit="w"),
)  # fmt: skip


def bottlenecks(ledger: Ledger, scenario: Scenario, months: np.ndarray[Any, Any]) -> pl.DataFrame:
    """Return demand, supply and load of every resource that can bind, by month, at the medians."""
    rows: list[dict[str, Any]] = []
    pairs = [pair for pair in _PAIRS if pair.demand in ledger.values and pair.supply in ledger.values]
    if scenario.training is None:
        pairs = [pair for pair in pairs if pair.phase != "training"]
    device = accelerators()[scenario.training.accelerator] if scenario.training else None
    for index, month in enumerate(months):
        for pair in pairs:
            demand, supply = ledger.median(pair.demand, index), ledger.median(pair.supply, index)
            rows.append(_row(int(month), pair.phase, pair.resource, demand, supply, pair.unit))
        if device is not None:
            needed = ledger.median("training.memory_bytes", index)
            rows.append(_row(int(month), "training", "device memory", needed, float(device.memory), "bytes"))
        if scenario.inference is not None:
            held, memory = ledger.median("inference.memory_bytes", index), accelerators()[scenario.inference.accelerator].memory
            rows.append(_row(int(month), "inference", "device memory", held, float(memory), "bytes"))
    return pl.DataFrame(rows, schema=BOTTLENECK_SCHEMA)


def _row(month: int, phase: str, resource: str, demand: float, supply: float, unit: str) -> dict[str, Any]:
    load = demand / supply if supply > 0 else math.inf
    return {
        "month": month, "phase": phase, "resource": resource, "demand": demand, "supply": supply, "unit": unit, "load_share": load,
    }  # fmt: skip


def make_plan(
    ledger: Ledger, scenario: Scenario, months: np.ndarray[Any, Any], loads: pl.DataFrame, trial: Callable[[Scenario], Ledger]
) -> Plan:
    """Return the plan: whole units that do with the probability asked for, by the month they are needed."""
    makers = (_drives, _devices, _fabric, _instances, _racks)
    frame = pl.DataFrame([row for maker in makers for row in maker(ledger, scenario, months)], schema=PLAN_SCHEMA)
    first, second = _limits(loads)
    summary = _summary(ledger, scenario, months, frame)
    listed, cheapest = with_cheapest(alternatives(ledger, scenario), scenario, trial)
    return Plan(
        frame=frame,
        summary=summary,
        bottleneck=first,
        next_bottleneck=second,
        alternatives=listed,
        cheapest=cheapest,
        edge_fit=edge_fit(ledger, scenario.inference, loads),
    )


def _drives(ledger: Ledger, scenario: Scenario, months: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    medium = media()[scenario.storage.medium]
    held, least, bought = (ledger.median(f"storage.{name}_count") for name in ("capacity_drive", "least_drive", "drive"))
    reason = "capacity with protection and headroom"
    if bought > held:
        reason = "reads of a training run, not capacity"
    elif held == least > 1 and ledger.median("storage.capacity_bytes") <= (least - 1) * medium.capacity:
        reason = f"{least:,.0f} drives that the protection lies on, not capacity"
    evidence = ledger.evidence("storage.drive_count")
    planned = "plan.reading_drive_count"
    if planned in ledger.values and (ledger.percentiles(planned)[1] > ledger.percentiles("plan.drive_count")[1]).any():
        reason = "reads of a training run, not capacity"
        found = steps(ledger, planned, months, scenario.plan.probability, expected_name="storage.drive_count")
    else:
        found = steps(ledger, "storage.drive_count", months, scenario.plan.probability)
    lead_s = scenario.site.drive_lead
    return items("storage", medium.title, found, medium.price, float(medium.power), lead_s, reason=reason, evidence=evidence)


def _devices(ledger: Ledger, scenario: Scenario, months: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    if scenario.training is None:
        return []
    device = accelerators()[scenario.training.accelerator]
    per_node = scenario.training.accelerators_per_node
    power = per_node * float(device.power) + float(scenario.prices.node_power)
    item = f"node of {per_node} x {device.title}"
    stage = late_stage(ledger, scenario)
    reason = f"a run within {show(scenario.training.deadline, 's')}" + (f", which {stage} holds up" if stage else "")
    evidence = ledger.evidence("training.node_count")
    reason += _for_hosts(ledger)
    node, lead_s = scenario.prices.node, scenario.site.node_lead
    nodes = steps(ledger, "training.node_count", months, scenario.plan.probability, expected_name=_expected_nodes(ledger))
    lines = items("training", item, nodes, node, power, lead_s, reason=reason, evidence=evidence)
    spare = "takes the place of a node that is repaired, in 99 of 100 cases"
    spares = steps(ledger, "training.spare_node_count", months, scenario.plan.probability)
    return lines + items("training", f"spare {item}", spares, node, 0.0, lead_s, reason=spare, evidence=evidence)


def _for_hosts(ledger: Ledger) -> str:
    """Return what nodes are bought for beside their devices, at the last month; empty where the devices fill them."""
    nodes, filled = ledger.median("training.node_count"), ledger.median("training.device_node_count")
    if nodes <= filled or "training.host_node_count" not in ledger.values:
        return ""
    links = "training.link_node_count"
    is_decoding = links not in ledger.values or ledger.median("training.decode_node_count") >= ledger.median(links)
    part = "cores, which decode images" if is_decoding else "links, which read images"
    return f"; {nodes - filled:,.0f} of {nodes:,.0f} nodes for their {part}: the devices alone take {filled:,.0f}"


def _expected_nodes(ledger: Ledger) -> str:
    """Return which quantity says how many nodes are expected: what draws need, unless a count was stated."""
    needed = "training.needed_node_count"
    return needed if needed in ledger.values else "training.node_count"


def _fabric(ledger: Ledger, scenario: Scenario, months: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    """Return cards and switches, where there is more than one node to connect."""
    if scenario.training is None or float(ledger.quantile("training.node_count", scenario.plan.probability).max()) < 2:
        return []
    network, lead_s = scenario.network, scenario.site.network_lead
    card = None if network.nic is None else cards()[network.nic]
    switch = None if network.switch is None else switches()[network.switch]
    nic_price, switch_price = (_known(ledger, f"price.{name}_usd") for name in ("nic", "switch"))
    traffic = "traffic of the nodes" + ("" if nic_price else "; in the price of a node")
    lines = []
    for quantity, fact, plain, price, reason in (
        ("network.nic_count", card, f"network card of {show(network.node_link, 'bytes_per_s')}", nic_price, traffic),
        (
            "network.switch_count",
            switch,
            f"switch of {network.switch_port_count} ports",
            switch_price,
            "cards in two tiers at the oversubscription",
        ),
    ):
        power = None if fact is None else figure(fact, "power")
        found = steps(ledger, quantity, months, scenario.plan.probability)
        lines += items("network", plain if fact is None else fact.title, found, price,
                        None if power is None else float(power), lead_s, reason=reason, evidence=ledger.evidence(quantity))  # fmt: skip
    return lines


def _known(ledger: Ledger, name: str) -> float | None:
    """Return a price, or nothing where it needs input."""
    found = ledger.median(name)
    return None if math.isnan(found) else found


def _racks(ledger: Ledger, scenario: Scenario, months: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    """Return racks for the training nodes, as many nodes in each as its power allows."""
    if scenario.training is None:
        return []
    trained, site = scenario.training, scenario.site
    node_w = trained.accelerators_per_node * float(accelerators()[trained.accelerator].power) + scenario.prices.node_power
    per_rack, rack = max(1, int(site.rack_power // node_w)), racks()[site.rack]
    item = f"{rack.title}, for {show(site.rack_power, 'w')}"
    reason = (
        f"{per_rack} nodes of {show(node_w, 'w')} in each" if node_w <= site.rack_power else "one node takes more than its power"
    )
    found = steps(ledger, "site.rack_count", months, scenario.plan.probability)
    price, evidence = _known(ledger, "price.rack_usd"), ledger.evidence("site.rack_count")
    return items("training", item, found, price, float(rack.power), site.node_lead, reason=reason, evidence=evidence)


def _instances(ledger: Ledger, scenario: Scenario, months: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    if scenario.inference is None:
        return []
    device = accelerators()[scenario.inference.accelerator]
    served = (
        f"{scenario.inference.streams:,} streams"
        if scenario.inference.streams
        else f"{show(scenario.inference.requests_per_s, 'per_s')}"
    )
    reason = f"{served} with 99 % of answers within {show(scenario.inference.latency_p99, 's')}"
    evidence = ledger.evidence("inference.instance_count")
    found, lead_s = steps(ledger, "inference.instance_count", months, scenario.plan.probability), scenario.site.node_lead
    return items("inference", device.title, found, None, float(device.power), lead_s, reason=reason, evidence=evidence)


def _limits(loads: pl.DataFrame) -> tuple[str, str]:
    """Return what limits, and what would next, as sentences."""
    if loads.is_empty():
        return "Nothing is trained or served in this scenario: only storage is sized.", ""
    last = loads["month"].max()
    # a run that is late is late because of another resource: that one is to be named
    is_late = (pl.col("resource") == "time to the deadline") & (pl.col("load_share") > 1)
    at_end = loads.filter((pl.col("month") == last) & ~is_late).sort("load_share", descending=True)
    sentences = [_load_sentence(row, loads) for row in at_end.iter_rows(named=True)]
    if len(sentences) == 1:
        return sentences[0], ""
    following = (
        sentences[1].replace(" is what limits first, and does not yet", " comes next").replace(" is what limits", " comes next")
    )
    return sentences[0], following


def _load_sentence(row: dict[str, Any], loads: pl.DataFrame) -> str:
    name = f"{row['phase'].capitalize()}: {row['resource']}"
    amounts = f"{show(row['demand'], row['unit'])} of {show(row['supply'], row['unit'])}"
    is_same = (pl.col("resource") == row["resource"]) & (pl.col("phase") == row["phase"])
    short = loads.filter(is_same & (pl.col("load_share") > 1))["month"].to_list()
    if short:
        return f"{name} is what limits, from month {min(short)} on: {amounts} at month {row['month']}."
    share = show(row["load_share"], "share", 2)
    if row["load_share"] < _EASY_SHARE:
        return f"{name} is what limits first, and does not yet: {amounts} ({share})."
    near = ", which is about to bind" if row["load_share"] > _PREPARED_SHARE else ""
    return f"{name} is what limits, at {share} of its supply{near}: {amounts}."


def _summary(ledger: Ledger, scenario: Scenario, months: np.ndarray[Any, Any], frame: pl.DataFrame) -> str:
    """Return the answer in a few sentences."""
    last = int(months[-1])
    images, capacity = ledger.median("dataset.images"), ledger.median("storage.capacity_bytes")
    sentences = [
        f"In {last} months: {show(images, 'images')} on {show(capacity, 'bytes')} of drives, protection and headroom included"
        + (
            f", and {show(ledger.median('storage.rented_bytes'), 'bytes')} rented."
            if "storage.rented_bytes" in ledger.values
            else "."
        )
    ]
    if scenario.training is not None:
        devices, elapsed = ledger.median("training.gpu_count"), ledger.median("training.elapsed_s")
        title = accelerators()[scenario.training.accelerator].title
        sentences.append(f"A training run takes {devices:,.0f} x {title} and {show(elapsed, 's')}.")
    if scenario.inference is not None:
        count, tail = ledger.median("inference.instance_count"), ledger.median("inference.latency_p99_s")
        title = accelerators()[scenario.inference.accelerator].title
        sentences.append(f"Serving takes {count:,.0f} x {title}, 99 % of answers within {show(tail, 's')}.")
    unpriced = frame.filter(pl.col("price_usd").is_null())["item"].unique(maintain_order=True).to_list()
    if unpriced:
        sentences.append(f"Prices needed from you: {', '.join(unpriced)}.")
    return " ".join(sentences)
