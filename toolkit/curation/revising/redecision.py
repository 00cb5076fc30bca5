"""New thresholds over what is known already: every occurrence decided anew from its stored facts, no image decoded.

What the new rules let in comes from an earlier version's shard, where the image once was, or from its source, where that
still lies; what neither has stays as it was, and is counted. An image that stays keeps its split, whatever groups form: where
a group comes to lie in several splits, its images are listed as bridges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.curation.decide import DECISION_COLUMNS, LATE_BRIDGE, decide
from toolkit.curation.history import FORGOTTEN, REMOVED
from toolkit.curation.identities import spelled
from toolkit.curation.places import check_examination
from toolkit.curation.recipe import Recipe
from toolkit.curation.revising.revision import Revision, revise
from toolkit.curation.revising.revival import Revival, revive
from toolkit.curation.splits import split_key
from toolkit.dataset.findings import FINDINGS, read_finding
from toolkit.dataset.reading import Dataset, open_dataset
from toolkit.errors import UsageError
from toolkit.notebook_progress import shows_progress

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

    from toolkit.engine import Progress, Scheduler
    from toolkit.locations import Location

__all__ = ["DECIDING_KEYS", "redecide"]

DECIDING_KEYS: Final = frozenset(
    {
        "exact_duplicates",
        "filters",
        "max_refused_share",
        "min_side_px",
        "near_duplicates",
        "odd_sizes",
        "late_bridges",
        "seed",
        "shard_bytes",
        "splits",
    }
)
"""Keys of a recipe that need nothing but stored facts."""

_OUTCOME: Final = ("state", "reason", "duplicate_of", "duplicate_group", "split")


@shows_progress
def redecide(
    dataset: str | Path | Location | Dataset,
    recipe: Recipe | Mapping[str, Any] | str | os.PathLike[str],
    *,
    scheduler: Scheduler | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Decide every occurrence anew by another recipe, as a new version; return the dataset opened at it.

    Returns the dataset as it is if nothing changes.

    Parameters
    ----------
    dataset : path or Dataset
        The dataset.
    recipe : Recipe, mapping or path
        The new recipe; it may differ from the last one in what is decided from stored facts: filters, duplicates, sizes.
    scheduler : str or Client, optional
        An existing Dask cluster.
    workers : int, optional
        Worker processes of a local cluster.
    progress : callable, optional
        Called as shards are written.

    Raises
    ------
    UsageError
        If the recipe differs in a key that needs the images to be read again.
    """
    rules = Recipe.load(recipe)
    before = open_dataset(dataset)
    with before.store.writing():
        before = Dataset(before.store)
        _check_recipe(Recipe.load(before.state.recipe), rules)
        if rules.near_duplicates.transforms != "none":  # mirrored hashes are made of the stored ones by a rule of this release
            check_examination(before)
        rows = _rows(before, rules.group_by)
        absent = pl.DataFrame(schema={"row": pl.UInt32})
        while True:  # each time with fewer rows: what is absent comes in no more, and a copy of it may
            settled, bridges = _settled(rows.join(absent, on="row", how="anti", maintain_order="left"), rules)
            changed = _changed(settled)
            entering = changed.filter((pl.col("new_state") == "kept") & (pl.col("state") != "kept"))
            revival = revive(before, entering, rules, scheduler=scheduler, workers=workers, progress=progress)
            if revival.absent.is_empty():
                break
            absent = pl.concat([absent, revival.absent.select("row")])
        if changed.is_empty() and rules == Recipe.load(before.state.recipe) and _is_told(before, bridges):
            return before
        revision = _revision(changed, rules, revival, bridges, absent_count=len(absent))
        return revise(before, revision, scheduler=scheduler, workers=workers, progress=progress)


def _check_recipe(old: Recipe, new: Recipe) -> None:
    before, after = old.to_dict(), new.to_dict()
    others = sorted(name for name in after if name not in DECIDING_KEYS and before.get(name) != after[name])
    if others:
        raise UsageError(
            f"'{others[0]}' cannot be changed without reading the images again (it was {before.get(others[0])!r}); "
            f"curate the sources into a new dataset, or leave it as it was"
        )


def _rows(before: Dataset, group_by: str | None) -> pl.DataFrame:
    """Return every occurrence that is decided by rules, with its facts and its outcome so far, in the order of its coming.

    The key that founders and firsts are chosen by begins with the number of the batch, so that what came first stays first.
    """
    catalog = before.scan("catalog")
    columns = [name for name in DECISION_COLUMNS if name in catalog.collect_schema().names() and name != "source"]
    numbers = {state.batch: state.version for state in before.store.states()}
    number = pl.col("batch").replace_strict(numbers, default=-1, return_dtype=pl.Int64)
    key = pl.concat_str(number.cast(pl.String).str.zfill(9), pl.lit("\0"), pl.col("source"))
    decided = catalog.filter((pl.col("state") != "quarantined") & ~pl.col("reason").fill_null("").is_in([REMOVED, *FORGOTTEN]))
    extra = [name for name in (*_OUTCOME, "batch", "mask_source") if name not in columns]
    frame = decided.select("source", *columns, *extra, split_key(group_by)).with_columns(key=key, refusal=pl.lit(None, pl.String))
    return frame.collect(engine="streaming").sort("key").with_row_index("row")


