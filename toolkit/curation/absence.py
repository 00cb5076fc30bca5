"""Occurrences whose source is no longer what it was: gone from where it lay, or holding other bytes since."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.frames import FRAME_SUFFIX
from toolkit.curation.history import KnownSources
from toolkit.curation.roots import SourceRoots, is_familiar
from toolkit.curation.sources import OtherFile, discover
from toolkit.curation.sources.units import printable
from toolkit.errors import MissingError, UsageError
from toolkit.locations import Location

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from toolkit.curation.roots import Root
    from toolkit.dataset.reading import Dataset

__all__ = ["superseded", "vanished"]

_BLOCK: Final = 65_536
"""Names hashed at once."""


def superseded(dataset: Dataset) -> pl.LazyFrame:
    """Return the rows of the catalog whose source came again with other bytes in a later batch.

    One that could not be read then, a host that did not answer for example, has replaced nothing.
    """
    numbers = {state.batch: state.version for state in dataset.store.states()}
    number = pl.col("batch").replace_strict(numbers, default=-1, return_dtype=pl.Int64)
    catalog = dataset.scan("catalog").with_columns(number=number)
    latest = catalog.filter(pl.col("sha256").is_not_null()).group_by("source").agg(latest=pl.col("number").max())
    return catalog.join(latest, on="source").filter(pl.col("number") < pl.col("latest")).drop("number", "latest")


def vanished(dataset: Dataset, sources: Sequence[str | os.PathLike[str]]) -> pl.LazyFrame:
    """Return the rows of the catalog whose file is no longer found where it was, by listing the sources anew.

    An archive or a table counts as a whole: what is in it is not looked at. Occurrences of other sources are left out.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    sources : sequence of paths
        Sources as they were given to ``curate``, in any order.

    Raises
    ------
    MissingError
        If a source itself is not there: that would take everything for gone.
    UsageError
        If a place is none of the dataset's sources.
    """
    known = SourceRoots(dataset.store, dataset, partial(is_familiar, KnownSources(dataset)))
    roots = known.named(_there(sources))
    if stray := next((root.place for root in roots if not root.is_known), None):
        raise UsageError(f"'{stray}' is no source of '{dataset.location}'; its sources are {known}")
    present = pl.concat([pl.Series("present", [], dtype=pl.UInt64), *_present(roots)]).unique()
    names = [printable(root.name)[0] for root in roots]
    member = pl.col("source_member")
    archive, table = (pl.col("source").str.split(pl.concat_str(pl.lit(mark), member)).list.first() for mark in "!#")
    container = pl.when(archive != pl.col("source")).then(archive).otherwise(table)
    file = pl.when(member.is_null()).then(pl.col("source").str.replace(FRAME_SUFFIX, "")).otherwise(container)
    is_below = pl.any_horizontal((pl.col("source") == root) | pl.col("source").str.contains(_below(root)) for root in names)
    catalog = dataset.scan("catalog").filter(is_below)
    return catalog.filter(~file.hash().is_in(present.implode()))


def _there(sources: Sequence[str | os.PathLike[str]]) -> list[Location]:
    places = [Location.of(str(source)) for source in sources]
    if gone := next((place for place in places if place.is_local and not place.path.exists()), None):
        raise MissingError(f"there is no source at '{gone}'; check the path")
    return places


def _below(root: str) -> str:
    import re

    return f"^{re.escape(root)}[/!#]"


def _present(roots: Sequence[Root]) -> Iterator[pl.Series]:
    """Yield the hashes of the names of all files found."""
    names: list[str] = []
    for found in discover([root.place for root in roots], names=[root.name for root in roots]):
        if isinstance(found, OtherFile):
            continue
        names += [item.source for item in found.items] if found.kind in {"files", "remote"} else [found.source]
        if len(names) >= _BLOCK:
            yield _hashed(names)
            names = []
    yield _hashed(names)


def _hashed(names: list[str]) -> pl.Series:
    return pl.DataFrame({"name": names}, schema={"name": pl.String}).select(present=pl.col("name").hash()).to_series()
