"""What is to change in each table, made one version: only the files that hold a changed row are written anew."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.curation.describing import describe
from toolkit.curation.recipe import Recipe
from toolkit.dataset.findings import write_finding
from toolkit.dataset.reading import Dataset
from toolkit.dataset.rewriting import RewriteTask, rewrite, rewrite_facts
from toolkit.dataset.tables import SCHEMAS, BatchCommit
from toolkit.engine import engine
from toolkit.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from toolkit.dataset.shards import ShardFacts
    from toolkit.engine import Progress, Scheduler

__all__ = ["IMAGE_CHANGES", "Revision", "no_changes", "revise", "rewrite_all"]

IMAGE_CHANGES: Final = {
    "image_id": pl.String,
    "source": pl.String,
    "is_kept": pl.Boolean,
    "duplicate_group": pl.String,
    "split": pl.String,
}
"""What may change of an image: whether it stays, and its group and split; null leaves a value as it is."""

_FACTS_KEY: Final = ("source", "batch")

_HERE_BYTES: Final = 256 * 2**20
"""Up to so many bytes of shards are rewritten by this process: a cluster takes longer to start."""


def no_changes() -> pl.DataFrame:
    """Return a frame of ``IMAGE_CHANGES`` without rows."""
    return pl.DataFrame(schema=IMAGE_CHANGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What one version changes."""

    kind: str
    """As in ``StoreState.kind``."""
    recipe: Mapping[str, Any]
    """The recipe from now on."""
    images: pl.DataFrame = field(default_factory=no_changes)
    """``IMAGE_CHANGES`` of the images to change or remove."""
    catalog: pl.DataFrame | None = None
    """``source``, ``batch``, ``is_kept`` and new values, as in ``rewrite_facts``; None if the catalog stays."""
    quarantine: pl.DataFrame | None = None
    """The same for the quarantine."""
    tasks: Sequence[RewriteTask] = ()
    """Shards to be made of others beside those of changed images."""
    removed_shards: Sequence[str] = ()
    """Shards that ``tasks`` replace."""
    shards: Sequence[ShardFacts] = ()
    """Shards already written that become part of the dataset."""
    notes: Mapping[str, float] = field(default_factory=dict)
    """What a reader should know, as counts."""
    findings: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Lists of what did not fit together, as ``toolkit.dataset.findings`` has them."""
    is_purge: bool = False
    """Whether no earlier version is to be opened again."""

    def identity(self, before: Dataset) -> str:
        """Identifier of the version: of what it follows and what it changes."""
        digest = hashlib.sha256(f"{self.kind}\0{before.state.batch}\0{before.version}".encode())
        for frame in (self.images, self.catalog, self.quarantine):
            if frame is not None:
                digest.update(frame.select(sorted(frame.columns)).rechunk().write_ipc(None).getbuffer())
        digest.update(repr(sorted(dict(self.recipe).items())).encode())
        digest.update("\n".join(sorted([*self.removed_shards, *(shard.name for shard in self.shards)])).encode())
        return digest.hexdigest()[:32]


def revise(
    before: Dataset,
    revision: Revision,
    *,
    scheduler: Scheduler | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Write a revision as the next version and return the dataset opened at it; the caller holds the dataset for writing.

    Raises
    ------
    DatasetError
        If what was written does not add up; nothing is committed then.
    """
    store, name = before.store, revision.identity(before)
    staging = store.staging(name)
    tasks, removed = _shard_tasks(before, revision, name, staging)
    written = rewrite_all([*revision.tasks, *tasks], scheduler=scheduler, workers=workers, progress=progress)
    gone: dict[str, list[str]] = {"images": [*revision.removed_shards, *removed]}
    facts: dict[str, list[ShardFacts]] = {}
    for table, changes in (("catalog", revision.catalog), ("quarantine", revision.quarantine)):
        facts[table], gone[table] = _facts_files(before, table, changes, name)
    commit = BatchCommit(
        batch=name,
        kind=revision.kind,
        base_version=before.version,
        shards=[*revision.shards, *written],
        catalog=facts["catalog"],
        quarantine=facts["quarantine"],
        recipe=revision.recipe,
        curation=dict(before.state.curation) | dict(revision.notes),
        removed=gone,
        is_purge=revision.is_purge,
    )
    _check_accounts(before, commit)
    for list_name, frame in revision.findings.items():
        write_finding(store, name, list_name, frame)
    store.commit(commit)
    for left in (staging, *staging.parent.glob("revival-*")):
        shutil.rmtree(left, ignore_errors=True)
    revised = Dataset(store)
    describe(revised, Recipe.load(revision.recipe), revision.notes)
    return revised


