"""Lists of images: CSV, TSV, JSONL, Parquet or text files whose rows name URLs or paths, with captions and labels beside."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import itertools
import json
import zlib
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.curation.annotations.blocks import text_encoding
from toolkit.curation.annotations.text import whole_letters
from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sources.cells import hints_of
from toolkit.curation.sources.files import etag_of
from toolkit.curation.sources.tables import image_column
from toolkit.curation.sources.units import LISTED, UNIT_ITEMS, Item, OtherFile, SourceUnit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolkit.curation.sources.access import Access

__all__ = ["is_list", "list_rows"]

_COLUMNS: Final = (
    "url", "image_url", "img_url", "uri", "image_uri",
    "path", "image_path", "file_path", "filepath", "file_name", "filename", "image",
)  # fmt: skip
"""Columns (lower case) that name an image, the first that is there counts."""

_SUFFIXES: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".txt")
_UTF8: Final = "utf-8-sig"
"""With or without a byte order mark."""
_BATCH_ROWS: Final = 1_024
_FIRST_LINES: Final = 100
"""So many lines of a text are looked at to tell whether it is a list."""
_FAULTS: Final = (OSError, ValueError, EOFError, csv.Error, zlib.error, pa.ArrowException)

Row = dict[str, Any]


def is_list(path: Path) -> bool:
    """Return whether a file is a list of images: it has a column that names them, and none that holds them."""
    kind = _kind(path.name)
    try:
        if kind == ".parquet":
            schema = pq.read_schema(path)
            return not image_column(schema) and _column([name.lower() for name in schema.names]) is not None
        first = itertools.islice(_rows(path, is_whole=False), _FIRST_LINES if kind == ".txt" else 1)
        return kind is not None and any(_names_image(row, path.parent if kind == ".txt" else None) for row in first)
    except _FAULTS:
        return False


def _names_image(row: Row | str, folder: Path | None) -> bool:
    """Return whether a row has a column that names an image; what a text names must be a URL or lie below its folder."""
    if isinstance(row, str) or (column := _column(row)) is None:
        return False
    return folder is None or "://" in row[column] or (folder / row[column]).is_file()


def _kind(name: str) -> str | None:
    lower = name.lower().removesuffix(".gz")
    return next((suffix for suffix in _SUFFIXES if lower.endswith(suffix)), None)


def _column(names: Row | list[str]) -> str | None:
    return next((name for name in _COLUMNS if name in names), None)


def list_rows(path: Path, key: str, access: Access, base: str = "") -> Iterator[SourceUnit | OtherFile]:
    """Yield the images that a list names: those on the web or in object stores, and those below its own folder.

    Parameters
    ----------
    path : Path
        The list.
    key : str
        What its rows' keys begin with.
    access : Access
        How what it names is reached.
    base : str
        URL of the list (without a query), if it was fetched: what is no URL is looked for below its folder.
    """
    info = path.stat()
    yield OtherFile(source=key, path=str(path), kind="container", etag=etag_of(info), size_bytes=info.st_size)
    waiting: dict[str, list[Item]] = {"files": [], "remote": []}
    for item in _items(path, key, base):
        kind = "remote" if "://" in item.place else "files"
        waiting[kind].append(item)
        if len(waiting[kind]) == UNIT_ITEMS:
            yield _unit(kind, waiting[kind], access)
            waiting[kind] = []
    yield from (_unit(kind, items, access) for kind, items in waiting.items() if items)


def _unit(kind: str, items: list[Item], access: Access) -> SourceUnit:
    return SourceUnit(kind=kind, path="", source="", items=tuple(items), access=access if kind == "remote" else None)


def _items(path: Path, key: str, base: str) -> Iterator[Item]:
    folder = path.parent.resolve()
    number, column = 0, None
    try:
        for number, row in enumerate(_rows(path)):
            if isinstance(row, str):
                broken = refusal("bad_url", "the line is no JSON")
                yield Item(source=f"{key}#{number}", place=str(path), etag=_etag_of_text(row), refusal=broken)
                continue
            column = column or _column(row)
            named = row.pop(column, None) if column is not None else None
            hints = json.dumps(hints_of(row, {}), ensure_ascii=True, default=str)
            yield _item(f"{key}#{number}", str(named or "").strip(), folder, base, hints)
    except _FAULTS as fault:
        broken = refusal("corrupt_container", f"it breaks off after row {number}: {fault}")
        yield Item(source=f"{key}!", place=str(path), etag=etag_of(path.stat()), refusal=broken)


def _item(source: str, named: str, folder: Path, base: str, hints: str) -> Item:
    """Return the image that a row names; one that leads out of the list's folder is refused."""
    why: Refusal | None = None
    if not named or "\0" in named:
        why, named = refusal("bad_url", "the row names no image"), named.replace("\0", "")
    elif "://" not in named and base:
        why = _leads_out(named) if named.startswith("/") or ".." in named.split("/") else None
        named = f"{base.rpartition('/')[0]}/{quote(named) if base.startswith('http') else named}"
    elif "://" not in named:
        return _local_item(source, named, folder, hints)
    return Item(source=source, place=named, etag=_etag_of_text(named), refusal=why, hints=hints)


