"""What the command line draws of a run of measure: rates beside ceilings, what could not be measured, and what is not said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from toolkit.facts import faults_of, statement_of
from toolkit.terminal import console
from toolkit.terminal_transfers import show_stragglers, show_transfers
from toolkit.units import show as shown

if TYPE_CHECKING:
    from toolkit.facts import Measurement, MeasurementSet, Model

__all__ = ["show_measurements"]


def show_measurements(measured: MeasurementSet) -> None:
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
    screen = console()
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
