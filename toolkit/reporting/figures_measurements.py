"""Figures of measurements: rates against their ceilings, every stage on one axis, and the spread of every sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from toolkit.reporting.charts import finish_rows, guide_lines, log_ticks, row_label, row_marks
from toolkit.reporting.design import AXIS, GRAY, GREEN, TRACK, VERMILLION, new_figure
from toolkit.reporting.figures_caches import CACHE_KINDS, WHISKER, cache_kind, cold_and_warm
from toolkit.reporting.figures_contention import contention, utilisation
from toolkit.reporting.figures_latency import latencies
from toolkit.reporting.figures_models import model_figures
from toolkit.reporting.measurement_words import measurement_hover, measurement_name
from toolkit.reporting.wording import plain, plural
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from toolkit.facts import Measurement, MeasurementSet

__all__ = ["measurement_figures"]

_DOTS_PX: Final = 36
"""Height of a row of dots."""
_APART: Final = ("contention.", "utilisation.")
"""What has a figure of its own: rates under a load, and shares of emulated accelerators, are no rates of a stage."""
_WHISKER_ROOM: Final = 1.5
"""How far past the bars whiskers may stretch the axis."""


def measurement_figures(found: MeasurementSet) -> dict[str, go.Figure]:
    """Return the figures of a set of measurements, by name; those without anything to show are left out."""
    plain_rates = [m for m in found.measurements if not m.metric.startswith(_APART)]
    stages = [m for m in plain_rates if not m.metric.startswith("ceiling.") and _is_number(m.median)]
    figures = {
        "ceilings": against_ceilings(_leading([m for m in stages if m.ceiling is not None and m.ceiling.value > 0])),
        "rates": in_bytes_per_s(_leading([m for m in plain_rates if _bytes_per_s(m, m.median) > 0])),
        "cold_warm": cold_and_warm(stages),
        "latencies": latencies(found.measurements),
        "contention": contention(found.measurements),
        "utilisation": utilisation(found.measurements),
        "samples": every_sample(_leading(stages)),
    }
    figures |= model_figures(found)
    return {name: figure for name, figure in figures.items() if figure is not None}


def _leading(found: Sequence[Measurement]) -> list[Measurement]:
    """Return one measurement for each metric and cache state: the first of a stage, the best of a ceiling."""
    chosen: dict[tuple[str, str], Measurement] = {}
    for m in found:
        key = (m.metric, m.cache_verdict)
        better = (
            m.metric.startswith("ceiling.")
            and key in chosen
            and _bytes_per_s(m, m.median) > _bytes_per_s(chosen[key], chosen[key].median)
        )
        if key not in chosen or better:
            chosen[key] = m
    return list(chosen.values())


def against_ceilings(stages: Sequence[Measurement]) -> go.Figure | None:
    """Return each stage's rate as a bar on the track of its ceiling, with its interval."""
    if not stages:
        return None
    shares = [_share(m, m.median) for m in stages]
    known = [(share, m) for share, m in zip(shares, stages, strict=True) if m.ceiling_share is not None]
    about = "Each bar is a stage's rate, its track the ceiling of the same run; whiskers are 95 % intervals"
    end = _axis_end(shares, stages)
    is_cut = any(_share(m, m.interval_high) > end for m in stages)
    figure = new_figure(_ceiling_finding(known), about=about + (", cut where the axis ends." if is_cut else "."))
    figure.add_bar(
        x=[1.0] * len(stages), y=list(range(len(stages))), orientation="h", width=0.34, name="the ceiling", hoverinfo="skip",
        marker={"color": TRACK, "line": {"color": AXIS, "width": 1}},
    )  # fmt: skip
    for kind in CACHE_KINDS:
        _add_shares(figure, [(row, m) for row, m in enumerate(stages) if cache_kind(m) == kind], kind, end)
    for row, m in enumerate(stages):
        row_label(figure, row, plain(measurement_name(m), 90), _ceiling_words(m))
    figure.update_xaxes(title_text="share of the ceiling of the same run", tickformat=".0%", range=[0, end])
    finish_rows(figure, len(stages))
    figure.update_layout(barmode="overlay", showlegend=True, height=figure.layout.height + 24)
    return figure


