"""Bytes of a file, and proof that it stayed the same while they were read."""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sources.units import MAX_PAYLOAD_BYTES
from toolkit.units import show

__all__ = ["container_refusal", "etag_of", "read_whole"]

_TRIES: Final = 2


_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""To open a path without waiting: of a pipe, the other end may never come."""


_AWAY: Final = frozenset(
    getattr(errno, name)
    for name in ("EACCES", "EPERM", "ENOENT", "EIO", "ENXIO", "ENODEV", "EMFILE", "ENFILE", "ESTALE", "ETIMEDOUT", "EREMOTEIO")
    if hasattr(errno, name)
)
"""Faults of a system that does not give bytes; a damaged directory leads to others, such as a place before the file's start."""


def etag_of(info: os.stat_result) -> str:
    """Return what tells a change of a file: its size and time of modification."""
    return f"{info.st_size}-{info.st_mtime_ns}"


def container_refusal(fault: Exception, where: str = "") -> Refusal:
    """Return why a container is not read: the system does not give its bytes, which may pass, or they are damaged.

    Parameters
    ----------
    fault : Exception
        What its reader raised.
    where : str
        Where in it, with a colon and a space behind.

    Examples
    --------
    >>> container_refusal(PermissionError(13, "Permission denied")).reason, container_refusal(ValueError("bad magic")).reason
    ('unreadable_container', 'corrupt_container')
    """
    if isinstance(fault, OSError) and fault.errno in _AWAY:
        return refusal("unreadable_container", f"{where}{fault.strerror or fault}")
    return refusal("corrupt_container", f"{where}{str(fault) or type(fault).__name__}")


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
            descriptor = os.open(path, _FLAGS)
            try:
                before = os.fstat(descriptor)
                if (why := _unread(before, etag)) is not None:
                    return why
                payload = _read(descriptor, before.st_size)
                after = os.fstat(descriptor)
            finally:
                os.close(descriptor)
        except OSError as fault:
            return refusal("unreadable", str(fault.strerror or fault))
        if etag_of(before) == etag_of(after) and len(payload) == before.st_size:
            return payload
    return refusal("changed_while_read", "it grew or shrank while it was read")


def _unread(info: os.stat_result, etag: str | None) -> Refusal | None:
    """Return why an opened file is not read, if it is not."""
    if not stat.S_ISREG(info.st_mode):
        return refusal("unreadable", "it is no file but a pipe, a device or the like")
    if etag is not None and etag_of(info) != etag:
        return refusal("changed_while_read", "it is not what it was when it was found")
    if info.st_size > MAX_PAYLOAD_BYTES:
        return refusal("unreadable", f"it is {show(info.st_size, 'bytes')}; at most {show(MAX_PAYLOAD_BYTES, 'bytes')} are read")
    return None


def _read(descriptor: int, size_bytes: int) -> bytes:
    """Return the bytes of a file that has so many; of one that grew, one more.

    Python's own file object asks the system twice as often, which for a small file took as long as its bytes.
    """
    payload = os.read(descriptor, size_bytes + 1)
    while len(payload) < size_bytes and (more := os.read(descriptor, size_bytes + 1 - len(payload))):
        payload += more
    return payload
