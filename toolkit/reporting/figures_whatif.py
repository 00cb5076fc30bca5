"""Figures of what would change a projection: more data, and each input on its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.reporting.charts import axis_ticks, finish_rows, row_label
from toolkit.reporting.design import HEAT, INK, PALE, SKY, VERMILLION, new_figure
from toolkit.reporting.figures_regimes import is_regime, resource_words
from toolkit.reporting.wording import begin, interval, list_words, plain, quantity_words
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    import plotly.graph_objects as go

__all__ = ["doubling", "tornadoes"]

_MULTIPLES: Final = {"x1": "as it is", "x2": "2 times", "x4": "4 times", "x8": "8 times"}
_CELL_GAP_PX: Final = 28
_HEAT_PITCH_PX: Final = 62
_HEAT_ROWS: Final = 14
_TORNADO_ROWS: Final = 8
_TORNADOES: Final = 4
_LEAST_SHARE: Final = 0.01
"""An input that moves less than this share of the largest move is left out."""


def doubling(frame: pl.DataFrame) -> go.Figure | None:
    """Return a heat map of how each resource grows as the data doubles, with its values written in the cells."""
    alone = frame.filter(~is_regime())
    rows = [row for row in alone.iter_rows(named=True) if all(_finite(row[c]) for c in _MULTIPLES) and row["x1"] > 0][:_HEAT_ROWS]
    if not rows:
        return None
    factors = [[row[c] / row["x1"] for c in _MULTIPLES] for row in rows]
    firsts = [
        f"{resource_words(row['resource'], row['unit'])} {show(row['x8'] / row['x1'], 'ratio', 2)} times"
        for row in _first_rows(rows)
    ]
    figure = new_figure(
        f"With 8 times the data: {list_words(firsts)}",
        about="The darker, the steeper; an exponent of 1 grows in step with the data, 0 not at all. "
        "Each draw is held against itself: a factor is the median over draws, on the median need with the data there is.",
    )
    figure.add_heatmap(
        z=[[math.log2(max(f, 1e-9)) for f in line] for line in factors], x=list(_MULTIPLES.values()), y=list(range(len(rows))),
        text=[[show(row[c], row["unit"]) for c in _MULTIPLES] for row in rows], texttemplate="%{text}", xgap=3,
        ygap=_CELL_GAP_PX, colorscale=[[0, PALE], [1, HEAT]], zmin=0, zmax=3, showscale=False,
        textfont={"color": INK, "size": 12}, customdata=[[f"{f:.3g}" for f in line] for line in factors],
        meta=[[row[c] for c in _MULTIPLES] for row in rows],
        hovertemplate="%{x} the data: %{text} (%{customdata} times)<extra></extra>",
    )  # fmt: skip
    for place, row in enumerate(rows):
        exponent = f"{row['exponent']:.2f}" if _finite(row["exponent"]) else "unknown"
        row_label(figure, place, plain(begin(resource_words(row["resource"], row["unit"]))), f"exponent {exponent}", above_px=28)
    figure.update_xaxes(title_text="amount of data", side="bottom", showgrid=False)
    finish_rows(figure, len(rows), pitch_px=_HEAT_PITCH_PX)
    return figure


def _first_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that the title names: storage, and whatever computes."""
    named = [row for row in rows if row["quantity"] in {"storage.capacity_bytes", "training.gpu_count"}]
    return named or rows[:1]


def tornadoes(frame: pl.DataFrame, units: Mapping[str, str]) -> dict[str, go.Figure | None]:
    """Return a tornado for each of the first few quantities of a sensitivity frame: what moves it, largest first.

    Parameters
    ----------
    frame : pl.DataFrame
        quantity, unit, input, low_input, high_input, low_result, high_result.
    units : Mapping
        Unit of each input, by name; an input without one is shown as a bare number.
    """
    figures: dict[str, go.Figure | None] = {}
    finite = frame.filter(pl.col("low_result").is_finite() & pl.col("high_result").is_finite())
    swings = finite.with_columns(swing=(pl.col("high_result") - pl.col("low_result")).abs()).filter(pl.col("swing") > 0)
    for quantity in swings["quantity"].unique(maintain_order=True).to_list()[:_TORNADOES]:
        rows = swings.filter(pl.col("quantity") == quantity).sort("swing", "input", descending=[True, False])
        rows = rows.filter(pl.col("swing") >= pl.col("swing").max() * _LEAST_SHARE)
        figures["tornado-" + quantity.replace(".", "-").replace("_", "-")] = _tornado(quantity, rows.head(_TORNADO_ROWS), units)
    return figures


def _tornado(quantity: str, rows: pl.DataFrame, units: Mapping[str, str]) -> go.Figure:
    unit, words = rows["unit"][0], quantity_words(quantity)
    facts = list(rows.iter_rows(named=True))
    top = facts[0]
    low, high = sorted((top["low_result"], top["high_result"]))
    finding = f"{words} depends most on {_input_words(top['input'])}: {interval(low, high, unit)}"
    figure = new_figure(begin(finding), about="Each bar: one input goes from its low to its high value, the others stay.")
    results = [value for row in facts for value in (row["low_result"], row["high_result"])]
    middle = float(pl.Series([(row["low_result"] + row["high_result"]) / 2 for row in facts]).median() or 0.0)  # type: ignore[arg-type]  # the median of floats
    for side, color in (("low", SKY), ("high", VERMILLION)):
        figure.add_bar(
            x=[row[f"{side}_result"] - middle for row in facts], base=middle, y=list(range(len(facts))), orientation="h",
            width=0.3, marker={"color": color}, name=f"input at its {side} value", hoverinfo="text",
            hovertext=[_hover(row, side, unit, units) for row in facts],
        )  # fmt: skip
    for place, row in enumerate(facts):
        row_label(figure, place, _input_words(row["input"]), f"{_shown(row, 'low', units)} to {_shown(row, 'high', units)}")
    low, high = min(results), max(results)
    figure.update_xaxes(title_text=words, **axis_ticks(high, unit, bottom=low - (high - low) * 0.04))
    finish_rows(figure, len(facts))
    figure.update_layout(barmode="overlay", showlegend=True, height=figure.layout.height + 24)
    return figure


def _hover(row: Mapping[str, Any], side: str, unit: str, units: Mapping[str, str]) -> str:
    return f"{_input_words(row['input'])} {_shown(row, side, units)}: {show(row[f'{side}_result'], unit)}"


def _input_words(name: str) -> str:
    return plain(quantity_words(name))


def _shown(row: Mapping[str, Any], side: str, units: Mapping[str, str]) -> str:
    value = row[f"{side}_input"]
    unit = units.get(row["input"], "")
    return plain(value if isinstance(value, str) else show(value, "" if unit == "ratio" else unit))


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
