"""Refusals tried again: with a reader that was missing, a limit that was raised, a source that can be read by now."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.curation.assembly import Batch
from toolkit.curation.decide import DECISION_COLUMNS, decide
from toolkit.curation.discrepancies import bridge_list, misfit_list, without_masks
from toolkit.curation.examine import Limits
from toolkit.curation.history import KnownSources, kept_images, removed_contents
from toolkit.curation.identities import numbered, spelled
from toolkit.curation.locators import known_locators
from toolkit.curation.others import OtherFiles
from toolkit.curation.parts import scan_parts
from toolkit.curation.places import check_examination
from toolkit.curation.recipe import Recipe
from toolkit.curation.revising.belongings import ANNOTATION_COLUMNS, boxes_lost, said_again, unplaced_masks
from toolkit.curation.revising.refused import absent_count, refused_rows, refused_units
from toolkit.curation.revising.revision import Revision, revise
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
    from collections.abc import Mapping
    from pathlib import Path

    from toolkit.curation.stages import Reading
    from toolkit.dataset.shards import ShardFacts
    from toolkit.engine import Progress, Scheduler
    from toolkit.locations import Location

__all__ = ["retry"]

_FACTS: Final = tuple(field.name for field in (*FACT_FIELDS, *SCORE_FIELDS))
_OUTCOME: Final = ("state", "reason", "duplicate_of", "duplicate_group", "split")


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
        refused = refused_rows(before, reason)
        staging = before.store.staging("retrial")
        shutil.rmtree(staging)
        staging.mkdir()
        try:
            revision = _tried(before, refused, rules, staging, scheduler, workers, progress or silent)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return before if revision is None else revise(before, revision, progress=progress)


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
    had: set[str] = set()
    limits = dataclasses.replace(Limits.of(rules), frames="first")  # a refusal is one occurrence, and comes in as one
    others = OtherFiles(staging / "others")
    with engine(scheduler, workers=workers) as running:
        run = Run(engine=running, recipe=rules, limits=limits, staging=staging, tell=tell)
        reading = read_sources(run, refused_units(before, refused, staging, had), KnownSources(None), others)
        absent = absent_count(refused, had)
        if not reading.parts:
            _check_had(absent)
            return None
        rows = scan_parts(reading.parts).select(*_decision_columns(reading)).collect()
        numbers = rows.with_columns(numbered(name) for name in ("image_id", "sha256", "pixel_hash", "luma_hash"))
        history = kept_images(before, rules.group_by)
        taken = compare(run, numbers, history, reading, before.shard_paths())
        numbers, history = with_pixel_hashes(numbers, taken), with_pixel_hashes(history, taken)
        sound = numbers.filter(pl.col("refusal").is_null())
        said = _said(before, refused)
        images = sound.join(_keys(refused), on="source", how="left", maintain_order="left")
        labels = said_again(images, said, known_locators(before.store, refused))
        decisions = decide(with_split_keys(sound, labels, rules.group_by), history, rules, removed_contents(before))
        outcomes = sound.select("row", "image_id", "size_bytes", "pixel_hash").join(
            decisions.frame, on="row", maintain_order="left"
        )
        batch = Batch(
            parts=reading.parts, row_counts=reading.row_counts, outcomes=outcomes, labels=labels.sort("row"), recipe=rules
        )
        packed = pack_shards(run, batch, batch.identity, before.store.images_path)
    if packed.lost:
        raise UsageError("the quarantine's bytes changed while they were read; nothing was changed; try again")
    misfits = [*unplaced_masks(batch), *packed.misfits]
    unmatched = pl.concat([misfit_list(batch, misfits), boxes_lost(images, said, labels)])
    trial = _Trial(
        refused=refused,
        reading=reading,
        outcomes=spelled(outcomes),
        rows=rows,
        said=_said_of(rows.join(_keys(refused), on="source"), said, without_masks(batch, misfits).labels.lazy().collect()),
        shards=packed.shards,
        absent_count=absent,
        findings={"bridges": bridge_list(batch, decisions.bridges), "unmatched": unmatched},
    )
    revision = _revision(trial, rules)
    if revision is None:
        _check_had(absent)
    return revision


def _check_had(absent: int) -> None:
    """Raise if nothing changes because bytes are gone."""
    if absent:
        raise UsageError(
            f"the bytes of {absent:,} refusals can be had no more: the quarantine does not hold them, and their sources "
            f"are gone or have changed; nothing else came in; curate the sources again, or name another --reason"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """What a trial came to."""

    refused: pl.DataFrame
    """``source``, ``batch``, ``reason`` of what was tried."""
    reading: Reading
    """What was read of it."""
    outcomes: pl.DataFrame
    """What becomes of what is sound, by ``row``."""
    rows: pl.DataFrame
    """Everything that was read, with its refusal if it has one."""
    said: pl.DataFrame
    """``row``, ``boxes``, ``mask_source`` of all of it."""
    shards: tuple[ShardFacts, ...]
    """What was written."""
    absent_count: int
    """Refusals whose bytes can be had no more."""
    findings: Mapping[str, pl.DataFrame]
    """What did not fit together."""


def _decision_columns(reading: Reading) -> list[str]:
    known = scan_parts(reading.parts).collect_schema().names()
    return [name for name in DECISION_COLUMNS if name in known] + ["orientation"]


def _keys(refused: pl.DataFrame) -> pl.DataFrame:
    """Return ``source``, ``batch``, ``was`` (the reason) of what was refused; of a source that was refused twice, once."""
    return refused.select("source", "batch", was="reason").unique("source", keep="first", maintain_order=True)


def _said(before: Dataset, refused: pl.DataFrame) -> pl.DataFrame:
    """Return what annotations said of the refused when they came, and whether their size was known (``is_sized``)."""
    rows = before.scan("catalog").join(_keys(refused).lazy(), on=["source", "batch"], how="semi")
    is_sized = pl.col("width_px").is_not_null()
    found = rows.select("source", "batch", *ANNOTATION_COLUMNS, is_sized=is_sized).collect(engine="streaming")
    return found.unique(["source", "batch"], keep="any")


def _said_of(rows: pl.DataFrame, said: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Return ``row``, ``boxes``, ``mask_source`` of what comes in, and as they were of what is refused again."""
    before = rows.join(said, on=["source", "batch"]).join(labels, on="row", how="anti")
    return pl.concat([frame.select("row", "boxes", "mask_source") for frame in (labels, before)])


