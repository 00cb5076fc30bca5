"""The section in which readers change a few inputs themselves: sliders over results computed beforehand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import ScenarioError
from toolkit.projection.what_if import WhatIf, WhatIfInput, what_if
from toolkit.reporting.blocks import Prose, Section, Surface
from toolkit.reporting.explanations import explained, why_of
from toolkit.reporting.wording import begin, quantity_words
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolkit.projection.result import Projection

__all__ = ["what_if_facts", "what_if_section"]

_WORDS: Final = {
    "growth.factor": "growth, times what is stated",
    "storage.protection_factor": "replication: bytes on drives for a byte stored",
    "training.epoch_count": "epochs",
    "training.deadline_s": "deadline of a training run",
}
_DIGITS: Final = 6
_NOTE: Final = (
    "Every position was computed beforehand by the formulas of the projection, with each other input at its median; "
    "numbers above are medians over draws, which may differ by a few percent. Prices of drives are not in it."
)


def what_if_section(projection: Projection, prefix: str) -> Section | None:
    """Return the section with the sliders; None for a projection without anything to change."""
    try:
        found = what_if(projection)
    except ScenarioError as error:
        calm = Prose(text=f"There is nothing to move here: {error}.", calm=True)
        return Section(id=f"{prefix}what-if", title="What if", short="What if", lead="", blocks=(calm,))
    if found is None or not found.outputs:
        return None
    known = explained(projection)
    surface = Surface(id=f"{prefix}sliders", facts=what_if_facts(found, lambda quantity: why_of(known, quantity, prefix)))
    lead = "Move a slider: the numbers follow at once, in this page and without a server."
    return Section(id=f"{prefix}what-if", title="What if", short="What if", lead=lead, blocks=(surface,))


def what_if_facts(found: WhatIf, why: Callable[[str], str] = lambda _: "") -> dict[str, Any]:
    """Return sliders and results as the plain JSON that the page's script reads."""
    return {
        "month": found.month,
        "note": _NOTE,
        "inputs": [
            {
                "name": given.name,
                "words": begin(_WORDS.get(given.name, quantity_words(given.name))),
                "base": given.base_index,
                "stops": [_short(stop) for stop in given.stops],
                "shown": [_shown(given, stop) for stop in given.stops],
            }
            for given in found.inputs
        ],
        "outputs": [
            {
                "name": output.quantity,
                "words": begin(quantity_words(output.quantity)),
                "unit": output.unit,
                "why": why(output.quantity),
                "on": list(output.depends_on),
                "values": [_short(value) for value in output.values],
            }
            for output in found.outputs
        ],
    }


def _shown(given: WhatIfInput, stop: float) -> str:
    if given.name == "growth.factor":
        return "as stated" if stop == 1 else f"{stop:.4g} times"
    return show(stop, given.unit)


def _short(value: float) -> float | int | None:
    """Return a value with six digits, as few characters as they take; None for what is unknown."""
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.{_DIGITS}g}")
    return int(rounded) if rounded.is_integer() else rounded
