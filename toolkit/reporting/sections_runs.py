"""The section of two runs of ``measure`` beside each other: what changed around them, and which rates differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import UsageError
from toolkit.measurement.comparing import compare
from toolkit.reporting.blocks import Block, Cell, Chart, Fold, Notes, Prose, Section, Table, text_rows
from toolkit.reporting.figures_runs import ranked_ratios, ratios_of_runs
from toolkit.reporting.vocabulary_conditions import conditions_as_words
from toolkit.reporting.wording import DASH, moment, plural, shorten
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.facts import MeasurementSet
    from toolkit.measurement.comparing import Comparison, Ratio

__all__ = ["comparison_sections", "runs_section"]

_ROWS_OPEN: Final = 6
_CHANGES_OPEN: Final = 6
_CELL_LETTERS: Final = 120
_TITLE: Final = "What changed between the runs"


def runs_section(runs: Sequence[MeasurementSet]) -> Section | None:
    """Return the earliest run of ``measure`` beside each later one; None for fewer than two."""
    if len(runs) < 2:
        return None
    first, *others = sorted(runs, key=lambda run: run.started_at)
    parts = [_against(first, other, f"run{place}-") for place, other in enumerate(others, start=2)]
    section = parts[0]
    if len(parts) == 1:
        return section
    names = [f"{moment(first.started_at)} against {moment(other.started_at)}" for other in others]
    blocks: list[Block] = [Prose(text=f"{names[0]}.", strong=True), *section.blocks]
    blocks += [
        Fold(title=name, blocks=(Prose(text=part.lead), *part.blocks), strong=True)
        for name, part in zip(names[1:], parts[1:], strict=True)
    ]
    return Section(id=section.id, title=_TITLE, short=section.short, lead=section.lead, blocks=tuple(blocks))


def _against(before: MeasurementSet, after: MeasurementSet, prefix: str) -> Section:
    try:
        return comparison_sections(compare(before, after), prefix)["runs"]
    except UsageError:  # nothing in common: such as rates in one, and a search in the other
        ends = f"{moment(before.started_at)} and {moment(after.started_at)}"
        calm = Prose(
            text=f"The runs of {ends} share no measurement under the same conditions: there is nothing to compare.", calm=True
        )
        return Section(id=f"{prefix}runs", title=_TITLE, short="Runs", lead="They complement each other.", blocks=(calm,))


def comparison_sections(found: Comparison, prefix: str) -> dict[str, Section]:
    """Return the section of two runs that were compared."""
    figure = ratios_of_runs(found)
    blocks: list[Block] = [] if figure is None else [Chart(id=f"{prefix}ratios", figure=figure)]
    blocks.append(_ratios(found))
    if found.changes:
        blocks.append(_changes(found))
    else:
        blocks.append(Prose(text="Dataset, plan, machine and packages are the same in both.", calm=True))
    alone = [(name, titles) for name, titles in (("A", found.only_before), ("B", found.only_after)) if titles]
    blocks += [
        Fold(title=f"Measured in {name} alone: {len(titles):,}", blocks=(_named(titles),), is_for_screens=True)
        for name, titles in alone
    ]
    chance = (
        f"about {found.by_chance_count:.1f} would by chance alone" if found.by_chance_count else "of a spread that is not known"
    )
    lead = (
        f"A is {_run(found.before)}, B is {_run(found.after)}. {found.differing_count:,} of "
        f"{plural(len(found.ratios), 'measurement')} that both took differ by more than their spread ({chance})."
    )
    return {"runs": Section(id=f"{prefix}runs", title=_TITLE, short="Runs", lead=lead, blocks=tuple(blocks))}


def _named(titles: Sequence[str]) -> Notes:
    return Notes(items=tuple(dict.fromkeys(titles)))


def _run(name: str) -> str:
    is_stamp = len(name) >= 16 and name[:4].isdigit() and name[10] == "T"
    return moment(name) if is_stamp else shorten(name, 60)


def _ratios(found: Comparison) -> Table:
    return Table(
        caption="Every measurement that both took",
        columns=("what", "A", "B", "B over A", "95 % interval", "verdict"),
        rows=text_rows([_ratio_row(ratio) for ratio in ranked_ratios(found)]),
        numeric=frozenset({1, 2, 3, 4, 5}),
        note="The runs were taken at different times, so that nothing in them is paired. Of a time, below 1 is faster.",
        stacked=True,
        shown_count=_ROWS_OPEN,
    )


def _ratio_row(ratio: Ratio) -> list[object]:
    spread = DASH if ratio.low_ratio is None or ratio.high_ratio is None else f"{ratio.low_ratio:.2f} to {ratio.high_ratio:.2f}"
    remarks = [conditions_as_words(ratio.conditions), ", ".join(flag.replace("_", " ") for flag in ratio.flags)]
    return [
        Cell(text=ratio.title, below="; ".join(part for part in remarks if part)),
        show(ratio.before, ratio.unit),
        show(ratio.after, ratio.unit),
        f"{ratio.ratio:.2f}",
        spread,
        ratio.verdict,
    ]


def _changes(found: Comparison) -> Table:
    rows = [(Cell(text=change.name.replace("_", " ")), _value(change.before), _value(change.after)) for change in found.changes]
    return Table(
        caption="What is not the same around them", columns=("what", "A", "B"), rows=text_rows(rows), stacked=True, named=True,
        shown_count=_CHANGES_OPEN,
    )  # fmt: skip


def _value(value: Any) -> str:
    return "nothing" if value is None else shorten(value, _CELL_LETTERS)
