"""The figure of latencies: how long single reads and requests took, the median beside the tail, and until the first byte."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from toolkit.reporting.charts import finish_rows, guide_lines, log_ticks, row_label
from toolkit.reporting.design import BLUE, GREEN, ORANGE, SKY, VERMILLION, new_figure
from toolkit.reporting.measurement_words import measurement_name
from toolkit.reporting.wording import begin, plain, plural, shorten
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from toolkit.facts import Measurement, Sample

__all__ = ["latencies"]

_ROWS: Final = 16
_PITCH_PX: Final = 40
_MARKS: Final = {
    "first byte, p50": (SKY, "circle-open"),
    "first byte, p99": (GREEN, "square-open"),
    "p50": (BLUE, "circle"),
    "p95": (ORANGE, "diamond"),
    "p99": (VERMILLION, "square"),
}
"""Colour and symbol of each percentile: they differ in form too, for gray print."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """The percentiles of one measurement, in seconds, by the words under which they are drawn."""

    name: str
    values_s: dict[str, float]
    operation_count: int

    @property
    def tail_ratio(self) -> float:
        """The 99th percentile over the median."""
        return self.values_s["p99"] / self.values_s["p50"]


def latencies(found: Sequence[Measurement]) -> go.Figure | None:
    """Return p50, p95, p99 and the time to the first byte of each measurement that timed its operations one by one.

    Each percentile is the median of what the windows show; the longest tails come first where there are too many.
    """
    rows = [row for m in found if (row := _row(m)) is not None]
    if not rows:
        return None
    worst = max(rows, key=lambda row: row.tail_ratio)
    shown = sorted(sorted(rows, key=lambda row: -row.tail_ratio)[:_ROWS], key=lambda row: row.values_s["p50"])
    left_out = f" {plural(len(rows) - _ROWS, 'row')} with shorter tails are not drawn." if len(rows) > _ROWS else ""
    figure = new_figure(
        f"The longest tail: {begin(shorten(worst.name, 80))}; its p99 is {worst.tail_ratio:.3g} times its median",
        about=f"Time of single operations, medians over the windows; p99: one in a hundred takes longer.{left_out}",
    )
    for place, row in enumerate(shown):
        ends = min(row.values_s.values()), max(row.values_s.values())
        figure.add_scatter(
            x=list(ends), y=[place, place], mode="lines", line={"color": BLUE, "width": 2}, hoverinfo="skip", showlegend=False
        )
    for name, (color, symbol) in _MARKS.items():
        _add_marks(figure, shown, name, color, symbol)
    for place, row in enumerate(shown):
        row_label(figure, place, plain(row.name, 90), _note(row), above_px=16)
    everything = [value for row in shown for value in row.values_s.values()]
    figure.update_xaxes(title_text="time of an operation (logarithmic)", **log_ticks(everything, "s"))
    guide_lines(figure, len(shown))
    finish_rows(figure, len(shown), pitch_px=_PITCH_PX)
    figure.update_layout(showlegend=True, height=figure.layout.height + 24)
    return figure


def _add_marks(figure: go.Figure, rows: Sequence[_Row], name: str, color: str, symbol: str) -> None:
    places = [place for place, row in enumerate(rows) if name in row.values_s]
    if not places:
        return
    values = [rows[place].values_s[name] for place in places]
    figure.add_scatter(
        x=values, y=places, mode="markers", name=name, hoverinfo="text",
        marker={"color": color, "symbol": symbol, "size": 9, "line": {"width": 2, "color": color}},
        hovertext=[f"{plain(rows[p].name, 80)}<br>{name}: {show(v, 's')}" for p, v in zip(places, values, strict=True)],
    )  # fmt: skip


def _note(row: _Row) -> str:
    ends = f"p50 {show(row.values_s['p50'], 's')} · p99 {show(row.values_s['p99'], 's')}"
    return f"{ends} · {plural(row.operation_count, 'operation')}" if row.operation_count else ends


def _row(m: Measurement) -> _Row | None:
    """Return a measurement's percentiles; None where its operations were not timed."""
    parts: dict[str, list[float | None]] = {
        "first byte, p50": [s.wire.first_byte_p50_s for s in m.samples if s.wire],
        "first byte, p99": [s.wire.first_byte_p99_s for s in m.samples if s.wire],
        "p50": [_of_sample(s, "p50") for s in m.samples],
        "p95": [s.latency.p95_s if s.latency else None for s in m.samples],
        "p99": [_of_sample(s, "p99") for s in m.samples],
    }
    values = {name: [v for v in part if v is not None and math.isfinite(v) and v > 0] for name, part in parts.items()}
    medians = {name: statistics.median(part) for name, part in values.items() if part}
    if not {"p50", "p99"} <= medians.keys():
        return None
    count = sum(s.latency.count for s in m.samples if s.latency)
    return _Row(name=measurement_name(m), values_s=medians, operation_count=count)


def _of_sample(sample: Sample, percentile: str) -> float | None:
    """Return a percentile of the operations of a window: of its reads, or of its requests."""
    if sample.latency is not None:
        return {"p50": sample.latency.p50_s, "p99": sample.latency.p99_s}[percentile]
    if sample.wire is not None:
        return {"p50": sample.wire.latency_p50_s, "p99": sample.wire.latency_p99_s}[percentile]
    return None
