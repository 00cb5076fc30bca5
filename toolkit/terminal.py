"""What the command line draws: progress while work runs, and one screen for each noun.

Progress goes to standard error: bars with rate and time left on a terminal, one line per interval otherwise.
"""

from __future__ import annotations

import contextlib
import json
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

from toolkit.errors import UsageError
from toolkit.locations import Location
from toolkit.terminal_dataset import draw_profile
from toolkit.terminal_projection import draw_projection, draw_whole_projection
from toolkit.units import show as shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from toolkit.facts import DatasetProfile, MeasurementSet, Model
    from toolkit.facts.backtests import Backtest
    from toolkit.projection.result import Projection

__all__ = ["console", "progress_bars", "show_any", "show_backtest", "show_measurements", "show_profile", "show_projection"]

_LINE_INTERVAL_S: Final = 10.0
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


def show_measurements(measured: MeasurementSet) -> None:
    """Print measurements beside their ceilings on one screen."""
    table = Table(title=f"Measured: {measured.dataset}", title_justify="left", title_style="bold")
    for column in ("what", "cache"):
        table.add_column(column)
    for column in ("median", "95 % interval", "ceiling", "of ceiling"):
        table.add_column(column, justify="right")
    table.add_column("flags", style="dim")
    for m in measured.measurements:
        interval = f"{shown(m.interval_low, m.unit)} to {shown(m.interval_high, m.unit)}"
        ceiling = shown(m.ceiling.value, m.unit) if m.ceiling else ""
        share = "" if m.ceiling_share is None else shown(m.ceiling_share, "share", 2)
        table.add_row(Text(m.title), m.cache_verdict, shown(m.median, m.unit), interval, ceiling, share, ", ".join(m.flags))
    screen = console()
    screen.print(table)
    for model in measured.models:
        screen.print(Text(_modelled(model), style="dim"))
    screen.print(Text(f"taken in {shown(measured.elapsed_s, 's')}, plan {measured.plan}", style="dim"))


def _modelled(model: Model) -> str:
    """Return a model in one line: its law, and what it says beside what was measured, or at twice the largest level."""
    said = next((p for p in reversed(model.predictions) if p.value is not None), None)
    if said is None:
        return f"{model.title} ({model.law})"
    span = "" if said.low is None or said.high is None else f" ({shown(said.low, model.unit)} to {shown(said.high, model.unit)})"
    beside = "" if said.measured is None else f"; measured {shown(said.measured, model.unit)}"
    level = f" at {said.level:,.0f}, beyond what was measured" if said.is_beyond_data else ""
    return f"{model.title} ({model.law}): {shown(said.value, model.unit)}{span}{level}{beside}"


def show_projection(projection: Projection, *, is_whole: bool = False) -> None:
    """Print a projection on one screen, or the whole of it: every order and every quantity."""
    (draw_whole_projection if is_whole else draw_projection)(console(), projection)


def show_backtest(found: Backtest) -> None:
    """Print how well each kind of quantity was predicted."""
    table = Table(title=f"Predicted and measured: {found.dataset}", title_justify="left", title_style="bold")
    table.add_column("what")
    for column in ("predictions", "median error", "times the size", "median error there", "in 80 % interval"):
        table.add_column(column, justify="right")
    for score in found.scores:
        table.add_row(
            Text(score.title), f"{score.prediction_count:,}", shown(score.median_error_share, "share", 2),
            f"{score.farthest_factor:.3g}", shown(score.farthest_error_share, "share", 2),
            shown(score.coverage_share, "share", 2),
        )  # fmt: skip
    screen = console()
    screen.print(table)
    screen.print(Text(f"{found.sentence}; taken in {shown(found.elapsed_s, 's')}"))
    for flag in found.flags:
        screen.print(Text(f"! {flag}", style="yellow"))


def show_any(path: str, *, draw: bool = True, is_whole: bool = False) -> DatasetProfile | MeasurementSet | Projection | Backtest:
    """Return what lies at a path (a dataset's profile, measurements or a projection), and print it."""
    place = Location.of(path)
    if place.is_local and place.path.is_file():
        return _show_file(place.path, draw=draw, is_whole=is_whole)
    import toolkit

    profile = toolkit.open_dataset(path).profile
    if draw:
        show_profile(profile)
    return profile


def _show_file(path: Path, *, draw: bool, is_whole: bool) -> MeasurementSet | Projection | Backtest:
    from toolkit.facts import MeasurementSet, read_facts
    from toolkit.facts.backtests import Backtest
    from toolkit.projection.result import Projection

    schema = str(read_facts(path, "facts").get("schema"))
    if schema.startswith("tonnage.measurements/"):
        measured = MeasurementSet.load(path)
        if draw:
            show_measurements(measured)
        return measured
    if schema.startswith("tonnage.projection/"):
        projection = Projection.load(path)
        if draw:
            show_projection(projection, is_whole=is_whole)
        return projection
    if schema.startswith("tonnage.backtest/"):
        found = Backtest.load(path)
        if draw:
            show_backtest(found)
        return found
    said = "which is neither measurements nor a projection, nor a back-test"
    raise UsageError(f"'{path}' holds schema {json.dumps(schema)}, {said}")
