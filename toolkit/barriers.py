"""A start in common for tasks that run on several workers at once, through the scheduler that all of them can reach."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from distributed import Client

__all__ = ["arrive", "assemble", "dismiss", "exchange"]

_POLL_S: Final = 0.5
_STOP_POLL_S: Final = 2.0


def arrive(name: str, who: str, timeout_s: float, gathering: str) -> float:
    """Say within a task that this worker is there, wait until all are, and return the time (UTC seconds) of the start.

    Raises
    ------
    TimeoutError
        If the others do not come in time, or the gathering was dismissed.
    """
    from distributed import Event, Queue, get_client

    client = get_client()
    Queue(f"{name}-here", client=client).put(who)
    go, stop = Event(f"{name}-go", client=client), Event(f"{gathering}-stop", client=client)
    deadline_s = time.monotonic() + timeout_s
    while not go.wait(_STOP_POLL_S):
        if stop.is_set() or time.monotonic() > deadline_s:
            raise TimeoutError(f"the others did not come to '{name}' within {timeout_s:.0f} s")
    return time.time()


def dismiss(client: Client, gathering: str) -> None:
    """Send home whoever still waits at a barrier of a gathering."""
    from distributed import Event

    Event(f"{gathering}-stop", client=client).set()


def assemble(client: Client, name: str, expected: Collection[str], futures: Collection[Any], timeout_s: float) -> set[str]:
    """Wait until all have arrived at a barrier, let them go, and return who is missing: nobody, if all is well.

    Parameters
    ----------
    client : Client
        Of the driver.
    name : str
        Of the barrier; used once.
    expected : collection of str
        Who is to come.
    futures : collection of Future
        Their tasks: one that has ended will not come any more.
    timeout_s : float
        How long to wait for the last. When somebody is missing, nobody is let go.
    """
    from distributed import Event, Queue

    queue = Queue(f"{name}-here", client=client)
    missing = set(expected)
    deadline_s = time.monotonic() + timeout_s
    while missing and time.monotonic() < deadline_s:
        try:
            missing.discard(str(queue.get(timeout=_POLL_S)))
        except TimeoutError:
            if any(future.status in {"error", "cancelled", "lost", "finished"} for future in futures):
                break
    if not missing:
        Event(f"{name}-go", client=client).set()
    return missing


def exchange(name: str, who: str, facts: dict[str, Any], count: int, timeout_s: float) -> dict[str, dict[str, Any]]:
    """Put up within a task what others are to know of this worker, and return what all have put up, by worker.

    Raises
    ------
    TimeoutError
        If not all have done so in time.
    """
    from distributed import Event, Lock, Variable, get_client

    client = get_client()
    board = Variable(f"{name}-board", client=client)
    with Lock(f"{name}-lock"):
        known: dict[str, dict[str, Any]] = {}
        if Event(f"{name}-begun", client=client).is_set():
            known = board.get(timeout=timeout_s)
        known[who] = facts
        board.set(known)
        Event(f"{name}-begun", client=client).set()
        if len(known) >= count:
            Event(f"{name}-full", client=client).set()
    if not Event(f"{name}-full", client=client).wait(timeout_s):
        raise TimeoutError(f"not all {count} workers told '{name}' where they are within {timeout_s:.0f} s")
    found: dict[str, dict[str, Any]] = board.get(timeout=timeout_s)
    return found
