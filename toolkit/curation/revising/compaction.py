"""Many small shards made few large ones: what batches added little by little is read as fast as what came at once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.recipe import Recipe
from toolkit.curation.revising.revision import Revision, revise
from toolkit.dataset.manifests import image_bytes_of
from toolkit.dataset.reading import Dataset, open_dataset
from toolkit.dataset.rewriting import RewriteTask
from toolkit.notebook_progress import shows_progress

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.engine import Progress, Scheduler
    from toolkit.locations import Location

__all__ = ["compact"]

_SMALL_SHARE: Final = 0.75
"""A shard below this share of the recipe's ``shard_bytes`` is merged with others, if there are any."""


@shows_progress
def compact(
    dataset: str | Path | Location | Dataset,
    *,
    scheduler: Scheduler | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Merge small shards of each split into shards of the recipe's size, as a new version with the same images.

    Returns the dataset as it is if there is nothing to merge. Row groups of the merged shards take turns in an order
    that follows from their names, so that images of different batches are mixed and a repeat gives the same shards.

    Parameters
    ----------
    dataset : path or Dataset
        The dataset.
    scheduler : str or Client, optional
        An existing Dask cluster.
    workers : int, optional
        Worker processes of a local cluster.
    progress : callable, optional
        Called as shards are written.
    """
    before = open_dataset(dataset)
    with before.store.writing():
        before = Dataset(before.store)
        groups = _groups(_sizes(before), Recipe.load(before.state.recipe).shard_bytes)
        if not groups:
            return before
        merged = [name for names in groups for name in names]
        batch = hashlib.sha256("\n".join(merged).encode()).hexdigest()[:16]
        folder = before.store.images_path
        tasks = [
            RewriteTask(
                shards=tuple(folder / name for name in names),
                target=folder / f"{names[0].split('-', 1)[0]}-{batch}-{index:05d}.parquet",
                is_shuffled=True,
            )
            for index, names in enumerate(groups)
        ]
        notes = {"compacted_shard_count": float(len(merged))}
        revision = Revision(kind="compact", recipe=before.state.recipe, tasks=tasks, removed_shards=merged, notes=notes)
        return revise(before, revision, scheduler=scheduler, workers=workers, progress=progress)


def _sizes(dataset: Dataset) -> pl.DataFrame:
    """Return ``name``, ``split`` and ``image_bytes`` of each shard."""
    manifest = dataset.store.manifest(dataset.version)
    folder = dataset.store.images_path
    names = dataset.shards["name"].to_list()
    sizes = [image_bytes_of(folder, manifest[f"images/{name}"] | {"name": name}) for name in names]
    frame = pl.DataFrame({"name": names, "image_bytes": sizes}, schema={"name": pl.String, "image_bytes": pl.Int64})
    return frame.with_columns(split=pl.col("name").str.split("-").list.first())


def _groups(shards: pl.DataFrame, shard_bytes: int) -> list[list[str]]:
    """Return the names of the shards to be merged into one, at least two each, none past the size.

    Examples
    --------
    >>> shards = pl.DataFrame({"name": ["a", "b", "c", "d"], "split": ["t"] * 4, "image_bytes": [40, 90, 30, 50]})
    >>> _groups(shards, 100)
    [['a', 'c']]
    """
    groups: list[list[str]] = []
    small = shards.filter(pl.col("image_bytes") < _SMALL_SHARE * shard_bytes).sort("split", "name")
    for _, part in small.group_by("split", maintain_order=True):
        names: list[str] = []
        held_bytes = 0
        for name, size_bytes in part.select("name", "image_bytes").iter_rows():
            if names and held_bytes + size_bytes > shard_bytes:
                groups.append(names)
                names, held_bytes = [], 0
            names.append(name)
            held_bytes += size_bytes
        groups.append(names)
    return [names for names in groups if len(names) > 1]
