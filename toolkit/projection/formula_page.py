"""The page of formulas: each with its unit, its symbols, what it says and its source; made from the code itself."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from typing import TYPE_CHECKING, Any

import toolkit.projection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["formula_page"]

_HEAD = """# Formulas

Made from the code; a test holds it current. Every quantity of a projection is one of these pure functions of others, over draws
and months. The unit of a symbol stands at the end of its name: bytes, seconds (`_s`), watts (`_w`), joules (`_j`), dollars
(`_usd`), shares from 0 to 1, counts. Formulas are tested to be dimensionally right, against published figures (validation.md),
and queues against a simulation of their events. What a formula holds for is the range that it was held against; outside of it
a projection says so in a flag.
"""


def formula_page() -> str:
    """Return every formula by its module, as Markdown."""
    lines = [_HEAD.rstrip()]
    for name, title, functions in _modules():
        lines += [
            "",
            f"## {title}",
            "",
            "| quantity | formula | unit | symbols | what it says | holds for | source |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [_row(name, function) for function in functions]
    return "\n".join(lines) + "\n"


def _modules() -> Iterator[tuple[str, str, list[Callable[..., Any]]]]:
    """Yield each module that holds formulas: its name, the first sentence that it says of itself, and its formulas."""
    for info in pkgutil.iter_modules(toolkit.projection.__path__):
        module = importlib.import_module(f"toolkit.projection.{info.name}")
        own: list[Any] = [
            each for each in vars(module).values() if inspect.isfunction(each) and each.__module__ == module.__name__
        ]
        functions: list[Callable[..., Any]] = [
            each for each in own if hasattr(each, "unit") and not each.__name__.startswith("_")
        ]
        if functions:
            yield info.name, (module.__doc__ or "").splitlines()[0].rstrip("."), functions


def _row(module: str, function: Callable[..., Any]) -> str:
    marks: Any = function
    symbols = ", ".join(f"`{name}`" for name in inspect.signature(function).parameters)
    said = re.split(r"\s*Source:|\n\s*\n", inspect.getdoc(function) or "", maxsplit=1)[0]
    ranges = [f"`{name}` {held.shown()}{held.because}" for name, held in marks.valid.items()]
    holds = ", ".join(ranges) or "any"
    cells = (f"`{module}.{function.__name__}`", marks.text, marks.unit or "as its inputs", symbols, said, holds, marks.source)
    return f"| {' | '.join(' '.join(cell.split()).replace('|', '/') for cell in cells)} |"
