"""What goes into serving: the load, the objective, the model and the device that answer, what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.projection.hardware_facts import accelerators, models
from toolkit.projection.serving_rates import gather_rates, weight_bytes

if TYPE_CHECKING:
    from toolkit.facts import MeasurementSet
    from toolkit.projection.givens import Givens
    from toolkit.projection.scenario import Inference, Prices

__all__ = ["gather_inference"]


def gather_inference(givens: Givens, inference: Inference, prices: Prices, measured: MeasurementSet | None) -> None:
    """Add everything about serving."""
    gather_rates(givens, inference, measured)
    model, device = models()[inference.model], accelerators()[inference.accelerator]
    givens.state("inference.spare_count", "count", inference.spare_instances)
    if inference.streams is not None:
        givens.state("inference.stream_count", "count", inference.streams)
        if inference.sites is not None:
            givens.state("inference.start_site_count", "count", inference.sites)
        elif inference.placement == "edge":
            givens.flags.append(
                "'inference.sites' is not stated: all streams are taken to arise at one place, where they share devices"
            )
        givens.state("inference.frames_per_s", "per_s", inference.frames_per_s)
        givens.add("inference.stream_bytes_per_s", "bytes_per_s", inference.stream_rate, "4 Mb/s, unless stated", "assumed")
        uploaded = float(inference.placement == "datacenter") if inference.uploaded is None else inference.uploaded
        givens.state("inference.uploaded_share", "share", uploaded)
        if inference.uplink_limit is not None:
            givens.state("inference.uplink_limit_bytes_per_s", "bytes_per_s", inference.uplink_limit)
        if inference.blocked is not None:
            givens.state("inference.blocked_share", "share", max(inference.blocked, 1e-6))
    else:
        givens.state("inference.start_per_s", "per_s", inference.requests_per_s or 0.0)
    givens.state("inference.objective_s", "s", inference.latency_p99)
    source = "Poisson, as MLPerf's server scenario sends, unless stated"
    givens.add("inference.arrival_variation_factor", "ratio", inference.arrival_variation_factor, source, "assumed")
    givens.state("inference.yearly_factor", "ratio", inference.yearly_factor)
    source = "capacity under an objective from two published numbers missed MLPerf's server results by up to 15 %"
    givens.add("inference.capacity_factor", "ratio", 1.0, source, "published", spread=(0.85, 1.15))
    givens.add("inference.param_count", "count", model.params, *model.origin("params"))
    beside = [models()[name] for name in inference.models]
    source = ", ".join(other.title for other in beside) or "no other model is held"
    givens.add("inference.beside_param_count", "count", sum(other.params for other in beside), source, "published")
    givens.state("inference.weight_bytes", "bytes", weight_bytes(inference.precision), default="published")
    givens.state("inference.host_link_bytes_per_s", "bytes_per_s", inference.host_link)
    givens.add("inference.workspace_bytes", "bytes", 1e9, "framework and context", "assumed", spread=(0.5, 1.5))
    givens.add(
        "inference.input_bytes", "bytes", 3.0 * (model.input_px or 0) ** 2, "one RGB input of the model's size", "published"
    )
    givens.add("inference.device_w", "w", device.power, *device.origin("power"))
    _pue(givens, inference, prices)
    givens.add("inference.boot_s", "s", inference.boot_time, "a minute, unless stated", "assumed", spread=(0.5, 2.0))
    price = inference.accelerator_hour
    rate = price / 3600 if price is not None else device.price_per_hour
    source = (
        "stated in the scenario: inference.accelerator_hour"
        if price is not None
        else device.price_source or "needs input: inference.accelerator_hour"
    )
    givens.add("inference.device_usd_per_s", "usd_per_s", float("nan") if rate is None else rate, source, "assumed")
    if inference.device_power_limit is not None:
        givens.state("inference.device_limit_w", "w", inference.device_power_limit)
    givens.add("inference.idle_share", "share", 0.3, "idle over board power", "assumed", spread=(0.6, 1.4))


def _pue(givens: Givens, inference: Inference, prices: Prices) -> None:
    """Add what cooling takes beside the devices: none at the edge unless stated, else that of the data center."""
    if inference.pue is not None:
        givens.state("inference.pue_factor", "ratio", inference.pue)
    elif inference.placement == "edge":
        givens.add("inference.pue_factor", "ratio", 1.0, "a device at the edge is cooled by the air around it", "assumed")
    else:
        givens.state("price.pue_factor", "ratio", prices.pue, default="published")
        center = givens.by_name["price.pue_factor"]
        givens.add("inference.pue_factor", "ratio", center.value, center.source, center.evidence)
