"""Arrow IPC files with every column, uncompressed: mapped into memory by whoever reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from toolkit.dataset.export.rows import Selection, image_tables
from toolkit.dataset.schema import IMAGES_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["write_arrow"]


def write_arrow(selection: Selection, folder: Path, shard_bytes: int) -> Iterator[tuple[int, int]]:
    """Write ``SPLIT-00000.arrow`` files of about a size, yielding how many images and bytes were written."""
    files: dict[str, tuple[int, int, pa.RecordBatchFileWriter]] = {}
    try:
        for table in image_tables(selection):
            for split in pc.unique(table["split"]).to_pylist():
                is_split = pc.is_null(table["split"]) if split is None else pc.equal(table["split"], split)
                rows = table.filter(is_split).select(IMAGES_SCHEMA.names).cast(IMAGES_SCHEMA)
                size_bytes = pc.sum(pc.binary_length(pc.struct_field(rows["image"], "bytes"))).as_py() or 0
                number, held_bytes, writer = files.get(split or "all", (-1, shard_bytes, None))
                if held_bytes + size_bytes > shard_bytes:
                    if writer is not None:
                        writer.close()
                    number, held_bytes = number + 1, 0
                    writer = pa.ipc.new_file(folder / f"{split or 'all'}-{number:05d}.arrow", IMAGES_SCHEMA)
                writer.write_table(rows.combine_chunks())
                files[split or "all"] = (number, held_bytes + size_bytes, writer)
                yield rows.num_rows, size_bytes
    finally:
        for _, _, writer in files.values():
            writer.close()
