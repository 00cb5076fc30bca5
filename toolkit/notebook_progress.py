"""Progress of long work in a notebook: a bar for each stage while it runs, one line when it has ended; elsewhere nothing.

Drawn as HTML into one output of the cell, which needs neither widgets nor an extension and is one line once saved.
"""

from __future__ import annotations

import functools
import sys
import time
from contextvars import ContextVar
from html import escape
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dashboard_shown", "shows_progress"]

P = ParamSpec("P")
R = TypeVar("R")

_INTERVAL_S: Final = 0.2
"""Bars are drawn no oftener, so that the notebook's connection is not what work waits for."""

_CELL: Final = "text-align:left;padding:0 1em 0 0"


def shows_progress(verb: Callable[P, R]) -> Callable[P, R]:
    """Return a verb that draws bars when it runs in a notebook and is given no ``progress`` of the caller's own."""

    @functools.wraps(verb)
    def shown(*arguments: P.args, **options: P.kwargs) -> R:
        if options.get("progress") is not None or not _is_in_a_cell():
            return verb(*arguments, **options)
        bars = _Bars(verb.__name__)
        options["progress"] = bars.tell
        mark = _shown.set(bars)
        try:
            found = verb(*arguments, **options)
        except BaseException:
            bars.end(has_failed=True)
            raise
        finally:
            _shown.reset(mark)
        bars.end()
        return found

    return shown


def dashboard_shown(link: str, *, has_charts: bool) -> None:
    """Show the link to a Dask dashboard beside the bars that are drawn, until they end; nothing where none are."""
    bars = _shown.get()
    if bars is not None and link:
        bars.dashboard = (link, "" if has_charts else " (its charts need: pip install bokeh)")
        bars.draw()


def _is_in_a_cell() -> bool:
    """Return whether a notebook's kernel runs this, and no verb draws already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None and _shown.get() is None


class _Bars:
    """One output of a cell, drawn anew as stages tell how far they are."""

    def __init__(self, verb: str) -> None:
        from IPython.display import display

        self.verb = verb
        self.started_s = time.monotonic()
        self.drawn_s = self.started_s
        self.stages: dict[str, tuple[int, int | None, str]] = {}
        self.dashboard: tuple[str, str] | None = None
        self.handle: Any = display(  # type: ignore[no-untyped-call]  # IPython has no types
            self._bundle(f"{verb} begins"), raw=True, display_id=True
        )

    def tell(self, stage: str, done: int, total: int | None, detail: str = "") -> None:
        """Take how far a stage is, and draw it unless that was done a moment ago."""
        self.stages[stage] = (done, total, detail)
        if time.monotonic() - self.drawn_s >= _INTERVAL_S or (total is not None and done >= total):
            self.draw()

    def draw(self) -> None:
        """Draw a bar for each stage, and the link to the dashboard."""
        self.drawn_s = time.monotonic()
        rows = "".join(_row(stage, *state) for stage, state in self.stages.items())
        link, note = self.dashboard or ("", "")
        address = f'<small><a href="{escape(link)}" target="_blank">Dask dashboard</a>{escape(note)}</small>' if link else ""
        text = ", ".join(f"{stage} {_count(done, total)}" for stage, (done, total, _) in self.stages.items())
        self._update(f"{self.verb}: {text}", f"<div><table><tbody>{rows}</tbody></table>{address}</div>")

    def end(self, *, has_failed: bool = False) -> None:
        """Leave one line in the place of the bars."""
        took = show(time.monotonic() - self.started_s, "s")
        told = ", ".join(f"{stage} {done:,}" for stage, (done, _, _) in self.stages.items() if stage != self.verb)
        said = f"stopped after {took}" if has_failed else f"took {took}"
        self._update(f"{self.verb} {said}{': ' if told else ''}{told}")

    def _update(self, text: str, html: str = "") -> None:
        self.handle.update(self._bundle(text, html), raw=True)

    def _bundle(self, text: str, html: str = "") -> dict[str, str]:
        return {"text/plain": text, "text/html": html or f"<small>{escape(text)}</small>"}


_shown: Final[ContextVar[_Bars | None]] = ContextVar("bars", default=None)


def _row(stage: str, done: int, total: int | None, detail: str) -> str:
    value = f' max="{total}" value="{done}"' if total else ""
    bar = f'<progress aria-label="{escape(stage)}"{value}></progress>'
    cells = (escape(stage), bar, escape(_count(done, total)), f"<small>{escape(detail)}</small>")
    return "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>"


def _count(done: int, total: int | None) -> str:
    return f"{done:,}" if total is None else f"{done:,} of {total:,}"
