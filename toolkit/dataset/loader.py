"""A loader for training: deterministic shuffle, exact sharding over ranks, threads instead of worker processes.

Decoders release the interpreter's lock, so threads use all cores, and no image crosses a pipe between processes (which
limits loaders that fork workers to the pipe's 1 to 2 GB/s). The order is a pure function of seed and epoch: shards are
shuffled, then rows within a window of row groups; ranks take every ``world_size``-th image of that one order, so that
no image is lost or seen twice whatever the sizes.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.decoding import decode_rgb
from toolkit.dataset.schema import is_hashed
from toolkit.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from toolkit.dataset.reading import Dataset

__all__ = ["Batch", "Loader"]

_WINDOW_GROUPS: Final = 8
"""Row groups whose rows are shuffled together: up to 2,048 images, 256 MiB."""

_COLUMNS: Final = ["image", "image_id", "sha256", "encoding", "label", "split"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Images that go through a training step together."""

    images: NDArray[np.uint8] | list[NDArray[np.uint8]] | list[bytes]
    """Array of shape (batch, side, side, 3) when resized; else one array per image; else encoded bytes."""
    labels: list[str | None]
    """Their labels."""
    image_ids: list[str]
    """Their identifiers."""

    def __len__(self) -> int:
        return len(self.image_ids)


@dataclass(frozen=True, slots=True)
class _Row:
    """One image on its way to a batch."""

    payload: pa.Scalar
    image_id: str
    sha256: str | None
    label: str | None


class Loader:
    """Iterate over a dataset in batches; each iteration is one epoch over this rank's share.

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
        This process's share: every ``world_size``-th image of the one order, from ``rank`` on.
    workers : int, optional
        Decoding threads; by default one per core.
    decode : bool
        Whether to decode; else encoded bytes are given.
    resize_px : int, optional
        Side of the square that images are resized and cropped to, so that a batch is one array.
    drop_last : bool
        Whether to leave out a last batch that is not full.
    verify : bool
        Whether to check each image against its sha256.

    Raises
    ------
    UsageError
        If a size or rank is not possible.
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
        workers: int | None = None,
        decode: bool = True,
        resize_px: int | None = None,
        drop_last: bool = False,
        verify: bool = True,
    ) -> None:
        if batch_size < 1 or (workers is not None and workers < 1) or (resize_px is not None and resize_px < 1):
            raise UsageError(f"batch_size, workers and resize_px must be 1 or more, not {batch_size}, {workers}, {resize_px}")
        if not 0 <= rank < world_size:
            raise UsageError(f"rank must be 0 to world_size - 1, not {rank} of {world_size}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.split = split
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = epoch
        self.rank = rank
        self.world_size = world_size
        self.workers = (
            workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else workers or os.cpu_count() or 1
        )
        self.decode = decode
        self.resize_px = resize_px
        self.drop_last = drop_last
        self.verify = verify

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches; rows are decoded ahead by the threads, at most two batches and a window's worth."""
        with ThreadPoolExecutor(self.workers, thread_name_prefix="tonnage-loader") as pool:
            ahead: deque[tuple[list[_Row], list[Future[Any]]]] = deque()
            for rows in self._row_batches():
                ahead.append((rows, [pool.submit(self._produce, row) for row in rows]))
                if len(ahead) > 2:
                    yield self._collect(*ahead.popleft())
            while ahead:
                yield self._collect(*ahead.popleft())

    def _collect(self, rows: Sequence[_Row], futures: Sequence[Future[Any]]) -> Batch:
        images: Any = [future.result() for future in futures]
        if self.decode and self.resize_px is not None:
            images = np.stack(images)
        return Batch(images=images, labels=[row.label for row in rows], image_ids=[row.image_id for row in rows])

    def _produce(self, row: _Row) -> Any:
        buffer = row.payload.as_buffer()
        if self.verify and row.sha256 is not None and hashlib.sha256(buffer).hexdigest() != row.sha256:
            raise DatasetError(f"image {row.image_id} of '{self.dataset.location}' is damaged; run: tonnage verify")
        if not self.decode:
            return buffer.to_pybytes()
        try:
            return decode_rgb(buffer.to_pybytes(), self.resize_px)
        except (OSError, ValueError) as fault:
            raise DatasetError(f"image {row.image_id} of '{self.dataset.location}' cannot be decoded: {fault}") from fault

    def _row_batches(self) -> Iterator[list[_Row]]:
        waiting: list[_Row] = []
        for position, row in enumerate(self._rows()):
            if position % self.world_size != self.rank:
                continue
            waiting.append(row)
            if len(waiting) == self.batch_size:
                yield waiting
                waiting = []
        if waiting and not self.drop_last:
            yield waiting

    def _rows(self) -> Iterator[_Row]:
        """Yield every row of the split in the one order that all ranks share."""
        order = np.random.default_rng([self.seed, self.epoch])
        groups = [(path, group) for path in self.dataset.shard_paths() for group in range(pq.read_metadata(path).num_row_groups)]
        if self.shuffle:
            groups = [groups[i] for i in order.permutation(len(groups))]
        window = _WINDOW_GROUPS if self.shuffle else 1
        for start in range(0, len(groups), window):
            rows = [row for path, group in groups[start : start + window] for row in self._group_rows(path, group)]
            yield from ([rows[i] for i in order.permutation(len(rows))] if self.shuffle else rows)

    def _group_rows(self, path: Path, group: int) -> list[_Row]:
        with pa.memory_map(str(path)) as mapped, pq.ParquetFile(mapped) as shard:
            table = shard.read_row_group(group, columns=_COLUMNS, use_threads=False)
        payloads = table["image"].combine_chunks().field("bytes") if table.num_rows else []
        facts = zip(*(table[name].to_pylist() for name in _COLUMNS[1:]), strict=True)
        return [
            _Row(payload, image_id, sha256 if is_hashed(encoding) else None, label)
            for payload, (image_id, sha256, encoding, label, split) in zip(payloads, facts, strict=True)
            if self.split is None or split == self.split
        ]
