"""By which recipe a batch is decided, and what a user is told of it: nothing of that happens without a word."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from toolkit.curation.recipe import Recipe

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from toolkit.dataset.reading import Dataset

__all__ = ["rules_of_batch", "tell_unapplied"]

_notices = logging.getLogger("tonnage")
"""What a user should know though nothing failed; the command line shows it, Python's logging does by default."""


def rules_of_batch(recipe: Recipe | Mapping[str, Any] | str | os.PathLike[str] | None, before: Dataset | None) -> Recipe:
    """Return the recipe of a batch: the one that is named, else the one that the dataset was last decided by."""
    if recipe is not None or before is None:
        return Recipe.load(recipe)
    rules = Recipe.load(before.state.recipe)
    if differing := _differing(Recipe(), rules):
        _notices.warning(
            "no recipe was named: that of version %d of '%s' is used again (it sets %s); name one to decide new images otherwise",
            before.version,
            before.name,
            ", ".join(differing),
        )
    return rules


def tell_unapplied(rules: Recipe, before: Dataset) -> None:
    """Say that nothing new was found, so that a recipe other than the last one decided nothing."""
    from toolkit.curation.revising.redecision import DECIDING_KEYS

    differing = _differing(Recipe.load(before.state.recipe), rules)
    if not differing:
        return
    fixed = [name for name in differing if name not in DECIDING_KEYS]
    remedy = (
        f"'{fixed[0]}' needs the images to be read again: curate the sources into a new dataset"
        if fixed
        else f"to decide what is there by it: tonnage curate {before.location} --recipe RECIPE --redecide"
    )
    _notices.warning(
        "nothing new was found, so '%s' stays as it was decided and the recipe's %s was not applied; %s",
        before.name,
        ", ".join(f"'{name}'" for name in differing),
        remedy,
    )


def _differing(old: Recipe, new: Recipe) -> list[str]:
    before, after = old.to_dict(), new.to_dict()
    return [name for name in after if before.get(name) != after[name]]
