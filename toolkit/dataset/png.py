"""The chunks of a PNG, and a PNG read without those that hold no pixels: text that nobody can unpack never costs an image."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["despite_text", "png_chunks", "without_text"]

T = TypeVar("T")


def png_chunks(payload: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start, end) of each chunk of a PNG, up to where the data ends; the last may end past it."""
    position = 8
    while position + 8 <= len(payload):
        length, kind = struct.unpack_from(">I4s", payload, position)
        end = position + 12 + length
        yield kind, position, end
        if kind == b"IEND":
            return
        position = end


def without_text(payload: bytes) -> bytes:
    """Return a PNG without the chunks that hold no pixels or colours: text may unpack to more than memory, or be broken."""
    parts = [payload[:8]]
    for kind, start, end in png_chunks(payload):
        if not kind[0] & 0x20 or kind in {b"tRNS", b"gAMA", b"acTL", b"fcTL", b"fdAT"}:
            parts.append(payload[start:end])
    return b"".join(parts)


def despite_text(read: Callable[[bytes], T], payload: bytes) -> T:
    """Return what ``read`` makes of an image; of a PNG that it refuses, what it makes of it without its text.

    Raises
    ------
    OSError, ValueError, SyntaxError
        What ``read`` raises, if the text was not to blame.
    """
    try:
        return read(payload)
    except (OSError, ValueError, SyntaxError):
        bare = without_text(payload) if payload.startswith(b"\x89PNG") else payload
        if len(bare) == len(payload):
            raise
        return read(bare)
