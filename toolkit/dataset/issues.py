"""What is odd about the images of a dataset: one line per image and issue, from scores that are stored; no pixel is read.

Nothing here drops an image: a recipe's filters do, by thresholds of its own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.dataset.reading import Dataset

__all__ = ["ISSUES", "issues", "odd_size_bounds"]

ISSUES: Final[Mapping[str, str]] = {
    "dark": "dark_share below 0.32; the score is dark_share",
    "light": "light_share above 0.95; the score is light_share",
    "odd_aspect": "aspect_share below 0.35; the score is aspect_share",
    "low_information": "entropy_bits below 3, less the bits that colour bands add; the score is entropy_bits",
    "blurry": "focus_score below 0.29; the score is focus_score",
    "odd_size": "sqrt(width x height) more than 3 interquartile ranges outside the quartiles; the score is that side in px",
    "grayscale": "stored in one gray channel; the score is 1",
    "gray_in_rgb": "stored in colour, colorfulness_score below 1; the score is colorfulness_score (null unless colour_scores)",
    "border": "border_share of 0.2 or more; the score is border_share",
    "exact_duplicate": "equal bytes or pixels occur more than once; the score is the number of occurrences",
    "near_duplicate": "other images are of its group; the score is the number of images in the group",
}
"""Each issue: when an image has it, and what its score is. Thresholds are those of cleanvision 0.3.7, where it names the issue.

Source: cleanvision 0.3.7, ``issue_managers/image_property_issue_manager.py``, ``get_default_params``."""

_GRAY_MODES: Final = ("L", "1")
_BAND_COUNTS: Final = {"L": 1, "1": 1, "P": 1, "I": 1, "F": 1, "I;16": 1, "I;16B": 1, "LA": 2, "RGBA": 4, "CMYK": 4}
"""Bands of a mode; 3 of all others."""

_SIDE: Final = (pl.col("width_px").cast(pl.Float64) * pl.col("height_px")).sqrt()
_COLUMNS: Final = ("image_id", "source", "mode", "width_px", "height_px", "dark_share", "light_share", "aspect_share")


def odd_size_bounds(lower_px: float, upper_px: float) -> tuple[float, float]:
    """Return the least and the largest side that is not odd, from the quartiles of all sides (square roots of areas).

    Source: cleanvision 0.3.7, ``SizeProperty``, with its default of 3 interquartile ranges.

    Examples
    --------
    >>> odd_size_bounds(100, 120)
    (40, 180)
    """
    spread = 3 * (upper_px - lower_px)
    return lower_px - spread, upper_px + spread


def issues(dataset: Dataset) -> pl.LazyFrame:
    """Return one row per image and issue: ``image_id``, ``source``, ``issue``, ``score``.

    An image without a score (written by an earlier release) does not have the issue. Of exact duplicates, each occurrence is
    listed with the ``image_id`` of the one that is kept.

    Parameters
    ----------
    dataset : Dataset
        The dataset, opened at a version.
    """
    extra = ("colorfulness_score", "entropy_bits", "focus_score", "border_share", "duplicate_group")
    images = dataset.scan("images").select(*_COLUMNS, *extra)
    return pl.concat([_of_scores(images), _odd_sizes(images), _copies(dataset, images), _near(images)])


def _of_scores(images: pl.LazyFrame) -> pl.LazyFrame:
    """Return the issues that each image has by itself."""
    bands = pl.col("mode").replace_strict(_BAND_COUNTS, default=3, return_dtype=pl.Float64)
    rules: dict[str, tuple[pl.Expr, pl.Expr]] = {
        "dark": (pl.col("dark_share") < 0.32, pl.col("dark_share")),
        "light": (pl.col("light_share") > 0.95, pl.col("light_share")),
        "odd_aspect": (pl.col("aspect_share") < 0.35, pl.col("aspect_share")),
        # cleanvision takes the entropy of the histogram of all bands one after the other, which is log2(bands) above their mean
        "low_information": (pl.col("entropy_bits") + bands.log(2) < 3, pl.col("entropy_bits")),
        "blurry": (pl.col("focus_score") < 0.29, pl.col("focus_score")),
        "grayscale": (pl.col("mode").is_in(_GRAY_MODES), pl.lit(1.0)),
        "gray_in_rgb": (
            ~pl.col("mode").is_in(_GRAY_MODES) & (pl.col("colorfulness_score") < 1),
            pl.col("colorfulness_score"),
        ),
        "border": (pl.col("border_share") >= 0.2, pl.col("border_share")),
    }
    return pl.concat([_rows(images.filter(rule), issue, score) for issue, (rule, score) in rules.items()])


def _odd_sizes(images: pl.LazyFrame) -> pl.LazyFrame:
    quartiles = images.select(*(_SIDE.quantile(q, "linear").alias(str(q)) for q in (0.25, 0.75))).collect(engine="streaming")
    lower_px, upper_px = quartiles.row(0)
    least_px, largest_px = (0.0, math.inf) if lower_px is None else odd_size_bounds(lower_px, upper_px)
    return _rows(images.filter((least_px > _SIDE) | (largest_px < _SIDE)), "odd_size", _SIDE)


def _copies(dataset: Dataset, images: pl.LazyFrame) -> pl.LazyFrame:
    """Return every occurrence of what occurs more than once: the image that is kept, and its copies."""
    copies = dataset.scan("catalog").filter(pl.col("state") == "duplicate")
    copies = copies.select("source", image_id="duplicate_of").filter(pl.col("image_id").is_not_null())
    counts = copies.group_by("image_id").agg(score=pl.len() + 1)
    occurrences = pl.concat([images.select("source", "image_id"), copies])
    return _rows(occurrences.join(counts, on="image_id"), "exact_duplicate", pl.col("score"))


def _near(images: pl.LazyFrame) -> pl.LazyFrame:
    counts = images.group_by("duplicate_group").agg(score=pl.len()).filter(pl.col("score") > 1)
    return _rows(images.join(counts, on="duplicate_group"), "near_duplicate", pl.col("score"))


def _rows(images: pl.LazyFrame, issue: str, score: pl.Expr) -> pl.LazyFrame:
    return images.select("image_id", "source", issue=pl.lit(issue), score=score.cast(pl.Float64))
