"""A loader for training: deterministic shuffle, exact shares of ranks, resumable, threads instead of worker processes.

Decoders release the interpreter's lock, so threads use all cores, and no image crosses a pipe between processes (which
limits loaders that fork workers to the pipe's 1 to 2 GB/s). One thread reads row groups ahead in large reads; the others
check and decode images from views of what was read, straight into the array of their batch.
"""

from __future__ import annotations

import dataclasses
import hashlib
import queue
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.dataset.decoding import decode_rgb
from toolkit.dataset.fetching import ask_ahead, fetch_rows
from toolkit.dataset.order import Order, epoch_windows, share_of
from toolkit.dataset.row_groups import participating_groups
from toolkit.engine import core_count
from toolkit.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from toolkit.dataset.order import Window
    from toolkit.dataset.reading import Dataset

__all__ = ["Batch", "Loader", "LoaderStats"]

_STATE: Final = ("version", "batch", "split", "shuffle", "seed", "epoch", "rank", "world_size", "equal_ranks", "position")
"""What a state holds: an epoch that goes on must be the same epoch."""

_QUEUE_WAIT_S: Final = 0.1


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


@dataclass(slots=True, kw_only=True)
class LoaderStats:
    """What the last epoch came to, so far."""

    image_count: int = 0
    """Images given."""
    encoded_bytes: int = 0
    """Their encoded bytes."""
    elapsed_s: float = 0.0
    """From asking for the epoch to the last batch given, the consumer's own time included."""
    stall_s: float = 0.0
    """Of these, spent by the consumer waiting for a batch."""
    first_batch_s: float = 0.0
    """From asking for the epoch to holding its first batch."""

    @property
    def stall_share(self) -> float:
        """Share of the time in which the consumer waited."""
        return self.stall_s / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def images_per_s(self) -> float:
        """Images given per second of the epoch."""
        return self.image_count / self.elapsed_s if self.elapsed_s else 0.0


@dataclass(frozen=True, slots=True)
class _Row:
    """One image on its way to a batch."""

    payload: memoryview
    image_id: str
    sha256: str | None
    label: str | None


