"""The ledger of a projection: every quantity with its formula, its inputs and where each came from, so that any can be asked why.

A formula is a pure function over NumPy arrays (draws x months) marked with ``@formula``; the ledger calls it, and keeps
beside the values what went in. Explanations are built from summaries (p10, p50, p90 by month), so that they survive a file.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.errors import UsageError
from toolkit.projection.draws import Room, are_whole, by_blocks, first_if_equal, percentiles, quantile
from toolkit.projection.validity import Outside, Range, outside_by_month, ranges_of, sentences
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from toolkit.projection.validity import Ends

    Draws = NDArray[np.float64]

__all__ = ["EVIDENCE", "Explanation", "Ledger", "NodeSummary", "explain_node", "formula", "percentiles", "weakest"]

EVIDENCE: Final = ("stated", "measured", "calibrated", "published", "vendor", "assumed")
"""Kinds of evidence, the strongest first. ``stated`` is what the scenario decides (a deadline, copies kept), which cannot be
wrong; what it merely supposes (growth, a price) is ``assumed``. ``calibrated`` is what a law says
that was fitted to measurements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSummary:
    """One quantity of a projection: its values in brief, and why."""

    name: str
    """Dotted name."""
    unit: str
    """Suffix of the unit, as ``toolkit.units.show`` takes it."""
    p10: tuple[float, ...]
    """10th percentile by month; one value when it does not change."""
    p50: tuple[float, ...]
    """Median by month."""
    p90: tuple[float, ...]
    """90th percentile by month."""
    formula: str
    """The formula in words, or an empty text for what is given."""
    source: str
    """Where the formula or the value comes from."""
    evidence: str
    """The weakest evidence among what it rests on."""
    inputs: tuple[str, ...]
    """Names of the quantities that went in."""
    holds_for: str = ""
    """For which of them the formula was derived or held against; empty for any."""
    outside: str = ""
    """Which of them lie outside of that, in words; empty where none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a quantity is what it is at one month, down to the leaves; ``str()`` draws the tree."""

    name: str
    """Dotted name."""
    unit: str
    """Suffix of the unit."""
    value: float
    """Median at the month."""
    formula: str
    """The formula in words, or an empty text for what is given."""
    source: str
    """Where it comes from."""
    evidence: str
    """The weakest evidence among what it rests on."""
    inputs: tuple[Explanation, ...]
    """The quantities that went in."""
    holds_for: str = ""
    """For which of them the formula holds; empty for any."""
    outside: str = ""
    """Which of them lie outside of that; empty where none does."""

    def __str__(self) -> str:
        """Return the tree, one line per quantity; what was drawn before is named and not drawn again."""
        lines: list[str] = []
        self._draw(lines, 0, set())
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types: the quantity and all that it rests on, each once, inputs by name; what is unknown is null."""
        found: dict[str, Explanation] = {}
        waiting = [self]
        while waiting:
            quantity = waiting.pop(0)
            if quantity.name not in found:
                found[quantity.name] = quantity
                waiting += quantity.inputs
        return {"quantities": [quantity._plain() for quantity in found.values()]}

    def _plain(self) -> dict[str, Any]:
        names = ("name", "unit", "formula", "source", "evidence", "holds_for", "outside")
        value = self.value if math.isfinite(self.value) else None
        return {name: getattr(self, name) for name in names} | {"value": value, "inputs": [given.name for given in self.inputs]}

    def _draw(self, lines: list[str], depth: int, drawn: set[str]) -> None:
        line = f"{'  ' * depth}{self.name} = {show(self.value, self.unit)}"
        if self.name in drawn and self.inputs:
            lines.append(f"{line}   (as above)")
            return
        drawn.add(self.name)
        lines.append(f"{line}   [{self.evidence}]")
        if self.formula:
            lines.append(f"{'  ' * depth}    = {self.formula}")
        if self.source:
            lines.append(f"{'  ' * depth}    source: {self.source}")
        if self.holds_for:
            lines.append(f"{'  ' * depth}    holds for: {self.holds_for}")
        if self.outside:
            lines.append(f"{'  ' * depth}    outside of that: {self.outside}")
        for part in self.inputs:
            part._draw(lines, depth + 1, drawn)


def formula(
    unit: str, text: str, *, valid: Mapping[str, Ends] | None = None, across_months: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a pure function over arrays as a formula: its unit, the formula in words, and for which inputs it was found to hold.

    ``valid`` names arguments with the smallest and the largest value that the formula was held against, either of which may
    be the name of another argument, and what that rests on; shares hold from 0 to 1, any other argument may take every
    value. ``across_months`` says that a month's result depends on other months, so that all are to be given at once.

    The ``Source:`` line of its docstring becomes the source that explanations show.

    Examples
    --------
    >>> @formula("bytes", "images x bytes per image")
    ... def image_bytes(images, bytes_per_image):
    ...     '''Bytes of a dataset.  Source: definition.'''
    ...     return images * bytes_per_image
    >>> image_bytes.unit, image_bytes.source, image_bytes(2, 3)
    ('bytes', 'definition', 6)
    """

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        found = re.search(r"Source:\s*(.+?)(?:\n\s*\n|\Z)", function.__doc__ or "", re.DOTALL)
        if found is None:
            raise TypeError(f"the formula {function.__name__} names no source in its docstring")
        function.unit = unit  # type: ignore[attr-defined]  # attributes of the function, read by the ledger
        function.text = text  # type: ignore[attr-defined]  # a function carries what is said of it
        function.valid = ranges_of(function, valid or {})  # type: ignore[attr-defined]  # as above
        function.across_months = across_months  # type: ignore[attr-defined]  # as above
        function.source = re.sub(r"\s+", " ", found.group(1)).strip().rstrip(".")  # type: ignore[attr-defined]  # as above
        return function

    return mark


