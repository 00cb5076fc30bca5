"""The rows of a batch, put together from probe parts, decisions and labels, a block at a time.

Probe parts are read lazily and in blocks, so that memory does not grow with the batch beyond a few numbers per image.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.records import arrow_table
from toolkit.curation.splits import plan_shards
from toolkit.dataset.schema import CATALOG_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from toolkit.curation.recipe import Recipe

__all__ = ["Batch", "ShardPlan"]

_BLOCK_ROWS: Final = 32_768
"""Rows held at once: what is joined, sorted and turned into Arrow takes up to 250 MB of them."""

_ID_DIGITS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPlan:
    """One shard to be written."""

    split: str
    """Split that the shard belongs to."""
    index: int
    """Number of the shard within its split."""
    plan: Path
    """Parquet file with the facts of its images, in order, and where their bytes are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch that is read and decided."""

    parts: Sequence[Path]
    """Probe parts in the order in which their units were found; ``row`` counts over all of them."""
    outcomes: pl.DataFrame
    """One line per occurrence of the batch, by row: ``row``, ``source``, ``image_id``, ``size_bytes``, ``pixel_hash``,
    ``state``, ``reason``, ``duplicate_of``, ``duplicate_group``, ``split``."""
    labels: pl.DataFrame
    """``row`` and the annotation columns, of the images that have any."""
    recipe: Recipe
    """What it was decided by."""

    @property
    def identity(self) -> str:
        """Identifier of the batch: of the recipe, of what was found and of what became of it, not of when or where."""
        digest = hashlib.sha256(self.recipe.to_json().encode())
        for block in self.outcomes.select("source", "state", "image_id").iter_slices(_BLOCK_ROWS):
            lines = block.select(pl.concat_str(pl.all().fill_null(""), separator="\0"))
            digest.update("\n".join(lines.to_series()).encode())
        return digest.hexdigest()[:_ID_DIGITS]

    def _facts(self) -> pl.LazyFrame:
        """Return the probe parts' facts by row, without the columns that later steps decide anew."""
        return pl.scan_parquet(list(self.parts), row_index_name="row", glob=False).drop("pixel_hash")

    def _completed(self, facts: pl.DataFrame, batch: str) -> pl.DataFrame:
        """Return facts with their outcomes and annotations, in their own order."""
        decided = self.outcomes.select("row", "pixel_hash", "state", "reason", "duplicate_of", "duplicate_group", "split")
        licence = pl.coalesce("licence", pl.lit(self.recipe.licence, pl.String))
        return (
            facts.join(decided, on="row", how="inner", maintain_order="left")
            .join(self.labels, on="row", how="left", maintain_order="left")
            .with_columns(licence=licence, batch=pl.lit(batch))
        )

    def catalog(self, batch: str) -> Iterator[pa.Table]:
        """Yield the batch's rows of the catalog, in the order in which they were found."""
        row_count = self._facts().select(pl.len()).collect().item()
        for start in range(0, row_count, _BLOCK_ROWS):
            block = self._facts().slice(start, _BLOCK_ROWS).collect()
            yield arrow_table(self._completed(block, batch), CATALOG_SCHEMA)

    def planned(self) -> pl.DataFrame:
        """Return ``row``, ``place``, ``shard``, ``planned_split``, ``planned_bytes`` of the images kept, in shuffled order."""
        kept = self.outcomes.filter(pl.col("state") == "kept").select("row", "image_id", "size_bytes", "split")
        planned = plan_shards(kept, self.recipe.shard_bytes, self.recipe.seed).with_row_index("place")
        return planned.select("row", "place", "shard", planned_split="split", planned_bytes="size_bytes")

    def plan(self, batch: str, folder: Path, planned: pl.DataFrame, laid_down: pl.DataFrame) -> Iterator[ShardPlan]:
        """Write what goes into each shard, in shuffled order, and yield the plans.

        Parameters
        ----------
        batch : str
            Name of the batch.
        folder : Path
            Where the plans go.
        planned : pl.DataFrame
            As of ``planned``.
        laid_down : pl.DataFrame
            ``row`` and where its bytes lie, of rows of tables that were laid down (``toolkit.curation.spooling``).
        """
        for block in _whole_shards(planned.drop("planned_bytes")):
            facts = self._facts().join(block.lazy(), on="row").collect(engine="streaming")
            rows = self._completed(facts, batch).sort("place")
            if len(laid_down):
                rows = rows.join(laid_down, on="row", how="left", maintain_order="left")
            for (split, index), part in rows.group_by("planned_split", "shard", maintain_order=True):
                path = folder / f"plan-{split}-{index:05d}.parquet"
                part.drop("planned_split", "shard", "place").write_parquet(path, compression="zstd", compression_level=1)
                yield ShardPlan(split=str(split), index=int(str(index)), plan=path)


def _whole_shards(planned: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield runs of whole shards of about ``_BLOCK_ROWS`` rows."""
    runs = planned.group_by("planned_split", "shard", maintain_order=True).agg(rows=pl.len())
    start = length = 0
    for rows in runs["rows"]:
        if length and length + rows > _BLOCK_ROWS:
            yield planned.slice(start, length)
            start, length = start + length, 0
        length += rows
    if length:
        yield planned.slice(start, length)
