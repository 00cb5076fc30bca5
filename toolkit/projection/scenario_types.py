"""The types of a scenario's keys: quantities in text, names of hardware facts, counts within bounds, tables of events."""

from __future__ import annotations

import csv
import functools
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from toolkit.projection.hardware_facts import hardware_kinds
from toolkit.units import parse_quantity

__all__ = [
    "LARGEST_BYTES", "LARGEST_COUNT", "LARGEST_PER_S", "Bytes", "BytesOrNone", "BytesPerS", "Count", "GramsPerJ", "PerS",
    "PositiveShare", "Seconds", "Share", "Steps", "Usd", "UsdPerJ", "Watts", "YearlyFactor", "at_least", "named", "quantity",
]  # fmt: skip

LARGEST_COUNT: Final = 1e13
"""Most that can be counted of images, samples of a component and the like: a thousand times the largest published crawls."""
LARGEST_BYTES: Final = 1e24
"""Most bytes that a scenario may grow to: a yottabyte, more than all drives that were ever made."""
LARGEST_PER_S: Final = 1e12
"""Most requests or frames each second that a scenario may grow to."""


@functools.cache
def quantity(unit: str) -> BeforeValidator:
    """Return what reads a number with its unit; the same for each key of the unit, so that it can be known by it."""

    def parse(text: Any) -> Any:
        return text if text is None else parse_quantity(text, unit)

    return BeforeValidator(parse)


def at_least(shortest_s: float, words: str) -> AfterValidator:
    """Return a check that a time is no shorter than one that is told in words."""

    def check(time_s: float) -> float:
        if time_s < shortest_s:
            raise ValueError(f"should be {words} or more")
        return time_s

    return AfterValidator(check)


def named(kind: str) -> BeforeValidator:
    """Return a check that a name is one of the hardware facts of a kind."""

    def check(name: Any) -> Any:
        known = hardware_kinds()[kind]
        if name is not None and not isinstance(name, str | int | float):
            own = f"describe one of your own in hardware.{kind}, or with tonnage hardware add"
            raise ValueError(f"should be the name of {'an' if kind[0] in 'ai' else 'a'} {kind}; {own}")
        if name is not None and name not in known:
            raise ValueError(f"is not a known {kind}; there are {', '.join(sorted(known))}")
        return name

    return BeforeValidator(check)


def _steps(table: Any, info: ValidationInfo) -> Any:
    """Return events by month: as written, or from a table with the columns month and images."""
    if not isinstance(table, str):
        return table
    path = Path((info.context or {}).get("folder", "."), table)
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            found: dict[int, float] = {}
            for row in csv.DictReader(lines):
                found[int(row["month"])] = found.get(int(row["month"]), 0.0) + float(row["images"].replace("_", ""))
    except OSError as fault:
        raise ValueError(f"cannot be read as a table: {fault.strerror}") from fault
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise ValueError("is no table with whole numbers in its columns 'month' and 'images'") from fault
    return found


Bytes = Annotated[float, quantity("bytes"), Field(gt=0, le=LARGEST_BYTES)]
BytesOrNone = Annotated[float, quantity("bytes"), Field(ge=0)]
GramsPerJ = Annotated[float, quantity("g_per_j"), Field(ge=0)]
BytesPerS = Annotated[float, quantity("bytes_per_s"), Field(gt=0)]
Seconds = Annotated[float, quantity("s"), Field(gt=0)]
Watts = Annotated[float, quantity("w"), Field(gt=0)]
Usd = Annotated[float, quantity("usd"), Field(ge=0)]
UsdPerJ = Annotated[float, quantity("usd_per_j"), Field(ge=0)]
Share = Annotated[float, quantity("share"), Field(ge=0, le=1)]
PositiveShare = Annotated[float, quantity("share"), Field(gt=0, le=1)]
PerS = Annotated[float, quantity("per_s"), Field(gt=0, le=1e9)]
Count = Annotated[float, Field(gt=0, le=LARGEST_COUNT)]
YearlyFactor = Annotated[float, Field(ge=1, le=100)]
Steps = Annotated[
    dict[Annotated[int, Field(ge=0)], Annotated[float, Field(ge=-LARGEST_COUNT, le=LARGEST_COUNT)]], BeforeValidator(_steps)
]
