"""One shard packed on a worker: bytes found again, checked against their hash, re-encoded if the recipe says so, written."""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pyarrow as pa

from toolkit.curation.deadlines import watched
from toolkit.curation.decode import reencode
from toolkit.curation.frames import frame_encoding
from toolkit.curation.hashing import byte_check
from toolkit.curation.isolation import IsolatedProcess
from toolkit.curation.masks import Misfit, fitted_mask, fitted_masks
from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.records import arrow_table
from toolkit.curation.resized import with_new_facts
from toolkit.curation.sources import reread
from toolkit.curation.spooling import spooled
from toolkit.dataset.schema import IMAGES_SCHEMA
from toolkit.dataset.shards import write_shard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from toolkit.curation.assembly import ShardPlan
    from toolkit.curation.masks import Frame
    from toolkit.curation.recipe import Resize
    from toolkit.dataset.shards import ShardFacts

__all__ = ["Lost", "PackReport", "PackTask", "block_count", "pack", "pack_isolated"]

_BLOCK_ROWS: Final = 1_024
_BLOCK_BYTES: Final = 32 * 2**20
"""Images held at once: enough that a container is not opened for a few of its members, few enough for any memory."""

_MOST_BYTES: Final = 2**31 - 1
"""Bytes of a column whose offsets are 32-bit integers."""

_SUFFIXES: Final = {"jpeg": "jpg", "tiff": "tif", "jpeg2000": "jp2"}

_FACTS: Final = pa.schema([field for field in IMAGES_SCHEMA if field.name != "image"])


@dataclass(frozen=True, slots=True, kw_only=True)
class PackTask:
    """A shard to write."""

    plan: ShardPlan
    """Its images."""
    target: Path
    """The shard."""
    staging: Path
    """Where members of streams lie."""
    resize: Resize | None
    """How images are re-encoded; None keeps their bytes."""
    image_deadline_s: float
    """Seconds after which a decoder hangs."""
    quarantine_bytes: int
    """Refused images up to this size are held with their bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An image that was examined and could not be packed."""

    row_index: int
    """Its row in the batch."""
    refusal: Refusal
    """Why."""
    held: Path | None = None
    """File with its bytes, where these are what was examined, and not too many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """What became of a shard."""

    facts: ShardFacts | None
    """The shard; None if no image of it could be had."""
    lost: tuple[Lost, ...]
    """Images that are not in it."""
    cpu_s: float
    """Processor time of the thread, and of the one that writes."""
    misfits: tuple[Misfit, ...] = ()
    """Masks that do not fit their image, and are not in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decoders:
    """What takes images and masks apart, and may die of them."""

    encode: Callable[[bytes, Resize], tuple[bytes, str] | Refusal]
    """Re-encodes an image."""
    fit: Callable[[bytes, Frame], bytes | str]
    """Makes a mask fit its image."""


def pack(task: PackTask) -> PackReport:
    """Write a shard and return what became of it."""

    def encode(payload: bytes, resize: Resize) -> tuple[bytes, str] | Refusal:
        with watched(task.image_deadline_s):
            return _reencoded(payload, resize)

    def fit(payload: bytes, frame: Frame) -> bytes | str:
        with watched(task.image_deadline_s):
            return fitted_mask(payload, frame)

    return _pack(task, _Decoders(encode=encode, fit=fit))


def pack_isolated(task: PackTask, memory_bytes: int | None = None) -> PackReport:
    """Write a shard whose worker died, with each image and mask decoded in a process that may die of it.

    Parameters
    ----------
    task : PackTask
        The shard.
    memory_bytes : int, optional
        Memory that an image may take.
    """
    with IsolatedProcess(task.image_deadline_s, memory_bytes) as isolated:

        def encode(payload: bytes, resize: Resize) -> tuple[bytes, str] | Refusal:
            try:
                made: tuple[bytes, str] | Refusal = isolated.call(_reencoded, payload, resize)
            except ChildProcessError as fault:
                return refusal("decoder_crash", str(fault))
            return made

        def fit(payload: bytes, frame: Frame) -> bytes | str:
            try:
                made: bytes | str = isolated.call(fitted_mask, payload, frame)
            except ChildProcessError:
                return "mask_unreadable"
            return made

        return _pack(task, _Decoders(encode=encode, fit=fit))


