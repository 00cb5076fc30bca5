"""What twice, four and eight times the data does to each resource: where it doubles, where it does less, and where more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from toolkit.projection.hardware_facts import models
from toolkit.projection.model import evaluate
from toolkit.projection.regimes import side_by_side_values
from toolkit.projection.result import DOUBLING_SCHEMA
from toolkit.projection.training_flags import is_beyond_reach
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.projection.explain import Ledger
    from toolkit.projection.scenario import Scenario
    from toolkit.projection.uncertainty import Given

__all__ = ["doubling_table"]

_SCALES: Final = (1.0, 2.0, 4.0, 8.0)
_NEAR: Final = 0.03
"""How far an exponent may be from 0 or 1 and still be called that: whole devices and shards round."""

_BENT: Final = 0.1
"""By how much the slope must change from the first doubling to the last for that to be said."""
_DRAWS: Final = 200
"""Draws that the factors are taken over: enough for a median to two digits."""
_SEED: Final = 0

_OTHERWISE: Final = ""
"""The reason of a row for every verdict that it names no other for."""

_FOLLOWED: Final = (
    ("drives", "storage.capacity_bytes", "bytes", {_OTHERWISE: "every part that holds images doubles; checkpoints do not"}),
    ("copying to another site", "network.transfer_s", "s", {_OTHERWISE: "bytes over the same link"}),
    ("ingest", "bandwidth.ingest_bytes_per_s", "bytes_per_s", {
        "stays at nothing": "nothing comes in", _OTHERWISE: "what comes in is taken to be more by the factor that the data is"}),
    ("training arithmetic", "training.flop", "flop", {_OTHERWISE: "with the scenario's epochs or samples seen"}),
    ("training devices", "training.gpu_count", "count", {_OTHERWISE: "whole devices within the same deadline"}),
    ("reads during a run", "bandwidth.epoch_read_bytes_per_s", "bytes_per_s", {
        "stays at nothing": "memory answers all reads, at eight times the data too",
        "begins": "memory answers all reads up to {last} the data; past its size storage has to: a cliff, not a slope",
        "more than doubles": "more is read, and memory holds a smaller share of it",
        _OTHERWISE: "reads within the same deadline that memory does not answer"}),
    ("decoding cores", "training.decode_core_count", "count", {_OTHERWISE: "whole cores, as fast as images are taken in"}),
    ("energy of a month", "training.energy_j", "j", {_OTHERWISE: "devices x time"}),
    ("checkpoint", "training.checkpoint_bytes", "bytes", {_OTHERWISE: "the model's size, not the data's"}),
    ("failures met in a run", "training.failure_count", "count", {
        "stays": "as many nodes within the same deadline fail as often",
        "less than doubles": "whole nodes are filled before others are added; failures follow nodes x time",
        _OTHERWISE: "failures follow nodes x time, and more nodes work within the same deadline"}),
    ("time between checkpoints", "training.checkpoint_interval_s", "s",
     {_OTHERWISE: "it follows the root of the time between failures x the time to write one (Young 1974)"}),
    ("duplicate search of a batch", "curation.search_s", "s", {
        "stays at nothing": "nothing comes in that would be searched for",
        _OTHERWISE: "what is new is held against all that is there"}),
    ("serving", "inference.instance_count", "count", {_OTHERWISE: "the load's size, not the data's"}),
)  # fmt: skip
"""What is told: its name, its quantity and unit, and why, by verdict."""


_COMPARED: Final = (
    ("devices", "training.gpu_count", "count"),
    ("energy of a month", "training.energy_j", "j"),
    ("checkpoint bytes", "training.checkpoint_bytes", "bytes"),
    ("drives", "storage.capacity_bytes", "bytes"),
)


_BOUND_BY_REACH: Final = ("training.gpu_count", "training.energy_j")
"""What means nothing where no number of devices ends a run in time."""


def doubling_table(scenario: Scenario, givens: Mapping[str, Given], month: float) -> pl.DataFrame:
    """Return what more data does to each resource at a month, over draws of all other inputs.

    Each draw is held against itself: a factor is the median over draws of the need with so much data over the need with the
    data there is, and stands on the median need. What is bought once for all draws, such as devices, is compared as bought.
    The exponent is the median slope of the logarithm from once to eight times the data: 1 doubles, below 1 less, above 1 more;
    where the slope changes on the way, the last column says from what to what.
    """
    values = _values(givens)
    months = np.array([max(0.0, month - 1), month])
    ledgers = [evaluate(scenario, givens, values, months, scale) for scale in _SCALES]
    rows = []
    for resource, quantity, unit, why in _FOLLOWED:
        if quantity not in ledgers[0].values or (quantity.startswith("training.") and scenario.training is None):
            continue
        rows.append(_row(resource, quantity, unit, _over_draws(ledgers, quantity), why))
    rows += _regimes(scenario, ledgers[0].median("dataset.images"))
    rows += side_by_side(scenario, givens, months, values, ledgers)
    rows += _errors(scenario, ledgers[0].median("dataset.images"))
    rows += _searches(ledgers[0].median("dataset.images"))
    return pl.DataFrame(rows, schema=DOUBLING_SCHEMA)


def _values(givens: Mapping[str, Given]) -> dict[str, np.ndarray[Any, Any]]:
    """Return draws of what is uncertain, the same ones for every amount of data."""
    generator = np.random.default_rng(_SEED)
    return {
        name: np.full((1, 1), given.value) if given.is_certain else given.draw(generator, _DRAWS)
        for name, given in givens.items()
    }


def _over_draws(ledgers: list[Ledger], quantity: str) -> list[float]:
    """Return the median need with the data there is, and with more of it: that times the median of each draw's own ratio."""
    needs = [ledger.values[quantity][:, -1] for ledger in ledgers]
    if quantity in _BOUND_BY_REACH:
        needs = [np.full(1, np.inf) if is_beyond_reach(ledger) else need for ledger, need in zip(ledgers, needs, strict=True)]
    first = np.median(needs[0])
    found = [float(first)]
    for more in needs[1:]:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = more / needs[0]
        settled = ratios[np.isfinite(ratios)]
        is_told = first > 0 and np.isfinite(first) and 2 * len(settled) > len(ratios)
        found.append(float(first * np.median(settled)) if is_told else float(np.median(more)))
    return found


