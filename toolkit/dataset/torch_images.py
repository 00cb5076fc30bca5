"""A dataset as PyTorch's DataLoader takes it: exact shares of workers and ranks, images as tensors, labels as numbers."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Any

import polars as pl

from toolkit.dataset.loader import Loader
from toolkit.engine import core_count
from toolkit.errors import ExtraError, UsageError

try:
    import torch
    from torch.utils.data import IterableDataset, get_worker_info
except ImportError:  # whoever makes one is told; the module itself can be read without PyTorch
    torch = None  # type: ignore[assignment,unused-ignore]  # torch is optional
    IterableDataset = object  # type: ignore[assignment,misc,unused-ignore]  # as above

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from toolkit.dataset.reading import Dataset

__all__ = ["TorchImages"]

_READ_AT_ONCE_COUNT = 32
"""Images that are decoded together: DataLoader makes the batches, so this bounds memory alone."""


class TorchImages(IterableDataset):  # type: ignore[misc,unused-ignore]  # as above
    """One image and its label at a time, for ``torch.utils.data.DataLoader`` with any ``batch_size`` and ``num_workers``.

    Each worker of each rank reads a share of its own, so that together they give every image once. There is no ``len``: with
    several workers the number of batches depends on how DataLoader cuts the workers' shares; ``image_count`` is this rank's.

    Parameters
    ----------
    dataset : Dataset
        What to read.
    split : str, optional
        Only images of this split.
    resize_px : int, optional
        Side of the square that images are resized and cropped to; None gives them as they are, of different sizes.
    transform : callable, optional
        Called with each image, a uint8 tensor of (3, height, width); what it returns is given in its place.
    classes : sequence of str, optional
        Labels by their number; by default all labels of the dataset, whatever the split, sorted.
    threads : int, optional
        Decoding threads of each worker; by default the cores divided by the workers.
    rank, world_size : int, optional
        Whose share; by default as ``torch.distributed`` has it, where it is initialised.
    shuffle, seed, epoch, equal_ranks, verify, window_groups
        As in ``toolkit.dataset.loader.Loader``; each worker counts as a rank, so that ``equal_ranks`` gives all ranks the same
        number of batches, leaving out up to one image less than there are workers in all.

    Raises
    ------
    ExtraError
        If PyTorch is not installed.
    UsageError
        If an option is not possible, or, while iterating, a label is not one of ``classes``.
    DatasetError
        While iterating, if an image is damaged, in whichever worker.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        split: str | None = None,
        resize_px: int | None = 224,
        transform: Callable[[Any], Any] | None = None,
        classes: Sequence[str] | None = None,
        threads: int | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        epoch: int = 0,
        equal_ranks: bool = False,
        verify: bool = True,
        window_groups: int = 8,
    ) -> None:
        if torch is None:
            raise ExtraError("a dataset is given to PyTorch once it is installed: pip install 'tonnage[torch]'")
        if (rank is None) != (world_size is None):
            raise UsageError("rank and world_size are given together, or neither")
        self.classes: list[str] = sorted(_labels(dataset)) if classes is None else list(classes)
        self.transform = transform
        self._dataset, self._threads = dataset, threads
        self._ranks = None if rank is None or world_size is None else (rank, world_size)
        reading = {"split": split, "resize_px": resize_px, "workers": threads, "shuffle": shuffle, "seed": seed}
        more = {"equal_ranks": equal_ranks, "verify": verify, "window_groups": window_groups}
        self._options: dict[str, Any] = reading | more
        self._epoch = torch.tensor(epoch).share_memory_()  # so that workers that live on over epochs see it change
        self._loader: Loader | None = None
        self._share(0, 1)  # says now what is not possible, and reads footers once, before workers are forked

    @property
    def image_count(self) -> int:
        """Images of this rank's share of an epoch, over all its workers."""
        return self._share(0, 1).image_count

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next epoch, in workers that live on too."""
        self._epoch.fill_(epoch)

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        worker = get_worker_info()
        number, count = (0, 1) if worker is None else (worker.id, worker.num_workers)
        numbers: dict[str | None, int] = {label: at for at, label in enumerate(self.classes)} | {None: -1}
        for batch in self._share(number, count):
            for image, label in zip(batch.images, batch.labels, strict=True):
                if label not in numbers:
                    raise UsageError(
                        f"the label '{label}' of '{self._dataset.location}' is not one of the {len(self.classes)} classes given"
                    )
                pixels = torch.from_numpy(image).permute(2, 0, 1).contiguous()
                yield (pixels if self.transform is None else self.transform(pixels)), numbers[label]

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker that is not forked needs: it knows nothing of ``torch.distributed``, and opens files itself."""
        return self.__dict__ | {"_ranks": self._rank_and_size(), "_loader": None}

    def _share(self, worker: int, worker_count: int) -> Loader:
        """Return a loader over what one worker of this rank reads: a contiguous part of the rank's contiguous share."""
        if self._loader is None:
            self._loader = Loader(self._dataset, _READ_AT_ONCE_COUNT, **self._options)
        rank, world_size = self._rank_and_size()
        if not 0 <= rank < world_size:
            raise UsageError(f"rank must be 0 to world_size - 1, not {rank} of {world_size}")
        loader = copy.copy(self._loader)
        loader.workers = self._threads or max(1, core_count() // worker_count)
        loader.order = dataclasses.replace(
            loader.order, rank=rank * worker_count + worker, world_size=world_size * worker_count, epoch=int(self._epoch)
        )
        return loader

    def _rank_and_size(self) -> tuple[int, int]:
        if self._ranks is not None:
            return self._ranks
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.distributed.get_rank(), torch.distributed.get_world_size()
        return 0, 1


def _labels(dataset: Dataset) -> list[str]:
    return dataset.scan("images").select(pl.col("label").unique()).collect()["label"].drop_nulls().to_list()
