"""The wiring of inference: from a device's two published numbers to instances, latency, memory and power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.errors import ScenarioError
from toolkit.projection import inference as formulas
from toolkit.projection.explain import formula, weakest
from toolkit.projection.hardware_facts import accelerators
from toolkit.projection.serving_rates import derive_rates

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from toolkit.projection.explain import Ledger
    from toolkit.projection.scenario import Inference

    Draws = NDArray[np.float64]

__all__ = ["derive", "latency_high", "latency_median", "latency_tail", "load_share", "on_each", "speed", "within_objective"]


@formula("ratio", "rate of a draw / its median")
def speed(offline_per_s: Draws) -> Any:
    """How much faster or slower than in the middle a device is.  Source: definition; the queue is simulated in the middle."""
    return offline_per_s / np.median(offline_per_s)


@formula("per_s", "bisection over the batch-service queue for the objective x how far that has been off x how fast the device is")
def within_objective(simulated_per_s: Draws, capacity_factor: Draws, speed_factor: Draws | float = 1.0) -> Any:
    """Requests each second that a device answers within the objective.

    Source: M/D^b/1 by bisection; MLPerf server results were met within 15 % from single-stream latency and offline rate.
    """
    return simulated_per_s * capacity_factor * speed_factor


@formula("per_s", "requests / (instances - spare)", valid={"spare_count": (0, "instance_count")})
def on_each(offered_per_s: Draws, instance_count: Draws, spare_count: Draws) -> Any:
    """Requests each second on a device when the spare ones have failed.  Source: definition."""
    return offered_per_s / np.maximum(1, instance_count - spare_count)


@formula("share", "requests on a device / its capacity within the objective")
def load_share(load_per_s: Draws, capacity_per_s: Draws) -> Any:
    """Load of a device.  Source: definition."""
    return load_per_s / capacity_per_s


def _latency(name: str, which: int, percentile: str, said: str) -> Callable[..., Any]:
    """Return the formula of one percentile of latency: all three take the same."""

    def latency(
        load_per_s: Draws, capacity_factor: Draws, speed_factor: Draws, *, single_s: Draws, offline_per_s: Draws,
        batch_count: Draws, arrival_variation_factor: Draws,
    ) -> Any:  # fmt: skip
        # a device that is so many times as fast answers as one in the middle does at that much less load
        faster, shape = capacity_factor * speed_factor, (single_s, offline_per_s, batch_count, arrival_variation_factor)
        single, offline, batch, variation = (float(np.median(part)) for part in shape)
        loads, found = formulas.latency_curve(single, offline, int(batch), variation)
        return np.asarray(np.interp(load_per_s / faster, loads, found[which]) / faster)

    latency.__name__ = latency.__qualname__ = name
    latency.__doc__ = f"{said}  Source: G/D^b/1 simulated, service t(b) = single + (b - 1) / offline rate."
    valid: dict[str, Any] = {
        "batch_count": (1, 2048, "MLPerf Inference: one, eight, and all that are there at once"),
        "arrival_variation_factor": (0.25, 4, "held against an independent simulation of such arrivals"),
    }
    return formula("s", f"{percentile} of a simulated batch-service queue at the load, by how fast the device is", valid=valid)(
        latency
    )


latency_median = _latency("latency_median", 0, "median", "Half of the answers come within this.")
latency_high = _latency("latency_high", 1, "95th percentile", "95 of 100 answers come within this.")
latency_tail = _latency("latency_tail", 2, "99th percentile", "99 of 100 answers come within this.")


@formula("per_s", "streams x frames of a stream each second")
def _offered_by_streams(stream_count: Draws, frames_per_s: Draws) -> Any:
    """Frames each second over all streams.  Source: definition."""
    return stream_count * frames_per_s


@formula("count", "requests each second x 99th percentile of latency, at least one batch")
def _in_flight(load_per_s: Draws, latency_s: Draws, batch_count: Draws) -> Any:
    """Inputs that a device holds at once.  Source: Little 1961, L = lambda W."""
    return np.maximum(load_per_s * latency_s, batch_count)


def derive(ledger: Ledger, inference: Inference, months: Draws) -> None:
    """Enter everything about serving into a ledger.

    Raises
    ------
    ScenarioError
        If the device has no published serving rate for the model, or cannot meet the objective even for one request.
    """
    device = accelerators()[inference.accelerator]
    derive_rates(ledger)
    evidence = weakest([ledger.evidence(f"inference.{name}") for name in ("single_s", "offline_per_s")])
    source = f"bisection over a simulated queue, from latency and rate of {device.title}"
    batch = np.full((1, 1), float(inference.max_batch))
    ledger.give("inference.batch_count", "count", batch, source="the scenario's inference.max_batch", evidence="assumed")
    single_s, offline_per_s = (ledger.median(f"inference.{name}") for name in ("single_s", "offline_per_s"))
    capacity = _capacity(inference, device.title, single_s, offline_per_s)
    ledger.give("inference.simulated_per_s", "per_s", np.full((1, 1), capacity), source=source, evidence=evidence)
    ledger.derive("inference.speed_factor", speed, offline_per_s="inference.offline_per_s")
    ledger.derive(
        "inference.capacity_per_s",
        within_objective,
        simulated_per_s="inference.simulated_per_s",
        capacity_factor="inference.capacity_factor",
        speed_factor="inference.speed_factor",
    )
    _instances(ledger, inference, months)
    _latency_and_power(ledger)


def _capacity(inference: Inference, title: str, single_s: float, offline_per_s: float) -> float:
    """Return requests each second within the objective; an objective that cannot be met is told."""
    capacity = formulas.capacity_at(
        inference.latency_p99, single_s, offline_per_s, inference.max_batch, inference.arrival_variation_factor
    )
    if capacity <= 0:
        raise ScenarioError(f"'inference.latency_p99': {title} takes longer than that for a single {inference.model}")
    if inference.streams is not None and capacity < inference.frames_per_s:
        raise ScenarioError(
            f"'inference.frames_per_s': {title} answers {capacity:.3g} {inference.model} a second within the objective, "
            f"which is less than one stream of {inference.frames_per_s:g}"
        )
    return capacity


def _instances(ledger: Ledger, inference: Inference, months: Draws) -> None:
    ledger.give("inference.month_index", "month", months[None, :], source="the calendar", evidence="published")
    if inference.streams is not None:
        _streams(ledger, inference)
        return
    growth = {"yearly_factor": "inference.yearly_factor", "month_index": "inference.month_index"}
    ledger.derive("inference.offered_per_s", formulas.offered, start_per_s="inference.start_per_s", **growth)
    ledger.derive(
        "inference.instance_count",
        formulas.instances_for_load,
        offered_per_s="inference.offered_per_s",
        capacity_per_s="inference.capacity_per_s",
        spare_count="inference.spare_count",
    )


def _streams(ledger: Ledger, inference: Inference) -> None:
    """Enter streams, which are whole, the places and sites they take, and the devices that serve them."""
    enter: Any = ledger.derive
    streams, rate = "inference.growing_stream_count", {"frames_per_s": "inference.frames_per_s"}
    enter("inference.streams_per_device_count", formulas.streams_per_device, capacity_per_s="inference.capacity_per_s", **rate)
    enter(streams, formulas.growing_streams, stream_count="inference.stream_count", yearly_factor="inference.yearly_factor",
          month_index="inference.month_index")  # fmt: skip
    enter("inference.offered_per_s", _offered_by_streams, stream_count=streams, **rate)
    enter("inference.uplink_bytes_per_s", formulas.uplink, stream_count=streams,
          stream_bytes_per_s="inference.stream_bytes_per_s")  # fmt: skip
    devices = {"streams_per_device": "inference.streams_per_device_count", "spare_count": "inference.spare_count"}
    places = streams
    if inference.sites is not None:
        places = "inference.site_stream_count"
        enter(
            places, formulas.streams_of_site, stream_count="inference.stream_count", start_site_count="inference.start_site_count"
        )
        enter("inference.site_count", formulas.growing_sites, stream_count=streams, site_stream_count=places)
    if inference.blocked is not None:
        enter("inference.place_count", formulas.places_for_loss, stream_count=places, blocked_share="inference.blocked_share")
        places = "inference.place_count"
    if inference.sites is None:
        enter("inference.instance_count", formulas.instances_for_streams, stream_count=places, **devices)
    else:
        enter("inference.instance_count", formulas.instances_for_sites, site_count="inference.site_count",
              site_stream_count=places, **devices)  # fmt: skip


def _latency_and_power(ledger: Ledger) -> None:
    ledger.derive(
        "inference.load_per_s",
        on_each,
        offered_per_s="inference.offered_per_s",
        instance_count="inference.instance_count",
        spare_count="inference.spare_count",
    )
    ledger.derive(
        "inference.load_share", load_share, load_per_s="inference.load_per_s", capacity_per_s="inference.capacity_per_s"
    )
    queue = {
        "load_per_s": "inference.load_per_s",
        "capacity_factor": "inference.capacity_factor",
        "speed_factor": "inference.speed_factor",
        "single_s": "inference.single_s",
        "offline_per_s": "inference.offline_per_s",
        "batch_count": "inference.batch_count",
        "arrival_variation_factor": "inference.arrival_variation_factor",
    }
    ledger.derive("inference.latency_p50_s", latency_median, **queue)
    ledger.derive("inference.latency_p95_s", latency_high, **queue)
    ledger.derive("inference.latency_p99_s", latency_tail, **queue)
    ledger.derive(
        "inference.in_flight_count",
        _in_flight,
        load_per_s="inference.load_per_s",
        latency_s="inference.latency_p99_s",
        batch_count="inference.batch_count",
    )
    ledger.derive(
        "inference.held_param_count",
        formulas.held_params,
        param_count="inference.param_count",
        beside_param_count="inference.beside_param_count",
    )
    ledger.derive(
        "inference.memory_bytes",
        formulas.device_memory,
        param_count="inference.held_param_count",
        weight_bytes="inference.weight_bytes",
        workspace_bytes="inference.workspace_bytes",
        in_flight_count="inference.in_flight_count",
        input_bytes="inference.input_bytes",
    )
    ledger.derive(
        "inference.power_w",
        formulas.power_of_instances,
        instance_count="inference.instance_count",
        device_w="inference.device_w",
        idle_share="inference.idle_share",
        load_share="inference.load_share",
        pue_factor="inference.pue_factor",
    )
    reading = "supply.node_bytes_per_s" if "supply.node_bytes_per_s" in ledger.values else "drive.read_bytes_per_s"
    ledger.derive(
        "inference.load_s",
        formulas.load_time,
        param_count="inference.held_param_count",
        weight_bytes="inference.weight_bytes",
        read_bytes_per_s=reading,
    )
    ledger.derive("inference.scale_out_s", formulas.scale_out_time, boot_s="inference.boot_s", load_s="inference.load_s")
    ledger.derive(
        "inference.input_bytes_per_s",
        formulas.input_traffic,
        load_per_s="inference.load_per_s",
        input_bytes="inference.input_bytes",
    )
    ledger.derive(
        "inference.answer_j", formulas.energy_per_answer, power_w="inference.power_w", offered_per_s="inference.offered_per_s"
    )
    ledger.derive(
        "inference.cost_usd",
        formulas.cost,
        instance_count="inference.instance_count",
        usd_per_s="inference.device_usd_per_s",
        power_w="inference.power_w",
        usd_per_j="price.electricity_usd_per_j",
        month_s="month_s",
    )
    ledger.derive(
        "inference.million_usd",
        formulas.usd_per_million,
        cost_usd="inference.cost_usd",
        offered_per_s="inference.offered_per_s",
        month_s="month_s",
    )
