"""A report's figures as pictures, SVG or PNG: drawn by the page's own plotly.js, all in one start of a browser."""

from __future__ import annotations

import base64
import functools
import json
import textwrap
import urllib.parse
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import TonnageError
from toolkit.reporting.browser import dump
from toolkit.reporting.design import TOP_PX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from toolkit.reporting.blocks import Chart

__all__ = ["PICTURE_FORMATS", "draw_pictures"]

PICTURE_FORMATS: Final = ("svg", "png")
_WIDTH_PX: Final = 900
_HALF_WIDTH_PX: Final = 620
_CHARACTER_PX: Final = 8.6
"""Mean width of a character of a title: 16 px type."""

_LINE_PX: Final = 22
_PNG_SCALE: Final = 2

_PAGE: Final = """<!doctype html><meta charset="utf-8"><title>figures</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<body><script>{plotly}</script><script type="application/json" id="figures">{figures}</script><script>
"use strict";
const given = JSON.parse(document.getElementById("figures").textContent);
(async () => {{
  const drawn = {{}};
  for (const [name, figure] of Object.entries(given)) {{
    const {{ width, height }} = figure.layout;
    drawn[name] = await Plotly.toImage(figure, {{ format: "{form}", width, height, scale: {scale} }});
  }}
  document.body.innerHTML = "";
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = encodeURIComponent(JSON.stringify(drawn));
  document.body.append(result);
}})();
</script>"""  # noqa: E501 -- one line of a script


def draw_pictures(charts: Mapping[str, Chart], form: str, near: Path) -> dict[str, bytes]:
    """Return each figure as the bytes of a picture, by name.

    Parameters
    ----------
    charts : mapping of str to Chart
        What to draw.
    form : str
        ``svg`` or ``png``, the latter at twice the pixels.
    near : Path
        A folder that the browser can write to.

    Raises
    ------
    ExtraError
        If there is no browser.
    TonnageError
        If the browser did not draw them all.
    """
    if not charts:
        return {}
    facts = {name: _figure(chart) for name, chart in charts.items()}
    held = json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c")
    page = _PAGE.format(plotly=_plotly(), figures=held, form=form, scale=1 if form == "svg" else _PNG_SCALE)
    _, _, rest = dump(page, near).partition('<pre id="result">')
    told, end, _ = rest.partition("</pre>")
    drawn: dict[str, str] = json.loads(urllib.parse.unquote(told)) if end else {}
    if lacking := sorted(set(charts) - set(drawn)):
        raise TonnageError(f"the browser did not draw {len(lacking)} of {len(charts)} figures, the first of them '{lacking[0]}'")
    return {name: _payload(uri) for name, uri in drawn.items()}


def _figure(chart: Chart) -> dict[str, Any]:
    """Return a figure as plain JSON at a size of its own, its title broken into lines that fit."""
    facts: dict[str, Any] = json.loads(chart.figure.to_json(validate=False, engine="json"))
    layout = facts["layout"]
    width = _HALF_WIDTH_PX if chart.half else _WIDTH_PX
    title = (layout.get("title") or {}).get("text") or ""
    lines = textwrap.wrap(title, int((width - 24) / _CHARACTER_PX)) or [""]
    added = _LINE_PX * (len(lines) - 1)
    layout["title"] = {"text": "<br>".join(lines), "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 16, "l": 12}}
    layout["margin"] = {"l": 12, "r": 16, "b": 48} | (layout.get("margin") or {}) | {"t": TOP_PX + added}
    layout |= {"width": width, "height": (layout.get("height") or 360) + added, "autosize": False}
    return facts


def _payload(uri: str) -> bytes:
    head, _, body = uri.partition(",")
    return base64.b64decode(body) if head.endswith("base64") else urllib.parse.unquote_to_bytes(body)


@functools.cache
def _plotly() -> str:
    place = resources.files("toolkit.reporting") / "static" / "plotly-cartesian" / "plotly-cartesian.min.js"
    return place.read_text(encoding="utf-8")
