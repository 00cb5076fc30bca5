"""The rows of a batch, put together from probe parts, decisions and labels, a block at a time.

Probe parts are read lazily and in blocks, so that memory does not grow with the batch beyond a few numbers per image.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa

from toolkit.curation.identities import spelled
from toolkit.curation.parts import part_blocks, row_counts_of, scan_parts
from toolkit.curation.records import arrow_table
from toolkit.curation.splits import plan_shards
from toolkit.dataset.schema import CATALOG_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from toolkit.curation.recipe import Recipe

__all__ = ["Batch", "ShardPlan"]

_BLOCK_ROWS: Final = 8_192
"""Rows held at once: joined, sorted and turned into Arrow, each takes several kilobytes for the moment."""

_PIECE_ROWS: Final = 512
"""Rows of a plan's row groups: a shard that wants a few of a block reads little more."""

_DECIDED: Final = ("state", "reason", "duplicate_of", "duplicate_group", "split")

_FACTS: Final = pl.exclude("row", "pixel_hash", r"^hint_.*$")
"""What shards and catalog take of probe parts: pixel hashes are completed later, hints are among the annotations."""

_ID_DIGITS: Final = 32
_RUN_ROWS: Final = 32_768


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


@dataclass(frozen=True, kw_only=True)  # no slots: ``identity`` is kept
class Batch:
    """A batch that is read and decided."""

    parts: Sequence[Path]
    """Probe parts in the order in which their units were found; ``row`` counts over all of them."""
    outcomes: pl.DataFrame
    """One line per occurrence of the batch, by row: ``row``, ``image_id``, ``size_bytes``, ``pixel_hash``, ``state``, ``reason``,
    ``duplicate_of``, ``duplicate_group``, ``split``; identities may be text or numbers, names text or codes
    (``toolkit.curation.identities``). What else is known of an occurrence is in the parts."""
    labels: pl.DataFrame | pl.LazyFrame
    """``row`` and the annotation columns, of the images that have any, by row; of a large batch they lie in a file."""
    recipe: Recipe
    """What it was decided by."""
    row_counts: Sequence[int] = ()
    """Rows of each part, where they are known already."""

    @functools.cached_property
    def _counts(self) -> Sequence[int]:
        return self.row_counts or row_counts_of(self.parts)

    @functools.cached_property
    def identity(self) -> str:
        """Identifier of the batch: of the recipe, of what was found and of what became of it, not of when or where."""
        digest, count = hashlib.sha256(self.recipe.to_json().encode()), 0
        for names in part_blocks(self.parts, self._counts, _BLOCK_ROWS, ("source", "image_id")):
            states = spelled(_of_rows(self.outcomes.select("row", "state"), names))
            block = names.join(states, on="row", maintain_order="left").select("source", "state", "image_id")
            while len(block):  # lines are parted but where a run of them ends: so it was in earlier releases
                some = block.head(_RUN_ROWS - count % _RUN_ROWS)
                lines = some.select(pl.concat_str(pl.all().fill_null(""), separator="\0"))
                digest.update(("\n" if count % _RUN_ROWS else "").encode() + "\n".join(lines.to_series()).encode())
                count, block = count + len(some), block.slice(len(some))
        return digest.hexdigest()[:_ID_DIGITS]

    def sources(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return some rows (``row``) with their ``source`` and ``image_id``, as text, in their order."""
        if rows.is_empty():
            return rows.with_columns(source=pl.lit(None, pl.String), image_id=pl.lit(None, pl.String))
        names = scan_parts(self.parts).select("row", "source", "image_id")
        found = names.join(rows.lazy().select("row"), on="row", how="semi").collect(engine="streaming")
        return rows.join(found, on="row", how="left", maintain_order="left")

    def _facts(self) -> Iterator[pl.DataFrame]:
        """Yield the probe parts' facts by row, a block at a time, without the columns that later steps decide anew."""
        yield from part_blocks(self.parts, self._counts, _BLOCK_ROWS, [_FACTS])

    def _completed(self, facts: pl.DataFrame, batch: str) -> pl.DataFrame:
        """Return facts with their outcomes and annotations, in their own order; columns that say nothing are left out."""
        decided = self.outcomes.select("row", "pixel_hash", *_DECIDED)
        licence = pl.coalesce("licence", pl.lit(self.recipe.licence, pl.String))
        return (
            _telling(facts)
            .join(_telling(spelled(_of_rows(decided, facts))), on="row", how="inner", maintain_order="left")
            .join(_telling(self._labels_of(facts), "licence"), on="row", how="left", maintain_order="left")
            .with_columns(licence=licence, batch=pl.lit(batch))
        )

    def _labels_of(self, facts: pl.DataFrame) -> pl.DataFrame:
        first, last = facts["row"].min(), facts["row"].max()
        return self.labels.lazy().filter(pl.col("row").is_between(first, last)).collect()

    @functools.cached_property
    def _label_columns(self) -> pl.Schema:
        return self.labels.collect_schema()

    def _columns(self, facts: pl.DataFrame) -> dict[str, pl.DataType]:
        """Return what ``_completed`` makes of facts, by name, with the columns that say nothing."""
        decided = spelled(self.outcomes.clear())
        schemas = (facts.schema, decided.select("pixel_hash", *_DECIDED).schema, self._label_columns, {"batch": pl.String()})
        return {name: kind for schema in schemas for name, kind in schema.items()}

    def catalog(self, batch: str) -> Iterator[pa.Table]:
        """Yield the batch's rows of the catalog, in the order in which they were found."""
        for facts in self._facts():
            yield arrow_table(self._completed(facts, batch), CATALOG_SCHEMA)
            pa.default_memory_pool().release_unused()  # else Arrow's allocator keeps what every block took

    def planned(self) -> pl.DataFrame:
        """Return ``row``, ``place``, ``shard``, ``planned_split``, ``planned_bytes`` of the images kept, in shuffled order."""
        kept = self.outcomes.filter(pl.col("state") == "kept").select("row", "image_id", "size_bytes", "split")
        planned = plan_shards(kept, self.recipe.shard_bytes, self.recipe.seed).drop("image_id").with_row_index("place")
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
        places = planned.select("row", "place").sort("row")
        laid_down = laid_down.sort("row")
        for number, facts in enumerate(self._facts()):
            rows = facts.join(_of_rows(places, facts), on="row", how="inner", maintain_order="left")
            if rows.is_empty():
                continue
            rows = self._completed(rows, batch).sort("place")
            if len(laid_down):
                rows = rows.join(_of_rows(laid_down, facts), on="row", how="left", maintain_order="left")
            columns = self._columns(facts) | {"place": places.schema["place"]} | dict(laid_down.schema)
            rows = rows.select(
                pl.col(name) if name in rows.columns else pl.lit(None, kind).alias(name) for name, kind in columns.items()
            )
            path = folder / f"{number:06d}.parquet"
            rows.write_parquet(path, compression="zstd", compression_level=1, row_group_size=_PIECE_ROWS)
        shards = planned.group_by("planned_split", "shard", maintain_order=True).agg(
            first=pl.col("place").first(), last=pl.col("place").last()
        )
        return [
            ShardPlan(split=split, index=index, pieces=folder, first_place_index=first, last_place_index=last)
            for split, index, first, last in shards.iter_rows()
        ]


def _telling(frame: pl.DataFrame, *kept: str) -> pl.DataFrame:
    """Return a frame without the columns that are null throughout, but for some: they are most, and cost as much as others."""
    held = {"row", *kept}
    return frame.select(column for column in frame if column.name in held or column.null_count() < len(frame))


def _of_rows(frame: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Return what of a frame, which is in the order of ``row``, may belong to a block of facts: a join looks at no more."""
    rows = frame["row"]
    first, last = facts["row"].item(0), facts["row"].item(-1)
    start = int(rows.search_sorted(first, side="left"))
    return frame.slice(start, int(rows.search_sorted(last, side="right")) - start)
