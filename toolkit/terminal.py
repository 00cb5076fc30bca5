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
from toolkit.units import show as shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from toolkit.facts import DatasetProfile, MeasurementSet, Model
    from toolkit.facts.backtests import Backtest
    from toolkit.projection.result import Projection

__all__ = ["console", "progress_bars", "show_any", "show_backtest", "show_measurements", "show_profile", "show_projection"]

_LINE_INTERVAL_S: Final = 10.0
_BAR_CELLS: Final = 24
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
    screen = console()
    screen.print(Text(f"{profile.name}  version {profile.version}", style="bold"))
    facts = _facts_table()
    facts.add_row("found", f"{profile.source_count:,} images in {shown(profile.source_bytes, 'bytes')}")
    for state in ("kept", "duplicate", "dropped", "quarantined"):
        count = profile.states.get(state, 0)
        facts.add_row(f"  {state}", f"{count:>7,}  {_bar(count, profile.source_count)}")
    facts.add_row("kept", f"{shown(profile.image_bytes, 'bytes')} in {profile.shard_count:,} shards of {_mean_shard(profile)}")
    sizes = profile.image_size_bytes
    facts.add_row("image", f"mean {shown(sizes.mean, 'bytes')}, median {shown(sizes.median, 'bytes')}, {_pixels(profile)}")
    facts.add_row(
        "near duplicates", f"{profile.near_duplicate_image_count:,} images in {profile.near_duplicate_group_count:,} groups"
    )
    for title, counts in (("splits", profile.splits), ("formats", profile.formats), ("labels", profile.labels)):
        facts.add_row(title, _counts(counts))
    if profile.curation.get("images_per_s"):
        rate = shown(profile.curation["images_per_s"], "images_per_s")
        facts.add_row("curated", f"in {shown(profile.curation.get('elapsed_s'), 's')} at {rate}")
    screen.print(facts)
    if profile.reasons:
        screen.print(_reasons(profile.reasons))


def _facts_table() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    return table


def _mean_shard(profile: DatasetProfile) -> str:
    return shown(profile.shard_bytes / profile.shard_count, "bytes") if profile.shard_count else "0 B"


def _pixels(profile: DatasetProfile) -> str:
    return f"mean {shown(profile.mean_pixels, 'pixels')}"


def _bar(count: int, total: int) -> str:
    cells = round(_BAR_CELLS * count / total) if total else 0
    return "█" * (cells or (1 if count else 0))


def _counts(counts: Mapping[str, int], most: int = 8) -> str:
    if not counts:
        return "none"
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = f", and {len(ranked) - most:,} more" if len(ranked) > most else ""
    return ", ".join(f"{name} {count:,}" for name, count in ranked[:most]) + rest


def _reasons(reasons: Mapping[str, int]) -> Table:
    table = Table(title="Not kept, and why", title_justify="left", title_style="bold")
    table.add_column("reason")
    table.add_column("images", justify="right")
    for reason, count in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])):
        table.add_row(Text(reason), f"{count:,}")
    return table


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


def show_projection(projection: Projection) -> None:
    """Print a projection: the plan first, then what leads to it."""
    screen = console()
    screen.print(Text(projection.name, style="bold"))
    screen.print(Text(projection.plan.summary))
    screen.print(Text(projection.plan.bottleneck))
    screen.print(Text(projection.plan.next_bottleneck))
    if projection.plan.edge_fit:
        screen.print(Text(projection.plan.edge_fit))
    screen.print(_plan_table(projection))
    for row in projection.plan.alternatives.iter_rows(named=True):
        if row["verdict"].startswith("chosen, but"):
            screen.print(Text(f"{row['phase']}: {row['count']:,.0f} x {row['item']} is {row['verdict']}", style="dim"))
    for sentence in projection.plan.cheapest:
        screen.print(Text(sentence, style="dim"))
    screen.print(_quantity_table(projection))
    if projection.backtest:
        screen.print(Text(projection.backtest))
    for flag in projection.flags:
        screen.print(Text(f"! {flag}", style="yellow"))


def _plan_table(projection: Projection) -> Table:
    table = Table(title="The plan", title_justify="left", title_style="bold")
    for column in ("phase", "item"):
        table.add_column(column)
    for column in ("count", "budgeted", "price", "power", "order by", "by month"):
        table.add_column(column, justify="right")
    table.add_column("why")
    for row in projection.plan.frame.iter_rows(named=True):
        price = "needs input" if row["price_usd"] is None else shown(row["price_usd"], "usd")
        power = "needs input" if row["power_w"] is None else shown(row["power_w"], "w")
        count = f"{row['count']:,.0f}"
        budgeted = "" if row["budget_count"] is None else f"{row['budget_count']:,.0f}"
        order = "" if row["order_by_month"] is None else f"{row['order_by_month']}"
        cells = (count, budgeted, price, power, order, f"{row['needed_by_month']}")
        table.add_row(row["phase"], Text(row["item"]), *cells, Text(row["reason"]))
    return table


def _quantity_table(projection: Projection) -> Table:
    first, last = projection.months[0], projection.months[-1]
    table = Table(title="What it takes", title_justify="left", title_style="bold")
    table.add_column("quantity")
    for month in (first, last):
        table.add_column(f"month {month}: p50", justify="right")
        table.add_column("p10 to p90", justify="right", style="dim")
    table.add_column("evidence", style="dim")
    for (quantity,), rows in projection.frame.group_by("quantity", maintain_order=True):
        by_month = {row["month"]: row for row in rows.iter_rows(named=True)}
        cells = []
        for month in (first, last):
            row = by_month.get(month)
            unit = rows["unit"][0]
            cells += ["", ""] if row is None else _ends(row, unit)
        table.add_row(str(quantity), *cells, rows["evidence"][0])
    return table


def _ends(row: Mapping[str, Any], unit: str) -> list[str]:
    """Return a median and its interval; what rests on a price or a rate that nobody gave needs input."""
    if row["p50"] is None:
        return ["needs input", ""]
    low, middle, high = (shown(row[name], unit) for name in ("p10", "p50", "p90"))
    return [middle, "" if low == middle == high else f"{low} to {high}"]


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


def show_any(path: str, *, draw: bool = True) -> DatasetProfile | MeasurementSet | Projection | Backtest:
    """Return what lies at a path (a dataset's profile, measurements or a projection), and print it."""
    place = Location.of(path)
    if place.is_local and place.path.is_file():
        return _show_file(place.path, draw=draw)
    import toolkit

    profile = toolkit.open_dataset(path).profile
    if draw:
        show_profile(profile)
    return profile


def _show_file(path: Path, *, draw: bool) -> MeasurementSet | Projection | Backtest:
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
            show_projection(projection)
        return projection
    if schema.startswith("tonnage.backtest/"):
        found = Backtest.load(path)
        if draw:
            show_backtest(found)
        return found
    said = "which is neither measurements nor a projection, nor a back-test"
    raise UsageError(f"'{path}' holds schema {json.dumps(schema)}, {said}")
