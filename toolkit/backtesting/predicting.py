"""From measured small sizes to larger ones: a law, its prediction, and an 80 % interval. Pure arithmetic, nothing is measured.

The interval is a residual bootstrap: what single measurements scatter about the law is drawn again, the law is fitted to
each draw, and the scatter of one more measurement is put on top. Scatter shrinks with size as far as the small sizes show,
and what the law is off where the small sizes double widens it with every doubling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Values = NDArray[np.float64]

__all__ = [
    "INTERVAL_SHARE",
    "AffineLaw",
    "Forecast",
    "Law",
    "ParallelLaw",
    "Points",
    "ProportionalLaw",
    "bend",
    "forecast",
    "law_terms",
    "noise_terms",
]

INTERVAL_SHARE: Final = 0.8
"""Share of the measurements that an interval is to hold."""

_DRAWS: Final = 2_000
_MEAN_TO_DEVIATION: Final = 1.2533141373155001
"""Standard deviation over mean absolute deviation of a normal distribution: the square root of pi / 2."""


class Law(Protocol):
    """How a quantity follows from a size."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its terms."""
        ...

    @property
    def words(self) -> str:
        """The law in words."""
        ...

    def fit(self, sizes: Values, values: Values) -> Values:
        """Return the terms of each row of values, shape (rows, terms)."""
        ...

    def at(self, terms: Values, sizes: Values) -> Values:
        """Return the quantity for each row of terms at each size."""
        ...


@dataclass(frozen=True, slots=True)
class AffineLaw:
    """A fixed part and a part in proportion to the size; neither is below 0.

    Source: Hockney 1994 (time of a message); weighted least squares, so that relative errors count alike at each size.

    Examples
    --------
    >>> law, sizes = AffineLaw(), np.array([1.0, 2.0, 4.0])
    >>> law.fit(sizes, np.array([[3.0, 5.0, 9.0]])).round(6).tolist()
    [[1.0, 2.0]]
    """

    names: tuple[str, ...] = ("fixed", "slope")
    words: str = "fixed + slope x size"

    def fit(self, sizes: Values, values: Values) -> Values:
        """Return fixed part and slope of each row of values."""
        weights = 1 / values**2
        total, first = weights.sum(axis=1), (weights * sizes).sum(axis=1)
        second, here, there = (weights * sizes**2).sum(axis=1), (1 / values).sum(axis=1), (sizes / values).sum(axis=1)
        spread = np.maximum(total * second - first**2, np.finfo(float).tiny)
        fixed, slope = (second * here - first * there) / spread, (total * there - first * here) / spread
        terms = np.stack([fixed, slope], axis=1)
        terms[fixed < 0] = np.stack([np.zeros_like(fixed), there / second], axis=1)[fixed < 0]
        flat = slope < 0
        terms[flat] = np.stack([here / total, np.zeros_like(slope)], axis=1)[flat]
        return terms

    def at(self, terms: Values, sizes: Values) -> Values:
        """Return fixed + slope x size."""
        return np.asarray(terms[:, :1] + terms[:, 1:] * sizes)


@dataclass(frozen=True, slots=True)
class ProportionalLaw:
    """As much for each of what is counted: no image has no bytes.  Source: weighted least squares of relative errors.

    Examples
    --------
    >>> ProportionalLaw().fit(np.array([1.0, 2.0]), np.array([[3.0, 6.0]])).tolist()
    [[3.0]]
    """

    names: tuple[str, ...] = ("slope",)
    words: str = "slope x size"

    def fit(self, sizes: Values, values: Values) -> Values:
        """Return the slope of each row of values."""
        return np.asarray((sizes / values).sum(axis=1) / (sizes**2 / values**2).sum(axis=1))[:, None]

    def at(self, terms: Values, sizes: Values) -> Values:
        """Return slope x size."""
        return np.asarray(terms * sizes)


