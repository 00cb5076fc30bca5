"""A disk that takes no more: told from other faults, in one sentence."""

from __future__ import annotations

import errno
import os
import re
from typing import Final

__all__ = ["no_room"]

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_RUST: Final = re.compile(r"\(os error (\d+)\)")
"""How Rust's ``std::io::Error`` ends: Polars raises no ``OSError``."""


def no_room(place: object, fault: Exception) -> str | None:
    """Return the sentence about a disk that takes no more, if that is what a fault is.

    Examples
    --------
    >>> no_room("/data", OSError(errno.EACCES, "no")) is None
    True
    >>> no_room("/data", ValueError("parquet: No space left on device (os error 28)"))
    "the disk that holds '/data' takes no more (no space left on device); make room and run the same command again to go on"
    """
    told = _RUST.search(str(fault))
    number = fault.errno if isinstance(fault, OSError) else int(told.group(1)) if told is not None else None
    if number not in _NO_ROOM:
        return None
    why = os.strerror(number).lower()
    return f"the disk that holds '{place}' takes no more ({why}); make room and run the same command again to go on"
