"""Metadata of annotations, dealt out on the disk by the images that it is of.

It is as large as the annotation files, and what is of one image may lie anywhere in them.
"""

from __future__ import annotations

import contextlib
import tempfile
from typing import TYPE_CHECKING, Final, cast

import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["dealt"]

_SHARE_ROWS: Final = 2_048
"""Images of a share: a COCO document keeps up to 64 KiB of polygons of each, twice."""
_MOST_SHARES: Final = 200
"""Files that are open at once."""


def dealt(
    told: pl.DataFrame, metadata: Iterable[pl.Series], row_count: int, spill: Path
) -> Iterator[tuple[int, int, pl.DataFrame]]:
    """Yield shares of the images: the first row, the one after the last, and what is said of them.

    The latter has ``row``, ``place`` and ``metadata``, which is null nowhere.

    Parameters
    ----------
    told : pl.DataFrame
        ``note``, ``row``, ``place``: which line speaks of which image, and where it stands among those that do.
    metadata : iterable of pl.Series
        The metadata of all lines in their order, some lines at a time: no more of it is held.
    row_count : int
        How many images there are: the last row and one.
    spill : Path
        Folder for the shares, which take as much room as the metadata while they are read.
    """
    share_rows = max(_SHARE_ROWS, -(-row_count // _MOST_SHARES))
    count = -(-row_count // share_rows)
    told = told.sort("note")
    with contextlib.ExitStack() as held:
        files = [held.enter_context(tempfile.TemporaryFile(dir=spill)) for _ in range(count)]
        writers: dict[int, pa.RecordBatchStreamWriter] = {}
        start = 0
        for said in metadata:
            lines = pl.DataFrame({"note": pl.int_range(start, start + len(said), dtype=pl.UInt32, eager=True), "metadata": said})
            start += len(said)
            some = lines.drop_nulls("metadata").join(told, on="note").with_columns(share=pl.col("row") // share_rows)
            for (share,), own in some.partition_by("share", as_dict=True).items():
                table = own.select("row", "place", "metadata").to_arrow(compat_level=pl.CompatLevel.oldest())
                if share not in writers:
                    options = pa.ipc.IpcWriteOptions(compression="zstd")
                    writers[share] = pa.ipc.new_stream(files[share], table.schema, options=options)
                writers[share].write_table(table)
        for share in range(count):
            found = told.select("row", "place", metadata=pl.lit(None, pl.List(pl.Null))).clear()
            if share in writers:
                writers[share].close()
                files[share].seek(0)
                with pa.ipc.open_stream(files[share]) as stream:
                    found = cast("pl.DataFrame", pl.from_arrow(stream.read_all()))
            files[share].close()
            yield share * share_rows, min((share + 1) * share_rows, row_count), found
