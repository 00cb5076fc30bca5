"""Refused bytes on their way into the quarantine: held in a staged part until the batch they belong to has a name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.schema import QUARANTINE_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["REFUSAL_SCHEMA", "RefusalPart", "refused_rows"]

REFUSAL_SCHEMA: Final = pa.schema([field for field in QUARANTINE_SCHEMA if field.name != "batch"])
"""A row of the quarantine before its batch is known."""

_BLOCK_BYTES: Final = 16 * 2**20
"""Refused bytes that wait in memory before they are written."""


class RefusalPart:
    """The part for refusals, written as it grows; no file if nothing was refused."""

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self.count = 0
        self._path = path
        self._limit_bytes = limit_bytes
        self._rows: list[dict[str, Any]] = []
        self._waiting_bytes = 0
        self._writer: pq.ParquetWriter | None = None
        self._temporary = path.with_suffix(f".{os.getpid()}.tmp")

    def __enter__(self) -> Self:
        return self

    def add(self, row: dict[str, Any], payload: bytes | None) -> None:
        """Take a refusal; its bytes are kept up to the limit."""
        is_held = payload is not None and len(payload) <= self._limit_bytes
        self._rows.append(row | {"bytes": payload if is_held else None})
        self._waiting_bytes += len(payload) if is_held and payload is not None else 0
        self.count += 1
        if self._waiting_bytes >= _BLOCK_BYTES:
            self._write()

    def _write(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._temporary, REFUSAL_SCHEMA, compression="zstd", use_dictionary=False)
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=REFUSAL_SCHEMA))
        self._rows, self._waiting_bytes = [], 0

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._write()
        if self._writer is not None:
            self._writer.close()
            if kind is None:
                self._temporary.replace(self._path)
        self._temporary.unlink(missing_ok=True)


def refused_rows(path: Path, batch: str) -> Iterator[pa.Table]:
    """Yield what a part for refusals holds, as rows of the quarantine."""
    with pq.ParquetFile(path) as part:
        for group in range(part.num_row_groups):
            rows = part.read_row_group(group)
            yield rows.append_column(QUARANTINE_SCHEMA.field("batch"), pa.array([batch] * len(rows), pa.string()))
