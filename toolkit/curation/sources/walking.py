"""Folders gone through in the order of their names, whatever the disk says; names are held, not an object for each file."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.sniffing import claims_image
from toolkit.curation.sources.lakes import is_table_folder
from toolkit.curation.sources.units import SYSTEM_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Folder", "is_hidden", "walk"]

_BLOCK: Final = 65_536
"""Names held as Python's texts before they become a column."""


class _Names:
    """Names of files, given back in the order of their bytes."""

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._blocks: list[pl.Series] = []

    def add(self, name: str) -> None:
        self._waiting.append(name)
        if len(self._waiting) == _BLOCK:
            self._flush()

    def _flush(self) -> None:
        self._blocks.append(pl.Series(map(os.fsencode, self._waiting), dtype=pl.Binary))
        self._waiting = []

    def __iter__(self) -> Iterator[str]:
        if not self._blocks:
            yield from sorted(self._waiting, key=os.fsencode)
            return
        self._flush()
        self._blocks = [pl.concat(self._blocks).sort()]
        for start in range(0, len(self._blocks[0]), _BLOCK):
            yield from map(os.fsdecode, self._blocks[0].slice(start, _BLOCK).to_list())


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder that was entered."""

    path: Path
    """Where it lies."""
    relative: str
    """Its path below the root; empty for the root."""
    names: _Names | None
    """Names of its files, in order; hidden folders stand among them, so that they are counted. None if it cannot be read."""
    has_images: bool
    """Whether the name of a file in it claims an image."""


def walk(root: Path, *, with_names: bool = True) -> Iterator[Folder]:
    """Yield the folders below a root, itself first, depth first; one that was entered before is not entered again.

    Parameters
    ----------
    root : Path
        The folder.
    with_names : bool
        Whether the names of files are wanted.
    """
    seen: set[tuple[int, int]] = set()
    stack: list[tuple[Path, str]] = [(root, "")]
    while stack:
        path, relative = stack.pop()
        try:
            info = path.stat()
            if (info.st_dev, info.st_ino) in seen:
                continue
            seen.add((info.st_dev, info.st_ino))
            folder, below = _scanned(path, relative, with_names=with_names)
        except OSError:
            yield Folder(path=path, relative=relative, names=None, has_images=False)
            continue
        yield folder
        if not is_table_folder(path):  # what belongs to a table, its log says; whatever else lies there is none of it
            stack += [(path / name, posixpath.join(relative, name)) for name in sorted(below, key=os.fsencode, reverse=True)]


def _scanned(path: Path, relative: str, *, with_names: bool) -> tuple[Folder, list[str]]:
    """Return a folder and the names of those in it."""
    names, below, has_images = _Names(), [], False
    with os.scandir(path) as listing:
        for entry in listing:
            hidden = is_hidden(entry.name)
            if not hidden and _is_folder(entry):
                below.append(entry.name)
                continue
            has_images = has_images or (not hidden and claims_image(posixpath.splitext(entry.name)[1].lower()))
            if with_names:
                names.add(entry.name)
    return Folder(path=path, relative=relative, names=names, has_images=has_images), below


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in a circle
        return False


def is_hidden(name: str) -> bool:
    """Return whether a name is one that listings leave out: it begins with a dot, or a system leaves it behind."""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES
