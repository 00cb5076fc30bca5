"""One timed window of a stage: what is prepared is not timed, what is timed is counted.

A window is made of segments. Before each segment the stage prepares (evicts files from the page cache, reads them into
it, opens connections) outside the clock; then it runs until its share of the window is over. Device bytes are counted
over the timed segments alone.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from toolkit.measurement.caches import device_read_bytes
from toolkit.measurement.latencies import latency_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Probe", "Tally", "Window", "run_threads", "run_window", "utc_now"]

_BUDGET_FACTOR: Final = 5
"""A window ends when this many times its length has passed on the wall, preparation included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a segment did."""

    operations: int
    """Reads, requests, decodes or batches."""
    payload_bytes: int = 0
    """Bytes that were asked for and came."""
    images: int = 0
    """Images that came; 0 where the stage has none."""
    pixels: int = 0
    """Pixels that were decoded; 0 where the stage has none."""
    waited_s: float = 0.0
    """Time in which a consumer waited for what it takes; 0 where there is none."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            operations=self.operations + other.operations,
            payload_bytes=self.payload_bytes + other.payload_bytes,
            images=self.images + other.images,
            pixels=self.pixels + other.pixels,
            waited_s=self.waited_s + other.waited_s,
        )


class Probe:
    """A stage as it is measured: open, then prepare and run in turn, then close. Nothing is held between windows."""

    member_count: int = 1
    """Members of its closed loop: operations in flight at any time."""
    is_spent: bool = False
    """Whether a further segment would not find the conditions of the window any more: it then ends, however short it is."""

    def open(self) -> None:
        """Acquire what the window needs; not timed."""

    def prepare(self) -> None:
        """Bring about the conditions of the next segment; not timed."""

    def run(self, deadline_s: float) -> Tally:
        """Work until ``time.perf_counter()`` passes the deadline, or the segment ends; at least one operation."""
        raise NotImplementedError

    def wire(self) -> dict[str, Any] | None:
        """Return the fields of a ``toolkit.facts.Wire`` for the window that ends; asked after its last segment, before close."""
        return None

    def times_s(self) -> Sequence[float]:
        """Return how long each operation of the window that ends took, where the stage times them one by one."""
        return ()

    def timed(self) -> dict[str, Any] | None:
        """Return the fields of a ``toolkit.facts.Latency`` for the window that ends; asked like ``wire``."""
        return latency_of(self.times_s(), self.member_count)

    def close(self) -> None:
        """Release everything: a file that stays mapped cannot be evicted for the next stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was counted in one window."""

    started_at: str
    """UTC, ISO 8601."""
    elapsed_s: float
    """Timed seconds."""
    cpu_s: float
    """CPU time in the timed segments: of this process, and of the server it talks to."""
    tally: Tally
    """What was done."""
    device_bytes: int | None
    """Bytes read from the device in the timed segments; None where the kernel does not say."""
    wire: dict[str, Any] | None = None
    """What a transfer took beyond its payload; None for what transfers nothing."""
    latency: dict[str, Any] | None = None
    """The fields of a ``toolkit.facts.Latency``; None where operations are not timed one by one."""


def run_window(probe: Probe, target_s: float, server_cpu_s: Callable[[], float] = lambda: 0.0) -> Window:
    """Return one window of a stage.

    Parameters
    ----------
    probe : Probe
        The stage.
    target_s : float
        Timed seconds to reach; 0 runs one operation. It is not reached when preparation takes long: after five times
        the target on the wall the window ends with what it has.
    server_cpu_s : callable
        CPU seconds so far of another process that takes part.
    """
    started_at, opened_s = utc_now(), time.perf_counter()
    elapsed_s = cpu_s = 0.0
    tally, device_bytes = Tally(operations=0), None
    probe.open()
    try:
        while True:
            probe.prepare()
            read_before, cpu_before = device_read_bytes(), time.process_time() + server_cpu_s()
            start_s = time.perf_counter()
            tally += probe.run(start_s + target_s - elapsed_s)
            elapsed_s += time.perf_counter() - start_s
            cpu_s += time.process_time() + server_cpu_s() - cpu_before
            read_after = device_read_bytes()
            if read_before is not None and read_after is not None:
                device_bytes = (device_bytes or 0) + read_after - read_before
            if elapsed_s >= target_s or probe.is_spent or time.perf_counter() - opened_s > target_s * _BUDGET_FACTOR:
                break
        wire, latency = probe.wire(), probe.timed()
    finally:
        probe.close()
    return Window(
        started_at=started_at, elapsed_s=elapsed_s, cpu_s=cpu_s, tally=tally, device_bytes=device_bytes, wire=wire,
        latency=latency,
    )  # fmt: skip


def run_threads(works: Sequence[Callable[[], Tally]]) -> Tally:
    """Return the sum of what several functions did at the same time, each in its thread; one alone runs without a thread.

    An exception of one is raised here after all have ended.
    """
    if len(works) == 1:
        return works[0]()
    tallies: list[Tally] = []
    faults: list[BaseException] = []

    def call(work: Callable[[], Tally]) -> None:
        try:
            tallies.append(work())
        except BaseException as fault:  # noqa: BLE001 - carried to the caller's thread and raised there
            faults.append(fault)

    threads = [threading.Thread(target=call, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return sum(tallies, start=Tally(operations=0))


def utc_now() -> str:
    """Return the time as ISO 8601 with a ``Z``."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