def _row(resource: str, quantity: str, unit: str, values: list[float], why: str | Mapping[str, str]) -> dict[str, Any]:
    if not np.isfinite(values).all():
        return _walled(resource, quantity, unit, values)
    verdict, exponent = _judged(values)
    reason = why if isinstance(why, str) else why.get(verdict, why[_OTHERWISE])
    empty = [scale for scale, value in zip(_SCALES, values, strict=True) if value <= 0]
    last = "as much as" if not empty or empty[-1] == 1 else f"{empty[-1]:g} times"
    cells = dict(zip(("x1", "x2", "x4", "x8"), values, strict=True))
    said = f"{verdict}: {reason.format(last=last)}{_bend(values)}"
    return {"resource": resource, "quantity": quantity, "unit": unit, "exponent": exponent, "why": said} | cells


def _walled(resource: str, quantity: str, unit: str, values: list[float]) -> dict[str, Any]:
    """Return the row of what no purchase reaches from some amount of data on."""
    first = next(scale for scale, value in zip(_SCALES, values, strict=True) if not math.isfinite(value))
    since = "with the data there is" if first == 1 else f"from {first:g} times the data on"
    said = f"ends: {since} no number of devices ends a run within the deadline: a wall, not a slope"
    cells = dict(zip(("x1", "x2", "x4", "x8"), values, strict=True))
    return {"resource": resource, "quantity": quantity, "unit": unit, "exponent": None, "why": said} | cells


