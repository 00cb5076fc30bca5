"""The shard format: Parquet whose image bytes can be scanned at memory speed and fetched one at a time.

Image bytes are stored plain (no compression, which JPEG does not gain from, no dictionary, no statistics), so that a row
group's bytes column is one contiguous run; metadata columns are zstd with statistics. A row group holds at most 256 rows
and about 32 MiB of image bytes, so that one image costs a few milliseconds and a scan still reads large runs. Page
checksums are on: they cost a reader only if it asks for them.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toolkit.dataset.new_files import NewFile
from toolkit.dataset.object_paths import ObjectPath
from toolkit.dataset.schema import IMAGES_SCHEMA
from toolkit.errors import DatasetError
from toolkit.units import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = [
    "ROW_GROUP_BYTES",
    "ROW_GROUP_ROWS",
    "ShardFacts",
    "file_sha256",
    "iter_row_groups",
    "write_facts_table",
    "write_shard",
]

ROW_GROUP_ROWS: Final = 256
ROW_GROUP_BYTES: Final = 32 * MIB

_BYTES_COLUMNS: Final = ("image.bytes", "mask.bytes")
_HASH_CHUNK_BYTES: Final = 4 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFacts:
    """A Parquet file that was written and what is in it."""

    name: str
    """File name within its table's folder."""
    row_count: int
    """Rows."""
    size_bytes: int
    """Size of the file."""
    image_bytes: int
    """Encoded bytes of the images in it; 0 for a table without images."""
    row_group_count: int
    """Row groups."""
    sha256: str
    """Hash of the file, hex: Parquet footers have no checksum of their own."""
    writer_cpu_s: float = field(default=0.0, compare=False)
    """Processor time of the thread that hashed and wrote it, beside that of the caller's."""


def write_shard(path: Path, tables: Iterable[pa.Table]) -> ShardFacts:
    """Write one shard of images and return its facts; the file appears whole or not at all.

    Parameters
    ----------
    path : Path
        Final name; written under a temporary name beside it, synced, then renamed.
    tables : iterable of pyarrow.Table
        Rows in their order, with the columns of ``IMAGES_SCHEMA``; regrouped into row groups here.

    Raises
    ------
    DatasetError
        If a table's columns are not those of the schema.
    """
    options = _options([name for name in _leaf_names(IMAGES_SCHEMA) if name not in _BYTES_COLUMNS])
    return _write(path, IMAGES_SCHEMA, _row_groups(tables), options)


def write_facts_table(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> ShardFacts:
    """Write a catalog or quarantine part in the same careful way and return its facts."""
    names = _leaf_names(schema)
    return _write(path, schema, tables, _options([name for name in names if name != "bytes"]))


def _options(compressed: Sequence[str]) -> dict[str, object]:
    return {
        "compression": dict.fromkeys(compressed, "zstd"),
        "use_dictionary": list(compressed),
        "write_statistics": list(compressed),
        "write_page_checksum": True,
        "store_schema": True,
        "data_page_size": MIB,
    }


def _leaf_names(schema: pa.Schema) -> list[str]:
    """Return the Parquet column paths of a schema, as the writer's options want them."""
    return [column for field in schema for column in _leaves(field.name, field.type)]


def _leaves(name: str, kind: pa.DataType) -> list[str]:
    if pa.types.is_struct(kind):
        return [leaf for i in range(kind.num_fields) for leaf in _leaves(f"{name}.{kind.field(i).name}", kind.field(i).type)]
    if pa.types.is_list(kind):
        return _leaves(f"{name}.list.element", kind.value_type)
    return [name]


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Cut a stream of rows into row groups of at most ``ROW_GROUP_ROWS`` rows and about ``ROW_GROUP_BYTES``."""
    waiting: list[pa.Table] = []
    row_count = size_bytes = 0
    for table in tables:
        sizes = [size or 0 for size in pc.binary_length(pc.struct_field(table["image"], "bytes")).to_pylist()]
        start = 0
        for row, size in enumerate(sizes):
            if row_count and (row_count == ROW_GROUP_ROWS or size_bytes + size > ROW_GROUP_BYTES):
                yield pa.concat_tables([*waiting, table.slice(start, row - start)])
                waiting, start, row_count, size_bytes = [], row, 0, 0
            row_count += 1
            size_bytes += size
        waiting.append(table.slice(start))
    if row_count:
        yield pa.concat_tables(waiting)


def _write(path: Path, schema: pa.Schema, groups: Iterable[pa.Table], options: dict[str, object]) -> ShardFacts:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    row_count = image_bytes = group_count = 0
    try:
        with NewFile(temporary) as file:
            with pq.ParquetWriter(pa.PythonFile(file, "w"), schema, **options) as writer:
                for group in groups:
                    writer.write_table(_conforming(group, schema, path), row_group_size=max(1, group.num_rows))
                    row_count += group.num_rows
                    group_count += 1
                    if "image" in schema.names:
                        image_bytes += pc.sum(pc.binary_length(pc.struct_field(group["image"], "bytes"))).as_py() or 0
            digest = file.finish()
        size_bytes = temporary.stat().st_size
        if size_bytes != file.size_bytes:
            raise DatasetError(f"'{path.name}' has {size_bytes:,} bytes on disk and {file.size_bytes:,} were written to it")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return ShardFacts(
        name=path.name,
        row_count=row_count,
        size_bytes=size_bytes,
        image_bytes=image_bytes,
        row_group_count=group_count,
        sha256=digest,
        writer_cpu_s=file.cpu_s,
    )


def _conforming(table: pa.Table, schema: pa.Schema, path: Path) -> pa.Table:
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise DatasetError(f"rows for '{path.name}' lack the columns {', '.join(missing)}; see toolkit/dataset/schema.py")
    return table.select(schema.names).cast(schema)


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256", _bufsize=_HASH_CHUNK_BYTES).hexdigest()


def iter_row_groups(path: Path | ObjectPath, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the row groups of a shard as tables whose bytes lie in the file's memory map, if it is on a disk, not in a copy."""
    opened = path.open("rb", buffering=0) if isinstance(path, ObjectPath) else pa.memory_map(str(path))
    with opened, pq.ParquetFile(opened) as shard:
        for group in range(shard.num_row_groups):
            yield shard.read_row_group(group, columns=None if columns is None else list(columns), use_threads=False)
