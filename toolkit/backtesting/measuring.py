"""One size measured for real: a collection curated, its bytes counted, and read back in every way that is predicted."""

from __future__ import annotations

import itertools
import math
import os
import statistics
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.curation.pipeline import curate
from toolkit.dataset.reading import open_dataset
from toolkit.dataset.verify import verify
from toolkit.measurement import decode, loader, storage, transfer
from toolkit.measurement.caches import device_read_bytes
from toolkit.measurement.plans import PLANS
from toolkit.measurement.stages import RESIZE_PX
from toolkit.measurement.subject import Subject
from toolkit.measurement.windows import run_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from toolkit.dataset.reading import Dataset
    from toolkit.engine import Scheduler
    from toolkit.measurement.windows import Probe

__all__ = [
    "curated", "decode_rates", "epoch_time", "random_times", "range_bytes_of", "read_times", "sizes_in_bytes", "transfer_times",
]  # fmt: skip

_WHOLE: Final = replace(PLANS["quick"], working_set_bytes=2**62)
"""A plan that reads all of a dataset."""
_BATCH_SIZE: Final = 64
_COLD_SHARE: Final = 0.9
"""A pass counts as cold when so much of what it asked for came from the device."""
_SHORT_S: Final = 0.15
"""Passes are repeated until they took so long, or were as many as below, and their mean is taken: a pass that is over before
anything else runs is faster than a long one ever is in the mean, and a median of such passes would not show it."""
_MAX_PASSES: Final = 10
_RANGE_BYTES: Final = 2**20
_BESIDE_BYTES: Final = 96 * 2**20
"""More than the last-level cache of most processors."""


def curated(files: Path, place: Path, scheduler: Scheduler) -> tuple[Dataset, dict[str, float]]:
    """Curate a folder of images into a new dataset; return it with the time that took."""
    start_s = time.perf_counter()
    dataset = curate(files, place, scheduler=scheduler)
    elapsed_s = time.perf_counter() - start_s
    return open_dataset(place), {"curate_s": elapsed_s, "curate_cpu_s": dataset.state.curation["cpu_s"]}


def sizes_in_bytes(dataset: Dataset) -> dict[str, float]:
    """Return bytes of the images, the shards, the catalog, and all files of a dataset."""
    catalog = sum(path.stat().st_size for path in dataset.table_paths("catalog"))
    walked = itertools.chain.from_iterable(
        ((folder, name) for name in names) for folder, _, names in os.walk(dataset.location.path)
    )
    return {
        "image_bytes": float(dataset.state.image_bytes),
        "shard_bytes": float(dataset.shards["size_bytes"].sum()),
        "catalog_bytes": float(catalog),
        "capacity_bytes": float(sum(os.path.getsize(os.path.join(folder, name)) for folder, name in walked)),  # noqa: PTH118, PTH202 -- paths as os.walk gives them
    }


def epoch_time(dataset: Dataset, core_count: int) -> dict[str, float]:
    """Return the time of a training epoch: every image read, checked, decoded and scaled, by a thread on each core."""
    batch_size = min(_BATCH_SIZE, len(dataset))
    subject = Subject(dataset, _WHOLE)
    return {
        "loader_s": _pass_s(loader.LoaderEpochs(subject, batch_size, core_count, decode=True, resize_px=RESIZE_PX, verify=True))
    }


def read_times(dataset: Dataset) -> dict[str, float]:
    """Return the times to read all of a dataset: cold, warm with every image checked, and to verify its files; one thread.

    A cold read that the kernel did not serve from the device is left out.
    """
    subject = Subject(dataset, _WHOLE)
    batch_size = min(_BATCH_SIZE, len(dataset))
    checked = loader.LoaderEpochs(subject, batch_size, 1, decode=False, resize_px=None, verify=True)
    cold = _cold_pass_s(storage.SequentialRead(subject, "cold"))
    warm = {"read_s": _pass_s(checked), "verify_s": _mean_s(lambda: verify(dataset))}
    return warm | ({} if cold is None else {"read_cold_s": cold})


