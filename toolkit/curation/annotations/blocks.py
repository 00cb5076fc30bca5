"""Tables that name a file a row (CSV, TSV, JSON Lines, Parquet), of any length: a block of rows is held at once."""

from __future__ import annotations

import codecs
import csv
import itertools
import json
from typing import IO, TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.curation.annotations.tables import table_lines
from toolkit.curation.annotations.text import whole_letters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from toolkit.curation.annotations.lines import Line

__all__ = ["TABLE_FAULTS", "TABLE_SUFFIXES", "table_blocks", "text_encoding"]

TABLE_SUFFIXES: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
"""Endings of tables that are read a block at a time."""

TABLE_FAULTS: Final = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
    OverflowError,
    csv.Error,
    pa.ArrowException,
)
"""What a table that is damaged, or of another purpose, makes its reader raise."""

_BLOCK: Final = 8_192
"""Rows of a block."""
_CHUNK_BYTES: Final = 2**16
_LINE_BYTES: Final = 64 * 2**20
"""A longer line is not one of text: what is named so is something else."""
csv.field_size_limit(2**30)  # a polygon in a cell may take more than the 128 KiB that are the default

Record = dict[str, Any]


def table_blocks(key: str, suffix: str, file: IO[bytes]) -> Iterator[list[Line]]:
    """Yield the annotations of a table, a block of its rows at a time.

    Parameters
    ----------
    key : str
        Source key of the table.
    suffix : str
        One of ``TABLE_SUFFIXES``: how it is read.
    file : binary file
        Its bytes, which can be sought. Text is UTF-8 with or without a byte order mark, else Windows-1252.

    Raises
    ------
    one of TABLE_FAULTS
        If it is damaged, or a table of another purpose; what was given before that is worth nothing then.
    """
    if suffix == ".parquet":
        table = pq.ParquetFile(file)
        blocks: Iterator[list[Record]] = (batch.to_pylist() for batch in table.iter_batches(_BLOCK, use_threads=False))
        columns = list(table.schema_arrow.names)
    elif suffix in {".csv", ".tsv"}:
        rows = csv.reader(_texts(file), delimiter="\t" if suffix == ".tsv" else ",")
        columns = _unique(next(rows, []))
        blocks = _blocks(dict(zip(columns, row, strict=False)) for row in rows)
    else:
        blocks, columns = _json_blocks(file)
    for records in itertools.chain([[]], blocks):  # without a row, its columns alone say what it is
        lines = table_lines(key, records, columns)
        if lines is None:
            raise ValueError("no column of it names a file")
        yield lines


def _json_blocks(file: IO[bytes]) -> tuple[Iterator[list[Record]], list[str]]:
    """Return JSON Lines in blocks, and all keys in the order of their coming, which are known once all were read."""
    first = list(itertools.islice(_json_rows(file), _BLOCK + 1))
    if len(first) <= _BLOCK:
        return iter([first]), list({str(name): None for record in first for name in record})
    del first
    columns = list({str(name): None for record in _json_rows(file) for name in record})
    return _blocks(_json_rows(file)), columns


def _json_rows(file: IO[bytes]) -> Iterator[Record]:
    yield from (json.loads(whole_letters(line)) for line in _texts(file) if line.strip())


def _blocks(records: Iterable[Record]) -> Iterator[list[Record]]:
    rest = iter(records)
    while block := list(itertools.islice(rest, _BLOCK)):
        yield block


def _unique(names: list[str]) -> list[str]:
    """Return the names of columns, of which none comes twice."""
    found: dict[str, None] = {}
    for name in map(str.strip, names):
        numbered = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
        found[next(each for each in numbered if each not in found)] = None
    return list(found)


def _texts(file: IO[bytes]) -> Iterator[str]:
    """Yield the lines of a text, with their ends."""
    encoding = text_encoding(file)
    file.seek(0)
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)
    while line := file.readline(_LINE_BYTES):
        if len(line) == _LINE_BYTES and not line.endswith(b"\n"):
            raise ValueError("it has lines so long that it is no table")
        yield line.decode(encoding, "replace")


def text_encoding(file: IO[bytes]) -> str:
    """Return how a text is written: UTF-8, or, where its bytes are none, Windows-1252."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while chunk := file.read(_CHUNK_BYTES):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"
