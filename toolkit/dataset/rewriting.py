"""Shards and facts tables written anew with rows left out or changed; the bytes of images that stay are copied as they are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.schema import IMAGES_SCHEMA
from toolkit.dataset.shards import ShardFacts, write_facts_table, write_shard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["RewriteTask", "rewrite", "rewrite_facts"]

_KEY: Final = ("image_id", "source")
_CHANGED: Final = ("duplicate_group", "split")
"""What a later decision may change of an image that stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteTask:
    """A shard to be made of others."""

    shards: tuple[Path, ...]
    """The shards whose rows go in."""
    target: Path
    """The shard to write."""
    changes: Path | None = None
    """Parquet file: ``image_id``, ``source``, ``is_kept``, ``duplicate_group``, ``split``; null leaves a value as it is."""
    keeps_others: bool = True
    """Whether images that ``changes`` does not name stay as they are, or are left out."""
    is_shuffled: bool = False
    """Whether row groups of the shards take turns, so that a new shard mixes what came in at different times."""


def rewrite(task: RewriteTask) -> ShardFacts | None:
    """Write a shard of the rows of others and return its facts; None if no row is left."""
    changes = None if task.changes is None else pl.read_parquet(task.changes, glob=False)
    tables = (rows for group in _groups(task) if (rows := _changed(group, changes, keeps_others=task.keeps_others)).num_rows)
    first = next(tables, None)
    return None if first is None else write_shard(task.target, _chained(first, tables))


def _chained(first: pa.Table, rest: Iterator[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from rest


def _groups(task: RewriteTask) -> Iterator[pa.Table]:
    """Yield the row groups of all shards, one at a time: in their order, or in one that only their names decide."""
    places = [(path, group) for path in task.shards for group in range(pq.read_metadata(path).num_row_groups)]
    if task.is_shuffled:
        places.sort(key=lambda place: hashlib.sha256(f"{place[0].name}#{place[1]}".encode()).digest())
    for path, group in places:
        with pq.ParquetFile(path) as shard:
            yield _completed(shard.read_row_group(group, use_threads=False), IMAGES_SCHEMA)


def _completed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with the columns that the release which wrote them did not have, as null."""
    for field in schema:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
    return rows


def _changed(rows: pa.Table, changes: pl.DataFrame | None, *, keeps_others: bool) -> pa.Table:
    if changes is None:
        return rows
    names = pl.DataFrame({name: rows[name].to_pylist() for name in _KEY}, schema=dict.fromkeys(_KEY, pl.String))
    found = names.join(changes, on=_KEY, how="left", maintain_order="left")
    is_kept = found["is_kept"].fill_null(value=keeps_others)
    for name in _CHANGED:
        old = pl.Series(rows[name].to_pylist(), dtype=pl.String)
        new = found[name].fill_null(old)
        rows = rows.set_column(rows.column_names.index(name), IMAGES_SCHEMA.field(name), new.to_arrow().cast(pa.string()))
    return rows.filter(pa.array(is_kept.to_list(), pa.bool_()))


def rewrite_facts(paths: Sequence[Path], target: Path, changes: pl.DataFrame, schema: pa.Schema) -> ShardFacts | None:
    """Write rows of the catalog or the quarantine anew and return the facts of the file; None if no row is left.

    Parameters
    ----------
    paths : sequence of Path
        The files whose rows go in, in this order.
    target : Path
        The file to write.
    changes : pl.DataFrame
        ``source``, ``batch``, ``is_kept`` and any columns of the table: where ``is_kept``, these values replace those of the row
        of that source and batch, else the row is left out; ``new_source`` replaces the source itself. Rows that it does not
        name stay as they are.
    schema : pyarrow.Schema
        The table's.
    """
    tables = (rows for path in paths for rows in _changed_facts(path, changes, schema) if rows.num_rows)
    first = next(tables, None)
    return None if first is None else write_facts_table(target, _chained(first, tables), schema)


def _changed_facts(path: Path, changes: pl.DataFrame, schema: pa.Schema) -> Iterator[pa.Table]:
    replaced = [name for name in changes.columns if name in schema.names and name not in {"source", "batch"}]
    replaced += ["source"] if "new_source" in changes.columns else []
    with pq.ParquetFile(path) as part:
        for group in range(part.num_row_groups):
            rows = _completed(part.read_row_group(group), schema)
            keys = pl.DataFrame(
                {"source": rows["source"].to_pylist(), "batch": rows["batch"].to_pylist()},
                schema={"source": pl.String, "batch": pl.String},
            )
            found = keys.join(
                changes.with_columns(is_named=True), on=["source", "batch"], how="left", maintain_order="left", nulls_equal=True
            )
            yield _replaced(rows, found, replaced, schema)


def _replaced(rows: pa.Table, found: pl.DataFrame, replaced: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Return rows with the values of those that were found named, without those that are to go."""
    import pyarrow.compute as pc

    is_named = pa.array(found["is_named"].fill_null(value=False).to_list(), pa.bool_())
    for name in replaced:
        field = schema.field(name)
        new = found["new_source" if name == "source" else name].to_arrow().cast(field.type)
        rows = rows.set_column(rows.column_names.index(name), field, pc.if_else(is_named, new, rows[name].combine_chunks()))
    return rows.filter(pa.array(found["is_kept"].fill_null(value=True).to_list(), pa.bool_()))
