"""Images as plain files, with a manifest of every fact."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.export.naming import ImageNames, file_suffix
from toolkit.dataset.export.rows import FACT_COLUMNS, Selection, image_tables
from toolkit.dataset.export.samples import write_file
from toolkit.dataset.schema import IMAGES_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["write_files"]

_NAMES = ("file_name", "mask_file_name")


def write_files(selection: Selection, folder: Path, shard_bytes: int) -> Iterator[tuple[int, int]]:  # noqa: ARG001 -- one signature
    """Write ``SPLIT/AB/ABCD....SUFFIX``, masks beside, ``manifest.parquet`` with every fact; yield images and bytes written."""
    facts = [IMAGES_SCHEMA.field(name) for name in FACT_COLUMNS]
    schema = pa.schema([*(pa.field(name, pa.string()) for name in _NAMES), *facts])
    names = ImageNames(selection)
    with pq.ParquetWriter(folder / "manifest.parquet", schema, compression="zstd") as manifest:
        for table in image_tables(selection):
            files: list[str] = []
            masks: list[str | None] = []
            for row in table.select(["image", "mask", "image_id", "format", "split"]).to_pylist():
                place = f"{row['split'] or 'all'}/{row['image_id'][:2]}/{names(row['image_id'])}"
                files.append(f"{place}.{file_suffix(row)}")
                write_file(folder / files[-1], row["image"]["bytes"])
                mask = None if row["mask"] is None else row["mask"]["bytes"]
                masks.append(None if mask is None else f"{place}_mask.png")
                if mask is not None:
                    write_file(folder / f"{place}_mask.png", mask)
                yield 1, len(row["image"]["bytes"])
            columns = [pa.array(files, pa.string()), pa.array(masks, pa.string())]
            manifest.write_table(pa.table([*columns, *table.select(list(FACT_COLUMNS)).columns], names=schema.names).cast(schema))
