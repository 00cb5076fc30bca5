"""Memory for batches, used again once nobody looks at it any more: fresh pages of a batch cost as much as filling it."""

from __future__ import annotations

import mmap
import weakref
from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from toolkit.units import MIB

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Buffers"]

_STEP_BYTES: Final = 2 * MIB
"""Buffers are of whole steps; also the size of a large page."""


class Buffers:
    """A store of buffers that come back by themselves.

    Parameters
    ----------
    held_count : int
        Idle buffers that are kept, at most.

    Examples
    --------
    >>> buffers = Buffers(held_count=2)
    >>> part = buffers.take(10).reshape(2, 5)[1:]
    >>> buffers.idle_count
    0
    >>> del part
    >>> buffers.idle_count
    1
    """

    def __init__(self, held_count: int) -> None:
        self._idle: deque[mmap.mmap] = deque(maxlen=held_count)

    @property
    def idle_count(self) -> int:
        """Buffers that wait to be used again."""
        return len(self._idle)

    def take(self, size_bytes: int) -> NDArray[np.uint8]:
        """Return memory of a size; when the last array or view of it is gone, it is used again."""
        try:
            memory = self._idle.popleft()
        except IndexError:
            memory = _fresh(size_bytes)
        if len(memory) < size_bytes:
            memory = _fresh(size_bytes)
        # of no array's memory: arrays of arrays forget those between, and this one must be held by all that show its memory
        lent: NDArray[np.uint8] = np.frombuffer(memory, dtype=np.uint8, count=size_bytes)
        weakref.finalize(lent, self._idle.append, memory).atexit = False
        return lent


def _fresh(size_bytes: int) -> mmap.mmap:
    memory = mmap.mmap(-1, -(-max(size_bytes, 1) // _STEP_BYTES) * _STEP_BYTES)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
