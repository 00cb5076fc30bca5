"""Turns of the requests to one host: as many at once as are allowed, whichever worker makes them.

A turn is a lock on a file, so that processes of one machine need no one to ask, a worker that has a host to itself has all
of its turns, and those of a worker that died are free again.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.curation.sources.access import Access

__all__ = ["host_turn"]

_SHORTEST_S: Final = 0.002
_LONGEST_S: Final = 0.05
"""Pauses between looking for a free turn, which grow."""


@lru_cache(4_096)
def _of_process(host: str, count: int) -> threading.BoundedSemaphore:  # noqa: ARG001 -- one per host
    return threading.BoundedSemaphore(count)


@contextlib.contextmanager
def host_turn(host: str, access: Access) -> Iterator[None]:
    """Wait until fewer requests to a host are under way than ``access.per_host_count``, and hold a place among them.

    They are those of all processes that were given the same folder ``access.turns``; without one, those of this process.
    """
    with _of_process(host, access.per_host_count), contextlib.ExitStack() as held:
        if access.turns:
            held.enter_context(_taken(host, access))
        yield


def _taken(host: str, access: Access) -> FileLock:
    """Return a lock that is held, on one of the host's files."""
    folder = Path(access.turns) / hashlib.sha256(host.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    pause_s = _SHORTEST_S
    while True:
        for number in random.sample(range(access.per_host_count), access.per_host_count):
            lock = FileLock(folder / str(number), thread_local=False)
            with contextlib.suppress(Timeout):
                lock.acquire(blocking=False)
                return lock
        time.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 -- no secret
        pause_s = min(_LONGEST_S, pause_s * 1.5)