def _shard_tasks(before: Dataset, revision: Revision, name: str, staging: Path) -> tuple[list[RewriteTask], list[str]]:
    """Return how the shards that hold a changed image are written anew, and their names."""
    if revision.images.is_empty():
        return [], []
    changes = staging / "changes.parquet"
    revision.images.select(IMAGE_CHANGES.keys()).write_parquet(changes)
    paths = before.shard_paths()
    holding = (
        pl.scan_parquet(paths, glob=False, include_file_paths="path")
        .select("path", "image_id", "source")
        .join(revision.images.lazy(), on=["image_id", "source"], how="semi")
        .select("path")
        .unique()
        .collect(engine="streaming")["path"]
        .to_list()
    )
    affected = [path for path in paths if str(path) in set(holding) and path.name not in set(revision.removed_shards)]
    tasks = [
        RewriteTask(shards=(path,), target=path.with_name(f"{_split(path)}-{name[:16]}-{index:05d}.parquet"), changes=changes)
        for index, path in enumerate(affected)
    ]
    return tasks, [path.name for path in affected]


def _split(path: Path) -> str:
    return path.name.split("-", 1)[0]


def rewrite_all(
    tasks: Sequence[RewriteTask],
    *,
    scheduler: Scheduler | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[ShardFacts]:
    """Return the shards that tasks write, in the order of their names; a task that leaves no row gives none.

    Raises
    ------
    DatasetError
        If one cannot be written.
    """
    done: list[ShardFacts] = []
    for count, facts in enumerate(_rewritten(tasks, scheduler, workers), start=1):
        if facts is not None:
            done.append(facts)
        if progress is not None:
            progress("rewrite", count, len(tasks), "shards written anew")
    return sorted(done, key=lambda facts: facts.name)


def _rewritten(tasks: Sequence[RewriteTask], scheduler: Scheduler | None, workers: int | None) -> Iterator[ShardFacts | None]:
    total_bytes = sum(path.stat().st_size for task in tasks for path in task.shards)
    if scheduler is None and total_bytes <= _HERE_BYTES:
        yield from map(rewrite, tasks)
        return
    with engine(scheduler, workers=workers) as running:
        for task, result in running.stream(rewrite, tasks):
            if isinstance(result, BaseException):
                raise DatasetError(f"'{task.target.name}' could not be written, nothing was committed: {result}") from result
            yield result


def _facts_files(before: Dataset, table: str, changes: pl.DataFrame | None, name: str) -> tuple[list[ShardFacts], list[str]]:
    """Write the files of a table that hold a changed row anew; return them and the names of those they replace."""
    paths = before.table_paths(table)
    if changes is None or changes.is_empty() or not paths:
        return [], []
    holding = (
        pl.scan_parquet(paths, glob=False, include_file_paths="path")
        .select("path", *_FACTS_KEY)
        .join(changes.lazy(), on=_FACTS_KEY, how="semi", nulls_equal=True)
        .select("path")
        .unique()
        .collect(engine="streaming")["path"]
        .to_list()
    )
    affected = [path for path in paths if str(path) in set(holding)]
    written = []
    for index, path in enumerate(affected):
        target = path.with_name(f"part-{name[:16]}-{index:05d}.parquet")
        facts = rewrite_facts([path], target, changes, SCHEMAS[table])
        if facts is not None:
            written.append(facts)
    return written, [path.name for path in affected]


def _check_accounts(before: Dataset, commit: BatchCommit) -> None:
    """Raise unless the shards will hold exactly the images that the catalog will call kept."""
    shards = before.shards.filter(~pl.col("name").is_in(list(commit.removed["images"])))
    image_count = int(shards["row_count"].sum()) + sum(shard.row_count for shard in commit.shards)
    gone = set(commit.removed["catalog"])
    folder = before.store.table_path("catalog")
    new = [folder / part.name for part in commit.catalog if not hasattr(part, "num_rows")]
    paths = [path for path in before.table_paths("catalog") if path.name not in gone] + new
    kept_count = (
        pl.scan_parquet(paths, glob=False).filter(pl.col("state") == "kept").select(pl.len()).collect(engine="streaming").item()
    )
    if image_count != kept_count:
        raise DatasetError(
            f"the accounts do not balance: the shards would hold {image_count:,} images and the catalog would call "
            f"{kept_count:,} kept; nothing was committed; run tonnage verify"
        )
