"""What is bought and when: whole units, a quarter ahead, so many that they do with the probability that is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.projection.draws import quantile
from toolkit.projection.explain import formula
from toolkit.units import MONTH_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.projection.explain import Ledger

    Values = NDArray[np.float64]

__all__ = ["Step", "items", "steps", "units_bought"]

_QUARTER_MONTHS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Units that are added at a month."""

    month: int
    """When they are needed."""
    count: float
    """How many are bought."""
    budget_count: float
    """How many are expected, at the median."""


def steps(
    ledger: Ledger, name: str, months: Values, probability: float, per_unit: float = 1.0, expected_name: str | None = None
) -> list[Step]:
    """Return when how many units must be added: now, then each quarter in which what is needed has grown past what is there.

    Buying for a quarter ahead at a time is what procurement does; buying for a high probability is what running out costs, and
    the median is what the purchase is expected to be, which is budgeted: that of ``expected_name``, where what is bought is one
    count for all draws. ``per_unit`` is how many make one whole unit.
    """
    high, middle = ledger.quantile(name, probability), ledger.percentiles(expected_name or name)[1]
    wanted = (np.broadcast_to(np.ceil(part / per_unit - 1e-9), months.shape) for part in (high, middle))
    needed, expected = wanted
    found, owned, budgeted = [], 0.0, 0.0
    for start in range(0, len(months), _QUARTER_MONTHS):
        goal, plan = (float(part[start : start + _QUARTER_MONTHS].max()) for part in (needed, expected))
        if goal > owned:
            found.append(Step(month=int(months[start]), count=goal - owned, budget_count=max(0.0, plan - budgeted)))
            owned, budgeted = goal, max(plan, budgeted)
    return found


@formula(
    "count",
    "units that do with the probability asked for, for a quarter ahead at a time, never fewer than before",
    across_months=True,
)
def units_bought(needed_count: Values, probability_share: Values, month_index: Values) -> Any:
    """Whole units that are there by each month, as the plan buys them.

    Source: definition: enough for the stated share of the draws at each month of the quarter.

    Examples
    --------
    >>> units_bought(np.array([[1.0, 2.0, 2.0, 3.0]]), np.array([[0.9]]), np.arange(4.0)[None, :]).tolist()
    [[2.0, 2.0, 2.0, 3.0]]
    """
    months = np.asarray(month_index)[0]
    high = quantile(needed_count, float(np.median(probability_share)), is_whole=True)
    high = np.broadcast_to(high, months.shape)
    starts = range(0, len(months), _QUARTER_MONTHS)
    goals = np.maximum.accumulate([high[start : start + _QUARTER_MONTHS].max() for start in starts])
    return np.repeat(goals, _QUARTER_MONTHS)[: len(months)][None, :]


def items(
    phase: str, item: str, found: list[Step], price: float | None, power_w: float | None, lead_s: float, **why: str
) -> list[dict[str, Any]]:
    """Return a line for each step. What is needed sooner than it can come is ordered at once, which the reason says."""
    lead_months = math.ceil(lead_s / MONTH_S - 1e-9)
    lines = []
    for step in found:
        late = "" if step.month >= lead_months else f"; ordered now, it comes at month {lead_months}"
        lines.append({
            "phase": phase, "item": item, "count": step.count, "unit_price_usd": price,
            "price_usd": None if price is None else price * step.count,
            "power_w": None if power_w is None else power_w * step.count,
            "needed_by_month": step.month, "reason": why["reason"] + late, "evidence": why["evidence"],
            "order_by_month": max(0, step.month - lead_months), "budget_count": step.budget_count,
            "budget_usd": None if price is None else price * step.budget_count,
        })  # fmt: skip
    return lines
