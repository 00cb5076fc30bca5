"""The section of measurements: rates against ceilings, the table behind them, and the machine they were taken on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit.facts import faults_of, statement_of
from toolkit.reporting.blocks import Block, Cell, Chart, KeyFact, KeyFacts, Notes, Prose, Section, Table, text_rows
from toolkit.reporting.figures_measurements import measurement_figures
from toolkit.reporting.measurement_words import condition_words, measurement_name
from toolkit.reporting.wording import DASH, interval, moment, plural
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.facts import Measurement, MeasurementSet

__all__ = ["measurement_sections", "taken_id"]

_HIGHLIGHTS: Final = {
    "loader.decoded": "images to training",
    "decode.all_cores": "decode, all cores",
    "read.sequential": "sequential read",
    "read.random": "random read",
    "transfer.flight": "Arrow Flight",
    "transfer.http_range": "HTTP ranges",
}
"""What stands at the top of the section, the first four that are there."""


_ROWS_OPEN: Final = 5

_FORMULAS: Final = {
    "s": "elapsed time, of each operation or window", "share": "share of the time or rate, within a window",
    "bytes_per_s": "bytes handed over / elapsed time", "images_per_s": "images / elapsed time",
    "ratio": "one of two results over the other", "count": "counted",
}  # fmt: skip
"""How a window's value comes about, by its unit."""


def measurement_sections(found: MeasurementSet, prefix: str = "") -> dict[str, Section]:
    """Return the sections of a set of measurements by name; ``prefix`` keeps the identifiers of several sets apart."""
    windows = sum(len(m.samples) for m in found.measurements)
    lead = (
        f"{plural(len(found.measurements), 'measurement')} from {plural(windows, 'timed window')}, taken in "
        f"{show(found.elapsed_s, 's')} on {found.environment.host}, {moment(found.started_at)} (plan {found.plan}, "
        f"dataset version {found.dataset_version})."
    )
    blocks: list[Block] = [Prose(text="Nothing was measured in this run.", calm=True)]
    if found.measurements:
        figures = measurement_figures(found)
        charts = [Chart(id=f"{prefix}{name.replace('_', '-')}", figure=figure) for name, figure in figures.items()]
        ceilings = [m for m in found.measurements if m.metric.startswith("ceiling.")]
        stages = [m for m in found.measurements if m not in ceilings]
        tables = [
            _rates(found, stages, prefix, "Every stage", shown_count=_ROWS_OPEN),
            _rates(found, ceilings, prefix, "Every ceiling", folded=True),
            _taken(found, prefix),
        ]
        blocks = [_highlights(found, prefix), *charts, *(table for table in tables if table.rows)]
    faults = tuple(map(_fault_words, faults_of(found)))
    said = (("What could not be measured, and why", faults), ("What these figures hold for", statement_of(found)))
    blocks += [Notes(items=items, title=title) for title, items in said if items]
    blocks.append(_environment(found))
    title = "What this machine does, against its ceilings"
    return {"measured": Section(id=f"{prefix}measured", title=title, short="Rates", lead=lead, blocks=tuple(blocks))}


def _fault_words(fault: str) -> str:
    """Return a fault with the name of its metric as words."""
    name, colon, reason = fault.partition(": ")
    return f"{name.replace('.', ': ').replace('_', ' ')}{colon and '. '}{reason[:1].upper()}{reason[1:]}"


def _highlights(found: MeasurementSet, prefix: str) -> KeyFacts:
    items = []
    for metric, label in _HIGHLIGHTS.items():
        m = found.find(metric, cache="warm") or found.find(metric)
        if m is not None:
            share = "" if m.ceiling_share is None else f"{show(m.ceiling_share, 'share', 2)} of its ceiling"
            note = ", ".join(part for part in (m.cache_verdict, share) if part)
            items.append(KeyFact(label=label, value=show(m.median, m.unit), note=note,
                                 why=taken_id(found, m, prefix)))  # fmt: skip
    first = found.measurements[0]
    return KeyFacts(
        items=tuple(items[:4])
        or (KeyFact(label=first.title, value=show(first.median, first.unit), why=taken_id(found, first, prefix)),)
    )


def taken_id(found: MeasurementSet, m: Measurement, prefix: str) -> str:
    """Return the identifier of the row that says how a measurement was taken."""
    return f"{prefix}why-measured-{found.measurements.index(m)}"


