"""The clock of a window, checked against readers whose rate is set."""

from __future__ import annotations

import time

import pytest
from attempts import until_it_holds

from toolkit.measurement.windows import Probe, Tally, run_threads, run_window

RATE_BYTES_PER_S = 50e6
CHUNK_BYTES = 64_000


class Throttled(Probe):
    """Gives chunks no faster than a set rate; preparation takes long, to show that it is not timed."""

    def __init__(self, prepare_s: float = 0.0) -> None:
        self.prepare_s = prepare_s
        self.is_open = False
        self.prepared_count = 0

    def open(self) -> None:
        self.is_open = True

    def prepare(self) -> None:
        assert self.is_open
        self.prepared_count += 1
        time.sleep(self.prepare_s)

    def run(self, deadline_s: float) -> Tally:
        start_s, size_bytes = time.perf_counter(), 0
        while True:
            size_bytes += CHUNK_BYTES
            due_s = start_s + size_bytes / RATE_BYTES_PER_S
            while time.perf_counter() < due_s:
                time.sleep(max(0.0, due_s - time.perf_counter()) / 2)
            if time.perf_counter() >= deadline_s or size_bytes >= 20 * CHUNK_BYTES:
                return Tally(operations=1, payload_bytes=size_bytes)

    def close(self) -> None:
        self.is_open = False


def test_a_throttled_reader_is_measured_at_its_rate() -> None:
    """A loaded machine wakes the reader late: the rate can be missed, never exceeded, and an undisturbed window tells it."""
    probe = Throttled(prepare_s=0.02)
    rates: list[float] = []

    def attempt() -> None:
        window = run_window(probe, 0.2)
        rates.append(window.tally.payload_bytes / window.elapsed_s)
        assert max(rates) == pytest.approx(RATE_BYTES_PER_S, rel=0.02)

    until_it_holds(attempt, tries=20)
    assert max(rates) <= RATE_BYTES_PER_S
    assert probe.prepared_count > 5
    assert not probe.is_open


def test_a_window_ends_when_preparation_takes_all_the_time() -> None:
    probe = Throttled(prepare_s=0.3)
    start_s = time.perf_counter()
    window = run_window(probe, 0.05)
    assert time.perf_counter() - start_s < 1.0 + 2.0  # a neighbour's part of a shared machine; twelve preparations take 3.6 s
    assert window.tally.operations == 1
    assert window.elapsed_s < 0.2


def test_no_time_at_all_runs_one_operation() -> None:
    assert run_window(Throttled(), 0.0).tally.operations == 1


def test_a_window_counts_the_server_it_talks_to() -> None:
    spent_s = iter(float(n) for n in range(100))
    assert run_window(Throttled(), 0.0, lambda: next(spent_s)).cpu_s >= 1.0


def test_threads_add_up_and_their_faults_come_out() -> None:
    def work() -> Tally:
        return Tally(operations=1, payload_bytes=10, images=2, pixels=3)

    def fail() -> Tally:
        raise OSError("the connection is gone")

    assert run_threads([work]) == work()
    assert run_threads([work] * 4) == Tally(operations=4, payload_bytes=40, images=8, pixels=12)
    with pytest.raises(OSError, match="the connection is gone"):
        run_threads([work, fail])


def test_what_was_opened_is_closed_when_a_segment_fails() -> None:
    class Failing(Throttled):
        def run(self, deadline_s: float) -> Tally:
            raise OSError("gone")

    probe = Failing()
    with pytest.raises(OSError, match="gone"):
        run_window(probe, 0.1)
    assert not probe.is_open
