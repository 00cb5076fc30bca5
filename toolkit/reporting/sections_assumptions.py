"""The section of assumptions: every input with its value, its range, and how well it is known; the weakest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.projection.explain import EVIDENCE
from toolkit.reporting.blocks import Cell, Section, Table, text_rows
from toolkit.reporting.explanations import given_ids
from toolkit.reporting.known import badge
from toolkit.reporting.wording import DASH, begin, list_words, plural, quantity_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.projection.result import Projection

__all__ = ["assumptions_section"]

_OPEN_ROWS: Final = 6
_COLUMNS: Final = ("what", "value", "moves", "known from", "source")
_MOVES_SHOWN: Final = 2


def assumptions_section(projection: Projection, prefix: str) -> Section:
    """Return every input: first what is only assumed, those that move a result on top; then the better known, folded."""
    facts = list(projection.assumptions.iter_rows(named=True))
    moved = _moved(projection)
    kinds = [str(row["evidence"]) for row in facts]
    counts = [f"{kinds.count(kind)} {kind}" for kind in EVIDENCE if kind in kinds]
    lead = "The projection names no input."
    if facts:
        lead = (
            f"{plural(len(facts), 'input')}: {list_words(counts)}. The weakest come first, and of them those that move a result."
        )
    tables: list[Table] = []
    ids = given_ids(projection, prefix)
    for kind in sorted(set(kinds), key=lambda kind: -_strength(kind)):
        rows = [row for row in facts if row["evidence"] == kind]
        rows.sort(key=lambda row: (-moved[row["name"]][0] if row["name"] in moved else 0.0, row["name"]))
        cells = text_rows([_row(row, moved, ids.get(row["name"], "")) for row in rows])
        caption = f"{begin(kind)}: {plural(len(rows), 'input')}"
        is_weakest = not tables
        tables.append(
            Table(
                caption=caption, columns=_COLUMNS, rows=cells, stacked=True, named=True, folded=not is_weakest,
                shown_count=_OPEN_ROWS if is_weakest else 0,
            )
        )  # fmt: skip
    return Section(id=f"{prefix}assumptions", title="What was assumed", short="Assumptions", lead=lead, blocks=tuple(tables))


def _moved(projection: Projection) -> dict[str, tuple[float, list[str]]]:
    """Return by input how far it moves results, as a share of them, and which, the most moved first."""
    found: dict[str, list[tuple[float, str]]] = {}
    frame = projection.sensitivity.filter(pl.col("low_result").is_finite() & pl.col("high_result").is_finite())
    for row in frame.iter_rows(named=True):
        middle = (abs(row["low_result"]) + abs(row["high_result"])) / 2
        if middle:
            share = abs(row["high_result"] - row["low_result"]) / middle
            found.setdefault(row["input"], []).append((share, quantity_words(row["quantity"])))
    ranked = {name: sorted(moves, reverse=True) for name, moves in found.items()}
    return {name: (moves[0][0], [words for _, words in moves[:_MOVES_SHOWN]]) for name, moves in ranked.items()}


def _row(row: Mapping[str, Any], moved: Mapping[str, tuple[float, list[str]]], name_id: str) -> list[object]:
    moves = moved.get(row["name"])
    return [
        Cell(text=begin(quantity_words(row["name"])), id=name_id),
        str(row["shown"] or DASH),
        DASH if moves is None else Cell(text=list_words(moves[1]), quiet=True),
        badge(row["evidence"]),
        _source(str(row["source"] or ""), str(row["evidence"] or "")),
    ]


def _strength(evidence: str) -> int:
    return EVIDENCE.index(evidence) if evidence in EVIDENCE else len(EVIDENCE)


def _source(text: str, evidence: str) -> Cell:
    if evidence == "assumed" and text.startswith("stated in the scenario"):  # growth and prices: nobody can state what will be
        text = text.replace("stated in the scenario", "supposed by the scenario", 1)
    link = next((word.strip("().,;") for word in text.split() if word.startswith("https://")), "")
    return Cell(text=text, quiet=True, href=link)
