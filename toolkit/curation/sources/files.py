"""Bytes of a file, and proof that it stayed the same while they were read."""

from __future__ import annotations

import os
import stat
from typing import Final

from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sources.units import MAX_PAYLOAD_BYTES
from toolkit.units import show

__all__ = ["etag_of", "read_whole"]

_TRIES: Final = 2


def _opened(path: str, flags: int) -> int:
    """Open a path without waiting: of a pipe, the other end may never come."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def etag_of(info: os.stat_result) -> str:
    """Return what tells a change of a file: its size and time of modification."""
    return f"{info.st_size}-{info.st_mtime_ns}"


def read_whole(path: str, etag: str | None = None) -> bytes | Refusal:
    """Return the bytes of a file, or why they cannot be had.

    Parameters
    ----------
    path : str
        The file.
    etag : str, optional
        What it must still be; without it, it must only stay the same while it is read.
    """
    for _ in range(_TRIES):
        try:
            with open(path, "rb", buffering=0, opener=_opened) as stream:
                before = os.fstat(stream.fileno())
                if not stat.S_ISREG(before.st_mode):
                    return refusal("unreadable", "it is no file but a pipe, a device or the like")
                if etag is not None and etag_of(before) != etag:
                    return refusal("changed_while_read", "it is not what it was when it was found")
                if before.st_size > MAX_PAYLOAD_BYTES:
                    limit = show(MAX_PAYLOAD_BYTES, "bytes")
                    return refusal("unreadable", f"it is {show(before.st_size, 'bytes')}; at most {limit} are read")
                payload = stream.readall()
                after = os.fstat(stream.fileno())
        except OSError as fault:
            return refusal("unreadable", str(fault.strerror or fault))
        if etag_of(before) == etag_of(after) and len(payload) == before.st_size:
            return payload
    return refusal("changed_while_read", "it grew or shrank while it was read")
