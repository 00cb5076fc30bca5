"""What a calibration says of a scenario, put in place of weaker evidence; used outside the range it was fitted to, it says so."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from toolkit.projection.hardware_facts import models
from toolkit.projection.serving_rates import ROOFLINE_INPUTS
from toolkit.projection.uncertainty import Given

if TYPE_CHECKING:
    from toolkit.facts.calibrations import CalibratedLaw, Calibration
    from toolkit.projection.givens import Givens
    from toolkit.projection.scenario import Inference, Scenario, Training

__all__ = ["apply"]

_UNKNOWN_ERROR_SHARE: Final = 0.2
"""What a law is taken to be off where it had too few points to leave one out: rooflines miss by about as much."""


def apply(givens: Givens, scenario: Scenario, calibration: Calibration | None) -> None:
    """Put what a calibration says into the inputs of a scenario.

    What was measured for this very scenario stays, and gains the error of its law; what is published, a vendor's or assumed
    is replaced. Laws of a device hold for that device alone.
    """
    if calibration is None:
        return
    _machine(givens, calibration)
    for part, asked in (("training", scenario.training), ("inference", scenario.inference)):
        if asked is None or not calibration.accelerator:
            continue
        if asked.accelerator != calibration.accelerator:
            givens.flags.append(f"the calibration is of {calibration.accelerator}; {part} on {asked.accelerator} does not use it")
            continue
        _power(givens, calibration, part)
    if scenario.training is not None and scenario.training.accelerator == calibration.accelerator:
        _training(givens, calibration, scenario.training)
    if scenario.inference is not None and scenario.inference.accelerator == calibration.accelerator:
        _inference(givens, calibration, scenario.inference)


def _machine(givens: Givens, calibration: Calibration) -> None:
    """Put in what a back-test calibrated: cores that curate, and how far measured rates are off at larger sizes."""
    law, core = calibration.law("curation"), givens.by_name.get("supply.core_images_per_s")
    if law is not None and core is not None and law.terms.get("slope"):
        _put(givens, law, "curation.beside_factor", "ratio", law.terms["slope"] * core.value)
        _warn(givens, law, image_bytes=givens.by_name["start.bytes_per_image"].value)
    for name, given in (("read", "supply.node_bytes_per_s"), ("decode", "supply.core_images_per_s")):
        law, found = calibration.law(name), givens.by_name.get(given)
        if law is not None and found is not None and found.evidence == "measured":
            source = f"{found.source}; off by {law.off} at larger sizes ({law.source})"
            givens.by_name[given] = dataclasses.replace(found, model_error_share=_error(law), source=source)


def _training(givens: Givens, calibration: Calibration, training: Training) -> None:
    law, rate = calibration.law("training_step"), givens.by_name.get("device.rate_images_per_s")
    if law is not None and not (rate is not None and rate.evidence == "measured"):
        model = models()[training.model]
        drivers = {"step_flop": 6 * model.forward_macs, "activation_bytes": float(model.activation)}
        time_s = drivers["step_flop"] * law.terms["flop_s"] + drivers["activation_bytes"] * law.terms["byte_s"]
        if time_s > 0:
            for unused in ("device.peak_flop_per_s", "device.half_peak_flop_per_s", "device.product_share",
                           "device.half_images_per_s", "device.utilisation_share"):  # fmt: skip
                givens.by_name.pop(unused, None)
            _put(givens, law, "device.rate_images_per_s", "images_per_s", 1 / time_s)
            _warn(givens, law, **drivers)
    scaling = calibration.law("scaling")
    if scaling is not None:
        for name, unit, value in (
            ("training.contention_share", "share", scaling.terms["contention_share"]),
            ("training.coherence_share", "share", scaling.terms["coherence_share"]),
            ("training.doubling_share", "share", 1.0),  # what nodes and the network cost is in the rates that were measured
            ("training.sync_s", "s", 0.0),
            ("network.exposure_factor", "ratio", 0.0),
        ):
            _put(givens, scaling, name, unit, value, error_share=0.0)
        _put(givens, scaling, "training.scaling_factor", "ratio", 1.0)
        most = scaling.ranges["device_count"][1]
        givens.add("training.measured_count", "count", most, f"rates of 1 to {most:,.0f} devices were measured", "calibrated")


def _inference(givens: Givens, calibration: Calibration, inference: Inference) -> None:
    law = calibration.law(f"latency.{inference.model}")
    known = givens.by_name.get("inference.offline_per_s")
    if law is None or law.terms["slope_s"] <= 0 or (known is not None and known.evidence == "measured"):
        return
    for unused in ROOFLINE_INPUTS:
        givens.by_name.pop(unused, None)
    single_s = max(law.terms["floor_s"], law.terms["fixed_s"] + law.terms["slope_s"])
    _put(givens, law, "inference.single_s", "s", single_s)
    _put(givens, law, "inference.offline_per_s", "per_s", 1 / law.terms["slope_s"])
    factor = givens.by_name["inference.capacity_factor"]  # the queue is simulated once, at the middle: its error goes on top
    givens.by_name["inference.capacity_factor"] = dataclasses.replace(factor, model_error_share=_error(law))
    _warn(givens, law, batch_count=float(inference.max_batch))


def _power(givens: Givens, calibration: Calibration, part: str) -> None:
    law = calibration.law("power")
    if law is None:
        return
    full_w = law.terms["idle_w"] + law.terms["load_w"]
    _put(givens, law, f"{part}.device_w", "w", full_w)
    if part == "inference" and full_w > 0:
        _put(givens, law, "inference.idle_share", "share", law.terms["idle_w"] / full_w)
    _warn(givens, law, load_share=1.0)


def _put(givens: Givens, law: CalibratedLaw, name: str, unit: str, value: float, error_share: float | None = None) -> None:
    """Put in what a law says, with what the law may be off, unless that stands elsewhere."""
    error = _error(law) if error_share is None else error_share
    source = f"calibrated: {law.formula} ({law.source}, {law.point_count} points)"
    givens.by_name[name] = Given(name=name, unit=unit, value=value, source=source, evidence="calibrated", model_error_share=error)


def _error(law: CalibratedLaw) -> float:
    return _UNKNOWN_ERROR_SHARE if law.left_out_error_share is None else law.left_out_error_share


def _warn(givens: Givens, law: CalibratedLaw, **drivers: float) -> None:
    """Flag what lies outside the points that a law was fitted to."""
    for name in law.outside(**drivers):
        low, high = law.ranges[name]
        flag = (
            f"{law.title.lower()}: {name} of {drivers[name]:.3g} lies outside {low:.3g} to {high:.3g}, to which it was calibrated"
        )
        if flag not in givens.flags:
            givens.flags.append(flag)