@dataclass(frozen=True, slots=True)
class ParallelLaw:
    """The rate of workers on some cores: the rate of one, less what they queue for, less what those beyond the cores disturb.

    Least squares of inverse rates, in which the terms are linear; none is below 0.

    Source: Amdahl 1967 for contention; workers beyond the cores take turns, and the share of them that waits costs time.

    Examples
    --------
    >>> law, workers = ParallelLaw(core_count=2), np.array([1.0, 2.0, 3.0])
    >>> rates = np.array([[10.0, 20 / 1.1, 20 / 1.2]])
    >>> law.fit(workers, rates).round(6).tolist(), law.at(law.fit(workers, rates), np.array([4.0, 1e9])).round(2).tolist()
    ([[10.0, 0.1, 0.3]], [[16.0, 14.29]])
    """

    core_count: int
    names: tuple[str, ...] = ("single", "contention", "crowding")
    words: str = "single x b / (1 + contention x (b - 1) + crowding x (1 - b / n)), n = workers, b = n, at most the cores"

    def fit(self, sizes: Values, values: Values) -> Values:
        """Return rate of one, contention and crowding of each row of rates."""
        from scipy.optimize import nnls

        busy = np.minimum(sizes, self.core_count)
        design = np.stack([np.ones_like(busy), busy - 1, 1 - busy / sizes], axis=1)
        inverse = busy / values
        terms = np.array([nnls(design / row[:, None], np.ones_like(row))[0] for row in inverse])
        slowest = np.maximum(terms[:, :1], np.finfo(float).tiny)
        return np.concatenate([1 / slowest, terms[:, 1:] / slowest], axis=1)

    def at(self, terms: Values, sizes: Values) -> Values:
        """Return the rate."""
        busy = np.minimum(sizes, self.core_count)
        return np.asarray(terms[:, :1] * busy / (1 + terms[:, 1:2] * (busy - 1) + terms[:, 2:] * (1 - busy / sizes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """What was measured at the small sizes, over all trials."""

    sizes: Values
    """Sizes."""
    factors: Values
    """The same sizes as planned, over the largest of them: what is measured again at one factor may differ a little in size."""
    values: Values
    """Values, all above 0."""
    trials: Values
    """Which trial each belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is expected at some sizes."""

    middle: Values
    """The predictions, one for each size."""
    draws: Values
    """Draws of what will be measured, shape (draws, sizes)."""
    noise_share: float
    """Scatter of single measurements at the largest fitted size, as one standard deviation of the logarithm."""

    @property
    def ends(self) -> tuple[Values, Values]:
        """The ends of the 80 % interval of each size."""
        low, high = np.quantile(self.draws, [(1 - INTERVAL_SHARE) / 2, (1 + INTERVAL_SHARE) / 2], axis=0)
        return low, high


def noise_terms(factors: Values, residuals: Values) -> tuple[float, float]:
    """Return what of the variance of logarithms stays at any size, and what falls with it: variance = stays + falls / factor.

    Each factor has its mean absolute deviation squared as its variance; both terms are at least 0.

    Examples
    --------
    >>> factors = np.repeat([0.25, 0.5, 1.0], 4_000)
    >>> drawn = np.random.default_rng(0).standard_normal(12_000) * np.sqrt(0.01 + 0.09 / factors)
    >>> [round(term, 2) for term in noise_terms(factors, drawn)]
    [0.01, 0.09]
    """
    from scipy.optimize import nnls

    distinct = np.unique(factors)
    variances = np.array([(_MEAN_TO_DEVIATION * np.abs(residuals[factors == factor]).mean()) ** 2 for factor in distinct])
    weights = 1 / np.maximum(variances, variances.max() * 1e-3 + np.finfo(float).tiny)
    design = np.stack([np.ones_like(distinct), 1 / distinct], axis=1)
    (stays, falls), _ = nnls(design * weights[:, None], variances * weights)
    return float(stays), float(falls)


def bend(law: Law, points: Points) -> float:
    """Return by how much the law is off where size doubles: the largest fitted size, predicted from the smaller ones.

    Each trial is one witness; a mean of them that their scatter may account for (95 % of Student's t) counts as no bend.

    Examples
    --------
    >>> sizes = np.tile([1.0, 2.0, 4.0], 3)
    >>> points = Points(sizes=sizes, factors=sizes / 4, values=sizes**0.9, trials=np.repeat([0.0, 1.0, 2.0], 3))
    >>> round(bend(AffineLaw(), points), 3)
    0.033
    """
    misses = []
    for trial in np.unique(points.trials):
        is_mine, is_last = points.trials == trial, points.factors == points.factors.max()
        terms = law.fit(points.sizes[is_mine & ~is_last], points.values[None, is_mine & ~is_last])
        last = is_mine & is_last
        misses.append(np.log(points.values[last] / law.at(terms, points.sizes[last])[0]).mean())
    if len(misses) < 3:
        return 0.0
    from scipy.stats import t

    mean, error = float(abs(np.mean(misses))), float(np.std(misses, ddof=1)) / np.sqrt(len(misses))
    return mean if mean > t.ppf(0.975, len(misses) - 1) * error else 0.0


def forecast(
    law: Law, points: Points, asked: Values, asked_factors: Values, seed: int = 0, asked_draws: Values | None = None
) -> Forecast:
    """Return what is expected at each size asked.

    Parameters
    ----------
    law : Law
        What is fitted.
    points : Points
        What was measured at the small sizes.
    asked, asked_factors : numpy.ndarray
        Sizes, and the same over the largest that was fitted.
    seed : int
        Seed of the draws.
    asked_draws : numpy.ndarray, optional
        Draws of the sizes themselves, shape (draws, sizes), where they are expected only.
    """
    random = np.random.default_rng(seed)
    terms = law.fit(points.sizes, points.values[None, :])
    fitted = law.at(terms, points.sizes)
    count = len(points.sizes)
    residuals = np.log(points.values / fitted[0]) * np.sqrt(count / max(count - len(law.names), 1))
    stays, falls = noise_terms(points.factors, residuals)

    def deviation(factors: Values) -> Values:
        return np.sqrt(stays + falls / factors)

    scale = deviation(points.factors)
    standard = np.divide(residuals, scale, out=np.zeros_like(residuals), where=scale > 0)
    again = law.fit(points.sizes, fitted * np.exp(random.choice(standard, (_DRAWS, count)) * scale))
    middle = law.at(terms, asked)[0]
    drawn = middle**2 / law.at(again, asked)  # basic bootstrap: what the refits miss, turned about the prediction
    drawn = drawn * np.exp(random.choice(standard, (_DRAWS, len(asked))) * deviation(asked_factors))
    doublings = np.maximum(0.0, np.log2(asked_factors))
    bent = bend(law, points) * doublings * (doublings + 1) / 2  # a curve leaves its chord by more with each doubling
    drawn = drawn * np.exp(random.standard_normal((_DRAWS, 1)) * bent)
    if asked_draws is not None:
        drawn = drawn * law.at(terms, asked_draws) / middle
    return Forecast(middle=middle, draws=drawn, noise_share=float(deviation(np.ones(1))[0]))


def law_terms(law: Law, points: Points) -> Mapping[str, float]:
    """Return the terms of the law by name."""
    terms = law.fit(points.sizes, points.values[None, :])[0]
    return dict(zip(law.names, map(float, terms), strict=True))
