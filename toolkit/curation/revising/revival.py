"""The bytes of images that a new decision lets in: from shards of earlier versions that held them, or from their sources."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.assembly import Batch
from toolkit.curation.discrepancies import misfit_list
from toolkit.curation.examine import Limits
from toolkit.curation.locators import known_locators
from toolkit.curation.parts import PART_SUFFIX, write_part
from toolkit.curation.revising.belongings import ANNOTATION_COLUMNS, unplaced_masks
from toolkit.curation.revising.restaging import lay_down_again
from toolkit.curation.stages import Run, pack_shards
from toolkit.dataset.reading import Dataset
from toolkit.dataset.rewriting import RewriteTask
from toolkit.engine import engine, silent
from toolkit.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.curation.masks import Misfit
    from toolkit.curation.recipe import Recipe
    from toolkit.dataset.shards import ShardFacts
    from toolkit.engine import Progress, Scheduler

__all__ = ["Revival", "revive"]

_DECIDED: Final = ("state", "reason", "duplicate_of", "duplicate_group", "split", "batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revival:
    """How images come back."""

    tasks: list[RewriteTask]
    """Shards to be made of earlier shards."""
    shards: tuple[ShardFacts, ...]
    """Shards written from sources."""
    absent: pl.DataFrame
    """``row`` of the occurrences whose bytes cannot be had."""
    misfits: pl.DataFrame
    """Masks that do not fit images that come from sources: ``row``, and columns of ``findings.FINDINGS["unmatched"]``."""


def revive(
    dataset: Dataset,
    entering: pl.DataFrame,
    recipe: Recipe,
    *,
    scheduler: Scheduler | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Revival:
    """Return how the bytes of occurrences come into the dataset; those read from sources are packed already.

    Parameters
    ----------
    dataset : Dataset
        At its newest version, held for writing.
    entering : pl.DataFrame
        ``row``, ``source``, ``batch``, ``image_id``, ``new_duplicate_group``, ``new_split``.
    recipe : Recipe
        The recipe.
    scheduler, workers, progress
        As for ``curate``.
    """
    nothing = entering.select("row").clear()
    none = _misfits(None, entering["row"], [])
    if entering.is_empty():
        return Revival(tasks=[], shards=(), absent=nothing, misfits=none)
    name = hashlib.sha256("\n".join(entering["source"]).encode()).hexdigest()[:16]
    staging = dataset.store.staging(f"revival-{name}")
    tasks, found = _from_shards(dataset, entering, name, staging)
    rest = entering.join(found, on="row", how="anti", maintain_order="left")
    places = known_locators(dataset.store, rest)
    packable = _reachable(rest.join(places, on=["source", "batch"], how="inner", maintain_order="left"))
    absent = rest.join(packable, on="row", how="anti").select("row")
    if packable.is_empty():
        return Revival(tasks=tasks, shards=(), absent=absent, misfits=none)
    lay_down_again(packable["locator"], staging)
    with engine(scheduler, workers=workers) as running:
        run = Run(engine=running, recipe=recipe, limits=Limits(), staging=staging, tell=progress or silent)
        batch = _batch(dataset, packable, recipe, staging)
        packed = pack_shards(run, batch, f"{name}{batch.identity}", dataset.store.images_path)
    lost = pl.DataFrame({"at": [loss.row_index for loss in packed.lost]}, schema={"at": pl.UInt32})
    gone = packable.with_row_index("at").join(lost, on="at", how="semi").select("row")
    if len(gone):
        for shard in packed.shards:
            (dataset.store.images_path / shard.name).unlink(missing_ok=True)
    return Revival(
        tasks=tasks,
        shards=() if len(gone) else packed.shards,
        absent=pl.concat([absent, gone]),
        misfits=_misfits(batch, packable["row"], [*unplaced_masks(batch), *packed.misfits]),
    )


def _reachable(placed: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose file, archive or table is there, as far as a look tells: no cluster is started for the others."""
    found = [json.loads(locator) for locator in placed["locator"]]
    paths = {place["path"] for place in found if place["kind"] != "remote"}
    gone = {path for path in paths if not Path(path).exists()}
    return placed.filter(pl.Series([place["path"] not in gone for place in found], dtype=pl.Boolean))