def _settled(rows: pl.DataFrame, rules: Recipe) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the occurrences with ``new_`` columns beside those they had, and the bridges, as ``findings.FINDINGS``."""
    history = rows.clear()
    decisions = decide(rows.with_columns(source="key"), history, rules)
    new = spelled(decisions.frame).rename({name: f"new_{name}" for name in _OUTCOME})
    both = rows.join(new, on="row", how="left", maintain_order="left")
    of_group = pl.col("split").drop_nulls().first().over("new_duplicate_group")
    of_key = pl.when(pl.col("split_key").is_not_null()).then(pl.col("split").drop_nulls().first().over("split_key"))
    drawn = pl.coalesce(of_group, "new_split")
    shared = pl.when(pl.col("split_key").is_not_null()).then(drawn.drop_nulls().first().over("split_key"))
    lasting = pl.coalesce("split", of_key, shared, drawn)
    settled = both.with_columns(
        new_split=pl.when(pl.col("new_state") == "kept").then(lasting).otherwise(pl.col("split")),
        new_duplicate_group=pl.coalesce("new_duplicate_group", "duplicate_group"),
    )
    bridges = _bridges(settled)
    if rules.late_bridges == "exclude_from_train":
        barred = bridges.filter(pl.col("split") == "train")
        settled = _without(settled, barred["image_id"])
        bridges = pl.concat([barred.with_columns(is_kept=pl.lit(value=False)), _bridges(settled)])
    return settled, bridges


def _bridges(settled: pl.DataFrame) -> pl.DataFrame:
    """Return the images that are kept and whose group also lies in another split: one line for each such split.

    Images keep their splits, so groups that are formed anew may straddle; all images of such a group are named.
    """
    kept = settled.filter(pl.col("new_state") == "kept").select(
        "image_id", "source", duplicate_group="new_duplicate_group", split="new_split", other_group="new_duplicate_group"
    )
    of_group = kept.select("duplicate_group", other_split="split").unique()
    pairs = kept.join(of_group, on="duplicate_group").filter(pl.col("split") != pl.col("other_split"))
    ordered = pairs.sort("source", "other_split").with_columns(is_kept=pl.lit(value=True))
    return ordered.select(FINDINGS["bridges"].names())


def _is_told(before: Dataset, bridges: pl.DataFrame) -> bool:
    """Return whether a dataset lists these bridges already."""
    pair = ["image_id", "other_split"]
    return bridges.join(read_finding(before, "bridges"), on=pair, how="anti").is_empty()


def _changed(settled: pl.DataFrame) -> pl.DataFrame:
    """Return the occurrences whose outcome is another than it was."""
    is_other = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"new_{name}")) for name in _OUTCOME)
    return settled.filter(is_other)


def _without(settled: pl.DataFrame, bridging: pl.Series) -> pl.DataFrame:
    """Return the outcomes with those images left out of train that look like one of another split."""
    is_kept = pl.col("new_state") == "kept"
    barred = is_kept & (pl.col("new_split") == "train") & pl.col("image_id").is_in(bridging.implode())
    return settled.with_columns(
        new_state=pl.when(barred).then(pl.lit("dropped")).otherwise("new_state"),
        new_reason=pl.when(barred).then(pl.lit(LATE_BRIDGE)).otherwise("new_reason"),
        new_split=pl.when(barred).then("split").otherwise("new_split"),
        new_duplicate_group=pl.when(barred).then("duplicate_group").otherwise("new_duplicate_group"),
    )


def _revision(changed: pl.DataFrame, rules: Recipe, revival: Revival, bridges: pl.DataFrame, *, absent_count: int) -> Revision:
    was_kept = pl.col("state") == "kept"
    images = changed.filter(was_kept).select(
        "image_id",
        "source",
        is_kept=pl.col("new_state") == "kept",
        duplicate_group=pl.col("new_duplicate_group"),
        split=pl.col("new_split"),
    )
    is_misfit = pl.col("row").is_in(revival.misfits["row"].implode())
    catalog = changed.select(
        "source",
        "batch",
        is_kept=pl.lit(value=True),
        mask_source=pl.when(~is_misfit).then("mask_source"),
        **{name: pl.col(f"new_{name}") for name in _OUTCOME},
    )
    return Revision(
        kind="redecide",
        recipe=rules.to_dict(),
        images=images,
        catalog=catalog,
        tasks=revival.tasks,
        shards=revival.shards,
        notes={
            "entered_image_count": float(changed.filter((pl.col("new_state") == "kept") & ~was_kept).height),
            "left_image_count": float(changed.filter(was_kept & (pl.col("new_state") != "kept")).height),
            "absent_image_count": float(absent_count),
            "late_bridge_count": float(bridges["image_id"].n_unique()),
            "misfit_mask_count": float(len(revival.misfits)),
        },
        findings={"bridges": bridges, "unmatched": revival.misfits},
    )
