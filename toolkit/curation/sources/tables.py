"""Tables with embedded image bytes: Parquet, Arrow and Feather; plain binary, or ``struct<bytes, path>`` as of Hugging Face."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from toolkit.curation.annotations import is_name_column
from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sources.cells import class_names, hints_of, is_dataset
from toolkit.curation.sources.files import container_refusal
from toolkit.curation.sources.rows import RowGroups
from toolkit.curation.sources.units import COLUMN, Item, OtherFile, SourceUnit, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["TABLE_FAULTS", "image_column", "list_table", "read_rows"]

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
TABLE_FAULTS: Final = (OSError, pa.ArrowException, ValueError, StopIteration)
"""What a table that is damaged or gone makes its reader raise."""


def list_table(path: Path, key: str, etag: str) -> Iterator[SourceUnit | OtherFile | Item]:
    """Yield one unit per group of rows of a table with images; a table without is another file."""
    size_bytes = path.stat().st_size
    if _is_left_out(path):
        yield OtherFile(source=key, path=str(path), kind="skipped(cache)", etag=etag, size_bytes=size_bytes)
        return
    counts: list[int] = []
    column, fault = "", None
    unread: tuple[str, ...] = ()
    try:
        with RowGroups(path) as table:
            column = image_column(table.schema)
            kind = "container" if column else _kind_without_images(path, table.schema)
            unread = _unread_columns(table.schema, column) if column else ()
            for count in table.row_counts() if column else ():
                counts.append(count)  # noqa: PERF402 -- what was listed before a fault is kept
    except TABLE_FAULTS as broken:
        fault = broken
    if fault is not None:
        refused = container_refusal(fault)
        name = f"{key}!" if counts else key
        yield Item(source=name, place=str(path), size_bytes=size_bytes, etag=etag, refusal=refused)
    if fault is None or counts:
        yield OtherFile(source=key, path=str(path), kind=kind, etag=etag, size_bytes=size_bytes)
        for name in unread:
            yield OtherFile(source=f"{key}#{printable(name)[0]}", path=str(path), kind=COLUMN, member=name, etag=etag)
    start = 0
    for group, count in enumerate(counts):
        yield SourceUnit(kind="parquet", path=str(path), source=key, row_group=group, row_start=start, column=column, etag=etag)
        start += count


def _unread_columns(schema: pa.Schema, column: str) -> tuple[str, ...]:
    """Return the columns that hold bytes and are not the images: other images, sound, whatever it is."""
    if is_dataset(schema.names):
        return ()
    return tuple(field.name for field in schema if field.name != column and _has_bytes(field.type))


def _kind_without_images(path: Path, schema: pa.Schema) -> str:
    is_list = path.suffix.lower() == ".parquet" and any(is_name_column(name) for name in schema.names)
    return "annotation" if is_list else "skipped(no_image_column)"


def _is_left_out(path: Path) -> bool:
    """Return whether an Arrow file lies in a saved Hugging Face dataset and is not part of it, such as a cache of ``map``."""
    if path.suffix.lower() != ".arrow":
        return False
    try:
        state = json.loads((path.parent / "state.json").read_text(encoding="utf-8"))
        parts = {part["filename"] for part in state["_data_files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return path.name not in parts


def image_column(schema: pa.Schema) -> str:
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
    if isinstance(kind, pa.BaseExtensionType):
        return _holds_bytes(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _holds_bytes(kind.value_type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _has_bytes(kind: pa.DataType) -> bool:
    """Return whether a column has bytes in it, however deep."""
    if isinstance(kind, pa.BaseExtensionType):
        return _has_bytes(kind.storage_type)
    if pa.types.is_struct(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return any(_has_bytes(kind.field(place).type) for place in range(kind.num_fields))
    return _holds_bytes(kind)


def read_rows(unit: SourceUnit, rows: set[int] | None = None) -> Iterator[tuple[Item, bytes | Refusal, dict[str, Any]]]:
    """Yield the rows of a unit with their bytes and what stands beside them; only some rows, if they are named.

    A few rows are held at once. Rows that cannot be read are refused one by one, so that the accounts balance.
    """
    row, end = unit.row_start, unit.row_start + 1
    try:
        with RowGroups(unit.path) as table:
            end = unit.row_start + table.row_count(unit.row_group)
            columns = [field.name for field in table.schema if field.name == unit.column or not _has_bytes(field.type)]
            is_own = is_dataset(table.schema.names)
            names = {} if is_own or rows is not None else class_names(unit.path, table.schema)
            for batch in table.batches(unit.row_group, columns if rows is None else [unit.column]):
                for number, values in _wanted(batch, row, rows):
                    found = _payload(values.pop(unit.column))
                    hints = hints_of(values, names, is_own=is_own) if rows is None else {}
                    yield _item(unit, number, 0 if isinstance(found, Refusal) else len(found)), found, hints
                row += batch.num_rows
    except TABLE_FAULTS as fault:
        broken = container_refusal(fault, f"row group {unit.row_group}: ")
        for lost in range(row, max(end, row + 1)):
            yield _item(unit, lost, 0), broken, {}


def _wanted(batch: pa.RecordBatch, start: int, rows: set[int] | None) -> Iterator[tuple[int, dict[str, Any]]]:
    for index in range(batch.num_rows):
        if rows is None or start + index in rows:
            yield start + index, {name: batch.column(name)[index].as_py() for name in batch.schema.names}


def _payload(cell: Any) -> bytes | Refusal:
    """Return the bytes in a cell, or why there are none."""
    payload = cell.get("bytes") if isinstance(cell, dict) else cell
    if payload is not None:
        return bytes(payload)
    path = cell.get("path") if isinstance(cell, dict) else None
    return refusal("empty", f"the row holds no bytes, only the path '{path}'" if path else "the row holds no bytes")


def _item(unit: SourceUnit, row: int, size_bytes: int) -> Item:
    return Item(source=f"{unit.source}#{row}", place=str(row), offset=row, size_bytes=size_bytes, etag=unit.etag)
