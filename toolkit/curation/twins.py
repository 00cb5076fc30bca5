"""Full-colour pixel hashes of the few images whose size and luma equal another's, taken on the workers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow.parquet as pq

from toolkit.curation.deadlines import watched
from toolkit.curation.hashing import pixel_hash
from toolkit.curation.identities import NUMBERED, numbered, spelled
from toolkit.curation.isolation import IsolatedProcess
from toolkit.curation.reasons import Refusal
from toolkit.curation.sources import reread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["NewTwins", "OldTwins", "TwinReport", "hash_twins", "hash_twins_isolated", "twin_tasks", "with_pixel_hashes"]

_PER_TASK: Final = 64
_HALF_DIGITS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTwins:
    """Images of the sources to be hashed."""

    wanted: tuple[tuple[str, str], ...]
    """sha256 and locator of each."""
    staging: Path
    """Where members of streams lie."""
    image_deadline_s: float
    """Seconds after which a decoder hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldTwins:
    """Images of a shard of the dataset to be hashed."""

    shard: Path
    """The shard."""
    sha256: tuple[str, ...]
    """Which of its images."""
    image_deadline_s: float
    """Seconds after which a decoder hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinReport:
    """Pixel hashes by sha256."""

    hashes: tuple[tuple[str, str | None], ...]
    """sha256 and pixel hash; None where the bytes could not be had again or not be decoded."""
    cpu_s: float
    """Processor time of the thread."""


def hash_twins(task: NewTwins | OldTwins) -> TwinReport:
    """Return the pixel hashes of a task's images."""

    def hashed(payload: bytes) -> str | None:
        with watched(task.image_deadline_s):
            return pixel_hash(payload)

    return _hashed(task, hashed)


def hash_twins_isolated(task: NewTwins | OldTwins, memory_bytes: int | None = None) -> TwinReport:
    """Return the pixel hashes of a task that killed its worker: an image that kills its process has none.

    Parameters
    ----------
    task : NewTwins or OldTwins
        The images.
    memory_bytes : int, optional
        Memory that an image may take.
    """
    with IsolatedProcess(task.image_deadline_s, memory_bytes) as isolated:

        def hashed(payload: bytes) -> str | None:
            try:
                found: str | None = isolated.call(pixel_hash, payload)
            except ChildProcessError:
                return None
            return found

        return _hashed(task, hashed)


def _hashed(task: NewTwins | OldTwins, hasher: Callable[[bytes], str | None]) -> TwinReport:
    started_s = time.thread_time()
    found = _new_payloads(task) if isinstance(task, NewTwins) else _old_payloads(task)
    hashes = tuple((sha256, hasher(payload) if payload is not None else None) for sha256, payload in found)
    return TwinReport(hashes=hashes, cpu_s=time.thread_time() - started_s)


def _new_payloads(task: NewTwins) -> Iterator[tuple[str, bytes | None]]:
    for sha256, payload in reread(task.wanted, task.staging):
        yield sha256, None if isinstance(payload, Refusal) else payload


def _old_payloads(task: OldTwins) -> Iterator[tuple[str, bytes | None]]:
    """Yield the bytes of some images of a shard; only row groups that hold one are read."""
    wanted = set(task.sha256)
    with pq.ParquetFile(task.shard) as shard:
        for group in range(shard.num_row_groups):
            names = shard.read_row_group(group, columns=["sha256"])["sha256"].to_pylist()
            here = [(row, name) for row, name in enumerate(names) if name in wanted]
            if here:
                images = shard.read_row_group(group, columns=["image"])["image"]
                yield from ((name, images[row]["bytes"].as_py()) for row, name in here)


def twin_tasks(
    twins: pl.DataFrame,
    rows: pl.DataFrame,
    locators: pl.LazyFrame,
    shards: list[Path],
    staging: Path,
    image_deadline_s: float,
) -> Iterator[NewTwins | OldTwins]:
    """Yield the work of hashing the images that ``dedupe.twin_candidates`` names.

    Parameters
    ----------
    twins : pl.DataFrame
        ``sha256``, ``is_new``.
    rows : pl.DataFrame
        ``row``, ``sha256`` of the new occurrences.
    locators : pl.LazyFrame
        ``row``, ``locator`` and ``sha256``, as text, of all of them.
    shards : list of Path
        Shards of the dataset so far.
    staging : Path
        Where members of streams lie.
    image_deadline_s : float
        Seconds after which a decoder hangs.
    """
    new = rows.filter(pl.col("sha256").is_in(twins.filter("is_new")["sha256"].implode())).select("row", "sha256")
    chosen = new.unique("sha256", keep="first", maintain_order=True).lazy()
    places = (
        locators.join(chosen, on="row", how="semi").select("sha256", "locator", "row").collect(engine="streaming").sort("row")
    )
    for block in _runs(places):
        yield NewTwins(
            wanted=tuple(block.select("sha256", "locator").iter_rows()), staging=staging, image_deadline_s=image_deadline_s
        )
    old = twins.filter(~pl.col("is_new"))
    if old.is_empty():
        return
    scan = pl.scan_parquet(shards, include_file_paths="shard", glob=False).select("shard", "sha256", "encoding")
    # identities that are held as numbers are of the first half
    keys = spelled(old.select(key="sha256")).lazy().select(pl.col("key").str.head(_HALF_DIGITS))
    held = (
        scan.filter(pl.col("encoding").fill_null("original") == "original")
        .with_columns(key=pl.col("sha256").str.head(_HALF_DIGITS))
        .join(keys, on="key", how="semi")
        .drop("key")
    )
    for (shard,), block in held.collect(engine="streaming").sort("shard", "sha256").group_by("shard", maintain_order=True):
        yield OldTwins(shard=Path(str(shard)), sha256=tuple(block["sha256"]), image_deadline_s=image_deadline_s)


def _runs(places: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Cut images, in the order in which they were found, into tasks; those of one group of rows of a table stay together."""
    is_table = pl.col("locator").str.contains('"kind": "parquet"', literal=True)
    group = pl.concat_str(*(pl.col("locator").str.json_path_match(f"$.{name}") for name in ("path", "group")), separator="\0")
    number = (pl.int_range(pl.len()) // _PER_TASK).cast(pl.String)
    marked = places.with_columns(run=pl.when(is_table).then(group).otherwise(number).rle_id())
    for _, block in marked.group_by("run", maintain_order=True):
        yield block.drop("run")


def with_pixel_hashes(frame: pl.DataFrame, taken: pl.DataFrame) -> pl.DataFrame:
    """Return images (``sha256``, ``pixel_hash``) with the hashes that were taken (``sha256``, ``taken``) where they had none.

    What was taken is held as numbers; the images' identities may be text.
    """
    if taken.is_empty():
        return frame
    if frame.schema["sha256"] != NUMBERED:
        key, taken = numbered("sha256"), taken.select("sha256", spelled(taken.select("taken")).to_series())
    else:
        key = pl.col("sha256")
    joined = frame.select(key, "pixel_hash").join(taken.unique("sha256"), on="sha256", how="left", maintain_order="left")
    return frame.with_columns(joined.select(pixel_hash=pl.coalesce("pixel_hash", "taken")).to_series())
