"""Annotation files read on the workers, a block of files at a time, into parts that lie beside the probe parts."""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

import polars as pl
import pyarrow.parquet as pq

from toolkit.curation.annotations import ANNOTATION_SCHEMA, annotation_frame, annotation_lines
from toolkit.curation.annotations.blocks import TABLE_FAULTS, TABLE_SUFFIXES, table_blocks
from toolkit.curation.annotations.large import large_document_blocks
from toolkit.curation.annotations.reading import suffix_of
from toolkit.curation.reasons import Refusal
from toolkit.curation.sources import OtherFile, read_others
from toolkit.curation.sources.files import etag_of
from toolkit.curation.sources.units import own_name
from toolkit.engine import worker_died
from toolkit.errors import DatasetError, TonnageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    import pyarrow as pa

    from toolkit.engine import Engine

__all__ = ["Annotations", "NoteTask", "read_annotation_files", "read_notes"]

_BLOCK_FILES: Final = 2_000
_BLOCK_BYTES: Final = 16 * 2**20
"""Annotation files of one task."""

_HERE_FILES: Final = 256
_HERE_BYTES: Final = 2**18
"""So little is read faster here than a task is sent."""

_STREAMED_BYTES: Final = 2**16
"""A larger table is read a block at a time, from the disk if it lies there by itself, whatever its size."""

_LARGE_BYTES: Final = 64 * 2**20
"""A larger JSON document is read item by item: as objects it would take ten times as much memory as its text."""

_FRAME_FAULTS: Final = (ValueError, TypeError, OverflowError, pl.exceptions.PolarsError)
"""What values that no frame can hold make it raise: a text that is no text, a size that is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteTask:
    """Annotation files to read."""

    files: tuple[OtherFile, ...]
    """Where they are."""
    staging: Path
    """Where the part goes, and where members of streams lie."""

    @property
    def part(self) -> Path:
        """The part: equal for equal work."""
        names = "\0".join(f"{other.source}\0{other.etag}" for other in self.files)
        digest = hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()
        return self.staging / f"{digest[:32]}.notes.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """What all annotation files say."""

    frame: pl.DataFrame
    """As ``toolkit.curation.annotations.ANNOTATION_SCHEMA``, but for ``metadata``, which is as large as the files: it is null."""
    unread: tuple[str, ...]
    """Sources of files that none of the readers understands, or that cannot be read."""
    parts: tuple[Path, ...] = ()
    """Where all of it lies, in the order of the lines."""

    def metadata(self) -> Iterator[pl.Series]:
        """Yield the ``metadata`` of the lines, in their order and some of them at a time."""
        for part in self.parts:
            with pq.ParquetFile(part) as file:
                for number in range(file.num_row_groups):
                    group = cast("pl.DataFrame", pl.from_arrow(file.read_row_group(number, columns=["metadata"])))
                    yield group["metadata"].cast(ANNOTATION_SCHEMA["metadata"])


def read_annotation_files(engine: Engine, files: pl.DataFrame, staging: Path) -> Annotations:
    """Return what annotation files say, in the order in which they are given.

    Parameters
    ----------
    engine : Engine
        Where blocks of files are read; a few small files are read here.
    files : pl.DataFrame
        ``source``, ``path``, ``member``, ``etag``, ``size_bytes``, ``offset``, ``packed``.
    staging : Path
        Folder of unfinished work.
    """
    parts: list[Path] = []
    unread: dict[Path, tuple[str, ...]] = {}
    is_little = len(files) <= _HERE_FILES and int(files["size_bytes"].sum()) <= _HERE_BYTES

    def tasks() -> Iterator[NoteTask]:
        for block in _blocks(files):
            task = NoteTask(
                files=tuple(OtherFile(kind="annotation", **row) for row in block.iter_rows(named=True)), staging=staging
            )
            parts.append(task.part)
            if is_little:
                unread[task.part] = read_notes(task)
            else:
                yield task

    for task, result in engine.stream(read_notes, tasks()):
        if isinstance(result, BaseException) and worker_died(result):  # of a document too large for it
            unread[task.part] = read_notes(task)
            continue
        if isinstance(result, TonnageError) or (isinstance(result, BaseException) and not isinstance(result, Exception)):
            raise result
        if isinstance(result, BaseException):
            raise DatasetError(f"annotations cannot be read, nothing was committed: {result}") from result
        unread[task.part] = result
    columns = [name for name in ANNOTATION_SCHEMA if name != "metadata"]
    frames = (pl.read_parquet(part, columns=columns, glob=False) for part in parts)
    frame = pl.concat([annotation_frame([]).select(columns), *frames])
    return Annotations(
        frame=frame.with_columns(metadata=pl.lit(None, ANNOTATION_SCHEMA["metadata"])).select(list(ANNOTATION_SCHEMA)),
        unread=tuple(name for part in parts for name in unread[part]),
        parts=tuple(parts),
    )


def _blocks(files: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Cut files into runs of at most ``_BLOCK_FILES`` and about ``_BLOCK_BYTES``."""
    start = size_bytes = 0
    for place, more_bytes in enumerate(files["size_bytes"]):
        if place > start and (place - start >= _BLOCK_FILES or size_bytes + more_bytes > _BLOCK_BYTES):
            yield files.slice(start, place - start)
            start, size_bytes = place, 0
        size_bytes += more_bytes
    if start < len(files):
        yield files.slice(start)


