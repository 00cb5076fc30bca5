"""Where each image goes: its split, its place in the shuffle, its shard. All three follow from its identity and a seed.

An identity is a hash of content, so the same images go to the same places whatever the order they came in, the number of
workers, or the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["assign_splits", "mixed", "plan_shards"]

_PURPOSES: Final = {"split": 0x73706C6974, "shuffle": 0x73687566666C65}
"""A constant per purpose, so that the split of an image says nothing of its place in the shuffle."""

_ID_DIGITS: Final = 15
"""Hex digits of an identity that are read: 60 bits, the most that a signed 64-bit integer takes in whole digits."""


def mixed(image_ids: pl.Series, seed: int, purpose: str) -> NDArray[np.uint64]:
    """Return 64 well-mixed bits per identity, equal on every machine for equal seeds.

    Source: splitmix64, Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    digits = image_ids.str.slice(0, _ID_DIGITS).str.to_integer(base=16, dtype=pl.Int64)
    salt = _splitmix(np.array([seed ^ _PURPOSES[purpose]], dtype=np.uint64))
    return _splitmix(digits.to_numpy().astype(np.uint64) ^ salt)


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
        Identity (hex) of the image that founded each image's group.
    shares : mapping
        Share per split; they sum to 1.
    seed : int
        Seed of the splits.

    Examples
    --------
    >>> assign_splits(pl.Series(["00ff" * 8, "00ff" * 8]), {"train": 0.5, "test": 0.5}, seed=0).n_unique()
    1
    """
    names = list(shares)
    points = mixed(founders, seed, "split") >> np.uint64(11)
    edges = np.cumsum([shares[name] for name in names])[:-1] * 2.0**53
    return pl.Series("split", names, dtype=pl.String).gather(np.searchsorted(edges, points.astype(np.float64), side="right"))


def plan_shards(kept: pl.DataFrame, shard_bytes: int, seed: int) -> pl.DataFrame:
    """Return the kept images in shuffled order, each with the number of its shard within its split.

    The shards of a split are cut at equal steps of at most ``shard_bytes``, so that none is left much smaller than the
    others; a shard passes its step by no more than its last image.

    Parameters
    ----------
    kept : pl.DataFrame
        With ``image_id``, ``split`` and ``size_bytes``.
    shard_bytes : int
        Image bytes per shard.
    seed : int
        Seed of the shuffle.
    """
    order = pl.Series("shuffle_key", mixed(kept["image_id"], seed, "shuffle"))
    shuffled = kept.with_columns(order).sort("split", "shuffle_key", "image_id")
    before = pl.col("size_bytes").cum_sum().over("split") - pl.col("size_bytes")
    total = pl.col("size_bytes").sum().over("split")
    count = ((total + shard_bytes - 1) // shard_bytes).clip(lower_bound=1)
    step = ((total + count - 1) // count).clip(lower_bound=1)
    return shuffled.with_columns(shard=(before // step).cast(pl.Int32)).drop("shuffle_key")
