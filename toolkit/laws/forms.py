"""The laws themselves, as plain functions over numbers or arrays: time by size, rate by members, a pipeline by stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "SATURATION_SHARPNESS",
    "in_flight_count",
    "saturated_rate",
    "scalability_rate",
    "shared_cores_rate",
    "slowest_stage",
    "transfer_s",
]

SATURATION_SHARPNESS: Final = 16.0
"""How sharp the knee of ``saturated_rate`` is: 4 % below the corner of the two straight lines, nowhere else more."""


def transfer_s(size_bytes: Any, latency_s: Any, bandwidth_bytes_per_s: Any) -> Any:
    """Seconds of one transfer: what it costs to begin, and what each byte costs.

    Source: Hockney, "The communication challenge for MPP" (Parallel Computing 20, 1994).

    Examples
    --------
    >>> transfer_s(1e6, 0.001, 1e9)
    0.002
    """
    return latency_s + size_bytes / bandwidth_bytes_per_s


def scalability_rate(member_count: Any, single_per_s: Any, contention_share: Any, coherence_share: Any) -> Any:
    """Rate of n members that queue for something shared and keep each other informed.

    Source: Gunther 1993, universal scalability law; Amdahl 1967 where coherence is 0.

    Examples
    --------
    >>> scalability_rate(4.0, 10.0, 0.0, 0.0), round(scalability_rate(1e9, 10.0, 0.1, 0.0))
    (40.0, 100)
    """
    others = member_count - 1
    return single_per_s * member_count / (1 + contention_share * others + coherence_share * member_count * others)


def saturated_rate(member_count: Any, single_per_s: Any, limit_per_s: Any) -> Any:
    """Rate of n members that share nothing until together they reach a limit.

    Source: Denning and Buzen, "The operational analysis of queueing network models" (1978): the bottleneck law
    min(n x rate of one, limit), with its corner rounded.

    Examples
    --------
    >>> round(saturated_rate(2.0, 10.0, 1000.0), 6), round(saturated_rate(1e6, 10.0, 1000.0), 6)
    (20.0, 1000.0)
    """
    sharpness = SATURATION_SHARPNESS
    return ((single_per_s * member_count) ** -sharpness + limit_per_s**-sharpness) ** (-1 / sharpness)


def slowest_stage(rates_per_s: Sequence[float]) -> tuple[int, float, float]:
    """Return which stage binds a pipeline whose stages run beside each other, its rate, and how much faster the next is.

    Source: Denning and Buzen 1978: throughput is at most the least of capacity over demand, over all resources.

    Examples
    --------
    >>> slowest_stage([900.0, 300.0, 450.0])
    (1, 300.0, 1.5)
    """
    order = np.argsort(rates_per_s)
    binding = float(rates_per_s[order[0]])
    following = float(rates_per_s[order[1]]) if len(order) > 1 else float("inf")
    return int(order[0]), binding, following / binding


def shared_cores_rate(costs_s: Sequence[float], core_count: int) -> float:
    """Return items each second when every stage takes its processor time from the same cores.

    Source: the utilisation law (Denning and Buzen 1978) with the cores as one resource.

    Examples
    --------
    >>> shared_cores_rate([0.001, 0.0005, 0.0005], 2)
    1000.0
    """
    return core_count / sum(costs_s)


def in_flight_count(rate_per_s: float, residence_s: float) -> float:
    """Return the mean number of requests under way.

    Source: Little, "A proof for the queuing formula L = lambda W" (Operations Research 9, 1961).

    Examples
    --------
    >>> in_flight_count(2000.0, 0.004)
    8.0
    """
    return rate_per_s * residence_s
