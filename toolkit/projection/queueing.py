"""Queues: how long requests wait, and how many are turned away, at a given load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = [
    "batch_time", "erlang_b", "erlang_c", "little_count", "md1_wait", "mdc_wait", "mg1_wait", "mmc_wait", "mmc_wait_tail",
    "servers_for_loss", "servers_for_wait",
]  # fmt: skip


_RECURSED: Final = 10_000.0
"""Servers, or offered load, up to which Erlang B is counted up server by server."""


def erlang_b(server_count: int, offered: float) -> float:
    """Return the share of arrivals that find every server taken and leave.

    Parameters
    ----------
    server_count : int
        Servers, each for one customer at a time: recognisers that one speaker holds alone, for example.
    offered : float
        Arrival rate times mean holding time, in erlangs.

    Notes
    -----
    Source: Erlang 1917; the recursion B(c) = a B(c-1) / (c + a B(c-1)) is stable for any size (Jagerman 1974).

    Examples
    --------
    >>> round(erlang_b(10, 5.0), 4)
    0.0184
    """
    if server_count > _RECURSED:
        return _blocked_of_many(server_count, offered)
    blocked = 1.0
    for servers in range(1, server_count + 1):
        blocked = offered * blocked / (servers + offered * blocked)
    return blocked


def erlang_c(server_count: int, offered: float) -> float:
    """Return the share of arrivals that have to wait; 1 when the servers cannot keep up.

    Parameters
    ----------
    server_count : int
        Servers.
    offered : float
        Arrival rate times mean service time, in erlangs.

    Notes
    -----
    Source: Erlang 1917; Kleinrock 1975, Queueing Systems I, eq. 3.40; by way of Erlang B.

    Examples
    --------
    >>> [round(erlang_c(c, a), 4) for c, a in ((1, 0.8), (2, 1.6), (8, 6.0), (10, 8.0))]
    [0.8, 0.7111, 0.357, 0.4092]
    """
    if offered >= server_count:
        return 1.0
    blocked = erlang_b(server_count, offered)
    return blocked / (1 - offered / server_count * (1 - blocked))


def mmc_wait(server_count: int, offered: float, service_s: float) -> float:
    """Return the mean wait before service with random arrivals and random (exponential) service; infinite when overloaded.

    Source: Kleinrock 1975, Queueing Systems I, section 3.5.

    Examples
    --------
    >>> round(mmc_wait(1, 0.8, 1.0), 6)
    4.0
    """
    if offered >= server_count:
        return float("inf")
    return erlang_c(server_count, offered) * service_s / (server_count - offered)


def mmc_wait_tail(server_count: int, offered: float, service_s: float, wait_s: float) -> float:
    """Return the share of arrivals that wait longer than a time.

    Source: Kleinrock 1975, Queueing Systems I: Pw exp(-(c mu - lambda) t).

    Examples
    --------
    >>> round(mmc_wait_tail(1, 0.5, 1.0, 0.0), 3), round(mmc_wait_tail(1, 0.5, 1.0, 2.0), 3)
    (0.5, 0.184)
    """
    if offered >= server_count:
        return 1.0
    return float(erlang_c(server_count, offered) * np.exp(-(server_count - offered) * wait_s / service_s))


@formula(
    "s",
    "load x service time / (2 (1 - load)); unbounded from load 1 on",
    valid={"load_share": (0, 0.999, "from load 1 on the queue grows without end")},
)
def md1_wait(load_share: Draws, service_s: Draws) -> Any:
    """Mean wait before service with random arrivals and constant service times.

    Source: Pollaczek 1930 and Khinchin 1932; half of the wait of M/M/1.

    Examples
    --------
    >>> md1_wait(np.array([0.5, 0.8, 0.9]), np.array(1.0)).round(6).tolist()
    [0.5, 2.0, 4.5]
    """
    return mg1_wait(load_share, service_s, np.zeros(()))


@formula(
    "s",
    "load x service time x (1 + squared variation) / (2 (1 - load)); unbounded from load 1 on",
    valid={"load_share": (0, 0.999, "from load 1 on the queue grows without end")},
)
def mg1_wait(load_share: Draws, service_s: Draws, squared_variation: Draws) -> Any:
    """Mean wait before service with random arrivals and any service time; variation is its deviation over its mean.

    Source: Pollaczek 1930 and Khinchin 1932.
    """
    free = 1 - np.asarray(load_share, dtype=np.float64)
    waiting = load_share * service_s * (1 + squared_variation) / (2 * np.where(free > 0, free, 1.0))
    return np.where(free > 0, waiting, np.inf)


def mdc_wait(server_count: int, offered: float, service_s: float) -> float:
    """Return the mean wait before service with random arrivals, constant service times and several servers, about.

    Source: Cosmetatos 1975, "Approximate explicit formulae for the average queueing time in the processes (M/D/r)";
    within 2 % of exact values; half of the wait of M/M/c at high load.

    Examples
    --------
    >>> round(mdc_wait(1, 0.8, 1.0), 6)
    2.0
    """
    if offered >= server_count:
        return float("inf")
    load = offered / server_count
    servers = float(server_count)
    correction = 1 + (1 - load) * (servers - 1) * (np.sqrt(4 + 5 * servers) - 2) / (16 * load * servers) if load else 1.0
    return float(mmc_wait(server_count, offered, service_s) / 2 * correction)


@formula("count", "arrivals each second x seconds in the system")
def little_count(arrivals_per_s: Draws, stay_s: Draws) -> Any:
    """Requests that are in the system at once, on average.

    Source: Little 1961, L = lambda W, doi 10.1287/opre.9.3.383.
    """
    return arrivals_per_s * stay_s


@formula(
    "s",
    "the larger of the floor and (single latency + (batch - 1) / offline rate)",
    valid={"batch_count": (1, 2048, "MLPerf Inference: one, eight, and all that are there at once")},
)
def batch_time(batch_count: Draws, single_s: Draws, offline_per_s: Draws, floor_s: Draws) -> Any:
    """Seconds that a device takes for a batch, from two numbers that benchmarks publish.

    Source: affine in the batch above a floor of launch time; MLPerf Inference v3.0 and v4.1 single-stream, multi-stream
    and offline results of eight devices agree within 12 %.

    Examples
    --------
    >>> round(float(batch_time(np.array(8.0), np.array(0.455e-3), np.array(42_379.0), np.array(0.0))) * 1e3, 3)
    0.62
    """
    return np.maximum(floor_s, single_s + (batch_count - 1) / offline_per_s)


def servers_for_wait(offered: float, waiting_share: float) -> int:
    """Return the fewest servers at which at most a share of the arrivals waits.

    Source: Erlang C, searched upwards.

    Examples
    --------
    >>> servers_for_wait(8.0, 0.1)
    13
    """
    servers = max(1, int(np.floor(offered)) + 1)
    while erlang_c(servers, offered) > waiting_share:
        servers += 1
    return servers


def servers_for_loss(offered: float, blocked_share: float) -> int:
    """Return the fewest exclusive servers at which at most a share of the streams is turned away.

    Source: Erlang B, searched upwards; beyond 10,000 erlangs by bisection over its closed form, Poisson's probability of as
    many as there are servers over that of at most as many.

    Examples
    --------
    >>> servers_for_loss(100.0, 0.01), servers_for_loss(1e8, 0.01)
    (117, 99000100)
    """
    if offered > _RECURSED:
        return _bisected_for_loss(offered, blocked_share)
    servers, blocked = 0, 1.0
    while blocked > blocked_share:
        servers += 1
        blocked = offered * blocked / (servers + offered * blocked)
    return servers


def _bisected_for_loss(offered: float, blocked_share: float) -> int:
    low, high = 0, int(offered + 20 * offered**0.5 + 20)  # 20 deviations more than what is offered turns nobody away
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _blocked_of_many(middle, offered) > blocked_share else (low, middle)
    return high


def _blocked_of_many(server_count: int, offered: float) -> float:
    """Return Erlang B where there are many servers, which the recursion would take long for."""
    from scipy.special import gammaln, pdtr

    at_most = float(pdtr(server_count, offered))
    if at_most < 1e-280:  # so few servers that all but a handful are always taken, geometrically many idle
        share = server_count / offered
        return 1 - (server_count - share / (1 - share)) / offered
    return float(np.exp(server_count * np.log(offered) - offered - gammaln(server_count + 1))) / at_most
