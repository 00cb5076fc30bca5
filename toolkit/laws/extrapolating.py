"""A law carried to a size that was not measured, with the interval in which one new measurement is to lie.

What an interval holds: the scatter of a single measurement, what the terms of the law may be off by, and what the law itself
is off where the largest size is left out of its fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from toolkit.laws.fitting import fit_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from toolkit.laws.fitting import Law

    Numbers = NDArray[np.float64]

__all__ = ["INTERVAL_SHARE", "Extrapolation", "extrapolate", "law_bend_share", "student_widening"]

INTERVAL_SHARE: Final = 0.8
"""Share of new measurements that an interval is to hold: from the 10th to the 90th percentile."""

_Z90: Final = 1.2815515655446004
"""90th percentile of the standard normal distribution."""

_BEND_QUANTILE: Final = 0.95
"""What a law misses of the largest size counts as a bend where scatter passes it in one case of twenty only."""

_FAR_FACTOR: Final = 2.0
_SCATTER_STEPS: Final = 10


def student_widening(degree_count: float) -> float:
    """Return by how much an interval of 80 % is wider where its spread was estimated from so few degrees of freedom.

    Source: Student, "The probable error of a mean" (Biometrika 6, 1908): the 90th percentile of t over the normal's.

    Examples
    --------
    >>> round(student_widening(2), 2), round(student_widening(7), 2), round(student_widening(1e6), 2)
    (1.47, 1.1, 1.0)
    """
    from scipy.special import stdtrit  # scipy.stats would take a second to import

    return float(stdtrit(max(1.0, degree_count), (1 + INTERVAL_SHARE) / 2) / _Z90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extrapolation:
    """A law fitted to a few sizes, and how far it is to be believed at others."""

    law: Law
    """The law."""
    factors: Numbers
    """Factors of its terms."""
    covariance: Numbers
    """Covariance of the factors for a scatter of 1."""
    noise_share: float
    """Scatter of single measurements at the largest size, as one standard deviation of the logarithm."""
    degree_count: int
    """Degrees of freedom that the scatter was estimated from."""
    largest_count: float
    """The largest size that was fitted."""
    bend_share: float
    """By what the law is off at twice the largest size, as one standard deviation of the logarithm."""
    is_sampled: bool
    """Whether scatter falls with size, as that of sums over a sample does."""

    def value(self, size: float) -> float:
        """Return what the law says of a size."""
        return float(self.law.predict(size, self.factors)[0])

    def error_share(self, size: float) -> float:
        """Return how far one new measurement of a size may be off: a normal deviation of logarithms with the 80 % interval due.

        Student's t for the degrees of freedom is in it, so that a normal of this deviation has the interval's ends as its 10th
        and 90th percentile.
        """
        slope = _relative_terms(self.law, np.array([size]), self.factors)
        spread = self.noise_share**2 * (
            1 / _weights(size, self.largest_count, is_falling=self.is_sampled) + _leverage(slope, self.covariance)
        )
        doublings = max(0.0, math.log2(size / self.largest_count))
        bent = self.bend_share * doublings * (doublings + 1) / 2  # a curve leaves its chord by more with each doubling
        return student_widening(self.degree_count) * math.sqrt(float(spread) + bent**2)

    def ends(self, size: float, size_error_share: float = 0.0) -> tuple[float, float]:
        """Return the ends of the 80 % interval of one new measurement of a size; which may itself be off, if it is expected."""
        value, half = self.value(size), _Z90 * math.hypot(self.error_share(size), size_error_share)
        return value * math.exp(-half), value * math.exp(half)


def extrapolate(
    law: Law,
    sizes: Sequence[float] | Numbers,
    values: Sequence[float] | Numbers,
    *,
    is_sampled: bool = False,
    bend_share: float = 0.0,
) -> Extrapolation:
    """Return a law fitted to measurements of a few sizes, ready to be asked for larger ones.

    Parameters
    ----------
    law : Law
        What is fitted; see ``toolkit.laws.fitting.LAWS``.
    sizes, values : sequence of float
        What was measured, each size more than once; all above 0.
    is_sampled : bool
        Whether values are sums over a sample, whose scatter falls with the root of its size; times do not, where a machine
        is shared: what disturbs a long one lasts longer too.
    bend_share : float
        What ``law_bend_share`` found for the law.

    Notes
    -----
    Residuals are those of logarithms; their variance has as many degrees of freedom as there are measurements beyond terms.
    What is rarely slow is slow in large sizes too, so that no measurement weighs less in the fit; in the scatter, residuals
    beyond twice their deviation count as twice that: an interval of 80 % is not made wide by the rare large one.
    The variance of a new measurement is its own scatter, and that of the law's terms by the delta method; its interval takes
    Student's t.

    Source: Seber and Lee, "Linear Regression Analysis" (2003), section 5.3 (prediction intervals); Bates and Watts,
    "Nonlinear Regression Analysis" (1988), section 2.3 (the delta method); Huber 1981, chapter 6 (winsorised residuals).

    Examples
    --------
    >>> from toolkit.laws.fitting import LAWS
    >>> found = extrapolate(LAWS["affine"], [1.0, 1.0, 2.0, 2.0, 4.0, 4.0], [3.0, 3.03, 5.0, 4.95, 9.0, 9.09])
    >>> low, high = found.ends(32.0)
    >>> low < 65 < high, round(found.value(32.0))
    (True, 65)
    """
    levels, measured = np.asarray(sizes, dtype=np.float64), np.asarray(values, dtype=np.float64)
    largest = float(levels.max())
    weights = _weights(levels, largest, is_falling=is_sampled)
    factors = fit_many(law, levels, measured[None], weights=weights[None], is_robust=False)[0]
    slopes = _relative_terms(law, levels, factors)
    degrees = max(1, len(levels) - slopes.shape[1])
    residuals = np.log(measured / law.predict(levels, factors))
    covariance = np.asarray(np.linalg.pinv(slopes.T @ (weights[:, None] * slopes)), dtype=np.float64)
    return Extrapolation(
        law=law, factors=factors, covariance=covariance, noise_share=_scatter(np.sqrt(weights) * residuals, degrees),
        degree_count=degrees, largest_count=largest, bend_share=bend_share, is_sampled=is_sampled,
    )  # fmt: skip


def law_bend_share(law: Law, groups: Sequence[tuple[Numbers, Numbers]], *, is_sampled: bool = False) -> float:
    """Return by what a law is off where size doubles: the largest size of each group, predicted from its smaller ones.

    Parameters
    ----------
    law : Law
        What is fitted.
    groups : sequence of (sizes, values)
        Measurements of the same kind; each group is fitted by itself, and all bear witness to the same bend.
    is_sampled : bool
        As in ``extrapolate``.

    Notes
    -----
    The squared mean miss, less what scatter accounts for, is the law's own variance; none where scatter accounts for all of
    it, or would pass it in one case of twenty. Zero too where there are too few sizes to leave one out.

    Source: DerSimonian and Laird, "Meta-analysis in clinical trials" (Controlled Clinical Trials 7, 1986), for the variance
    beyond scatter; Stone 1974 for leaving out.

    Examples
    --------
    >>> from toolkit.laws.fitting import LAWS
    >>> sizes = np.repeat([1.0, 2.0, 4.0], 3)
    >>> noise = np.tile([0.99, 1.0, 1.01], 3)
    >>> straight, curved = (law_bend_share(LAWS["affine"], [(sizes, v * noise)]) for v in (1 + sizes, sizes**0.8))
    >>> straight, round(curved, 2)
    (0.0, 0.06)
    """
    misses, variances, degrees = [], [], 0
    for levels, values in groups:
        is_last = _are_largest(levels)
        kept = levels[~is_last]
        if len(set(kept.tolist())) < law.terms(kept[:1]).shape[1]:
            continue
        whole = extrapolate(law, levels, values, is_sampled=is_sampled)
        fewer = extrapolate(law, kept, values[~is_last], is_sampled=is_sampled)
        size = float(levels[is_last].mean())
        doublings = math.log2(size / float(kept[_are_largest(kept)].mean()))
        misses.append(float(np.log(values[is_last] / law.predict(levels[is_last], fewer.factors)).mean()) / doublings)
        slope = _relative_terms(law, np.array([size]), fewer.factors)
        rescaled = kept.max() / levels.max() if is_sampled else 1.0  # the scatter of both at the same size
        scatter = 1 / is_last.sum() + _leverage(slope, fewer.covariance) / rescaled
        variances.append(whole.noise_share**2 * float(scatter) / doublings**2)
        degrees += whole.degree_count
    if not misses:
        return 0.0
    from scipy.special import stdtrit

    squared, scattered = float(np.mean(misses)) ** 2, float(np.mean(variances)) / len(misses)
    is_seen = squared > float(stdtrit(degrees, (1 + _BEND_QUANTILE) / 2)) ** 2 * scattered
    return math.sqrt(squared - scattered) if is_seen else 0.0


def _scatter(residuals: Numbers, degrees: int) -> float:
    """Return the standard deviation of residuals; one beyond twice that counts as twice that."""
    found = math.sqrt(float((residuals**2).sum()) / degrees)
    for _ in range(_SCATTER_STEPS):
        found = math.sqrt(float(np.minimum(residuals**2, (_FAR_FACTOR * found) ** 2).sum()) / degrees)
    return found


def _are_largest(sizes: Numbers) -> NDArray[np.bool_]:
    """Return which sizes are as good as the largest: what is measured again may differ in size a little."""
    return np.asarray(sizes > sizes.max() / math.sqrt(2))


def _weights(sizes: Numbers | float, largest: float, *, is_falling: bool) -> Numbers:
    return np.asarray(sizes) / largest if is_falling else np.ones_like(np.asarray(sizes, dtype=np.float64))


def _relative_terms(law: Law, sizes: Numbers, factors: Numbers) -> Numbers:
    """Return by what the logarithm of each value changes with each factor, shape (sizes, terms)."""
    terms = law.terms(sizes)
    cost = np.maximum(terms @ factors, np.finfo(np.float64).tiny)
    return np.asarray(terms / cost[:, None] / law.exponent)


def _leverage(slope: Numbers, covariance: Numbers) -> float:
    return float((slope @ covariance @ slope.T)[0, 0])
