"""Which law a sweep follows, and what it then says of levels that were not measured, with an interval and its reach.

The law is chosen by leaving out the largest level and predicting it. Intervals come from resampling whole invocations; how
far a prediction may go follows from how far the measurements went.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from toolkit.laws.fitting import LAWS, fit_many

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from toolkit.laws.fitting import Law

    Numbers = NDArray[np.float64]

__all__ = ["MEMBER_LAWS", "ChosenLaw", "Reading", "choose"]

MEMBER_LAWS: Final = ("linear", "saturation", "Amdahl", "universal scalability")
"""Laws of rates over members, the simplest first."""

POINT_REACH: Final = 2.0
"""Up to this many times the largest level measured a single figure is given.

Source: simulation: fitted to 1, 2, 4, 8 members with 5 % noise, the 5 to 95 % range of predicted over true is 0.5 to 1.2 at
four times the largest level, and 0.15 to 1.9 at sixteen times."""

RANGE_REACH: Final = 4.0
"""Up to this many times the largest level an interval is given; beyond it only what cannot be passed."""

_RESAMPLES: Final = 400
_COVERAGE: Final = 0.95
_LEAST_NOISE_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a law says of one level."""

    value: float | None
    """The figure; None where the law reaches too far for one."""
    low: float | None
    """Lower end of the 95 % interval; None where none can be given."""
    high: float | None
    """Upper end, or the bound beyond the reach of the law."""
    is_beyond_data: bool
    """Whether the level is larger than any that was measured, or smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenLaw:
    """The law that predicted the largest level best from the others, fitted to all of them."""

    law: Law
    """The law."""
    parameters: Mapping[str, float]
    """Its parameters, names with units."""
    parameter_intervals: Mapping[str, tuple[float, float]]
    """Their 95 % intervals; empty with fewer than two invocations."""
    left_out_share: Mapping[str, float]
    """Each law that was tried, and by what share it missed the largest level when that was left out."""
    factors: Numbers
    """Factors of its terms."""
    resampled: Mapping[str, Numbers]
    """Factors by resampling, of it and of the laws that the measurements do not tell from it."""
    widening_factor: float
    """By how much intervals are widened because few invocations were resampled."""
    levels: tuple[float, ...]
    """The levels that were measured, rising."""

    def at(self, level: float, limit: float = math.inf) -> Reading:
        """Return what the law says of a level; ``limit`` is what cannot be passed: a ceiling, or nothing."""
        value = float(self.law.predict(level, self.factors)[0])
        low, high = self._interval(level, value)
        reach = level / self.levels[-1]
        is_beyond = level > self.levels[-1] or level < self.levels[0]
        if reach > RANGE_REACH:
            linear = float(self.law.predict(self.levels[0], self.factors)[0]) * level / self.levels[0]
            bound = min(limit, linear) if self.law.is_rate else None
            return Reading(value=None, low=None, high=bound, is_beyond_data=True)
        if self.law.is_rate:
            value, low, high = (None if end is None else min(end, limit) for end in (value, low, high))  # type: ignore[assignment]  # low and high are None where value is
        return Reading(value=value if reach <= POINT_REACH else None, low=low, high=high, is_beyond_data=is_beyond)

    def _interval(self, level: float, value: float) -> tuple[float | None, float | None]:
        """Return the interval at a level, over all laws that the measurements do not tell apart."""
        laws = self.resampled
        logs = [np.log(LAWS[name].predict(level, factors)) for name, factors in laws.items()]
        if not logs or not math.isfinite(self.widening_factor):
            return None, None
        centre = math.log(value)
        ends = [np.quantile(log, [(1 - _COVERAGE) / 2, (1 + _COVERAGE) / 2]) for log in logs]
        low = min(float(end[0]) for end in ends)
        high = max(float(end[1]) for end in ends)
        return (
            math.exp(centre - self.widening_factor * max(0.0, centre - low)),
            math.exp(centre + self.widening_factor * max(0.0, high - centre)),
        )


def choose(levels: Sequence[float], values: Numbers, names: Sequence[str] = MEMBER_LAWS, seed: int = 0) -> ChosenLaw:
    """Return the law that a sweep follows.

    Parameters
    ----------
    levels : sequence of float
        Members or sizes, at least three different ones.
    values : array, shape (invocations, levels)
        What each invocation measured; NaN where it measured nothing.
    names : sequence of str
        Laws to try, the simplest first. One with as many terms as levels is not tried.
    seed : int
        Seed of the resampling.

    Notes
    -----
    Each law is fitted without the largest level and predicts it. Of those that miss it by no more than the best does plus
    the standard error of that level, the simplest is taken, and fitted to all levels. Whole invocations are resampled, as
    the points of one share what disturbed it. Resampling n of them understates their spread by sqrt((n - 1) / n), and takes
    the normal's quantile where Student's is due; intervals are widened by both.

    Source: Breiman et al., "Classification and Regression Trees" (1984), section 3.4.3 (one standard error); Davison and
    Hinkley, "Bootstrap Methods and their Application" (1997), section 3.8 (clusters).
    """
    order = np.argsort(levels)
    counts, table = np.asarray(levels, dtype=np.float64)[order], np.asarray(values, dtype=np.float64)[:, order]
    tried = [LAWS[name] for name in names if LAWS[name].terms(counts[:1]).shape[1] < len(counts)]
    missed = {law.name: _left_out_share(law, counts, table) for law in tried}
    last = np.log(table[:, -1][np.isfinite(table[:, -1])])
    noise = max(_LEAST_NOISE_SHARE, float(last.std(ddof=1) / math.sqrt(len(last))) if len(last) > 1 else 0.0)
    best = min(missed.values())
    law = next(law for law in tried if missed[law.name] <= best + noise)
    random = np.random.default_rng(seed)
    picks = random.integers(0, len(table), (_RESAMPLES, len(table)))
    alike = [other for other in tried if missed[other.name] <= best + 2 * noise or other in (law, tried[-1])]
    resampled = {other.name: _factors(other, counts, table[picks]) for other in alike} if len(table) > 1 else {}
    factors = _factors(law, counts, table[None])[0]
    widening = _widening(len(table))
    return ChosenLaw(
        law=law, parameters=law.read(factors), left_out_share=missed, factors=factors, resampled=resampled,
        widening_factor=widening,
        parameter_intervals=_parameter_intervals(law, factors, resampled.get(law.name), widening),
        levels=tuple(float(count) for count in counts),
    )  # fmt: skip


def _left_out_share(law: Law, counts: Numbers, table: Numbers) -> float:
    factors = _factors(law, counts[:-1], table[None, :, :-1])[0]
    last = table[:, -1][np.isfinite(table[:, -1])]
    return float(abs(math.log(float(law.predict(counts[-1], factors)[0]) / float(np.median(last)))))


def _factors(law: Law, counts: Numbers, tables: Numbers) -> Numbers:
    """Return the factors of many tables at once, shape (fits, invocations, levels), all their points fitted together."""
    known = np.isfinite(tables)
    filled = np.where(known, tables, np.nanmedian(tables[:, :, :], axis=(1, 2), keepdims=True))
    fits = len(tables)
    spread = np.tile(counts, tables.shape[1])
    return fit_many(law, spread, filled.reshape(fits, -1), weights=known.reshape(fits, -1).astype(np.float64))


def _widening(invocation_count: int) -> float:
    if invocation_count < 2:
        return math.inf
    from scipy.stats import norm, t

    upper = (1 + _COVERAGE) / 2
    degrees = invocation_count - 1
    return float(t.ppf(upper, degrees) / norm.ppf(upper) * math.sqrt(invocation_count / degrees))


def _parameter_intervals(
    law: Law, factors: Numbers, resampled: Numbers | None, widening: float
) -> dict[str, tuple[float, float]]:
    if resampled is None or not math.isfinite(widening):
        return {}
    middle = law.read(factors)
    drawn = [law.read(row) for row in resampled]
    found = {}
    for name, value in middle.items():
        values = np.array([draw[name] for draw in drawn])
        low, high = np.quantile(values[np.isfinite(values)], [(1 - _COVERAGE) / 2, (1 + _COVERAGE) / 2])
        wide = (value - widening * max(0.0, value - low), value + widening * max(0.0, high - value))
        found[name] = (max(0.0, float(wide[0])), float(wide[1]))
    return found
