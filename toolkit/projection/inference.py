"""What serving takes: latency and capacity of a device from two numbers, instances, memory, power."""

from __future__ import annotations

import functools
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from toolkit.projection.explain import formula
from toolkit.projection.queueing import servers_for_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = [
    "Latencies", "capacity_at", "cost", "device_memory", "energy_per_answer", "growing_sites", "growing_streams", "held_params",
    "input_traffic", "instances_for_load", "instances_for_sites", "instances_for_streams", "latencies", "latency_curve",
    "load_time", "offered", "places_for_loss", "power_of_instances", "scale_out_time", "streams_of_site", "streams_per_device",
    "uplink", "usd_per_million",
]  # fmt: skip

_ARRIVALS = 20_000
_CURVE_SHARES = (0.02, 0.3, 0.55, 0.7, 0.8, 0.87, 0.92, 0.95, 0.98)
"""Loads that latencies are simulated at, closer where they rise."""


class Latencies(NamedTuple):
    """Latencies of one device at a load."""

    p50_s: float
    """Half of the answers come within this."""
    p95_s: float
    """95 of 100 do."""
    p99_s: float
    """99 of 100 do."""


@functools.lru_cache(maxsize=4096)
def latencies(
    rate_per_s: float, single_s: float, offline_per_s: float, max_batch: int, arrival_variation_factor: float = 1.0,
    arrival_count: int = _ARRIVALS,
) -> Latencies:  # fmt: skip
    """Return the median, 95th and 99th percentile of latency of one device under random arrivals.

    A device takes all that wait, up to ``max_batch``, and serves them in ``t(b) = single + (b - 1) / offline``. Times
    between arrivals are gamma-distributed; ``arrival_variation_factor`` is their squared coefficient of variation: 1 is
    Poisson, more comes in bursts, less is more even. The queue is simulated once for ``arrival_count`` arrivals with a fixed
    seed, so that the answer is always the same.

    Source: the batch-service queue M/D^b/1 (Bailey 1954); batch latency from two published numbers as MLPerf reports them.

    Examples
    --------
    >>> found = latencies(1.0, 0.010, 1000.0, 8)
    >>> round(found.p50_s, 3), found.p99_s < 0.025
    (0.01, True)
    """
    generator = np.random.default_rng(1)
    if arrival_variation_factor == 1:
        gaps = generator.exponential(1 / rate_per_s, arrival_count)
    else:
        gaps = generator.gamma(1 / arrival_variation_factor, arrival_variation_factor / rate_per_s, arrival_count)
    drawn = np.cumsum(gaps)
    arrivals = drawn.tolist()  # looked up one at a time: plain numbers are several times as quick as those of an array
    sizes, ends_s = [], []
    free_s, first, each_s = 0.0, 0, 1 / offline_per_s
    while first < arrival_count:
        start_s = arrivals[first]
        last = first + 1
        if start_s < free_s:
            start_s = free_s
            last = bisect_right(arrivals, start_s, last, min(first + max_batch, arrival_count))
        free_s = start_s + single_s + (last - first - 1) * each_s
        sizes.append(last - first)
        ends_s.append(free_s)
        first = last
    waits = np.repeat(ends_s, sizes) - drawn
    settled = waits[arrival_count // 10 :]
    p50, p95, p99 = (float(value) for value in np.quantile(settled, (0.5, 0.95, 0.99)))
    return Latencies(p50_s=p50, p95_s=p95, p99_s=p99)


@functools.lru_cache(maxsize=1024)
def capacity_at(
    objective_s: float, single_s: float, offline_per_s: float, max_batch: int, arrival_variation_factor: float = 1.0,
    arrival_count: int = _ARRIVALS,
) -> float:  # fmt: skip
    """Return the largest rate at which 99 of 100 answers come within the objective; 0 if not even one alone does.

    Source: bisection over ``latencies``, as Vidur and AIConfigurator search for capacity under an objective.

    Examples
    --------
    >>> 11_000 < capacity_at(0.015, 0.356e-3, 13158.0, 256) < 13_158
    True
    """
    if single_s > objective_s:
        return 0.0
    most = max_batch / (single_s + (max_batch - 1) / offline_per_s)

    def is_met(load: float) -> bool:
        found = latencies(load, single_s, offline_per_s, max_batch, arrival_variation_factor, arrival_count)
        return found.p99_s <= objective_s

    near = _CURVE_SHARES[-1] * most  # where the objective is loose, almost all of the rate is within it
    low, high, halvings = (near, most, 4) if is_met(near) else (0.0, near, 9)
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (middle, high) if is_met(middle) else (low, middle)
    return low


@functools.lru_cache(maxsize=256)
def latency_curve(
    single_s: float, offline_per_s: float, max_batch: int, arrival_variation_factor: float = 1.0
) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """Return loads of a device up to 98 % of what it serves at most, and the median, 95th and 99th percentile of latency at each.

    Source: ``latencies`` at each load; between them, latencies are interpolated.

    Examples
    --------
    >>> loads, (p50, p95, p99) = latency_curve(0.010, 1000.0, 8)
    >>> loads == tuple(sorted(loads)), round(p50[0], 3), p99[-1] > p99[0]
    (True, 0.01, True)
    """
    most = max_batch / (single_s + (max_batch - 1) / offline_per_s)
    loads = tuple(most * share for share in _CURVE_SHARES)
    found = [latencies(load, single_s, offline_per_s, max_batch, arrival_variation_factor) for load in loads]
    return loads, tuple(tuple(each[which] for each in found) for which in range(3))


@formula("count", "parameters of the model that answers + those of the models beside it")
def held_params(param_count: Draws, beside_param_count: Draws) -> Any:
    """Parameters that a device holds.  Source: sum of the parts."""
    return param_count + beside_param_count


@formula("per_s", "requests now x yearly factor ^ (months / 12)")
def offered(start_per_s: Draws, yearly_factor: Draws, month_index: Draws) -> Any:
    """Requests each second, by month.  Source: the scenario's growth of the load."""
    return start_per_s * yearly_factor ** (month_index / 12)


@formula("count", "requests / capacity of a device within the objective, rounded up, + spare instances")
def instances_for_load(offered_per_s: Draws, capacity_per_s: Draws, spare_count: Draws) -> Any:
    """Devices that serve the load within the objective.  Source: definition; a share of the load each."""
    return np.ceil(offered_per_s / np.maximum(capacity_per_s, 1e-9)) + spare_count


@formula("count", "capacity of a device within the objective / frames of a stream, rounded down")
def streams_per_device(capacity_per_s: Draws, frames_per_s: Draws) -> Any:
    """Streams that keep a device to themselves in turn.  Source: streams are not split over devices."""
    return np.floor(capacity_per_s / frames_per_s)


@formula("count", "streams now x yearly factor ^ (months / 12), rounded up")
def growing_streams(stream_count: Draws, yearly_factor: Draws, month_index: Draws) -> Any:
    """Streams, by month: there is no half one.

    Source: the scenario's growth of the load.

    Examples
    --------
    >>> float(growing_streams(400.0, 1.3, 36.0))
    879.0
    """
    return np.ceil(stream_count * yearly_factor ** (month_index / 12) - 1e-9)


@formula("count", "streams now / sites now, rounded up")
def streams_of_site(stream_count: Draws, start_site_count: Draws) -> Any:
    """Streams of a site.  Source: definition; sites are taken to be alike."""
    return np.ceil(stream_count / start_site_count)


@formula("count", "streams / streams of a site, rounded up")
def growing_sites(stream_count: Draws, site_stream_count: Draws) -> Any:
    """Sites, by month: more streams come with more sites.  Source: definition."""
    return np.ceil(stream_count / site_stream_count)


@formula("count", "sites x (streams of a site / streams per device, rounded up) + spare instances")
def instances_for_sites(site_count: Draws, site_stream_count: Draws, streams_per_device: Draws, spare_count: Draws) -> Any:
    """Devices that serve exclusive streams where they arise: those of one site share no device with another's.

    Source: definition.

    Examples
    --------
    >>> float(instances_for_sites(100.0, 4.0, 3.0, 2.0))
    202.0
    """
    return site_count * np.ceil(site_stream_count / np.maximum(streams_per_device, 1e-9)) + spare_count


@formula("count", "streams / streams per device, rounded up, + spare instances")
def instances_for_streams(stream_count: Draws, streams_per_device: Draws, spare_count: Draws) -> Any:
    """Devices that serve exclusive streams.  Source: definition."""
    return np.ceil(stream_count / np.maximum(streams_per_device, 1e-9)) + spare_count


@formula("bytes", "parameters x bytes per weight + workspace + inputs in flight x input bytes")
def device_memory(
    param_count: Draws, weight_bytes: Draws, workspace_bytes: Draws, in_flight_count: Draws, input_bytes: Draws
) -> Any:
    """Bytes of device memory that hold the model and its inputs, so that nothing is fetched while serving.

    Source: Little 1961: inputs in flight = rate x time in the system.
    """
    return param_count * weight_bytes + workspace_bytes + in_flight_count * input_bytes


@formula(
    "w",
    "instances x device power x (idle share + (1 - idle share) x load) x PUE",
    valid={"load_share": (0, 1), "pue_factor": (1, 3, "sites are known from 1.0 to 3")},
)
def power_of_instances(instance_count: Draws, device_w: Draws, idle_share: Draws, load_share: Draws, pue_factor: Draws) -> Any:
    """Watts of serving.  Source: power is close to linear in load (Fan, Weber and Barroso 2007)."""
    return instance_count * device_w * (idle_share + (1 - idle_share) * np.clip(load_share, 0, 1)) * pue_factor


@formula("s", "model bytes / rate at which storage reads")
def load_time(param_count: Draws, weight_bytes: Draws, read_bytes_per_s: Draws) -> Any:
    """Seconds to load the model when an instance starts.  Source: definition."""
    return param_count * weight_bytes / read_bytes_per_s


@formula("count", "fewest places at which at most the stated share of streams is turned away, at the median of each month")
def places_for_loss(stream_count: Draws, blocked_share: Draws) -> Any:
    """Places for streams that come and go, each of which holds one alone while it lasts.

    Source: Erlang 1917, loss formula B; the mean number of streams that are on is the load in erlangs, of one site where
    there are several.

    Examples
    --------
    >>> float(places_for_loss(np.array([[100.0]]), np.array([[0.01]]))[0, 0])
    117.0
    """
    share = float(np.median(blocked_share))
    return np.array([[float(servers_for_loss(float(load), share)) for load in np.median(stream_count, axis=0)]])


@formula("bytes_per_s", "streams x encoded bytes of a stream each second")
def uplink(stream_count: Draws, stream_bytes_per_s: Draws) -> Any:
    """Bytes each second that streams would take on the way to a data center, were they not served where they arise.

    Source: definition.
    """
    return stream_count * stream_bytes_per_s


@formula("bytes_per_s", "requests on a device each second x bytes of an input")
def input_traffic(load_per_s: Draws, input_bytes: Draws) -> Any:
    """Bytes of decoded inputs that a host hands to a device each second.  Source: definition."""
    return load_per_s * input_bytes


@formula("j", "power / answers each second")
def energy_per_answer(power_w: Draws, offered_per_s: Draws) -> Any:
    """Joules of an answer, idle instances and cooling included.  Source: definition."""
    return power_w / offered_per_s


@formula("usd", "instances x price of a device-hour x hours of a month + energy of a month")
def cost(instance_count: Draws, usd_per_s: Draws, power_w: Draws, usd_per_j: Draws, month_s: Draws) -> Any:
    """Cost of serving each month; unknown where the price of a device is.  Source: definition."""
    return (instance_count * usd_per_s + power_w * usd_per_j) * month_s


@formula("usd", "cost of a month / answers of a month x a million")
def usd_per_million(cost_usd: Draws, offered_per_s: Draws, month_s: Draws) -> Any:
    """Cost of a million answers.  Source: definition."""
    return cost_usd / (offered_per_s * month_s) * 1e6


@formula("s", "time to boot + time to load the model")
def scale_out_time(boot_s: Draws, load_s: Draws) -> Any:
    """Seconds until one more instance answers.  Source: definition."""
    return boot_s + load_s
