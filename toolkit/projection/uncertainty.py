"""Draws of what is not known exactly: bootstraps of measured samples, and ranges that were stated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["Given"]

_Z90: Final = 1.2815515655446004
"""90th percentile of the standard normal distribution."""


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
    source: str
    """Where it comes from, in words."""
    evidence: str
    """``stated``, ``measured``, ``published``, ``vendor`` or ``assumed``."""

    @property
    def is_certain(self) -> bool:
        """Whether it has neither a range nor samples that differ."""
        return (self.low is None or self.low == self.high) and len(set(self.samples)) < 2

    def draw(self, generator: np.random.Generator, count: int) -> Draws:
        """Return ``count`` draws, shape (count, 1).

        Measured samples are bootstrapped (Efron 1979); a range is a split log-normal through its three percentiles (split
        normal where it touches zero), so that it stays positive and keeps its skew.
        """
        if len(set(self.samples)) > 1:
            picks = generator.integers(0, len(self.samples), size=(count, len(self.samples)))
            return np.asarray(np.median(np.asarray(self.samples)[picks], axis=1)[:, None], dtype=np.float64)
        if self.low is None or self.high is None or self.low == self.high:
            return np.full((count, 1), self.value, dtype=np.float64)
        normal = generator.standard_normal((count, 1))
        if self.low > 0 and self.value > 0:
            down, up = np.log(self.value / self.low) / _Z90, np.log(self.high / self.value) / _Z90
            drawn = np.asarray(self.value * np.exp(np.where(normal < 0, down, up) * normal))
            return np.minimum(drawn, 1.0) if self.unit == "share" else drawn
        down, up = (self.value - self.low) / _Z90, (self.high - self.value) / _Z90
        return np.asarray(np.maximum(0.0, self.value + np.where(normal < 0, down, up) * normal))

    def at(self, percentile: str) -> float:
        """Return the value at ``p10``, ``p50`` or ``p90``."""
        if len(set(self.samples)) > 1:
            return float(np.quantile(self.samples, {"p10": 0.1, "p50": 0.5, "p90": 0.9}[percentile]))
        ends = {"p10": self.low, "p50": self.value, "p90": self.high}
        end = ends[percentile]
        return self.value if end is None else end
