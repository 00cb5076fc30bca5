"""Groups of look-alikes that lie in several splits: what a model learns in one, it is asked for in another."""

from __future__ import annotations

import polars as pl

__all__ = ["straddling_groups"]


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
    splits = kept.drop_nulls("duplicate_group").group_by("duplicate_group").agg(splits=pl.col("split").unique().sort())
    return splits.filter(pl.col("splits").list.len() > 1).sort("duplicate_group").collect(engine="streaming")
