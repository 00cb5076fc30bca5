"""What becomes of each image: kept, dropped by a rule, a duplicate, or quarantined; and with kept, its group and split.

Pure Polars over facts that were taken before: no pixels, no files. New thresholds need this step alone. Identities may be text
or numbers (``identities``): a run holds every image it found here, so what is held of each is narrow, and steps look at the
few rows that they concern rather than join all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.dedupe import exact_duplicates, named, near_groups
from toolkit.curation.identities import CODED, repeated
from toolkit.curation.splits import settled_splits
from toolkit.dataset.issues import odd_size_bounds
from toolkit.dataset.schema import SCORE_FIELDS, STATES
from toolkit.errors import DatasetError

if TYPE_CHECKING:
    from toolkit.curation.recipe import Recipe

__all__ = ["DECISION_COLUMNS", "HISTORY_COLUMNS", "LATE_BRIDGE", "Decisions", "decide", "decision_columns"]

LOW_ENTROPY_BITS: Final = 1.0
"""Images whose luma histogram holds less are nearly one flat colour; what their perceptual hash compares is noise, and
thousands of blank scans would all be each other's near duplicates. Exact duplicates among them are still found."""

LATE_BRIDGE: Final = "late_bridge"
"""Reason of what was left out of train because something like it lies in another split."""

DECISION_COLUMNS: Final = (
    "row",
    "source",
    "refusal",
    "image_id",
    "sha256",
    "pixel_hash",
    "luma_hash",
    "perceptual_hash",
    "width_px",
    "height_px",
    "size_bytes",
    *(field.name for field in SCORE_FIELDS),
)
"""What is read of each new occurrence; ``refusal`` is a reason code or null."""

HISTORY_COLUMNS: Final = (
    "image_id",
    "sha256",
    "pixel_hash",
    "luma_hash",
    "perceptual_hash",
    "width_px",
    "height_px",
    "entropy_bits",
    "duplicate_group",
    "split",
)
"""What is read of each image that an earlier batch kept."""


_STATE: Final = pl.Enum(STATES)
_OUTCOME: Final = ("row", "state", "reason", "duplicate_of", "duplicate_group", "split")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The outcome of every occurrence of a batch."""

    frame: pl.DataFrame
    """``row``, ``state``, ``reason``, ``duplicate_of``, ``duplicate_group``, ``split``; one line per occurrence, by row.

    Names are codes (``identities.CODED``), identities as the occurrences have them: text or numbers."""
    bridges: pl.DataFrame
    """``row``, ``duplicate_group``, ``other_group``, ``split``, ``other_split``: new images near to others of another split
    than their own; what was settled stays."""

    @property
    def counts(self) -> dict[str, int]:
        """Occurrences by state, all four named; they sum to what was found."""
        seen = dict(self.frame["state"].value_counts().iter_rows())
        return {state: seen.get(state, 0) for state in STATES}


def decision_columns(recipe: Recipe) -> list[str]:
    """Return what of ``DECISION_COLUMNS`` is held of each new occurrence: of the scores, those that a recipe asks for."""
    asked = {"entropy_bits", *recipe.filters}
    scores = {field.name for field in SCORE_FIELDS}
    return [name for name in DECISION_COLUMNS if name not in scores or name in asked]


def decide(
    rows: pl.DataFrame,
    history: pl.DataFrame,
    recipe: Recipe,
    barred: pl.Series | None = None,
    sources: pl.LazyFrame | None = None,
) -> Decisions:
    """Return the one state of each occurrence, and the group and split of each image kept.

    The order of the rules: what a person has removed is dropped; what was refused is quarantined; what is too small or
    outside a filter is dropped; of what is left, exact duplicates are set aside; of what is left then, near duplicates are
    grouped, or dropped if the recipe says so.

    Parameters
    ----------
    rows : pl.DataFrame
        New occurrences, with ``decision_columns``, in the order of ``row``.
    history : pl.DataFrame
        Images kept by earlier batches, with ``HISTORY_COLUMNS``.
    recipe : Recipe
        The rules.
    barred : pl.Series, optional
        sha256 of what a person has removed and is not let in again.
    sources : pl.LazyFrame, optional
        ``row``, ``source``, where the occurrences have no ``source``: it is looked up for those that have look-alikes.

    Raises
    ------
    DatasetError
        If an occurrence got no state or two: a fault of the program that must never be committed.
    """
    ids = rows.schema["image_id"]
    history = history.with_columns(pl.col("split").cast(CODED))
    dropped = _dropped(rows, history, recipe, barred)
    left = _without(rows, dropped)
    twins = (
        _no_outcomes(ids)
        if not recipe.exact_duplicates
        else _outcomes(exact_duplicates(left, history, sources), "duplicate", "exact_duplicate", ids)
    )
    left = _without(left, twins)
    groups, bridges = _grouped(left, history, recipe, sources)
    similar = _similar(left, groups, history, sources) if recipe.near_duplicates.action == "drop" else _no_outcomes(ids)
    del left
    outcomes = pl.concat([dropped, twins, similar])
    alone = _without(groups, similar)
    if "split_key" in rows.columns:
        alone = alone.join(rows.select("row", "split_key"), on="row", how="left", maintain_order="left")
    kept = settled_splits(alone, history, recipe.splits, recipe.seed)
    late = _late_bridges(kept, bridges, history)
    if recipe.late_bridges == "exclude_from_train":
        barred_rows = late.filter(pl.col("split") == "train").select("row").unique()
        outcomes = pl.concat([outcomes, _outcomes(barred_rows, "dropped", LATE_BRIDGE, ids)])
        kept = _without(kept, barred_rows)
    frame = _accounted(rows, outcomes, kept)
    return Decisions(frame=frame, bridges=late)


def _without(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that are none of some others, by ``row``."""
    return rows if others.is_empty() else rows.filter(~pl.col("row").is_in(others["row"].implode()))


