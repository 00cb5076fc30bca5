"""Collections of a size, drawn from a dataset's images: a larger dataset of the same kind, as files to be curated."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np

from toolkit.backtesting.variation import varied
from toolkit.engine import core_count
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolkit.dataset.reading import Dataset

__all__ = ["Sampler"]

_AMPLE_FACTOR: Final = 4
"""A dataset so many times larger than the largest collection is drawn from without changing anything."""
_MAX_TRIES: Final = 50
"""Images that are drawn in vain before a dataset is given up."""


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
        """Write a collection of images as single files into a new folder, by all cores; return their bytes."""
        folder.mkdir(parents=True)
        with ThreadPoolExecutor(core_count()) as pool:
            if not self.is_varying:
                places = self._random.choice(len(self.dataset), image_count, replace=False)
                draws = [(folder / f"{n:07d}", int(place), None) for n, place in enumerate(places)]
                sizes = [size or 0 for size in pool.map(self._put, draws)]
                self.drawn_count += image_count
                return sum(sizes)
            self._uses.clear()  # copies are told apart within a collection; another one is another dataset
            return sum(self._written(pool, folder, image_count))

    def _written(self, pool: ThreadPoolExecutor, folder: Path, image_count: int) -> Iterator[int]:
        """Yield the bytes of each image written; what cannot be changed is drawn again, a few times."""
        missing = [folder / f"{n:07d}" for n in range(image_count)]
        for _ in range(_MAX_TRIES):
            sizes = list(pool.map(self._put, [(path, *self._draw()) for path in missing]))
            yield from (size for size in sizes if size is not None)
            self.drawn_count += sum(size is not None for size in sizes)
            self.varied_count += sum(size is not None for size in sizes)
            missing = [path for path, size in zip(missing, sizes, strict=True) if size is None]
            if not missing:
                return
            if len(missing) == len(sizes) >= _MAX_TRIES:
                break  # so many were drawn, and none could be changed: more would not either
        raise UsageError(
            f"the images of '{self.dataset.location}' are too few to test larger sizes, and of a format that cannot be "
            "changed a little and written again; use a dataset with more images"
        )

    def _draw(self) -> tuple[int, int]:
        """Return the place of an image, and which of its changed copies to take: one that was not yet."""
        place = int(self._random.integers(len(self.dataset)))
        use = self._uses.get(place, int(self._random.integers(64)))
        self._uses[place] = use + 1
        return place, use

    def _put(self, draw: tuple[Path, int, int | None]) -> int | None:
        """Write an image, changed if so asked, and return its bytes; None if it cannot be changed."""
        path, place, use = draw
        payload = self.dataset.get(place)
        changed = payload if use is None else varied(payload, use)
        return None if changed is None else path.write_bytes(changed)