def _judged(values: list[float]) -> tuple[str, float | None]:
    """Return in words what more data does, and the slope of the logarithm; none where it begins at nothing.

    Examples
    --------
    >>> [_judged([1.0, 2.0**e, 4.0**e, 8.0**e]) for e in (-0.5, 0.0, 0.5, 1.0)]
    [('shrinks', -0.5), ('stays', 0.0), ('less than doubles', 0.5), ('doubles', 1.0)]
    >>> _judged([0.0, 0.0, 459e6, 594e6]), _judged([0.0] * 4)
    (('begins', None), ('stays at nothing', 0.0))
    """
    if values[0] <= 0 or values[-1] <= 0:
        return ("stays at nothing", 0.0) if max(values) <= 0 else ("begins" if values[-1] > 0 else "ends", None)
    exponent = round(math.log(values[-1] / values[0]) / math.log(_SCALES[-1]), 6)
    if exponent < -_NEAR:
        return "shrinks", exponent
    if exponent <= _NEAR:
        return "stays", exponent
    if exponent < 1 - _NEAR:
        return "less than doubles", exponent
    return "doubles" if exponent <= 1 + _NEAR else "more than doubles", exponent


def _bend(values: list[float]) -> str:
    """Return from what slope to what the logarithm bends, where it does; empty where each doubling does about the same.

    Examples
    --------
    >>> _bend([1.0, 2.0, 4.0, 8.0]), _bend([1.0, 4.0, 8.0, 16.0])
    ('', ' (exponent 2 at the first doubling, 1 at the last: less steep)')
    """
    if min(values) <= 0 or not np.isfinite(values).all():
        return ""
    first, last = (math.log(values[place + 1] / values[place]) / math.log(2) for place in (0, 2))
    if abs(first - last) < _BENT:
        return ""
    way = "steeper" if last > first else "less steep"
    return f" (exponent {first:.2g} at the first doubling, {last:.2g} at the last: {way})"


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


def side_by_side(
    scenario: Scenario,
    givens: Mapping[str, Given],
    months: np.ndarray[Any, Any],
    values: Mapping[str, np.ndarray[Any, Any]] | None = None,
    known: list[Ledger] | None = None,
) -> list[dict[str, Any]]:
    """Return what more data does to devices, energy, checkpoints and drives under each way to train on it."""
    rows = []
    for regime, why, ledgers in side_by_side_values(scenario, givens, months, _SCALES, values, known):
        for resource, quantity, unit in _COMPARED:
            rows.append(_row(f"{resource}, {regime}", quantity, unit, _over_draws(ledgers, quantity), why))
    return rows


def _errors(scenario: Scenario, images: float) -> list[dict[str, Any]]:
    """Return what published laws of vision models say that error does where arithmetic grows with the data (same epochs).

    Source: Cherti et al. 2023 (arXiv 2212.07143), CLIP on LAION, zero-shot on ImageNet: error ~ C^-0.11, re-fitted to its runs
    (case V25). Zhai et al. 2022 (arXiv 2106.04560), vision transformers of 5 million to 2 billion parameters on 1 million to 3
    billion images: error = c + a (C + d)^-b; the form and its range are published, b of about 0.35 is from memory (assumed).
    """
    if scenario.training is None:
        return []
    laws = (
        ("error of a contrastive model, over that now", 0.11, (80e6, 2e9),
         "C ^ -0.11, LAION zero-shot on ImageNet (Cherti et al. 2023)"),
        ("error beyond what no data removes, over that now", 0.35, (1e6, 3e9),
         "E = c + a (C + d) ^ -b of vision transformers, b of about 0.35 (Zhai et al. 2022; exponent from memory: assumed)"),
    )  # fmt: skip
    rows = []
    for name, power, (low, high), law in laws:
        held = f"fitted to {show(low, 'images')} to {show(high, 'images')}"
        held += "" if low <= images <= high else f", and {show(images, 'images')} lie outside of that"
        quantity = f"training.error_order_{power * 100:.0f}"
        rows.append(_row(name, quantity, "ratio", [scale**-power for scale in _SCALES], f"{law}; same epochs; {held}"))
    return rows


def _searches(images: float) -> list[dict[str, Any]]:
    """Return the comparisons of the duplicate searches."""
    return [
        _row("exact duplicates", "curation.exact_comparison_count", "count", [images * scale for scale in _SCALES],
             "a join on hashes: one look-up per image"),
        _row("near duplicates, all pairs", "curation.pair_count", "count", [(images * scale) ** 2 / 2 for scale in _SCALES],
             "every pair; why near duplicates are looked up by bands of their hash instead"),
    ]  # fmt: skip
