"""Figures of where the spread of a result comes from, when all uncertain inputs vary at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.reporting.charts import finish_rows, row_label
from toolkit.reporting.design import BLUE, ORANGE, new_figure
from toolkit.reporting.wording import plain, quantity_words
from toolkit.units import show

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["influence_figures"]

_ROWS: Final = 8
_FIGURES: Final = 5
_DIRECTIONS: Final = {True: ("the more of it, the more", BLUE), False: ("the more of it, the less", ORANGE)}


def influence_figures(frame: pl.DataFrame) -> dict[str, go.Figure]:
    """Return for each quantity the share of its variance that goes away once an input is known, with the rank correlation.

    Parameters
    ----------
    frame : pl.DataFrame
        quantity, input, rank_correlation, first_order_share.
    """
    known = frame.filter(pl.col("first_order_share").is_finite() & pl.col("rank_correlation").is_finite())
    figures = {}
    for quantity in known["quantity"].unique(maintain_order=True).to_list()[:_FIGURES]:
        rows = known.filter(pl.col("quantity") == quantity).sort("first_order_share", "input", descending=[True, False])
        figures["influence-" + quantity.replace(".", "-").replace("_", "-")] = _shares(quantity, rows.head(_ROWS))
    return figures


def _shares(quantity: str, rows: pl.DataFrame) -> go.Figure:
    facts = list(rows.iter_rows(named=True))
    top, told = facts[0], float(rows["first_order_share"].sum())
    share = show(top["first_order_share"], "share", 2)
    figure = new_figure(
        f"Spread of {quantity_words(quantity)}: {share} of it comes from {quantity_words(top['input'])}",
        about=f"First-order shares of the variance over all draws; together {show(min(told, 1.0), 'share', 2)}, "
        "the rest is what inputs do jointly, or is smaller. r: rank correlation.",
    )
    for is_more, (name, color) in _DIRECTIONS.items():
        places = [place for place, row in enumerate(facts) if (row["rank_correlation"] >= 0) == is_more]
        if places:
            figure.add_bar(
                x=[facts[p]["first_order_share"] for p in places], y=places, orientation="h", width=0.3, name=name,
                marker={"color": color}, hoverinfo="text",
                hovertext=[_hover(facts[p]) for p in places],
            )  # fmt: skip
    for place, row in enumerate(facts):
        note = f"{show(row['first_order_share'], 'share', 2)} · r {row['rank_correlation']:+.2f}".replace("-", "\u2212")
        row_label(figure, place, plain(quantity_words(row["input"])), note)
    figure.update_xaxes(title_text="share of the variance", tickformat=".0%", range=[0, 1.04])
    finish_rows(figure, len(facts))
    figure.update_layout(showlegend=True, height=figure.layout.height + 24)
    return figure


def _hover(row: dict[str, Any]) -> str:
    share = show(row["first_order_share"], "share", 2)
    return f"{plain(quantity_words(row['input']))}: {share} of the variance, rank correlation {row['rank_correlation']:.2f}"