def _misfits(batch: Batch | None, packable: pl.Series, misfits: Sequence[Misfit]) -> pl.DataFrame:
    """Return the misfits, whose rows count over what was packed, as ``Revival.misfits``."""
    rows = packable.gather([misfit.row_index for misfit in misfits])
    return misfit_list(batch, misfits).with_columns(rows)


def _from_shards(dataset: Dataset, entering: pl.DataFrame, name: str, staging: Path) -> tuple[list[RewriteTask], pl.DataFrame]:
    """Return how rows that an earlier version's shards hold are copied, and which rows those are."""
    paths = _earlier_shards(dataset)
    none = entering.select("row").clear()
    if not paths:
        return [], none
    held = (
        pl.scan_parquet(paths, glob=False, include_file_paths="path")
        .select("path", "image_id", "source")
        .join(entering.lazy(), on=["image_id", "source"])
        .select("row", "path", "image_id", "source", "new_duplicate_group", "new_split")
        .unique("row", keep="any")
        .collect(engine="streaming")
        .sort("path", "row")
    )
    tasks = []
    by_path = {str(path): path for path in paths}
    for index, ((text, split), rows) in enumerate(held.group_by("path", "new_split", maintain_order=True)):
        changes = staging / f"revived-{index:05d}.parquet"
        rows.select(
            "image_id", "source", is_kept=pl.lit(value=True), duplicate_group="new_duplicate_group", split="new_split"
        ).write_parquet(changes)
        target = dataset.store.images_path / f"{split}-{name}-r{index:05d}.parquet"
        tasks.append(RewriteTask(shards=(by_path[str(text)],), target=target, changes=changes, keeps_others=False))
    return tasks, held.select("row")


def _earlier_shards(dataset: Dataset) -> list[Path]:
    """Return the shards of earlier versions that this one does not hold and that are still there, the newest first."""
    now = {path.name for path in dataset.shard_paths()}
    found: dict[str, Path] = {}
    for state in reversed(dataset.store.states()):
        if state.version >= dataset.version:
            continue
        for path in Dataset(dataset.store, state.version).shard_paths():
            if path.name not in now and path.exists():
                found.setdefault(path.name, path)
    return list(found.values())


def _batch(dataset: Dataset, packable: pl.DataFrame, recipe: Recipe, staging: Path) -> Batch:
    """Return occurrences of the catalog as a batch to be packed: their facts, what is said of them, where their bytes are."""
    columns = ("at", "source", "batch", "locator", "mask_locator", "new_duplicate_group", "new_split")
    keys = packable.with_row_index("at").select(columns)
    facts = (
        dataset.scan("catalog")
        .join(keys.lazy(), on=["source", "batch"])
        .collect(engine="streaming")
        .unique("at", keep="any")
        .sort("at")
    )
    if len(facts) != len(packable):
        raise DatasetError(f"the catalog of '{dataset.location}' lacks rows that it had; run tonnage verify")
    part = staging / f"entering{PART_SUFFIX}"
    own = [*_DECIDED, *ANNOTATION_COLUMNS, "at", "mask_locator", "new_duplicate_group", "new_split"]
    write_part(part, facts.drop(own))
    outcomes = facts.select(
        pl.col("at").cast(pl.UInt32).alias("row"),
        "source",
        "image_id",
        "size_bytes",
        "pixel_hash",
        state=pl.lit("kept"),
        reason=pl.lit(None, pl.String),
        duplicate_of=pl.lit(None, pl.String),
        duplicate_group="new_duplicate_group",
        split="new_split",
    )
    labels = facts.select(pl.col("at").cast(pl.UInt32).alias("row"), *ANNOTATION_COLUMNS, "mask_locator")
    return Batch(parts=[part], outcomes=outcomes, labels=labels, recipe=recipe)
