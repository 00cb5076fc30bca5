"""Number formats of training side by side: how fast a device is in each, how exact each is said to be, and what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.projection.givens_training import ACCURACY
from toolkit.projection.hardware_facts import accelerators, described_in, models
from toolkit.projection.utilised import typical_rate
from toolkit.reporting.blocks import Block, Cell, Table, text_rows
from toolkit.reporting.sections_measurements import taken_id
from toolkit.reporting.vocabulary_conditions import conditions_as_words
from toolkit.reporting.wording import DASH
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.facts import Measurement, MeasurementSet
    from toolkit.reporting.known import Known

__all__ = ["format_blocks", "measured_formats", "measured_sharing"]

_DIGITS: Final = 2


def format_blocks(known: Known) -> Sequence[Block]:
    """Return the formats that the scenario's device has, with what is published of each; nothing where the device is unknown."""
    trained = known.part("training")
    with described_in(known.projection.scenario.get("hardware")):
        device, model = accelerators().get(str(trained.get("accelerator"))), models().get(str(trained.get("model")))
        if device is None or model is None:
            return ()
        rows = []
        for name, words in ACCURACY.items():
            rate = typical_rate(device, str(trained["model"]), model, name)
            if name in device.peak:
                shown = DASH if rate is None else show(rate, "images_per_s")
                chosen = "projected" if name == trained.get("precision", "bf16") else ""
                said = words.partition(": ")[2]
                rows.append((Cell(text=name, below=chosen), show(float(device.peak[name]), "flop_per_s"), shown,
                             Cell(text=said, quiet=True)))  # fmt: skip
    table = Table(
        caption=f"Number formats on {device.title}", columns=("format", "dense peak", "trains, typically", "how exact"),
        rows=text_rows(rows), numeric=frozenset({1, 2}), stacked=True, why=known.why("device.peak_flop_per_s"),
        note=f"Peaks and rates of {model.title} as published, or by the roofline from those that are; what was measured on the "
        "target goes before them in the projection. Accuracy as published; that of a model is found by training it.",
    )  # fmt: skip
    return (table,) if rows else ()


def measured_formats(found: Sequence[MeasurementSet]) -> tuple[Block, ...]:
    """Return rate and error of each number format that was measured; nothing where none was."""
    for place, taken in enumerate(found):
        prefix = f"m{place + 1}-" if place else ""
        rates = {_case(m): m for m in taken.measurements if m.metric == "compute.rate"}
        errors = {_case(m): m for m in taken.measurements if m.metric == "compute.error"}
        rows = [
            (
                _format_cell(m, taken_id(taken, m, prefix)),
                show(m.median, m.unit),
                show(errors[case].median, "ratio") if case in errors else DASH,
            )
            for case, m in rates.items()
        ]
        if rows:
            columns = ("operation and format", "measured rate", "relative error against 64 bits")
            table = Table(caption=f"Number formats as measured on {taken.environment.host}", columns=columns,
                          rows=text_rows(rows), numeric=frozenset({1, 2}), stacked=True)  # fmt: skip
            return (table,)
    return ()


def measured_sharing(found: Sequence[MeasurementSet]) -> tuple[Block, ...]:
    """Return what was measured of a machine shared with a load of each kind; nothing where it was not."""
    for place, taken in enumerate(found):
        prefix = f"m{place + 1}-" if place else ""
        rows = [
            (
                Cell(text=conditions_as_words({"load": m.conditions.get("load", "the machine")}), why=taken_id(taken, m, prefix)),
                show(m.median, m.unit),
                f"{show(m.interval_low, m.unit)} to {show(m.interval_high, m.unit)}",
            )
            for m in taken.measurements
            if m.metric == "contention.loss"
        ]
        if rows:
            table = Table(caption=f"Rate that is lost, as measured on {taken.environment.host}",
                          columns=("where", "lost", "95 % interval"), rows=text_rows(rows), numeric=frozenset({1, 2}),
                          stacked=True)  # fmt: skip
            return (table,)
    return ()


def _format_cell(m: Measurement, why: str) -> Cell:
    """Return what was computed, in which format and how large, and below it by what and where."""
    told = {name: value for name, value in m.conditions.items() if name in {"operation", "precision", "size"}}
    rest = {name: value for name, value in m.conditions.items() if name not in told}
    return Cell(text=conditions_as_words(told), below=conditions_as_words(rest), why=why)


def _case(m: Measurement) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(name), str(value)) for name, value in m.conditions.items()))
