"""How much of what training reads a cache answers, once the dataset is larger than the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["POLICIES", "fixed_order_hit_share", "lru_hit_share", "no_hit_share", "pinned_hit_share", "random_hit_share"]

_STEPS: Final = 60


def _share_held(cache_bytes: Draws, dataset_bytes: Draws) -> Draws:
    return np.asarray(np.clip(cache_bytes / np.maximum(dataset_bytes, 1.0), 0.0, 1.0))


@formula("share", "cache / dataset, at most 1")
def pinned_hit_share(cache_bytes: Draws, dataset_bytes: Draws) -> Any:
    """Share of reads answered when a fixed part of the dataset stays in the cache.

    Source: every epoch reads each image once, so the part that is held is the part that is answered.

    Examples
    --------
    >>> float(pinned_hit_share(np.array(5.0), np.array(10.0)))
    0.5
    """
    return _share_held(cache_bytes, dataset_bytes)


@formula("share", "c + (1 - c) ln(1 - c) for c = cache / dataset below 1, else 1")
def lru_hit_share(cache_bytes: Draws, dataset_bytes: Draws) -> Any:
    """Share of reads answered by a cache with least-recently-used eviction when each epoch has a new random order.

    An image read at place u of an epoch is found again at place v of the next if fewer other images than the cache holds
    were touched in between: 1 - u + v (1 - ...) of the dataset; integrated over u and v.

    Source: derived for one full pass per epoch in fresh random order; agrees with simulation to three digits.

    Examples
    --------
    >>> [round(float(lru_hit_share(np.array(c), np.array(1.0))), 3) for c in (0.0, 1.0)]
    [0.0, 1.0]
    >>> [round(float(lru_hit_share(np.array(c * 1e9), np.array(1e9))), 3) for c in (0.25, 0.5, 0.75, 0.9)]
    [0.034, 0.153, 0.403, 0.67]
    """
    held = _share_held(cache_bytes, dataset_bytes)
    miss = np.maximum(1 - held, 1e-300)
    return np.where(held >= 1, 1.0, np.maximum(0.0, held + miss * np.log(miss)))


@formula("share", "h with h = ((1 - exp(-k)) / k)^2 and k = (1 - h) dataset / cache, else 1 if all fits")
def random_hit_share(cache_bytes: Draws, dataset_bytes: Draws) -> Any:
    """Share of reads answered by a cache that evicts at random when each epoch has a new random order.

    Source: derived: an image survives n evictions with probability exp(-n / slots); fixed point over the evictions of an
    epoch; agrees with simulation to three digits.

    Examples
    --------
    >>> [round(float(random_hit_share(np.array(c * 1e9), np.array(1e9))), 3) for c in (0.25, 0.5, 0.75, 0.9)]
    [0.069, 0.281, 0.603, 0.833]
    """
    held = np.maximum(_share_held(cache_bytes, dataset_bytes), 1e-12)
    low, high = np.zeros_like(held), np.ones_like(held)
    for _ in range(_STEPS):  # bisection: the fixed point can lie at 1, where iteration would creep
        middle = (low + high) / 2
        evictions = np.maximum((1 - middle) / held, 1e-12)
        answered = (-np.expm1(-evictions) / evictions) ** 2
        is_below = answered > middle
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return np.where(held >= 1, 1.0, low)


@formula("share", "1 if the dataset fits into the cache, else 0")
def fixed_order_hit_share(cache_bytes: Draws, dataset_bytes: Draws) -> Any:
    """Share of reads answered by a least-recently-used cache when every epoch has the same order.

    Source: each image is evicted just before it is read again (sequential flooding, Stonebraker 1981).
    """
    return np.where(cache_bytes >= dataset_bytes, 1.0, 0.0)


@formula("share", "0")
def no_hit_share(cache_bytes: Draws, dataset_bytes: Draws) -> Any:
    """Share of reads answered without a cache.  Source: definition."""
    return 0.0 * (cache_bytes + dataset_bytes)


POLICIES: Final[dict[str, Callable[..., Any]]] = {
    "lru": lru_hit_share,
    "random": random_hit_share,
    "pinned": pinned_hit_share,
    "fixed_order": fixed_order_hit_share,
    "none": no_hit_share,
}
"""What is evicted when the cache is full, by the name that a scenario uses; the page cache of Linux is close to ``lru``."""