def weakest(kinds: list[str]) -> str:
    """Return the weakest of several kinds of evidence.

    Examples
    --------
    >>> weakest(["measured", "assumed", "published"]), weakest(["stated", "measured"])
    ('assumed', 'measured')
    """
    return max(kinds, key=EVIDENCE.index, default=EVIDENCE[0])


class Ledger:
    """Quantities in the order in which they were derived, each with its values over draws and months.

    Parameters
    ----------
    reads : mapping of str to int, optional
        How often formulas will take each quantity, as a rehearsal of the same wiring counted it (``reads``): values that no
        formula takes any more are let go of, but for their last month and what summaries need. By default all are kept.
    probability : float
        The quantile that ``quantile`` is asked for.
    """

    def __init__(self, reads: Mapping[str, int] | None = None, probability: float = 0.9) -> None:
        self.values: dict[str, Draws] = {}
        self.reads: Counter[str] = Counter()
        self._to_come = None if reads is None else Counter(reads)
        self._probability = probability
        self._high: dict[str, Draws] = {}
        self._facts: dict[str, tuple[str, str, str, str, tuple[str, ...]]] = {}
        self._percentiles: dict[str, tuple[Draws, Draws, Draws]] = {}
        self._ranges: dict[str, tuple[dict[str, Range], dict[str, str]]] = {}
        self._room = Room()

    def give(self, name: str, unit: str, values: Draws, *, source: str, evidence: str) -> Draws:
        """Enter a quantity that is not derived; return its values."""
        self.values[name] = values
        self._facts[name] = (unit, "", source, evidence, ())
        return values

    def derive(self, name: str, function: Callable[..., Any], **inputs: str) -> None:
        """Enter what a formula makes of other quantities, named by argument."""
        marks: Any = function
        if gone := self._high.keys() & set(inputs.values()):
            raise RuntimeError(f"{name} takes {min(gone)}, which no formula was to take any more")
        given = {argument: self.values[source] for argument, source in inputs.items()}
        values = by_blocks(function, given, self._room, across_months=marks.across_months)
        if (one := first_if_equal(values)) is not None:
            self._room.give_back(values)
            values = one
        self.values[name] = values
        evidence = weakest([self._facts[source][3] for source in inputs.values()])
        self._facts[name] = (marks.unit, marks.text, marks.source, evidence, tuple(inputs.values()))
        if marks.valid:
            self._ranges[name] = marks.valid, inputs
        self.reads.update(inputs.values())
        if self._to_come is not None:
            self._to_come.subtract(inputs.values())
            for each in (name, *inputs.values()):
                if self._to_come[each] <= 0 and each not in self._high:
                    self._let_go(each)

    def _let_go(self, name: str) -> None:
        """Keep of values what is asked of them later on, and give their room to others."""
        values = self.values[name]
        if min(values.shape) < 2:
            return
        self.percentiles(name)
        self._high[name] = self.quantile(name, self._probability)
        self.values[name] = values[:, -1:].copy()
        self._room.give_back(values)

    def outside(self) -> list[Outside]:
        """Return the inputs that lie outside of what a formula was derived for or held against, at any month."""
        return [found for name in self._ranges for found in self._outside(name)]

    def _outside(self, name: str) -> list[Outside]:
        ranges, inputs = self._ranges.get(name, ({}, {}))
        middle = {argument: self.percentiles(source)[1] for argument, source in inputs.items()} if ranges else {}
        checked = (
            outside_by_month(
                name, inputs[argument], self.unit(inputs[argument]), held, self.percentiles(inputs[argument]), middle
            )
            for argument, held in ranges.items()
            if argument in inputs and {end for end in (held.low, held.high) if isinstance(end, str)} <= inputs.keys()
        )
        return [found for found in checked if found is not None]

    def unit(self, name: str) -> str:
        """Return the unit of a quantity."""
        return self._facts[name][0]

    def evidence(self, name: str) -> str:
        """Return the weakest evidence that a quantity rests on."""
        return self._facts[name][3]

    def median(self, name: str, month_index: int = -1) -> float:
        """Return the median of a quantity at a month."""
        middle = self.percentiles(name)[1]
        return float(middle[month_index if len(middle) > 1 else 0])

    def percentiles(self, name: str) -> tuple[Draws, Draws, Draws]:
        """Return the 10th, 50th and 90th percentile of a quantity by month; taken once."""
        if name not in self._percentiles:
            low, middle, high = percentiles(self.values[name])
            if self.unit(name) == "count" and are_whole(self.values[name]):  # between two whole counts there is no third
                low, middle, high = (np.ceil(part - 1e-9) for part in (low, middle, high))
            self._percentiles[name] = low, middle, high
        return self._percentiles[name]

    def quantile(self, name: str, share: float) -> Draws:
        """Return the quantile of a quantity by month that a share of the draws stays within; whole where counts are."""
        if share == 0.9:
            return self.percentiles(name)[2]
        if name in self._high:
            if share != self._probability:
                raise RuntimeError(f"the values of {name} are gone: of its quantiles {self._probability} alone was kept")
            return self._high[name]
        values = self.values[name]
        return quantile(values, share, is_whole=self.unit(name) == "count" and are_whole(values))

    def summaries(self) -> dict[str, NodeSummary]:
        """Return every quantity in brief."""
        return {name: self._summary(name) for name in self.values}

    def _summary(self, name: str) -> NodeSummary:
        unit, text, source, evidence, inputs = self._facts[name]
        p10, p50, p90 = (tuple(row.tolist()) for row in self.percentiles(name))
        ranges, given = self._ranges.get(name, ({}, {}))
        holds = "; ".join(
            f"{given[part]} {held.named(given).shown(self.unit(given[part]))}{held.because}"
            for part, held in ranges.items()
            if part in given and not held.is_of_definition
        )
        outside = "; ".join(sentences(self._outside(name), np.arange(len(p50), dtype=np.float64)))
        return NodeSummary(
            name=name, unit=unit, p10=p10, p50=p50, p90=p90, formula=text, source=source, evidence=evidence, inputs=inputs,
            holds_for=holds, outside=outside,
        )  # fmt: skip


def explain_node(nodes: Mapping[str, NodeSummary], name: str, month_index: int) -> Explanation:
    """Return why a quantity is what it is at a month; one that is used twice is explained once and shared.

    Raises
    ------
    UsageError
        If there is no such quantity; the message names those that are close.
    """
    if name not in nodes:
        import difflib

        close = difflib.get_close_matches(name, nodes, n=3, cutoff=0.4) or sorted(nodes)[:5]
        raise UsageError(f"there is no quantity '{name}'; did you mean {', '.join(close)}?")
    return _explained(nodes, name, month_index, {})


def _explained(nodes: Mapping[str, NodeSummary], name: str, month_index: int, known: dict[str, Explanation]) -> Explanation:
    if name not in known:
        node = nodes[name]
        known[name] = Explanation(
            name=name,
            unit=node.unit,
            value=node.p50[month_index if len(node.p50) > 1 else 0],
            formula=node.formula,
            source=node.source,
            evidence=node.evidence,
            inputs=tuple(_explained(nodes, source, month_index, known) for source in node.inputs),
            holds_for=node.holds_for,
            outside=node.outside,
        )
    return known[name]
