"""Rows of a table, a group at a time: Parquet row groups, record batches of Arrow files (Feather) and of Arrow streams."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["TABLE_SUFFIXES", "RowGroups"]

TABLE_SUFFIXES: Final = (".parquet", ".arrow", ".feather", ".ipc")
"""Endings of tables; what a table is follows from its first bytes."""

_PARQUET, _ARROW_FILE, _OLD_FEATHER = b"PAR1", b"ARROW1", b"FEA1"
_BATCH_ROWS: Final = 64
"""Rows held at once."""


class RowGroups:
    """A table opened for reading by groups of rows; a context manager.

    Parameters
    ----------
    path : Path or str
        The table.

    Raises
    ------
    OSError, pa.ArrowException
        If it cannot be opened, or is none of these tables.
    """

    def __init__(self, path: Path | str) -> None:
        with Path(path).open("rb") as file:
            magic = file.read(6)
        if magic.startswith(_OLD_FEATHER):
            raise pa.ArrowInvalid("it is Feather of version 1, which is no longer read; write it again as version 2")
        self._mapped: pa.MemoryMappedFile | None = None
        self._table: Any
        if magic.startswith(_PARQUET):
            self._table = pq.ParquetFile(str(path))
        else:
            # Of a mapped stream, batches that are passed over cost nothing: their bytes are not touched.
            self._mapped = pa.memory_map(str(path))
            is_file = magic.startswith(_ARROW_FILE)
            self._table = pa.ipc.open_file(self._mapped) if is_file else pa.ipc.open_stream(self._mapped)
        self.is_parquet = self._mapped is None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        if self.is_parquet:
            self._table.close()
        if self._mapped is not None:
            self._mapped.close()

    @property
    def schema(self) -> pa.Schema:
        """Columns and metadata."""
        return self._table.schema_arrow if self.is_parquet else self._table.schema

    def row_counts(self) -> Iterator[int]:
        """Yield the rows of each group; of a stream that breaks off, of the groups before that."""
        if self.is_parquet:
            metadata = self._table.metadata
            yield from (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
        elif isinstance(self._table, pa.RecordBatchFileReader):
            yield from (self._table.get_batch(group).num_rows for group in range(self._table.num_record_batches))
        else:
            yield from (batch.num_rows for batch in self._table)

    def row_count(self, group: int) -> int:
        """Return the rows of one group; 0 for one of a stream, which is only known once it is reached."""
        if self.is_parquet:
            return int(self._table.metadata.row_group(group).num_rows)
        is_file = isinstance(self._table, pa.RecordBatchFileReader)
        return int(self._table.get_batch(group).num_rows) if is_file else 0

    def batches(self, group: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield a group's rows, a few at a time."""
        if self.is_parquet:
            yield from self._table.iter_batches(_BATCH_ROWS, row_groups=[group], columns=columns, use_threads=False)
            return
        if isinstance(self._table, pa.RecordBatchFileReader):
            batch = self._table.get_batch(group)
        else:
            batch = next(itertools.islice(self._table, group, None))
        batch.validate()
        for start in range(0, batch.num_rows, _BATCH_ROWS):
            yield batch.select(columns).slice(start, _BATCH_ROWS)
