"""Chart forms that several subjects share: rows with their names above them, fans of p10 to p90, and axes in people's units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from toolkit.reporting.design import MUTED, SURFACE, TOP_PX, TRACK, band, new_figure
from toolkit.reporting.wording import begin, interval, plain
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go

__all__ = ["add_fan", "axis_ticks", "finish_rows", "guide_lines", "log_ticks", "ranked_bars", "row_label", "row_marks"]

ROW_PX: Final = 44
"""Height of a row: its name and the bar below it."""

_BOTTOM_PX: Final = 46
_COUNTED: Final = {"images", "occurrences", "count", ""}


def row_label(figure: go.Figure, place: int, text: str, note: str = "", *, above_px: int = 17) -> None:
    """Write a row's name above its bar, so that names of any length leave the bars their width, on a phone too."""
    meta = dict(figure.layout.meta or {})
    meta["rows"] = [*meta.get("rows", []), text]
    figure.update_layout(meta=meta)
    shown = f'{text}  <span style="color:{MUTED}">{note}</span>' if note else text
    figure.add_annotation(
        text=shown, x=0, xref="paper", y=place, yshift=above_px, showarrow=False, xanchor="left", align="left",
        font={"size": 12.5}, bgcolor=SURFACE, borderpad=0,
    )  # fmt: skip


def finish_rows(figure: go.Figure, rows: int, *, pitch_px: int = ROW_PX) -> None:
    """Fix the category axis of a figure drawn with ``row_label``: first row on top, no ticks, ``pitch_px`` a row."""
    height = TOP_PX + _BOTTOM_PX + round(pitch_px * (rows + 0.25))
    figure.update_xaxes(zeroline=False)  # it would strike through the names
    figure.update_yaxes(range=[rows - 0.5, -0.75], showticklabels=False, showgrid=False, zeroline=False)
    figure.update_layout(showlegend=False, margin={"t": TOP_PX, "b": _BOTTOM_PX}, height=height)


def guide_lines(figure: go.Figure, rows: int) -> None:
    """Draw a pale line through each row of dots, so that the eye finds the name that belongs to them."""
    for row in range(rows):
        figure.add_shape(
            type="line", xref="paper", x0=0, x1=1, y0=row, y1=row, layer="below", line={"color": TRACK, "width": 1.5}
        )


def row_marks(figure: go.Figure, at: float, rows: int, color: str) -> None:
    """Draw a short line across each row at one value: a line from top to bottom would strike through the rows' names."""
    for row in range(rows):
        figure.add_shape(
            type="line", x0=at, x1=at, y0=row - 0.16, y1=row + 0.16, layer="below", line={"color": color, "width": 1.5}
        )


def ranked_bars(
    counts: Mapping[str, int], *, finding: str, unit: str, color: str, top: int = 12, about: str = ""
) -> go.Figure | None:
    """Return horizontal bars of the largest counts, largest first, the rest summed in a last bar; None without counts."""
    ranked = sorted(((name, count) for name, count in counts.items() if count > 0), key=lambda pair: (-pair[1], pair[0]))
    if not ranked:
        return None
    shown, rest = (ranked, []) if len(ranked) <= top else (ranked[: top - 1], ranked[top - 1 :])
    rows = [(plain(name, 40), count, color) for name, count in shown]
    if rest:
        rows.append((f"{len(rest):,} others together", sum(count for _, count in rest), band(color)))
    figure = new_figure(finding, about=about or f"{begin(unit)}, the most frequent first.")
    total = sum(counts.values())
    figure.add_bar(
        x=[count for _, count, _ in rows], y=list(range(len(rows))), orientation="h", width=0.3,
        marker={"color": [shade for *_, shade in rows]},
        hovertext=[f"{name}: {count:,} {unit}" for name, count, _ in rows], hoverinfo="text",
    )  # fmt: skip
    for place, (name, count, _) in enumerate(rows):
        row_label(figure, place, name, f"{count:,} · {show(count / total, 'share', 2)}")
    figure.update_xaxes(title_text=unit, **axis_ticks(max(count for _, count, _ in rows), unit))
    finish_rows(figure, len(rows))
    return figure


