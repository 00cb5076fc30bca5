"""Refusals tried again: with a reader that was missing, a limit that was raised, a source that can be read by now."""

from __future__ import annotations

import dataclasses
import shutil
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow.parquet as pq

from toolkit.curation.assembly import Batch
from toolkit.curation.decide import DECISION_COLUMNS, decide
from toolkit.curation.examine import Limits
from toolkit.curation.history import KnownSources, kept_images, removed_contents
from toolkit.curation.locators import known_locators
from toolkit.curation.others import OtherFiles
from toolkit.curation.places import check_examination
from toolkit.curation.recipe import Recipe
from toolkit.curation.revising.revision import Revision, revise
from toolkit.curation.revising.revival import ANNOTATION_COLUMNS
from toolkit.curation.sources import Item, SourceUnit, reread
from toolkit.curation.sources.files import etag_of
from toolkit.curation.splits import with_split_keys
from toolkit.curation.stages import Run, compare, pack_shards, read_sources
from toolkit.curation.twins import with_pixel_hashes
from toolkit.dataset.reading import Dataset, open_dataset
from toolkit.dataset.schema import FACT_FIELDS, SCORE_FIELDS
from toolkit.engine import engine, silent
from toolkit.errors import UsageError
from toolkit.notebook_progress import shows_progress

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from toolkit.curation.stages import Reading
    from toolkit.dataset.shards import ShardFacts
    from toolkit.engine import Progress, Scheduler
    from toolkit.locations import Location

__all__ = ["retry"]

_FACTS: Final = tuple(field.name for field in (*FACT_FIELDS, *SCORE_FIELDS))
_OUTCOME: Final = ("state", "reason", "duplicate_of", "duplicate_group", "split")
_UNIT: Final = 64
"""Files of a unit of work."""

_OF_CONTAINERS: Final = "discover"
"""Stage of refusals that are about an archive and a member's place in it, whatever the bytes are."""

_BYTES_ROWS: Final = 64
"""Refused files held at once."""


