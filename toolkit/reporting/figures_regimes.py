"""The heat map of ways to train on more data, side by side: the same samples seen, the same epochs, a model that grows along."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.reporting.charts import finish_rows, row_label
from toolkit.reporting.design import HEAT, INK, PALE, new_figure
from toolkit.reporting.wording import TIMES, begin, list_words, plain
from toolkit.units import show

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["REGIMES", "is_regime", "resource_words", "ways_of_training"]

REGIMES: Final = ("same samples seen", "same epochs", "compute-optimal")
"""Ways to train on more data, as the doubling table names them behind a resource."""

_SCALE: Final = 8
_MOST_LOG2: Final = 6
_CELL_GAP_PX: Final = 28
_PITCH_PX: Final = 62
_NAMES: Final = {"training": "training arithmetic"}
_IN_BYTES: Final = {"drives": "storage capacity"}
"""What a resource is called where it is counted in bytes: drives are counted in drives elsewhere."""


def resource_words(resource: str, unit: str) -> str:
    """Return a resource of the doubling table as words.

    Examples
    --------
    >>> resource_words("drives", "bytes"), resource_words("devices", "count")
    ('storage capacity', 'devices')
    """
    return _IN_BYTES.get(resource, resource) if unit == "bytes" else resource


def is_regime() -> pl.Expr:
    """Return whether a row of the doubling table says what one way of training does to a resource."""
    return pl.any_horizontal(pl.col("resource").str.ends_with(f", {regime}") for regime in REGIMES)


def ways_of_training(frame: pl.DataFrame) -> go.Figure | None:
    """Return what eight times the data makes of each resource under each way of training; None where nothing is trained."""
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for row in frame.filter(is_regime()).iter_rows(named=True):
        resource, _, regime = row["resource"].rpartition(", ")
        if row["x1"] and row["x8"] and math.isfinite(row["x1"]) and math.isfinite(row["x8"]):
            rows.setdefault(resource_words(_NAMES.get(resource, resource), row["unit"]), {})[regime] = row
    whole = {name: cells for name, cells in rows.items() if len(cells) == len(REGIMES)}
    if not whole:
        return None
    factors = [[cells[r]["x8"] / cells[r]["x1"] for r in REGIMES] for cells in whole.values()]
    shown = [
        [f"{show(cells[r]['x8'], cells[r]['unit'])} ({show(f, 'ratio', 2)}{TIMES})" for r, f in zip(REGIMES, line, strict=True)]
        for cells, line in zip(whole.values(), factors, strict=True)
    ]
    figure = new_figure(
        _finding(whole), about=f"With {_SCALE} times the data, and how many times as much that is; darker is more."
    )
    figure.add_heatmap(
        z=[[math.log2(max(f, 1e-9)) for f in line] for line in factors], x=list(REGIMES), y=list(range(len(whole))), text=shown,
        texttemplate="%{text}", xgap=3, ygap=_CELL_GAP_PX, colorscale=[[0, PALE], [1, HEAT]], zmin=0, zmax=_MOST_LOG2,
        showscale=False, textfont={"color": INK, "size": 12},
        meta=[[cells[r]["x8"] for r in REGIMES] for cells in whole.values()],
        hovertemplate="%{x}: %{text}<extra></extra>",
    )  # fmt: skip
    for place, (name, cells) in enumerate(whole.items()):
        now = next(iter(cells.values()))
        row_label(figure, place, plain(begin(name)), f"{show(now['x1'], now['unit'])} as it is", above_px=28)
    figure.update_xaxes(title_text=f"way of training on {_SCALE} times the data", side="bottom", showgrid=False)
    finish_rows(figure, len(whole), pitch_px=_PITCH_PX)
    return figure


def _finding(rows: dict[str, dict[str, dict[str, Any]]]) -> str:
    name = "devices" if "devices" in rows else next(iter(rows))
    words = [
        f"{show(rows[name][r]['x8'], rows[name][r]['unit'])} {'if ' if r == REGIMES[2] else 'with the '}{r}" for r in REGIMES
    ]
    return f"With {_SCALE} times the data, {name}: {list_words(words)}"
