"""One small design system: colours for light and dark, a plotly template, and text made safe to show.

The categorical colours follow Okabe and Ito (2008, colour-blind safe), darkened or lightened until each has a contrast of
at least 3:1 with its background (WCAG 2.2, 1.4.11), and differ in lightness so that they survive gray print.
"""

from __future__ import annotations

import unicodedata
from typing import Final

import plotly.graph_objects as go

__all__ = [
    "BLUE",
    "GRAY",
    "GREEN",
    "INK",
    "MUTED",
    "ORANGE",
    "PINK",
    "SEQUENCE",
    "SKY",
    "SURFACE",
    "TEMPLATE",
    "VERMILLION",
    "band",
    "dark_twins",
    "new_figure",
    "plain",
    "shorten",
    "visible",
]

INK: Final = "#1b2430"
MUTED: Final = "#566170"
GRID: Final = "#e4e8ed"
AXIS: Final = "#98a3b0"
SURFACE: Final = "#ffffff"
BLUE: Final = "#0b62a4"
ORANGE: Final = "#d98200"
GREEN: Final = "#00856a"
VERMILLION: Final = "#c4430a"
SKY: Final = "#56a9e0"
PINK: Final = "#ad548f"
GRAY: Final = "#8792a0"
TRACK: Final = "#dfe5ec"
PALE: Final = "#edf3f9"

SEQUENCE: Final = (BLUE, ORANGE, GREEN, SKY, VERMILLION, PINK, GRAY)
"""Colours of categories, in the order in which they are given out."""

_DARK: Final = {
    INK: "#e9edf2",
    MUTED: "#a9b4c1",
    GRID: "#2a333e",
    AXIS: "#64717f",
    SURFACE: "#151b22",
    BLUE: "#58abee",
    ORANGE: "#f2b04a",
    GREEN: "#3cc4a3",
    VERMILLION: "#ff8b5e",
    SKY: "#a9d9f7",
    PINK: "#e09cc6",
    GRAY: "#8d99a7",
    TRACK: "#2f3945",
    PALE: "#1c2a38",
}
"""The colour that takes each one's place on a dark screen."""

_BAND_SHARE: Final = 0.2

_JOINERS: Final = "\u200c\u200d"
"""Format characters that scripts and emoji need."""

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
        "margin": {"l": 12, "r": 16, "t": 64, "b": 48},
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


def visible(text: object) -> str:
    r"""Return a text without anything that changes its own display: control and direction characters become symbols.

    Examples
    --------
    >>> visible("a\nb\x00"), visible("user\u202egnp.exe")
    ('a␊b␀', 'user⟨U+202E⟩gnp.exe')
    """
    shown = []
    for char in str(text):
        point = ord(char)
        if point < 0x20:
            shown.append(chr(0x2400 + point))
        elif point == 0x7F:
            shown.append("␡")
        elif char not in _JOINERS and unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            shown.append(f"⟨U+{point:04X}⟩")
        else:
            shown.append(char)
    return "".join(shown)


def shorten(text: object, longest: int = 48) -> str:
    """Return a visible text of at most ``longest`` characters, cut in the middle: names differ at both ends.

    Examples
    --------
    >>> shorten("photos/2024/summer/IMG_0001.jpg", 20)
    'photos/20…G_0001.jpg'
    """
    shown = visible(text)
    if len(shown) <= longest:
        return shown
    tail = longest // 2
    return shown[: longest - tail - 1] + "…" + shown[-tail:]


def plain(text: object, longest: int = 48) -> str:
    """Return a text that plotly draws as it is: plotly reads a few HTML tags in every label.

    Examples
    --------
    >>> plain("<b>bold</b> & co")
    '&lt;b&gt;bold&lt;/b&gt; &amp; co'
    """
    return shorten(text, longest).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
