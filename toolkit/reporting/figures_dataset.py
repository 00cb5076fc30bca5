"""Figures of a dataset: what came in, what was refused, and what the dataset is made of. Frames and facts in, figures out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.facts import QUANTILE_SHARES
from toolkit.reporting.charts import axis_ticks, finish_rows, log_ticks, ranked_bars, row_label
from toolkit.reporting.design import BLUE, GRAY, GREEN, ORANGE, PINK, SKY, VERMILLION, band, new_figure, stack_line
from toolkit.reporting.wording import TIMES, interval, moment, plain, plural
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go
    import polars as pl

    from toolkit.facts import DatasetProfile, Quantiles

__all__ = ["dataset_figures", "quality_boxes", "scatter_of_shapes"]

_STATE_COLORS: Final = {"kept": BLUE, "duplicate": SKY, "dropped": GRAY, "quarantined": VERMILLION}
_SPLIT_COLORS: Final = (BLUE, GREEN, PINK, ORANGE, GRAY)
_OTHER_COLORS: Final = (GRAY, PINK, ORANGE, GREEN, SKY)

SHARE_SCORES: Final = {
    "brightness_share": "brightness (mean luma)",
    "contrast_share": "contrast (deviation of luma)",
    "dark_share": "darkest highlights (99th percentile of luma)",
    "light_share": "lightest shadows (5th percentile of luma)",
    "aspect_share": "shorter side over longer side",
}
"""Quality scores that are shares, with the words that people read."""


def dataset_figures(profile: DatasetProfile) -> dict[str, go.Figure]:
    """Return the figures that a profile alone can give, by name; those without anything to show are left out."""
    figures = {
        "funnel": funnel(profile),
        "reasons": ranked_bars(
            {_words(reason): count for reason, count in profile.reasons.items()},
            finding=_reasons_finding(profile),
            unit="occurrences",
            color=VERMILLION,
        ),
        "image_bytes": cumulative(profile.image_size_bytes, unit="bytes", noun="size of an image"),
        "image_pixels": cumulative(profile.image_pixels, unit="pixels", noun="pixels of an image"),
        "formats": ranked_bars(profile.formats, finding=_leading("format", profile.formats), unit="images", color=BLUE),
        "labels": ranked_bars(profile.labels, finding=_labels_finding(profile), unit="images", color=GREEN),
        "versions": versions(profile),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def funnel(profile: DatasetProfile) -> go.Figure | None:
    """Return stacked bars from everything found to the images kept; each bar's parts sum to what it says."""
    others = {kind: count for kind, count in sorted(profile.other_files.items()) if count}
    found = profile.source_count + sum(others.values())
    if not found:
        return None
    finding = f"{profile.image_count:,} of {plural(profile.source_count, 'image occurrence')} were kept"
    figure = new_figure(finding, about="Each bar is a part of the one above it, and its pieces add up to it.")
    kept = _colored(profile.splits, _SPLIT_COLORS) or [("kept", profile.image_count, BLUE)]
    rows: list[tuple[str, list[tuple[str, int, str]]]] = [
        (
            f"{found:,} found",
            [
                ("images", profile.source_count, BLUE),
                *_colored({_words(kind): count for kind, count in others.items()}, _OTHER_COLORS),
            ],
        ),
        (plural(profile.source_count, "image"), [(s, profile.states.get(s, 0), c) for s, c in _STATE_COLORS.items()]),
        (f"{profile.image_count:,} kept", kept),
    ]
    for place, (title, parts) in enumerate(rows):
        present = [part for part in parts if part[1]]
        _stack(figure, place, present)
        words = " · ".join(f'<span style="color:{color}">■</span> {plain(name, 24)} {count:,}' for name, count, color in present)
        row_label(figure, place, f"<b>{title}</b>", words, above_px=21)
    figure.update_xaxes(title_text="occurrences (files, archive members, table rows)", **axis_ticks(found, "occurrences"))
    finish_rows(figure, len(rows), pitch_px=66)
    figure.update_layout(barmode="stack")
    return figure


def _stack(figure: go.Figure, place: int, parts: Sequence[tuple[str, int, str]]) -> None:
    for name, count, color in parts:
        figure.add_bar(
            x=[count], y=[place], orientation="h", name=plain(name), width=0.3, marker={"color": color, "line": stack_line()},
            hovertemplate=f"{plain(name)}: {count:,}<extra></extra>",
        )  # fmt: skip


def _colored(counts: Mapping[str, int], colors: Sequence[str]) -> list[tuple[str, int, str]]:
    return [(name, count, colors[i % len(colors)]) for i, (name, count) in enumerate(counts.items()) if count]


def _reasons_finding(profile: DatasetProfile) -> str:
    out = sum(profile.reasons.values())
    if not out:
        return "Nothing was left out"
    reason, count = max(profile.reasons.items(), key=lambda pair: pair[1])
    return f"{plural(out, 'occurrence')} left out, most often as {_words(reason)} ({count:,})"


def _words(code: str) -> str:
    return code.replace("_", " ").replace("(", " (")


