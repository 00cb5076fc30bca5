"""Figures of what versions of a dataset changed: images added, removed and changed by each, and occurrences by state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.reporting.charts import axis_ticks, finish_rows, row_label, row_marks
from toolkit.reporting.design import BLUE, INK, ORANGE, VERMILLION, new_figure
from toolkit.reporting.wording import begin, list_words, moment, plain, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go

    from toolkit.reporting.evidence_changes import VersionChange

__all__ = ["change_figures", "changes_by_version", "states_changed"]

_ROWS: Final = 12
_KINDS: Final = {"added": (BLUE, 1), "changed": (ORANGE, 1), "removed": (VERMILLION, -1)}
"""Colour of each kind of change, and to which side its bar points."""

_MINUS: Final = "\u2212"


def change_figures(changes: Sequence[VersionChange]) -> dict[str, go.Figure]:
    """Return the figures of differences between versions, the newest first, by name; those with nothing to show left out."""
    figures = {"changes": changes_by_version(changes), "states-changed": states_changed(changes[0]) if changes else None}
    return {name: figure for name, figure in figures.items() if figure is not None}


def changes_by_version(changes: Sequence[VersionChange]) -> go.Figure | None:
    """Return how many images each version added, changed and removed; None where none of them did."""
    if not any(change.counts[kind] for change in changes for kind in _KINDS):
        return None
    figure = new_figure(
        _finding(changes),
        about="Each version against the one before it; changed: labelled, grouped or split otherwise.",
    )
    for kind, (color, side) in _KINDS.items():
        counts = [change.counts[kind] for change in changes]
        figure.add_bar(
            x=[side * count for count in counts], y=list(range(len(changes))), orientation="h", width=0.3, name=kind,
            marker={"color": color}, hovertext=[f"{_versions(c)}: {n:,} {kind}" for c, n in zip(changes, counts, strict=True)],
            hoverinfo="text",
        )  # fmt: skip
    for place, change in enumerate(changes):
        words = " · ".join(f"{change.counts[kind]:,} {kind}" for kind in _KINDS)
        row_label(figure, place, plain(f"{_versions(change)}, {_steps(change)}", 60), words)
    top = max(change.counts["added"] + change.counts["changed"] for change in changes)
    bottom = max(change.counts["removed"] for change in changes)
    figure.update_xaxes(title_text=f"images ({_MINUS}: removed)", **_signed_ticks(top, bottom))
    finish_rows(figure, len(changes))
    figure.update_layout(barmode="relative", showlegend=True, height=figure.layout.height + 24)
    return figure


def _versions(change: VersionChange) -> str:
    return f"v{change.old_version} to v{change.new_version}"


def _steps(change: VersionChange) -> str:
    """Return what made the newer version, and when."""
    when = moment(change.committed_at)
    return f"{list_words(list(change.kinds)) or 'backwards'}{', ' + when if when else ''}"


def _finding(changes: Sequence[VersionChange]) -> str:
    """Return what the newest version changed, and if that is nothing, what the last one before it that changed something did."""
    newest, *older = changes
    if any(newest.counts[kind] for kind in _KINDS):
        return str(newest)
    moved = next(change for change in older if any(change.counts[kind] for kind in _KINDS))
    words = str(moved)
    return f"{newest!s}; {words[:1].lower()}{words[1:]}"


def _signed_ticks(top: float, bottom: float) -> dict[str, object]:
    ticks = axis_ticks(top, "images", bottom=-bottom)
    low, high = -bottom * 1.04 - (0.02 * top if bottom else 0), top * 1.04
    ticks["ticktext"] = [str(words).replace("-", _MINUS) for words in _as_list(ticks["ticktext"])]
    return ticks | {"range": [low, max(high, 0.02 * bottom)]}


def _as_list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


def states_changed(change: VersionChange) -> go.Figure | None:
    """Return by how much the occurrences of each state and reason grew or shrank between two versions."""
    rows = change.states.with_columns(moved=pl.col("new_count") - pl.col("old_count")).filter(pl.col("moved") != 0)
    rows = rows.sort(pl.col("moved").abs(), "state", "reason", descending=[True, False, False], nulls_last=True)
    if rows.is_empty():
        return None
    shown = list(rows.head(_ROWS).iter_rows(named=True))
    about = f"Occurrences by state and reason, {_versions(change)}."
    if rows.height > len(shown):
        about += f" {plural(rows.height - len(shown), 'smaller change')} not drawn."
    top = shown[0]
    figure = new_figure(
        f"{shorten(_state_words(top), 80)}: {top['old_count']:,} became {top['new_count']:,} occurrences", about=about
    )
    figure.add_bar(
        x=[row["moved"] for row in shown], y=list(range(len(shown))), orientation="h", width=0.3,
        marker={"color": [VERMILLION if row["moved"] < 0 else BLUE for row in shown]}, hoverinfo="text",
        hovertext=[f"{plain(_state_words(row))}: {_signed(row['moved'])}" for row in shown],
    )  # fmt: skip
    for place, row in enumerate(shown):
        note = f"{row['old_count']:,} to {row['new_count']:,} ({_signed(row['moved'])})"
        row_label(figure, place, plain(_state_words(row)), note)
    moved = [row["moved"] for row in shown]
    figure.update_xaxes(title_text="change in occurrences", **_signed_ticks(max(0, *moved), max(0, *(-m for m in moved))))
    row_marks(figure, 0, len(shown), INK)
    finish_rows(figure, len(shown))
    return figure


def _state_words(row: Mapping[str, object]) -> str:
    reason = str(row["reason"] or "").replace("_", " ")
    return begin(f"{row['state']}{': ' + reason if reason else ''}")


def _signed(value: int) -> str:
    return f"{value:+,}".replace("-", _MINUS)
