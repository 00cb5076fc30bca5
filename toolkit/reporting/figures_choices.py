"""Figures of what else could be bought: every choice beside the one taken, by its price, or by its power where prices lack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.reporting.charts import axis_ticks, finish_rows, row_label
from toolkit.reporting.design import BLUE, GRAY, GREEN, VERMILLION, new_figure
from toolkit.reporting.wording import begin, plain, plural, shorten
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

__all__ = ["choice_figures"]

_ROWS: Final = 10
_KINDS: Final = {
    "chosen": BLUE,
    "less than what was chosen": GREEN,
    "as much or more": GRAY,
    "does not fit": VERMILLION,
}
_MEASURES: Final = {"price_usd": ("price (US dollars)", "usd"), "power_w": ("power", "w")}


def choice_figures(frame: pl.DataFrame) -> dict[str, go.Figure]:
    """Return a figure for each phase in which something else could be taken, by name.

    Parameters
    ----------
    frame : pl.DataFrame
        phase, item, count, price_usd, power_w, is_chosen, verdict.
    """
    phases = frame["phase"].unique(maintain_order=True).to_list()
    found = {f"choices-{phase}": _choices(str(phase), frame.filter(pl.col("phase") == phase)) for phase in phases}
    return {name: figure for name, figure in found.items() if figure is not None}


def _choices(phase: str, frame: pl.DataFrame) -> go.Figure | None:
    chosen = frame.filter(pl.col("is_chosen"))
    measure = next((name for name in _MEASURES if _is_comparable(frame, chosen, name)), None)
    if measure is None:
        return None
    base = float(chosen[measure][0])
    known = frame.filter(pl.col(measure).is_finite())
    rows = [row | {"kind": _kind(row, measure, base)} for row in known.sort(measure, "item").iter_rows(named=True)]
    shown = _kept(rows)
    words, unit = _MEASURES[measure]
    figure = new_figure(_finding(phase, rows, words, base, unit, measure), about=_about(phase, frame, rows, shown, words))
    for name, color in _KINDS.items():
        places = [place for place, row in enumerate(shown) if row["kind"] == name]
        if places:
            figure.add_bar(
                x=[shown[p][measure] for p in places], y=places, orientation="h", width=0.3, name=name,
                marker={"color": color, "pattern": {"shape": "/" if name == "does not fit" else ""}}, hoverinfo="text",
                hovertext=[_hover(shown[p], measure, unit) for p in places],
            )  # fmt: skip
    for place, row in enumerate(shown):
        row_label(figure, place, plain(row["item"]), plain(f"{row['count']:,.0f} for {show(row[measure], unit)}{_why(row)}", 90))
    figure.update_xaxes(title_text=words, **axis_ticks(max(row[measure] for row in shown), unit))
    finish_rows(figure, len(shown))
    figure.update_layout(showlegend=True, height=figure.layout.height + 24)
    return figure


def _is_comparable(frame: pl.DataFrame, chosen: pl.DataFrame, measure: str) -> bool:
    """Return whether the chosen one has the figure, and another one too."""
    return chosen.height > 0 and (chosen[measure][0] or 0) > 0 and frame.filter(pl.col(measure).is_finite()).height > 1


def _kind(row: dict[str, Any], measure: str, base: float) -> str:
    if row["is_chosen"]:
        return "chosen"
    if _is_unfit(row):
        return "does not fit"
    return "less than what was chosen" if row[measure] < base else "as much or more"


def _is_unfit(row: dict[str, Any]) -> bool:
    verdict = str(row["verdict"])
    return verdict.startswith("rejected: ") and not verdict.endswith(" times the price")


def _why(row: dict[str, Any]) -> str:
    verdict = str(row["verdict"])
    return f" · {verdict.removeprefix('rejected: ')}" if _is_unfit(row) else " · chosen" if row["is_chosen"] else ""


def _hover(row: dict[str, Any], measure: str, unit: str) -> str:
    return plain(f"{row['item']}: {show(row[measure], unit)}; {row['verdict']}", 140)


def _kept(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first rows, and the chosen one wherever it stands."""
    first = list(rows[:_ROWS])
    return first if any(row["is_chosen"] for row in first) else [*first[:-1], *(row for row in rows if row["is_chosen"])]


def _about(phase: str, frame: pl.DataFrame, rows: Sequence[dict[str, Any]], shown: Sequence[dict[str, Any]], words: str) -> str:
    parts = ["Each does what the plan asks for in nine draws of ten."]
    if phase == "training":
        parts.append("Devices are counted one by one here; the plan buys them in whole nodes.")
    if len(shown) < len(rows):
        parts.append(f"{len(rows) - len(shown)} more stand in the table.")
    missing = frame.height - len(rows)
    if missing:
        parts.append(
            f"{plural(missing, 'choice')} without a {words.partition(' ')[0]} {'is' if missing == 1 else 'are'} not drawn."
        )
    return " ".join(parts)


def _finding(phase: str, rows: Sequence[dict[str, Any]], words: str, base: float, unit: str, measure: str) -> str:
    chosen = next(row for row in rows if row["is_chosen"])
    less = [row for row in rows if row["kind"] == "less than what was chosen"]
    what = words.partition(" ")[0]
    start = f"{begin(phase)}: {shorten(chosen['item'], 60)} ({show(base, unit)})"
    if not less:
        fitting = [row for row in rows if row["kind"] != "does not fit"]
        if len(fitting) == 1:
            return f"{start} is the only choice that fits"
        return f"{start} has the lowest {what} of the {len(fitting):,} that fit and can be compared"
    lowest = min(less, key=lambda row: row[measure])
    return f"{start} was chosen; {shorten(lowest['item'], 60)} would take {show(lowest[measure], unit)}"
