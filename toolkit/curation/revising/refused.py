"""What was refused, and its bytes: those that the quarantine holds, and those of sources that still lie where they lay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow.parquet as pq

from toolkit.curation.locators import known_locators
from toolkit.curation.reasons import PASSING
from toolkit.curation.revising.restaging import lay_down_again
from toolkit.curation.sources import Item, SourceUnit, reread
from toolkit.curation.sources.files import etag_of
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolkit.dataset.reading import Dataset

__all__ = ["absent_count", "refused_rows", "refused_units"]

_UNIT: Final = 64
"""Files of a unit of work."""

_OF_CONTAINERS: Final = "discover"
"""Stage of refusals that are about an archive and a member's place in it, whatever the bytes are."""

_READ: Final = "read"
"""Stage of refusals of which no bytes ever came."""

_BYTES_ROWS: Final = 64
"""Refused files held at once."""


def refused_rows(before: Dataset, reason: str | None) -> pl.DataFrame:
    """Return ``source``, ``batch``, ``stage``, ``reason``, ``is_held`` of what can be tried again.

    Raises
    ------
    UsageError
        If nothing was refused, or nothing for this reason.
    """
    rows = before.scan("quarantine").filter(pl.col("stage") != _OF_CONTAINERS)
    rows = rows.select("source", "batch", "stage", "reason", is_held=pl.col("bytes").is_not_null())
    every = rows.collect(engine="streaming").sort("source", "batch")
    chosen = every if reason is None else every.filter(pl.col("reason") == reason)
    if chosen.is_empty():
        reasons = ", ".join(sorted(set(every["reason"]))) or "none"
        named = "" if reason is None else f" for the reason '{reason}'"
        raise UsageError(f"nothing in '{before.location}' that can be tried again was refused{named}; there is: {reasons}")
    return chosen


def absent_count(refused: pl.DataFrame, had: set[str]) -> int:
    """Return how many refusals had bytes when they were refused, which can be had no more."""
    had_bytes = (pl.col("stage") != _READ) & ~pl.col("reason").is_in(sorted(PASSING))
    return refused.filter(~pl.col("is_held") & had_bytes & ~pl.col("source").is_in(had)).height


def refused_units(before: Dataset, refused: pl.DataFrame, staging: Path, had: set[str]) -> Iterator[SourceUnit]:
    """Yield units of files that hold the refused bytes: those of the quarantine, and those of sources that still lie there.

    Adds the sources whose bytes are there to ``had``.
    """
    folder = staging / "bytes"
    folder.mkdir()
    waiting: list[Item] = []
    for number, (source, payload) in enumerate(_payloads(before, refused, staging)):
        had.add(source)
        path = folder / f"{number:09d}"
        path.write_bytes(payload)
        info = path.stat()
        waiting.append(Item(source=source, place=str(path), size_bytes=info.st_size, etag=etag_of(info)))
        if len(waiting) == _UNIT:
            yield SourceUnit(kind="files", path="", source="", items=tuple(waiting))
            waiting = []
    if waiting:
        yield SourceUnit(kind="files", path="", source="", items=tuple(waiting))


def _payloads(before: Dataset, refused: pl.DataFrame, staging: Path) -> Iterator[tuple[str, bytes]]:
    held = set(refused.filter("is_held").select("source", "batch").iter_rows())
    for path in before.table_paths("quarantine"):
        with pq.ParquetFile(path) as part:
            for rows in part.iter_batches(_BYTES_ROWS, columns=["source", "batch", "bytes"]):
                for row in rows.to_pylist():
                    if (row["source"], row["batch"]) in held:
                        yield row["source"], row["bytes"]
    absent = known_locators(before.store, refused.filter(~pl.col("is_held")))
    lay_down_again(absent["locator"], staging)
    for source, found in reread(absent.select("source", "locator").iter_rows(), staging):
        if isinstance(found, bytes):
            yield source, found
