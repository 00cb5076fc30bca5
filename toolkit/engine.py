"""Dask, in one place: a LocalCluster by default, an existing cluster by address, and bounded streams of tasks with progress.

Tasks are handed *references* and return kilobytes; bytes of images never cross the scheduler. At most a few tasks per
thread are in flight, so that neither the scheduler nor the driver holds more than a window of the work.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from toolkit.errors import ClusterError, UsageError
from toolkit.local_cluster import FEW_MESSAGES_KEPT, local_cluster
from toolkit.notebook_progress import dashboard_shown
from toolkit.units import MIB, show

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Engine", "Progress", "Scheduler", "core_count", "engine", "is_replaceable", "silent", "worker_died"]

logger = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")
Scheduler: TypeAlias = "str | Client"
"""An existing Dask cluster: the address of its scheduler, or a connected client."""

Progress = Callable[[str, int, int | None, str], None]
"""Called as ``progress(stage, done, total, detail)``; the command line draws it, a library user may ignore it."""

_WINDOW_PER_THREAD: Final = 3
"""Tasks in flight per worker thread: one running, one waiting, one on its way."""

_CONNECT_TIMEOUT_S: Final = 10

_LEAST_MEMORY_BYTES: Final = 256 * MIB


def core_count() -> int:
    """Return the cores this process may use: its CPU affinity, capped by the cgroup's CPU quota."""
    from dask.system import CPU_COUNT

    return max(1, int(CPU_COUNT))


