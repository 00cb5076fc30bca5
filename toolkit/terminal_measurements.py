"""What the command line draws of a run of measure: rates beside ceilings, what could not be measured, and what is not said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from toolkit.facts import faults_of, statement_of
from toolkit.reporting.measurement_words import measurement_name
from toolkit.reporting.wording import plural, shorten, visible
from toolkit.terminal import console
from toolkit.terminal_transfers import show_stragglers, show_transfers
from toolkit.units import show as shown

if TYPE_CHECKING:
    from rich.console import Console

    from toolkit.facts import Measurement, MeasurementSet, Model

__all__ = ["show_measurements"]


_HEADLINES: Final = (
    "loader.decoded", "loader.encoded", "loader.time_to_first_batch", "decode.all_cores", "decode.one_core", "read.sequential",
    "read.random", "transfer.flight", "transfer.http_range", "transfer.object_get", "utilisation.accelerators",
    "contention.loss", "compute.rate",
)  # fmt: skip
"""What one screen shows first: what reaches training, and the stages that it comes through."""

_ROWS: Final = 20
_OF_A_METRIC: Final = 2
_FAULTS: Final = 3
_MODELS: Final = 2
_SENTENCES: Final = 2
_BAR_CELLS: Final = 10
_NAME_LETTERS: Final = 40


def show_measurements(measured: MeasurementSet, *, is_whole: bool = False) -> None:
    """Print measurements on one screen, or the whole of them: every rate, ceiling, transfer and sentence."""
    (_draw_whole if is_whole else _draw_screen)(console(), measured)


def _draw_screen(screen: Console, measured: MeasurementSet) -> None:
    """Print the rates that matter most beside their ceilings, what failed, and what the figures do not say."""
    taken = f"plan {measured.plan}, taken in {shown(measured.elapsed_s, 's')} on {measured.environment.host}"
    screen.print(_line(f"Measured: {measured.dataset}", screen.width, style="bold"))
    screen.print(_line(f"{plural(len(measured.measurements), 'measurement')}; {taken}", screen.width, style="dim"))
    chosen = _chosen(measured)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True, overflow="ellipsis", max_width=_NAME_LETTERS)
    table.add_column("median", justify="right", no_wrap=True)
    table.add_column("of its ceiling", no_wrap=True)
    for m in chosen:
        share = "" if m.ceiling_share is None else f"{_bar(m.ceiling_share)} {shown(m.ceiling_share, 'share', 2)}"
        table.add_row(Text(shorten(visible(measurement_name(m)), _NAME_LETTERS)), _shown(m.median, m.unit), share)
    screen.print(table)
    show_stragglers(measured)
    for model in measured.models[:_MODELS]:
        screen.print(_line(_modelled(model), screen.width, style="dim"))
    for lines, most, mark, style in (
        (faults_of(measured), _FAULTS, "! not measured: ", "yellow"), (statement_of(measured), _SENTENCES, "- ", "dim"),
    ):  # fmt: skip
        for sentence in lines[:most]:
            screen.print(_line(f"{mark}{sentence}", screen.width, style=style))
        if len(lines) > most:
            screen.print(Text(f"{mark.split()[0]} and {len(lines) - most} more", style=style))
    left = len(measured.measurements) - len(chosen)
    screen.print(Text(f"{plural(left, 'more measurement')}, ceilings and intervals: tonnage show FILE --all", style="dim"))


def _chosen(measured: MeasurementSet) -> list[Measurement]:
    """Return what one screen has room for: a few of each metric that matters, then whatever else was measured of a stage."""
    stages = [m for m in measured.measurements if not m.metric.startswith("ceiling.")]
    found: list[Measurement] = []
    for metric in _HEADLINES:
        found += [m for m in stages if m.metric == metric][:_OF_A_METRIC]
    found += [m for m in stages if m.metric not in _HEADLINES]
    return (found or list(measured.measurements))[:_ROWS]


def _bar(share: float) -> str:
    cells = min(_BAR_CELLS, max(0, round(share * _BAR_CELLS))) if share == share else 0  # noqa: PLR0124  # no number is no bar
    return "\u2588" * cells + "\u2591" * (_BAR_CELLS - cells)


def _line(text: str, width: int, style: str = "") -> Text:
    return Text(shorten(visible(" ".join(text.split())), width), style=style, no_wrap=True, overflow="ellipsis")


def _draw_whole(screen: Console, measured: MeasurementSet) -> None:
    """Print measurements beside their ceilings, what failed and why, and what the figures do not say."""
    table = Table(title=f"Measured: {measured.dataset}", title_justify="left", title_style="bold")
    for column in ("what", "cache"):
        table.add_column(column)
    for column in ("median", "95 % interval", "ceiling", "of ceiling"):
        table.add_column(column, justify="right")
    table.add_column("flags", style="dim")
    for m in measured.measurements:
        interval = f"{_shown(m.interval_low, m.unit)} to {_shown(m.interval_high, m.unit)}"
        ceiling = shown(m.ceiling.value, m.unit) if m.ceiling else ""
        table.add_row(Text(m.title), m.cache_verdict, _shown(m.median, m.unit), interval, ceiling, _share(m), ", ".join(m.flags))
    screen.print(table)
    show_transfers(measured)
    show_stragglers(measured)
    for model in measured.models:
        screen.print(Text(_modelled(model), style="dim"))
    for fault in faults_of(measured):
        screen.print(Text(f"! not measured: {fault}", style="yellow"))
    for sentence in statement_of(measured):
        screen.print(Text(f"- {sentence}", style="dim"))
    screen.print(Text(f"taken in {shown(measured.elapsed_s, 's')}, plan {measured.plan}", style="dim"))


def _shown(value: float, unit: str) -> str:
    """Return a figure; a share below nought, which is the noise of a loss that is not there, as none."""
    return shown(max(0.0, value) if unit == "share" else value, unit)


def _share(measurement: Measurement) -> str:
    """Return the share of the ceiling with its interval, where it is known."""
    if measurement.ceiling_share is None:
        return ""
    share = shown(measurement.ceiling_share, "share", 2)
    if measurement.ceiling_share_interval is None:
        return share
    low, high = (shown(end, "share", 2) for end in measurement.ceiling_share_interval)
    return f"{share} ({low} to {high})"


def _modelled(model: Model) -> str:
    """Return a model in one line: its law, and what it says beside what was measured, or at twice the largest level."""
    said = next((p for p in reversed(model.predictions) if p.value is not None), None)
    if said is None:
        return f"{model.title} ({model.law})"
    span = "" if said.low is None or said.high is None else f" ({shown(said.low, model.unit)} to {shown(said.high, model.unit)})"
    beside = "" if said.measured is None else f"; measured {shown(said.measured, model.unit)}"
    count = f"{said.level:,.0f} {model.swept}" if model.swept.endswith("s") else f"{model.swept} {said.level:,.0f}"
    size = shown(said.level, "bytes") if model.swept.endswith("_bytes") else count
    level = f" at {size}, beyond what was measured" if said.is_beyond_data else ""
    return f"{model.title} ({model.law}): {shown(said.value, model.unit)}{span}{level}{beside}"
