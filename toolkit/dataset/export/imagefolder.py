"""Hugging Face's ImageFolder: a file an image, in a folder of its split and its label, and a table of what is said of each.

The table is Parquet, not JSON Lines: readers take the types of columns from the first lines of each split, and stop where a
split has no label, or no mask, and another has some.

Source: datasets 5, ``folder_based_builder``: ``file_name`` names the image, ``mask_file_name`` an image in column ``mask``;
documentation, "Object detection": ``objects`` with ``bbox`` (x, y, width, height in pixels) and ``categories``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.export.naming import ImageNames, file_suffix, safe_folder
from toolkit.dataset.export.rows import Selection, has_masks, image_rows
from toolkit.dataset.export.samples import objects, write_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["write_imagefolder"]

_BLOCK: Final = 4_096
"""Lines of the table held at once, of each split."""

_FIELDS: Final = (
    pa.field("file_name", pa.string()),
    pa.field("image_id", pa.string()),
    pa.field("label", pa.string()),
    pa.field("labels", pa.list_(pa.string())),
    pa.field("captions", pa.list_(pa.string())),
    pa.field("objects", pa.struct({"bbox": pa.list_(pa.list_(pa.float32())), "categories": pa.list_(pa.string())})),
    pa.field("licence", pa.string()),
    pa.field("source", pa.string()),
)
_MASK: Final = pa.field("mask_file_name", pa.string())


def write_imagefolder(selection: Selection, folder: Path, shard_bytes: int) -> Iterator[tuple[int, int]]:  # noqa: ARG001 -- one signature
    """Write ``SPLIT/LABEL/ID.SUFFIX`` and ``SPLIT/metadata.parquet``, yielding how many images and bytes were written."""
    names, keys = ImageNames(selection), _keys(selection)
    fields = [*_FIELDS, *([_MASK] if has_masks(selection) else []), *(pa.field(column, pa.string()) for column in keys.values())]
    tables: dict[str, _Table] = {}
    try:
        for row in image_rows(selection):
            split = row["split"] or "train"
            if split not in tables:
                (folder / split).mkdir()
                tables[split] = _Table(folder / split / "metadata.parquet", pa.schema(fields))
            place = ("" if row["label"] is None else f"{safe_folder(row['label'])}/") + names(row["image_id"])
            line = _line(row, f"{place}.{file_suffix(row)}", keys)
            write_file(folder / split / line["file_name"], row["image"]["bytes"])
            if row["mask"] is not None and row["mask"]["bytes"] is not None:
                line["mask_file_name"] = f"{place}_mask.png"
                write_file(folder / split / line["mask_file_name"], row["mask"]["bytes"])
            tables[split].add(line)
            yield 1, len(row["image"]["bytes"])
    finally:
        for table in tables.values():
            table.close()


def _keys(selection: Selection) -> dict[str, str]:
    """Return the column of each key of the metadata: its own name, changed where that stands for something else."""
    pairs = selection.dataset.scan("images").select(pl.col("metadata").explode().struct.field("key"))
    taken = {field.name for field in (*_FIELDS, _MASK)} | {"image", "mask"}
    columns: dict[str, str] = {}
    for key in pairs.drop_nulls().unique().collect(engine="streaming")["key"].sort():
        column = key
        while column in taken or column.endswith(("file_name", "file_names")):  # as files, readers would open them
            column += "_"
        taken.add(column)
        columns[key] = column
    return columns


def _line(row: dict[str, Any], name: str, keys: dict[str, str]) -> dict[str, Any]:
    """Return a line of the table."""
    return {
        "file_name": name,
        "image_id": row["image_id"],
        "label": row["label"],
        "labels": row["labels"] or [],
        "captions": row["captions"] or [],
        "objects": objects(row) or {"bbox": [], "categories": []},
        "licence": row["licence"],
        "source": row["source"],
    } | {keys[pair["key"]]: pair["value"] for pair in row["metadata"] or []}


class _Table:
    """The table of a split, written a block at a time."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._lines: list[dict[str, Any]] = []

    def add(self, line: dict[str, Any]) -> None:
        self._lines.append(line)
        if len(self._lines) >= _BLOCK:
            self._flush()

    def _flush(self) -> None:
        if self._lines:
            self._writer.write_table(pa.Table.from_pylist(self._lines, schema=self._schema))
            self._lines = []

    def close(self) -> None:
        """Write what is left."""
        self._flush()
        self._writer.close()
