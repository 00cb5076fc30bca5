"""What changed between two versions of a dataset: images that came, went, or are labelled, grouped or split otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.dataset.reading import Dataset, open_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.locations import Location

__all__ = ["VersionDiff", "diff"]

_COMPARED: Final = ("label", "labels", "captions", "boxes", "licence", "split", "duplicate_group", "encoding")
"""Columns of an image that a later version may change."""

_STEP: Final = {"version": pl.Int64, "kind": pl.String, "committed_at": pl.String, "image_count": pl.Int64}


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDiff:
    """What one version has and another has not."""

    location: str
    """The dataset."""
    old_version: int
    """The version compared with."""
    new_version: int
    """The version compared."""
    steps: pl.DataFrame
    """``version``, ``kind``, ``committed_at``, ``image_count``: the versions after the old one up to the new one."""
    added: pl.DataFrame
    """Images of the new version alone: ``image_id``, ``source``, ``size_bytes``, ``label``, ``split``."""
    removed: pl.DataFrame
    """Images of the old version alone, with the same columns."""
    changed: pl.DataFrame
    """Images of both whose facts differ: ``image_id``, ``source``, ``columns`` (the names of those that differ)."""
    states: pl.DataFrame
    """``state``, ``reason``, ``old_count``, ``new_count`` of the occurrences, where they differ."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; every frame as a list of rows."""
        frames = {name: getattr(self, name).to_dicts() for name in ("steps", "added", "removed", "changed", "states")}
        return {"location": self.location, "old_version": self.old_version, "new_version": self.new_version} | frames

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} (v{version})" for version, kind in self.steps.select("version", "kind").iter_rows())
        return (
            f"v{self.old_version} -> v{self.new_version}: {len(self.added):,} images added, {len(self.removed):,} removed, "
            f"{len(self.changed):,} changed" + (f"; by {kinds}" if kinds else "")
        )


def diff(location: str | Path | Location | Dataset, old: int, new: int | None = None) -> VersionDiff:
    """Return what changed from one version to another, by default the newest.

    Parameters
    ----------
    location : path or Dataset
        The dataset.
    old, new : int
        The versions; they may be given in either order of time.

    Raises
    ------
    UsageError
        If there is no such version.
    """
    store = open_dataset(location).store
    before, after = Dataset(store, old), Dataset(store, new)
    ours = _contents(after)
    theirs = _contents(before)
    steps = [
        {"version": state.version, "kind": state.kind, "committed_at": state.committed_at, "image_count": state.image_count}
        for state in store.states()
        if min(before.version, after.version) < state.version <= max(before.version, after.version)
    ]
    shown = ["image_id", "source", "size_bytes", "label", "split"]
    return VersionDiff(
        location=str(store.location),
        old_version=before.version,
        new_version=after.version,
        steps=pl.DataFrame(
            steps, schema={"version": pl.Int64, "kind": pl.String, "committed_at": pl.String, "image_count": pl.Int64}
        ),
        added=_only(ours, theirs).select(shown).sort("source", "image_id").collect(engine="streaming"),
        removed=_only(theirs, ours).select(shown).sort("source", "image_id").collect(engine="streaming"),
        changed=_changed(theirs, ours),
        states=_states(before, after),
    )


def _contents(dataset: Dataset) -> pl.LazyFrame:
    return dataset.scan("images").select("image_id", "source", "size_bytes", *_COMPARED)


def _only(these: pl.LazyFrame, those: pl.LazyFrame) -> pl.LazyFrame:
    return these.join(those.select("image_id"), on="image_id", how="anti")


def _changed(old: pl.LazyFrame, new: pl.LazyFrame) -> pl.DataFrame:
    both = new.join(old, on="image_id", suffix="_before")
    names = [pl.when(pl.col(name).ne_missing(pl.col(f"{name}_before"))).then(pl.lit(name)) for name in _COMPARED]
    columns = pl.concat_list(names).list.drop_nulls()
    found = both.select("image_id", "source", columns=columns).filter(pl.col("columns").list.len() > 0)
    return found.sort("source", "image_id").collect(engine="streaming")


def _states(before: Dataset, after: Dataset) -> pl.DataFrame:
    counts = [
        dataset.scan("catalog").group_by("state", "reason").agg(pl.len().cast(pl.Int64).alias(name)).collect(engine="streaming")
        for dataset, name in ((before, "old_count"), (after, "new_count"))
    ]
    both = counts[0].join(counts[1], on=["state", "reason"], how="full", coalesce=True, nulls_equal=True)
    counted = both.with_columns(pl.col("old_count", "new_count").fill_null(0))
    return counted.filter(pl.col("old_count") != pl.col("new_count")).sort("state", "reason")
