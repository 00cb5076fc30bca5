"""What a dataset refused: listed, looked up, and written out again, a few rows in memory at a time."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.object_paths import readable
from toolkit.dataset.reading import open_dataset
from toolkit.errors import DatasetError, MissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from toolkit.dataset.reading import Dataset
    from toolkit.locations import Location

__all__ = ["Export", "counts", "export", "find", "refusals", "safe_name"]

_FACTS: Final = ("source", "source_member", "stage", "reason", "message", "size_bytes", "sha256", "batch")
_ROWS: Final = 8
"""Rows held at once; each may hold as many bytes as the recipe's ``quarantine_bytes``."""

_SHA: Final = re.compile(r"[0-9a-f]{8,64}")
_NAME_LETTERS: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What was written out."""

    folder: str
    """Where to."""
    manifest: str
    """The file, in JSON Lines, that says of every refusal what it was and which file holds its bytes."""
    file_count: int
    """Files with bytes."""
    written_bytes: int
    """Their size."""
    without_bytes_count: int
    """Refusals that have none: past the recipe's ``quarantine_bytes``, or never read."""


def counts(dataset: str | Path | Location | Dataset) -> pl.DataFrame:
    """Return one row per reason: reason, stage, count, size_bytes; the most frequent first."""
    scan = open_dataset(dataset).scan("quarantine")
    found = scan.group_by("reason", "stage").agg(count=pl.len(), size_bytes=pl.col("size_bytes").sum())
    return found.sort("count", "reason", descending=[True, False]).collect(engine="streaming")


def refusals(dataset: str | Path | Location | Dataset, reason: str | None = None, limit: int | None = None) -> pl.DataFrame:
    """Return what was refused and why, by reason and source; the column of bytes is not read.

    Parameters
    ----------
    dataset : str, Path, Location or Dataset
        A dataset made by ``toolkit.curate``.
    reason : str, optional
        Only refusals of this code.
    limit : int, optional
        At most so many.

    Raises
    ------
    UsageError
        If nothing was refused for that reason.
    """
    opened = open_dataset(dataset)
    _check_reason(opened, reason)
    scan = opened.scan("quarantine").filter(pl.lit(value=True) if reason is None else pl.col("reason") == reason)
    rows = scan.select(_FACTS).sort("reason", "source")
    return (rows if limit is None else rows.head(limit)).collect(engine="streaming")


def _check_reason(dataset: Dataset, reason: str | None) -> None:
    if reason is None:
        return
    found = counts(dataset)["reason"].to_list()
    if reason not in found:
        held = f"the reasons here are {', '.join(found)}" if found else "nothing was refused at all"
        raise UsageError(f"nothing in '{dataset.location}' was refused for '{reason}'; {held}")


def find(dataset: str | Path | Location | Dataset, key: str) -> pl.DataFrame:
    """Return the refusals of one source by its key, or of some bytes by the beginning of their sha256.

    ``has_bytes`` says whether the bytes are held: those past the recipe's ``quarantine_bytes`` are not.

    Raises
    ------
    MissingError
        If there is none.
    """
    opened = open_dataset(dataset)
    scan = opened.scan("quarantine").select(*_FACTS, has_bytes=pl.col("bytes").is_not_null())
    is_wanted = pl.col("source") == key
    if _SHA.fullmatch(key):
        is_wanted |= pl.col("sha256").str.starts_with(key)
    found = scan.filter(is_wanted).sort("reason", "source").collect(engine="streaming")
    if found.is_empty():
        raise MissingError(
            f"nothing called '{key}' was refused in '{opened.location}'; see: tonnage quarantine list {opened.location}"
        )
    return found


def export(dataset: str | Path | Location | Dataset, folder: str | Path, reason: str | None = None) -> Export:
    """Write the original bytes of what was refused to a new or empty folder, with ``manifest.jsonl`` beside them.

    Names are made of a running number and what is harmless in the source's own name: nothing is written anywhere else.

    Parameters
    ----------
    dataset : str, Path, Location or Dataset
        A dataset made by ``toolkit.curate``.
    folder : str or Path
        Where to.
    reason : str, optional
        Only refusals of this code.

    Raises
    ------
    UsageError
        If the folder is not empty, or nothing was refused for that reason.
    DatasetError
        If bytes are not those that were refused.
    """
    opened = open_dataset(dataset)
    _check_reason(opened, reason)
    place = _empty_folder(Path(folder))
    manifest = place / "manifest.jsonl"
    file_count = written_bytes = without_count = 0
    with manifest.open("x", encoding="utf-8") as listing:
        for number, row in enumerate(_rows(opened, reason)):
            size_bytes = _export_row(row, number, place, listing, opened)
            file_count += size_bytes is not None
            without_count += size_bytes is None
            written_bytes += size_bytes or 0
    return Export(
        folder=str(place), manifest=str(manifest), file_count=file_count, written_bytes=written_bytes,
        without_bytes_count=without_count,
    )  # fmt: skip


def _empty_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as fault:
        raise UsageError(f"'{folder}' is a file; give a folder that is new or empty") from fault
    if any(folder.iterdir()):
        raise UsageError(f"'{folder}' is not empty; give a folder that is new or empty")
    return folder


def _export_row(row: dict[str, Any], number: int, folder: Path, listing: TextIO, dataset: Dataset) -> int | None:
    """Write one refusal and its line of the manifest, and return the size of its file; None without bytes."""
    payload: bytes | None = row.pop("bytes")
    name = None if payload is None else f"{number:06d}_{safe_name(row['source_member'] or row['source'])}"
    if payload is not None and name is not None:
        if row["sha256"] is not None and hashlib.sha256(payload).hexdigest() != row["sha256"]:
            raise DatasetError(f"the bytes of '{row['source']}' in '{dataset.location}' are damaged; run: tonnage verify")
        with (folder / name).open("xb") as file:
            file.write(payload)
    listing.write(json.dumps({"file": name} | row, ensure_ascii=False) + "\n")
    return None if payload is None else len(payload)


def _rows(dataset: Dataset, reason: str | None) -> Iterator[dict[str, Any]]:
    """Yield the refusals with their bytes, file by file."""
    for path in dataset.table_paths("quarantine"):
        try:
            with pq.ParquetFile(readable(path), pre_buffer=False) as part:
                for batch in part.iter_batches(_ROWS, columns=[*_FACTS, "bytes"], use_threads=False):
                    for row in range(batch.num_rows):
                        if reason is None or batch["reason"][row].as_py() == reason:
                            yield {name: batch[name][row].as_py() for name in batch.schema.names}
        except (OSError, pa.ArrowException) as fault:
            raise DatasetError(f"'{path}' cannot be read: {fault}; run: tonnage verify") from fault


def safe_name(source: str) -> str:
    r"""Return the last part of a name with nothing in it that any filesystem takes amiss; its ending is kept.

    Examples
    --------
    >>> safe_name("a/b/cat 1.JPG"), safe_name("x.zip!../../etc/passwd"), safe_name("..\\..\\con"), safe_name("über/\n.")
    ('cat_1.JPG', 'passwd', 'con', 'unnamed')
    """
    last = re.split(r"[/\\!]", source)[-1]
    stem, dot, suffix = re.sub(r"[^A-Za-z0-9._-]+", "_", last).strip("._").rpartition(".")
    return (stem[: _NAME_LETTERS - 10] + dot + suffix[: 9 if dot else _NAME_LETTERS]) or "unnamed"
