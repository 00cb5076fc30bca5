"""Work on one item at a time in a process of its own, so that an item that kills its process is found and the rest go on.

Decoders are C code; a file can be made that crashes one. A worker that dies takes a whole unit of work with it: the unit
is then gone through here, item by item, and what kills the process is refused.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, Final, Self

from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["IsolatedProcess"]

_START_S: Final = 120
"""Longest that a process may take to start and to import what it needs."""


class IsolatedProcess:
    """A process that is replaced whenever the work it was given kills or hangs it; a context manager.

    Parameters
    ----------
    deadline_s : float
        An item that takes longer has hung.
    memory_bytes : int, optional
        Memory that an item may take beside what the process takes by itself, on Linux; None for any.
    """

    def __init__(self, deadline_s: float = 120, memory_bytes: int | None = None) -> None:
        self._deadline_s = deadline_s
        self._memory_bytes = memory_bytes
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a module-level function returns of its arguments, computed in the other process.

        Raises
        ------
        ChildProcessError
            If the process died, passed its deadline or asked for more memory than it may have; the next call gets a new one.
        """
        try:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn"))
                self._pool.submit(_prepare, function.__module__, self._memory_bytes).result(timeout=_START_S)
            return self._pool.submit(function, *arguments).result(timeout=self._deadline_s)
        except BrokenProcessPool as fault:
            self._end()
            raise ChildProcessError("the process died") from fault
        except MemoryError as fault:
            self._end()
            raise ChildProcessError(f"it asked for more memory than {show(self._memory_bytes or 0, 'bytes')}") from fault
        except FutureTimeoutError as fault:
            self._end()
            raise ChildProcessError(f"the process did not answer for {self._deadline_s:g} s") from fault

    def _end(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        for process in list((pool._processes or {}).values()):  # a hung process never ends by being asked
            with contextlib.suppress(OSError):
                process.kill()
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare(module: str, memory_bytes: int | None) -> None:
    """Import what the work needs, then bound the memory that it may take on top; elsewhere than on Linux, bound nothing."""
    importlib.import_module(module)
    if memory_bytes is None or sys.platform != "linux":
        return
    import resource

    import psutil

    taken_bytes = psutil.Process().memory_info().vms
    _, hard_bytes = resource.getrlimit(resource.RLIMIT_AS)
    limit_bytes = taken_bytes + memory_bytes
    if hard_bytes == resource.RLIM_INFINITY or limit_bytes < hard_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, hard_bytes))
