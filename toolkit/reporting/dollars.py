"""Prices in figures: text with two dollar signs, which plotly would set as mathematics, or warn that it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["plain_dollars", "without_math"]

_DOLLAR: Final = "&#36;"
"""A dollar sign as plotly draws it and does not look for it."""


def plain_dollars(value: Any) -> Any:
    """Return plain JSON types in which no text is taken for mathematics.

    Source: plotly.js, ``svg_text_utils``: text between two dollar signs goes to MathJax; entities are read after that.

    Examples
    --------
    >>> plain_dollars({"text": ["$4 to $5", "$4", 4.0]})
    {'text': ['&#36;4 to &#36;5', '$4', 4.0]}
    """
    if isinstance(value, str):
        return value.replace("$", _DOLLAR) if value.count("$") > 1 else value
    if isinstance(value, list | tuple):
        return [plain_dollars(part) for part in value]
    return {name: plain_dollars(part) for name, part in value.items()} if isinstance(value, dict) else value


def without_math(figure: go.Figure) -> go.Figure:
    """Return a figure in which no text is taken for mathematics: the same one where there is none."""
    import json

    import plotly.graph_objects as go

    text = figure.to_json()
    if text.count("$") < 2:
        return figure
    facts = json.loads(text)
    meta = facts["layout"].pop("meta", None)  # words for a page, which writes them itself
    return go.Figure(plain_dollars(facts)).update_layout(meta=meta)
