"""Memory for what is read, used again once nobody looks at it any more: fresh pages cost as much as the reading itself."""

from __future__ import annotations

import weakref
from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from toolkit.units import MIB

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Buffers"]

_STEP_BYTES: Final = 2 * MIB
"""Buffers are of whole steps, so that row groups of nearly the same size share them; also the size of a large page."""


class Buffers:
    """A store of buffers that come back by themselves.

    Parameters
    ----------
    held_count : int
        Idle buffers that are kept, at most.

    Examples
    --------
    >>> buffers = Buffers(held_count=2)
    >>> view = memoryview(buffers.take(10))
    >>> buffers.idle_count
    0
    >>> del view
    >>> buffers.idle_count
    1
    """

    def __init__(self, held_count: int) -> None:
        self._idle: deque[NDArray[np.uint8]] = deque(maxlen=held_count)

    @property
    def idle_count(self) -> int:
        """Buffers that wait to be used again."""
        return len(self._idle)

    def take(self, size_bytes: int) -> NDArray[np.uint8]:
        """Return memory of a size; when the last array or view of it is gone, it is used again."""
        try:
            memory = self._idle.popleft()
        except IndexError:
            memory = np.empty(0, dtype=np.uint8)
        if memory.size < size_bytes:
            memory = np.empty(-(-size_bytes // _STEP_BYTES) * _STEP_BYTES, dtype=np.uint8)
        lent: NDArray[np.uint8] = np.frombuffer(memory, dtype=np.uint8, count=size_bytes)
        weakref.finalize(lent, self._idle.append, memory).atexit = False
        return lent
