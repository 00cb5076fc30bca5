"""Where each image goes: its split, its place in the shuffle, its shard. All three follow from its identity and a seed.

An identity is a hash of content, so the same images go to the same places whatever the order they came in, the number of
workers, or the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from toolkit.curation.identities import CODED, NUMBERED, in_slices
from toolkit.units import MIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["MAX_SHARD_ROWS", "assign_splits", "mixed", "plan_shards", "settled_splits", "split_key", "with_split_keys"]

_PURPOSES: Final = {"split": 0x73706C6974, "shuffle": 0x73687566666C65}
"""A constant per purpose, so that the split of an image says nothing of its place in the shuffle."""

MAX_SHARD_ROWS: Final = 8_192
"""Images of one shard, at most: a shard of 300,000 thumbnails took its writer three times the memory of one of photographs."""

_FEW_SHARDS: Final = 4
_FEW_SHARD_BYTES: Final = 32 * MIB
"""A split is cut into so many shards even if it would fit in fewer, as long as each holds so much, a row group: one shard has one
writer, and those who read it are seldom alone."""

_ID_DIGITS: Final = 15
"""Hex digits of an identity that are read: 60 bits, the most that a signed 64-bit integer takes in whole digits."""

_BELOW: Final = pl.lit(2 ** (128 - 4 * _ID_DIGITS), NUMBERED)
"""What an identity that is held as a number is divided by to be left with these digits."""


def mixed(image_ids: pl.Series, seed: int, purpose: str) -> NDArray[np.uint64]:
    """Return 64 well-mixed bits per identity, equal on every machine for equal seeds.

    Source: splitmix64, Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    salt = _splitmix(np.array([seed ^ _PURPOSES[purpose]], dtype=np.uint64))

    def bits(ids: pl.Series) -> pl.Series:
        return pl.Series(_splitmix(_leading(ids) ^ salt), dtype=pl.UInt64)

    return np.asarray(in_slices(bits, image_ids).to_numpy())


