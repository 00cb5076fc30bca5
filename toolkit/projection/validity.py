"""For which inputs a formula holds: the range that it was derived for or held against, and what lies outside of it."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    Draws = NDArray[np.float64]
    Ends = tuple[float | str, float | str] | tuple[float | str, float | str, str]

__all__ = ["Outside", "Range", "outside_by_month", "ranges_of", "sentences"]

_SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The smallest and the largest value of an argument for which a formula holds."""

    low: float | str
    """Smallest value, or the argument that it may not be below."""
    high: float | str
    """Largest value, or the argument that it may not pass."""
    why: str
    """What the range rests on; empty where it is one of definition."""

    @property
    def because(self) -> str:
        """What the range rests on, in brackets."""
        return f" ({self.why})" if self.why else ""

    @property
    def is_of_definition(self) -> bool:
        """Whether it says no more than that a share is one."""
        return (self.low, self.high, self.why) == (0.0, 1.0, "")

    def named(self, inputs: Mapping[str, str]) -> Range:
        """Return it with ends that are arguments under the names of the quantities that stand in for them."""
        low, high = (inputs.get(end, end) if isinstance(end, str) else end for end in (self.low, self.high))
        return Range(low=low, high=high, why=self.why)

    def shown(self, unit: str | None = None) -> str:
        """Return the range in words; in a unit, where one is given."""
        low, high = (self._end(end, unit) for end in (self.low, self.high))
        if self.high == math.inf:
            return f"{low} or more"
        return f"at most {high}" if self.low == -math.inf else f"{low} to {high}"

    @staticmethod
    def _end(end: float | str, unit: str | None) -> str:
        if isinstance(end, str):
            return f"`{end}`"
        if unit is not None:
            return show(end, unit)
        return f"{end:,.0f}" if abs(end) < 1e15 and end == int(end) else f"{end:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """An input of a quantity that lies outside of what its formula holds for."""

    name: str
    """The quantity."""
    source: str
    """The input."""
    unit: str
    """Unit of the input."""
    value: float
    """The input at the last month at which it lies outside: its median, or the end of its range that does."""
    held: Range
    """What the formula holds for, with both ends in numbers."""
    first_month_index: int
    """From when on."""
    is_rare: bool
    """Whether the median lies inside, and only the 10th or the 90th percentile does not."""


def ranges_of(function: Callable[..., Any], valid: Mapping[str, Ends]) -> dict[str, Range]:
    """Return the ranges of a formula's arguments: those that are stated, and 0 to 1 for each share.

    Raises
    ------
    TypeError
        If a range is stated of an argument that the formula does not have.
    """
    arguments = inspect.signature(function).parameters
    ranges = {name: Range(low=0.0, high=1.0, why="") for name in arguments if name.endswith("_share")}
    for name, (low, high, *why) in valid.items():
        unknown = {name, low, high} & {part for part in (name, low, high) if isinstance(part, str) and part not in arguments}
        if unknown:
            raise TypeError(f"the formula {function.__name__} has no argument {min(map(str, unknown))}")
        ranges[name] = Range(low=low, high=high, why=why[0] if why else "")
    return ranges


def outside_by_month(
    name: str, source: str, unit: str, held: Range, given: tuple[Draws, Draws, Draws], ends: Mapping[str, Draws]
) -> Outside | None:
    """Return where an input lies outside of its range in one draw of ten or more, or None.

    Parameters
    ----------
    name, source, unit : str
        The quantity, its input, and the unit of that.
    held : Range
        What its formula holds for.
    given : tuple of numpy.ndarray
        10th, 50th and 90th percentile of the input by month.
    ends : mapping of str to numpy.ndarray
        Medians by month of arguments that are the end of a range.
    """
    low, high = (np.asarray(ends[end] if isinstance(end, str) else end, dtype=np.float64) for end in (held.low, held.high))
    low, high = (
        low - _SLACK * np.abs(np.where(np.isfinite(low), low, 0)),
        high + _SLACK * np.abs(np.where(np.isfinite(high), high, 0)),
    )
    for is_rare, parts in ((False, (given[1],)), (True, (given[2], given[0]))):
        for values in parts:
            months = np.flatnonzero(np.atleast_1d((values < low) | (values > high)))
            if len(months):
                last = int(months[-1])
                at = held if not isinstance(held.low, str) and not isinstance(held.high, str) else _in_numbers(held, ends, last)
                value = float(np.broadcast_to(values, max(len(values), last + 1))[last])
                return Outside(name=name, source=source, unit=unit, value=value, held=at,
                               first_month_index=int(months[0]), is_rare=is_rare)  # fmt: skip
    return None


def _in_numbers(held: Range, ends: Mapping[str, Draws], month: int) -> Range:
    low, high = (
        float(ends[end][min(month, len(ends[end]) - 1)]) if isinstance(end, str) else end for end in (held.low, held.high)
    )
    return Range(low=low, high=high, why=held.why)


def sentences(found: Iterable[Outside], months: Draws) -> list[str]:
    """Return a sentence for each input that lies outside, with all the quantities that take it so."""
    grouped: dict[tuple[Any, ...], list[Outside]] = {}
    for each in found:
        grouped.setdefault((each.source, each.held, each.value, each.is_rare, each.first_month_index), []).append(each)
    told = []
    for (source, held, value, is_rare, first, *_), parts in grouped.items():
        unit = parts[0].unit
        rarely = " in one draw of ten" if is_rare else ""
        since = f" from month {int(months[first])} on" if first else ""
        told.append(
            f"{', '.join(part.name for part in parts)}: {source} of {show(value, unit)}{rarely} lies outside the "
            f"{held.shown(unit)} that its formula holds for{since}{held.because}"
        )
    return told
