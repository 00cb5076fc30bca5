"""What else could be bought: every device and medium of the hardware facts held against the chosen one, and why it was not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.projection.givens_storage import delivery_share, least_drive_count
from toolkit.projection.hardware_facts import accelerators, figure, media, models
from toolkit.projection.inference import capacity_at
from toolkit.projection.result import ALTERNATIVE_SCHEMA
from toolkit.projection.serving_rates import estimated_rates, published_rates
from toolkit.projection.utilised import typical_rate
from toolkit.units import show

if TYPE_CHECKING:
    from toolkit.projection.explain import Ledger
    from toolkit.projection.hardware_entries import Accelerator, Medium
    from toolkit.projection.scenario import Inference, Scenario

__all__ = ["alternatives"]

_NO_PEAK: Final = "no peak rate in this number format is known"
_ESTIMATED: Final = "; its rate is not published and estimated from peak and memory bandwidth, within a factor of two (assumed)"
_FEWER_ARRIVALS: Final = 4_000
"""Arrivals that a queue is simulated for where the rate itself is an estimate."""

_PLANNED: Final = {True: "bandwidth.planned_bytes_per_s", False: "bandwidth.storage_demand_bytes_per_s"}
"""What drives are bought to deliver, by whether the supply is stated or measured."""


def alternatives(ledger: Ledger, scenario: Scenario) -> pl.DataFrame:
    """Return every choice with its count, price, power and verdict at the last month.

    Counts are those that do with the probability that the plan is to have. A
    price is that of buying for drives, and of a month's rent for devices; where none is known the choice is not called cheap
    or dear.
    """
    rows = [*_media(ledger, scenario)]
    if scenario.training is not None:
        rows += _trainers(ledger, scenario)
    if scenario.inference is not None:
        rows += _servers(ledger, scenario)
    return pl.DataFrame(
        [row for phase in ("storage", "training", "inference") for row in _judged(rows, phase)], schema=ALTERNATIVE_SCHEMA
    )


def _row(
    phase: str, name: str, fact: Medium | Accelerator, count: float, price: float | None, refusal: str, *, is_chosen: bool
) -> dict[str, Any]:
    return {
        "phase": phase, "name": name, "item": fact.title, "count": count, "price_usd": price,
        "power_w": count * float(fact.power), "is_chosen": is_chosen, "verdict": refusal,
    }  # fmt: skip


def _high(ledger: Ledger, scenario: Scenario, name: str) -> float:
    """Return a quantity at the last month, with the probability that the plan is to do with."""
    return float(ledger.quantile(name, scenario.plan.probability)[-1])


def _media(ledger: Ledger, scenario: Scenario) -> list[dict[str, Any]]:
    is_given = "bandwidth.planned_bytes_per_s" in ledger.values  # where the supply is, drives beyond it would not help
    held, read = (_high(ledger, scenario, name) for name in ("storage.capacity_bytes", _PLANNED[is_given]))
    rows = []
    for name, medium in media().items():
        is_chosen = name == scenario.storage.medium
        least = least_drive_count(scenario.storage.protection, medium)
        needed = max(held / medium.capacity, read / (medium.read * delivery_share(medium)[0]), least)
        count = _high(ledger, scenario, "storage.drive_count") if is_chosen else float(math.ceil(needed - 1e-9))
        each = figure(medium, "price")
        price = None if each is None else each * count
        rows.append(_row("storage", name, medium, count, price, "", is_chosen=is_chosen))
    return rows


def _trainers(ledger: Ledger, scenario: Scenario) -> list[dict[str, Any]]:
    trained = scenario.training
    if trained is None:
        return []
    model, chosen_rate = models()[trained.model], ledger.median("device.rate_images_per_s")
    chosen, needed = _high(ledger, scenario, "training.gpu_count"), _high(ledger, scenario, "training.memory_bytes")
    busy_s = min(_high(ledger, scenario, "training.elapsed_s"), trained.deadline) * trained.runs_per_month
    rows = []
    for name, device in accelerators().items():
        is_chosen = name == trained.accelerator
        rate = chosen_rate if is_chosen else typical_rate(device, trained.model, model, trained.precision)
        if not rate:
            rows.append(_row("training", name, device, 0.0, None, f"{trained.precision}: {_NO_PEAK}", is_chosen=False))
            continue
        memory = float(device.memory)
        refusal = "" if needed <= memory else f"too little memory: {show(needed, 'bytes')} of {show(memory, 'bytes')}"
        count = chosen if is_chosen else math.ceil(chosen * chosen_rate / rate - 1e-9)
        price = _asked(scenario.prices.accelerator_hour if is_chosen else None, device)
        cost = None if price is None else price * busy_s * count
        rows.append(_row("training", name, device, count, cost, refusal, is_chosen=is_chosen))
    return rows


def _asked(stated_hour: float | None, device: Accelerator) -> float | None:
    return stated_hour / 3600 if stated_hour is not None else figure(device, "price_per_hour")


def _servers(ledger: Ledger, scenario: Scenario) -> list[dict[str, Any]]:
    served = scenario.inference
    if served is None:
        return []
    offered, month_s = _high(ledger, scenario, "inference.offered_per_s"), ledger.median("month_s")
    rows = []
    for name, device in accelerators().items():
        is_chosen = name == served.accelerator
        other = served.model_copy(update={"accelerator": name})
        published = published_rates(other)
        rates = published or estimated_rates(other)
        refusal = _misplaced(served, device) or _too_full(ledger, device)
        if rates is None and not is_chosen:
            refusal = refusal or f"{served.precision}: {_NO_PEAK}"
        if is_chosen:
            capacity = ledger.median("inference.simulated_per_s")
        else:
            shape = (served.max_batch, served.arrival_variation_factor, *([] if published else [_FEWER_ARRIVALS]))
            capacity = 0.0 if refusal or rates is None else capacity_at(served.latency_p99, *rates, *shape)
        refusal = refusal or _too_slow(served, capacity)
        count = _high(ledger, scenario, "inference.instance_count") if is_chosen else float(_instances(served, offered, capacity))
        price = _asked(served.accelerator_hour if is_chosen else None, device)
        cost = None if price is None else price * month_s * count
        rows.append(_row("inference", name, device, count, cost, refusal, is_chosen=is_chosen))
        rows[-1]["is_estimated"] = not is_chosen and published is None and not refusal
    return rows


def _misplaced(served: Inference, device: Accelerator) -> str:
    """Return why a device cannot stand where it is to, or an empty text."""
    if served.device_power_limit is not None and device.power > served.device_power_limit:
        return f"too much power: {show(float(device.power), 'w')} of {show(served.device_power_limit, 'w')}"
    if served.placement == "edge" and not device.is_edge:
        return "not made for the edge: it needs a server around it"
    return ""


def _too_full(ledger: Ledger, device: Accelerator) -> str:
    """Return that the models and their inputs do not fit, or an empty text."""
    held, memory = ledger.median("inference.memory_bytes"), float(device.memory)
    return "" if held <= memory else f"too little memory: {show(held, 'bytes')} of {show(memory, 'bytes')}"


def _too_slow(served: Inference, capacity_per_s: float) -> str:
    """Return why a device cannot serve, or an empty text."""
    if capacity_per_s <= 0:
        return f"too slow: one answer takes longer than {show(served.latency_p99, 's')}"
    if served.streams is not None and capacity_per_s < served.frames_per_s:
        return f"too slow: {show(capacity_per_s, 'per_s')} is less than one stream of {served.frames_per_s:g} frames"
    return ""


def _instances(served: Inference, offered_per_s: float, capacity_per_s: float) -> int:
    if capacity_per_s <= 0:
        return 0
    if served.streams is None:
        return math.ceil(offered_per_s / capacity_per_s) + served.spare_instances
    each = max(1, math.floor(capacity_per_s / served.frames_per_s))
    if served.sites is not None:
        of_site = math.ceil((served.streams or 0) / served.sites)
        sites = math.ceil(offered_per_s / served.frames_per_s / of_site - 1e-9)
        return sites * math.ceil(of_site / each) + served.spare_instances
    return math.ceil(offered_per_s / served.frames_per_s / each) + served.spare_instances


def _judged(rows: list[dict[str, Any]], phase: str) -> list[dict[str, Any]]:
    """Return the rows of a phase with their verdicts: those that fit by price first, then those that do not."""
    found = [row for row in rows if row["phase"] == phase]
    chosen = next((row for row in found if row["is_chosen"]), None)
    for row in found:
        row["verdict"] = _verdict(row, chosen) + (_ESTIMATED if row.pop("is_estimated", False) else "")
    unknown = math.inf
    return sorted(
        found,
        key=lambda row: (
            not row["is_chosen"],
            not row["count"],
            row["price_usd"] if row["price_usd"] is not None else unknown,
            row["power_w"],
        ),
    )


def _verdict(row: dict[str, Any], chosen: dict[str, Any] | None) -> str:
    refusal = str(row["verdict"])
    if row["is_chosen"]:
        return f"chosen, but {refusal}" if refusal else "chosen"
    if refusal:
        return f"rejected: {refusal}"
    if row["price_usd"] is None or chosen is None or not chosen["price_usd"]:
        if chosen is None or not chosen["power_w"]:
            return "not compared: no price"
        return f"not compared by price (needs input); {show(row['power_w'] / chosen['power_w'], 'ratio', 2)} times the power"
    ratio = row["price_usd"] / chosen["price_usd"]
    return (
        f"rejected: {show(ratio, 'ratio', 2)} times the price"
        if ratio >= 1
        else f"cheaper: {show(ratio, 'ratio', 2)} times the price of what was chosen"
    )
