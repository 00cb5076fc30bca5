"""Parquet tables with embedded image bytes: plain binary, or ``struct<bytes, path>`` as Hugging Face writes it."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sources.units import Item, OtherFile, SourceUnit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["list_table", "read_rows"]

_IMAGE_NAMES: Final = (
    "image",
    "img",
    "image_bytes",
    "bytes",
    "jpg",
    "jpeg",
    "png",
    "webp",
    "content",
    "data",
    "picture",
    "photo",
)
_LABEL_NAMES: Final = ("label", "class", "category", "class_name", "label_name")
_LABELS_NAMES: Final = ("labels", "classes", "categories", "tags")
_CAPTION_NAMES: Final = ("caption", "captions", "text", "description", "txt")
_LICENCE_NAMES: Final = ("licence", "license")
_BATCH_ROWS: Final = 64
"""Rows held at once."""


def list_table(path: Path, key: str, etag: str) -> Iterator[SourceUnit | OtherFile | Item]:
    """Yield one unit per row group of a table with images; a table without is another file."""
    size_bytes = path.stat().st_size
    try:
        with pq.ParquetFile(path) as table:
            column = _image_column(table.schema_arrow)
            rows = [table.metadata.row_group(i).num_rows for i in range(table.metadata.num_row_groups)]
    except (OSError, pa.ArrowException) as fault:
        refused = refusal("corrupt_container", str(fault))
        yield Item(source=key, place=str(path), size_bytes=size_bytes, etag=etag, refusal=refused)
        return
    kind = "container" if column else "skipped(no_image_column)"
    yield OtherFile(source=key, path=str(path), kind=kind, etag=etag, size_bytes=size_bytes)
    if column:
        for group, start in enumerate(itertools.accumulate(rows[:-1], initial=0)):
            yield SourceUnit(
                kind="parquet", path=str(path), source=key, row_group=group, row_start=start, column=column, etag=etag
            )


def _image_column(schema: pa.Schema) -> str:
    """Return the column that holds encoded images: one with a usual name, else the only one of a fitting type."""
    fitting = [field.name for field in schema if _holds_bytes(field.type)]
    for name in _IMAGE_NAMES:
        if name in fitting:
            return name
    return str(fitting[0]) if len(fitting) == 1 else ""


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _holds_bytes(kind.field(index).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def read_rows(unit: SourceUnit, rows: set[int] | None = None) -> Iterator[tuple[Item, bytes | Refusal, dict[str, Any]]]:
    """Yield the rows of a unit with their bytes and what stands beside them; only some rows, if they are named.

    A few rows are held at once. Rows that cannot be read are refused one by one, so that the accounts balance.
    """
    row, end = unit.row_start, unit.row_start + 1
    try:
        with pq.ParquetFile(unit.path) as table:
            end = unit.row_start + table.metadata.row_group(unit.row_group).num_rows
            columns = [field.name for field in table.schema_arrow if field.name == unit.column or not _holds_bytes(field.type)]
            names = columns if rows is None else [unit.column]
            for batch in table.iter_batches(_BATCH_ROWS, row_groups=[unit.row_group], columns=names, use_threads=False):
                for values in _wanted(batch, row, rows):
                    yield _row(unit, *values, batch.schema)
                row += batch.num_rows
    except (OSError, pa.ArrowException) as fault:
        broken = refusal("corrupt_container", f"row group {unit.row_group}: {fault}")
        for lost in range(row, max(end, row + 1)):
            yield _item(unit, lost, 0), broken, {}


def _wanted(batch: pa.RecordBatch, start: int, rows: set[int] | None) -> Iterator[tuple[int, dict[str, Any]]]:
    for index in range(batch.num_rows):
        if rows is None or start + index in rows:
            yield start + index, {name: batch.column(name)[index].as_py() for name in batch.schema.names}


def _row(unit: SourceUnit, row: int, values: dict[str, Any], schema: pa.Schema) -> tuple[Item, bytes | Refusal, dict[str, Any]]:
    cell = values.pop(unit.column)
    payload = cell.get("bytes") if isinstance(cell, dict) else cell
    found: bytes | Refusal = refusal("empty", "the row holds no bytes") if payload is None else bytes(payload)
    return _item(unit, row, len(payload or b"")), found, _hints(values, schema)


def _item(unit: SourceUnit, row: int, size_bytes: int) -> Item:
    return Item(source=f"{unit.source}#{row}", place=str(row), offset=row, size_bytes=size_bytes, etag=unit.etag)


def _hints(row: dict[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """Return label, captions, licence and metadata that a row says of its image."""
    hints: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    for name, value in row.items():
        if value is None or isinstance(value, bytes | dict):
            continue
        if name in _LABEL_NAMES and not isinstance(value, list):
            hints["label"] = _class_name(schema, name, value)
        elif name in _LABELS_NAMES:
            hints["labels"] = [_class_name(schema, name, part) for part in (value if isinstance(value, list) else [value])]
        elif name in _CAPTION_NAMES:
            hints["captions"] = [str(text) for text in value] if isinstance(value, list) else [str(value)]
        elif name in _LICENCE_NAMES:
            hints["licence"] = str(value)
        elif not isinstance(value, list):
            metadata[name] = str(value)
    if metadata:
        hints["metadata"] = metadata
    return hints


def _class_name(schema: pa.Schema, column: str, value: Any) -> str:
    """Return a label by its name, where the Hugging Face metadata gives names for numbers."""
    if not isinstance(value, int) or not schema.metadata or b"huggingface" not in schema.metadata:
        return str(value)
    try:
        names = json.loads(schema.metadata[b"huggingface"])["info"]["features"][column]
        names = names.get("names") or names["feature"]["names"]
        return str(names[value])
    except (ValueError, KeyError, TypeError, IndexError):
        return str(value)
