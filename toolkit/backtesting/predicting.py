"""From measured small sizes to laws: one for each trial, by the fits and intervals that projections rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toolkit.laws.choosing import choose
from toolkit.laws.extrapolating import extrapolate, law_bend_share
from toolkit.laws.fitting import LAWS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from toolkit.backtesting.kinds import Kind
    from toolkit.facts.backtests import Observation
    from toolkit.laws.extrapolating import Extrapolation
    from toolkit.laws.fitting import Law

    Numbers = NDArray[np.float64]

__all__ = ["Small", "laws_by_trial", "pooled_law"]

Small = tuple["Numbers", "Numbers"]
"""Sizes, and what was measured of them."""


def laws_by_trial(kind: Kind, small: Sequence[Observation], through: Sequence[Observation] = ()) -> Mapping[int, Extrapolation]:
    """Return the law of each trial: fitted to its own small sizes, with what the law itself is off as all trials show it.

    Parameters
    ----------
    kind : Kind
        What was measured.
    small : sequence of Observation
        Its small sizes, of all trials.
    through : sequence of Observation
        Where it follows from another kind: what was measured of that, in the same order.
    """
    groups = _groups(small, through)
    law = _law_of(kind, groups)
    bend = law_bend_share(law, list(groups.values()), is_sampled=kind.is_sampled)
    return {trial: extrapolate(law, *group, is_sampled=kind.is_sampled, bend_share=bend) for trial, group in groups.items()}


def pooled_law(kind: Kind, small: Sequence[Observation], through: Sequence[Observation] = ()) -> Extrapolation:
    """Return the law fitted to the small sizes of all trials together: what a calibration takes."""
    groups = _groups(small, through)
    sizes, values = (np.concatenate([group[column] for group in groups.values()]) for column in (0, 1))
    return extrapolate(_law_of(kind, groups), sizes, values, is_sampled=kind.is_sampled)


def _groups(small: Sequence[Observation], through: Sequence[Observation]) -> dict[int, Small]:
    sizes = np.array([o.value for o in through] if through else [o.driver_count for o in small], dtype=np.float64)
    values = np.array([o.value for o in small], dtype=np.float64)
    trials = np.array([o.trial_index for o in small])
    return {int(trial): (sizes[trials == trial], values[trials == trial]) for trial in np.unique(trials)}


def _law_of(kind: Kind, groups: Mapping[int, Small]) -> Law:
    """Return the law of a kind: the one named, or the one of members that all trials choose together, as measurements do."""
    if kind.law:
        return LAWS[kind.law]
    levels = sorted({float(size) for sizes, _ in groups.values() for size in sizes})
    rows = [_rows(levels, *group) for group in groups.values()]
    return choose(levels, np.concatenate(rows)).law


def _rows(levels: Sequence[float], sizes: Numbers, values: Numbers) -> Numbers:
    """Return what was measured as a table: a row for each repetition, a column for each level."""
    columns = [values[sizes == level] for level in levels]
    table = np.full((max(len(column) for column in columns), len(levels)), np.nan)
    for place, column in enumerate(columns):
        table[: len(column), place] = column
    return table
