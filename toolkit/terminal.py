"""What the command line draws: progress while work runs, and one screen for each noun.

Progress goes to standard error: bars with rate and time left on a terminal, one line per interval otherwise.
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from toolkit.reporting.wording import shorten, visible
from toolkit.terminal_dataset import draw_profile
from toolkit.terminal_projection import draw_projection, draw_whole_projection
from toolkit.units import show as shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolkit.facts import DatasetProfile
    from toolkit.facts.backtests import Backtest, KindScore
    from toolkit.projection.result import Projection

__all__ = ["console", "progress_bars", "show_backtest", "show_profile", "show_projection"]

_LINE_INTERVAL_S: Final = 10.0
_KIND_LETTERS: Final = 34
_PIPE_WIDTH: Final = 160
"""Columns where the output is no terminal: a file or a pipe does not wrap."""


def console() -> Console:
    """Return what draws on standard output, as wide as the terminal."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)


@contextlib.contextmanager
def progress_bars(*, quiet: bool = False) -> Iterator[Callable[[str, int, int | None, str], None] | None]:
    """Give a progress callback that draws on standard error, or None when nothing is to be drawn."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bars() as callback:
            yield callback
    else:
        yield _lines()


@contextlib.contextmanager
def _bars() -> Iterator[Callable[[str, int, int | None, str], None]]:
    columns = (
        SpinnerColumn(), TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("[dim]{task.fields[detail]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bars:
        ids: dict[str, Any] = {}

        def draw(stage: str, done: int, total: int | None, detail: str = "") -> None:
            if stage not in ids:
                ids[stage] = bars.add_task(stage, total=total, detail=detail)
            bars.update(ids[stage], completed=done, total=total, detail=detail)

        yield draw


def _lines() -> Callable[[str, int, int | None, str], None]:
    written_s: dict[str, float] = {}

    def write(stage: str, done: int, total: int | None, detail: str = "") -> None:
        now_s = time.monotonic()
        is_last = total is not None and done >= total
        if stage in written_s and not is_last and now_s - written_s[stage] < _LINE_INTERVAL_S:
            return
        if is_last and written_s.get(stage) == float("inf"):
            return
        written_s[stage] = float("inf") if is_last else now_s
        count = f"{done:,} of {total:,}" if total is not None else f"{done:,}"
        sys.stderr.write(f"{stage}: {count}{f' ({detail})' if detail else ''}\n")

    return write


def show_profile(profile: DatasetProfile) -> None:
    """Print a dataset's profile on one screen."""
    draw_profile(console(), profile)


def show_projection(projection: Projection, *, is_whole: bool = False) -> None:
    """Print a projection on one screen, or the whole of it: every order and every quantity."""
    (draw_whole_projection if is_whole else draw_projection)(console(), projection)


def _given_by(score: KindScore) -> list[tuple[str, str]]:
    """Return what gave the predictions of a kind, without its formula, as a line of its own."""
    name = visible(score.predicted_by.partition(" = ")[0])
    return [(f"\n  {shorten(name, _KIND_LETTERS - 2)}", "dim")] if name else []


def show_backtest(found: Backtest) -> None:
    """Print how well each kind of quantity was predicted."""
    screen = console()
    title = Text(shorten(visible(f"Predicted and measured: {found.dataset}"), screen.width), style="bold", no_wrap=True)
    screen.print(title)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True, overflow="ellipsis", max_width=_KIND_LETTERS)
    for column in ("n", "error", "farthest", "error there", "in 80 %"):
        table.add_column(column, justify="right", no_wrap=True)
    for score in found.scores:
        name = Text.assemble(shorten(visible(score.title), _KIND_LETTERS), *_given_by(score))
        shares = (score.median_error_share, score.farthest_error_share, score.coverage_share)
        errors = [shown(share, "share", 2) for share in shares]
        table.add_row(name, f"{score.prediction_count:,}", errors[0], f"{score.farthest_factor:.3g} x", *errors[1:])
    screen.print(table)
    screen.print(Text("error: median of the kind; farthest: times the largest size that was fitted", style="dim"))
    screen.print(Text(f"{found.sentence}; taken in {shown(found.elapsed_s, 's')}"))
    for flag in found.flags:
        screen.print(Text(f"! {flag}", style="yellow"))