@dataclass(frozen=True)
class Engine:
    """A connected Dask client and what is known of its workers."""

    client: Client
    """The connected client."""
    is_own: bool
    """Whether this process started the cluster, and will close it."""

    @property
    def thread_count(self) -> int:
        """Worker threads over all workers."""
        return sum(worker["nthreads"] for worker in self.client.scheduler_info(n_workers=-1)["workers"].values()) or 1

    @property
    def worker_count(self) -> int:
        """Worker processes."""
        return len(self.client.scheduler_info(n_workers=-1)["workers"]) or 1

    @property
    def worker_memory_bytes(self) -> int | None:
        """Memory that any worker may take; None where no limit is set."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return min((limit for worker in workers if (limit := worker.get("memory_limit"))), default=None)

    @property
    def dashboard(self) -> str:
        """Address of the Dask dashboard, or an empty text."""
        return str(self.client.dashboard_link or "")

    def stream(
        self, function: Callable[[Task], Result], tasks: Iterable[Task], *, retries: int = 2
    ) -> Iterator[tuple[Task, Result | BaseException]]:
        """Run a function over tasks and yield ``(task, result)`` as they finish, in any order.

        The tasks are drawn from the iterable only as room is made, so it may be endless. An exception of a task is
        yielded in place of its result; what to do with it is the caller's to decide.

        Parameters
        ----------
        function : callable
            A module-level function of one argument; it must be importable on the workers.
        tasks : iterable
            Small, picklable references.
        retries : int
            How often a task is run again when its *worker* is lost. An exception that the function raises is not
            retried by Dask beyond this count either, so functions turn bad data into refusals, not exceptions.
        """
        from dask.utils import funcname
        from distributed import as_completed
        from distributed.protocol.pickle import dumps

        pending = iter(tasks)
        task_by_key: dict[Any, Task] = {}
        completed = as_completed(with_results=False)

        def submit_next() -> bool:
            try:
                task = next(pending)
            except StopIteration:
                return False
            name = f"{funcname(function)}-{uuid.uuid4().hex}"
            future = self.client.submit(_called, function, dumps(task), key=name, pure=False, retries=retries)
            task_by_key[future.key] = task
            completed.add(future)
            return True

        for _ in range(self.thread_count * _WINDOW_PER_THREAD):
            if not submit_next():
                break
        for future in completed:
            task = task_by_key.pop(future.key)
            fault = future.exception()
            yield task, (fault if fault is not None else future.result())
            future.release()
            submit_next()


def _called(function: Callable[[Task], Result], sealed: bytes) -> Result:
    """Call a function with a task that is unpickled here only: the scheduler unpickles what it hands on, one by one, alone."""
    from distributed.protocol.pickle import loads

    task: Task = loads(sealed)
    return function(task)


def silent(stage: str, done: int, total: int | None, detail: str) -> None:
    """Tell nobody: the ``Progress`` of a caller who gave none."""


def worker_died(fault: BaseException) -> bool:
    """Return whether a task failed because the worker process it ran on was lost, not because its function raised."""
    from distributed.scheduler import KilledWorker

    return isinstance(fault, KilledWorker)


@functools.lru_cache(maxsize=1)
def is_replaceable() -> bool:
    """Return whether this is a worker process that is replaced when it ends, and its task done again."""
    from distributed import get_worker

    try:
        return get_worker().nanny is not None
    except ValueError:  # no worker at all
        return False


@contextlib.contextmanager
def engine(
    scheduler: Scheduler | None = None,
    *,
    workers: int | None = None,
    threads: int | None = None,
    memory_bytes: int | None = None,
    worker_modules: Sequence[str] = (),
    driver_modules: Sequence[str] = (),
) -> Iterator[Engine]:
    """Give an ``Engine``: on an existing cluster if one is named, else on a LocalCluster that is closed afterwards.

    Parameters
    ----------
    scheduler : str or Client, optional
        Address of an existing scheduler (``tcp://host:8786``), or a connected client, which is left open.
    workers : int, optional
        Worker processes of the LocalCluster; by default one per core: two threads of one process took up to half as long
        again, waiting for the interpreter's lock.
    threads : int, optional
        Threads per worker; by default the cores divided over the workers.
    memory_bytes : int, optional
        Memory limit per local worker; by default Dask's own choice: the machine's, divided by the workers.
    worker_modules, driver_modules : sequence of str
        What the workers of a LocalCluster import as they start, and what this process imports while it waits for them:
        the first task is not kept waiting for it.

    Raises
    ------
    ClusterError
        If the named scheduler cannot be reached within 10 s.
    UsageError
        If ``workers`` is not positive, or ``memory_bytes`` too little to start in.
    """
    from distributed import Client

    if isinstance(scheduler, Client):
        yield _shown(Engine(client=scheduler, is_own=False))
        return
    if scheduler is not None:
        with _connected(scheduler) as client:
            yield _shown(Engine(client=client, is_own=False))
        return
    worker_count = core_count() if workers is None else workers
    if worker_count < 1:
        raise UsageError(f"workers must be 1 or more, not {worker_count}")
    if memory_bytes is not None and memory_bytes < _LEAST_MEMORY_BYTES:
        least = f"{_LEAST_MEMORY_BYTES // MIB} MiB"
        raise UsageError(f"a worker cannot start in {show(memory_bytes, 'bytes')}; give it {least} or more")
    thread_count = threads or max(1, core_count() // worker_count)
    started_s = time.perf_counter()
    with local_cluster(
        worker_count,
        thread_count,
        memory_bytes=memory_bytes,
        worker_modules=worker_modules,
        driver_modules=driver_modules,
    ) as client:
        logger.info(
            "local cluster of %d x %d threads ready in %.1f s", worker_count, thread_count, time.perf_counter() - started_s
        )
        yield _shown(Engine(client=client, is_own=True))


def _shown(running: Engine) -> Engine:
    """Return an engine whose dashboard stands beside the bars of a notebook, where there are any."""
    has_charts = not running.is_own or importlib.util.find_spec("bokeh") is not None
    dashboard_shown(running.dashboard, has_charts=has_charts)
    return running


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Client]:
    import dask.config
    from distributed import Client

    try:
        with dask.config.set(FEW_MESSAGES_KEPT):
            client = Client(address, timeout=_CONNECT_TIMEOUT_S)
    except (OSError, ValueError, TimeoutError) as fault:
        raise ClusterError(
            f"no Dask scheduler answers at '{address}'; start one with 'dask scheduler' or leave --scheduler out"
        ) from fault
    with client:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            raise ClusterError(f"the Dask scheduler at '{address}' has no workers; start some with 'dask worker {address}'")
        yield client