def _axis_end(shares: Sequence[float], stages: Sequence[Measurement]) -> float:
    """Return where the axis of shares ends: past every bar, and past whiskers that do not squeeze the bars."""
    bars = max([1.04, *(share * 1.02 for share in shares if math.isfinite(share))])
    return min(max([bars, *(_share(m, m.interval_high) * 1.02 for m in stages)]), bars * _WHISKER_ROOM)


def _add_shares(figure: go.Figure, rows: Sequence[tuple[int, Measurement]], kind: str, end: float) -> None:
    if not rows:
        return
    shares = [_share(m, m.median) for _, m in rows]
    ends = [sorted((_share(m, m.interval_low), _share(m, m.interval_high))) for _, m in rows]  # a time is best when short
    lows = [max(share - low, 0.0) for share, (low, _) in zip(shares, ends, strict=True)]
    highs = [max(min(high, end) - share, 0.0) for share, (_, high) in zip(shares, ends, strict=True)]
    figure.add_bar(
        x=[share if math.isfinite(share) else None for share in shares], y=[row for row, _ in rows], orientation="h", width=0.34,
        name=kind, marker={"color": CACHE_KINDS[kind][0]},
        error_x={"type": "data", "symmetric": False, "array": highs, "arrayminus": lows, **WHISKER},
        hovertext=[measurement_hover(m) for _, m in rows], hoverinfo="text",
    )  # fmt: skip


def _ceiling_finding(known: Sequence[tuple[float, Measurement]]) -> str:
    if not known:
        return "Rates were taken, but their ceilings are understated: no share is given"
    share, lowest = min(known, key=lambda pair: pair[0])
    best, highest = max(known, key=lambda pair: pair[0])
    if len(known) == 1:
        return f"{lowest.title} reaches {show(share, 'share', 2)} of its ceiling"
    far, near = show(share, "share", 2), show(best, "share", 2)
    return f"Nearest its ceiling: {highest.title} ({near}); farthest: {lowest.title} ({far})"


def _ceiling_words(m: Measurement) -> str:
    assert m.ceiling is not None
    share = "ceiling understated" if m.ceiling_share is None else show(m.ceiling_share, "share", 2)
    best = "at best" if m.unit == "s" else "of"
    return f"{show(m.median, m.unit)} {best} {show(m.ceiling.value, m.unit)} · {share}"


def _share(m: Measurement, value: float) -> float:
    assert m.ceiling is not None
    if m.unit == "s":  # a time is best when short: the ceiling is the shortest possible
        return m.ceiling.value / value if value > 0 else math.nan
    return value / m.ceiling.value


def _bytes_per_s(m: Measurement, value: float) -> float:
    if not _is_number(value):
        return 0.0
    if m.unit == "bytes_per_s":
        return value
    return value * m.bytes_per_image if m.unit == "images_per_s" else 0.0


def in_bytes_per_s(found: Sequence[Measurement]) -> go.Figure | None:
    """Return every stage on one axis of bytes a second: one look shows which limits the others."""
    if len(found) < 2:
        return None
    ranked = sorted(found, key=lambda m: (-_bytes_per_s(m, m.median), m.metric))
    about = "Each mark is a stage, each tick a ceiling; images/s are converted by the mean bytes of an image."
    figure = new_figure(_slowest(ranked), about=f"{about} Whiskers are 95 % intervals.")
    ceilings = [m for m in ranked if m.metric.startswith("ceiling.")]
    look = {"a ceiling": (GRAY, "line-ns-open")} | CACHE_KINDS
    for kind, (color, symbol) in look.items():
        shown = ceilings if kind == "a ceiling" else [m for m in ranked if m not in ceilings and cache_kind(m) == kind]
        if shown:
            figure.add_scatter(
                x=[_bytes_per_s(m, m.median) for m in shown], y=[ranked.index(m) for m in shown], mode="markers", name=kind,
                hovertext=[measurement_hover(m) for m in shown], hoverinfo="text", error_x=_whiskers(shown),
                marker={"size": 11, "color": color, "symbol": symbol, "line": {"width": 2.5 if shown is ceilings else 0}},
            )  # fmt: skip
    for row, m in enumerate(ranked):
        kind = "ceiling · " if m in ceilings else ""
        row_label(
            figure, row, plain(measurement_name(m), 90), f"{kind}{show(_bytes_per_s(m, m.median), 'bytes_per_s')}", above_px=14
        )
    ends = [end for m in ranked for end in (*_interval(m), _bytes_per_s(m, m.median))]
    figure.update_xaxes(title_text="encoded bytes a second (logarithmic)", **log_ticks(ends, "bytes_per_s"))
    guide_lines(figure, len(ranked))
    finish_rows(figure, len(ranked), pitch_px=_DOTS_PX)
    figure.update_layout(showlegend=True, height=figure.layout.height + 24)
    return figure


