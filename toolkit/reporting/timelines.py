"""Quantities over the months: taken out of a projection's frame, and the axis they are drawn on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

__all__ = ["Series", "months_axis", "months_step", "series"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One quantity over the months."""

    unit: str
    """Suffix of its unit."""
    months: list[int]
    """Months from now."""
    p10: list[float]
    """10th percentile by month."""
    p50: list[float]
    """Median by month."""
    p90: list[float]
    """90th percentile by month."""


def series(frame: pl.DataFrame, quantity: str) -> Series | None:
    """Return a quantity's months and quantiles from a projection's frame; None if it is not there or has no finite value."""
    rows = frame.filter((pl.col("quantity") == quantity) & pl.col("p50").is_finite()).sort("month")
    if rows.is_empty():
        return None
    middle = pl.col("p50")
    bounds = [pl.when(pl.col(name).is_finite()).then(pl.col(name)).otherwise(middle).alias(name) for name in ("p10", "p90")]
    rows = rows.with_columns(bounds)
    return Series(
        unit=rows["unit"][0],
        months=rows["month"].to_list(),
        p10=rows["p10"].to_list(),
        p50=rows["p50"].to_list(),
        p90=rows["p90"].to_list(),
    )


def months_axis(figure: go.Figure, months: Sequence[int]) -> None:
    """Set the axis of months: a tick every few, from the first to the last."""
    first, last = min(months), max(months)
    figure.update_xaxes(title_text="months from now", dtick=months_step(months), tick0=0, range=[first, max(last, first + 1)])


def months_step(months: Sequence[int]) -> int:
    """Return how many months lie between ticks: at most nine ticks in all.

    Examples
    --------
    >>> months_step(range(25)), months_step(range(37)), months_step([0])
    (3, 6, 1)
    """
    span = max(months) - min(months)
    return next((step for step in (1, 2, 3, 6, 12, 24) if span / step <= 8), 60)
