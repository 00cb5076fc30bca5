"""What the command line draws of transfers and clusters: times, processors at both ends, bytes on the wire, stragglers."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from toolkit.terminal import console
from toolkit.units import show

if TYPE_CHECKING:
    from toolkit.facts import Measurement, MeasurementSet, Wire

__all__ = ["show_stragglers", "show_transfers"]


def show_transfers(measured: MeasurementSet) -> None:
    """Print what transfers took beyond their payload; nothing where none were measured."""
    rows = [(m, wires) for m in measured.measurements if (wires := [s.wire for s in m.samples if s.wire is not None])]
    if not rows:
        return
    table = Table(title="Transfers: medians of the windows", title_justify="left", title_style="bold")
    table.add_column("what")
    for column in ("p50", "p99", "first byte", "CPU here /GB", "CPU there /GB", "wire/payload", "sent again"):
        table.add_column(column, justify="right")
    table.add_column("way", style="dim")
    for measurement, wires in rows:
        table.add_row(Text(measurement.title), *_cells(measurement, wires), wires[0].path)
    console().print(table)


def show_stragglers(measured: MeasurementSet) -> None:
    """Print who was late where hosts worked at once; nothing where nobody was."""
    for measurement in measured.measurements:
        if measurement.stragglers:
            nodes = measurement.conditions.get("nodes", "")
            line = f"late in {measurement.title} on {nodes} hosts: {', '.join(measurement.stragglers)}"
            console().print(Text(line, style="yellow"))


def _cells(measurement: Measurement, wires: list[Wire]) -> list[str]:
    sizes = [sample.payload_bytes for sample in measurement.samples if sample.wire is not None]
    times = [_median([getattr(wire, name) for wire in wires]) for name in ("latency_p50_s", "latency_p99_s", "first_byte_p50_s")]
    spent = [_ratio([getattr(wire, name) for wire in wires], sizes) for name in ("client_cpu_s", "server_cpu_s", "wire_bytes")]
    is_bare = measurement.unit == "s"  # a byte each way: shares of the payload mean nothing
    cpu = ["" if is_bare or seconds is None else show(seconds * 1e9, "s") for seconds in spent[:2]]
    wire = "" if is_bare or spent[2] is None else f"{spent[2]:.3f}"
    counts = [wire.retransmit_count for wire in wires if wire.retransmit_count is not None]
    again = f"{sum(counts):,} ({wires[0].retransmit_evidence})" if counts else ""
    return [*("" if value is None else show(value, "s") for value in times), *cpu, wire, again]


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _ratio(amounts: list[float | None], sizes: list[int]) -> float | None:
    return _median([amount / size for amount, size in zip(amounts, sizes, strict=True) if amount is not None and size])
