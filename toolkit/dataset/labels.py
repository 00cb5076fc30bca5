"""What the labels of a dataset are like: counts per split, imbalance, rare classes, shares of the splits, conflicts, gaps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.dataset.findings import read_finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.dataset.reading import Dataset

__all__ = ["RARE_COUNT", "LabelReport", "effective_class_count", "label_report", "normalised_entropy"]

RARE_COUNT: Final = 10
"""A class of fewer images is rare: at a tenth for testing, none may be tested at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """The labels of a dataset at a version. An image counts for every class that it or its boxes name, once."""

    version: int
    """Version of the dataset."""
    image_count: int
    """Images kept."""
    unlabelled_count: int
    """Images kept that name no class."""
    class_count: int
    """Distinct classes."""
    imbalance_ratio: float | None
    """Images of the largest class over those of the smallest; None without classes."""
    entropy_share: float | None
    """Entropy of the class counts over its maximum: 1 if all are equal; None without classes."""
    effective_class_count: float | None
    """Equally large classes that would have the same entropy; None without classes."""
    classes: pl.DataFrame
    """``label``, ``image_count``, a count per split, ``image_share`` of the images with a class; the largest first."""
    empty: pl.DataFrame
    """Classes without an image: ``label``, ``left_out_count`` (occurrences that name it, none of which is kept; 0 where only an
    annotation file declares it), in the order of their names."""
    rare: pl.DataFrame
    """The lines of ``classes`` with fewer images than ``RARE_COUNT``."""
    deviations: pl.DataFrame
    """``label``, ``split``, ``image_count``, ``split_share`` (the label's images there), ``wanted_share`` (of all images),
    ``deviation_share``; the furthest off first, of classes that are not rare."""
    conflicts: pl.DataFrame
    """Copies whose labels are not those of the image that is kept: as ``dataset.findings("conflicts")``."""


def normalised_entropy(counts: Sequence[int]) -> float:
    """Return the entropy of counts over the entropy of equal ones; 1 for a single class.

    Source: Pielou's evenness, Pielou 1966, "The measurement of diversity in different types of biological collections".

    Examples
    --------
    >>> normalised_entropy([5, 5, 5, 5]), round(normalised_entropy([97, 1, 1, 1]), 3)
    (1.0, 0.121)
    """
    return 1.0 if len(counts) < 2 else _entropy(counts) / math.log(len(counts))


def effective_class_count(counts: Sequence[int]) -> float:
    """Return how many equally large classes would have the entropy of these.

    Source: Hill number of order 1, Hill 1973, "Diversity and evenness: a unifying notation and its consequences".

    Examples
    --------
    >>> round(effective_class_count([7, 7, 7]), 9), round(effective_class_count([97, 1, 1, 1]), 2)
    (3.0, 1.18)
    """
    return math.exp(_entropy(counts))


def _entropy(counts: Sequence[int]) -> float:
    total = sum(counts)
    return -sum(count / total * math.log(count / total) for count in counts if count)


_NAMED: Final = pl.concat_list(pl.col("labels").fill_null([]), pl.col("label")).list.drop_nulls().list.unique()


def label_report(dataset: Dataset) -> LabelReport:
    """Return what the labels of a dataset are like; no image is read.

    Parameters
    ----------
    dataset : Dataset
        The dataset, opened at a version.
    """
    images = dataset.scan("images").select("split", named=_NAMED)
    splits = dict(images.group_by("split").len().sort("split").collect(engine="streaming").iter_rows())
    unlabelled_count = images.filter(pl.col("named").list.len() == 0).select(pl.len()).collect(engine="streaming").item()
    pairs = images.select("split", label=pl.col("named")).explode("label").drop_nulls("label")
    counted = pairs.group_by("label", "split").agg(image_count=pl.len()).collect(engine="streaming")
    image_count = sum(splits.values())
    classes = _classes(counted, list(splits), image_count - unlabelled_count)
    counts = classes["image_count"].to_list()
    return LabelReport(
        version=dataset.version,
        image_count=image_count,
        unlabelled_count=unlabelled_count,
        class_count=len(counts),
        imbalance_ratio=max(counts) / min(counts) if counts else None,
        entropy_share=normalised_entropy(counts) if counts else None,
        effective_class_count=effective_class_count(counts) if counts else None,
        classes=classes,
        empty=_empty(dataset, classes["label"]),
        rare=classes.filter(pl.col("image_count") < RARE_COUNT),
        deviations=_deviations(counted, classes, splits),
        conflicts=read_finding(dataset, "conflicts"),
    )


def _empty(dataset: Dataset, classes: pl.Series) -> pl.DataFrame:
    """Return the classes that files declare, or occurrences name that are not kept, and that no image has."""
    left_out = dataset.scan("catalog").filter(pl.col("state") != "kept").select(label=_NAMED.explode()).drop_nulls()
    named = left_out.group_by("label").agg(left_out_count=pl.len()).collect(engine="streaming")
    declared = read_finding(dataset, "unmatched").filter(pl.col("problem") == "empty_class").select(label="target").unique()
    every = named.join(declared, on="label", how="full", coalesce=True).with_columns(pl.col("left_out_count").fill_null(0))
    return every.filter(~pl.col("label").is_in(classes.implode())).sort("label")


def _classes(counted: pl.DataFrame, splits: Sequence[str], labelled_count: int) -> pl.DataFrame:
    per_split = [pl.col("image_count").filter(pl.col("split") == split).sum().alias(f"{split}_count") for split in splits]
    totals = counted.group_by("label").agg(pl.col("image_count").sum().alias("total"), *per_split)
    share = pl.col("image_count") / max(1, labelled_count)
    return (
        totals.rename({"total": "image_count"})
        .with_columns(image_share=share)
        .sort(["image_count", "label"], descending=[True, False])
    )


def _deviations(counted: pl.DataFrame, classes: pl.DataFrame, splits: dict[str, int]) -> pl.DataFrame:
    """Return how far each class's spread over the splits is off that of all images; a class absent from a split counts too."""
    whole = sum(splits.values())
    wanted = pl.DataFrame(
        {"split": list(splits), "wanted_share": [count / whole for count in splits.values()]},
        schema={"split": pl.String, "wanted_share": pl.Float64},
    )
    judged = classes.filter(pl.col("image_count") >= RARE_COUNT).select("label", total="image_count")
    every = judged.join(wanted, how="cross").join(counted, on=["label", "split"], how="left")
    found = every.with_columns(pl.col("image_count").fill_null(0)).with_columns(
        split_share=pl.col("image_count") / pl.col("total")
    )
    off = found.with_columns(deviation_share=pl.col("split_share") - pl.col("wanted_share"))
    order = off.sort(pl.col("deviation_share").abs(), "label", "split", descending=[True, False, False])
    return order.select("label", "split", "image_count", "split_share", "wanted_share", "deviation_share")
