"""Frames of facts as Arrow tables of a table's schema: missing columns as nulls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import polars as pl

__all__ = ["arrow_table"]


def arrow_table(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """Return a frame as a table of exactly a schema's columns.

    Examples
    --------
    >>> import polars as pl
    >>> frame = pl.DataFrame({"n": [1], "other": [0]})
    >>> arrow_table(frame, pa.schema({"n": pa.int32(), "absent": pa.string()})).to_pylist()
    [{'n': 1, 'absent': None}]
    """
    found = frame.rechunk().to_arrow()
    columns = [
        _column(found[field.name], field.type) if field.name in frame.columns else pa.nulls(len(frame), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _column(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    values = column.combine_chunks()
    if pa.types.is_null(values.type):
        return pa.nulls(len(values), kind)
    return values.cast(kind)
