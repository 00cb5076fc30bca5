"""Laws fitted to measured points: robust, in logarithms, with nothing negative, and many resamplings at once.

Every law here is a cost that is a sum of terms with factors of at least 0: the seconds of a transfer (1, bytes), the
seconds per member of a sweep (1, n - 1, n (n - 1)), or such a sum of powers for a limit that is reached. The logarithm's
residuals are made least by weighted linear steps, so that a bootstrap of hundreds of fits is a handful of matrix products.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.laws.forms import SATURATION_SHARPNESS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

__all__ = ["LAWS", "Law", "fit", "fit_many"]

_STEPS: Final = 24
_LARGEST_STEP: Final = 0.9
"""Residuals of logarithms are followed no further in one step: a law that is a sum of powers would overshoot by orders."""
_KNEES: Final = 40
"""Where two terms may be equal, tried before the first step."""
_MARGIN: Final = 3
"""How far beyond the outermost level they may be, in powers of e."""
_TERMS_OF_A_KNEE: Final = 2
_SHARES: Final = np.array([1.0, 0.5, 0.2, 0.05, 0.0])
"""How much of a step is tried, the whole first."""
_LEAST_SCALE: Final = 0.005
_MAD_TO_SD: Final = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """A cost that is a sum of terms, or such a sum of powers."""

    name: str
    """What it is called."""
    terms: Callable[[Numbers], Numbers]
    """Levels (m) to the terms' values (m, terms)."""
    read: Callable[[Numbers], dict[str, float]]
    """Factors of the terms to the law's own parameters, by name with unit."""
    exponent: float = 1.0
    """The power of the cost that is a sum of the terms."""
    is_rate: bool = True
    """Whether the cost is n over a rate; else it is the measured value itself, a time."""

    def predict(self, levels: Any, factors: Any) -> Numbers:
        """Return what the law gives at some levels: rates, or times; factors may hold many fits, one a row."""
        counts = np.atleast_1d(np.asarray(levels, dtype=np.float64))
        cost = np.maximum(np.asarray(factors) @ self.terms(counts).T, np.finfo(np.float64).tiny) ** (1 / self.exponent)
        return np.asarray(counts / cost if self.is_rate else cost)


def _ones_and(*columns: Numbers) -> Numbers:
    return np.stack([np.ones_like(columns[0]), *columns], axis=-1)


def _read_scalability(factors: Numbers) -> dict[str, float]:
    first, rest = float(factors[0]), [float(factor) for factor in factors[1:]]
    names = ("contention_share", "coherence_share")
    return {"single_per_s": 1 / first} | {name: factor / first for name, factor in zip(names, rest, strict=False)}


def _read_saturation(factors: Numbers) -> dict[str, float]:
    single, limit = (float(factor) ** (1 / SATURATION_SHARPNESS) for factor in factors)
    return {"single_per_s": 1 / single, "limit_per_s": 1 / limit if limit else float("inf")}


def _read_transfer(factors: Numbers) -> dict[str, float]:
    return {"latency_s": float(factors[0]), "bandwidth_bytes_per_s": 1 / float(factors[1]) if factors[1] else float("inf")}


def _read_sum(factors: Numbers) -> dict[str, float]:
    return {"fixed": float(factors[0]), "slope": float(factors[1])}


def _read_product(factors: Numbers) -> dict[str, float]:
    return {"slope": float(factors[0])}


LAWS: Final = {
    law.name: law
    for law in (
        Law(name="linear", terms=lambda n: np.ones((len(n), 1)), read=_read_scalability),
        Law(name="saturation", terms=lambda n: _ones_and(n**SATURATION_SHARPNESS), read=_read_saturation,
            exponent=SATURATION_SHARPNESS),
        Law(name="Amdahl", terms=lambda n: _ones_and(n - 1), read=_read_scalability),
        Law(name="universal scalability", terms=lambda n: _ones_and(n - 1, n * (n - 1)), read=_read_scalability),
        Law(name="Hockney", terms=_ones_and, read=_read_transfer, is_rate=False),
        Law(name="affine", terms=_ones_and, read=_read_sum, is_rate=False),
        Law(name="proportional", terms=lambda n: n[:, None], read=_read_product, is_rate=False),
    )
}  # fmt: skip
"""The laws by name, those of members from the simplest on.

Sources: Amdahl 1967; Gunther 1993 (universal scalability); Denning and Buzen 1978 (saturation); Hockney 1994. The last three
are of sizes: "affine" is Hockney's law of anything that costs something to begin with, "proportional" that of what does not."""


def fit(law: Law, levels: Any, values: Any, *, is_robust: bool = True) -> Numbers:
    """Return the factors of a law's terms that fit measured rates (or times) at some levels; see ``fit_many``.

    Examples
    --------
    >>> from toolkit.laws.forms import scalability_rate
    >>> counts = np.array([1.0, 2.0, 4.0, 8.0, 64.0])
    >>> law = LAWS["universal scalability"]
    >>> found = law.read(fit(law, counts, scalability_rate(counts, 5.0, 0.02, 1e-4)))
    >>> {name: float(round(value, 6)) for name, value in found.items()}
    {'single_per_s': 5.0, 'contention_share': 0.02, 'coherence_share': 0.0001}
    """
    counts, table = np.asarray(levels, dtype=np.float64), np.asarray(values, dtype=np.float64)[None, :]
    return np.asarray(fit_many(law, counts, table, is_robust=is_robust)[0])


