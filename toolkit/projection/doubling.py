"""What twice, four and eight times the data does to each resource: where it doubles, where it does less, and where more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from toolkit.projection.hardware_facts import models
from toolkit.projection.model import evaluate
from toolkit.projection.regimes import side_by_side_values
from toolkit.projection.result import DOUBLING_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.projection.scenario import Scenario
    from toolkit.projection.uncertainty import Given

__all__ = ["doubling_table"]

_SCALES = (1.0, 2.0, 4.0, 8.0)
_NEAR = 0.03
"""How far an exponent may be from 0 or 1 and still be called that: whole devices and shards round."""

_FOLLOWED = (
    ("drives", "storage.capacity_bytes", "bytes", "every part that holds images doubles; checkpoints do not"),
    ("copying to another site", "network.transfer_s", "s", "bytes over the same link"),
    ("ingest", "bandwidth.ingest_bytes_per_s", "bytes_per_s", "growth by a factor adds twice as much to twice the data"),
    ("training arithmetic", "training.flop", "flop", "with the scenario's epochs or samples seen"),
    ("training devices", "training.gpu_count", "count", "whole devices within the same deadline"),
    ("reads during a run", "bandwidth.epoch_read_bytes_per_s", "bytes_per_s",
     "devices read more, and memory holds a smaller share: past the size of memory this grows faster than the data"),
    ("decoding cores", "training.decode_core_count", "count", "as fast as the devices take in"),
    ("energy of a month", "training.energy_j", "j", "devices x time"),
    ("checkpoint", "training.checkpoint_bytes", "bytes", "the model's size, not the data's"),
    ("failures met in a run", "training.failure_count", "count", "more nodes within the same deadline fail more often"),
    ("time between checkpoints", "training.checkpoint_interval_s", "s",
     "the optimum shrinks with the root of the time between failures (Young 1974)"),
    ("duplicate search of a batch", "curation.search_s", "s", "what is new is held against all that is there"),
    ("serving", "inference.instance_count", "count", "the load's size, not the data's"),
)  # fmt: skip


_COMPARED = (
    ("devices", "training.gpu_count", "count"),
    ("energy of a month", "training.energy_j", "j"),
    ("checkpoint bytes", "training.checkpoint_bytes", "bytes"),
    ("drives", "storage.capacity_bytes", "bytes"),
)


def doubling_table(scenario: Scenario, givens: Mapping[str, Given], month: float) -> pl.DataFrame:
    """Return what more data does to each resource at a month, all other inputs at their medians.

    The exponent is the slope of the logarithm from once to eight times the data: 1 doubles, below 1 less, above 1 more.
    """
    values = {name: np.full((1, 1), given.at("p50")) for name, given in givens.items()}
    months = np.array([max(0.0, month - 1), month])
    ledgers = [evaluate(scenario, givens, values, months, scale) for scale in _SCALES]
    rows = []
    for resource, quantity, unit, why in _FOLLOWED:
        if quantity not in ledgers[0].values or (quantity.startswith("training.") and scenario.training is None):
            continue
        rows.append(_row(resource, quantity, unit, [ledger.median(quantity) for ledger in ledgers], why))
    rows += _regimes(scenario, ledgers[0].median("dataset.images"))
    rows += side_by_side(scenario, givens, months)
    rows += _searches(ledgers[0].median("dataset.images"))
    return pl.DataFrame(rows, schema=DOUBLING_SCHEMA)


def _row(resource: str, quantity: str, unit: str, values: list[float], why: str) -> dict[str, Any]:
    is_growing = values[0] > 0 and values[-1] > 0
    exponent = math.log(values[-1] / values[0]) / math.log(_SCALES[-1]) if is_growing else 0.0
    cells = dict(zip(("x1", "x2", "x4", "x8"), values, strict=True))
    said = f"{_verdict(exponent)}: {why}"
    return {"resource": resource, "quantity": quantity, "unit": unit, "exponent": round(exponent, 6), "why": said} | cells


def _verdict(exponent: float) -> str:
    """Return in words what twice the data does.

    Examples
    --------
    >>> [_verdict(exponent) for exponent in (-0.5, 0.0, 0.5, 1.0, 2.0)]
    ['shrinks', 'stays', 'less than doubles', 'doubles', 'more than doubles']
    """
    if exponent < -_NEAR:
        return "shrinks"
    if exponent <= _NEAR:
        return "stays"
    if exponent < 1 - _NEAR:
        return "less than doubles"
    return "doubles" if exponent <= 1 + _NEAR else "more than doubles"


def _regimes(scenario: Scenario, images: float) -> list[dict[str, Any]]:
    """Return the arithmetic of training under three ways to use more data, side by side."""
    if scenario.training is None:
        return []
    macs, epochs = models()[scenario.training.model].forward_macs, scenario.training.epochs or 90
    base = 6 * macs * images * epochs
    regimes = (
        ("training, same samples seen", 0, "more data, the same number of steps"),
        ("training, same epochs", 1, "as many passes over more data"),
        ("training, compute-optimal", 2, "the model grows with the data: C = 6 N D with N ~ D (Hoffmann et al. 2022)"),
    )
    return [
        _row(name, f"training.flop_order_{power}", "flop", [base * scale**power for scale in _SCALES], why)
        for name, power, why in regimes
    ]


def side_by_side(scenario: Scenario, givens: Mapping[str, Given], months: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    """Return what more data does to devices, energy, checkpoints and drives under each way to train on it."""
    rows = []
    for regime, why, ledgers in side_by_side_values(scenario, givens, months, _SCALES):
        for resource, quantity, unit in _COMPARED:
            values = [ledger.median(quantity) for ledger in ledgers]
            rows.append(_row(f"{resource}, {regime}", quantity, unit, values, why))
    return rows


def _searches(images: float) -> list[dict[str, Any]]:
    """Return the comparisons of the duplicate searches."""
    return [
        _row("exact duplicates", "curation.exact_comparison_count", "count", [images * scale for scale in _SCALES],
             "a join on hashes: one look-up per image"),
        _row("near duplicates, all pairs", "curation.pair_count", "count", [(images * scale) ** 2 / 2 for scale in _SCALES],
             "every pair; why near duplicates are looked up by bands of their hash instead"),
    ]  # fmt: skip
