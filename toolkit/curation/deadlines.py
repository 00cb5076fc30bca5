"""A deadline for the work on one image: a decoder that hangs takes its worker down, which is replaced, and is looked at alone.

A thread of Python's cannot stop C code that holds the interpreter's lock; the kernel's timer can, since it ends the process.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING, Final

from toolkit.engine import is_replaceable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["watched"]

_due_s: Final[dict[int, float]] = {}
"""When each thread that works on an image has worked too long, by ``time.monotonic``."""

_lock: Final = threading.Lock()


@contextlib.contextmanager
def watched(deadline_s: float) -> Iterator[None]:
    """End this process if the block takes longer, where that is a worker that will be replaced; elsewhere do nothing.

    Nothing is watched on Windows, which has no such timer.
    """
    if not is_replaceable() or not hasattr(signal, "setitimer"):
        yield
        return
    thread = threading.get_ident()
    try:
        _arm(thread, time.monotonic() + deadline_s)
        yield
    finally:
        _arm(thread, None)


def _arm(thread: int, due_s: float | None) -> None:
    """Set the process's one timer to the first of its threads that will have worked too long; ``SIGALRM`` ends a process."""
    with _lock:
        _due_s.pop(thread, None)
        if due_s is not None:
            _due_s[thread] = due_s
        first_s = min(_due_s.values(), default=None)
        signal.setitimer(signal.ITIMER_REAL, 0 if first_s is None else max(0.001, first_s - time.monotonic()))
