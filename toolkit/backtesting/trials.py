"""A trial: all its sizes measured in random order, the small ones several times; and how many images fit the time given."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from toolkit.backtesting import measuring
from toolkit.backtesting.enlarging import enlarged, group_bytes
from toolkit.facts.backtests import Observation
from toolkit.laws.fitting import LAWS, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from distributed import Client

    from toolkit.backtesting.samples import Sampler
    from toolkit.dataset.reading import Dataset

__all__ = ["FITTED_FACTORS", "PREDICTED_FACTORS", "Bench", "Sizes", "read_units", "sizes_within", "to_be_read"]

FITTED_FACTORS: Final = (0.25, 0.5, 1.0)
"""Sizes that are fitted, as shares of the largest of them."""
PREDICTED_FACTORS: Final = (2.0, 4.0, 8.0)
"""Sizes that are predicted, as multiples of the largest that is fitted."""
_PREDICTED_READS: Final = (2.0, 3.0, 4.0, 6.0, 8.0)
"""The same for datasets that are read."""
_PREDICTED_COUNTS: Final = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
"""The same for images and ranges that are asked for one by one."""
_CURATED: Final = (*[0.25] * 4, *[0.5] * 3, *[1.0] * 5)
"""The sizes that a trial curates to fit them: the ends of a line say most of it, and its far end costs most to get wrong."""
_WORKER_REPEATS: Final = 3
"""How often it measures each count of workers that it fits."""
_READ_REPEATS: Final = 4
"""How often it reads and transfers those; that takes little."""
_LARGE_REPEATS: Final = 2
"""How often it measures what it predicted, where that takes little."""
_FITTED_WORKERS: Final = (1, 2, 3, 4)
_PREDICTED_WORKERS: Final = (5, 6, 7, 8)
_LARGEST_FITTED_RANGES: Final = 128
_LARGEST_FITTED_GETS: Final = 1_024
_DECODE_WINDOW_S: Final = 0.25
_BESIDE_S: Final = 40.0
"""What a trial takes for reads, transfers and workers, whatever its sizes."""
_LEAST_IMAGES: Final = 8
_MOST_IMAGES: Final = 4_096
"""Bounds of the smallest size, in images."""
_USUAL_IMAGES: Final = 32
_USUAL_LEFT_S: Final = 30.0
"""The least there is where so much time is left: the bytes of a few images tell little of those of many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of a trial."""

    smallest_count: int
    """Images of the smallest size."""

    @property
    def largest_fitted_count(self) -> int:
        """Images of the largest size that is fitted."""
        return round(self.smallest_count / FITTED_FACTORS[0])

    def count(self, factor: float) -> int:
        """Return the images at a factor."""
        return round(self.largest_fitted_count * factor)

    @property
    def fitted(self) -> tuple[int, ...]:
        """Images of the sizes that are fitted."""
        return tuple(self.count(factor) for factor in FITTED_FACTORS)

    @property
    def predicted(self) -> tuple[int, ...]:
        """Images of the sizes that are predicted."""
        return tuple(self.count(factor) for factor in PREDICTED_FACTORS)


def trial_images(sizes: Sizes) -> int:
    """Return the images that one trial curates.

    Examples
    --------
    >>> trial_images(Sizes(smallest_count=64))
    5504
    """
    return sum(sizes.count(factor) for factor in (*_CURATED, *PREDICTED_FACTORS))


def sizes_within(left_s: float, pilot: Sequence[tuple[int, float]], full_count: int = _USUAL_IMAGES) -> tuple[Sizes, int]:
    """Return the sizes, and how many trials of them fit the time left, by the times that pilots of two sizes took.

    As many trials as usual, unless the smallest size then does not fill all threads of a curation (``full_count`` does), or the
    images of the largest fitted size take less than twice what is spent at any size: neither says what larger sizes take.
    Fewer trials of larger sizes are made then.

    Examples
    --------
    >>> sizes_within(300.0, [(16, 0.2 + 16 * 0.002), (64, 0.2 + 64 * 0.002)], 128)
    (Sizes(smallest_count=176), 4)
    >>> sizes_within(120.0, [(16, 0.2 + 16 * 0.002), (64, 0.2 + 64 * 0.002)], 128)
    (Sizes(smallest_count=96), 2)
    """
    counts, times = (np.array(column, dtype=float) for column in zip(*pilot, strict=True))
    fixed_s, image_s = fit(LAWS["affine"], counts, times, is_robust=False)
    least_count = _USUAL_IMAGES if left_s >= _USUAL_LEFT_S else _LEAST_IMAGES
    for trial_count in (5, 4, 3, 2):
        sizes = _largest_within(left_s / trial_count - _BESIDE_S, fixed_s, image_s, least_count)
        if sizes.smallest_count >= full_count and sizes.largest_fitted_count * image_s >= 2 * fixed_s:
            break
    return sizes, trial_count


def _largest_within(trial_s: float, fixed_s: float, image_s: float, least_count: int) -> Sizes:
    measured = len(_CURATED) + len(PREDICTED_FACTORS)
    smallest = least_count
    while smallest < _MOST_IMAGES:
        larger = smallest + max(_LEAST_IMAGES, smallest // 4 // _LEAST_IMAGES * _LEAST_IMAGES)
        if measured * fixed_s + trial_images(Sizes(smallest_count=larger)) * image_s > trial_s:
            break
        smallest = larger
    return Sizes(smallest_count=smallest)


def read_units() -> float:
    """Return how many times the smallest of the datasets to be read all of them are together."""
    return sum((*FITTED_FACTORS, *_PREDICTED_READS)) / FITTED_FACTORS[0]


def to_be_read(dataset: Dataset, scratch: Path, smallest_bytes: float) -> dict[float, Dataset]:
    """Return datasets to be read, by their size over the largest that is fitted: row groups of one, or pieces of them."""
    piece_count = max(1, round(group_bytes(dataset) / smallest_bytes))
    unit = max(1, round(smallest_bytes * piece_count / group_bytes(dataset)))
    return {
        factor: enlarged(dataset, scratch / f"read-{factor:g}", round(unit * factor / FITTED_FACTORS[0]), piece_count)
        for factor in (*FITTED_FACTORS, *_PREDICTED_READS)
    }


@dataclass(slots=True, kw_only=True)
class Bench:
    """What the trials share."""

    sampler: Sampler
    """Gives the collections."""
    scratch: Path
    """Folder for what is made and removed again."""
    client: Client
    """The cluster that curates."""
    core_count: int
    """Cores that may be used here."""
    seed: int
    """Seed of the order."""
    tell: Callable[[int, int, str], None]
    """Called with steps done, steps in all, and what is done."""
    effort_share: float
    """Share of the usual requests, and of the usual time of decoding, that a trial takes: less where the limit is short."""
    reading: Mapping[float, Dataset]
    """Datasets to be read and transferred, by their size over the largest that is fitted."""

    def pilot(self, image_count: int) -> tuple[int, float]:
        """Measure one size and forget it; return images and seconds, all work around it included."""
        start_s = time.perf_counter()
        self._measure(image_count, "pilot")
        shutil.rmtree(self.scratch / "pilot", ignore_errors=True)
        return image_count, time.perf_counter() - start_s

    def trial(self, sizes: Sizes, trial_index: int) -> list[Observation]:
        """Return what a trial measured."""
        steps = [*_CURATED, *PREDICTED_FACTORS]
        order = np.random.default_rng([self.seed, trial_index]).permutation(len(steps))
        found: list[Observation] = []
        for done, step in enumerate(order):
            factor, name = steps[step], f"{trial_index}-{step}"
            self.tell(done, len(steps) + 2, f"trial {trial_index + 1}: {sizes.count(factor):,} images")
            values = self._measure(sizes.count(factor), name)
            found += [
                Observation(
                    kind=kind, trial_index=trial_index, size_factor=factor, value=value,
                    driver_count=values["shard_bytes"] if kind == "loader_s" else sizes.count(factor),
                )
                for kind, value in values.items()
            ]  # fmt: skip
        self.tell(len(steps), len(steps) + 2, f"trial {trial_index + 1}: reads, transfers, workers")
        largest = self.reading[PREDICTED_FACTORS[-1]]
        found += [*self._reads(trial_index), *self._gets(largest, trial_index), *self._transfers(largest, trial_index)]
        return [*found, *self._workers(largest, trial_index)]

    def _measure(self, image_count: int, name: str) -> dict[str, float]:
        folder = self.scratch / name
        self.sampler.write(folder / "raw", image_count)
        dataset, times = measuring.curated(folder / "raw", folder / "dataset", self.client)
        values = measuring.sizes_in_bytes(dataset) | times | measuring.epoch_time(dataset, self.core_count)
        shutil.rmtree(folder, ignore_errors=True)
        return values

    def _reads(self, trial_index: int) -> list[Observation]:
        found: list[Observation] = []
        for factor in self._shuffled([*FITTED_FACTORS] * _READ_REPEATS + [*_PREDICTED_READS] * _LARGE_REPEATS, trial_index):
            size_bytes = float(self.reading[factor].shards["size_bytes"].sum())
            found += [
                Observation(kind=kind, trial_index=trial_index, driver_count=size_bytes, size_factor=factor, value=value)
                for kind, value in measuring.read_times(self.reading[factor]).items()
            ]
        return found

    def _gets(self, dataset: Dataset, trial_index: int) -> list[Observation]:
        steps = self._shuffled([*FITTED_FACTORS] * _READ_REPEATS + [*_PREDICTED_COUNTS], trial_index)
        counts = [round(_LARGEST_FITTED_GETS * self.effort_share * factor) for factor in steps]
        times = measuring.random_times(dataset, counts, seed=self.seed)
        return [
            Observation(kind="random_s", trial_index=trial_index, driver_count=n, size_factor=f, value=value)
            for f, n, value in zip(steps, counts, times, strict=True)
        ]

    def _transfers(self, dataset: Dataset, trial_index: int) -> list[Observation]:
        steps = self._shuffled([*FITTED_FACTORS] * _READ_REPEATS + [*_PREDICTED_COUNTS], trial_index)
        counts = [round(_LARGEST_FITTED_RANGES * self.effort_share * factor) for factor in steps]
        range_bytes = measuring.range_bytes_of(dataset)
        return [
            Observation(kind="transfer_s", trial_index=trial_index, driver_count=n * range_bytes, size_factor=f, value=value)
            for f, n, value in zip(steps, counts, measuring.transfer_times(dataset, counts), strict=True)
        ]

    def _workers(self, dataset: Dataset, trial_index: int) -> list[Observation]:
        steps = [
            int(n)
            for n in self._shuffled([*_FITTED_WORKERS] * _WORKER_REPEATS + [*_PREDICTED_WORKERS] * _LARGE_REPEATS, trial_index)
        ]
        rates = measuring.decode_rates(dataset, steps, _DECODE_WINDOW_S * self.effort_share)
        largest = _FITTED_WORKERS[-1]
        return [
            Observation(kind="decode_images_per_s", trial_index=trial_index, driver_count=n, size_factor=n / largest, value=value)
            for n, value in zip(steps, rates, strict=True)
        ]

    def _shuffled(self, steps: Sequence[float], trial_index: int) -> list[float]:
        order = np.random.default_rng([self.seed, trial_index, len(steps)]).permutation(len(steps))
        return [steps[place] for place in order]
