"""Rows of tables laid down for the shards: a table is read by whole groups of rows, and a shuffled shard wants a few of each.

Read anew for every block of a shuffled shard, a table would be read once per block, all of it. So each group of rows is read
once, and the images of it that are kept go to a file from which any of them can be had by its offset.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import polars as pl

from toolkit.curation.parts import scan_parts
from toolkit.curation.reasons import Refusal
from toolkit.curation.sources import reread

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Sequence
    from types import TracebackType

__all__ = [
    "OWN_MASK",
    "SPOOL_SCHEMA",
    "SpoolReport",
    "SpoolTask",
    "masks_of_tables",
    "spool",
    "spool_tasks",
    "spooled",
    "unspooled",
]

_IS_TABLE: Final = pl.col("locator").str.contains('"kind": "parquet"', literal=True)
OWN_MASK: Final = pl.col("locator").str.replace('"column": "image"', '"column": "mask"', literal=True)
"""Where the mask is that stands beside an image of a dataset in its row."""

_RUN_BYTES: Final = 64 * 2**20
"""Bytes that are held and ordered by shard before they are written: a shard then finds its images of a group side by side."""


SPOOL_SCHEMA: Final = {
    "row": pl.UInt32,
    "spool": pl.String,
    "image_offset_bytes": pl.Int64,
    "image_end_bytes": pl.Int64,
    "mask_offset_bytes": pl.Int64,
    "mask_end_bytes": pl.Int64,
}
"""Where each row was laid down: the file, and from where to where in it; null for a mask that there is none of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolTask:
    """The kept rows of one probe part, to be laid down."""

    part: Path
    """The probe part: ``source``, ``locator``."""
    first_row_index: int
    """Row of the batch that the part begins with."""
    rows: bytes
    """Which rows of the part are kept, as 32-bit integers."""
    places: bytes
    """Their places in the order of the shards, likewise."""
    is_masked: bytes
    """Whether each has a mask beside it in the table, one byte each."""
    size_bytes: int
    """Bytes of the images."""
    target: Path
    """The file; its index goes beside it."""
    staging: Path
    """Where members of streams lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolReport:
    """What was laid down."""

    index: Path | None
    """Parquet file: which rows lie where; None where nothing was laid down."""
    cpu_s: float
    """Processor time of the thread."""


def spool_tasks(parts: Sequence[Path], planned: pl.DataFrame, masked: pl.DataFrame, staging: Path) -> Iterator[SpoolTask]:
    """Yield the work of laying the kept rows of tables down, a probe part each.

    Parameters
    ----------
    parts : sequence of Path
        Probe parts of the batch.
    planned : pl.DataFrame
        ``row``, ``place``, ``planned_bytes`` of the images kept.
    masked : pl.DataFrame
        ``row`` of those with a mask in the table.
    staging : Path
        Folder of unfinished work.
    """
    scan = scan_parts(parts, path_name="part")
    held = scan.select("part", "row", is_table=_IS_TABLE).group_by("part")
    spans = held.agg(first=pl.col("row").min(), last=pl.col("row").max(), has_table=pl.col("is_table").any())
    kept = planned.select("row", "place", "planned_bytes").sort("row")
    kept = kept.join(masked.select("row", is_masked=True).unique("row"), on="row", how="left", maintain_order="left")
    rows = kept["row"]
    for part, first, last in (
        spans.filter("has_table").select("part", "first", "last").collect(engine="streaming").sort("first").iter_rows()
    ):
        here = kept.slice(start := int(rows.search_sorted(first)), int(rows.search_sorted(last, side="right")) - start)
        if here.is_empty():
            continue
        path = Path(part)
        yield SpoolTask(
            part=path,
            first_row_index=first,
            rows=(here["row"] - first).cast(pl.UInt32).to_numpy().tobytes(),
            places=here["place"].cast(pl.UInt32).to_numpy().tobytes(),
            is_masked=here["is_masked"].fill_null(value=False).to_numpy().tobytes(),
            size_bytes=int(here["planned_bytes"].sum()),
            target=staging / "spool" / f"{path.name.partition('.')[0]}.bytes",
            staging=staging,
        )


def masks_of_tables(labels: pl.DataFrame) -> pl.DataFrame:
    """Return ``row`` of the images whose mask stands beside them in a table."""
    if "mask_locator" not in labels.columns:
        return labels.select("row").clear()
    return labels.filter(pl.col("mask_locator").str.contains('"column": "mask"', literal=True)).select("row")


def spool(task: SpoolTask) -> SpoolReport:
    """Lay the kept rows of a part down; what cannot be read is left out, and will be refused when it is asked for again."""
    started_s = time.thread_time()
    every = scan_parts([task.part]).select("source", "locator").collect()
    rows = np.frombuffer(task.rows, np.uint32)
    wanted = every[rows].with_columns(
        row=pl.Series(rows) + task.first_row_index,
        place=pl.Series(np.frombuffer(task.places, np.uint32)),
        is_masked=pl.Series(np.frombuffer(task.is_masked, np.bool_)),
    )
    wanted = wanted.filter(_IS_TABLE)
    with _Spool(task.target) as file:
        images = file.laid_down(wanted, task.staging)
        masks = file.laid_down(wanted.filter("is_masked").with_columns(locator=OWN_MASK), task.staging)
    index = task.target.with_suffix(".parquet")
    lines = images.join(masks, on="row", how="left").select(
        pl.col("row").cast(pl.UInt32),
        pl.lit(str(task.target)).alias("spool"),
        image_offset_bytes="offset",
        image_end_bytes="end",
        mask_offset_bytes="offset_right",
        mask_end_bytes="end_right",
    )
    lines.write_parquet(index)
    return SpoolReport(index=index, cpu_s=time.thread_time() - started_s)


def unspooled(task: SpoolTask, memory_bytes: int | None = None) -> SpoolReport:  # noqa: ARG001 -- called as others are
    """Return that nothing was laid down, since a worker died of it: who packs a row then reads it from the table."""
    return SpoolReport(index=None, cpu_s=0.0)


class _Spool:
    """A file that images are laid down in, a run ordered by place after another; a context manager."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb", buffering=0)
        self._end_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def laid_down(self, wanted: pl.DataFrame, staging: Path) -> pl.DataFrame:
        """Write the bytes of ``source``, ``locator`` and return ``row``, ``offset``, ``end`` of what could be had."""
        at = {source: (place, row) for source, place, row in wanted.select("source", "place", "row").iter_rows()}
        lines: list[tuple[int, int, int]] = []
        waiting: list[tuple[int, int, bytes]] = []
        waiting_bytes = 0
        for source, payload in reread(wanted.select("source", "locator").iter_rows(), staging):
            if isinstance(payload, Refusal):
                continue
            waiting.append((*at[source], payload))
            waiting_bytes += len(payload)
            if waiting_bytes >= _RUN_BYTES:
                lines += self._written(waiting)
                waiting, waiting_bytes = [], 0
        lines += self._written(waiting)
        return pl.DataFrame(lines, schema={"row": pl.UInt32, "offset": pl.Int64, "end": pl.Int64}, orient="row")

    def _written(self, waiting: list[tuple[int, int, bytes]]) -> Iterator[tuple[int, int, int]]:
        for _, row, payload in sorted(waiting, key=lambda image: image[0]):
            view = memoryview(payload)
            while view:
                view = view[self._file.write(view) :]
            offset_bytes, self._end_bytes = self._end_bytes, self._end_bytes + len(payload)
            yield row, offset_bytes, self._end_bytes


def spooled(block: pl.DataFrame, what: str) -> Iterator[tuple[int, bytes]]:
    """Yield the position in a plan's block, and the bytes, of each image (or mask) that was laid down.

    Parameters
    ----------
    block : pl.DataFrame
        Lines of a plan, with where they were laid down: ``spool`` and the offsets.
    what : str
        ``image`` or ``mask``.
    """
    if "spool" not in block.columns:
        return
    places = block.with_row_index("position").select("position", "spool", offset=f"{what}_offset_bytes", end=f"{what}_end_bytes")
    for (path,), lines in places.drop_nulls().sort("spool", "offset").group_by("spool", maintain_order=True):
        with Path(str(path)).open("rb", buffering=0) as file:
            for position, offset, end in lines.select("position", "offset", "end").iter_rows():
                file.seek(offset)
                yield position, _read_exactly(file, end - offset)


def _read_exactly(file: io.FileIO, size_bytes: int) -> bytes:
    parts = []
    while size_bytes and (part := file.read(size_bytes)):
        parts.append(part)
        size_bytes -= len(part)
    return b"".join(parts)
