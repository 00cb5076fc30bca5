"""A Dask cluster of this machine's own: it does not draw, spill or import the user's script, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from toolkit.units import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from distributed import Client, LocalCluster

__all__ = ["FEW_MESSAGES_KEPT", "local_cluster"]

_KEPT_UP_EVERY_S: Final = 1

_COLLECTED_AT: Final = (50_000, 20, 50)
"""New objects, and collections, after which Python's collector looks for cycles in workers: rows of facts have none, and looking
through all of them at every 700 took a twentieth of the time."""

FEW_MESSAGES_KEPT: Final = {"distributed.admin.low-level-log-length": 10}
"""Each connection keeps its last messages for those who look for faults in Dask, by default a thousand: with a unit of 256
images in each, these were most of what the driver took per image."""

_WORKER_ENVIRONMENT: Final = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": 1,
    "MALLOC_MMAP_THRESHOLD_": 256 * MIB,
    "MALLOC_TRIM_THRESHOLD_": 512 * MIB,
    "MKL_NUM_THREADS": 1,
    "OMP_NUM_THREADS": 1,
    "OPENBLAS_NUM_THREADS": 1,
}
"""One image after another takes and gives back the same megabyte. Dask has workers give freed memory back to the system at
64 KiB, and the C library maps what is larger than 128 KiB anew each time: a fifth of all processor time went into that. The
heaps of 64 MiB that it has for threads other than the first it gives back whole, whatever it is told: another twentieth, which
one arena for all threads spares; there is one thread in a worker that allocates much.
Arrow's own allocator gives large buffers back as well: writing a shard took up to twice as long with it."""


@contextlib.contextmanager
def local_cluster(
    worker_count: int,
    thread_count: int,
    *,
    memory_bytes: int | None = None,
    worker_modules: Sequence[str] = (),
    driver_modules: Sequence[str] = (),
) -> Iterator[Client]:
    """Give a client of a cluster that is closed afterwards.

    Parameters
    ----------
    worker_count, thread_count : int
        Worker processes, and threads of each.
    memory_bytes : int, optional
        Memory limit per worker; by default Dask's own choice: the machine's, divided by the workers.
    worker_modules, driver_modules : sequence of str
        What the workers import as they start, and what this process imports while it waits for them.
    """
    from distributed import Client, LocalCluster

    with (
        _quiet_dask(),
        _same_environment(),
        _importing(driver_modules),
        _main_left_alone(),
        LocalCluster(
            n_workers=worker_count,
            threads_per_worker=thread_count,
            processes=True,
            memory_limit=memory_bytes or "auto",
            dashboard_address=os.environ.get("TONNAGE_DASHBOARD", "127.0.0.1:0"),
            host="127.0.0.1",
            silence_logs=logging.CRITICAL,  # a failed task is raised here, in one sentence
            preload=list(worker_modules),
        ) as cluster,
        Client(cluster) as client,
        _kept_up(cluster, worker_count),
    ):
        client.register_worker_callbacks(_prepare_worker)  # those too that take the place of others later
        yield client


@contextlib.contextmanager
def _kept_up(cluster: LocalCluster, worker_count: int) -> Iterator[None]:
    """Start workers anew that are gone for good: Dask replaces one that dies, but not one that dies as soon as it has started.

    Source: distributed 2026.8, ``SpecCluster._update_worker_status``: such a worker is struck off after 15 s, and not replaced.
    """
    is_over = threading.Event()

    def keep_up() -> None:
        while not is_over.wait(_KEPT_UP_EVERY_S):
            if len(cluster.workers) < worker_count:
                cluster.scale(worker_count)

    thread = threading.Thread(target=keep_up, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@contextlib.contextmanager
def _same_environment() -> Iterator[None]:
    """Take back what Dask writes into this process's environment for its workers: later processes are not to inherit it."""
    before = {name: os.environ.get(name) for name in _WORKER_ENVIRONMENT}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def _importing(modules: Sequence[str]) -> Iterator[None]:
    """Import modules in a thread; what cannot be imported is left to whoever needs it to say."""

    def imported() -> None:
        for name in modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)

    thread = threading.Thread(target=imported, daemon=True)
    thread.start()
    yield
    thread.join()


@contextlib.contextmanager
def _main_left_alone() -> Iterator[None]:
    """Keep new worker processes from importing the user's script, which would call us again unless it is guarded.

    A spawned process imports the file that ``__main__`` names (``multiprocessing.spawn.get_preparation_data``), and fails
    where the script came from standard input. Our tasks are functions of this package, so no worker needs it.
    """
    main = sys.modules["__main__"]
    kept = {name: vars(main).pop(name) for name in ("__file__", "__spec__") if name in vars(main)}
    vars(main)["__spec__"] = None
    try:
        yield
    finally:
        vars(main).update({"__spec__": None} | kept)


def _prepare_worker() -> None:
    """Have a worker of our own collect cycles seldom, and leave Ctrl-C to the driver, which ends its workers in order."""
    import gc
    import signal

    gc.freeze()
    gc.set_threshold(*_COLLECTED_AT)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _quiet_dask() -> Iterator[None]:
    """Keep Dask from drawing on the user's terminal, and from spilling where the user did not ask it to."""
    import dask.config

    settings: dict[str, Any] = FEW_MESSAGES_KEPT | {
        "distributed.worker.profile.enabled": False,  # it takes the interpreter's lock a hundred times a second
        "distributed.worker.memory.pause": False,  # nothing is freed by waiting: a worker that was paused stayed so
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.admin.tick.limit": "1h",
        "distributed.admin.system-monitor.interval": "5s",  # figures of disk and network for a dashboard, in each process
        "distributed.admin.tick.interval": "1s",  # a watch on event loops, fifty times a second in each of them
        "distributed.nanny.pre-spawn-environ": _WORKER_ENVIRONMENT,
        "distributed.scheduler.allowed-failures": 1,  # what kills a worker twice is looked at alone, see worker_died
        "distributed.comm.timeouts.connect": "30s",
    }
    with dask.config.set(settings):
        yield
