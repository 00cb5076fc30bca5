"""How fast a device serves a model: by a measured step, published, or from its peak and its memory's bandwidth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.errors import ScenarioError
from toolkit.projection import training
from toolkit.projection.explain import formula
from toolkit.projection.hardware_facts import accelerators, models
from toolkit.projection.measured import step_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.facts import Measurement, MeasurementSet
    from toolkit.projection.explain import Ledger
    from toolkit.projection.givens import Givens
    from toolkit.projection.scenario import Inference

    Draws = NDArray[np.float64]

__all__ = [
    "ROOFLINE_INPUTS",
    "derive_rates",
    "estimated_rates",
    "gather_rates",
    "published_rates",
    "roofline_latency",
    "roofline_rate",
    "weight_bytes",
]

_WEIGHT_BYTES: Final = {"fp32": 4.0, "tf32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0}
_PUBLISHED_PRECISION: Final = "int8"
"""Number format of the published serving rates."""
_UTILISED: Final = 0.36
_FILLED: Final = 0.5
_FLOOR_S: Final = 0.2e-3
ROOFLINE_INPUTS: Final = (
    "inference.peak_flop_per_s", "inference.utilisation_share", "inference.filled_share", "inference.forward_mac_count",
    "inference.floor_s", "inference.sample_bytes", "inference.traffic_bytes", "inference.bandwidth_bytes_per_s",
)  # fmt: skip
"""What goes in where no rate is known: taken out again where one is calibrated."""


_HELD: Final = "11 to 19 pairs of device and model, ResNet-50 and RetinaNet (MLPerf Inference)"


@formula(
    "s",
    "the larger of 2 x multiply-accumulates / (peak x share reached x share filled) and bytes / memory bandwidth, + floor",
    valid={"forward_mac_count": (4e9, 152e9, _HELD), "peak_flop_per_s": (36e12, 2e15, _HELD)},
)
def roofline_latency(
    peak_flop_per_s: Draws,
    utilisation_share: Draws,
    filled_share: Draws,
    forward_mac_count: Draws,
    *,
    traffic_bytes: Draws,
    bandwidth_bytes_per_s: Draws,
    floor_s: Draws,
) -> Any:
    """Seconds that one query takes alone.

    Source: roofline model, Williams, Waterman and Patterson 2009 (doi 10.1145/1498765.1498785); within 0.6 and 1.5 times
    the published latencies of 11 pairs of device and model (MLPerf Inference).
    """
    computing = 2 * forward_mac_count / (peak_flop_per_s * utilisation_share * filled_share)
    return np.maximum(computing, traffic_bytes / bandwidth_bytes_per_s) + floor_s


@formula(
    "per_s",
    "the smaller of what the arithmetic allows and memory bandwidth / bytes of a sample",
    valid={"bandwidth_bytes_per_s": (100e9, 4.8e12, _HELD)},
)
def roofline_rate(computed_images_per_s: Draws, sample_bytes: Draws, bandwidth_bytes_per_s: Draws) -> Any:
    """Queries each second when all are there at once.

    Source: roofline model, as above; within 0.5 and 1.9 times the published rates of 19 pairs of device and model; a server's
    processors reach more of their peak than that.
    """
    return np.minimum(computed_images_per_s, bandwidth_bytes_per_s / sample_bytes)


def weight_bytes(precision: str) -> float:
    """Return the bytes of a weight in a number format."""
    return _WEIGHT_BYTES[precision]


def gather_rates(givens: Givens, inference: Inference, measured: MeasurementSet | None) -> None:
    """Add the latency of one and the rate of many, or what they are derived from.

    Raises
    ------
    ScenarioError
        If the device has no rate in the number format asked for.
    """
    device = accelerators()[inference.accelerator]
    served = device.serving.get(inference.model)
    step, said = step_of(measured, "inference", inference.model, inference.accelerator)
    if step is not None:
        _measured(givens, inference, step)
        givens.flags += [said] if said else []
        return
    if served is None:
        _roofline(givens, inference)
        givens.flags.append(
            f"no serving rate of {inference.model} on {device.title} is known: latency and rate are estimated from its peak and "
            "its memory's bandwidth, within a factor of two; measure it (toolkit.measure_step) or calibrate it (tonnage "
            "calibrate)"
        )
        return
    factor = 1.0 if inference.precision == _PUBLISHED_PRECISION else _slower(inference)
    source = f"{device.title}: {device.serving_source}"
    if factor != 1:
        source += f"; {factor:.3g} times as long in {inference.precision} as in {_PUBLISHED_PRECISION}, by the roofline"
    for name, unit, value in (
        ("single_s", "s", served.single * factor),
        ("offline_per_s", "per_s", served.offline_per_s / factor),
    ):
        is_assumed = factor != 1 or (name == "single_s" and served.is_single_assumed)
        spread = (0.6, 1.6) if factor != 1 else None
        givens.add(f"inference.{name}", unit, value, source, "assumed" if is_assumed else "published", spread=spread)


def _measured(givens: Givens, inference: Inference, step: Measurement) -> None:
    """Add rates that meet a measured step: its batch takes what was measured, shared between the first and each further one."""
    served = accelerators()[inference.accelerator].serving.get(inference.model)
    single, offline = (served.single, served.offline_per_s) if served is not None else _estimated(inference, inference.precision)
    devices = int(step.conditions.get("devices", 1))
    batch = max(1, int(step.conditions.get("images_per_step", 1)) // devices)
    expected = batch / (single + (batch - 1) / offline) * devices
    givens.measure("inference.offline_per_s", "per_s", step, "the user's own inference step", offline / expected)
    by_step = f"measured here: the user's own inference step, {batch} at a time (step.inference_rate)"
    off, offline_now = step.interval_high / step.median, givens.by_name["inference.offline_per_s"].value
    givens.add("inference.single_s", "s", single * offline / offline_now, by_step, "measured", spread=(1 / off, off))


def _roofline(givens: Givens, inference: Inference) -> None:
    device, model = accelerators()[inference.accelerator], models()[inference.model]
    peak, sample, traffic = _loads(inference, inference.precision)
    givens.add("inference.peak_flop_per_s", "flop_per_s", peak, *device.origin("peak"))
    source = "MLPerf Inference: ResNet-50 and RetinaNet reach 18 to 73 % of the 8-bit peak of ten devices"
    givens.add("inference.utilisation_share", "share", _UTILISED, source, "assumed", spread=(0.5, 2.0))
    source = "MLPerf Inference: one query alone reaches about half of what many do"
    givens.add("inference.filled_share", "share", _FILLED, source, "assumed", spread=(0.6, 1.6))
    source = "launching a compiled network; a framework that launches each layer takes up to 13 ms (NVIDIA DeepLearningExamples)"
    givens.add("inference.floor_s", "s", _FLOOR_S, source, "assumed", spread=(0.5, 20.0))
    givens.add("inference.forward_mac_count", "count", model.forward_macs, *model.origin("forward_macs"))
    source = f"{model.title}: activations that training keeps, in {inference.precision}; fused layers write no others"
    givens.add("inference.sample_bytes", "bytes", sample, source, "assumed", spread=(0.5, 2.0))
    givens.add("inference.traffic_bytes", "bytes", traffic, f"{source}, and the weights", "assumed", spread=(0.7, 1.5))
    givens.add("inference.bandwidth_bytes_per_s", "bytes_per_s", device.memory_bandwidth, *device.origin("memory_bandwidth"))


def _loads(inference: Inference, precision: str) -> tuple[float, float, float]:
    """Return peak rate, bytes of activations of a sample, and bytes that one sample alone moves."""
    device, model = accelerators()[inference.accelerator], models()[inference.model]
    if precision not in device.peak:
        raise ScenarioError(
            f"'inference.precision': {device.title} has no rate for {precision}; there are {', '.join(device.peak)}"
        )
    sample = float(model.activation) / 2 * _WEIGHT_BYTES[precision]
    return float(device.peak[precision]), sample, sample + model.params * _WEIGHT_BYTES[precision]


def _estimated(inference: Inference, precision: str) -> tuple[float, float]:
    """Return latency of one and rate of many by the roofline, in the middle of its range."""
    macs, bandwidth = models()[inference.model].forward_macs, float(accelerators()[inference.accelerator].memory_bandwidth)
    peak, sample, traffic = _loads(inference, precision)
    computed = training.device_rate_forward(*(np.asarray(part) for part in (peak, _UTILISED, macs)))
    memory = {"traffic_bytes": traffic, "bandwidth_bytes_per_s": bandwidth, "floor_s": _FLOOR_S}
    single = roofline_latency(peak, _UTILISED, _FILLED, macs, **memory)
    return float(single), float(roofline_rate(computed, sample, bandwidth))


def _slower(inference: Inference) -> float:
    """Return how many times as long a query takes in the number format asked for as in that of the published rates."""
    wanted, published = (_estimated(inference, precision)[1] for precision in (inference.precision, _PUBLISHED_PRECISION))
    return published / wanted


def published_rates(inference: Inference) -> tuple[float, float] | None:
    """Return latency of one and rate of many as published, in the number format asked for; None where they are not known."""
    device = accelerators()[inference.accelerator]
    served = device.serving.get(inference.model)
    if served is None or inference.precision not in device.peak:
        return None
    factor = 1.0 if inference.precision == _PUBLISHED_PRECISION else _slower(inference)
    return float(served.single) * factor, served.offline_per_s / factor


def estimated_rates(inference: Inference) -> tuple[float, float] | None:
    """Return latency of one and rate of many by the roofline, within a factor of two; None without a peak in that format."""
    if inference.precision not in accelerators()[inference.accelerator].peak:
        return None
    return _estimated(inference, inference.precision)


def derive_rates(ledger: Ledger) -> None:
    """Enter latency and rate where only what they are derived from is known."""
    if "inference.single_s" in ledger.values:
        return
    enter: Any = ledger.derive
    arithmetic = {"peak_flop_per_s": "inference.peak_flop_per_s", "utilisation_share": "inference.utilisation_share",
                  "forward_mac_count": "inference.forward_mac_count"}  # fmt: skip
    bandwidth = {"bandwidth_bytes_per_s": "inference.bandwidth_bytes_per_s"}
    enter("inference.computed_images_per_s", training.device_rate_forward, **arithmetic)
    enter("inference.offline_per_s", roofline_rate, computed_images_per_s="inference.computed_images_per_s",
          sample_bytes="inference.sample_bytes", **bandwidth)  # fmt: skip
    enter("inference.single_s", roofline_latency, filled_share="inference.filled_share", traffic_bytes="inference.traffic_bytes",
          floor_s="inference.floor_s", **arithmetic, **bandwidth)  # fmt: skip