def _etag_of_text(text: str) -> str:
    return f"{LISTED}{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _local_item(source: str, named: str, folder: Path, hints: str) -> Item:
    try:
        place = (folder / named).resolve()
        if not place.is_relative_to(folder):
            return Item(source=source, place=str(folder / named), refusal=_leads_out(named), hints=hints)
        info = place.stat()
    except (OSError, ValueError, RuntimeError) as fault:  # RuntimeError: links that lead round in a circle, before Python 3.13
        why = refusal("unreadable", getattr(fault, "strerror", None) or str(fault))
        return Item(source=source, place=str(folder / named), refusal=why, hints=hints)
    return Item(source=source, place=str(place), size_bytes=info.st_size, etag=etag_of(info), hints=hints)


def _leads_out(named: str) -> Refusal:
    return refusal("unsafe_path", f"'{named[:200]}'")


def _rows(path: Path, *, is_whole: bool = True) -> Iterator[Row | str]:
    """Yield the rows of a list, their columns in lower case; a line that is none as it is. Its encoding is that of the whole."""
    kind = _kind(path.name)
    if kind == ".parquet":
        with pq.ParquetFile(path) as table:
            names = [field.name for field in table.schema_arrow if not pa.types.is_binary(field.type)]
            for batch in table.iter_batches(_BATCH_ROWS, columns=names):
                yield from ({name.lower(): value for name, value in row.items()} for row in batch.to_pylist())
        return
    opened: Any = gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")  # noqa: SIM115 -- closed below
    with (
        opened as raw,
        io.TextIOWrapper(raw, encoding=_encoding(raw) if is_whole else _UTF8, errors="replace", newline="") as text,
    ):
        if kind == ".txt":
            yield from ({"url": line.strip()} for line in text if line.strip() and not line.startswith("#"))
        elif kind in {".jsonl", ".ndjson"}:
            yield from _json_rows(text)
        else:
            for row in csv.DictReader(text, delimiter="\t" if kind == ".tsv" else ","):
                yield {str(name).strip().lower(): value or None for name, value in row.items() if isinstance(name, str)}


def _encoding(raw: IO[bytes]) -> str:
    """Return how a list is written, as of annotations; of one that breaks off, what came before is taken for UTF-8."""
    try:
        found = text_encoding(raw)
    except (OSError, EOFError, zlib.error):
        found = _UTF8
    raw.seek(0)
    return _UTF8 if found == "utf-8" else found


def _json_rows(lines: io.TextIOWrapper) -> Iterator[Row | str]:
    for line in lines:
        if line.strip():
            try:
                row = json.loads(whole_letters(line))
            except (ValueError, RecursionError):
                yield line
                continue
            yield {str(name).lower(): value for name, value in row.items()} if isinstance(row, dict) else {}
