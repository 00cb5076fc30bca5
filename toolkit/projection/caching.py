"""How much of what training reads a cache answers, once the dataset is larger than the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["fixed_order_hit_share", "lru_hit_share", "pinned_hit_share", "random_hit_share"]

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


@formula(
    "share",
    "share of reads that come back to a node before its cache is full of others; c + (1 - c) ln(1 - c) on one node",
    valid={"node_count": (1, 256, "simulated on 1 to 256 nodes")},
)
def lru_hit_share(cache_bytes: Draws, dataset_bytes: Draws, node_count: Draws) -> Any:
    """Share of reads answered by each node's own cache, which evicts what was least recently used.

    Each epoch deals all images anew to the nodes, in random order: a node sees 1/n of them. With probability (1/n) q^j,
    q = 1 - 1/n, an image comes back to it after j epochs without; by then it has touched all but X q^j Y of the dataset,
    X and Y uniform on [q, 1]. It is still held if that is less than the cache, c of the dataset: X q^j Y > 1 - c. On one
    node this is c + (1 - c) ln(1 - c); on many it nears c. Caches of nodes do not add up: what another holds does not help.

    Parameters
    ----------
    cache_bytes : array
        What the cache of one node holds.
    dataset_bytes : array
        What an epoch reads.
    node_count : array
        Nodes that share the reading.

    Source: derived for one full pass per epoch in fresh random order; agrees with simulation within 0.01 on 1 to 256 nodes.

    Examples
    --------
    >>> [round(float(lru_hit_share(np.array(c), np.array(1e9), np.array(1.0))), 3) for c in (0.25e9, 0.5e9, 0.9e9, 1e9)]
    [0.034, 0.153, 0.67, 1.0]
    >>> [round(float(lru_hit_share(np.array(0.5), np.array(1.0), np.array(n))), 3) for n in (2.0, 4.0, 64.0)]
    [0.307, 0.425, 0.496]
    """
    held = _share_held(cache_bytes, dataset_bytes)
    if (held >= 1).all():
        return np.ones(np.broadcast_shapes(held.shape, np.shape(node_count)))
    log_left = np.log(np.maximum(1 - held, 1e-12))
    left = np.exp(log_left)
    alone = np.where(held >= 1, 1.0, np.maximum(0.0, held + left * log_left))
    if (np.asarray(node_count) <= 1).all():
        return alone
    count = np.clip(node_count, 2.0, 1e9)  # beyond, 1 - 1/n is 1
    q = 1 - 1 / count
    log_q = np.log(q)
    span = log_left / log_q  # epochs after which a node has touched as much as the cache holds
    certain = np.maximum(np.floor(span - 2) + 1, 0.0)
    kept = np.exp(certain * log_q)
    answered = 1 - kept
    for later in (0, 1, 2):
        bound = log_left - (certain + later) * log_q
        answered = answered + kept * q**later / count * _product_exceeds(bound, q, log_q)
    return np.where(held >= 1, 1.0, np.where(np.asarray(node_count) > 1, np.clip(answered, 0.0, 1.0), alone))


def _product_exceeds(log_bound: Draws, low: Draws, log_low: Draws) -> Draws:
    """Return the probability that the product of two uniform numbers on [low, 1] exceeds a bound."""
    log_inside = np.clip(log_bound, 2 * log_low, 0.0)
    inside = np.exp(log_inside)
    above = 1 - inside + inside * log_inside
    edge = inside / low
    below = (edge - low) - inside * (log_inside - 2 * log_low) + (1 - edge) * (1 - low)
    return np.asarray(np.where(log_inside >= log_low, above, below) / (1 - low) ** 2)


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
