"""Probe parts read by blocks of rows, so that no more than a block is held, however many images a batch has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["part_blocks", "row_counts_of"]


def row_counts_of(parts: Sequence[Path]) -> list[int]:
    """Return how many rows each part has, by its footer: who wrote it knows it without looking."""
    return [pq.read_metadata(part).num_rows for part in parts]


def part_blocks(
    parts: Sequence[Path], row_counts: Sequence[int], block_rows: int, columns: Sequence[str | pl.Expr] = ()
) -> Iterator[pl.DataFrame]:
    """Yield the rows of probe parts in their order, at most so many at once, each with its ``row`` over all of them.

    Parameters
    ----------
    parts : sequence of Path
        Probe parts in the order in which their units were found.
    row_counts : sequence of int
        Rows of each.
    block_rows : int
        Rows held at once.
    columns : sequence of str or polars.Expr
        What is read of them beside ``row``; by default everything.
    """
    waiting: list[Path] = []
    start = row_count = 0
    for part, count in [*zip(parts, row_counts, strict=True), (None, 0)]:
        if waiting and (part is None or row_count >= block_rows):
            # a few parts at once: to scan all of them for each block would read all of their footers each time
            scan = pl.scan_parquet(waiting, row_index_name="row", row_index_offset=start, glob=False)
            wanted = scan.select("row", *columns) if columns else scan
            for at in range(0, row_count, block_rows):
                yield wanted.slice(at, block_rows).collect()
            waiting, start, row_count = [], start + row_count, 0
        if part is not None:
            waiting.append(part)
            row_count += count
