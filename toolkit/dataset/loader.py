"""A loader for training: deterministic shuffle, exact shares of ranks, resumable, threads instead of worker processes.

Two threads bring row groups into memory ahead of time; the others check and decode images from views of them, straight into
the array of their batch.
"""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from toolkit.dataset.batches import Batch, LoaderStats
from toolkit.dataset.fetching import Fetcher
from toolkit.dataset.order import Order, epoch_windows, share_of
from toolkit.dataset.producing import Producer
from toolkit.dataset.read_ahead import READERS, rows_ahead
from toolkit.dataset.row_groups import participating_groups
from toolkit.engine import core_count
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolkit.dataset.read_ahead import Row
    from toolkit.dataset.reading import Dataset

__all__ = ["Batch", "Loader", "LoaderStats"]

_STATE: Final = ("version", "batch", "split", "shuffle", "seed", "epoch", "rank", "world_size", "equal_ranks", "position")
"""What a state holds: an epoch that goes on must be the same epoch."""


class Loader:
    """Iterate over a dataset in batches; each iteration is one epoch over this rank's share.

    Shards stay mapped for the next epoch; ``close``, or a ``with`` block, lets them go.

    Parameters
    ----------
    dataset : Dataset
        What to read.
    batch_size : int
        Images per batch.
    split : str, optional
        Only images of this split.
    shuffle : bool
        Whether to shuffle; else the order of shards and rows.
    seed, epoch : int
        What the order is a function of; call ``set_epoch`` between epochs.
    rank, world_size : int
        This process's share of the one order: contiguous, so that each rank reads its own row groups.
    equal_ranks : bool
        Give every rank the same number of images, leaving out up to ``world_size - 1``: for training whose ranks wait
        for each other at each step.
    workers : int, optional
        Decoding threads; by default one per core.
    decode : bool
        Whether to decode; else encoded bytes are given.
    resize_px : int, optional
        Side of the square that images are resized and cropped to, so that a batch is one array.
    drop_last : bool
        Whether to leave out a last batch that is not full.
    verify : bool or "pages"
        Whether to check each image against the sha256 that it had when it was curated; ``"pages"`` checks the CRC-32 of
        each page of the shard as it is read instead, which finds what storage damages at a fraction of the cost.
    views : bool
        With ``decode=False``, whether to give read-only views of what was read, without a copy; a view keeps its row group in
        memory as long as it lives.
    window_groups : int
        Row groups (at most 256 images or 32 MiB each) that are mixed with each other, and held in memory; as many again are
        read ahead.
    resume_state : mapping, optional
        What ``state_dict`` gave in an epoch that was stopped; the first iteration goes on from there.

    Raises
    ------
    UsageError
        If a size or rank is not possible, or the state is of another epoch or dataset.
    DatasetError
        While iterating, if an image is damaged.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 256,
        *,
        split: str | None = None,
        shuffle: bool = True,
        seed: int = 0,
        epoch: int = 0,
        rank: int = 0,
        world_size: int = 1,
        equal_ranks: bool = False,
        workers: int | None = None,
        decode: bool = True,
        resize_px: int | None = None,
        drop_last: bool = False,
        verify: bool | Literal["pages"] = True,
        views: bool = False,
        window_groups: int = 8,
        resume_state: Mapping[str, Any] | None = None,
    ) -> None:
        sizes = {"batch_size": batch_size, "workers": workers, "resize_px": resize_px, "window_groups": window_groups}
        if low := [f"{name}={value}" for name, value in sizes.items() if value is not None and value < 1]:
            raise UsageError(f"batch_size, workers, resize_px and window_groups must be 1 or more, not {', '.join(low)}")
        if verify not in {True, False, "pages"}:
            raise UsageError(f"verify must be True, False or 'pages', not {verify!r}")
        if not 0 <= rank < world_size:
            raise UsageError(f"rank must be 0 to world_size - 1, not {rank} of {world_size}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.split = split
        self.workers = workers or core_count()
        self.decode = decode
        self.resize_px = resize_px
        self.drop_last = drop_last
        self.verify = verify
        self.views = views
        self.order = Order(
            seed=seed,
            epoch=epoch,
            is_shuffled=shuffle,
            rank=rank,
            world_size=world_size,
            is_equal=equal_ranks,
            window_groups=window_groups,
        )
        self.stats = LoaderStats()
        self._groups = participating_groups(dataset, split)
        self._fetch = Fetcher(self._groups, verify if verify == "pages" else "images" if verify else "none")
        self._position = 0
        if resume_state is not None:
            self.load_state_dict(resume_state)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration, which begins at its start."""
        self.order = dataclasses.replace(self.order, epoch=epoch)
        self._position = 0

    @property
    def image_count(self) -> int:
        """Images of this rank's share of an epoch."""
        start, stop = share_of(int(self._groups.counts.sum()), self.order)
        return stop - start

    def __len__(self) -> int:
        whole, rest = divmod(self.image_count, self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)

    def state_dict(self) -> dict[str, Any]:
        """Return where the running epoch is, as plain JSON types: what was given is not given again after a resume."""
        order = self.order
        return {
            "version": self.dataset.version,
            "batch": self.dataset.state.batch,
            "split": self.split,
            "shuffle": order.is_shuffled,
            "seed": order.seed,
            "epoch": order.epoch,
            "rank": order.rank,
            "world_size": order.world_size,
            "equal_ranks": order.is_equal,
            "position": self._position,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on, in the next iteration, where a state was taken.

        Raises
        ------
        UsageError
            If it is not a state of this dataset, version, split, seed, rank or number of ranks.
        """
        if missing := [name for name in _STATE if name not in state]:
            raise UsageError(f"this is no state of a loader: it has no '{missing[0]}'")
        mine = self.state_dict()
        for name in _STATE:
            if name not in {"epoch", "position"} and state[name] != mine[name]:
                raise UsageError(
                    f"the state is of another run: its {name} is {state[name]!r}, this loader's is {mine[name]!r}; "
                    f"give the loader the same {name}, or begin the epoch anew"
                )
        self.set_epoch(int(state["epoch"]))
        self._position = int(state["position"])

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches; what is read and decoded ahead is dropped when the iteration is given up."""
        self.stats = stats = LoaderStats()
        windows = epoch_windows(self._groups.counts, self.order, self._position)
        started_s = asked_s = time.perf_counter()
        with _threads(READERS, "tonnage-reader") as readers, _threads(self.workers, "tonnage-loader") as pool:
            rows_by_batch = _batches(rows_ahead(windows, self._fetch, readers), self.batch_size, drop_last=self.drop_last)
            for rows, images in self._producer().batches(rows_by_batch, self.batch_size, pool):
                batch = Batch(images=images, labels=[row.label for row in rows], image_ids=[row.image_id for row in rows])
                now_s = time.perf_counter()
                stats.stall_s += now_s - asked_s
                stats.first_batch_s = stats.first_batch_s or now_s - started_s
                stats.elapsed_s = now_s - started_s
                stats.image_count += len(rows)
                stats.encoded_bytes += sum(len(row.payload) for row in rows)
                self._position += len(rows)
                del rows, images
                yield batch
                del batch
                asked_s = time.perf_counter()
            self._position = 0

    def close(self) -> None:
        """Let go of the shards, which stay mapped between epochs; an iteration after this maps them again.

        Views that were given keep what they show.
        """
        self._fetch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the shards."""
        self.close()

    def _producer(self) -> Producer:
        return Producer(
            location=self.dataset.location,
            workers=self.workers,
            decode=self.decode,
            resize_px=self.resize_px,
            copy=not self.views,
            check=self._fetch.check != "none",
        )


def _batches(rows: Iterator[Row], size: int, *, drop_last: bool) -> Iterator[list[Row]]:
    waiting: list[Row] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == size:
            yield waiting
            waiting = []
    if waiting and not drop_last:
        yield waiting


@contextmanager
def _threads(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Hold threads; when given up, they end what they are at and do no more."""
    pool = ThreadPoolExecutor(count, thread_name_prefix=name)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
