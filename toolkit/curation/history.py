"""What a dataset already holds, as a new batch needs to know it: the images kept, and the sources read."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from toolkit.curation.decide import HISTORY_COLUMNS
from toolkit.curation.frames import FRAME_SUFFIX
from toolkit.curation.identities import CODED, numbered
from toolkit.curation.reasons import PASSING
from toolkit.curation.splits import split_key
from toolkit.dataset.schema import CATALOG_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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


_NUMBERED: Final = ("image_id", "sha256", "pixel_hash", "luma_hash", "duplicate_group")
_NARROW: Final = tuple(
    numbered(name) if name in _NUMBERED else pl.col(name).cast(CODED) if name == "split" else pl.col(name)
    for name in HISTORY_COLUMNS
)
"""``HISTORY_COLUMNS`` as they are held, one of each image that was ever kept: identities as numbers, of sha256 the first half."""


def kept_images(dataset: Dataset | None, group_by: str | None = None) -> pl.DataFrame:
    """Return the images that earlier batches kept, with ``HISTORY_COLUMNS`` and ``split_key``; empty for a new dataset.

    Identities are numbers (``toolkit.curation.identities``), ``split`` is a code.
    """
    if dataset is None:
        empty = pl.DataFrame(schema=pl.Schema(CATALOG_SCHEMA))  # an empty Arrow table would import pandas
        return empty.select(*_NARROW, *_keys(group_by))
    kept = dataset.scan("catalog").filter(pl.col("state") == "kept")
    return kept.select(*_NARROW, *_keys(group_by)).unique("image_id", keep="any").sort("image_id").collect(engine="streaming")


def _keys(group_by: str | None) -> list[pl.Expr]:
    return [] if group_by is None else [split_key(group_by)]


def removed_contents(dataset: Dataset | None) -> pl.Series | None:
    """Return the sha256, as numbers, of everything that a person has removed; None if that is nothing."""
    if dataset is None:
        return None
    removed = dataset.scan("catalog").filter(pl.col("reason") == REMOVED).select(numbered("sha256").drop_nulls().unique())
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
        self._passing = _Hashes(_hashed(every.filter(is_passing), "source", "reason"))
        self._seen = every.filter(is_known & ~is_passing.fill_null(value=False))
        file = pl.col("source").str.replace(FRAME_SUFFIX, "")  # a file is read for all its frames
        self._whole = self._seen.with_columns(source=file)
        self._contents: _Hashes | None = None
        self._containers: _Hashes | None = None
        self._names: _Hashes | None = None
        self._by_etag = _Hashes(_hashed(self._whole, "source", "source_etag"))
        members = self._seen.filter(pl.col("source_member").is_not_null())
        containers = members.with_columns(source=pl.col("source").str.extract(_STREAM)).unique(["source", "source_etag"])
        self._streams = _Hashes(_hashed(containers, "source", "source_etag"))

    def has_container(self, source: str, etag: str) -> bool:
        """Return whether an earlier batch has read a container, by its key and what tells a change."""
        if self._containers is None:
            members = self._seen.filter(pl.col("source_member").is_not_null())
            named = members.with_columns(source=pl.col("source").str.extract(_CONTAINER)).unique(["source", "source_etag"])
            self._containers = _Hashes(_hashed(named, "source", "source_etag"))
        return self._containers.have([source], [etag])[0]

    def unread(self, unit: SourceUnit) -> SourceUnit | None:
        """Return what of a unit no earlier batch has read: all, some of its items, or None."""
        known = self._read(unit)
        if not any(known):
            return unit
        if not unit.items:
            return None
        fresh = tuple(item for item, is_known in zip(unit.items, known, strict=True) if not is_known)
        return dataclasses.replace(unit, items=fresh) if fresh else None

    def recognised(self, unit: SourceUnit) -> tuple[int, int]:
        """Return of how many items of a unit an earlier batch knows the name, and of how many of these the very file as well."""
        same_count = sum(self._read(unit))
        if not unit.items or not len(self._by_etag):
            return same_count, same_count
        if self._names is None:
            self._names = _Hashes(_hashed(self._whole.with_columns(nothing=pl.lit("")), "source", "nothing"))
        return sum(self._names.have([item.source for item in unit.items], [""] * len(unit.items))), same_count

    def _read(self, unit: SourceUnit) -> list[bool]:
        """Return what of a unit an earlier batch has read: one answer per item, or one for a unit that is read as a whole."""
        if not len(self._by_etag):
            return [False]
        if unit.kind == "tar_stream":
            source, etag = [unit.source], [unit.etag]
            return [self._streams.have(source, etag)[0] or self._by_etag.have(source, etag)[0]]
        if unit.kind == "parquet":
            return self._by_etag.have([f"{unit.source}#{unit.row_start}"], [unit.etag])
        return self._by_etag.have([item.source for item in unit.items], [item.etag for item in unit.items])

    def unread_content(self, found: pl.DataFrame) -> pl.DataFrame:
        """Return the rows whose source was not read before with the very same bytes, nor refused for the same passing reason.

        Parameters
        ----------
        found : pl.DataFrame
            With ``source``, ``sha256`` and ``refusal``.
        """
        is_known = np.zeros(len(found), dtype=bool)
        if len(self._passing):
            is_known |= self._passing.hold(found["source"], found["refusal"])
        if len(self._by_etag):
            if self._contents is None:
                self._contents = _Hashes(_hashed(self._seen, "source", "sha256"))
            is_known |= self._contents.hold(found["source"], found["sha256"])
        return found.filter(~pl.Series(is_known)) if is_known.any() else found


class _Hashes:
    """Pairs of texts, as hashes in order: to look some up costs no more for ten million pairs than for a thousand.

    Parameters
    ----------
    hashes : pl.DataFrame
        ``a``, ``b``: two hashes of each pair.
    """

    def __init__(self, hashes: pl.DataFrame) -> None:
        ordered = hashes.sort("a", "b")
        self._firsts, self._seconds = ordered["a"].to_numpy(), ordered["b"].to_numpy()

    def __len__(self) -> int:
        return len(self._firsts)

    def have(self, sources: Sequence[str], others: Sequence[str]) -> list[bool]:
        """Return of each pair of texts whether it is one of these."""
        return list(map(bool, self.hold(pl.Series(sources, dtype=pl.String), pl.Series(others, dtype=pl.String))))

    def hold(self, sources: pl.Series, others: pl.Series) -> NDArray[np.bool_]:
        """Return of each pair of texts of two columns whether it is one of these."""
        hashed = pl.DataFrame({"source": sources, "other": others}).select(_hashes("source", "other"))
        firsts, seconds = hashed["a"].to_numpy(), hashed["b"].to_numpy()
        starts = np.searchsorted(self._firsts, firsts, side="left")
        ends = np.searchsorted(self._firsts, firsts, side="right")
        known = np.zeros(len(firsts), dtype=bool)
        met = np.flatnonzero(ends > starts)
        known[met] = self._seconds[starts[met]] == seconds[met]
        for place in met[ends[met] - starts[met] > 1]:
            known[place] = seconds[place] in self._seconds[starts[place] : ends[place]]
        return known


def _hashed(seen: pl.LazyFrame, one: str, other: str) -> pl.DataFrame:
    pairs = seen.select(one, other).drop_nulls()
    return pairs.select(_hashes(one, other)).unique().collect(engine="streaming")


def _hashes(one: str, other: str) -> list[pl.Expr]:
    text = pl.concat_str(one, other, separator="\0")
    return [text.hash(seed).alias(name) for name, seed in zip("ab", _SEEDS, strict=True)]