def _outcomes(found: pl.DataFrame, state: str, reason: str | pl.Expr, ids: pl.DataType) -> pl.DataFrame:
    """Return ``row``, ``state``, ``reason``, ``duplicate_of`` of occurrences that are not kept."""
    of = pl.col("duplicate_of") if "duplicate_of" in found.columns else pl.lit(None, dtype=ids)
    why = pl.lit(reason) if isinstance(reason, str) else reason
    return found.select("row", state=pl.lit(state).cast(_STATE), reason=why.cast(CODED), duplicate_of=of)


def _no_outcomes(ids: pl.DataType) -> pl.DataFrame:
    return pl.DataFrame(schema={"row": pl.UInt32, "state": _STATE, "reason": CODED, "duplicate_of": ids})


def _dropped(rows: pl.DataFrame, history: pl.DataFrame, recipe: Recipe, barred: pl.Series | None) -> pl.DataFrame:
    """Return the outcome of what was refused and of what a rule drops; an unknown score passes every filter."""
    is_removed = pl.lit(value=False) if barred is None else pl.col("sha256").is_in(barred.implode()).fill_null(value=False)
    rules = {"removed": is_removed}
    rules |= {"too_small": pl.min_horizontal("width_px", "height_px") < recipe.min_side_px}
    for score, bounds in recipe.filters.items():
        if bounds.at_least is not None:
            rules[f"low_{score}"] = pl.col(score) < bounds.at_least
        if bounds.at_most is not None:
            rules[f"high_{score}"] = pl.col(score) > bounds.at_most
    if recipe.odd_sizes == "drop":
        rules["odd_size"] = _is_odd_size(rows, history)
    first = pl.coalesce(*(pl.when(is_broken).then(pl.lit(reason)) for reason, is_broken in rules.items()))
    is_refused = pl.col("refusal").is_not_null() & ~is_removed
    refused = rows.filter(is_refused)
    small = rows.filter(~is_refused & pl.any_horizontal(rules.values())).with_columns(rule=first)
    ids = rows.schema["image_id"]
    return pl.concat(
        [_outcomes(refused, "quarantined", pl.col("refusal"), ids), _outcomes(small, "dropped", pl.col("rule"), ids)]
    )


def _is_odd_size(rows: pl.DataFrame, history: pl.DataFrame) -> pl.Expr:
    """Return whether an image's size is far from those of all: of the sound ones of this batch and those kept before."""
    side = (pl.col("width_px").cast(pl.Float64) * pl.col("height_px")).sqrt()
    sound = rows.filter(pl.col("refusal").is_null()).select(side)
    sides = pl.concat([sound, history.select(side)]).to_series().drop_nulls()
    lower_px, upper_px = sides.quantile(0.25, "linear"), sides.quantile(0.75, "linear")
    if lower_px is None or upper_px is None:
        return pl.lit(value=False)
    least_px, largest_px = odd_size_bounds(lower_px, upper_px)
    return (side < least_px) | (side > largest_px)