def _pack(task: PackTask, decoders: _Decoders) -> PackReport:
    started_s = time.thread_time()
    plan = _plan(task.plan)
    lost: list[Lost] = []
    misfits: list[Misfit] = []
    tables = (table for block in _blocks(plan) if (table := _table(block, task, decoders, lost, misfits)).num_rows)
    first = next(tables, None)
    facts = None if first is None else write_shard(task.target, _chained(first, tables))
    cpu_s = time.thread_time() - started_s + (0.0 if facts is None else facts.writer_cpu_s)
    return PackReport(facts=facts, lost=tuple(lost), cpu_s=cpu_s, misfits=tuple(misfits))


def _plan(shard: ShardPlan) -> pl.DataFrame:
    """Return the facts of a shard's images, in their order."""
    is_mine = pl.col("place").is_between(shard.first_place_index, shard.last_place_index)
    pieces = sorted(shard.pieces.glob("*.parquet"))  # one at a time: all at once hold what they read, not what is wanted of it
    mine = [pl.scan_parquet([piece], glob=False).filter(is_mine).collect() for piece in pieces]
    return pl.concat(mine).sort("place").drop("place")


def _chained(first: pa.Table, rest: Iterator[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from rest


def block_count(planned: pl.DataFrame) -> int:
    """Return about how many blocks shards are packed in, each of which looks for its images in every container.

    Parameters
    ----------
    planned : pl.DataFrame
        ``planned_split``, ``shard``, ``planned_bytes`` of each image.
    """
    size_bytes = pl.col("planned_bytes").sum()
    by_shard = planned.group_by("planned_split", "shard").agg(
        count=1 + (pl.len() - 1) // _BLOCK_ROWS + size_bytes // _BLOCK_BYTES
    )
    return int(by_shard["count"].sum())


def _blocks(plan: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Cut a plan into runs of at most ``_BLOCK_ROWS`` images and about ``_BLOCK_BYTES``."""
    before = plan["size_bytes"].cum_sum() - plan["size_bytes"]
    runs = pl.DataFrame({"a": before // _BLOCK_BYTES, "b": pl.int_range(len(plan), eager=True) // _BLOCK_ROWS})
    for _, block in plan.with_columns(run=runs.select(pl.struct("a", "b").rle_id()).to_series()).group_by(
        "run", maintain_order=True
    ):
        yield block.drop("run")


def _table(block: pl.DataFrame, task: PackTask, decoders: _Decoders, lost: list[Lost], misfits: list[Misfit]) -> pa.Table:
    """Return a block as rows of ``images``, in its order; what could not be had is left out and told."""
    found = _Found(block, task)
    stored = _Stored(int(block["size_bytes"].sum()) if task.resize is None else None)
    encodings: list[str] = []
    is_there: list[bool] = []
    checks = block["check"] if "check" in block.columns else pl.Series([None] * len(block), dtype=pl.String)
    names = block.select("row", "source", "sha256", "locator", check=checks)
    for row, source, sha256, locator, check in names.iter_rows():
        payload = _checked(found.take(source), sha256, check)
        encoded = payload if isinstance(payload, Refusal) else _encoded(payload, task.resize, locator, decoders)
        is_there.append(not isinstance(encoded, Refusal))
        if isinstance(encoded, Refusal):
            lost.append(Lost(row_index=row, refusal=encoded, held=_held(payload, sha256, task)))
        else:
            stored.add(encoded[0])
            encodings.append(encoded[1])
    kept = block.filter(pl.Series(is_there, dtype=pl.Boolean)).with_columns(encoding=pl.Series(encodings, dtype=pl.String))
    sound = kept
    kept = kept if task.resize is None else with_new_facts(kept, stored.payloads)
    masks = fitted_masks(sound, kept, task.staging, misfits, decoders.fit)
    if "mask_source" in kept.columns:
        kept = kept.with_columns(mask_source=pl.when(masks.is_not_null()).then("mask_source"))
    suffix = pl.col("format").replace(_SUFFIXES)
    paths = kept.select(pl.format("{}.{}", "image_id", suffix)).to_series()
    images = pa.StructArray.from_arrays(
        [stored.column(), paths.to_arrow().cast(pa.string())], fields=list(IMAGES_SCHEMA.field("image").type)
    )
    facts = arrow_table(kept.with_columns(mask=masks), _FACTS)
    return pa.table([images, *facts.columns], schema=IMAGES_SCHEMA)


class _Found:
    """The bytes of a block's images: from where they were laid down, else from the sources, read as they are asked for.

    Plain files come in the block's own order, one in memory at a time: the next one takes the place of the last in the
    processor's cache. What lies in a container comes in the container's order, and waits until it is asked for.
    """

    def __init__(self, block: pl.DataFrame, task: PackTask) -> None:
        sources = block["source"]
        elsewhere = block if "spool" not in block.columns else block.filter(pl.col("spool").is_null())
        laid_down = ((sources[position], payload) for position, payload in spooled(block, "image"))
        again = reread(elsewhere.select("source", "locator").iter_rows(), task.staging)
        self._coming: Iterator[tuple[str, bytes | Refusal]] = itertools.chain(laid_down, again)
        self._waiting: dict[str, bytes | Refusal] = {}

    def take(self, source: str) -> bytes | Refusal | None:
        """Return the bytes of an image, or why there are none; None if it is not found."""
        while source not in self._waiting:
            come = next(self._coming, None)
            if come is None:
                return None
            self._waiting[come[0]] = come[1]
        return self._waiting.pop(source)


class _Stored:
    """Bytes to store, on their way into one column: laid side by side as they come, if it is known how many there will be.

    Parameters
    ----------
    size_bytes : int, optional
        Most that will be added; by default it is not known, and all are held until the end.
    """

    def __init__(self, size_bytes: int | None) -> None:
        self.payloads: list[bytes] = []
        """What was added, if it is held."""
        self._whole = None if size_bytes is None or size_bytes > _MOST_BYTES else np.empty(size_bytes, dtype=np.uint8)
        self._ends = [0]

    def add(self, payload: bytes) -> None:
        """Take the bytes of the next image."""
        start, end = self._ends[-1], self._ends[-1] + len(payload)
        self._ends.append(end)
        if self._whole is None:
            self.payloads.append(payload)
        else:
            self._whole.data[start:end] = payload

    def column(self) -> pa.Array:
        """Return all of it; ``pyarrow.array`` looks at each for what else it may be, and imports pandas to do so."""
        if self._ends[-1] > _MOST_BYTES:
            return pa.array(self.payloads, pa.binary())
        offsets = pa.py_buffer(np.asarray(self._ends, dtype=np.int32))
        data = b"".join(self.payloads) if self._whole is None else self._whole
        return pa.Array.from_buffers(pa.binary(), len(self._ends) - 1, [None, offsets, pa.py_buffer(data)])


def _checked(payload: bytes | Refusal | None, sha256: str, check: str | None) -> bytes | Refusal:
    """Return the bytes that were examined, or why these are not they; by the faster check where one was taken."""
    if payload is None:
        return refusal("changed_while_read", "it is no longer found")
    if isinstance(payload, Refusal):
        return payload if payload.reason == "changed_while_read" else refusal("changed_while_read", payload.message)
    is_same = hashlib.sha256(payload).hexdigest() == sha256 if check is None else byte_check(payload) == check
    if not is_same:
        return refusal("changed_while_read")
    return payload


def _encoded(payload: bytes, resize: Resize | None, locator: str, decoders: _Decoders) -> tuple[bytes, str] | Refusal:
    """Return the bytes to store and how they were made."""
    if resize is None:
        return payload, frame_encoding(locator, payload) or "original"
    return decoders.encode(payload, resize)


def _reencoded(payload: bytes, resize: Resize) -> tuple[bytes, str] | Refusal:
    try:
        return reencode(payload, longest_px=resize.longest_px, shortest_px=resize.shortest_px, quality=resize.quality)
    except MemoryError:
        raise
    except Exception as fault:  # noqa: BLE001 -- whatever a decoder finds at full size that it passed over at reduced size
        return refusal("damaged", f"it cannot be re-encoded: {fault}")


def _held(payload: bytes | Refusal, sha256: str, task: PackTask) -> Path | None:
    """Lay the bytes of a refused image down for the quarantine, and return where."""
    if isinstance(payload, Refusal) or len(payload) > task.quarantine_bytes:
        return None
    path = task.staging / "lost" / sha256
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_bytes(payload)
    return temporary.replace(path)