def _leading(image_ids: pl.Series) -> NDArray[np.uint64]:
    """Return the first digits of identities, whether they are held as text or as numbers."""
    if image_ids.dtype == NUMBERED:
        leading = image_ids.to_frame("id").select((pl.col("id") // _BELOW).cast(pl.UInt64)).to_series()
    else:
        leading = image_ids.str.slice(0, _ID_DIGITS).str.to_integer(base=16, dtype=pl.Int64)
    return leading.to_numpy().astype(np.uint64)


def _splitmix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = values + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def assign_splits(founders: pl.Series, shares: Mapping[str, float], seed: int) -> pl.Series:
    """Return the split of each founding identity: near duplicates have one founder, so they never straddle.

    Parameters
    ----------
    founders : pl.Series
        Identity (hex, or as a number) of the image that founded each image's group.
    shares : mapping
        Share per split; they sum to 1.
    seed : int
        Seed of the splits.

    Examples
    --------
    >>> assign_splits(pl.Series(["00ff" * 8, "00ff" * 8]), {"train": 0.5, "test": 0.5}, seed=0).n_unique()
    1
    """
    names = pl.Series(list(shares), dtype=pl.String).cast(CODED)
    edges = np.cumsum(list(shares.values()))[:-1] * 2.0**53

    def drawn(some: pl.Series) -> pl.Series:
        points = mixed(some, seed, "split") >> np.uint64(11)
        return names.gather(np.searchsorted(edges, points.astype(np.float64), side="right"))

    return in_slices(drawn, founders).alias("split")


def split_key(group_by: str | None) -> pl.Expr:
    """Return, as an expression over ``metadata``, the value under a key; null where there is none."""
    if group_by is None:
        return pl.lit(None, pl.String).alias("split_key")
    values = pl.element().filter(pl.element().struct.field("key") == group_by).struct.field("value")
    return pl.col("metadata").list.eval(values).list.first().alias("split_key")


def with_split_keys(rows: pl.DataFrame, labels: pl.DataFrame | pl.LazyFrame, group_by: str | None) -> pl.DataFrame:
    """Return rows with the ``split_key`` that their annotations (``row``, ``metadata``) give; unchanged without ``group_by``."""
    if group_by is None:
        return rows
    keys = labels.lazy().select("row", split_key(group_by)).collect(engine="streaming")
    return rows.join(keys, on="row", how="left", maintain_order="left")


def settled_splits(groups: pl.DataFrame, history: pl.DataFrame, shares: Mapping[str, float], seed: int) -> pl.DataFrame:
    """Return ``row``, ``duplicate_group``, ``split`` of new images: what an earlier batch settled holds, the rest is drawn.

    Images of one key share a split, and so do images of one group, unless earlier batches put them into different ones: then
    an image follows its key.

    Parameters
    ----------
    groups : pl.DataFrame
        ``row``, ``duplicate_group`` and, where images are grouped by metadata, ``split_key``.
    history : pl.DataFrame
        The same of images kept before, with their ``split``.
    shares : mapping
        Share per split.
    seed : int
        Seed of the splits.
    """
    names = history.schema["split"]
    old = history.with_columns(pl.col("split").cast(CODED))
    by_group = old.group_by("duplicate_group").agg(of_group=pl.col("split").first())
    if "split_key" not in groups.columns or groups["split_key"].null_count() == len(groups):  # each group for itself
        drawn_alone = assign_splits(groups["duplicate_group"], shares, seed)
        if by_group.is_empty():
            return groups.select("row", "duplicate_group", split=drawn_alone.cast(names))
        alone = groups.join(by_group, on="duplicate_group", how="left", maintain_order="left")
        return alone.select("row", "duplicate_group", split=pl.coalesce("of_group", drawn_alone).cast(names))
    new = groups
    if "split_key" not in old.columns:
        old = old.with_columns(split_key=pl.lit(None, pl.String))
    by_key = old.drop_nulls("split_key").group_by("split_key").agg(of_key=pl.col("split").first())
    known = new.with_columns(unit=_units(new)).join(by_group, on="duplicate_group", how="left", maintain_order="left")
    known = known.join(by_key, on="split_key", how="left", maintain_order="left")
    settled = pl.coalesce("of_key", "of_group").sort_by("duplicate_group", "split_key").drop_nulls().first().over("unit")
    founder = pl.col("duplicate_group").min().over("unit")
    drawn = known.with_columns(drawn=assign_splits(known.select(founder).to_series(), shares, seed), of_unit=settled)
    own = pl.when(pl.col("split_key").is_null()).then("of_group")
    return drawn.select("row", "duplicate_group", split=pl.coalesce("of_key", own, "of_unit", "drawn").cast(names))


def _units(images: pl.DataFrame) -> pl.Series:
    """Return a number per image, equal for all that share a group or a key, directly or by way of others."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    groups = images["duplicate_group"].rank("dense").to_numpy().astype(np.int64) - 1
    if images["split_key"].null_count() == len(images):
        return pl.Series(groups, dtype=pl.Int64)
    group_count = int(groups.max()) + 1
    keyed = images["split_key"].is_not_null().to_numpy()
    keys = images["split_key"].drop_nulls().rank("dense").to_numpy().astype(np.int64) - 1 + group_count
    size = int(keys.max()) + 1
    graph = coo_matrix((np.ones(len(keys), dtype=np.int8), (groups[keyed], keys)), shape=(size, size))
    return pl.Series(connected_components(graph, directed=False)[1][groups], dtype=pl.Int64)


def plan_shards(kept: pl.DataFrame, shard_bytes: int, seed: int) -> pl.DataFrame:
    """Return the kept images in shuffled order, each with the number of its shard within its split.

    The shards of a split are cut at equal steps of at most ``shard_bytes``, so that none is left much smaller than the
    others, and into four at least where these are not very small; a shard passes its step by no more than its last image,
    and small images count for more than their bytes, so that no shard holds more than ``MAX_SHARD_ROWS``: its facts are held
    whole by who writes it.

    Parameters
    ----------
    kept : pl.DataFrame
        With ``image_id``, ``split`` and ``size_bytes``.
    shard_bytes : int
        Image bytes per shard.
    seed : int
        Seed of the shuffle.
    """
    named = [str(name) for name in kept["split"].unique().drop_nulls()]
    # one split after another: what windows over all of them take on the way is several times the result
    return pl.concat(
        [_cut(kept.filter(pl.col("split") == name), shard_bytes, seed) for name in sorted(named)]
        or [_cut(kept, shard_bytes, seed)]
    )


def _cut(kept: pl.DataFrame, shard_bytes: int, seed: int) -> pl.DataFrame:
    """Return the images of one split in shuffled order, cut into shards."""
    keys = pl.Series(mixed(kept["image_id"], seed, "shuffle"))
    order = (
        kept.select("image_id", shuffle_key=keys)
        .select(pl.arg_sort_by("shuffle_key", "image_id", maintain_order=True))
        .to_series()
    )
    shuffled = kept.select(pl.all().gather(order))
    weight = shuffled.select(pl.max_horizontal("size_bytes", pl.lit(-(-shard_bytes // MAX_SHARD_ROWS), pl.Int64))).to_series()
    total = int(weight.sum())
    count = max(1, (total + shard_bytes - 1) // shard_bytes, min(_FEW_SHARDS, total // _FEW_SHARD_BYTES))
    step = max(1, (total + count - 1) // count)
    return shuffled.with_columns(shard=((weight.cum_sum() - weight) // step).cast(pl.Int32))