@shows_progress
def retry(
    dataset: str | Path | Location | Dataset,
    recipe: Recipe | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    *,
    reason: str | None = None,
    scheduler: Scheduler | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Examine what was refused again and let in what is sound now, as a new version; return the dataset opened at it.

    Returns the dataset as it is if everything is refused as before.

    Parameters
    ----------
    dataset : path or Dataset
        The dataset.
    recipe : Recipe, mapping or path, optional
        A recipe with other limits; by default the last one.
    reason : str, optional
        Try refusals of this reason alone, for example ``codec_missing``.
    scheduler : str or Client, optional
        An existing Dask cluster that sees the dataset's folder.
    workers : int, optional
        Worker processes of a local cluster.
    progress : callable, optional
        Called as work gets on.

    Raises
    ------
    UsageError
        If nothing was refused, or nothing for this reason.
    """
    before = open_dataset(dataset)
    check_examination(before)
    with before.store.writing():
        before = Dataset(before.store)
        rules = Recipe.load(before.state.recipe if recipe is None else recipe)
        refused = _refused(before, reason)
        staging = before.store.staging("retrial")
        shutil.rmtree(staging)
        staging.mkdir()
        try:
            revision = _tried(before, refused, rules, staging, scheduler, workers, progress or silent)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return before if revision is None else revise(before, revision, progress=progress)


def _refused(before: Dataset, reason: str | None) -> pl.DataFrame:
    rows = before.scan("quarantine").filter(pl.col("stage") != _OF_CONTAINERS)
    rows = rows.select("source", "batch", "reason", is_held=pl.col("bytes").is_not_null())
    every = rows.collect(engine="streaming").sort("source", "batch")
    chosen = every if reason is None else every.filter(pl.col("reason") == reason)
    if chosen.is_empty():
        reasons = ", ".join(sorted(set(every["reason"]))) or "none"
        named = "" if reason is None else f" for the reason '{reason}'"
        raise UsageError(f"nothing in '{before.location}' that can be tried again was refused{named}; there is: {reasons}")
    return chosen


def _tried(
    before: Dataset,
    refused: pl.DataFrame,
    rules: Recipe,
    staging: Path,
    scheduler: Scheduler | None,
    workers: int | None,
    tell: Progress,
) -> Revision | None:
    """Return what the trial changes; None if everything is refused as before."""
    limits = dataclasses.replace(Limits.of(rules), frames="first")  # a refusal is one occurrence, and comes in as one
    others = OtherFiles(staging / "others")
    with engine(scheduler, workers=workers) as running:
        run = Run(engine=running, recipe=rules, limits=limits, staging=staging, tell=tell)
        reading = read_sources(run, _units(before, refused, staging), KnownSources(None), others)
        if not reading.parts:
            return None
        rows = pl.scan_parquet(reading.parts, row_index_name="row", glob=False).select(*_decision_columns(reading)).collect()
        history = kept_images(before, rules.group_by)
        taken = compare(run, rows, history, reading, before.shard_paths())
        rows, history = with_pixel_hashes(rows, taken), with_pixel_hashes(history, taken)
        sound = rows.filter(pl.col("refusal").is_null())
        catalog_rows = _catalog_rows(before, refused)
        labels = _labels(sound, catalog_rows)
        decisions = decide(with_split_keys(sound, labels, rules.group_by), history, rules, removed_contents(before))
        outcomes = sound.select("row", "source", "image_id", "size_bytes", "pixel_hash").join(
            decisions.frame, on="row", maintain_order="left"
        )
        batch = Batch(parts=reading.parts, outcomes=outcomes, labels=labels, recipe=rules)
        packed = pack_shards(run, batch, batch.identity, before.store.images_path)
    if packed.lost:
        raise UsageError("the quarantine's bytes changed while they were read; nothing was changed; try again")
    return _revision(refused, reading, outcomes, rows, rules, packed.shards)


def _decision_columns(reading: Reading) -> list[str]:
    known = pl.scan_parquet(reading.parts, row_index_name="row", glob=False).collect_schema().names()
    return [name for name in DECISION_COLUMNS if name in known] + ["orientation"]


def _units(before: Dataset, refused: pl.DataFrame, staging: Path) -> Iterator[SourceUnit]:
    """Yield units of files that hold the refused bytes: those of the quarantine, and those of sources that still lie there."""
    folder = staging / "bytes"
    folder.mkdir()
    waiting: list[Item] = []
    for number, (source, payload) in enumerate(_payloads(before, refused)):
        path = folder / f"{number:09d}"
        path.write_bytes(payload)
        info = path.stat()
        waiting.append(Item(source=source, place=str(path), size_bytes=info.st_size, etag=etag_of(info)))
        if len(waiting) == _UNIT:
            yield SourceUnit(kind="files", path="", source="", items=tuple(waiting))
            waiting = []
    if waiting:
        yield SourceUnit(kind="files", path="", source="", items=tuple(waiting))


def _payloads(before: Dataset, refused: pl.DataFrame) -> Iterator[tuple[str, bytes]]:
    held = set(refused.filter("is_held").select("source", "batch").iter_rows())
    for path in before.table_paths("quarantine"):
        with pq.ParquetFile(path) as part:
            for rows in part.iter_batches(_BYTES_ROWS, columns=["source", "batch", "bytes"]):
                for row in rows.to_pylist():
                    if (row["source"], row["batch"]) in held:
                        yield row["source"], row["bytes"]
    absent = known_locators(before.store, refused.filter(~pl.col("is_held")))
    for source, found in reread(absent.select("source", "locator").iter_rows()):
        if isinstance(found, bytes):
            yield source, found


def _catalog_rows(before: Dataset, refused: pl.DataFrame) -> pl.DataFrame:
    """Return what annotations said of the refused when they came."""
    rows = before.scan("catalog").join(refused.lazy().select("source", "batch"), on=["source", "batch"], how="semi")
    return rows.select("source", *ANNOTATION_COLUMNS).collect(engine="streaming").unique("source", keep="any")


def _labels(sound: pl.DataFrame, catalog_rows: pl.DataFrame) -> pl.DataFrame:
    """Return the annotations by row, without boxes of images that turn out to be stored turned: those were not turned."""
    found = sound.select("row", "source", "orientation").join(catalog_rows, on="source", how="left", maintain_order="left")
    boxes = pl.when(pl.col("orientation").fill_null(1) == 1).then("boxes")
    return found.with_columns(boxes=boxes).select("row", *ANNOTATION_COLUMNS)


def _revision(
    refused: pl.DataFrame,
    reading: Reading,
    outcomes: pl.DataFrame,
    rows: pl.DataFrame,
    rules: Recipe,
    shards: tuple[ShardFacts, ...],
) -> Revision | None:
    """Return the changes: facts and outcome of what is sound now, the new reason of what is refused otherwise."""
    keys = refused.select("source", "batch", was="reason").unique("source", keep="first")
    facts = pl.scan_parquet(reading.parts, row_index_name="row", glob=False).select("row", "source", *_FACTS).drop("pixel_hash")
    decided = outcomes.select("row", "pixel_hash", *_OUTCOME)
    sound = _keyed(facts, decided, keys)
    other = rows.filter(pl.col("refusal").is_not_null()).join(keys, on="source").filter(pl.col("refusal") != pl.col("was"))
    none = decided.clear()
    refusals = pl.concat([none, other.select("row", state=pl.lit("quarantined"), reason="refusal")], how="diagonal")
    again = _keyed(facts, refusals, keys)
    if sound.is_empty() and again.is_empty():
        return None
    messages = [none.select(source="state", stage="state", reason="state", message="state")]
    messages += [pl.read_parquet(path, glob=False, columns=messages[0].columns) for path in reading.refusals]
    still = pl.concat(messages).join(again.select("source", "batch", "is_kept"), on="source")
    gone = sound.select("source", "batch", is_kept=pl.lit(value=False))
    return Revision(
        kind="retry",
        recipe=rules.to_dict(),
        catalog=pl.concat([sound, again]),
        quarantine=pl.concat([gone, still], how="diagonal"),
        shards=shards,
        notes={
            "retried_occurrence_count": float(len(rows)),
            "entered_image_count": float(sound.filter(pl.col("state") == "kept").height),
        },
    )


def _keyed(facts: pl.LazyFrame, outcomes: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Return the facts of rows with their outcomes, as changes of the catalog."""
    found = facts.join(outcomes.lazy(), on="row").join(keys.lazy(), on="source").with_columns(is_kept=pl.lit(value=True))
    return found.select("source", "batch", "is_kept", *_FACTS, *_OUTCOME).collect(engine="streaming")
