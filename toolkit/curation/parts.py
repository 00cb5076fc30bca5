"""Probe parts: written by workers, read lazily or by blocks of rows, so that no more is held, however many images a batch has.

A part is an Arrow file: it is small and lives for minutes, and to encode it as Parquet took longer than to hash the images
that it speaks of.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["PART_SUFFIX", "part_blocks", "row_counts_of", "scan_parts", "write_part"]

PART_SUFFIX: Final = ".probe.arrow"


def write_part(path: Path, rows: pl.DataFrame) -> None:
    """Write a part; it appears whole or not at all."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    rows.write_ipc(temporary)
    temporary.replace(path)


def scan_parts(parts: Sequence[Path], first_row_index: int = 0, path_name: str | None = None) -> pl.LazyFrame:
    """Return the rows of probe parts, unread, each with its ``row`` over all of them.

    Parameters
    ----------
    parts : sequence of Path
        Probe parts in the order in which their units were found.
    first_row_index : int
        Rows of the parts before these.
    path_name : str, optional
        Name of a column to hold the path of each row's part; by default there is none.
    """
    return pl.scan_ipc(
        list(parts), row_index_name="row", row_index_offset=first_row_index, include_file_paths=path_name, glob=False
    )


def row_counts_of(parts: Sequence[Path]) -> list[int]:
    """Return how many rows each part has, by looking: who wrote it knows it already."""
    return [scan_parts([part]).select(pl.len()).collect().item() for part in parts]


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
            scan = scan_parts(waiting, start)
            wanted = scan.select("row", *columns) if columns else scan
            for at in range(0, row_count, block_rows):
                yield wanted.slice(at, block_rows).collect()
            waiting, start, row_count = [], start + row_count, 0
        if part is not None:
            waiting.append(part)
            row_count += count
