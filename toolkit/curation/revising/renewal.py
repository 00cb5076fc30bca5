"""A dataset of an earlier release given the columns of this one, and its card and description written by this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.curation.describing import describe
from toolkit.curation.recipe import Recipe
from toolkit.dataset import upgrading
from toolkit.dataset.reading import open_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.dataset.reading import Dataset
    from toolkit.locations import Location

__all__ = ["upgrade"]


def upgrade(dataset: str | Path | Location | Dataset) -> Dataset:
    """Add the columns that came with later releases as a new version, as ``toolkit.dataset.upgrading``, and describe it.

    Returns the dataset as it is if it has them already.

    Parameters
    ----------
    dataset : path or Dataset
        The dataset.
    """
    before = open_dataset(dataset)
    after = upgrading.upgrade(before)
    if after.version != before.version:
        describe(after, Recipe.load(after.state.recipe), after.state.curation)
    return after
