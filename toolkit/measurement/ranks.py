"""Emulated accelerators in a process of their own: several consumers, a thread and a loader each, told what to do line by line.

Run as ``python -m toolkit.measurement.ranks``; each line of standard input is a ``Trial``, each line of output what came of it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.dataset.reading import open_dataset
from toolkit.measurement.caches import device_read_bytes
from toolkit.measurement.feeding import Feed
from toolkit.measurement.pacing import pace, sleep_finely
from toolkit.measurement.presets import Preset, preset_of

if TYPE_CHECKING:
    from toolkit.dataset.loader import Batch, Loader
    from toolkit.dataset.reading import Dataset
    from toolkit.measurement.pacing import Paced

__all__ = ["Trial", "main"]

_LOADER_BATCH: int = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What the consumers of one process are to do; plain JSON types."""

    dataset: str
    """Path of the dataset."""
    version: int
    """Its version."""
    preset: Preset
    """The accelerator."""
    ranks: tuple[int, ...]
    """Which accelerators this process emulates."""
    world_size: int
    """How many there are over all processes."""
    workers: int
    """Decoding threads of each loader."""
    decode: bool
    """Whether images are decoded; else they stay encoded, as the benchmark leaves them."""
    verify: bool
    """Whether images are checked against their hashes."""
    step_count: int
    """Steps of each."""
    most_s: float
    """Seconds after which no further step begins, however few there were."""
    seed: int
    """Seed of the orders."""
    start_at_s: float = 0.0
    """When all begin, as ``time.time`` tells it."""


def main() -> None:
    """Answer each trial on standard input with what came of it."""
    sleep_finely()
    for line in sys.stdin:
        facts: dict[str, Any] = json.loads(line)
        trial = Trial(**facts | {"preset": preset_of(facts["preset"]), "ranks": tuple(facts["ranks"])})
        try:
            said = _run(trial)
        except Exception as fault:  # noqa: BLE001 -- whatever a loader raises is told to the process that asked
            said = {"fault": f"{type(fault).__name__}: {fault}"}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
    os._exit(0)


def _run(trial: Trial) -> dict[str, Any]:
    dataset = open_dataset(trial.dataset, trial.version)
    mean_bytes = dataset.state.image_bytes / len(dataset)
    feeds = [_feed(dataset, trial, rank, mean_bytes) for rank in trial.ranks]
    paced: dict[int, Paced] = {}
    faults: list[BaseException] = []

    def consume(number: int) -> None:
        try:
            with feeds[number] as steps:
                paced[number] = pace(steps, trial.preset.step_s, trial.step_count, trial.most_s)
        except BaseException as fault:  # noqa: BLE001 -- raised again below
            faults.append(fault)

    threads = [threading.Thread(target=consume, args=(number,), daemon=True) for number in range(len(feeds))]
    time.sleep(max(0.0, trial.start_at_s - time.time()))
    read_before, cpu_before, begun_s = device_read_bytes(), time.process_time(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed_s = time.perf_counter() - begun_s
    if faults:
        raise faults[0]
    read_after = device_read_bytes()
    images = sum(feed.image_count for feed in feeds)
    return {
        "paced": [dataclasses.asdict(paced[number]) for number in range(len(feeds))],
        "elapsed_s": elapsed_s,
        "cpu_s": time.process_time() - cpu_before,
        "images": images,
        "payload_bytes": round(images * mean_bytes),
        "device_bytes": None if read_before is None or read_after is None else read_after - read_before,
    }


def _feed(dataset: Dataset, trial: Trial, rank: int, mean_bytes: float) -> Feed:
    preset = trial.preset
    step_images = preset.batch_count if preset.is_image else preset.batch_count * preset.sample_bytes / mean_bytes
    is_shared = len(dataset) >= trial.world_size * step_images
    loader: Loader = dataset.loader(
        batch_size=max(1, min(_LOADER_BATCH, round(step_images), len(dataset))), workers=trial.workers,
        decode=trial.decode, resize_px=preset.resize_px if trial.decode else None, verify=trial.verify,
        seed=trial.seed if is_shared else trial.seed + rank, rank=rank if is_shared else 0,
        world_size=trial.world_size if is_shared else 1,
    )  # fmt: skip
    if preset.is_image:
        return Feed(loader, preset.batch_count, len, trial.step_count)
    return Feed(
        loader, preset.batch_count * preset.sample_bytes, lambda batch: _encoded_bytes(batch, mean_bytes), trial.step_count
    )


def _encoded_bytes(batch: Batch, mean_bytes: float) -> float:
    first = batch.images[0]
    return float(sum(map(len, batch.images))) if isinstance(first, bytes) else len(batch) * mean_bytes


if __name__ == "__main__":
    main()
