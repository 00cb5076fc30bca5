"""``toolkit.curate``: raw images to a versioned dataset. This module only wires; each step is a module of its own.

discover, read and examine (workers) -> compare twins (workers) -> join annotations -> decide -> plan shards -> pack
(workers) -> one commit. Facts lie in Parquet parts on disk from the first step on; the driver holds hashes and a few
numbers per image, and no bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit import __version__
from toolkit.curation.annotating import read_annotation_files
from toolkit.curation.annotations import annotation_frame
from toolkit.curation.assembly import Batch
from toolkit.curation.committing import Outcome, commit_batch
from toolkit.curation.decide import decide
from toolkit.curation.declared import declared_classes, declared_lines
from toolkit.curation.discrepancies import (
    bridge_list,
    column_list,
    finding_counts,
    keyless_list,
    label_conflicts,
    misfit_list,
    unmatched_list,
    without_masks,
)
from toolkit.curation.download_rates import download_rates
from toolkit.curation.examine import Limits
from toolkit.curation.gathering import Facts, Inputs, give_back, named_blocks
from toolkit.curation.given import as_place, no_images, with_images
from toolkit.curation.history import KnownSources, removed_contents
from toolkit.curation.identities import CODED
from toolkit.curation.labelling import Labelling, label_blocks, table_hints
from toolkit.curation.matching import without_known
from toolkit.curation.others import OtherFiles
from toolkit.curation.parts import PART_SUFFIX, scan_parts
from toolkit.curation.places import check_examination, check_places, check_workers
from toolkit.curation.roots import SourceRoots, is_familiar
from toolkit.curation.rules import rules_of_batch, tell_unapplied
from toolkit.curation.sources import discover
from toolkit.curation.sources.access import Access
from toolkit.curation.sources.fetching import with_shared_hosts
from toolkit.curation.sources.remote import Remote
from toolkit.curation.sources.rows import TABLE_SUFFIXES
from toolkit.curation.splits import with_split_keys
from toolkit.curation.stages import DRIVER_MODULES, WORKER_MODULES, Reading, Run, pack_shards, read_sources
from toolkit.dataset.readers import readers_key
from toolkit.dataset.reading import Dataset
from toolkit.dataset.schema import EXAMINATION_VERSION, SCHEMA_VERSION
from toolkit.dataset.tables import DatasetStore
from toolkit.engine import engine, silent
from toolkit.errors import DatasetError, RefusedShareError
from toolkit.locations import Location
from toolkit.notebook_progress import shows_progress
from toolkit.units import parse_quantity, show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from toolkit.curation.packing import Lost
    from toolkit.curation.recipe import Recipe
    from toolkit.engine import Progress, Scheduler

__all__ = ["curate"]

_TRIES: Final = 3
"""How often a batch is decided anew because sources changed while they were read."""


@shows_progress
def curate(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    dataset: str | os.PathLike[str] | Location,
    recipe: Recipe | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    scheduler: Scheduler | None = None,
    *,
    workers: int | None = None,
    worker_memory: str | float | None = None,
    progress: Progress | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> Dataset:
    """Turn raw images into a dataset, or add a batch to one, and return it opened at its newest version.

    Parameters
    ----------
    sources : path or sequence of paths
        Folders, archives, tables with embedded images, lists of URLs or paths, single files; on this machine, in an object
        store (``s3://``, ``gs://``, ``az://``) or on the web.
    dataset : path
        Where the dataset lies or is to lie: a new, empty or curated folder, apart from the sources.
    recipe : Recipe, mapping or path, optional
        What to keep and how; by default what the dataset was last decided by, and for a new one everything sound, with
        its original bytes.
    scheduler : str or Client, optional
        An existing Dask cluster; by default one is started on this machine.
    workers : int, optional
        Worker processes of the local cluster; by default one per core.
    worker_memory : str or float, optional
        Memory that each of them may take, as text (``"1 GiB"``) or in bytes; by default the machine's, divided by them. A
        worker that takes more is ended, and the image that it was at quarantined if that happens again.
    progress : callable, optional
        Called as ``progress(stage, done, total, detail)`` for the stages ``read``, ``compare`` and ``write``.
    storage_options : mapping, optional
        Options of object stores (``endpoint``, ``region``, ``anonymous``, keys); by default the environment's. Never written.

    Raises
    ------
    MissingError, UsageError, RecipeError
        If a source is not there, holds no image, or the dataset or recipe cannot be used.
    ClusterError
        If the cluster cannot be reached, or a worker cannot see a path.
    RefusedShareError
        If more was refused than the recipe allows; what was sound is committed all the same.

    Notes
    -----
    Sources that an earlier batch has read and that have not changed are passed over, so repeating a call adds nothing
    and no version; that a recipe other than the last one decided nothing by this is logged as a warning (logger
    ``tonnage``), and ``redecide`` applies it. A call that was stopped is repeated to go on where it stopped.
    """
    started_s = time.perf_counter()
    memory_bytes = None if worker_memory is None else int(parse_quantity(worker_memory, "bytes"))
    places = [as_place(source) for source in ([sources] if isinstance(sources, str | os.PathLike) else sources)]
    store = DatasetStore(Location.of(dataset))
    check_places(places, store)
    before = Dataset(store) if store.exists() else None
    check_examination(before)
    rules = rules_of_batch(recipe, before)
    others = OtherFiles(store.private_path / "others")
    limits, known = Limits.of(rules), KnownSources(before)
    way = _way(limits, rules)
    access = Access(
        options=tuple(sorted((storage_options or {}).items())),
        turns=str(store.private_path / "staging" / way / "turns"),
        **rules.downloads.model_dump(),
    )
    remote = Remote(access=access, staging=store.private_path / "staging" / way, is_known=known.has_container)
    known_roots = SourceRoots(store, before, partial(is_familiar, known, remote=remote, access=access))
    roots = known_roots.named(places)
    listed = discover(
        [root.place for root in roots],
        names=[root.name for root in roots],
        with_masks=rules.masks == "auto",
        remote=remote,
        access=access,
    )
    found = with_images(listed, others, places, remote)
    with (
        engine(
            scheduler,
            workers=workers,
            memory_bytes=memory_bytes,
            worker_modules=WORKER_MODULES,
            driver_modules=DRIVER_MODULES,
        ) as running,
        store.writing(),
    ):
        run = Run(engine=running, recipe=rules, limits=limits, staging=store.staging(way), tell=progress or silent)
        check_workers(running, [*(str(place.absolute()) for place in places if isinstance(place, Path)), str(store.root)])
        reading = read_sources(run, with_shared_hosts(found, running.worker_count, is_one_machine=running.is_own), known, others)
        outcome = _decided_and_packed(
            run, store, Inputs(before=before, known=known, reading=reading, others=others, remote=remote)
        )
        if outcome is None:
            unchanged = _unchanged(before, run, places)
            known_roots.remember(roots)
            return unchanged
        facts = _rates(run, reading, outcome, time.perf_counter() - started_s) | download_rates(reading.parts, run.staging)
    curated = commit_batch(store, outcome, before, facts | dict(outcome.notes), others.counts())
    others.remember(outcome.batch.identity)
    known_roots.remember(roots)
    shutil.rmtree(run.staging, ignore_errors=True)
    _check_refused_share(outcome.batch.outcomes, rules)
    return curated


def _way(limits: Limits, rules: Recipe) -> str:
    """Return the name of the folder of unfinished work: one per way of reading, so that only what is still true is taken up."""
    versions = [__version__, SCHEMA_VERSION, EXAMINATION_VERSION, PART_SUFFIX]
    way = json.dumps([*versions, dataclasses.asdict(limits), readers_key(), rules.quarantine_bytes])
    return f"reading-{hashlib.sha256(way.encode()).hexdigest()[:16]}"


def _unchanged(before: Dataset | None, run: Run, places: Sequence[Path | Location]) -> Dataset:
    """Return the dataset as it was: nothing new was found."""
    shutil.rmtree(run.staging, ignore_errors=True)
    if before is None:
        raise no_images(places)
    tell_unapplied(run.recipe, before)
    return before


def _decided_and_packed(run: Run, store: DatasetStore, inputs: Inputs) -> Outcome | None:
    """Compare, label, decide and pack; decide anew without the images whose bytes changed meanwhile. None if nothing is new."""
    facts = Facts(run, inputs)
    if facts.held()[0].is_empty():
        return None
    labelling, labels = _labelled(run, facts.held()[0], inputs)
    lost: dict[int, Lost] = {}
    for _ in range(_TRIES):
        batch, bridges, keyless = _decided(run, inputs, facts, labels, lost)
        give_back()
        packed = pack_shards(run, batch, batch.identity, store.images_path)
        if not packed.lost:
            batch = without_masks(batch, packed.misfits)
            listed = [labelling.listed, misfit_list(batch, packed.misfits), keyless]
            findings = {
                "unmatched": pl.concat([*listed, column_list(inputs.others.unread_columns())]),
                "conflicts": label_conflicts(batch, inputs.before),
                "classes": labelling.declared,
                "bridges": bridges,
            }
            notes = finding_counts(batch, findings)
            return Outcome(
                batch=batch, packed=packed, refusals=inputs.reading.refusals, lost=lost, notes=notes, findings=findings
            )
        lost |= {loss.row_index: loss for loss in packed.lost}
        for shard in packed.shards:
            (store.images_path / shard.name).unlink(missing_ok=True)
    raise DatasetError("the sources keep changing while they are read; nothing was committed; try again when they rest")


def _decided(
    run: Run, inputs: Inputs, facts: Facts, labels: pl.LazyFrame, lost: Mapping[int, Lost]
) -> tuple[Batch, pl.DataFrame, pl.DataFrame]:
    """Return the decided batch, and the lists of its bridges and of the images that lack the key of their group."""
    rows, history = facts.taken()
    rows = _without_lost(with_split_keys(rows, labels, run.recipe.group_by), lost)
    reading = inputs.reading
    sources = scan_parts(reading.parts).select("row", "source")
    decisions = decide(rows, history, run.recipe, removed_contents(inputs.before), sources)
    own = rows.select("image_id", "size_bytes", "pixel_hash")
    batch = Batch(
        parts=reading.parts,
        row_counts=reading.row_counts,
        outcomes=pl.concat([decisions.frame, own], how="horizontal"),  # both by row, and each has all of them
        labels=labels,
        recipe=run.recipe,
    )
    return batch, bridge_list(batch, decisions.bridges), keyless_list(batch, rows)


def _without_lost(rows: pl.DataFrame, lost: Mapping[int, Lost]) -> pl.DataFrame:
    """Return the rows with the refusals that packing found."""
    if not lost:
        return rows
    late = pl.DataFrame(
        {"row": list(lost), "late": [loss.refusal.reason for loss in lost.values()]}, schema_overrides={"row": pl.UInt32}
    )
    late = late.with_columns(pl.col("late").cast(CODED))
    joined = rows.join(late, on="row", how="left", maintain_order="left")
    return joined.with_columns(refusal=pl.coalesce("refusal", "late")).drop("late")


def _labelled(run: Run, rows: pl.DataFrame, inputs: Inputs) -> tuple[Labelling, pl.LazyFrame]:
    """Return the annotations of the batch, without complaint of those of images of earlier batches, and those of each image."""
    others = inputs.others
    others.bring(inputs.remote.brought)
    files = others.annotations(lambda files: read_annotation_files(run.engine, files, run.staging))
    declared = declared_classes(others.tables(TABLE_SUFFIXES))
    said = [files.frame, table_hints(inputs.reading.parts), annotation_frame(declared_lines(declared))]
    blocks = named_blocks(rows, inputs.reading)
    target = run.staging / "labels.parquet"
    found, labels = label_blocks(blocks, pl.concat(said), run.recipe.labels_from, target, files.metadata())
    labelling = dataclasses.replace(found, declared=declared)
    new = others.new()["source"]
    unread = new.filter(new.is_in(others.unread)).to_list()
    late = labelling.unmatched.clear()
    if inputs.before is not None:
        without = pl.concat([labelling.unmatched, labelling.strays])
        sources = inputs.before.scan("catalog")
        unmatched, strays = without_known(labelling.unmatched, sources), without_known(labelling.strays, sources)
        late = without.join(pl.concat([unmatched, strays]), on=["file", "target"], how="anti", nulls_equal=True).filter(
            pl.col("file").is_in(new)
        )
        labelling = dataclasses.replace(labelling, unmatched=unmatched, strays=strays)
    others.unread.extend(labelling.strays["file"].unique(maintain_order=True).to_list())
    return dataclasses.replace(labelling, listed=unmatched_list(labelling, unread, late)), labels


def _rates(run: Run, reading: Reading, outcome: Outcome, elapsed_s: float) -> dict[str, float]:
    # of a run that went on where another was stopped, no rate can be told: the time of the other is not known
    taken_up = {"taken_up_count": float(reading.taken_up_count)}
    rates = {"images_per_s": reading.occurrence_count / elapsed_s, "bytes_per_s": reading.size_bytes / elapsed_s}
    return {
        "elapsed_s": elapsed_s,
        "cpu_s": reading.cpu_s + outcome.packed.cpu_s,
        **(taken_up if reading.taken_up_count else rates),
        "worker_count": float(run.engine.worker_count),
        "core_count": float(run.engine.thread_count),
    }


def _check_refused_share(outcomes: pl.DataFrame, rules: Recipe) -> None:
    refused_count = outcomes.filter(pl.col("state") == "quarantined").height
    share = refused_count / len(outcomes)
    if rules.max_refused_share is not None and share > rules.max_refused_share:
        raise RefusedShareError(
            f"{refused_count:,} of {len(outcomes):,} images were refused ({show(share, 'share')}), more than the recipe's "
            f"{show(rules.max_refused_share, 'share')}; the rest is committed, and the catalog says why each was refused"
        )