def _pass_s(probe: Probe) -> float:
    """Return the mean time of whole passes; short ones are repeated."""
    probe.open()
    try:
        return _mean_s(lambda: probe.run(math.inf), probe.prepare)
    finally:
        probe.close()


def _mean_s(run: Callable[[], object], prepare: Callable[[], object] = lambda: None) -> float:
    """Return the mean time of runs, as many as it takes to see what disturbs a long one."""
    times: list[float] = []
    while not times or (sum(times) < _SHORT_S and len(times) < _MAX_PASSES):
        prepare()
        _forget()
        start_s = time.perf_counter()
        run()
        times.append(time.perf_counter() - start_s)
    return statistics.fmean(times)


def _cold_pass_s(probe: Probe) -> float | None:
    """Return the mean time of passes that the device served, or None if none was.

    The first pass is left out: it fills what lies below this machine's page cache (a drive's own memory, a host's), which
    nobody here can empty, and which holds some sizes and not others; afterwards all are alike.
    """
    times: list[float] = []
    probe.open()
    try:
        for attempt in range(_MAX_PASSES):
            probe.prepare()
            _forget()
            before = device_read_bytes()
            start_s = time.perf_counter()
            tally = probe.run(math.inf)
            elapsed_s = time.perf_counter() - start_s
            after = device_read_bytes()
            is_cold = before is not None and after is not None and after - before >= _COLD_SHARE * tally.payload_bytes
            if is_cold and attempt:
                times.append(elapsed_s)
            if sum(times) >= _SHORT_S or (attempt and not times and elapsed_s >= _SHORT_S):
                break  # long enough; or whatever serves it is no device, and the same again would take as long
    finally:
        probe.close()
    return statistics.fmean(times) if times else None


def _forget() -> None:
    """Push what was read before out of the processor's caches: a dataset larger than they are never finds itself there."""
    _beside().sum()


@lru_cache(maxsize=1)
def _beside() -> NDArray[np.uint64]:
    return np.ones(_BESIDE_BYTES // 8, np.uint64)


def range_bytes_of(dataset: Dataset) -> int:
    """Return the size of the ranges that are asked for: a mebibyte, less where no shard is as large."""
    largest: Any = dataset.shards["size_bytes"].max()
    return max(1, min(_RANGE_BYTES, int(largest) // 2))


def transfer_times(dataset: Dataset, range_counts: Sequence[int]) -> Iterator[float]:
    """Yield the time to fetch so many ranges one after another over one connection of the loopback."""
    subject = Subject(dataset, _WHOLE)
    with ExitStack() as stack:
        server = stack.enter_context(transfer.TransferServer(subject.paths))
        probe = transfer.HttpRange(subject, server, range_bytes_of(dataset), 1)
        probe.open()
        try:
            for _ in range(max(range_counts)):
                probe.run(0.0)  # the connection and both processes at speed
            for count in range_counts:
                yield _mean_s(partial(_run_all, probe, count))
        finally:
            probe.close()


def random_times(dataset: Dataset, get_counts: Sequence[int], seed: int) -> Iterator[float]:
    """Yield the time to get so many images one by one, at random places, each checked, from the page cache."""
    random = np.random.default_rng(seed)
    for place in random.integers(len(dataset), size=max(get_counts)):
        dataset.get(int(place))  # files opened, their pages resident
    for count in get_counts:
        places = random.integers(len(dataset), size=count).tolist()
        yield _mean_s(partial(_get_all, dataset, places))


def _run_all(probe: Probe, count: int) -> None:
    for _ in range(count):
        probe.run(0.0)


def _get_all(dataset: Dataset, places: Sequence[int]) -> None:
    for place in places:
        dataset.get(place)


def decode_rates(dataset: Dataset, worker_counts: Sequence[int], window_s: float) -> Iterator[float]:
    """Yield images decoded each second by so many threads, from memory, each over a window of ``window_s`` seconds."""
    images = decode.decodable(Subject(dataset, _WHOLE).images)
    for workers in worker_counts:
        window = run_window(decode.Decode(images, workers, None, is_bare=False), window_s)
        yield window.tally.images / window.elapsed_s
