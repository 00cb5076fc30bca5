"""The stages of a curation that run on the cluster: read, compare, write. Each streams tasks and gathers small reports.

A task whose worker died is done again here, in processes that may die of a single image.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import polars as pl

from toolkit.curation.dedupe import twin_candidates
from toolkit.curation.identities import numbered
from toolkit.curation.packing import Lost, PackReport, PackTask, block_count, pack, pack_isolated
from toolkit.curation.parts import scan_parts
from toolkit.curation.places import check_free_space
from toolkit.curation.probing import ProbeTask, probe, probe_isolated
from toolkit.curation.room import no_room, shard_bytes, staged_bytes
from toolkit.curation.sources import OtherFile, SourceUnit
from toolkit.curation.sources.tails import with_short_tail
from toolkit.curation.spooling import SPOOL_SCHEMA, masks_of_tables, spool, spool_tasks, unspooled
from toolkit.curation.twins import hash_twins, hash_twins_isolated, twin_tasks
from toolkit.engine import worker_died
from toolkit.errors import DatasetError, TonnageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from toolkit.curation.assembly import Batch
    from toolkit.curation.examine import Limits
    from toolkit.curation.history import KnownSources
    from toolkit.curation.masks import Misfit
    from toolkit.curation.others import OtherFiles
    from toolkit.curation.recipe import Recipe, Resize
    from toolkit.curation.spooling import SpoolTask
    from toolkit.dataset.shards import ShardFacts
    from toolkit.engine import Engine, Progress

__all__ = ["DRIVER_MODULES", "MOST_READS", "WORKER_MODULES", "Packed", "Reading", "Run", "compare", "pack_shards", "read_sources"]

Task = TypeVar("Task")
Report = TypeVar("Report")


_WAITING_HASHES: Final = 10_000
"""Hashes that wait as text before they become numbers."""

MOST_READS: Final = 2
"""How often a group of rows may be read to be packed: in more blocks than this, it is read once and laid down."""

WORKER_MODULES: Final = ("toolkit.curation.stages",)
"""What workers import while they start."""

DRIVER_MODULES: Final = ("scipy.sparse.csgraph", "deltalake")
"""What this process needs later, and imports while the workers start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What every stage of one run needs."""

    engine: Engine
    """Where tasks run."""
    recipe: Recipe
    """What the user decided."""
    limits: Limits
    """What is held against each header."""
    staging: Path
    """Folder of unfinished work."""
    tell: Progress
    """Called as work gets on."""


@dataclass(slots=True, kw_only=True)
class Reading:
    """What was read, as it grows."""

    parts: list[Path] = field(default_factory=list)
    """Probe parts, in the order in which their units were found."""
    row_counts: list[int] = field(default_factory=list)
    """Rows of each."""
    refusals: list[Path] = field(default_factory=list)
    """Parts with refused bytes."""
    occurrence_count: int = 0
    """Occurrences."""
    size_bytes: int = 0
    """Their bytes."""
    cpu_s: float = 0.0
    """Processor time over all workers."""
    taken_up_count: int = 0
    """Occurrences that an earlier run, which was stopped, had read."""


def _results(
    run: Run, function: Callable[[Task], Report], tasks: Iterable[Task], alone: Callable[[Task, int | None], Report]
) -> Iterator[tuple[Task, Report]]:
    """Yield each task with its report; what killed a worker is done by ``alone``, with the memory that a worker may take."""
    for task, result in run.engine.stream(function, tasks):
        if not isinstance(result, BaseException):
            yield task, result
        elif worker_died(result):
            yield task, alone(task, run.engine.worker_memory_bytes)
        elif isinstance(result, TonnageError) or not isinstance(result, Exception):
            raise result
        else:
            raise DatasetError(f"the curation stopped, nothing was committed: {_told(run, result)}") from result


def _told(run: Run, fault: Exception) -> str:
    """Return what stopped a task, in words where it is the disk."""
    return no_room(run.staging, fault) or f"{type(fault).__name__}: {fault}"


def read_sources(run: Run, found: Iterable[SourceUnit | OtherFile], known: KnownSources, others: OtherFiles) -> Reading:
    """Read and examine every unit that no earlier batch has read; count the other files."""
    reading = Reading()
    order: dict[str, int] = {}
    done: dict[int, tuple[Path, int, Path | None]] = {}
    expected: list[int | None] = [0, None]
    is_fresh = not (run.staging / "members").exists()  # else a part of what is needed lies there already

    def units() -> Iterator[SourceUnit]:
        for each in found:
            if isinstance(each, OtherFile):
                others.add(each)
            elif (unit := known.unread(each)) is not None:
                yield unit

    def tasks() -> Iterator[ProbeTask]:
        count: int | None = 0
        for unit in with_short_tail(units(), run.engine.thread_count):
            if is_fresh:
                check_free_space(run.staging, staged_bytes(unit), f"what is laid down of '{unit.source or unit.items[0].source}'")
            task = ProbeTask(unit=unit, staging=run.staging, limits=run.limits, quarantine_bytes=run.recipe.quarantine_bytes)
            order[task.name] = len(order)
            count = None if count is None or not unit.items else count + len(unit.items)
            yield task
        expected[1] = count

    for task, report in _results(run, probe, tasks(), probe_isolated):
        refused = report.refusals(run.staging) if report.refused_count else None
        done[order[task.name]] = (report.part(run.staging), report.occurrence_count, refused)
        for other in report.others:
            others.add(other)
        reading.occurrence_count += report.occurrence_count
        reading.size_bytes += report.size_bytes
        reading.cpu_s += report.cpu_s
        reading.taken_up_count += report.occurrence_count if report.is_taken_up else 0
        run.tell("read", reading.occurrence_count, expected[1], "images read and examined")
    reading.parts = [done[position][0] for position in sorted(done)]
    reading.row_counts = [done[position][1] for position in sorted(done)]
    reading.refusals = [refused for position in sorted(done) if (refused := done[position][2]) is not None]
    return reading


def compare(run: Run, rows: pl.DataFrame, history: pl.DataFrame, reading: Reading, shards: list[Path]) -> pl.DataFrame:
    """Return the pixel hashes that both frames lack and that images which look equal in luma call for: ``sha256``, ``taken``.

    Both are numbers (``toolkit.curation.identities``).
    """
    sound = rows.filter(pl.col("refusal").is_null()) if rows["refusal"].null_count() < len(rows) else rows
    twins = twin_candidates(sound, history) if run.recipe.keep == "original" else _unhashed(sound)
    locators = scan_parts(reading.parts).select("row", "locator", "sha256")
    found = _Taken()
    run.tell("compare", 0, len(twins), "images that look equal")
    tasks = twin_tasks(twins, sound, locators, shards, run.staging, run.limits.image_deadline_s) if len(twins) else ()
    for _, report in _results(run, hash_twins, tasks, hash_twins_isolated):
        found.add(report.hashes)
        reading.cpu_s += report.cpu_s
        run.tell("compare", len(found), len(twins), "images that look equal")
    return found.frame()


class _Taken:
    """Pixel hashes as they come, a few as text and the rest as numbers."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: list[tuple[str, str | None]] = []
        self._blocks: list[pl.DataFrame] = []

    def __len__(self) -> int:
        return self._count

    def add(self, hashes: Sequence[tuple[str, str | None]]) -> None:
        self._count += len(hashes)
        self._waiting.extend(hashes)
        if len(self._waiting) >= _WAITING_HASHES:
            self._flush()

    def _flush(self) -> None:
        text = pl.DataFrame(self._waiting, schema={"sha256": pl.String, "taken": pl.String}, orient="row")
        self._blocks.append(text.select(numbered("sha256"), numbered("taken")))
        self._waiting = []

    def frame(self) -> pl.DataFrame:
        self._flush()
        return pl.concat(self._blocks)