def _leading(noun: str, counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    if not total:
        return f"No {noun} to show"
    name, count = max(counts.items(), key=lambda pair: pair[1])
    return f"{show(count / total, 'share', 2)} of the images are {name}" if noun == "format" else f"{name} leads"


def _labels_finding(profile: DatasetProfile) -> str:
    counts = [count for count in profile.labels.values() if count]
    if not counts:
        return "No labels"
    if profile.label_count == 1:
        return f"Every labelled image has the one label '{next(iter(profile.labels))}'"
    if profile.label_count > len(profile.labels):
        return f"{profile.label_count:,} labels; the most frequent has {max(counts):,} images"
    return f"{profile.label_count:,} labels, from {min(counts):,} to {max(counts):,} images each"


def cumulative(sketch: Quantiles, *, unit: str, noun: str) -> go.Figure | None:
    """Return the share of images at or below each value, from a quantile sketch, on a logarithmic axis."""
    values = [max(value, 1e-12) for value in sketch.values]
    if not sketch.count or not values:
        return None
    shares = [QUANTILE_SHARES.index(s) for s in (0.05, 0.5, 0.95)]
    low, middle, high = (sketch.values[i] for i in shares)
    finding = f"Half the images are under {show(middle, unit)}; nine in ten measure {interval(low, high, unit)}"
    figure = new_figure(finding, height=300, about=f"Cumulative distribution of the {noun}, mean {show(sketch.mean, unit)}.")
    labels = [show(value, unit) for value in sketch.values]
    figure.add_scatter(
        x=values, y=list(QUANTILE_SHARES), mode="lines+markers", line={"color": BLUE, "width": 2.5, "shape": "linear"},
        marker={"size": 6, "color": BLUE}, fill="tozeroy", fillcolor=band(BLUE), customdata=labels,
        hovertemplate="%{y:.0%} of the images: at most %{customdata}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title_text=f"{noun} (logarithmic)", **log_ticks(values, unit))
    figure.update_yaxes(title_text="share of images", tickformat=".0%", range=[0, 1.03])
    figure.update_layout(showlegend=False)
    return figure


def versions(profile: DatasetProfile) -> go.Figure | None:
    """Return how many images and bytes the dataset held at each version; nothing for a dataset with one version."""
    if len(profile.versions) < 2:
        return None
    first, last = profile.versions[0], profile.versions[-1]
    finding = f"{len(profile.versions)} versions took the dataset from {first.image_count:,} to {last.image_count:,} images"
    figure = new_figure(finding, height=290, about="Images in the dataset at each version.")
    figure.add_bar(
        x=[f"v{v.version}" for v in profile.versions],
        y=[v.image_count for v in profile.versions],
        width=0.45,
        marker={"color": BLUE},
        customdata=[[plain(v.kind), moment(v.committed_at), show(v.size_bytes, "bytes")] for v in profile.versions],
        hovertemplate="%{x}, %{customdata[0]}, %{customdata[1]}<br>%{y:,} images, %{customdata[2]}<extra></extra>",
    )
    figure.update_xaxes(title_text="version", type="category")
    figure.update_yaxes(title_text="images", rangemode="tozero", tickformat="~s")
    return figure


def scatter_of_shapes(images: pl.DataFrame) -> go.Figure | None:
    """Return width against height of each image in a frame with ``width_px``, ``height_px`` and ``source``."""
    if images.is_empty():
        return None
    square = images.filter(images["width_px"] == images["height_px"]).height
    wide = images.filter(images["width_px"] > images["height_px"]).height
    tall = images.height - square - wide
    finding = f"{wide:,} images are wider than tall, {tall:,} taller than wide, {square:,} square"
    figure = new_figure(finding, height=380, about="Each dot is an image at its display size; the line marks squares.")
    sides = [float(side) for side in (*images["width_px"], *images["height_px"])]
    figure.add_scatter(
        x=[min(sides), max(sides)],
        y=[min(sides), max(sides)],
        mode="lines",
        line={"color": GRAY, "width": 1, "dash": "dot"},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=images["width_px"].to_list(), y=images["height_px"].to_list(), mode="markers",
        marker={"color": BLUE, "size": 7, "opacity": 0.55, "line": {"width": 0}}, text=[plain(s, 60) for s in images["source"]],
        hovertemplate="%{x:,} " + TIMES + " %{y:,} px<br>%{text}<extra></extra>",
    )  # fmt: skip
    ticks = log_ticks(sides, "pixels")
    figure.update_xaxes(title_text="width (logarithmic)", **ticks)
    figure.update_yaxes(title_text="height (logarithmic)", **ticks)
    figure.update_layout(showlegend=False)
    return figure


def quality_boxes(images: pl.DataFrame) -> go.Figure | None:
    """Return a box for each quality score that is a share of 0 to 1, from a frame that holds them as columns."""
    rows = [(words, images[name].drop_nulls()) for name, words in SHARE_SCORES.items() if name in images.columns]
    rows = [(words, values) for words, values in rows if values.len()]
    if not rows:
        return None
    finding = f"Half the images have a mean brightness between {_middle_half(rows[0][1])}"
    figure = new_figure(finding, about="Boxes hold the middle half of the images, whiskers 90 % of them.")
    for place, (words, values) in enumerate(rows):
        low, q1, median, q3, high = (float(values.quantile(q, "linear") or 0.0) for q in (0.05, 0.25, 0.5, 0.75, 0.95))
        figure.add_box(
            y=[place], lowerfence=[low], q1=[q1], median=[median], q3=[q3], upperfence=[high], orientation="h", width=0.34,
            line={"color": BLUE, "width": 1.5}, fillcolor=band(BLUE), name=words, hoverinfo="x",
        )  # fmt: skip
        row_label(figure, place, words, f"median {show(median, 'share', 2)}")
    figure.update_xaxes(title_text="score (0 to 1)", tickformat=".0%", range=[-0.02, 1.02])
    finish_rows(figure, len(rows))
    return figure


def _middle_half(values: pl.Series) -> str:
    low, high = values.quantile(0.25, "linear"), values.quantile(0.75, "linear")
    return f"{show(low, 'share', 2)} and {show(high, 'share', 2)}"
