"""A figure to play with in a notebook: one input moved by a slider, every result beside what it is now."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import ScenarioError
from toolkit.projection.what_if import WhatIf, WhatIfInput, what_if
from toolkit.reporting.charts import ROW_PX, finish_rows, row_label
from toolkit.reporting.design import BLUE, INK, TRACK, new_figure
from toolkit.reporting.wording import begin, plain, quantity_words
from toolkit.units import show

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from toolkit.projection.result import Projection

__all__ = ["slider_figure"]

_WORDS: Final = {"growth.factor": "growth", "storage.protection_factor": "bytes on drives for a byte stored"}
_ROOM_SHARE: Final = 1.35
"""Width of the axis over its longest bar: the value is written behind it."""
_MENU_PX: Final = 44
_SLIDER_PX: Final = 84


def slider_figure(projection: Projection) -> go.Figure | None:
    """Return a figure with a menu of inputs and a slider for each; None where nothing can be changed.

    Every stop is the projection's median of that month, times what its formulas give for the changed input over what they
    give for the stated one.
    """
    try:
        found = what_if(projection)
    except ScenarioError:  # saved by another version: the page says so in words
        return None
    if found is None or not found.outputs:
        return None
    rows = _Rows(found=found, now=tuple(projection.value(output.quantity, found.month) for output in found.outputs))
    base = rows.at(None, 0)
    figure = new_figure(
        _title(found, 0), about="Choose an input from the menu and move its slider; the other inputs stay as they are."
    )
    figure.add_bar(
        x=base["x"][0], y=list(range(len(found.outputs))), text=base["text"][0], customdata=base["customdata"][0],
        orientation="h", width=0.3, marker={"color": BLUE}, textposition="outside", cliponaxis=False, hoverinfo="text",
        textfont={"color": INK},
    )  # fmt: skip
    for place, output in enumerate(found.outputs):
        row_label(figure, place, plain(begin(quantity_words(output.quantity))))
    figure.add_vline(x=1, line={"color": TRACK, "width": 1.5}, layer="below")
    figure.update_xaxes(title_text="times what it is now", range=[0, rows.reach(0)])
    finish_rows(figure, len(found.outputs))
    _add_controls(figure, rows)
    return figure


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """The bars of the figure, wherever its sliders stand."""

    found: WhatIf
    """What the formulas give."""
    now: tuple[float, ...]
    """What the projection says of each result."""

    def at(self, given: WhatIfInput | None, stop: float) -> dict[str, list[list[Any]]]:
        """Return length, value and text of every bar with one input at a stop; without an input, as they are now."""
        changed = {} if given is None else {given.name.replace(".", "_"): stop}
        bars = []
        for output, now in zip(self.found.outputs, self.now, strict=True):
            given_value, stated_value = self.found.value(output.quantity, **changed), self.found.value(output.quantity)
            ratio = _ratio(given_value, stated_value)
            value = now * ratio if ratio is not None else given_value if math.isfinite(given_value) else None
            if value is not None and output.unit == "count":
                value = float(math.ceil(value - 1e-9))
            times = "" if ratio is None or abs(ratio - 1) < 5e-4 else f" ({ratio:.3g} times)"
            bars.append((ratio, plain(f"{show(value, output.unit)}{times}"), value))
        lengths, texts, values = map(list, zip(*bars, strict=True))
        return {"x": [lengths], "text": [texts], "customdata": [values]}

    def reach(self, place: int) -> float:
        """Return the end of the axis: the longest bar of an input's stops, and room for what is written behind it."""
        given = self.found.inputs[place]
        lengths: list[float] = [length for stop in given.stops for length in self.at(given, stop)["x"][0] if length is not None]
        return max([1.0, *lengths]) * _ROOM_SHARE


def _ratio(value: float, now: float) -> float | None:
    return value / now if math.isfinite(value) and now > 0 else None


def _add_controls(figure: go.Figure, rows: _Rows) -> None:
    """Add the menu above the bars and the sliders below them, and the room that they take."""
    inputs = rows.found.inputs
    height = figure.layout.height + _MENU_PX + _SLIDER_PX
    margin = {"t": figure.layout.margin.t + _MENU_PX, "b": figure.layout.margin.b + _SLIDER_PX}
    rows_px = height - margin["t"] - margin["b"]
    meta = dict(figure.layout.meta or {}) | {"rows_of": [output.quantity for output in rows.found.outputs]}
    menu = {
        "buttons": [_button(rows, place) for place in range(len(inputs))], "x": 0, "xanchor": "left", "yanchor": "bottom",
        "y": 1 + 6 / rows_px, "pad": {"t": 0, "b": 0}, "showactive": True,
    }  # fmt: skip
    below = -(ROW_PX + 4) / rows_px
    sliders = [_slider(rows, place) | {"y": below, "visible": place == 0} for place in range(len(inputs))]
    figure.update_layout(sliders=sliders, updatemenus=[menu], height=height, margin=margin, meta=meta)


def _button(rows: _Rows, place: int) -> dict[str, Any]:
    """Return the menu's entry of an input: its slider alone is seen, and everything is as it is now."""
    layout: dict[str, Any] = {"xaxis.range": [0, rows.reach(place)], "title.text": _title(rows.found, place)}
    for other, given in enumerate(rows.found.inputs):
        layout |= {f"sliders[{other}].visible": other == place, f"sliders[{other}].active": given.base_index}
    return {"label": begin(_words(rows.found.inputs[place])), "method": "update", "args": [rows.at(None, 0), layout]}


def _slider(rows: _Rows, place: int) -> dict[str, Any]:
    given = rows.found.inputs[place]
    steps = [
        {"label": _stop_words(given, stop), "method": "restyle", "args": [rows.at(given, stop), [0]]} for stop in given.stops
    ]
    current = {"prefix": f"{begin(_words(given))}: ", "font": {"size": 14, "color": INK}}
    return {"steps": steps, "active": given.base_index, "currentvalue": current, "pad": {"t": 8, "b": 0}}


def _title(found: WhatIf, place: int) -> str:
    return f"What if? {begin(_words(found.inputs[place]))} moved, all else as it is (month {found.month})"


def _words(given: WhatIfInput) -> str:
    return _WORDS.get(given.name, quantity_words(given.name))


def _stop_words(given: WhatIfInput, stop: float) -> str:
    if given.name == "growth.factor":
        return "as stated" if stop == 1 else f"{stop:.3g} times"
    return show(stop, given.unit)
