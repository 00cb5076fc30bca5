"""One small design system: colours for light and dark, and the plotly template that uses them.

The hues of the categorical colours follow Okabe and Ito (2008, colour-blind safe). Each has a contrast of at least 3:1 with its
background (WCAG 2.2, 1.4.11) and a lightness of its own, at least four units of CIE L* from every other, so that they can be told
apart in gray; a test computes both. Where colours touch, a line of the background parts them, and lines differ in dashes, marks
in form, so that nothing hangs on colour alone.
"""

from __future__ import annotations

from typing import Final

import plotly.graph_objects as go

from toolkit.reporting.wording import plain

__all__ = [
    "AXIS",
    "BLUE",
    "GRAY",
    "GREEN",
    "HEAT",
    "INK",
    "LEVELS",
    "MUTED",
    "OLIVE",
    "ORANGE",
    "PALE",
    "PINK",
    "SEQUENCE",
    "SKY",
    "SURFACE",
    "TEMPLATE",
    "TOP_PX",
    "TRACK",
    "VERMILLION",
    "band",
    "dark_twins",
    "new_figure",
    "stack_line",
]

INK: Final = "#1b2430"
MUTED: Final = "#566170"
GRID: Final = "#e4e8ed"
AXIS: Final = "#98a3b0"
SURFACE: Final = "#ffffff"
BLUE: Final = "#08569a"
ORANGE: Final = "#be7600"
GREEN: Final = "#29a681"
VERMILLION: Final = "#ae3900"
SKY: Final = "#2981b1"
PINK: Final = "#831f61"
GRAY: Final = "#656e79"
OLIVE: Final = "#3c4100"
TRACK: Final = "#dfe5ec"
PALE: Final = "#edf3f9"
HEAT: Final = "#86bce6"

SEQUENCE: Final = (BLUE, ORANGE, GREEN, VERMILLION, SKY, PINK, GRAY, OLIVE)
"""Colours of categories, in the order in which they are given out."""

LEVELS: Final = ("#8795a4", "#3f78a8", "#8a4200", "#6d1400")
"""Colours of what rises: the further along, the darker on paper and the brighter on a dark screen."""

_DARK: Final = {
    INK: "#e9edf2",
    MUTED: "#a9b4c1",
    GRID: "#2a333e",
    AXIS: "#64717f",
    SURFACE: "#151b22",
    BLUE: "#498dd5",
    ORANGE: "#fca942",
    GREEN: "#00795b",
    VERMILLION: "#f47444",
    SKY: "#92d3fe",
    PINK: "#bc5694",
    GRAY: "#a2abb7",
    OLIVE: "#d8e48e",
    TRACK: "#2f3945",
    PALE: "#1c2a38",
    HEAT: "#25669d",
    LEVELS[0]: "#5d6b7a",
    LEVELS[1]: "#5f97c9",
    LEVELS[2]: "#f0ad62",
    LEVELS[3]: "#ffd9c9",
}
"""The colour that takes each one's place on a dark screen."""

_BAND_SHARE: Final = 0.2

TOP_PX: Final = 64
"""Room for a figure's title; a page that writes the title itself takes it away."""

FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Arial, sans-serif"


def band(color: str) -> str:
    """Return a colour as the pale fill of an interval.

    Examples
    --------
    >>> band("#0b62a4")
    'rgba(11,98,164,0.2)'
    """
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{_BAND_SHARE})"


def stack_line() -> dict[str, object]:
    """Return the line around an area or a bar that others touch: of the background, so that they part in gray as well."""
    return {"width": 1, "color": SURFACE}


def dark_twins() -> dict[str, str]:
    """Return the dark colour for each light one, fills of intervals included: what a page's script swaps."""
    fills = {band(light): band(dark) for light, dark in _DARK.items()}
    return dict(_DARK) | fills


def _axis() -> dict[str, object]:
    tick = {"color": MUTED, "size": 12}
    return {
        "gridcolor": GRID,
        "linecolor": AXIS,
        "zerolinecolor": AXIS,
        "zerolinewidth": 1,
        "ticks": "",
        "ticklabelstandoff": 5,
        "tickfont": tick,
        "title": {"font": {"color": MUTED, "size": 12}, "standoff": 10},
        "automargin": True,
    }


TEMPLATE: Final = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": 13, "color": INK},
        "title": {"font": {"size": 16, "color": INK}, "x": 0, "xanchor": "left", "xref": "container", "pad": {"l": 12}},
        "paper_bgcolor": SURFACE,
        "plot_bgcolor": SURFACE,
        "colorway": list(SEQUENCE),
        "xaxis": _axis(),
        "yaxis": _axis(),
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
        "hoverlabel": {"font": {"family": FONT, "size": 12}, "align": "left"},
        "margin": {"l": 12, "r": 16, "t": TOP_PX, "b": 48},
        "bargap": 0.35,
    }
)
"""The layout that every figure starts from."""


def new_figure(finding: str, *, height: int = 360, about: str = "") -> go.Figure:
    """Return an empty figure in the product's design.

    Parameters
    ----------
    finding : str
        The sentence that the figure shows; its title.
    height : int
        Pixels.
    about : str
        How to read the figure, for those who cannot see it, and what it was made from.
    """
    figure = go.Figure()
    figure.update_layout(
        template=TEMPLATE, title={"text": plain(finding, 400)}, height=height, meta={"finding": finding, "about": about}
    )
    return figure
