"""The rows of a batch, put together from probe parts, decisions and labels, a block at a time.

Probe parts are read lazily and in blocks, so that memory does not grow with the batch beyond a few numbers per image.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow.parquet as pq

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

_PIECE_ROWS: Final = 1_024
"""Rows of a plan's row groups: a shard that wants a few of a block reads little more."""

_ID_DIGITS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPlan:
    """One shard to be written."""

    split: str
    """Split that the shard belongs to."""
    index: int
    """Number of the shard within its split."""
    pieces: Path
    """Folder of Parquet files with the facts of images, and where their bytes are, each ordered by ``place``."""
    first_place_index: int
    """Place of its first image in the order of all shards."""
    last_place_index: int
    """Place of its last image."""


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

    def _facts(self) -> Iterator[pl.DataFrame]:
        """Yield the probe parts' facts by row, a block at a time, without the columns that later steps decide anew."""
        waiting: list[Path] = []
        start = row_count = 0
        for part in [*self.parts, None]:
            if waiting and (part is None or row_count >= _BLOCK_ROWS):
                # a few parts at once: to scan all of them for each block would read all of their footers each time
                scan = pl.scan_parquet(waiting, row_index_name="row", row_index_offset=start, glob=False).drop("pixel_hash")
                for at in range(0, row_count, _BLOCK_ROWS):
                    yield scan.slice(at, _BLOCK_ROWS).collect()
                waiting, start, row_count = [], start + row_count, 0
            if part is not None:
                waiting.append(part)
                row_count += pq.read_metadata(part).num_rows

    def _completed(self, facts: pl.DataFrame, batch: str) -> pl.DataFrame:
        """Return facts with their outcomes and annotations, in their own order."""
        decided = self.outcomes.select("row", "pixel_hash", "state", "reason", "duplicate_of", "duplicate_group", "split")
        licence = pl.coalesce("licence", pl.lit(self.recipe.licence, pl.String))
        return (
            facts.join(_of_rows(decided, facts), on="row", how="inner", maintain_order="left")
            .join(_of_rows(self.labels, facts), on="row", how="left", maintain_order="left")
            .with_columns(licence=licence, batch=pl.lit(batch))
        )

    def catalog(self, batch: str) -> Iterator[pa.Table]:
        """Yield the batch's rows of the catalog, in the order in which they were found."""
        for facts in self._facts():
            yield arrow_table(self._completed(facts, batch), CATALOG_SCHEMA)

    def planned(self) -> pl.DataFrame:
        """Return ``row``, ``place``, ``shard``, ``planned_split``, ``planned_bytes`` of the images kept, in shuffled order."""
        kept = self.outcomes.filter(pl.col("state") == "kept").select("row", "image_id", "size_bytes", "split")
        planned = plan_shards(kept, self.recipe.shard_bytes, self.recipe.seed).with_row_index("place")
        return planned.select("row", "place", "shard", planned_split="split", planned_bytes="size_bytes")

    def plan(self, batch: str, folder: Path, planned: pl.DataFrame, laid_down: pl.DataFrame) -> list[ShardPlan]:
        """Write what goes into the shards, in shuffled order within each piece, and return the plans.

        The facts lie in the order in which they were found, and a shard wants some from everywhere: they are gone through
        once and written by blocks, each ordered by place, of which a shard then reads its own range.

        Parameters
        ----------
        batch : str
            Name of the batch.
        folder : Path
            Where the pieces go.
        planned : pl.DataFrame
            As of ``planned``.
        laid_down : pl.DataFrame
            ``row`` and where its bytes lie, of rows of tables that were laid down (``toolkit.curation.spooling``).
        """
        folder.mkdir(parents=True, exist_ok=True)
        places = planned.select("row", "place")
        for number, facts in enumerate(self._facts()):
            rows = facts.join(_of_rows(places, facts), on="row", how="inner", maintain_order="left")
            rows = self._completed(rows, batch).sort("place")
            if len(laid_down):
                rows = rows.join(_of_rows(laid_down, facts), on="row", how="left", maintain_order="left")
            if len(rows):
                path = folder / f"{number:06d}.parquet"
                rows.write_parquet(path, compression="zstd", compression_level=1, row_group_size=_PIECE_ROWS)
        shards = planned.group_by("planned_split", "shard", maintain_order=True).agg(
            first=pl.col("place").first(), last=pl.col("place").last()
        )
        return [
            ShardPlan(split=split, index=index, pieces=folder, first_place_index=first, last_place_index=last)
            for split, index, first, last in shards.iter_rows()
        ]


def _of_rows(frame: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Return what of a frame may belong to a block of facts, so that a join looks at no more."""
    return frame.filter(pl.col("row").is_between(facts["row"].min(), facts["row"].max()))
