"""The figure of reads that were proven cold beside the same reads proven warm: what the page cache is worth on this machine."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from toolkit.reporting.charts import finish_rows, guide_lines, log_ticks, row_label
from toolkit.reporting.design import BLUE, GRAY, INK, ORANGE, SKY, new_figure
from toolkit.reporting.measurement_words import bare_title, measurement_hover
from toolkit.reporting.wording import list_words, plain, shorten
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from toolkit.facts import Measurement

__all__ = ["CACHE_KINDS", "WHISKER", "cache_kind", "cold_and_warm"]

CACHE_KINDS: Final = {
    "proven cold: from the device": (SKY, "circle"),
    "proven warm: from memory": (ORANGE, "diamond"),
    "no cache in it, or none proven": (BLUE, "square"),
}
"""What the kernel's own accounts prove of where bytes came from, with colour and symbol."""

WHISKER: Final = {"thickness": 1.3, "width": 4, "color": INK}
_VERDICTS: Final = ("cold", "warm")
_PITCH_PX: Final = 42
_LEAST_SHARE: Final = 0.01
"""How far below its value an interval is drawn, where it reaches down to nothing."""


def cache_kind(m: Measurement) -> str:
    """Return under which of ``CACHE_KINDS`` a measurement falls."""
    cold, warm, neither = CACHE_KINDS
    return {"cold": cold, "warm": warm}.get(m.cache_verdict, neither)


def cold_and_warm(stages: Sequence[Measurement]) -> go.Figure | None:
    """Return each read that was proven cold beside the same read proven warm; None where there is no such pair.

    What a read was meant to be does not count: a row that the page cache answered says nothing of the device.
    """
    pairs: dict[tuple[str, str], dict[str, Measurement]] = {}
    for m in stages:
        if m.unit == "bytes_per_s" and m.median > 0 and math.isfinite(m.median) and m.cache_verdict in _VERDICTS:
            others = sorted((name, str(value)) for name, value in m.conditions.items() if name != "cache")
            pairs.setdefault((m.metric, str(others)), {}).setdefault(m.cache_verdict, m)
    both = [pair for pair in pairs.values() if len(pair) == len(_VERDICTS)]
    if not both:
        return None
    top = max(both, key=_gain)
    figure = new_figure(
        f"{bare_title(top['warm'].title)}: {_times(_gain(top))} from memory as from the device", about=_about(stages)
    )
    for row, pair in enumerate(both):
        figure.add_scatter(
            x=[pair[verdict].median for verdict in _VERDICTS], y=[row, row], mode="lines", line={"color": GRAY, "width": 2},
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    for verdict in _VERDICTS:
        _add_dots(figure, [pair[verdict] for pair in both])
    for row, pair in enumerate(both):
        words = " · ".join(f"{verdict} {show(pair[verdict].median, 'bytes_per_s')}" for verdict in _VERDICTS)
        row_label(figure, row, plain(bare_title(pair["warm"].title), 90), f"{words} · {_gain(pair):.3g} times", above_px=16)
    ends = [end for pair in both for m in pair.values() for end in (m.median, _low(m), max(m.interval_high, m.median))]
    figure.update_xaxes(title_text="bytes a second (logarithmic)", **log_ticks(ends, "bytes_per_s"))
    guide_lines(figure, len(both))
    finish_rows(figure, len(both), pitch_px=_PITCH_PX)
    figure.update_layout(showlegend=True, height=figure.layout.height + 24)
    return figure


def _gain(pair: dict[str, Measurement]) -> float:
    return pair["warm"].median / pair["cold"].median


def _times(gain: float) -> str:
    return f"{gain:.3g} times as fast"


def _low(m: Measurement) -> float:
    return max(m.interval_low, m.median * _LEAST_SHARE) if math.isfinite(m.interval_low) else m.median


def _add_dots(figure: go.Figure, found: Sequence[Measurement]) -> None:
    name = cache_kind(found[0])
    color, symbol = CACHE_KINDS[name]
    errors = [max(m.interval_high - m.median, 0.0) for m in found], [max(m.median - _low(m), 0.0) for m in found]
    figure.add_scatter(
        x=[m.median for m in found], y=list(range(len(found))), mode="markers", name=name, hoverinfo="text",
        marker={"color": color, "symbol": symbol, "size": 11, "line": {"width": 0}},
        hovertext=[measurement_hover(m) for m in found],
        error_x={"type": "data", "symmetric": False, "array": errors[0], "arrayminus": errors[1], **WHISKER},
    )  # fmt: skip


def _about(stages: Sequence[Measurement]) -> str:
    about = "As the kernel accounts bytes, not as a read was meant to be; whiskers are 95 % intervals."
    failed = {
        shorten(bare_title(m.title), 60): None
        for m in stages
        if m.unit == "bytes_per_s" and m.conditions.get("cache") == "cold" and m.cache_verdict != "cold"
    }
    return f"{about} Meant cold, but not proven so, and left out: {list_words(list(failed))}." if failed else about
