"""Laws fitted to points: universal scalability, power laws, one driver for many devices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.laws import forms
from toolkit.laws.fitting import LAWS, fit
from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["efficiency", "fit_scalability", "power_exponent", "rate_by_driver", "scalability_rate", "scaled_rate"]


scalability_rate = formula("per_s", "rate of one x n / (1 + contention (n - 1) + coherence n (n - 1))")(forms.scalability_rate)


def fit_scalability(member_counts: Sequence[float], rates_per_s: Sequence[float]) -> tuple[float, float, float]:
    """Return rate of one, contention and coherence that fit measured rates, in ratios; contention and coherence are at least 0.

    Source: Gunther 2007, Guerrilla Capacity Planning, chapter 5; least squares of the logarithms, so that every size counts.

    Examples
    --------
    >>> counts = [1.0, 2.0, 8.0, 64.0]
    >>> fitted = fit_scalability(counts, [scalability_rate(n, 5.0, 0.02, 1e-4) for n in counts])
    >>> [round(value, 5) for value in fitted]
    [5.0, 0.02, 0.0001]
    """
    law = LAWS["universal scalability"]
    found = law.read(fit(law, member_counts, rates_per_s, is_robust=False))
    return found["single_per_s"], found["contention_share"], found["coherence_share"]


def scaled_rate(member_counts: Sequence[float], rates_per_s: Sequence[float], member_count: float) -> float:
    """Return the rate at a size by the law fitted to measured rates.

    Source: Gunther 1993, universal scalability law.

    Examples
    --------
    >>> round(scaled_rate([1.0, 2.0, 4.0], [10.0, 20.0, 40.0], 8.0), 3)
    80.0
    """
    return float(scalability_rate(member_count, *fit_scalability(member_counts, rates_per_s)))


@formula("share", "rate of n / (n x rate of one)", valid={"member_count": (1, math.inf)})
def efficiency(rate_per_s: Draws, single_per_s: Draws, member_count: Draws) -> Any:
    """Share of n times the rate of one that n reach together.

    Source: definition.

    Examples
    --------
    >>> round(efficiency(16_621.0, 2470.0, 8.0), 2)
    0.84
    """
    return rate_per_s / (single_per_s * member_count)


def power_exponent(inputs: Sequence[float], results: Sequence[float]) -> float:
    """Return the exponent of the power law through points: the slope of their logarithms.

    Source: least squares of the logarithms.

    Examples
    --------
    >>> round(power_exponent([1.0, 10.0, 100.0], [2.0, 20.0, 200.0]), 6)
    1.0
    """
    return float(np.polyfit(np.log(inputs), np.log(results), 1)[0])


def rate_by_driver(known_drivers: Sequence[float], known_rates_per_s: Sequence[float], driver: float) -> float:
    """Return a device's rate from those of others, in proportion to what drives it: for convolutions, memory bandwidth.

    Source: MLPerf Training v3.0 and v4.0, ResNet-50: images each second over memory bandwidth lies within 1.65 and 2.53
    images per GB on eight devices, over their peak rates within 5 and 12. Least squares of the logarithms.

    Examples
    --------
    >>> round(rate_by_driver([1.0, 2.0, 4.0], [10.0, 20.0, 40.0], 3.0), 6)
    30.0
    """
    ratios = np.asarray(known_rates_per_s, dtype=float) / np.asarray(known_drivers, dtype=float)
    return float(np.exp(np.log(ratios).mean()) * driver)
