"""The section of measurements: rates against ceilings, the table behind them, and the machine they were taken on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.reporting.blocks import Block, Cell, Chart, KeyFact, KeyFacts, Prose, Section, Table, text_rows
from toolkit.reporting.figures_measurements import condition_words, measurement_figures, measurement_name
from toolkit.units import show

if TYPE_CHECKING:
    from toolkit.facts import Measurement, MeasurementSet

__all__ = ["measurement_sections"]


def measurement_sections(found: MeasurementSet, prefix: str = "") -> list[Section]:
    """Return the sections of a set of measurements; ``prefix`` keeps the identifiers of several sets apart."""
    figures = measurement_figures(found)
    windows = sum(len(m.samples) for m in found.measurements)
    lead = (
        f"{len(found.measurements):,} measurements from {windows:,} timed windows, taken in {show(found.elapsed_s, 's')} on "
        f"{found.environment.host} (plan {found.plan}, {found.started_at}, dataset version {found.dataset_version})."
    )
    blocks: list[Block] = []
    if not found.measurements:
        blocks.append(Prose(text="Nothing was measured in this run.", calm=True))
    else:
        blocks.append(_highlights(found))
    blocks += [Chart(id=f"{prefix}{name.replace('_', '-')}", figure=figure) for name, figure in figures.items()]
    if found.measurements:
        blocks.append(_table(found))
    blocks.append(_environment(found))
    title = "What this machine does, against its ceilings"
    return [Section(id=f"{prefix}measured", title=title, short="Measured", lead=lead, blocks=tuple(blocks))]


def _highlights(found: MeasurementSet) -> KeyFacts:
    wanted = {
        "loader.decoded": "images to training",
        "decode.all_cores": "decode, all cores",
        "read.sequential": "sequential read",
        "read.random": "random read",
        "transfer.flight": "Arrow Flight",
    }
    items = []
    for metric, label in wanted.items():
        m = found.find(metric)
        if m is not None:
            share = "" if m.ceiling_share is None else f"{show(m.ceiling_share, 'share', 2)} of its ceiling"
            note = ", ".join(part for part in (m.cache_verdict, share) if part)
            items.append(KeyFact(label=label, value=show(m.median, m.unit), note=note))
    first = found.measurements[0]
    return KeyFacts(items=tuple(items[:4]) or (KeyFact(label=first.title, value=show(first.median, first.unit)),))


def _table(found: MeasurementSet) -> Table:
    columns = ("what", "rate", "95 % interval", "ceiling", "share", "cache, as proven", "remarks")
    return Table(
        caption="Every measurement",
        columns=columns,
        rows=text_rows([_row(m) for m in found.measurements]),
        numeric=frozenset({1, 2, 3, 4}),
        note="Medians over fresh processes; the interval is a bootstrap over processes. Loopback rates are no network rates.",
    )


def _row(m: Measurement) -> list[object]:
    ceiling = show(m.ceiling.value, m.unit) if m.ceiling else "–"
    share = "–" if m.ceiling is None else "understated" if m.ceiling_share is None else show(m.ceiling_share, "share", 2)
    remarks = [
        ", ".join(flag.replace("_", " ") for flag in m.flags),
        condition_words(m),
        m.ceiling.explanation if m.ceiling else "",
        m.limits,
    ]
    interval = f"{show(m.interval_low, m.unit)} to {show(m.interval_high, m.unit)}"
    quiet = Cell(text=" · ".join(part for part in remarks if part), quiet=True)
    return [measurement_name(m), show(m.median, m.unit), interval, ceiling, share, m.cache_verdict or "–", quiet]


def _environment(found: MeasurementSet) -> Table:
    rows = [(name.replace("_", " "), _fact_words(name, value)) for name, value in _flat(found.environment.facts)]
    return Table(caption=f"The machine: {found.environment.host}", columns=("fact", "value"), rows=text_rows(rows))


def _flat(facts: Any, before: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in facts.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{before}{name} ")
        else:
            pairs.append((f"{before}{name}", value))
    return pairs


def _fact_words(name: str, value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    unit = next((u for u in ("bytes_per_s", "bytes", "s", "share") if name.endswith("_" + u)), None)
    if number and unit:
        return show(float(value), unit)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "unknown" if value is None else str(value)
