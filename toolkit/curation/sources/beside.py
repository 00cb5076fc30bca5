"""Bytes of the files beside images, many at a time: a container is opened once for all of its members."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sources.archives import compression_of
from toolkit.curation.sources.files import read_whole
from toolkit.curation.sources.members import MemberReader
from toolkit.curation.sources.reading import read_other
from toolkit.curation.sources.streams import staged_path
from toolkit.curation.sources.units import Item, OtherFile, own_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["read_others"]


def read_others(files: Iterable[OtherFile], staging: Path | None = None) -> Iterator[tuple[str, bytes | Refusal]]:
    """Yield the source and the bytes of each file, or why there are none.

    Parameters
    ----------
    files : iterable of OtherFile
        What to read; files of one container stand together.
    staging : Path, optional
        The folder given to ``read_unit``, in which small members of compressed tars lie.
    """
    for path, group in itertools.groupby(files, key=lambda other: None if other.member is None else other.path):
        if path is None:
            yield from ((other.source, read_whole(own_name(other.path))) for other in group)
        elif compression_of(own_name(path)) is not None:
            yield from ((other.source, _from_stream(other, staging)) for other in group)
        else:
            yield from _members(own_name(path), list(group))


def _members(path: str, group: list[OtherFile]) -> Iterator[tuple[str, bytes | Refusal]]:
    try:
        with MemberReader(path, group[0].etag) as reader:
            for other in group:
                item = Item(
                    source=other.source,
                    place=own_name(other.member or ""),
                    offset=other.offset,
                    size_bytes=other.size_bytes,
                    packed=other.packed,
                )
                yield other.source, reader.read(item)
    except OSError as fault:
        gone = refusal("unreadable", fault.strerror or str(fault))
        yield from ((other.source, gone) for other in group)


def _from_stream(other: OtherFile, staging: Path | None) -> bytes | Refusal:
    if staging is not None:
        payload = read_whole(str(staged_path(staging, other.source)))
        if not isinstance(payload, Refusal):
            return payload
    try:
        return read_other(other)
    except OSError as fault:
        return refusal("unreadable", str(fault))
