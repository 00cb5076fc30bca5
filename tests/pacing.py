"""What keeps the suite short and calm: the long tests first, setups made once for all workers, timed tests alone at the end."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

# the longest first, so that no worker is left alone with one of them at the end; others keep their order
LONGEST = (
    "tests/notebooks", "tests/integration/test_readme.py", "tests/integration/test_measure_cluster.py",
    "tests/integration/test_backtest.py", "tests/integration/test_cli.py", "tests/integration/test_curate_faults.py",
    "tests/integration/test_measure.py", "tests/integration/test_guides.py", "tests/unit/test_measurement_utilisation.py",
    "tests/integration/test_revising.py", "tests/unit/test_laws_extrapolating.py", "tests/browser", "tests/integration",
    "tests/unit/test_laws.py",
)  # fmt: skip

# these repeat whole paths and laws that other tests cover already; traced, they would take up to twice as long
UNTRACED = (
    "tests/browser", "tests/notebooks", "tests/property", "tests/integration/test_readme.py", "tests/integration/test_guides.py",
    "tests/integration/test_training_guide.py", "tests/integration/test_measure_cluster.py", "tests/integration/test_benchmarks.py",
)  # fmt: skip

# these hold a rate or a time against what physics says of it: they run alone, after all others, and again where disturbed
TIMED = (
    "tests/integration/test_measure_cluster.py", "tests/integration/test_transfer_to.py", "tests/unit/test_measurement_accesses.py",
    "tests/unit/test_measurement_caches.py", "tests/unit/test_measurement_contention.py", "tests/unit/test_measurement_steps.py",
    "tests/unit/test_measurement_transfer.py", "tests/unit/test_measurement_utilisation.py", "tests/unit/test_measurement_windows.py",
    "tests/unit/test_measurement_probes.py::test_cold_reads_of_every_kind_are_proven_cold",
    "tests/unit/test_dataset_loader.py::test_giving_up_an_epoch_stops_its_threads",
    "tests/integration/test_measure.py::test_reads_are_measured_saved_and_proven",
)  # fmt: skip
TRIES = 4

# what coverage sets so that processes that a test starts are traced too
TRACED_CHILDREN = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")


def starts_in(nodeid: str, places: tuple[str, ...]) -> int:
    """Return the number of the first place (a folder, a file or a test) that a test lies in, or their count."""
    inside = ((number, (f"{place}/", f"{place}::", f"{place}[")) for number, place in enumerate(places))
    return next((number for number, starts in inside if f"{nodeid}[".startswith(starts)), len(places))


def arrange(items: list[pytest.Item]) -> None:
    """Put the longest first; each file's tests stay together, in one worker, for its fixtures. Mark those that are timed."""
    items.sort(key=lambda item: starts_in(item.nodeid, LONGEST))
    for item in items:
        if starts_in(item.nodeid, TIMED) < len(TIMED):
            item.add_marker(pytest.mark.timed)
            item.add_marker(pytest.mark.flaky(reruns=TRIES - 1, reruns_delay=2))


def is_untraced(item: pytest.Item) -> bool:
    """Return whether coverage is to look away while a test runs."""
    return item.get_closest_marker("untraced") is not None or starts_in(item.nodeid, UNTRACED) < len(UNTRACED)


@contextmanager
def untraced() -> Iterator[None]:
    """Have coverage look away, in this process and in those that it starts meanwhile."""
    from coverage import Coverage

    kept = {name: os.environ.pop(name) for name in TRACED_CHILDREN if name in os.environ}
    running = Coverage.current() if kept else None
    if running:
        running.stop()
    try:
        yield
    finally:
        if running:
            with warnings.catch_warnings():  # that what it looks at was imported meanwhile is meant
                warnings.simplefilter("ignore")
                running.start()
        os.environ.update(kept)


def made_once(name: str, factory: pytest.TempPathFactory, make: Callable[[Path], None]) -> Path:
    """Return a folder that the first worker to ask for it fills; the others wait, then take it as it is.

    Coverage looks away, so that what it counts does not depend on which test asks first.
    """
    base = factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made_once" / name
    done = place / "done"
    place.parent.mkdir(exist_ok=True)
    with FileLock(place.with_suffix(".lock")):
        if not done.exists():
            assert not place.exists(), f"making {name} has failed before in this run; see the first failure"
            place.mkdir()
            with untraced():
                make(place)
            done.touch()
    return place