def _grouped(
    rows: pl.DataFrame, history: pl.DataFrame, recipe: Recipe, sources: pl.LazyFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return ``row``, ``duplicate_group`` of each image; flat images are compared with none and found their own groups."""
    has_detail = pl.col("perceptual_hash").is_not_null() & (pl.col("entropy_bits").fill_null(8) >= LOW_ENTROPY_BITS)
    rules = recipe.near_duplicates
    columns = [name for name in ("row", "source", "image_id", "perceptual_hash") if name in rows.columns]
    near = near_groups(
        rows.lazy().filter(has_detail).select(columns).collect(),
        history.filter(has_detail),
        rules.distance,
        transforms=rules.transforms,
        memory_bytes=rules.memory_bytes,
        sources=sources,
    )
    alone = rows.filter(~has_detail).select("row", duplicate_group="image_id")
    groups = near.members if alone.is_empty() else pl.concat([near.members, alone]).sort("row")
    return groups, near.bridges


def _similar(rows: pl.DataFrame, groups: pl.DataFrame, history: pl.DataFrame, sources: pl.LazyFrame | None) -> pl.DataFrame:
    """Return the outcome of all but the best of each new group, and of all that joined an earlier group.

    The best has most pixels, then most bytes, then the smallest id: it does not depend on names or on the order of coming. An
    image of an earlier batch stays, even where a better one comes later: versions of it are in use.
    """
    pixels = pl.col("width_px").cast(pl.Int64) * pl.col("height_px")
    is_met = repeated(groups.select("duplicate_group")) | groups["duplicate_group"].is_in(history["duplicate_group"].implode())
    ranked = named(rows.join(groups.filter(is_met), on="row"), sources).with_columns(pixels=pixels)
    ranked = ranked.sort("pixels", "size_bytes", "image_id", "source", descending=[True, True, False, False])
    ranked = ranked.with_columns(
        is_joined=pl.col("duplicate_group").is_in(history["duplicate_group"].implode()),
        best=pl.col("image_id").first().over("duplicate_group"),
        rank=pl.int_range(pl.len()).over("duplicate_group"),
    )
    of = pl.when("is_joined").then("duplicate_group").otherwise("best")
    dropped = ranked.filter(pl.col("is_joined") | (pl.col("rank") > 0)).with_columns(duplicate_of=of)
    return _outcomes(dropped, "dropped", "near_duplicate", rows.schema["image_id"])


def _late_bridges(kept: pl.DataFrame, bridges: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """Return the bridges (``Decisions.bridges``): of what is kept, the images near to a group in a split that is not theirs.

    Images that came in together lie in one split with their group, unless keys bind them to different ones.
    """
    groups = pl.concat(
        [images.select("duplicate_group") for images in (history, kept, bridges.select(duplicate_group="other_group"))]
    )
    is_met = repeated(groups)  # a group of one image that is near to no other is in one split
    old, new = history.filter(is_met.head(len(history))), kept.filter(is_met.slice(len(history), len(kept)))
    settled = [images.select(other_group="duplicate_group", other_split="split") for images in (old, new)]
    of_group = pl.concat(settled).unique()
    near = kept.select("row", "duplicate_group", "split").join(bridges.select("row", "other_group"), on="row")
    own = new.select("row", "duplicate_group", "split", other_group="duplicate_group")
    columns = ["row", "duplicate_group", "other_group", "split", "other_split"]
    every = pl.concat([near.select(own.columns), own]).join(of_group, on="other_group").select(columns)
    return every.filter(pl.col("split") != pl.col("other_split")).sort("row", "other_group", "other_split")


def _accounted(rows: pl.DataFrame, outcomes: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """Return the outcome of each row, by row.

    Raises unless found = kept + dropped + duplicate + quarantined, each exactly once.
    """
    state = pl.lit("kept").cast(_STATE).alias("state")
    frame = pl.concat([outcomes, kept.with_columns(state)], how="diagonal").select(_OUTCOME)
    frame = frame if outcomes.is_empty() else frame.sort("row")
    if not frame["row"].equals(rows["row"]) or frame["state"].null_count():
        told = f"{len(rows):,} occurrences were found, {len(frame):,} have a state"
        raise DatasetError(f"the accounts do not balance: {told}; nothing is committed")
    return frame
