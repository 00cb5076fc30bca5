"""Readers of further formats: found by entry points, asked where the formats that are always read do not fit."""

from __future__ import annotations

import functools
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Protocol

from toolkit.dataset import heif
from toolkit.errors import ExtraError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["GROUP", "Reader", "installed_readers", "reader_for", "readers_key"]

GROUP: Final = "tonnage.readers"
"""The group of entry points: each names a module or an object that is a ``Reader``."""

_MEMBERS: Final = ("name", "suffixes", "sniff", "size_px", "open_image")


class Reader(Protocol):
    """What reads one more format: a module with these names is one, and so is an object.

    It is asked about bytes that no format read by Tonnage itself begins with. What it raises over an image refuses that
    image: ``EOFError`` as truncated, ``ImportError`` as ``codec_missing``, everything else as damaged.
    """

    @property
    def name(self) -> str:
        """The format, lower case: what the column ``format`` will say."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Usual endings of such files, lower case with the dot: files that have one are examined."""

    def sniff(self, head: bytes) -> bool:
        """Return whether bytes begin as this format does; at least the first 1,024 bytes are given, where there are so many."""

    def size_px(self, payload: bytes) -> tuple[int, int]:
        """Return (width, height) from the header alone: the recipe's limits are held against it before anything is decoded."""

    def open_image(self, payload: bytes) -> Image.Image:
        """Return the image as Pillow holds images, with ``n_frames`` and ``seek`` where there are several."""


@functools.cache
def installed_readers() -> tuple[Reader, ...]:
    """Return the readers of this environment: HEIF first, then those of installed packages in the order of their names.

    Raises
    ------
    ExtraError
        If a package names a reader that cannot be loaded or lacks one of its parts.
    """
    found = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    return (heif, *(_loaded(point) for point in found))


def _loaded(point: Any) -> Reader:
    package = point.dist.name if point.dist is not None else point.value
    try:
        reader: Reader = point.load()
    except Exception as fault:
        raise ExtraError(f"the reader '{point.name}' of {package} cannot be loaded: {fault}; repair or remove it") from fault
    missing = [member for member in _MEMBERS if not hasattr(reader, member)]
    if missing:
        raise ExtraError(f"the reader '{point.name}' of {package} has no {', '.join(missing)}; see docs/readers.md for its parts")
    return reader


def reader_for(payload: bytes) -> Reader | None:
    """Return the reader that claims some bytes, or None.

    Examples
    --------
    >>> reader_for(b"hello") is None, reader_for(bytes(4) + b"ftypheic").name
    (True, 'heif')
    """
    return next((reader for reader in installed_readers() if reader.sniff(payload)), None)


def readers_key() -> str:
    """Return a text that is another when other readers are installed: what one could not read, the next may."""
    return ",".join([*(reader.name for reader in installed_readers()), f"heif={find_spec('pillow_heif') is not None}"])
