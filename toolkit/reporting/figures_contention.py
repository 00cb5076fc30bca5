"""Figures of a machine that is shared: the loader alone and beside a load, and how many accelerators it keeps busy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from toolkit.reporting.charts import axis_ticks, finish_rows, guide_lines, row_label
from toolkit.reporting.design import BLUE, GRAY, GREEN, INK, VERMILLION, new_figure
from toolkit.reporting.wording import plain, shorten
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from toolkit.facts import Measurement

__all__ = ["contention", "utilisation"]

_LOAD_WORDS: Final = {"cpu": "the processors", "disk": "the disk", "network": "the network"}
_PERCENTILES: Final = ("p50", "p99")
_PITCH_PX: Final = 40
_WHISKER: Final = {"thickness": 1.3, "width": 4, "color": INK}
_SIDES: Final = {"alone": (BLUE, "circle"), "beside the load": (VERMILLION, "diamond")}
_TRIALS: Final = {
    "1": ("one accelerator", BLUE, "circle"),
    "largest": ("as many as are kept busy", GREEN, "diamond"),
    "one more": ("one more", VERMILLION, "x"),
}
_SHARE_METRICS: Final = ("utilisation.sustained", "utilisation.without_first_step")
"""Of a trial's shares the first that it has: the one that decided, else the one that the benchmark defines."""


def contention(found: Sequence[Measurement]) -> go.Figure | None:
    """Return the time of a batch alone and beside a load of each kind, at the median and at the 99th percentile."""
    rows = [row for m in found if (row := _beside(m, found)) is not None]
    if not rows:
        return None
    rows.sort(key=lambda row: (-(row["loss"] or 0.0), row["load"], row["percentile"]))
    figure = new_figure(_contention_finding(rows), about="A batch alone, joined to one beside the load; 95 % whiskers.")
    for place, row in enumerate(rows):
        figure.add_scatter(
            x=[m.median for m in row["sides"]], y=[place, place + 0.14], mode="lines", line={"color": GRAY, "width": 3},
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    for side, name in enumerate(_SIDES):
        _add_side(figure, name, [row["sides"][side] for row in rows])
    for place, row in enumerate(rows):
        alone, loaded = (show(m.median, "s") for m in row["sides"])
        title = f"Load on {row['words']}, {row['percentile']}"
        row_label(
            figure,
            place,
            plain(title),
            f"{alone} alone · {loaded} beside it ({show(row['ratio'], 'ratio', 2)} times)",
            above_px=16,
        )
    top = max(max(m.median, m.interval_high) for row in rows for m in row["sides"])
    figure.update_xaxes(title_text="time of a batch", **axis_ticks(top, "s"))
    guide_lines(figure, len(rows))
    finish_rows(figure, len(rows), pitch_px=_PITCH_PX)
    figure.update_layout(showlegend=True, height=figure.layout.height + 24)
    return figure


def _add_side(figure: go.Figure, name: str, found: Sequence[Measurement]) -> None:
    color, symbol = _SIDES[name]
    below = 0.14 * list(_SIDES).index(name)  # whiskers that lie on each other cannot be told apart
    highs, lows = ([max(m.interval_high - m.median, 0.0) for m in found], [max(m.median - m.interval_low, 0.0) for m in found])
    figure.add_scatter(
        x=[m.median for m in found], y=[row + below for row in range(len(found))], mode="markers", name=name,
        marker={"color": color, "symbol": symbol, "size": 11}, hoverinfo="text",
        hovertext=[f"{plain(m.title, 80)}: {show(m.median, 's')}" for m in found],
        error_x={"type": "data", "symmetric": False, "array": highs, "arrayminus": lows, **_WHISKER},
    )  # fmt: skip


def _beside(loaded: Measurement, found: Sequence[Measurement]) -> dict[str, Any] | None:
    """Return a batch time beside a load with the one taken alone around it; None for anything else."""
    load, percentile = str(loaded.conditions.get("load", "none")), loaded.conditions.get("percentile")
    if loaded.metric != "contention.batch_time" or load == "none" or percentile not in _PERCENTILES:
        return None
    wanted = dict(loaded.conditions) | {"load": "none"}
    alone = next((m for m in found if m.metric == loaded.metric and dict(m.conditions) == wanted), None)
    if alone is None or not (alone.median > 0 and math.isfinite(loaded.median)):
        return None
    losses = [m.median for m in found if m.metric == "contention.loss" and m.conditions.get("load") == load]
    return {
        "load": load, "words": _LOAD_WORDS.get(load, load), "percentile": percentile, "sides": (alone, loaded),
        "ratio": loaded.median / alone.median, "loss": losses[0] if losses else None,
    }  # fmt: skip


def _contention_finding(rows: Sequence[dict[str, Any]]) -> str:
    first = rows[0]
    tail = next((row for row in rows if row["load"] == first["load"] and row["percentile"] == "p99"), first)
    slower = f"a batch at {tail['percentile']} takes {show(tail['ratio'], 'ratio', 2)} times as long"
    if first["loss"] is None:
        return f"Beside a load on {first['words']} {slower}"
    return f"Beside a load on {first['words']} the loader loses {show(max(0.0, first['loss']), 'share', 2)} of its rate; {slower}"


def utilisation(found: Sequence[Measurement]) -> go.Figure | None:
    """Return how busy the loader keeps one emulated accelerator, as many as stay busy, and one more than that."""
    settings = [m for m in found if m.metric == "utilisation.accelerators" and math.isfinite(m.median)]
    if not settings:
        return None
    best = max(settings, key=lambda m: m.median)
    about = "Ticks are what is asked for. As many as are kept busy: what lasts, without what was made ahead of the first step."
    figure = new_figure(_utilisation_finding(best), about=about)
    for which, (name, color, symbol) in _TRIALS.items():
        points = [(place, share) for place, m in enumerate(settings) if (share := _share_of(m, which, found)) is not None]
        if points:
            figure.add_scatter(
                x=[m.median for _, m in points], y=[place for place, _ in points], mode="markers", name=name,
                marker={"color": color, "symbol": symbol, "size": 11},
                hovertext=[f"{plain(m.title, 90)}: {show(m.median, 'share')}" for _, m in points], hoverinfo="text",
            )  # fmt: skip
    figure.add_scatter(
        x=[float(m.conditions.get("least_share", 0.9)) for m in settings], y=list(range(len(settings))), mode="markers",
        name="asked for", marker={"color": INK, "symbol": "line-ns-open", "size": 15, "line": {"width": 2}}, hoverinfo="name",
    )  # fmt: skip
    for place, m in enumerate(settings):
        row_label(figure, place, plain(_setting_words(m), 36), _count_words(m), above_px=16)  # both fit a phone
    figure.update_xaxes(title_text="share of the time that accelerators are busy", tickformat=".0%", range=[0, 1.04])
    guide_lines(figure, len(settings))
    finish_rows(figure, len(settings), pitch_px=_PITCH_PX + 4)
    figure.update_layout(showlegend=True, height=figure.layout.height + 24)
    return figure


def _share_of(setting: Measurement, which: str, found: Sequence[Measurement]) -> Measurement | None:
    """Return the share of a trial of a setting; None where that trial was not made."""
    same = ("preset", "output", "cache", "batch_size", "step_s", "verify")
    for metric in _SHARE_METRICS:
        for m in found:
            is_trial = m.metric == metric and m.conditions.get("accelerators") == which
            if is_trial and all(m.conditions.get(name) == setting.conditions.get(name) for name in same):
                return m
    return None


def _setting_words(m: Measurement) -> str:
    cache = m.conditions.get("cache")
    return f"{m.title.partition(':')[0]}, {m.conditions.get('output')}" + (f", {cache}" if cache in {"cold", "warm"} else "")


def _count_words(m: Measurement) -> str:
    asked = show(float(m.conditions.get("least_share", 0.9)), "share", 2)
    return f"{m.median:,.0f} kept {asked} busy" if m.median else f"not even one kept {asked} busy"


def _utilisation_finding(best: Measurement) -> str:
    if not best.median:
        return f"The loader keeps no emulated accelerator busy here: {_setting_words(best)}"
    asked = show(float(best.conditions.get("least_share", 0.9)), "share", 2)
    return f"The loader keeps {best.median:,.0f} emulated accelerators at least {asked} busy: {shorten(_setting_words(best), 80)}"
