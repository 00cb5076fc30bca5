"""Groups of look-alikes that lie in several splits: what a model learns in one, it is asked for in another."""

from __future__ import annotations

import numpy as np
import polars as pl

__all__ = ["crowded", "straddling_groups"]


def crowded(kept: pl.LazyFrame) -> pl.LazyFrame:
    """Return the images (``duplicate_group``) whose group has more than one, and of others one of 10^19.

    Most groups are of one image: to count the images of each would hold the names of all, this holds 16 bytes of each.

    Examples
    --------
    >>> crowded(pl.LazyFrame({"duplicate_group": ["a", "b", "a", None]})).collect().to_series().to_list()
    ['a', 'a']
    """
    name = pl.col("duplicate_group")
    hashes = kept.select(name.drop_nulls().hash()).collect(engine="streaming").to_series().to_numpy()
    ordered = np.sort(hashes)
    twice = pl.Series(np.unique(ordered[1:][ordered[1:] == ordered[:-1]]), dtype=pl.UInt64)
    return kept.filter(name.is_not_null() & name.hash().is_in(twice.implode()))


def straddling_groups(kept: pl.LazyFrame) -> pl.DataFrame:
    """Return the groups of which several splits hold images, in the order of their names.

    Parameters
    ----------
    kept : pl.LazyFrame
        ``duplicate_group`` and ``split`` of images.

    Returns
    -------
    pl.DataFrame
        ``duplicate_group``, ``splits`` (a sorted list).

    Examples
    --------
    >>> frame = pl.LazyFrame({"duplicate_group": ["a", "a", "b", "b"], "split": ["test", "train", "train", "train"]})
    >>> straddling_groups(frame).rows()
    [('a', ['test', 'train'])]
    """
    splits = crowded(kept).group_by("duplicate_group").agg(splits=pl.col("split").unique().sort())
    return splits.filter(pl.col("splits").list.len() > 1).sort("duplicate_group").collect(engine="streaming")
