"""JSON documents too large to be held as objects: read item by item, those of COCO in shares of their images.

An annotation of COCO may stand anywhere in its document, far from its image. Images and annotations are dealt out into
files by the image's number; each share is then a small COCO document of its own, and read as one.
"""

from __future__ import annotations

import codecs
import contextlib
import itertools
import json
import re
import tempfile
from typing import IO, TYPE_CHECKING, Any, Final

from toolkit.curation.annotations.coco import coco_lines, is_coco
from toolkit.curation.annotations.tables import table_lines
from toolkit.curation.annotations.text import whole_letters

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolkit.curation.annotations.lines import Line

__all__ = ["large_document_blocks"]

_SHARE_BYTES: Final = 16 * 2**20
"""Text of a share of images, about."""
_MOST_SHARES: Final = 256
"""Files that are open at once."""
_BLOCK: Final = 8_192
"""Rows of a table that are held at once."""
_READ_BYTES: Final = 2**20
_ITEM_LETTERS: Final = 2**26
"""A single item that is longer than this is none of an image."""
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_DEALT: Final = {"images": "id", "annotations": "image_id"}
"""Lists of a COCO document that are as long as it is, and what in their items is the number of an image."""


def large_document_blocks(key: str, file: IO[bytes], size_bytes: int, spill: Path) -> Iterator[list[Line]]:
    """Yield the annotations of a JSON document of any size, a part of them at a time: of COCO, or of a list of records.

    Parameters
    ----------
    key : str
        Source key of the document.
    file : binary file
        Its bytes, UTF-8, which can be sought.
    size_bytes : int
        How many they are.
    spill : Path
        Folder for the shares of a COCO document, which take as much room as it does while they are read.

    Raises
    ------
    one of TABLE_FAULTS
        If it is damaged, or a document of another purpose.
    """
    if _Items(file).has("["):
        columns = list({str(name): None for _, record, _ in _Items(file) for name in record})
        rest = (record for _, record, _ in _Items(file))
        while records := list(itertools.islice(rest, _BLOCK)):
            lines = table_lines(key, records, columns)
            if lines is None:
                raise ValueError("no column of it names a file")
            yield lines
    else:
        yield from _coco(key, file, size_bytes, spill)


def _coco(key: str, file: IO[bytes], size_bytes: int, spill: Path) -> Iterator[list[Line]]:
    named: dict[str, list[Any]] = {"categories": [], "licenses": []}
    count = min(_MOST_SHARES, size_bytes // _SHARE_BYTES + 1)
    with contextlib.ExitStack() as held:
        shares = [held.enter_context(tempfile.TemporaryFile("w+b", dir=spill)) for _ in range(count)]
        items = _Items(file)
        for part, item, text in items:
            if part in _DEALT:
                line = f'["{part}",{text}]'.replace("\n", " ")  # a line break can only stand between values
                shares[hash(item.get(_DEALT[part])) % count].write(line.encode() + b"\n")
            elif part in named:
                named[part].append(item)
        if not is_coco(items.parts):
            raise ValueError("it is no COCO document")
        declared: list[Line] = []
        for share in shares:
            share.seek(0)
            document: dict[str, Any] = {part: [] for part in _DEALT} | named
            for part, item in map(json.loads, share):
                document[part].append(item)
            lines = coco_lines(key, document)
            declared = [line for line in lines if line["kind"] == "categories"]
            yield [line for line in lines if line["kind"] != "categories"]
        yield declared


class _Items:
    """The items of a document's own list, or of the lists in its object: the list's name, the item, and its text.

    One pass by the standard library's own decoder over a window of the text, which is eight times as fast as a parser that
    gives events (ijson with its C backend, measured).
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = json.JSONDecoder()
        self._letters = codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._at, self._is_over = "", 0, False
        file.seek(0)
        self.parts: dict[str, Any] = {}
        """Names of the object's members that were met."""

    def __iter__(self) -> Iterator[tuple[str, Any, str]]:
        if self.has("["):
            yield from self._list("")
        else:
            self._take("{")
            while not self.has("}"):
                name = str(self._value()[0])
                self.parts[name] = None
                self._take(":")
                if self.has("["):
                    yield from self._list(name)
                else:
                    self._value()
                self._between("}")
            self._take("}")
        if self._next():
            raise ValueError("something stands behind its end")

    def has(self, mark: str) -> bool:
        """Return whether the next letter that is no space is this one."""
        return self._next() == mark

    def _next(self) -> str:
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text) or not self._read(_READ_BYTES):
                return self._text[self._at : self._at + 1]

    def _list(self, name: str) -> Iterator[tuple[str, Any, str]]:
        self._take("[")
        while not self.has("]"):
            yield name, *self._value()
            self._between("]")
        self._take("]")

    def _between(self, end: str) -> None:
        if not self.has(end):
            self._take(",")
            if self.has(end):
                raise ValueError("a comma stands before an end")

    def _take(self, mark: str) -> None:
        if not self.has(mark):
            raise ValueError(f"no '{mark}' where one must be")
        self._at += 1

    def _value(self) -> tuple[Any, str]:
        """Return the value that comes next, and its text; the window grows until it holds all of it."""
        self._next()
        size_bytes = _READ_BYTES
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
                if end < len(self._text) or self._is_over:  # else a number might go on
                    text, self._at = self._text[self._at : end], end
                    whole = whole_letters(text)
                    return (value, text) if whole == text else (json.loads(whole), whole)
            except json.JSONDecodeError:
                if self._is_over or len(self._text) - self._at > _ITEM_LETTERS:
                    raise
            self._read(size_bytes)
            size_bytes *= 2

    def _read(self, size_bytes: int) -> bool:
        """Take more of the file into the window, and drop what was read; return whether there was more."""
        payload = self._file.read(size_bytes)
        self._is_over = not payload
        self._text = self._text[self._at :] + self._letters.decode(payload, final=self._is_over)
        self._at = 0
        return not self._is_over
