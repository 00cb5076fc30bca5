"""Two projections held side by side: what was asked otherwise, and how each result changes for it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from toolkit.errors import UsageError
from toolkit.projection.result import Projection
from toolkit.projection.run import project

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Contrast", "contrast", "is_projection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Two projections side by side."""

    before: str
    """Name of the first."""
    after: str
    """Name of the second."""
    month: int
    """Month at which they are compared: the last that both have."""
    changes: tuple[tuple[str, Any, Any], ...] = field(repr=False)
    """Keys of the scenarios that differ, with both values."""
    frame: pl.DataFrame = field(repr=False)
    """quantity, unit, median and 10th and 90th percentile of both, ratio, and whether the two ranges are apart."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        changes = [{"key": key, "before": old, "after": new} for key, old, new in self.changes]
        names = {"before": self.before, "after": self.after, "month": self.month}
        return names | {"changes": changes, "quantities": self.frame.to_dicts()}


def is_projection(path: str | Path) -> bool:
    """Return whether a file holds a projection, or a scenario that one can be made of."""
    place = Path(path)
    if place.suffix.lower() in {".yaml", ".yml"}:
        return place.is_file()
    if place.suffix.lower() != ".json" or not place.is_file():
        return False
    try:
        document = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and str(document.get("schema", "")).startswith("tonnage.projection/")


def contrast(before: Projection | str | Path, after: Projection | str | Path) -> Contrast:
    """Return what changes from one projection to another, at the last month that both have.

    Parameters
    ----------
    before, after : Projection or path
        Projections, files of them, or scenarios, which are projected alike: with the same seed, so that what is equal in both
        stays equal draw by draw.

    Raises
    ------
    UsageError
        If a file holds neither.
    """
    one, two = (_projection(side) for side in (before, after))
    month = min(one.months[-1], two.months[-1])
    left, right = (side.frame.filter(pl.col("month") == month) for side in (one, two))
    joined = left.join(right, on=["quantity", "unit"], how="full", coalesce=True, suffix="_b", maintain_order="left_right")
    frame = joined.select(
        "quantity", "unit", before="p50", before_low="p10", before_high="p90", after="p50_b", after_low="p10_b",
        after_high="p90_b", ratio=pl.when(pl.col("p50") != 0).then(pl.col("p50_b") / pl.col("p50")),
        is_apart=(pl.col("p90_b") < pl.col("p10")) | (pl.col("p10_b") > pl.col("p90")),
    )  # fmt: skip
    changes = tuple(_changes(dict(_leaves(one.scenario)), dict(_leaves(two.scenario))))
    return Contrast(before=one.name, after=two.name, month=month, changes=changes, frame=frame)


def _projection(side: Projection | str | Path) -> Projection:
    if isinstance(side, Projection):
        return side
    if not is_projection(side):
        raise UsageError(f"'{side}' is neither a projection (.json) nor a scenario (.yaml)")
    return Projection.load(side) if Path(side).suffix.lower() == ".json" else project(side)


def _leaves(part: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in part.items():
        if isinstance(value, dict) and value and key != "steps":
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for key in {**old, **new}:
        if old.get(key) != new.get(key):
            yield key, old.get(key), new.get(key)