def _revision(trial: _Trial, rules: Recipe) -> Revision | None:
    """Return the changes: facts and outcome of what is sound now, the new reason of what is refused otherwise."""
    keys, rows = _keys(trial.refused), trial.rows
    facts = scan_parts(trial.reading.parts).select("row", "source", *_FACTS)
    facts = facts.drop("pixel_hash").join(trial.said.lazy(), on="row", how="left")
    decided = trial.outcomes.select("row", "pixel_hash", *_OUTCOME)
    sound = _keyed(facts, decided, keys)
    other = rows.filter(pl.col("refusal").is_not_null()).join(keys, on="source").filter(pl.col("refusal") != pl.col("was"))
    none = decided.clear()
    refusals = pl.concat([none, other.select("row", state=pl.lit("quarantined"), reason="refusal")], how="diagonal")
    again = _keyed(facts, refusals, keys)
    if sound.is_empty() and again.is_empty():
        return None
    messages = [none.select(source="state", stage="state", reason="state", message="state")]
    messages += [pl.read_parquet(path, glob=False, columns=messages[0].columns) for path in trial.reading.refusals]
    still = pl.concat(messages).join(again.select("source", "batch", "is_kept"), on="source")
    gone = sound.select("source", "batch", is_kept=pl.lit(value=False))
    problems = dict(trial.findings["unmatched"]["problem"].value_counts().iter_rows())
    return Revision(
        kind="retry",
        recipe=rules.to_dict(),
        catalog=pl.concat([sound, again]),
        quarantine=pl.concat([gone, still], how="diagonal"),
        shards=trial.shards,
        findings=trial.findings,
        notes={
            "retried_occurrence_count": float(len(rows)),
            "entered_image_count": float(sound.filter(pl.col("state") == "kept").height),
            "absent_occurrence_count": float(trial.absent_count),
            "late_bridge_count": float(trial.findings["bridges"]["image_id"].n_unique()),
            "misfit_mask_count": float(problems.get("mask_size", 0) + problems.get("mask_unreadable", 0)),
            "lost_boxes_image_count": float(problems.get("boxes_lost", 0)),
        },
    )


def _keyed(facts: pl.LazyFrame, outcomes: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Return the facts of rows with their outcomes, as changes of the catalog."""
    found = facts.join(outcomes.lazy(), on="row").join(keys.lazy(), on="source").with_columns(is_kept=pl.lit(value=True))
    return found.select("source", "batch", "is_kept", *_FACTS, *_OUTCOME, "boxes", "mask_source").collect(engine="streaming")
