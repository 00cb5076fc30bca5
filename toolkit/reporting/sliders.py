"""``toolkit.sliders``: several inputs of a projection moved at once in a notebook, by the page's own script, without a kernel."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import ScenarioError
from toolkit.projection.what_if import WhatIf, what_if
from toolkit.reporting.sections_what_if import what_if_facts
from toolkit.reporting.wording import list_words, plural, visible

if TYPE_CHECKING:
    from toolkit.projection.result import Projection

__all__ = ["Sliders", "sliders"]

_UNSAFE: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
_STYLE: Final = "body { display: block; padding: 2px; } .surface { margin: 0; }"
_AROUND_PX, _INPUT_PX, _OUTPUT_PX = 190, 68, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliders:
    """A projection's results under every combination of a few inputs; a notebook shows a slider for each of them."""

    name: str
    """Name of the scenario."""
    found: WhatIf
    """Inputs, results, and ``value(quantity, **inputs)`` for any combination of their stops."""

    def __repr__(self) -> str:
        inputs = list_words([given.name for given in self.found.inputs])
        return f"<Sliders of {self.name!r}: {plural(len(self.found.outputs), 'result')} by {inputs}>"

    def _repr_html_(self) -> str:
        """Return a frame with the sliders: its style and script touch nothing of the notebook, and it asks for nothing."""
        parts = max(len(self.found.inputs) * _INPUT_PX, len(self.found.outputs) * _OUTPUT_PX)
        title = escape(visible(f"What if: {self.name}"), quote=True)
        return (
            f'<iframe title="{title}" srcdoc="{escape(_page(self.found), quote=True)}" '
            f'style="width:100%;height:{parts + _AROUND_PX}px;border:0" loading="lazy"></iframe>'
        )


def sliders(projection: Projection) -> Sliders:
    """Return what a projection becomes when growth, protection, epochs and deadline change together, to be moved in a notebook.

    Every combination is computed beforehand by the projection's own formulas, so that the sliders need no kernel and still work
    in a notebook that was saved and sent on.

    Parameters
    ----------
    projection : Projection
        What is asked about.

    Raises
    ------
    ScenarioError
        If the projection has none of these inputs, or was saved without one that the formulas need.

    Examples
    --------
    >>> import toolkit
    >>> kept = {"name": "x", "dataset": {"images": 1000, "image_size": "1 MB"}}
    >>> toolkit.sliders(toolkit.project(kept, draws=10))
    <Sliders of 'x': 2 results by growth.factor and storage.protection_factor>
    """
    found = what_if(projection)
    if found is None or not found.outputs:
        raise ScenarioError(f"the projection '{projection.name}' has no growth, protection, epochs or deadline to move")
    return Sliders(name=projection.name, found=found)


def _page(found: WhatIf) -> str:
    facts: dict[str, Any] = what_if_facts(found)
    held = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":")).translate(_UNSAFE)
    static = resources.files("toolkit.reporting") / "static"
    css, script = ((static / name).read_text(encoding="utf-8") for name in ("report.css", "whatif.js"))
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><title>What if</title><style>{css}{_STYLE}</style></head>'
        f'<body><div class="surface" id="surface-sliders" role="group" aria-label="What if">'
        f'<script type="application/json">{held}</script></div><script>{script}</script></body></html>'
    )