def _slowest(ranked: Sequence[Measurement]) -> str:
    """Return the slowest of what training waits for, and what was slower and is done once, so that no mark contradicts it."""
    once = [m for m in ranked if m.metric.startswith("curate.")]
    stages = [m for m in ranked if m not in once and not m.metric.startswith("ceiling.")] or list(ranked)
    slowest = stages[-1]
    rate_bytes_per_s = _bytes_per_s(slowest, slowest.median)
    finding = f"The slowest stage on the way to training: {measurement_name(slowest)}, {show(rate_bytes_per_s, 'bytes_per_s')}"
    slower = [m for m in once if _bytes_per_s(m, m.median) < rate_bytes_per_s]
    if not slower or slowest in once:
        return finding
    return f"{finding}; curation, which is done once, {show(_bytes_per_s(slower[-1], slower[-1].median), 'bytes_per_s')}"


def _whiskers(found: Sequence[Measurement]) -> dict[str, object]:
    values, ends = [_bytes_per_s(m, m.median) for m in found], [_interval(m) for m in found]
    highs = [high - value for value, (_, high) in zip(values, ends, strict=True)]
    lows = [value - low for value, (low, _) in zip(values, ends, strict=True)]
    return {"type": "data", "symmetric": False, "array": highs, "arrayminus": lows, **WHISKER}


def _interval(m: Measurement) -> tuple[float, float]:
    """Return a rate's interval as a logarithmic axis can hold it: around the rate, and never down to nothing."""
    value = _bytes_per_s(m, m.median)
    return min(max(_bytes_per_s(m, m.interval_low), value * 0.01), value), max(_bytes_per_s(m, m.interval_high), value)


def every_sample(stages: Sequence[Measurement]) -> go.Figure | None:
    """Return every timed window as a dot, as a multiple of its measurement's median: how steady each figure is."""
    shown = [m for m in stages if len(m.samples) > 1 and m.median > 0]
    if not shown:
        return None
    spreads = {measurement_name(m): max(s.value for s in m.samples) / max(min(s.value for s in m.samples), 1e-12) for m in shown}
    widest = max(spreads, key=lambda name: spreads[name])
    finding = f"The least steady: {widest}, its fastest window {spreads[widest]:.3g} times its slowest"
    figure = new_figure(finding, about="Each dot is one timed window over the median of its measurement.")
    for row, m in enumerate(shown):
        color = VERMILLION if m.flags and "neighbour_load" in m.flags else GREEN
        figure.add_scatter(
            x=[s.value / m.median if s.value > 0 else None for s in m.samples],
            y=[row + 0.06 * (s.invocation % 3 - 1) for s in m.samples], mode="markers",
            marker={"size": 7, "color": color, "opacity": 0.55, "line": {"width": 0}},
            name=plain(measurement_name(m), 90),
            hovertext=[f"{show(s.value, m.unit)}, process {s.invocation}, window of {show(s.elapsed_s, 's')}" for s in m.samples],
            hoverinfo="text",
        )  # fmt: skip
        row_label(figure, row, plain(measurement_name(m), 90), plural(len(m.samples), "window"), above_px=15)
    ratios = [s.value / m.median for m in shown for s in m.samples if s.value > 0]
    figure.update_xaxes(title_text="window over median (logarithmic)", **log_ticks([*ratios, 0.9, 1.1], "share"))
    row_marks(figure, 1, len(shown), GRAY)
    guide_lines(figure, len(shown))
    finish_rows(figure, len(shown), pitch_px=_DOTS_PX)
    return figure


def _is_number(value: float) -> bool:
    return math.isfinite(value)
