"""Collections of a size, drawn from a dataset's images: a larger dataset of the same kind, as files to be curated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from toolkit.backtesting.variation import varied
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.dataset.reading import Dataset

__all__ = ["Sampler"]

_AMPLE_FACTOR: Final = 4
"""A dataset so many times larger than the largest collection is drawn from without changing anything."""
_MAX_TRIES: Final = 50


class Sampler:
    """Draw images with replacement, so that each collection is a fair sample of the same population.

    Parameters
    ----------
    dataset : Dataset
        Where images are taken from.
    largest_count : int
        Images of the largest collection that will be asked for.
    seed : int
        Seed of the draws.

    Notes
    -----
    Where the dataset holds fewer than four times as many images, each use of an image is changed a little, so that no two
    are equal; all uses are, not the repeated ones alone, as an image that is encoded anew may differ in its size.
    """

    def __init__(self, dataset: Dataset, largest_count: int, seed: int) -> None:
        self.dataset = dataset
        self.is_varying = len(dataset) < _AMPLE_FACTOR * largest_count
        self.drawn_count = 0
        self.varied_count = 0
        self._random = np.random.default_rng(seed)
        self._uses: dict[int, int] = {}

    @property
    def varied_share(self) -> float:
        """Share of the images drawn so far that were changed."""
        return self.varied_count / self.drawn_count if self.drawn_count else 0.0

    def write(self, folder: Path, image_count: int) -> int:
        """Write a collection of images as single files into a new folder; return their bytes."""
        folder.mkdir(parents=True)
        if not self.is_varying:
            places = self._random.choice(len(self.dataset), image_count, replace=False)
            return sum(self._put(folder / f"{n:07d}", self.dataset.get(int(place))) for n, place in enumerate(places))
        self._uses.clear()  # copies are told apart within a collection; another one is another dataset
        return sum(self._put(folder / f"{n:07d}", self._draw()) for n in range(image_count))

    def _put(self, path: Path, payload: bytes) -> int:
        self.drawn_count += 1
        return path.write_bytes(payload)

    def _draw(self) -> bytes:
        for _ in range(_MAX_TRIES):
            place = int(self._random.integers(len(self.dataset)))
            use = self._uses.get(place, int(self._random.integers(64)))
            changed = varied(self.dataset.get(place), use)
            if changed is not None:
                self._uses[place] = use + 1
                self.varied_count += 1
                return changed
        raise UsageError(
            f"the images of '{self.dataset.location}' are too few to test larger sizes, and of a format that cannot be "
            "changed a little and written again; use a dataset with more images"
        )