def fit_many(law: Law, levels: Numbers, values: Numbers, *, weights: Numbers | None = None, is_robust: bool = True) -> Numbers:
    """Return the factors of many fits at once, shape (fits, terms).

    Parameters
    ----------
    law : Law
        What is fitted.
    levels : array, shape (m,)
        Members or sizes.
    values : array, shape (fits, m)
        Rates, or times, positive.
    weights : array, shape (fits, m), optional
        How often each point counts.
    is_robust : bool
        Whether outliers weigh less; not where every point is the only one of its level.

    Notes
    -----
    Gauss-Newton steps on the residuals of logarithms (noise of rates is multiplicative), each a linear least squares under
    factors of at least 0, found by trying every set of terms that may be 0; of each step as much is taken as makes the loss
    least, and none that makes it larger. Outliers weigh less by the soft L1 loss, with the residuals' own scale.

    Source: Triggs et al., "Bundle adjustment: a modern synthesis" (2000), sections 4.3 (soft L1) and 3.2 (step control);
    Huber 1981 for the scale.
    """
    cost = (levels / values if law.is_rate else values) ** law.exponent
    middle = np.exp(np.mean(np.log(cost), axis=1, keepdims=True))
    scale = np.abs(law.terms(levels)).max(axis=0)
    terms, cost = law.terms(levels) / scale, cost / middle
    counted = np.ones_like(cost) if weights is None else weights
    robust = np.ones_like(cost)
    factors = _start(law, terms, cost, counted)
    for step in range(_STEPS):
        fitted = _sums(factors, terms)
        residuals = np.log(cost / fitted)
        if is_robust and step >= _STEPS // 2:
            spread = np.maximum(_MAD_TO_SD * np.median(np.abs(residuals), axis=1, keepdims=True), _LEAST_SCALE * law.exponent)
            robust = 1 / np.sqrt(1 + (residuals / spread) ** 2)
        weighed = counted * robust
        target = fitted * (1 + np.clip(residuals, -_LARGEST_STEP, _LARGEST_STEP))
        whole = _least_squares(law, terms, target, weighed / fitted**2)
        ways = factors + _SHARES[:, None, None] * (whole - factors)
        losses = np.sum(weighed * np.log(cost / _sums(ways, terms)) ** 2, axis=2)
        factors = ways[losses.argmin(axis=0), np.arange(len(factors))]
    return np.asarray(factors / scale * middle)


def _start(law: Law, terms: Numbers, cost: Numbers, counted: Numbers) -> Numbers:
    """Return, for each row, the best of the relative least squares and of some knees, at which two terms are equal.

    A sum of powers is either term on nearly its whole length, and a rate that falls off is fitted as well by either: where
    the knee is wrong, no step leads out of it.
    """
    ways = _least_squares(law, terms, cost, counted / cost**2)[None]
    if terms.shape[1] == _TERMS_OF_A_KNEE:
        ratios = np.log(terms[:, 0] / np.where(terms[:, 1] > 0, terms[:, 1], np.nan))
        margin = law.exponent + _MARGIN
        knees = np.exp(np.linspace(np.nanmin(ratios) - margin, np.nanmax(ratios) + margin, _KNEES))
        shapes = terms[None, :, 0] + knees[:, None] * terms[None, :, 1]
        weights = counted / counted.sum(axis=1, keepdims=True)
        heights = np.exp(np.einsum("bm,kbm->kb", weights, np.log(cost)[None] - np.log(shapes)[:, None]))
        ways = np.concatenate([ways, np.stack([heights, heights * knees[:, None]], axis=2)])
    losses = np.sum(counted * np.log(cost / _sums(ways, terms)) ** 2, axis=2)
    return np.asarray(ways[losses.argmin(axis=0), np.arange(len(cost))])


def _sums(factors: Numbers, terms: Numbers) -> Numbers:
    return np.asarray(np.maximum(factors @ terms.T, np.finfo(np.float64).tiny))


def _least_squares(law: Law, terms: Numbers, targets: Numbers, weights: Numbers) -> Numbers:
    """Return, for each row, the factors of at least 0 with the least weighted squares; a rate's first term is always there."""
    best = np.zeros((len(targets), terms.shape[1]))
    least = np.full(len(targets), np.inf)
    for size in range(1, terms.shape[1] + 1):
        for columns in itertools.combinations(range(terms.shape[1]), size):
            _try(columns, terms, targets, weights, law, best, least)
    return best


def _try(
    columns: tuple[int, ...], terms: Numbers, targets: Numbers, weights: Numbers, law: Law, best: Numbers, least: Numbers
) -> None:
    """Solve with some of the terms, and keep the rows that this makes better."""
    if law.is_rate and 0 not in columns:
        return
    some = terms[:, list(columns)]
    normal = np.einsum("bm,mi,mj->bij", weights, some, some)
    size = np.sqrt(np.maximum(np.einsum("bii->bi", normal), np.finfo(np.float64).tiny))
    scaled = normal / size[:, :, None] / size[:, None, :] + 1e-13 * np.eye(len(columns))
    factors = np.linalg.solve(scaled, (np.einsum("bm,mi,bm->bi", weights, some, targets) / size)[:, :, None])[:, :, 0] / size
    loss = np.sum(weights * (targets - factors @ some.T) ** 2, axis=1)
    better = np.all(factors >= 0, axis=1) & (factors[:, 0] > 0) & (loss < least)
    least[better] = loss[better]
    best[better] = 0.0
    best[np.ix_(better, list(columns))] = factors[better]
