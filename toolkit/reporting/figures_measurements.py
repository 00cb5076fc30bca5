"""Figures of measurements: rates against their ceilings, cold against warm, and the spread of every sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from toolkit.reporting.charts import axis_ticks, finish_rows, guide_lines, log_ticks, row_label
from toolkit.reporting.design import BLUE, GRAY, GREEN, INK, ORANGE, SKY, TRACK, VERMILLION, new_figure
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

_CACHE_COLORS: Final = {"cold": SKY, "warm": ORANGE}
_DOTS_PX: Final = 36
"""Height of a row of dots."""
_APART: Final = ("contention.", "utilisation.")
"""What has a figure of its own: rates under a load, and shares of emulated accelerators, are no rates of a stage."""
_WHISKER: Final = {"thickness": 1.3, "width": 4}


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
    figure = new_figure(_ceiling_finding(known), about="Each bar is a stage's rate; its track is the ceiling of the same run.")
    lows = [max(share - _share(m, m.interval_low), 0.0) for share, m in zip(shares, stages, strict=True)]
    highs = [max(_share(m, m.interval_high) - share, 0.0) for share, m in zip(shares, stages, strict=True)]
    rows = list(range(len(stages)))
    figure.add_bar(x=[1.0] * len(rows), y=rows, orientation="h", width=0.34, marker={"color": TRACK}, hoverinfo="skip")
    figure.add_bar(
        x=[share if math.isfinite(share) else None for share in shares], y=rows, orientation="h", width=0.34,
        marker={"color": [_stage_color(m) for m in stages]},
        error_x={"type": "data", "symmetric": False, "array": highs, "arrayminus": lows, "color": INK, **_WHISKER},
        hovertext=[measurement_hover(m) for m in stages], hoverinfo="text",
    )  # fmt: skip
    for row, m in zip(rows, stages, strict=True):
        row_label(figure, row, plain(measurement_name(m)), _ceiling_words(m))
    figure.update_xaxes(title_text="share of the ceiling of the same run", tickformat=".0%", range=[0, max(1.04, *shares) * 1.02])
    figure.update_layout(barmode="overlay")
    finish_rows(figure, len(rows))
    return figure


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
    return f"{show(m.median, m.unit)} of {show(m.ceiling.value, m.unit)} · {share}"


def _share(m: Measurement, value: float) -> float:
    assert m.ceiling is not None
    if m.unit == "s":  # a time is best when short: the ceiling is the shortest possible
        return m.ceiling.value / value if value > 0 else math.nan
    return value / m.ceiling.value


def _stage_color(m: Measurement) -> str:
    return _CACHE_COLORS.get(m.cache_verdict, BLUE)


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
    stages = [m for m in ranked if not m.metric.startswith(("ceiling.", "curate."))] or ranked
    slowest = stages[-1]
    finding = f"The slowest stage: {measurement_name(slowest)}, {show(_bytes_per_s(slowest, slowest.median), 'bytes_per_s')}"
    figure = new_figure(
        finding, about="Dots are stages, ticks are ceilings; images/s are converted by the mean bytes of an image."
    )
    values = [_bytes_per_s(m, m.median) for m in ranked]
    ticks = log_ticks(values, "bytes_per_s")
    rows = list(range(len(ranked)))
    figure.add_scatter(
        x=values, y=rows, mode="markers", hovertext=[measurement_hover(m) for m in ranked], hoverinfo="text",
        marker={
            "size": 11,
            "color": [GRAY if m.metric.startswith("ceiling.") else _stage_color(m) for m in ranked],
            "symbol": ["line-ns-open" if m.metric.startswith("ceiling.") else "circle" for m in ranked],
            "line": {"width": [2.5 if m.metric.startswith("ceiling.") else 0 for m in ranked]},
        },
        error_x=_whiskers(ranked, values),
    )  # fmt: skip
    for row, m in zip(rows, ranked, strict=True):
        kind = "ceiling · " if m.metric.startswith("ceiling.") else ""
        row_label(figure, row, plain(measurement_name(m)), f"{kind}{show(values[row], 'bytes_per_s')}", above_px=14)
    figure.update_xaxes(title_text="encoded bytes a second (logarithmic)", **ticks)
    guide_lines(figure, len(rows))
    finish_rows(figure, len(rows), pitch_px=_DOTS_PX)
    return figure


def _whiskers(found: Sequence[Measurement], values: Sequence[float]) -> dict[str, object]:
    highs = [max(_bytes_per_s(m, m.interval_high) - value, 0.0) for m, value in zip(found, values, strict=True)]
    lows = [max(value - max(_bytes_per_s(m, m.interval_low), value * 0.01), 0.0) for m, value in zip(found, values, strict=True)]
    return {"type": "data", "symmetric": False, "array": highs, "arrayminus": lows, "color": INK, **_WHISKER}


def cold_and_warm(stages: Sequence[Measurement]) -> go.Figure | None:
    """Return the rate of each stage that was read both cold and warm, beside each other."""
    pairs: dict[str, dict[str, Measurement]] = {}
    for m in stages:
        cache = str(m.conditions.get("cache", ""))
        if cache in _CACHE_COLORS and m.unit == "bytes_per_s":
            pairs.setdefault(m.metric, {}).setdefault(cache, m)
    both = {metric: pair for metric, pair in pairs.items() if len(pair) == len(_CACHE_COLORS)}
    if not both:
        return None
    gains = {metric: pair["warm"].median / pair["cold"].median for metric, pair in both.items() if pair["cold"].median > 0}
    finding = "Cold and warm reads beside each other"
    if gains:
        metric, gain = max(gains.items(), key=lambda item: item[1])
        finding = f"{_bare(both[metric]['warm'].title)}: {gain:.1f} times as fast from memory as from the device"
    figure = new_figure(
        finding, about="Cold: bytes came from the device; warm: from the page cache, as the kernel accounts them."
    )
    for cache, color in _CACHE_COLORS.items():
        _add_cache_bars(figure, both, cache, color)
    for row, pair in enumerate(both.values()):
        words = " · ".join(f"{cache} {show(pair[cache].median, 'bytes_per_s')}" for cache in ("cold", "warm"))
        row_label(figure, row, plain(_bare(pair["warm"].title)), words, above_px=24)
    top = max(max(m.median, m.interval_high) for pair in both.values() for m in pair.values())
    figure.update_xaxes(title_text="bytes a second", **axis_ticks(top, "bytes_per_s"))
    finish_rows(figure, len(both), pitch_px=68)
    figure.update_layout(barmode="group", showlegend=True, height=figure.layout.height + 24)
    return figure


def _add_cache_bars(figure: go.Figure, both: dict[str, dict[str, Measurement]], cache: str, color: str) -> None:
    rows = [pair[cache] for pair in both.values()]
    errors = [max(m.interval_high - m.median, 0.0) for m in rows], [max(m.median - m.interval_low, 0.0) for m in rows]
    named = {"unverified", "mixed"} & {m.cache_verdict for m in rows}
    figure.add_bar(
        x=[m.median for m in rows], y=list(range(len(rows))), orientation="h", name=f"{cache} (unproven)" if named else cache,
        marker={"color": color}, hovertext=[measurement_hover(m) for m in rows], hoverinfo="text",
        width=0.19, offset=-0.19 if cache == "cold" else 0.0,
        error_x={"type": "data", "symmetric": False, "array": errors[0], "arrayminus": errors[1], "color": INK, **_WHISKER},
    )  # fmt: skip


def _bare(title: str) -> str:
    """Return a title without the cache state at its end."""
    for word in ("warm", "cold", "(warm)", "(cold)"):
        title = title.removesuffix(word).rstrip(" ,")
    return title


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
            x=[s.value / m.median for s in m.samples], y=[row + 0.06 * (s.invocation % 3 - 1) for s in m.samples], mode="markers",
            marker={"size": 7, "color": color, "opacity": 0.55, "line": {"width": 0}}, name=plain(measurement_name(m)),
            hovertext=[f"{show(s.value, m.unit)}, process {s.invocation}, window of {show(s.elapsed_s, 's')}" for s in m.samples],
            hoverinfo="text",
        )  # fmt: skip
        row_label(figure, row, plain(measurement_name(m)), plural(len(m.samples), "window"), above_px=15)
    ratios = [s.value / m.median for m in shown for s in m.samples]
    margin = max(max(ratios) - min(ratios), 0.1) * 0.06
    figure.add_vline(x=1, line={"color": GRAY, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text="window over median", tickformat=".0%", range=[min(ratios) - margin, max(ratios) + margin])
    guide_lines(figure, len(shown))
    finish_rows(figure, len(shown), pitch_px=_DOTS_PX)
    return figure


def _is_number(value: float) -> bool:
    return math.isfinite(value)