def read_notes(task: NoteTask) -> tuple[str, ...]:
    """Write what annotation files say as a part, and return the sources of those that say nothing that is understood."""
    unread: list[str] = []
    temporary = task.part.with_suffix(".tmp")
    _write(temporary, _said(task, unread))
    temporary.replace(task.part)
    return tuple(unread)


def _said(task: NoteTask, unread: list[str]) -> Iterator[pa.Table]:
    for is_streamed, group in itertools.groupby(task.files, key=_is_streamed):
        files = list(group)
        yield from _streamed(files, task.staging, unread) if is_streamed else _read(files, task.staging, unread)


def _write(target: Path | IO[bytes], tables: Iterable[pa.Table]) -> None:
    """Write what comes, a row group each: no more of it is held."""
    columns = annotation_frame([]).to_arrow().schema
    with pq.ParquetWriter(target, columns, compression="zstd", compression_level=1) as file:
        for table in tables:
            file.write_table(table.cast(columns))


def _is_streamed(other: OtherFile) -> bool:
    return other.member is None and "://" not in other.path and _is_large(other.source, other.size_bytes)


def _is_large(source: str, size_bytes: int) -> bool:
    """Return whether a file is read in parts."""
    suffix = suffix_of(source)
    return (size_bytes > _STREAMED_BYTES and suffix in TABLE_SUFFIXES) or (size_bytes > _LARGE_BYTES and suffix == ".json")


def _streamed(files: Iterable[OtherFile], staging: Path, unread: list[str]) -> Iterator[pa.Table]:
    """Yield what large files say, from the disk; one that changes meanwhile is unread."""
    for other in files:
        with tempfile.TemporaryFile(dir=staging) as own:
            if _is_written(other, staging, own):
                yield from _row_groups(own)
            else:
                unread.append(other.source)


def _is_written(other: OtherFile, staging: Path, own: IO[bytes]) -> bool:
    """Write what a large file says to a file of its own; return whether all of it can be read, and it did not change."""
    try:
        with Path(own_name(other.path)).open("rb") as file:
            before = etag_of(os.fstat(file.fileno()))
            return _in_parts(other.source, file, other.size_bytes, staging, own) and etag_of(os.fstat(file.fileno())) == before
    except OSError as fault:
        if fault.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise
        return False


def _in_parts(source: str, file: IO[bytes], size_bytes: int, staging: Path, own: IO[bytes]) -> bool:
    """Write what a file says to a file of its own, a part at a time; return whether all of it is understood."""
    suffix = suffix_of(source)
    is_document = suffix == ".json"
    blocks = large_document_blocks(source, file, size_bytes, staging) if is_document else table_blocks(source, suffix, file)
    try:
        _write(own, (annotation_frame(block).to_arrow() for block in blocks))
    except (*TABLE_FAULTS, *_FRAME_FAULTS):
        return False
    return True


def _row_groups(own: IO[bytes]) -> Iterator[pa.Table]:
    own.seek(0)
    with pq.ParquetFile(own) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number)


def _read(files: list[OtherFile], staging: Path, unread: list[str]) -> Iterator[pa.Table]:
    """Yield what files say that are read whole, in their order."""
    lines: list[dict[str, Any]] = []
    for source, payload in read_others(files, staging):
        if isinstance(payload, bytes) and _is_large(source, len(payload)):
            yield _framed(lines, unread)
            lines = []
            with tempfile.TemporaryFile(dir=staging) as own:
                if _in_parts(source, io.BytesIO(payload), len(payload), staging, own):
                    yield from _row_groups(own)
                else:
                    unread.append(source)
            continue
        found = None if isinstance(payload, Refusal) else annotation_lines(source, payload)
        if found is None:
            unread.append(source)
        else:
            lines += found
    yield _framed(lines, unread)


def _framed(lines: list[dict[str, Any]], unread: list[str]) -> pa.Table:
    """Return lines as a table; a file whose values no frame can hold is unread."""
    try:
        return annotation_frame(lines).to_arrow()
    except _FRAME_FAULTS:
        pass
    frames = [annotation_frame([])]
    for source, own in _by_file(lines):
        try:
            frames.append(annotation_frame(own))
        except _FRAME_FAULTS:
            unread.append(source)
    return pl.concat(frames).to_arrow()


def _by_file(lines: Iterable[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    by_file: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_file.setdefault(line["file"], []).append(line)
    yield from by_file.items()
