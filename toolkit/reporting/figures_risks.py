"""Figures of what may not be enough: how likely it is, month by month, and which resource limits when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.reporting.charts import finish_rows, row_label
from toolkit.reporting.design import BLUE, LEVELS, ORANGE, VERMILLION, new_figure
from toolkit.reporting.timelines import months_axis, months_step, series
from toolkit.reporting.wording import begin, list_words, plain, shorten
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go

    from toolkit.reporting.timelines import Series

__all__ = ["RISKS", "limits_by_month", "shortages"]

RISKS: Final = {
    "training.late_share": "missing the deadline of a training run",
    "storage.shortage_share": "running out of the storage there is",
    "site.shortage_share": "passing the power of the site",
}
"""Probabilities by month, each the share of the draws in which more is needed than there is."""

_LINES: Final = ((VERMILLION, "solid"), (BLUE, "dash"), (ORANGE, "dot"))
_LEVELS: Final = (
    ("below 50 %", 0.5, LEVELS[0]), ("50 to 90 %", 0.9, LEVELS[1]), ("90 to 100 %: about to limit", 1.0, LEVELS[2]),
)  # fmt: skip
_OVER: Final = ("above 100 %: limits", LEVELS[3])
_ROWS: Final = 12
_PITCH_PX: Final = 46
_CELL_GAP_PX: Final = 26


def shortages(frame: pl.DataFrame) -> go.Figure | None:
    """Return the probability of each shortage by month; None where none is possible in any draw."""
    lines = {name: line for name in RISKS if (line := series(frame, name)) is not None and max(line.p50) > 0}
    if not lines:
        return None
    figure = new_figure(_risk_finding(lines), height=330, about="Share of the draws in which more is needed than there is.")
    for (name, line), (color, dash) in zip(lines.items(), _LINES, strict=False):
        figure.add_scatter(
            x=line.months, y=line.p50, mode="lines", name=RISKS[name], line={"color": color, "width": 2.5, "dash": dash},
            hovertemplate=f"{RISKS[name]}, month %{{x}}: %{{y:.0%}}<extra></extra>",
        )  # fmt: skip
    months_axis(figure, [month for line in lines.values() for month in line.months])
    figure.update_yaxes(title_text="probability", tickformat=".0%", range=[0, 1.03])
    figure.update_layout(showlegend=True)
    return figure


def _risk_finding(lines: Mapping[str, Series]) -> str:
    name, line = max(lines.items(), key=lambda item: max(item[1].p50))
    end = f"{begin(RISKS[name])}: {show(line.p50[-1], 'share', 2)} likely in month {line.months[-1]}"
    likely = next((month for month, share in zip(line.months, line.p50, strict=True) if share > 0.5), None)
    return end if likely is None or likely == line.months[-1] else f"{end}, and more likely than not from month {likely} on"


def limits_by_month(frame: pl.DataFrame) -> go.Figure | None:
    """Return a strip for each resource: by month how much of it is taken, and from when on it limits; None for a single month.

    Parameters
    ----------
    frame : pl.DataFrame
        month, phase, resource, load_share; loads that are not known are left out.
    """
    known = frame.filter(pl.col("load_share").is_not_null() & pl.col("load_share").is_not_nan())
    months = sorted(known["month"].unique().to_list())
    if len(months) < 2:
        return None
    rows = [_strip(key, part, months) for key, part in known.group_by("phase", "resource", maintain_order=True)]
    rows.sort(key=lambda row: (-row["most"], row["name"]))
    shown = rows[:_ROWS]
    about = "Demand over supply of each resource by month, medians."
    if len(rows) > len(shown):
        about += f" The {len(shown)} loaded most of {len(rows)}."
    figure = new_figure(_strips_finding(rows, months[-1]), about=about)
    figure.add_heatmap(
        z=[[_level(share) for share in row["shares"]] for row in shown], x=months, y=list(range(len(shown))),
        text=[[show(share, "share", 2) for share in row["shares"]] for row in shown], xgap=1, ygap=_CELL_GAP_PX,
        meta=[row["shares"] for row in shown], colorscale=_colorscale(), zmin=0, zmax=len(_LEVELS), showscale=False,
        hovertemplate="month %{x}: %{text} of what is there<extra></extra>", hoverongaps=False,
    )  # fmt: skip
    for name, color in [*((words, shade) for words, _, shade in _LEVELS), _OVER]:
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="markers",
            name=name,
            marker={"color": color, "symbol": "square", "size": 12},
            hoverinfo="skip",
        )
    for place, row in enumerate(shown):
        row_label(figure, place, plain(row["name"]), row["words"], above_px=22)
    figure.update_xaxes(title_text="months from now", dtick=months_step(months), tick0=0, showgrid=False, zeroline=False)
    finish_rows(figure, len(shown), pitch_px=_PITCH_PX)
    figure.update_layout(showlegend=True, height=figure.layout.height + 24)
    return figure


def _strip(key: Sequence[object], part: pl.DataFrame, months: Sequence[int]) -> dict[str, Any]:
    phase, resource = key
    by_month = dict(part.select("month", "load_share").iter_rows())
    shares = [by_month.get(month) for month in months]
    first, last = (show(by_month.get(month), "share", 2) for month in (months[0], months[-1]))
    words = f"{first} throughout" if first == last else f"{first} now, {last} in month {months[-1]}"
    when = _when([month for month in months if (by_month.get(month) or 0) > 1], months)
    return {
        "name": f"{begin(str(resource))}, {phase}", "told": shorten(f"{resource} in {phase}", 60), "shares": shares,
        "most": max(by_month.values()), "words": f"{words} \u00b7 limits {when}" if when else words, "when": when,
        "since": next((month for month in months if (by_month.get(month) or 0) > 1), None),
    }  # fmt: skip


def _when(short: Sequence[int], months: Sequence[int]) -> str:
    """Return the months in which something is short as words.

    Examples
    --------
    >>> months = [0, 1, 2, 3]
    >>> [_when(short, months) for short in ([], months, [2, 3], [1, 2], [1], [0, 3])]
    ['', 'throughout', 'from month 2 on', 'in months 1 to 2', 'in month 1', 'in 2 months of 0 to 3']
    """
    if not short:
        return ""
    if len(short) == len(months):
        return "throughout"
    spanned = [month for month in months if short[0] <= month <= short[-1]]
    if len(spanned) > len(short):
        return f"in {len(short)} months of {short[0]} to {short[-1]}"
    if short[-1] == months[-1]:
        return f"from month {short[0]} on"
    return f"in month {short[0]}" if len(short) == 1 else f"in months {short[0]} to {short[-1]}"


def _strips_finding(rows: Sequence[Mapping[str, Any]], last: int) -> str:
    short = sorted((row for row in rows if row["since"] is not None), key=lambda row: row["since"])
    if not short:
        top = rows[0]
        return f"Nothing limits until month {last}; taken most: {top['told']}, {show(top['most'], 'share', 2)}"
    more = [f"{len(short) - 2} more later"] if len(short) > 2 else []
    named = [f"{row['told']} {row['when']}" for row in short[:2]]
    return f"What limits: {list_words([*named, *more])}"


def _level(share: float | None) -> int | None:
    if share is None:
        return None
    return next((place for place, (_, most, _) in enumerate(_LEVELS) if share <= most), len(_LEVELS))


def _colorscale() -> list[list[object]]:
    """Return a step for each level: half a step around each whole number has one colour."""
    colors = [*(shade for *_, shade in _LEVELS), _OVER[1]]
    steps = len(colors) - 1
    edges = [0.0, *((place + 0.5) / steps for place in range(steps)), 1.0]
    return [[edge, color] for place, color in enumerate(colors) for edge in edges[place : place + 2]]
