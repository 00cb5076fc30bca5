"""Draws of what is not known exactly: bootstraps of measured samples, and ranges that were stated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["Given", "few_sample_widening"]

_Z90: Final = 1.2815515655446004
"""90th percentile of the standard normal distribution."""
_PERCENTILE_DRAWS: Final = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A number that goes into a projection: its value, its range, and where it comes from."""

    name: str
    """Dotted name."""
    unit: str
    """Suffix of the unit."""
    value: float
    """The value; the median of its range."""
    low: float | None = None
    """10th percentile, where a range is known."""
    high: float | None = None
    """90th percentile, where a range is known."""
    samples: tuple[float, ...] = ()
    """Measured values, one per invocation: draws are bootstrapped medians of them."""
    model_error_share: float = 0.0
    """By what share a law that gave the value missed what was left out of its fit: one standard deviation of logarithms."""
    source: str
    """Where it comes from, in words."""
    evidence: str
    """``stated``, ``measured``, ``calibrated``, ``published``, ``vendor`` or ``assumed``."""

    @property
    def is_certain(self) -> bool:
        """Whether it has no range, no samples that differ, and comes from no law that may be off."""
        return (self.low is None or self.low == self.high) and not self._is_sampled and not self.model_error_share

    @property
    def _is_sampled(self) -> bool:
        return len(set(self.samples)) > 1

    def draw(self, generator: np.random.Generator, count: int) -> Draws:
        """Return ``count`` draws, shape (count, 1).

        Measured samples are bootstrapped (Efron 1979), widened where they are few; a range is a split log-normal through its
        three percentiles (split normal where it touches zero), so that it stays positive and keeps its skew. What a law may
        be off comes on top.
        """
        drawn = self._drawn(generator, count)
        if self.model_error_share:
            drawn = drawn * np.exp(self.model_error_share * generator.standard_normal((count, 1)))
        return np.minimum(drawn, 1.0) if self.unit == "share" else drawn

    def _drawn(self, generator: np.random.Generator, count: int) -> Draws:
        if self._is_sampled:
            return self._bootstrapped(generator, count)
        if self.low is None or self.high is None or self.low == self.high:
            return np.full((count, 1), self.value, dtype=np.float64)
        normal = generator.standard_normal((count, 1))
        if self.low > 0 and self.value > 0:
            down, up = np.log(self.value / self.low) / _Z90, np.log(self.high / self.value) / _Z90
            return np.asarray(self.value * np.exp(np.where(normal < 0, down, up) * normal))
        down, up = (self.value - self.low) / _Z90, (self.high - self.value) / _Z90
        return np.asarray(np.maximum(0.0, self.value + np.where(normal < 0, down, up) * normal))

    def _bootstrapped(self, generator: np.random.Generator, count: int) -> Draws:
        samples = np.asarray(self.samples, dtype=np.float64)
        picks = generator.integers(0, len(samples), size=(count, len(samples)))
        medians = np.median(samples[picks], axis=1)[:, None]
        middle = float(np.median(samples))
        if middle <= 0 or (samples <= 0).any():
            return np.asarray(medians, dtype=np.float64)
        return np.asarray(middle * (medians / middle) ** few_sample_widening(len(samples)), dtype=np.float64)

    def at(self, percentile: str) -> float:
        """Return the value at ``p10``, ``p50`` or ``p90``."""
        if percentile == "p50" and (self._is_sampled or self.model_error_share):
            return float(np.median(self.samples)) if self._is_sampled else self.value
        if self._is_sampled or self.model_error_share:
            drawn = self.draw(np.random.default_rng(0), _PERCENTILE_DRAWS)
            return float(np.quantile(drawn, {"p10": 0.1, "p90": 0.9}[percentile]))
        end = {"p10": self.low, "p50": self.value, "p90": self.high}[percentile]
        return self.value if end is None else end


def few_sample_widening(sample_count: int) -> float:
    """Return how much wider than its bootstrap the range of a mean is when samples are few: Student's t over the normal.

    Source: Davison and Hinkley 1997, section 2.3.2: a bootstrap's variance is smaller by (n - 1) / n; the quantile is the
    90th, the end of the ranges shown.

    Examples
    --------
    >>> round(few_sample_widening(3), 2), round(few_sample_widening(1_000), 2)
    (1.8, 1.0)
    """
    from scipy.special import stdtrit  # scipy.stats would take a second to import

    degrees = sample_count - 1
    return float(stdtrit(degrees, 0.9) / _Z90 * math.sqrt(sample_count / degrees))
