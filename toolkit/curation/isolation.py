"""Work on one item at a time in a process of its own, so that an item that kills its process is found and the rest go on.

Decoders are C code; a file can be made that crashes one. A worker that dies takes a whole unit of work with it: the unit
is then gone through here, item by item, and what kills the process is refused.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["IsolatedProcess"]

_DEADLINE_S: Final = 120
"""An item that takes longer has hung; the largest image that is allowed decodes in a few seconds."""


class IsolatedProcess:
    """A process that is replaced whenever the work it was given kills or hangs it; a context manager."""

    def __init__(self, deadline_s: float = _DEADLINE_S) -> None:
        self._deadline_s = deadline_s
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
            If the process died or passed its deadline; the next call gets a new one.
        """
        if self._pool is None:
            self._pool = ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn"))
        try:
            return self._pool.submit(function, *arguments).result(timeout=self._deadline_s)
        except BrokenProcessPool as fault:
            self._end()
            raise ChildProcessError("the process died") from fault
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
