"""What a projection says of single quantities, results and inputs alike: values, words and links, for sentences and tables."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.reporting.blocks import Cell, Table, text_rows
from toolkit.reporting.explanations import explained, last_month, why_of
from toolkit.reporting.wording import DASH, begin, interval, quantity_words
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from toolkit.projection.result import Projection

__all__ = ["NEEDS_INPUT", "Known", "badge"]

NEEDS_INPUT: Final = "needs input"
"""What stands where a number would rest on something that nobody gave."""

_ROWS_OPEN: Final = 8
"""Rows of a table that show until the rest is opened."""

_ASKED: Final = {
    "training: storage bandwidth": "bandwidth.storage_demand_bytes_per_s",
    "training: image decoding": "training.decode_images_per_s",
    "training: node network": "network.node_bytes_per_s",
    "training: device memory": "training.memory_bytes",
    "training: time to the deadline": "training.elapsed_s",
    "inference: device power": "inference.device_w",
    "inference: latency against its objective": "inference.latency_p99_s",
    "inference: host link": "inference.input_bytes_per_s",
    "inference: uplink": "inference.sent_bytes_per_s",
    "inference: device memory": "inference.memory_bytes",
}
"""The quantity that a resource is asked for by, whose explanation its row leads to."""


def badge(evidence: object) -> Cell:
    """Return a kind of evidence as a badge."""
    kind = str(evidence or "").partition(":")[0].strip()
    return Cell(text="", badge=kind) if kind else Cell(text=DASH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The quantities of one projection by name, in its first and its last month."""

    projection: Projection
    """What they are of."""
    prefix: str = ""
    """What keeps the identifiers of several projections apart."""
    ends: Mapping[tuple[str, int], Mapping[str, Any]] = field(repr=False)
    """Rows of the projection's frame by quantity and month, of the first and the last month."""
    given: Mapping[str, Mapping[str, Any]] = field(repr=False)
    """Rows of its inputs by name."""
    linked: frozenset[str] = field(repr=False)
    """What the page explains."""

    @classmethod
    def of(cls, projection: Projection, prefix: str = "") -> Known:
        """Return what a projection knows."""
        months = {min(projection.months, default=0), last_month(projection)}
        frame = projection.frame.filter(pl.col("month").is_in(list(months)))
        ends = {(row["quantity"], row["month"]): row for row in frame.iter_rows(named=True)}
        given = {row["name"]: row for row in projection.assumptions.iter_rows(named=True)}
        return cls(projection=projection, prefix=prefix, ends=ends, given=given, linked=explained(projection))

    @property
    def month(self) -> int:
        """The last month."""
        return last_month(self.projection)

    def part(self, name: str) -> Mapping[str, Any]:
        """Return a part of the scenario as it was stated; nothing where it states none."""
        found = self.projection.scenario.get(name)
        return found if isinstance(found, dict) else {}

    def value(self, name: str) -> float | None:
        """Return a median in the last month, or an input; None where it is unknown or not asked for."""
        row = self.ends.get((name, self.month))
        if row is not None:
            return None if row["p50"] is None else float(row["p50"])
        row = self.given.get(name)
        if row is not None:
            return None if row["value"] is None else float(row["value"])
        return self._between(name)

    def _between(self, name: str) -> float | None:
        """Return the median of what lies between inputs and results."""
        node = self.projection.explanations.get(name)
        if node is None or (name, self.month) in self.ends:
            return None
        return None if not math.isfinite(node.p50[-1]) else float(node.p50[-1])

    def text(self, name: str) -> str:
        """Return that with its unit, or that it needs input."""
        value = self.value(name)
        row = self.ends.get((name, self.month)) or self.given.get(name)
        node = self.projection.explanations.get(name)
        unit = row["unit"] if row is not None else node.unit if node is not None else ""
        return NEEDS_INPUT if value is None else show(value, unit)

    def has(self, *names: str) -> bool:
        """Return whether each of these has a value."""
        return all(self.value(name) is not None for name in names)

    def why(self, name: str) -> str:
        """Return the identifier of a quantity's explanation; nothing where the page has none."""
        return why_of(self.linked, name, self.prefix)

    def links(self, names: Iterable[str]) -> dict[str, str]:
        """Return what is shown of some quantities, with the identifiers of their explanations: the first of those shown alike."""
        shown: dict[str, str] = {}
        for name in names:
            for text in self._shown(name) if self.why(name) else ():
                shown.setdefault(text, self.why(name))
        return shown

    def _shown(self, name: str) -> list[str]:
        """Return what a sentence may show of a quantity: its medians in the first and the last month, and its ranges."""
        if not self.has(name):
            return []
        rows = [row for (found, _), row in self.ends.items() if found == name and row["p50"] is not None]
        spread = [interval(row["p10"], row["p90"], row["unit"]) for row in rows]
        return [self.text(name), *(show(row["p50"], row["unit"]) for row in rows), *spread]

    def evidence(self, name: str) -> str:
        """Return the weakest evidence that a quantity rests on."""
        row = self.ends.get((name, self.month)) or self.given.get(name)
        return "" if row is None else str(row["evidence"] or "")

    def table(self, caption: str, names: Iterable[str], needed: Mapping[str, str], *, note: str = "") -> Table | None:
        """Return the quantities that there are, now and in the last month; None where there is none.

        Parameters
        ----------
        caption : str
            What the table holds.
        names : iterable of str
            Quantities in the order of their rows; those that the projection does not name are left out.
        needed : mapping of str to str
            Quantities that are listed even so, with the key of the scenario that would make them known.
        note : str
            A sentence below the table.
        """
        rows = [row for name in names if (row := self._row(name, needed.get(name, ""))) is not None]
        first = min(self.projection.months, default=0)
        columns = ("what", "now" if first == 0 else f"month {first}", f"month {self.month}", f"p10 to p90, month {self.month}",
                   "known from")  # fmt: skip
        if not rows:
            return None
        return Table(
            caption=caption, columns=columns, rows=text_rows(rows), numeric=frozenset({1, 2, 3}), note=note, stacked=True,
            shown_count=_ROWS_OPEN,
        )  # fmt: skip

    def _row(self, name: str, key: str) -> list[object] | None:
        cell = Cell(text=begin(quantity_words(name)), why=self.why(name))
        if name in self.given:
            row = self.given[name]
            shown, _, span = (str(row["shown"]) if row["value"] is not None else NEEDS_INPUT).partition(" (")
            return [cell, shown, shown, span.rstrip(")") or DASH, badge(row["evidence"])]
        between = self._between(name)
        if between is not None:
            node = self.projection.explanations[name]
            spread = interval(node.p10[-1], node.p90[-1], node.unit)
            return [cell, show(node.p50[0], node.unit), show(between, node.unit), spread, badge(node.evidence)]
        first, last = (self.ends.get((name, month)) for month in (min(self.projection.months, default=0), self.month))
        if last is None and first is None:
            return [Cell(text=begin(quantity_words(name)), below=key), NEEDS_INPUT, NEEDS_INPUT, DASH, DASH] if key else None
        if key and not self.has(name):
            cell = Cell(text=begin(quantity_words(name)), below=f"needs {key}")
        spread = DASH if last is None or last["p50"] is None else interval(last["p10"], last["p90"], last["unit"])
        known = last or first or {}
        return [cell, _median(first), _median(last), spread, badge(known.get("evidence"))]

    def loads(self, caption: str, phase: str, resources: Iterable[str]) -> Table | None:
        """Return what some resources are asked for beside what there is, in the last month; None where none was held against."""
        wanted = list(resources)
        frame = self.projection.bottlenecks.filter(
            (pl.col("phase") == phase) & (pl.col("month") == self.month) & pl.col("resource").is_in(wanted)
        )
        rows = [
            (
                Cell(text=begin(row["resource"]), why=self.why(_ASKED.get(f"{phase}: {row['resource']}", ""))),
                show(row["demand"], row["unit"]),
                show(row["supply"], row["unit"]),
                show(row["load_share"], "share"),
                "too little" if row["load_share"] > 1 else "enough",
            )
            for row in sorted(frame.iter_rows(named=True), key=lambda row: wanted.index(row["resource"]))
        ]
        columns = ("what", "needed", "there", "load", "verdict")
        if not rows:
            return None
        return Table(caption=caption, columns=columns, rows=text_rows(rows), numeric=frozenset({1, 2, 3}), stacked=True)


def _median(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return DASH
    return NEEDS_INPUT if row["p50"] is None else show(row["p50"], row["unit"])