def add_fan(
    figure: go.Figure, months: Sequence[int], low: Sequence[float], middle: Sequence[float], high: Sequence[float],
    *, name: str, unit: str, color: str, dash: str = "solid", is_stepped: bool = False,
) -> None:  # fmt: skip
    """Draw a median line over its p10 to p90 band, in steps where only whole numbers count, with hover text in people's unit."""
    ends = [(list(months), list(part)) for part in (high, low)]
    (right, upper), (left, lower) = [_steps(*end) for end in ends] if is_stepped else ends
    figure.add_scatter(
        x=[*right, *reversed(left)], y=[*upper, *reversed(lower)], fill="toself", fillcolor=band(color), mode="lines",
        line={"width": 0, "color": color}, hoverinfo="skip", showlegend=False, legendgroup=name,
    )  # fmt: skip
    words = [f"{show(m, unit)} ({interval(a, b, unit)})" for a, m, b in zip(low, middle, high, strict=True)]
    figure.add_scatter(
        x=list(months), y=list(middle), mode="lines", name=name, customdata=words, legendgroup=name,
        line={"color": color, "width": 2.5, "dash": dash, "shape": "hv" if is_stepped else "linear"},
        hovertemplate=f"{name}, month %{{x}}<br>%{{customdata}}<extra></extra>",
    )  # fmt: skip


def _steps(months: list[int], values: list[float]) -> tuple[list[int], list[float]]:
    """Return the corners of a line that stays until the next month.

    Examples
    --------
    >>> _steps([0, 1, 2], [1.0, 1.0, 2.0])
    ([0, 1, 1, 2, 2], [1.0, 1.0, 1.0, 1.0, 2.0])
    """
    return [months[0], *(m for m in months[1:] for _ in "ab")], [*(v for v in values[:-1] for _ in "ab"), values[-1]]


def axis_ticks(top: float, unit: str, bottom: float = 0.0, most: int = 5) -> dict[str, object]:
    """Return round ticks of a linear axis with their labels in the unit that people read, and a range a little past ``top``.

    Examples
    --------
    >>> axis_ticks(4.2e12, "bytes")["ticktext"]
    ['0 B', '1 TB', '2 TB', '3 TB', '4 TB']
    """
    if not (math.isfinite(top) and math.isfinite(bottom)) or top <= bottom:
        bottom = bottom if math.isfinite(bottom) else 0.0
        top = bottom + max(abs(bottom), 1.0)
    scale = _scale_of(top, unit)
    step = _round_step((top - bottom) / scale / most) * scale
    if unit in _COUNTED:
        step = max(step, 1.0)
    first, last = math.ceil(bottom / step - 1e-9), math.floor(top / step + 1e-9)
    marks = [step * i for i in range(first, last + 1)] or [bottom, top]
    shown = "count" if unit in _COUNTED else unit
    return {"tickvals": marks, "ticktext": [show(mark, shown) for mark in marks], "range": [bottom, top + (top - bottom) * 0.04]}


def _scale_of(top: float, unit: str) -> float:
    """Return the size of the unit in which a time this long is read, so that ticks fall on round numbers of it."""
    if unit != "s":
        return 1.0
    steps = (2 * 31_557_600.0, 31_557_600.0), (2 * 86_400.0, 86_400.0), (7_200.0, 3_600.0), (120.0, 60.0)
    return next((scale for least, scale in steps if top >= least), 1.0)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)


def log_ticks(values: Sequence[float], unit: str, most: int = 5) -> dict[str, object]:
    """Return ticks of a logarithmic axis in the unit that people read, at most ``most`` powers of ten, and a range."""
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max((high - low) * 0.05, 0.05)
    first, last = math.floor(low - margin), math.ceil(high + margin)
    if high - low <= 2:
        marks = [m * 10.0**power for power in range(first, last + 1) for m in ((1, 2, 5) if high - low <= 1.4 else (1, 3))]
    else:
        step = max(-(-(last - first) // most), 1)
        marks = [10.0**power for power in range(first, last + 1, step)]
    marks = [mark for mark in marks if low - margin <= math.log10(mark) <= high + margin] or [10.0**low]
    return {
        "type": "log",
        "tickvals": marks,
        "ticktext": [show(mark, unit) for mark in marks],
        "range": [low - margin, high + margin],
    }
