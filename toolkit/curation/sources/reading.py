"""Units into occurrences with their bytes; and chosen bytes found again by their locators, to pack them."""

from __future__ import annotations

import dataclasses
import itertools
import json
import lzma
import posixpath
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolkit.curation.frames import split_frames
from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sniffing import is_image
from toolkit.curation.sources.access import Access
from toolkit.curation.sources.archives import other_member, says_nothing, zip_name
from toolkit.curation.sources.fetching import read_remote, reread_remote
from toolkit.curation.sources.files import etag_of, read_whole
from toolkit.curation.sources.members import MemberReader
from toolkit.curation.sources.streams import open_stream, staged_path, stream_items
from toolkit.curation.sources.tables import read_rows
from toolkit.curation.sources.units import LISTED, Item, Occurrence, OtherFile, SourceUnit, own_name, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

__all__ = ["read_other", "read_unit", "reread"]


def read_unit(unit: SourceUnit, staging: Path | None = None) -> Iterator[Occurrence | OtherFile]:
    """Yield every occurrence of a unit with its bytes, or why it has none.

    Parameters
    ----------
    unit : SourceUnit
        What to read.
    staging : Path, optional
        Folder in which members of compressed tars are laid down, which cannot be sought again.
    """
    if unit.kind == "files":
        for item in unit.items:
            yield _occurrence(unit, item, item.refusal or read_whole(item.place))
    elif unit.kind == "remote":
        for item, found in read_remote(unit.items, unit.access or Access(), staging):
            yield _member(unit, item, found)
    elif unit.kind == "tar_stream":
        for item, content in stream_items(unit, staging):
            yield content if isinstance(content, OtherFile) else _member(unit, item, content)
    elif unit.kind == "parquet":
        for item, found, hints in read_rows(unit):
            yield _occurrence(unit, item, found, hints)
    else:
        yield from _read_archive(unit)


def _read_archive(unit: SourceUnit) -> Iterator[Occurrence | OtherFile]:
    """Yield the members of a zip or tar: first those that are no images, then those that may be."""
    are_images = _are_images(unit)
    for item, is_one in zip(unit.items, are_images, strict=True):
        if not is_one:
            yield other_member(item, unit.path)  # type: ignore[misc] # it is no archive
    images = tuple(itertools.compress(unit.items, are_images))
    for item, found in _read_members(dataclasses.replace(unit, items=images)):
        yield _member(unit, item, found)


def _are_images(unit: SourceUnit) -> list[bool]:
    """Return which members of a zip or tar are to be read whole: all but those whose first bytes say that they are no images."""
    silent = [says_nothing(item) for item in unit.items]
    if not any(silent):
        return [True] * len(silent)
    try:
        with MemberReader(unit.path, unit.etag) as reader:
            return [not is_silent or is_image(reader.head(item)) for item, is_silent in zip(unit.items, silent, strict=True)]
    except OSError:
        return [not is_silent for is_silent in silent]


def _read_members(unit: SourceUnit) -> Iterator[tuple[Item, bytes | Refusal]]:
    """Yield the members of a zip or tar with their bytes, or why there are none."""
    try:
        with MemberReader(unit.path, unit.etag) as reader:
            for item in unit.items:
                yield item, item.refusal if item.refusal is not None else reader.read(item)
    except OSError as fault:
        gone = refusal("unreadable", fault.strerror or str(fault))
        yield from ((item, gone) for item in unit.items)


def _member(unit: SourceUnit, item: Item, found: bytes | Refusal) -> Occurrence | OtherFile:
    """Return a member as what it is: one whose name claims nothing may turn out to be no image."""
    claims_nothing = not posixpath.splitext(item.place)[1] and not item.etag.startswith(LISTED)
    if claims_nothing and isinstance(found, bytes) and not is_image(found):
        path, member = (item.place, None) if unit.kind == "remote" else (unit.path, item.place)
        return OtherFile(
            source=item.source, path=path, kind="skipped(other)", member=member, etag=item.etag, size_bytes=len(found)
        )
    return _occurrence(unit, item, found)


def _occurrence(unit: SourceUnit, item: Item, found: bytes | Refusal, hints: dict[str, Any] | None = None) -> Occurrence:
    return Occurrence(
        source=item.source,
        source_raw=item.raw,
        member=_member_name(unit, item),
        etag=item.etag,
        payload=None if isinstance(found, Refusal) else found,
        refusal=found if isinstance(found, Refusal) else None,
        locator=_locator(unit, item),
        folder_label=item.folder_label,
        hints=hints or (json.loads(item.hints) if item.hints else {}),
    )


def _member_name(unit: SourceUnit, item: Item) -> str | None:
    """Return what of its container an item is: the member of an archive, the row of a table, the address in a list."""
    is_plain = unit.kind == "files" or (unit.kind == "remote" and not item.etag.startswith(LISTED))
    return None if is_plain else printable(item.place)[0]


_in_order: Final = json.JSONEncoder(sort_keys=True).encode
"""``json.dumps`` would make an encoder for each."""