def _rates(
    run: MeasurementSet, found: Sequence[Measurement], prefix: str, caption: str, *, folded: bool = False, shown_count: int = 0
) -> Table:
    return Table(
        caption=caption,
        columns=("what", "median", "95 % interval", "ceiling", "share", "cache, as proven"),
        rows=text_rows([_rate_row(m, taken_id(run, m, prefix)) for m in found]),
        numeric=frozenset({1, 2, 3, 4}),
        note=f"Medians over fresh processes; {_interval_words(found)}. Loopback rates are no network rates.",
        stacked=True,
        folded=folded,
        shown_count=shown_count,
    )


def _interval_words(found: Sequence[Measurement]) -> str:
    """Return how the intervals were made: of few processes no resampling reaches 95 %."""
    few = ["few_invocations" in m.flags for m in found]
    by_t, resampled = "Student's t over processes, as they are few", "a bootstrap over processes"
    return f"the interval is {by_t if all(few) else f'{resampled}, or {by_t}' if any(few) else resampled}"


def _rate_row(m: Measurement, why: str) -> list[object]:
    ceiling = show(m.ceiling.value, m.unit) if m.ceiling else DASH
    share = DASH if m.ceiling is None else "understated" if m.ceiling_share is None else show(m.ceiling_share, "share", 2)
    ends = m.ceiling_share_interval
    span = "" if ends is None or m.ceiling_share is None else f"{show(ends[0], 'share', 2)} to {show(ends[1], 'share', 2)}"
    remarks = [condition_words(m), ", ".join(flag.replace("_", " ") for flag in m.flags)]
    name = Cell(text=measurement_name(m), below="; ".join(part for part in remarks if part), why=why)
    return [
        name,
        show(max(0.0, m.median) if m.unit == "share" else m.median, m.unit),
        interval(m.interval_low, m.interval_high, m.unit),
        ceiling,
        Cell(text=share, below=span),
        m.cache_verdict or DASH,
    ]


def _taken(found: MeasurementSet, prefix: str) -> Table:
    rows = [
        [
            Cell(text=measurement_name(m), id=taken_id(found, m, prefix)),
            Cell(text=_how(m), quiet=True),
            Cell(text=m.ceiling.explanation if m.ceiling else DASH, quiet=True),
            Cell(text=m.limits or DASH, quiet=True),
        ]
        for m in found.measurements
    ]
    columns = ("what", "how it was taken", "why that is its ceiling", "what it does not say")
    return Table(
        caption="How each was taken, its ceiling, and what it does not say", columns=columns, rows=text_rows(rows), stacked=True,
        folded=True, is_for_screens=True,
    )  # fmt: skip


def _how(m: Measurement) -> str:
    """Return how a figure was found: over how many windows and processes, under which conditions, and what was proven."""
    processes = len({sample.invocation for sample in m.samples})
    said = [f"median of {plural(len(m.samples), 'window')} in {plural(processes, 'process', 'processes')}", condition_words(m)]
    proof = next((sample.cache for sample in m.samples if sample.cache is not None), None)
    said += [f"cache {proof.verdict}, proven by {proof.evidence.replace('_', ' ')}"] if proof is not None else []
    return f"{'; '.join(part for part in said if part)}. Formula: {_FORMULAS.get(m.unit, 'what was counted / elapsed time')}"


def _environment(found: MeasurementSet) -> Table:
    facts = {name: value for name, value in found.environment.facts.items() if name != "not_measured"}  # told above
    rows = [_fact_row(name, value) for name, value in _flat(facts)]
    caption = f"The machine: {found.environment.host}"
    return Table(caption=caption, columns=("fact", "value"), rows=text_rows(rows), folded=True)


def _flat(facts: Any, before: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in facts.items():
        pairs += _flat(value, f"{before}{name} ") if isinstance(value, dict) else [(f"{before}{name}", value)]
    return pairs


def _fact_row(name: str, value: Any) -> tuple[str, str]:
    """Return a fact of the machine as words, its unit taken from the end of its name."""
    unit = next((u for u in ("bytes_per_s", "bytes", "s", "share") if name.endswith("_" + u)), "")
    words = name.removesuffix("_" + unit).removesuffix("_count").replace("_", " ")
    if unit and isinstance(value, int | float) and not isinstance(value, bool):
        return words, show(float(value), unit)
    if isinstance(value, list | tuple):
        return words, ", ".join(map(str, value)) or "none"
    return (words if unit == "" else name.replace("_", " ")), "unknown" if value is None else str(value)
