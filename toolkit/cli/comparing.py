"""Two runs of measure beside each other: what changed, and which rates differ by more than their spread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.app import AsJson, app, print_json

if TYPE_CHECKING:
    from toolkit.measurement.comparing import Comparison, Ratio

__all__ = ["compare"]


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="A", help="Measurements (.json), or a dataset, whose newest are taken.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The same, to hold beside A.")],
    limit: Annotated[int, typer.Option(min=0, help="Show at most so many ratios; 0 shows all.")] = 25,
    as_json: AsJson = False,
) -> None:
    """Say what changed between two runs of measure: each ratio with its 95 % interval, and what else is not the same."""
    from toolkit.measurement.comparing import compare as compare_runs

    found = compare_runs(before, after)
    if as_json:
        print_json(found.to_dict())
    else:
        _draw(found, limit)


def _draw(found: Comparison, limit: int) -> None:
    from rich.table import Table
    from rich.text import Text

    from toolkit.terminal import console
    from toolkit.units import show

    screen = console()
    screen.print(Text(f"A {found.before}\nB {found.after}", style="bold"))
    for change in found.changes:
        screen.print(Text(f"  {change.name}: {_value(change.before)} -> {_value(change.after)}", style="dim"))
    table = Table()
    table.add_column("what")
    for column in ("A", "B", "B / A", "95 % interval"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    ranked = sorted(found.ratios, key=_rank)
    for ratio in ranked[:limit] if limit else ranked:
        interval = "" if ratio.low_ratio is None else f"{ratio.low_ratio:.2f} to {ratio.high_ratio:.2f}"
        medians = show(ratio.before, ratio.unit), show(ratio.after, ratio.unit)
        table.add_row(Text(ratio.title), *medians, f"{ratio.ratio:.2f}", interval, ratio.verdict)
    screen.print(table)
    screen.print(Text(_summary(found, limit)))


def _rank(ratio: Ratio) -> tuple[bool, float]:
    """Return what sorts ratios that differ first, the largest change of all on top."""
    return ratio.verdict not in {"faster", "slower"}, -abs(math.log(ratio.ratio)) if ratio.ratio > 0 else 0.0


def _summary(found: Comparison, limit: int) -> str:
    total = len(found.ratios)
    hidden = f"; {total - limit} more not shown (--limit 0 shows all)" if limit and total > limit else ""
    alone = [f"{len(names)} only in {run}" for run, names in (("A", found.only_before), ("B", found.only_after)) if names]
    chance = f"about {found.by_chance_count:.1f} would by chance alone"
    return "; ".join([f"{found.differing_count} of {total} differ ({chance})", *alone]) + hidden


def _value(value: Any, most: int = 60) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"
