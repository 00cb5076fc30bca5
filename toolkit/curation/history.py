"""What a dataset already holds, as a new batch needs to know it: the images kept, and the sources read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.decide import HISTORY_COLUMNS
from toolkit.dataset.schema import CATALOG_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.dataset.reading import Dataset

__all__ = ["KnownSources", "kept_images"]

_SEEDS: Final = (0, 1)
"""Two 64-bit hashes stand for a source: that two of ten million meet in both is as likely as one in 10^24."""


def kept_images(dataset: Dataset | None) -> pl.DataFrame:
    """Return the images that earlier batches kept, with ``HISTORY_COLUMNS``; empty for a new dataset."""
    if dataset is None:
        empty = pl.from_arrow(CATALOG_SCHEMA.empty_table())
        assert isinstance(empty, pl.DataFrame)
        return empty.select(HISTORY_COLUMNS)
    kept = dataset.scan("catalog").filter(pl.col("state") == "kept")
    return kept.select(HISTORY_COLUMNS).unique("image_id", keep="any").sort("image_id").collect(engine="streaming")


class KnownSources:
    """The sources that earlier batches read, held as hashes.

    Parameters
    ----------
    dataset : Dataset or None
        The dataset so far; None for a new one.
    second : str
        What tells a change: ``source_etag`` before anything is read, ``sha256`` after.
    """

    def __init__(self, dataset: Dataset | None, second: str) -> None:
        self._second = second
        seen = pl.LazyFrame(schema={"source": pl.String, second: pl.String}) if dataset is None else dataset.scan("catalog")
        self._hashes = seen.select("source", second).drop_nulls().select(_hashes(second)).collect(engine="streaming")

    def unknown(self, found: pl.DataFrame) -> pl.DataFrame:
        """Return the lines of a frame with ``source`` and the second column that no earlier batch has read so."""
        if self._hashes.is_empty():
            return found
        fresh = found.with_columns(_hashes(self._second)).join(self._hashes, on=["a", "b"], how="anti", maintain_order="left")
        return fresh.drop("a", "b")

    def are_known(self, sources: Sequence[str], seconds: Sequence[str]) -> list[bool]:
        """Return, for each source and its second column, whether an earlier batch has read it so."""
        if self._hashes.is_empty():
            return [False] * len(sources)
        found = pl.DataFrame({"source": sources, self._second: seconds}, schema={"source": pl.String, self._second: pl.String})
        fresh = set(self.unknown(found.with_row_index("row"))["row"])
        return [row not in fresh for row in range(len(sources))]


def _hashes(second: str) -> list[pl.Expr]:
    pair = pl.struct("source", second)
    return [pair.hash(seed).alias(name) for name, seed in zip("ab", _SEEDS, strict=True)]
