"""What a calibration says of a scenario, put in place of weaker evidence; used outside the range it was fitted to, it says so."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Final

from toolkit.laws.extrapolating import student_widening
from toolkit.projection.givens_storage import SUPPLY_IS
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


_KEPT_IF_MEASURED: Final = (
    ("image_bytes", "start.bytes_per_image"), ("shards", "start.shard_overhead_ratio"), ("read", "supply.node_bytes_per_s"),
    ("decode", "supply.core_images_per_s"),
)  # fmt: skip
"""Laws, and what they say how far off it is, where it was measured."""


def apply(givens: Givens, scenario: Scenario, calibration: Calibration | None) -> None:
    """Put what a calibration says into the inputs of a scenario.

    What was measured for this very scenario stays, and gains the error of its law; what is published, a vendor's or assumed
    is replaced. Laws of a device hold for that device alone.
    """
    if calibration is None:
        return
    _machine(givens, calibration, scenario)
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


def _machine(givens: Givens, calibration: Calibration, scenario: Scenario) -> None:
    """Put in what a back-test calibrated: shards, reads, cores that curate; and how far measured rates are off."""
    for name, given in _KEPT_IF_MEASURED:
        law, found = calibration.law(name), givens.by_name.get(given)
        if law is not None and found is not None and found.evidence == "measured":
            source = f"{found.source}; off by {law.off} at larger sizes ({law.source})"
            givens.by_name[given] = dataclasses.replace(found, model_error_share=_error(law), source=source)
    shards, overhead = calibration.law("shards"), givens.by_name["start.shard_overhead_ratio"]
    if shards is not None and overhead.evidence == "assumed":
        _put(givens, shards, "start.shard_overhead_ratio", "ratio", shards.terms["slope"])
    read = calibration.law("read")
    if (
        read is not None
        and read.terms.get("slope")
        and scenario.storage.supply == "measured"
        and not scenario.storage.shared_tier
    ):
        _read(givens, read)
    _curation(givens, calibration)


def _read(givens: Givens, law: CalibratedLaw) -> None:
    """Put in what storage delivers where no read of it was measured, and what a read costs to begin with."""
    if "supply.node_bytes_per_s" in givens.by_name:
        return
    _put(givens, law, "supply.node_bytes_per_s", "bytes_per_s", 1 / law.terms["slope"])
    if law.terms.get("fixed"):
        _put(givens, law, "supply.begin_s", "s", law.terms["fixed"])
    givens.flags[:] = [flag for flag in givens.flags if SUPPLY_IS not in flag]


def _curation(givens: Givens, calibration: Calibration) -> None:
    """Put in what an image takes of a core, what a batch takes however small, and how busy it keeps the cores."""
    law, whole = calibration.law("curation"), calibration.law("curation_time")
    if law is None or not law.terms.get("slope"):
        return
    _put(givens, law, "curation.core_images_per_s", "images_per_s", 1 / law.terms["slope"])
    _put(givens, law, "curation.beside_factor", "ratio", 1.0, error_share=0.0)  # it is in the rate
    _warn(givens, law, image_bytes=givens.by_name["start.bytes_per_image"].value)
    if whole is None or not whole.terms.get("slope") or not whole.terms.get("core_count"):
        return
    _put(givens, whole, "curation.batch_s", "s", whole.terms["fixed"], error_share=0.0)
    busy = law.terms["slope"] / (whole.terms["slope"] * whole.terms["core_count"])
    _put(givens, whole, "curation.busy_share", "share", busy, error_share=0.0)
    beyond = math.sqrt(max(0.0, _error(whole) ** 2 - _error(law) ** 2))  # the error of a core's time is in that of the whole
    _put(givens, whole, "curation.pace_factor", "ratio", 1.0, error_share=beyond)


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
    """Return how far a law may be off as a normal deviation: what it missed, widened where few misses told it."""
    if law.left_out_error_share is None:
        return _UNKNOWN_ERROR_SHARE
    return law.left_out_error_share * (1.0 if law.left_out_count is None else student_widening(law.left_out_count))


def _warn(givens: Givens, law: CalibratedLaw, **drivers: float) -> None:
    """Flag what lies outside the points that a law was fitted to."""
    for name in law.outside(**drivers):
        low, high = law.ranges[name]
        flag = (
            f"{law.title.lower()}: {name} of {drivers[name]:.3g} lies outside {low:.3g} to {high:.3g}, to which it was calibrated"
        )
        if flag not in givens.flags:
            givens.flags.append(flag)