def _unhashed(sound: pl.DataFrame) -> pl.DataFrame:
    """Return every content without pixel hash: re-encoded bytes cannot be hashed later, when a twin may come."""
    bare = sound.filter(pl.col("pixel_hash").is_null() & pl.col("luma_hash").is_not_null())
    return bare.select("image_id", "sha256", is_new=pl.lit(value=True)).unique("sha256").sort("sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """The shards of a batch."""

    shards: tuple[ShardFacts, ...]
    """In the order of their names."""
    lost: tuple[Lost, ...]
    """Images whose bytes changed since they were examined."""
    cpu_s: float
    """Processor time over all workers."""
    misfits: tuple[Misfit, ...] = ()
    """Masks that are not in them."""


def pack_shards(run: Run, batch: Batch, name: str, folder: Path) -> Packed:
    """Write the shards of a batch into a folder, under names that no other batch uses."""
    reports: list[PackReport] = []
    planned = batch.planned()
    resize = run.recipe.resize if run.recipe.keep == "resized" else None
    _clear(run)  # of a run that was stopped
    spools = _spools(run, batch, planned)
    needed_bytes = shard_bytes(_sizes(batch, planned, resize), len(batch.outcomes), resize)
    check_free_space(folder.parent, needed_bytes + sum(task.size_bytes for task in spools))
    laid_down, cpu_s = _laid_down(run, spools)
    tasks = (
        PackTask(
            plan=shard,
            target=folder / f"{shard.split}-{name[:16]}-{shard.index:05d}.parquet",
            staging=run.staging,
            resize=resize,
            image_deadline_s=run.limits.image_deadline_s,
            quarantine_bytes=run.recipe.quarantine_bytes,
        )
        for shard in batch.plan(name, run.staging / "plan", planned, laid_down)
    )
    kept_count = len(planned)
    written_count = 0
    run.tell("write", 0, kept_count, "images written")
    for _, report in _results(run, pack, tasks, pack_isolated):
        reports.append(report)
        written_count += report.facts.row_count if report.facts is not None else 0
        run.tell("write", written_count, kept_count, "images written")
    _clear(run)
    shards = sorted((report.facts for report in reports if report.facts is not None), key=lambda facts: facts.name)
    return Packed(
        shards=tuple(shards),
        lost=tuple(lost for report in reports for lost in report.lost),
        cpu_s=cpu_s + sum(report.cpu_s for report in reports),
        misfits=tuple(misfit for report in reports for misfit in report.misfits),
    )


def _clear(run: Run) -> None:
    for name in ("plan", "spool"):
        shutil.rmtree(run.staging / name, ignore_errors=True)


def _sizes(batch: Batch, planned: pl.DataFrame, resize: Resize | None) -> pl.DataFrame:
    """Return ``size_bytes`` of the images kept, and how large they are where they will be re-encoded."""
    sizes = planned.select("row", size_bytes="planned_bytes")
    if resize is None:
        return sizes
    scan = scan_parts(batch.parts).select("row", "width_px", "height_px")
    return scan.join(sizes.lazy(), on="row").collect(engine="streaming")


def _spools(run: Run, batch: Batch, planned: pl.DataFrame) -> list[SpoolTask]:
    """Return the work of laying the kept rows of tables down, if shards would else read them too often."""
    if block_count(planned) <= MOST_READS:
        return []
    names = [name for name in ("row", "mask_locator") if name in batch.labels.collect_schema().names()]
    masks = masks_of_tables(batch.labels.lazy().select(names).filter(pl.col(names[-1]).is_not_null()).collect(engine="streaming"))
    return list(spool_tasks(batch.parts, planned, masks, run.staging))


def _laid_down(run: Run, spools: list[SpoolTask]) -> tuple[pl.DataFrame, float]:
    """Return where rows of tables were laid down; and processor seconds."""
    found, cpu_s = [pl.DataFrame(schema=SPOOL_SCHEMA)], 0.0
    for _, report in _results(run, spool, spools, unspooled):
        found += [] if report.index is None else [pl.read_parquet(report.index, glob=False)]
        cpu_s += report.cpu_s
    return pl.concat(found), cpu_s
