"""Identities as the driver holds them: 16 bytes a number, where as text each takes 48; text again where they are written.

Numbers of equal width are ordered as their hexadecimal digits are, so that nothing that is decided by order changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CODED", "NUMBERED", "in_slices", "numbered", "repeated", "spelled"]

NUMBERED: Final = pl.UInt128
"""128 bits: what an ``image_id`` has of a sha256, and all of the hashes of pixels."""

CODED: Final = pl.Categorical
"""A few names, each row a code of 4 bytes."""

_DIGITS: Final = 32
_HALF: Final = pl.lit(2**64, NUMBERED)

_SLICE_ROWS: Final = 65_536
"""Rows of which as much as numbers take on the way to a result is held at once."""


def numbered(column: str) -> pl.Expr:
    """Return the first 128 bits of a column of hexadecimal digits as numbers.

    Examples
    --------
    >>> pl.DataFrame({"id": ["ff" * 32, None]}).select(numbered("id")).to_series().to_list() == [2**128 - 1, None]
    True
    """
    return pl.col(column).str.head(_DIGITS).str.to_integer(base=16, dtype=NUMBERED)


def spelled(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with its numbers of 128 bits as 32 hexadecimal digits, and its codes as names.

    Examples
    --------
    >>> spelled(pl.DataFrame({"id": [255, None]}, schema={"id": pl.UInt128})).rows()
    [('000000000000000000000000000000ff',), (None,)]
    """
    return frame.with_columns(
        _digits(column) if column.dtype == NUMBERED else column.cast(pl.String)
        for column in frame
        if column.dtype == NUMBERED or isinstance(column.dtype, pl.Categorical | pl.Enum)
    )


def _digits(numbers: pl.Series) -> pl.Series:
    halves = pl.DataFrame({"whole": numbers.fill_null(0)}).select(
        high=(pl.col("whole") // _HALF).cast(pl.UInt64), low=(pl.col("whole") % _HALF).cast(pl.UInt64)
    )
    held = np.ascontiguousarray(halves.to_numpy().astype(">u8"))
    octets = pa.FixedSizeBinaryArray.from_buffers(pa.binary(_DIGITS // 2), len(numbers), [None, pa.py_buffer(held)])
    written = pl.DataFrame({"digits": pl.Series(pl.from_arrow(octets), dtype=pl.Binary), "whole": numbers})
    digits = pl.when(pl.col("whole").is_not_null()).then(pl.col("digits").bin.encode("hex"))
    return written.select(digits.alias(numbers.name)).to_series()


def repeated(keys: pl.DataFrame) -> pl.Series:
    """Return which rows may equal another: all that do, and of others one of 10^19; for 16 bytes a row, not a table of all keys.

    Examples
    --------
    >>> repeated(pl.DataFrame({"key": ["a", "b", "a", None]})).to_list()
    [True, False, True, False]
    """
    hashes = keys.select(pl.struct(pl.all()).hash()).to_series()
    ordered = np.sort(hashes.to_numpy())
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    return hashes.is_in(pl.Series(twice, dtype=pl.UInt64).implode())


def in_slices(computed: Callable[[pl.Series], pl.Series], values: pl.Series) -> pl.Series:
    """Return what a function makes of a column, element by element, so many at once that what it needs on the way stays small."""
    if len(values) <= _SLICE_ROWS:
        return computed(values)
    starts = range(0, len(values), _SLICE_ROWS)
    return pl.concat([computed(values.slice(start, _SLICE_ROWS)) for start in starts])
