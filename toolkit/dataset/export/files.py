"""Images as files: a Hugging Face ImageFolder with its metadata, or plain files with a manifest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.export.rows import FACT_COLUMNS, Selection, image_rows, image_tables
from toolkit.dataset.export.samples import file_suffix, objects, safe_folder
from toolkit.dataset.schema import IMAGES_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["write_files", "write_imagefolder"]


def write_imagefolder(selection: Selection, folder: Path, shard_bytes: int) -> Iterator[tuple[int, int]]:  # noqa: ARG001 -- one signature
    """Write ``SPLIT/LABEL/ID.SUFFIX`` and ``SPLIT/metadata.jsonl``, yielding how many images and bytes were written."""
    listings: dict[str, TextIO] = {}
    try:
        for row in image_rows(selection):
            split = row["split"] or "train"
            if split not in listings:
                (folder / split).mkdir()
                listings[split] = (folder / split / "metadata.jsonl").open("w", encoding="utf-8")
            name = _file_name(row)
            _write(folder / split / name, row["image"]["bytes"])
            listings[split].write(json.dumps(_line(row, name), ensure_ascii=False) + "\n")
            yield 1, len(row["image"]["bytes"])
    finally:
        for listing in listings.values():
            listing.close()


def _file_name(row: dict[str, Any]) -> str:
    file = f"{row['image_id']}.{file_suffix(row)}"
    return file if row["label"] is None else f"{safe_folder(row['label'])}/{file}"


def _line(row: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a line of the metadata; every line has every key, since readers take the columns from the first lines."""
    return {
        "file_name": name,
        "image_id": row["image_id"],
        "label": row["label"],
        "captions": row["captions"] or [],
        "objects": objects(row) or {"bbox": [], "categories": []},
        "licence": row["licence"],
        "source": row["source"],
    }


def write_files(selection: Selection, folder: Path, shard_bytes: int) -> Iterator[tuple[int, int]]:  # noqa: ARG001 -- one signature
    """Write ``SPLIT/AB/ABCD....SUFFIX`` and ``manifest.parquet`` with every fact, yielding images and bytes written."""
    facts = pa.schema([IMAGES_SCHEMA.field(name) for name in FACT_COLUMNS])
    schema = facts.insert(0, pa.field("file_name", pa.string()))
    with pq.ParquetWriter(folder / "manifest.parquet", schema, compression="zstd") as manifest:
        for table in image_tables(selection):
            names = []
            for row in table.select(["image", "image_id", "format", "split"]).to_pylist():
                name = f"{row['split'] or 'all'}/{row['image_id'][:2]}/{row['image_id']}.{file_suffix(row)}"
                _write(folder / name, row["image"]["bytes"])
                names.append(name)
                yield 1, len(row["image"]["bytes"])
            manifest.write_table(table.select(list(FACT_COLUMNS)).add_column(0, schema.field(0), pa.array(names)).cast(schema))


def _write(path: Path, payload: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(payload)