def _locator(unit: SourceUnit, item: Item) -> str:
    place = {
        "kind": unit.kind,
        "source": item.source,
        "path": unit.path or item.place,
        "at": item.offset,
        "size": item.size_bytes,
        "packed": item.packed,
        "etag": item.etag,
        "group": unit.row_group,
        "start": unit.row_start,
        "column": unit.column,
    }
    return _in_order(place)


def reread(wanted: Iterable[tuple[str, str]], staging: Path | None = None) -> Iterator[tuple[str, bytes | Refusal]]:
    """Yield the bytes of chosen occurrences again, container by container, in an order of its own.

    Parameters
    ----------
    wanted : iterable of (source, locator)
        What to read.
    staging : Path, optional
        The folder given to ``read_unit``.
    """
    places: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    frames: dict[str, dict[int, list[str]]] = {}
    for source, locator in wanted:
        place = json.loads(locator)
        frame = place.pop("frame", None)
        if frame is not None:
            whole = json.dumps(place, sort_keys=True)
            frames.setdefault(whole, {}).setdefault(frame, []).append(source)
            continue
        file = "" if place["kind"] == "remote" else place["path"]  # remote files are fetched side by side
        places.setdefault(f"{place['kind']}\0{file}\0{place['group']}", []).append((source, place))
    for group in places.values():
        yield from _reread_group(group, staging)
    if frames:
        for whole, found in reread([(locator, locator) for locator in frames], staging):
            yield from _frames_again(frames[whole], found)


def _frames_again(sources: dict[int, list[str]], found: bytes | Refusal) -> Iterator[tuple[str, bytes | Refusal]]:
    """Yield the chosen frames of a file that was read again."""
    if isinstance(found, Refusal):
        yield from ((source, found) for names in sources.values() for source in names)
        return
    try:
        for index, frame in split_frames(found, sources):
            yield from ((source, frame) for source in sources.pop(index))
    except Exception as fault:  # noqa: BLE001 -- what was read before and is no longer: another file by now
        changed = refusal("changed_while_read", str(fault))
        yield from ((source, changed) for names in sources.values() for source in names)


def _reread_group(group: list[tuple[str, dict[str, Any]]], staging: Path | None) -> Iterator[tuple[str, bytes | Refusal]]:
    """Yield the bytes of occurrences that lie in one file, unless that file has changed."""
    first = group[0][1]
    kind, path = first["kind"], first["path"]
    if kind == "remote":
        items = [Item(source=source, place=place["path"], etag=place["etag"]) for source, place in group]
        yield from ((item.source, found) for item, found in reread_remote(items, staging))
        return
    if kind == "tar_stream":
        yield from ((source, _staged(place["source"], staging)) for source, place in group)
        return
    if kind == "files":
        yield from ((source, read_whole(path, first["etag"])) for source, _ in group)
        return
    try:
        is_same = etag_of(Path(path).stat()) == first["etag"]
    except OSError as fault:
        refused = refusal("unreadable", fault.strerror or str(fault))
        yield from ((source, refused) for source, _ in group)
        return
    if not is_same:
        changed = refusal("changed_while_read", "its size or time of change is another")
        yield from ((source, changed) for source, _ in group)
    elif kind == "parquet":
        yield from _rows_again(group, first)
    else:
        items = [
            Item(source=source, place="", offset=place["at"], size_bytes=place["size"], packed=place["packed"])
            for source, place in group
        ]
        in_order = sorted(items, key=lambda item: item.offset)
        unit = SourceUnit(kind=kind, path=path, source="", items=tuple(in_order), etag=first["etag"])
        yield from ((item.source, found) for item, found in _read_members(unit))


def _staged(source: str, staging: Path | None) -> bytes | Refusal:
    if staging is None:
        return refusal("unreadable", "it came by in a stream, and no copy was kept")
    return read_whole(str(staged_path(staging, source)))


def _rows_again(group: list[tuple[str, dict[str, Any]]], first: dict[str, Any]) -> Iterator[tuple[str, bytes | Refusal]]:
    unit = SourceUnit(
        kind="parquet",
        path=first["path"],
        source="",
        row_group=first["group"],
        row_start=first["start"],
        column=first["column"],
    )
    sources = {place["at"]: source for source, place in group}
    yield from ((sources[item.offset], found) for item, found, _ in read_rows(unit, set(sources)) if item.offset in sources)


def read_other(other: OtherFile) -> bytes:
    """Return the bytes of an annotation file, also of one inside a zip or tar.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    path, member = own_name(other.path), None if other.member is None else own_name(other.member)
    if member is None:
        return Path(path).read_bytes()
    try:
        if path.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                return archive.read(next(info for info in archive.infolist() if zip_name(info) == member))
        with open_stream(path) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for info in tar:
                if info.name == member:
                    reader = tar.extractfile(info)
                    return reader.read() if reader is not None else b""
    except (StopIteration, RuntimeError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError) as fault:
        raise OSError(f"'{other.source}' cannot be read: {fault}") from fault
    raise OSError(f"'{other.source}' is no longer there")
