"""Two runs of measure beside each other: what changed, and which rates differ by more than their spread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.app import AsJson, app, print_json, print_line

if TYPE_CHECKING:
    from toolkit.measurement.comparing import Comparison, Ratio

__all__ = ["compare"]


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="A", help="Measurements, or a dataset; or a projection or scenario.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The same, to hold beside A.")],
    limit: Annotated[int, typer.Option(min=0, help="Show at most so many ratios; 0 shows all.")] = 25,
    as_json: AsJson = False,
) -> None:
    """Say what changed between two runs of measure, or two projections or scenarios: each ratio, and what else differs."""
    from toolkit.projection.contrasting import is_projection

    if is_projection(before) and is_projection(after):
        _contrast(before, after, limit, as_json=as_json)
        return
    from toolkit.measurement.comparing import compare as compare_runs

    found = compare_runs(before, after)
    if as_json:
        print_json(found.to_dict())
    else:
        _draw(found, limit)


def _contrast(before: str, after: str, limit: int, *, as_json: bool) -> None:
    """Show two projections side by side, what changes most first."""
    from toolkit.projection.contrasting import contrast
    from toolkit.units import show

    found = contrast(before, after)
    if as_json:
        print_json(found.to_dict())
        return
    print_line(
        f"A {found.before}\nB {found.after}\nat month {found.month}, medians; * where the ranges from p10 to p90 are apart"
    )
    for key, old, new in found.changes:
        print_line(f"  {key}: {old} -> {new}")
    rows = [row for row in found.frame.iter_rows(named=True) if row["before"] is not None and row["before"] != row["after"]]
    rows.sort(key=lambda row: abs(math.log(row["ratio"])) if row["ratio"] and row["ratio"] > 0 else math.inf, reverse=True)
    for row in rows[:limit] if limit else rows:
        ends = [("needs input" if row[side] is None else show(row[side], row["unit"])) for side in ("before", "after")]
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.3g}x"
        print_line(f"{row['quantity']:36} {ends[0]:>16} {ends[1]:>16} {ratio:>9} {'*' if row['is_apart'] else ''}".rstrip())


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