@dataclass(frozen=True, slots=True)
class _Fault:
    """What stopped the reading thread."""

    fault: BaseException


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
    verify : bool
        Whether to check each image against its sha256.
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
        verify: bool = True,
        window_groups: int = 8,
        resume_state: Mapping[str, Any] | None = None,
    ) -> None:
        sizes = {"batch_size": batch_size, "workers": workers, "resize_px": resize_px, "window_groups": window_groups}
        if low := [f"{name}={value}" for name, value in sizes.items() if value is not None and value < 1]:
            raise UsageError(f"batch_size, workers, resize_px and window_groups must be 1 or more, not {', '.join(low)}")
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
        stop = threading.Event()
        read_ahead: queue.Queue[list[_Row] | _Fault | None] = queue.Queue(maxsize=1)
        reader = threading.Thread(target=self._read, args=(windows, read_ahead, stop), name="tonnage-reader", daemon=True)
        reader.start()
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="tonnage-loader")
        try:
            for rows, images in self._decoded(pool, _batches(_rows(read_ahead), self.batch_size, drop_last=self.drop_last)):
                batch = Batch(images=images, labels=[row.label for row in rows], image_ids=[row.image_id for row in rows])
                now_s = time.perf_counter()
                stats.stall_s += now_s - asked_s
                stats.first_batch_s = stats.first_batch_s or now_s - started_s
                stats.elapsed_s = now_s - started_s
                stats.image_count += len(rows)
                stats.encoded_bytes += sum(len(row.payload) for row in rows)
                self._position += len(rows)
                yield batch
                asked_s = time.perf_counter()
            self._position = 0
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            reader.join()

    def _read(self, windows: list[Window], read_ahead: queue.Queue[list[_Row] | _Fault | None], stop: threading.Event) -> None:
        """Read windows into the queue, the next ones asked for ahead, until all are read or nobody wants them."""
        try:
            for at, window in enumerate(windows):
                for ahead in windows[at : at + 2]:
                    for piece in ahead.pieces:
                        ask_ahead(*self._groups.place(piece.group))
                rows = self._window_rows(window)
                while not stop.is_set():
                    try:
                        read_ahead.put(rows, timeout=_QUEUE_WAIT_S)
                        break
                    except queue.Full:
                        continue
                if stop.is_set():
                    return
            _put(read_ahead, None, stop)
        except BaseException as fault:  # noqa: BLE001 -- raised again by the thread that takes batches
            _put(read_ahead, _Fault(fault), stop)

    def _window_rows(self, window: Window) -> list[_Row]:
        rows: list[_Row] = []
        for piece in window.pieces:
            path, metadata, group = self._groups.place(piece.group)
            chosen = self._groups.rows(piece.group)[piece.start : piece.stop]
            found = fetch_rows(path, metadata, group, chosen)
            rows += map(_Row, found.payloads, found.image_ids, found.sha256, found.labels)
        return [rows[at] for at in window.order]

    def _decoded(self, pool: ThreadPoolExecutor, batches: Iterator[list[_Row]]) -> Iterator[tuple[list[_Row], Any]]:
        """Yield batches with their images, in order; enough of them are under way to keep all threads busy."""
        under_way: deque[tuple[list[_Row], Any, list[Future[None]]]] = deque()
        tasks = 2 * self.workers
        depth = 2 + tasks // min(self.batch_size, tasks)
        for rows in batches:
            images = self._room(len(rows))
            step = -(-len(rows) // tasks)
            parts = [range(at, min(at + step, len(rows))) for at in range(0, len(rows), step)]
            under_way.append((rows, images, [pool.submit(self._produce, rows, images, part) for part in parts]))
            if len(under_way) >= depth:
                yield _finished(*under_way.popleft())
        while under_way:
            yield _finished(*under_way.popleft())

    def _room(self, count: int) -> Any:
        if self.decode and self.resize_px is not None:
            return np.empty((count, self.resize_px, self.resize_px, 3), dtype=np.uint8)
        return [None] * count

    def _produce(self, rows: list[_Row], images: Any, part: range) -> None:
        for at in part:
            images[at] = self._image(rows[at])

    def _image(self, row: _Row) -> NDArray[np.uint8] | bytes:
        if self.verify and row.sha256 is not None and hashlib.sha256(row.payload).hexdigest() != row.sha256:
            raise DatasetError(f"image {row.image_id} of '{self.dataset.location}' is damaged; run: tonnage verify")
        payload = bytes(row.payload)
        if not self.decode:
            return payload
        try:
            return decode_rgb(payload, self.resize_px)
        except (OSError, ValueError) as fault:
            raise DatasetError(f"image {row.image_id} of '{self.dataset.location}' cannot be decoded: {fault}") from fault


def _put(read_ahead: queue.Queue[Any], item: Any, stop: threading.Event) -> None:
    """Hand something over, unless nobody takes it any more."""
    while not stop.is_set():
        try:
            read_ahead.put(item, timeout=_QUEUE_WAIT_S)
        except queue.Full:
            continue
        return


def _rows(read_ahead: queue.Queue[list[_Row] | _Fault | None]) -> Iterator[_Row]:
    while (window := read_ahead.get()) is not None:
        if isinstance(window, _Fault):
            raise window.fault
        yield from window


def _batches(rows: Iterator[_Row], size: int, *, drop_last: bool) -> Iterator[list[_Row]]:
    waiting: list[_Row] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == size:
            yield waiting
            waiting = []
    if waiting and not drop_last:
        yield waiting


def _finished(rows: list[_Row], images: Any, futures: list[Future[None]]) -> tuple[list[_Row], Any]:
    for future in futures:
        future.result()
    return rows, images
