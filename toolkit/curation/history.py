"""What a dataset already holds, as a new batch needs to know it: the images kept, and the sources read."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.decide import HISTORY_COLUMNS
from toolkit.curation.frames import FRAME_SUFFIX
from toolkit.curation.reasons import PASSING
from toolkit.curation.splits import split_key
from toolkit.dataset.schema import CATALOG_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.curation.sources import SourceUnit
    from toolkit.dataset.reading import Dataset

__all__ = ["FORGOTTEN", "REMOVED", "KnownSources", "kept_images", "removed_contents"]

REMOVED: Final = "removed"
"""Reason of what a person has taken out; the same bytes are not let in again."""

FORGOTTEN: Final = ("superseded", "vanished")
"""Reasons of what was taken out because its source is no longer what it was; should it come again, it is new."""

_STREAM: Final = r"(?i)^(.*?\.(?:tar\.(?:gz|bz2|xz|zst)|tgz|tbz2|txz))!"
"""The compressed tar that a member's key begins with: it is known as a whole, since it is read as a whole."""

_CONTAINER: Final = r"(?i)^(.*?\.(?:zip|tar|tar\.(?:gz|bz2|xz|zst)|tgz|tbz2|txz|parquet|arrow|feather|ipc))[!#]"
"""The archive or table that a member's or row's key begins with."""

_SEEDS: Final = (0, 1)
"""Two 64-bit hashes stand for a source: that two of ten million meet in both is as likely as one in 10^24."""


def kept_images(dataset: Dataset | None, group_by: str | None = None) -> pl.DataFrame:
    """Return the images that earlier batches kept, with ``HISTORY_COLUMNS`` and ``split_key``; empty for a new dataset."""
    if dataset is None:
        empty = pl.DataFrame(schema=pl.Schema(CATALOG_SCHEMA))  # an empty Arrow table would import pandas
        return empty.select(*HISTORY_COLUMNS, split_key(group_by))
    kept = dataset.scan("catalog").filter(pl.col("state") == "kept")
    return (
        kept.select(*HISTORY_COLUMNS, split_key(group_by))
        .unique("image_id", keep="any")
        .sort("image_id")
        .collect(engine="streaming")
    )


def removed_contents(dataset: Dataset | None) -> pl.Series | None:
    """Return the sha256 of everything that a person has removed; None if that is nothing."""
    if dataset is None:
        return None
    removed = dataset.scan("catalog").filter(pl.col("reason") == REMOVED).select(pl.col("sha256").drop_nulls().unique())
    found = removed.collect(engine="streaming")["sha256"]
    return None if found.is_empty() else found.sort()


class KnownSources:
    """The sources that earlier batches read, held as hashes.

    Parameters
    ----------
    dataset : Dataset or None
        The dataset so far; None for a new one.
    """

    def __init__(self, dataset: Dataset | None) -> None:
        empty = pl.LazyFrame(schema=dict.fromkeys(("source", "source_etag", "sha256", "source_member"), pl.String))
        is_known = pl.col("reason").is_null() | ~pl.col("reason").is_in(FORGOTTEN)
        every = empty.with_columns(reason=pl.lit(None, pl.String)) if dataset is None else dataset.scan("catalog")
        is_passing = pl.col("state") == "quarantined" if dataset is not None else pl.lit(value=False)
        is_passing &= pl.col("reason").is_in(sorted(PASSING))
        self._passing = _hashed(every.filter(is_passing), "source", "reason")
        self._seen = every.filter(is_known & ~is_passing.fill_null(value=False))
        whole = self._seen.with_columns(
            source=pl.col("source").str.replace(FRAME_SUFFIX, "")
        )  # a file is read for all its frames
        self._containers: pl.DataFrame | None = None
        self._by_etag = _hashed(whole, "source", "source_etag")
        members = self._seen.filter(pl.col("source_member").is_not_null())
        containers = members.with_columns(source=pl.col("source").str.extract(_STREAM)).unique(["source", "source_etag"])
        self._streams = _hashed(containers, "source", "source_etag")

    def has_container(self, source: str, etag: str) -> bool:
        """Return whether an earlier batch has read a container, by its key and what tells a change."""
        if self._containers is None:
            members = self._seen.filter(pl.col("source_member").is_not_null())
            named = members.with_columns(source=pl.col("source").str.extract(_CONTAINER)).unique(["source", "source_etag"])
            self._containers = _hashed(named, "source", "source_etag")
        return self._known(self._containers, [source], [etag])[0]

    def unread(self, unit: SourceUnit) -> SourceUnit | None:
        """Return what of a unit no earlier batch has read: all, some of its items, or None."""
        if self._by_etag.is_empty():
            return unit
        if unit.kind == "tar_stream":
            known = self._known(self._streams, [unit.source], [unit.etag]) + self._known(
                self._by_etag, [unit.source], [unit.etag]
            )
            return None if any(known) else unit
        if unit.kind == "parquet":
            return None if self._known(self._by_etag, [f"{unit.source}#{unit.row_start}"], [unit.etag])[0] else unit
        known = self._known(self._by_etag, [item.source for item in unit.items], [item.etag for item in unit.items])
        fresh = tuple(item for item, is_known in zip(unit.items, known, strict=True) if not is_known)
        return dataclasses.replace(unit, items=fresh) if fresh else None

    def unread_content(self, found: pl.DataFrame) -> pl.DataFrame:
        """Return the rows whose source was not read before with the very same bytes, nor refused for the same passing reason.

        Parameters
        ----------
        found : pl.DataFrame
            With ``source``, ``sha256`` and ``refusal``.
        """
        if not self._passing.is_empty():
            found = found.with_columns(_hashes("source", "refusal")).join(
                self._passing, on=["a", "b"], how="anti", maintain_order="left"
            )
            found = found.drop("a", "b")
        if self._by_etag.is_empty():
            return found
        by_content = _hashed(self._seen, "source", "sha256")
        fresh = found.with_columns(_hashes("source", "sha256")).join(by_content, on=["a", "b"], how="anti", maintain_order="left")
        return fresh.drop("a", "b")

    @staticmethod
    def _known(hashes: pl.DataFrame, sources: Sequence[str], etags: Sequence[str]) -> list[bool]:
        found = pl.DataFrame({"source": sources, "etag": etags}, schema={"source": pl.String, "etag": pl.String})
        marked = found.select(_hashes("source", "etag")).join(
            hashes.with_columns(known=True), on=["a", "b"], how="left", maintain_order="left"
        )
        return marked["known"].fill_null(value=False).to_list()


def _hashed(seen: pl.LazyFrame, one: str, other: str) -> pl.DataFrame:
    pairs = seen.select(one, other).drop_nulls()
    return pairs.select(_hashes(one, other)).unique().collect(engine="streaming")


def _hashes(one: str, other: str) -> list[pl.Expr]:
    text = pl.concat_str(one, other, separator="\0")
    return [text.hash(seed).alias(name) for name, seed in zip("ab", _SEEDS, strict=True)]
