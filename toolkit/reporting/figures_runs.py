"""The figure of two runs of ``measure``: each rate over what it was, with its interval, and what differs beyond its spread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from toolkit.reporting.charts import finish_rows, guide_lines, log_ticks, row_label, row_marks
from toolkit.reporting.design import GRAY, GREEN, INK, VERMILLION, new_figure
from toolkit.reporting.wording import begin, plain, shorten
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from toolkit.measurement.comparing import Comparison, Ratio

__all__ = ["ranked_ratios", "ratios_of_runs"]

_ROWS: Final = 14
_VERDICTS: Final = {
    "faster": (GREEN, "triangle-up"),
    "slower": (VERMILLION, "triangle-down"),
    "no difference shown": (GRAY, "circle-open"),
    "spread unknown": (GRAY, "x-thin-open"),
}
_DIFFERING: Final = {"faster", "slower"}


def ranked_ratios(found: Comparison) -> list[Ratio]:
    """Return the ratios, those that differ by more than their spread first, the largest change of all on top."""
    return sorted(found.ratios, key=lambda r: (r.verdict not in _DIFFERING, -_size(r), r.title))


def _size(ratio: Ratio) -> float:
    return abs(math.log(ratio.ratio)) if ratio.ratio > 0 and math.isfinite(ratio.ratio) else 0.0


def ratios_of_runs(found: Comparison) -> go.Figure | None:
    """Return each measurement's ratio of the later run to the earlier with its 95 % interval; None where none can be drawn."""
    ranked = [ratio for ratio in ranked_ratios(found) if ratio.ratio > 0 and math.isfinite(ratio.ratio)]
    if not ranked:
        return None
    shown = ranked[:_ROWS]
    about = "B over A with 95 % intervals; of a time, below 1 is faster."
    if len(ranked) > len(shown):
        about += f" The {len(shown)} largest changes of {len(ranked)}; the table holds all."
    figure = new_figure(_finding(found, ranked), about=about)
    for verdict, (color, symbol) in _VERDICTS.items():
        places = [place for place, ratio in enumerate(shown) if ratio.verdict == verdict]
        if places:
            _add_verdict(figure, [(place, shown[place]) for place in places], verdict, color, symbol)
    for place, ratio in enumerate(shown):
        row_label(figure, place, plain(ratio.title), f"{_ends(ratio)} ({ratio.ratio:.2g})", above_px=16)
    values = [value for r in shown for value in (r.ratio, r.low_ratio, r.high_ratio) if value and math.isfinite(value)]
    row_marks(figure, 1, len(shown), INK)
    figure.update_xaxes(title_text="B over A (logarithmic)", **log_ticks([*values, 0.8, 1.25], "ratio"))
    guide_lines(figure, len(shown))
    finish_rows(figure, len(shown), pitch_px=40)
    figure.update_layout(showlegend=True, height=figure.layout.height + 24)
    return figure


def _add_verdict(figure: go.Figure, rows: Sequence[tuple[int, Ratio]], verdict: str, color: str, symbol: str) -> None:
    highs = [max((r.high_ratio or r.ratio) - r.ratio, 0.0) for _, r in rows]
    lows = [max(r.ratio - (r.low_ratio or r.ratio), 0.0) for _, r in rows]
    figure.add_scatter(
        x=[r.ratio for _, r in rows], y=[place for place, _ in rows], mode="markers", name=verdict, hoverinfo="text",
        marker={"color": color, "symbol": symbol, "size": 11, "line": {"width": 2, "color": color}},
        hovertext=[f"{plain(r.title, 80)}: {_ends(r)}, {verdict}" for _, r in rows],
        error_x={
            "type": "data", "symmetric": False, "array": highs, "arrayminus": lows, "thickness": 1.3, "width": 4, "color": INK,
        },
    )  # fmt: skip


def _ends(ratio: Ratio) -> str:
    return f"{show(ratio.before, ratio.unit)} to {show(ratio.after, ratio.unit)}"


def _finding(found: Comparison, ranked: Sequence[Ratio]) -> str:
    top = ranked[0]
    if top.verdict not in _DIFFERING:
        return f"None of {len(found.ratios):,} measurements differs by more than its spread"
    differing = f"{found.differing_count:,} of {len(found.ratios):,} differ by more than their spread"
    return f"{differing}, most: {begin(shorten(top.title, 80))}, {_ends(top)}"
