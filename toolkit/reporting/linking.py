"""Numbers inside sentences, linked to what explains them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from toolkit.reporting.wording import together

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["linked"]

_BEFORE: Final = r"(?<![\w.,\u2212-])"
_AFTER: Final = r"(?![\w,.]*\d|\w)"


def linked(text: object, links: Mapping[str, str]) -> Any:
    r"""Return a sentence as HTML in which each number that is explained leads to its explanation.

    A number is found by what is shown of it, unit included: a bare count could be anybody's, so none without a letter is linked.

    Examples
    --------
    >>> str(linked("It takes 9.81 TB & 2 nodes.", {"9.81 TB": "why-x", "2": "why-y"}))
    'It takes <a class="why" href="#why-x">9.81\xa0TB</a> &amp; 2 nodes.'
    """
    from markupsafe import Markup, escape

    shown = sorted((number for number in links if re.search(r"[^\W\d_]|[$%]", number)), key=len, reverse=True)
    if not shown:
        return escape(together(text))
    parts = re.split(f"{_BEFORE}({'|'.join(map(re.escape, shown))}){_AFTER}", str(text))
    pieces = [
        Markup('<a class="why" href="#{}">{}</a>').format(links[part], together(part)) if place % 2 else escape(together(part))
        for place, part in enumerate(parts)
    ]
    return Markup("").join(pieces)
