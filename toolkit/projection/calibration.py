"""``toolkit.calibrate``: measured points, the user's own steps and the newest back-test in; a dated calibration out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.errors import MissingError, UsageError
from toolkit.facts.backtests import Backtest
from toolkit.facts.calibrations import CalibratedLaw, Calibration
from toolkit.projection.calibrating import batch_times, fit_batch, fit_nonnegative, left_out_error, linear_at
from toolkit.projection.calibration_points import StepPoint, load_points
from toolkit.projection.measured import measurements_of
from toolkit.projection.scaling import fit_scalability, scalability_rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from toolkit.facts import MeasurementSet
    from toolkit.projection.calibration_points import BatchPoint, Points, PowerPoint, ScalingPoint

    Values = NDArray[np.float64]

__all__ = ["calibrate", "newest_calibration"]

_FROM_BACKTEST: Final = (("image_bytes", "image_bytes"), ("shards", "shard_bytes"), ("curation", "curate_cpu_s"),
                         ("curation_time", "curate_s"), ("read", "read_cold_s"), ("transfer", "transfer_s"),
                         ("loader", "loader_s"), ("decode", "decode_images_per_s"))  # fmt: skip
"""Laws by the kinds of a back-test whose small sizes gave them: what its own predictions went through the projection with."""


def calibrate(
    points: Points | Mapping[str, Any] | str | Path | None = None,
    *,
    dataset: str | Path | None = None,
    out: str | Path | None = None,
) -> Calibration:
    """Return laws fitted to measured points, each with what it missed of points left out; saved if there is a place for it.

    Parameters
    ----------
    points : Points, mapping or path, optional
        Training rates by model, times of batches, watts by load, rates by count of devices, of one accelerator.
    dataset : path, optional
        A dataset: its newest measurements and steps (``measure_step``) and its newest back-test are taken as well, and the
        calibration is written to ``DATASET/calibrations/<UTC>.json``.
    out : path, optional
        JSON file to write instead.

    Raises
    ------
    UsageError, MissingError, ScenarioError
        If there is nothing to calibrate from, or the points cannot be used.

    Examples
    --------
    >>> watts = [{"load_share": load, "power": 60 + 240 * load} for load in (0.0, 0.5, 1.0)]
    >>> calibrate({"accelerator": "h100_sxm", "power": watts}).law("power").terms
    {'idle_w': 60.0, 'load_w': 240.0}
    """
    given = load_points(points)
    place = None if dataset is None else Path(dataset)
    if place is not None and not place.is_dir():
        raise MissingError(f"there is no dataset at '{place}'; make one with: tonnage curate SOURCE... {place}")
    measured = measurements_of(None, place)
    newest = max((place / "backtests").glob("*.json"), default=None) if place is not None else None
    backtest = Backtest.load(newest) if newest is not None else None
    steps = [*given.training, *_own_steps(measured, given.accelerator)]
    laws = [*_of_device(given, steps), *(_tested(backtest) if backtest is not None else ())]
    if not laws:
        raise UsageError(
            "there is nothing to calibrate from: give points, or --dataset with a back-test (tonnage backtest DATASET)"
        )
    now = datetime.now(UTC)
    host = measured.environment.host if measured is not None else backtest.environment.host if backtest is not None else ""
    found = Calibration(
        accelerator=given.accelerator, made_at=f"{now:%Y-%m-%dT%H:%M:%SZ}", host=host, laws=tuple(laws), flags=tuple(_flags(laws))
    )
    target = Path(out) if out is not None else place / "calibrations" / f"{now:%Y%m%dT%H%M%SZ}.json" if place else None
    if target is not None:
        found.save(target)
    return found


def newest_calibration(given: Calibration | str | Path | None, location: Path | None) -> Calibration | None:
    """Return the calibration named, else the newest that lies with a dataset, else None.

    Raises
    ------
    MissingError
        If a file that was named does not exist.
    """
    if given is not None:
        return given if isinstance(given, Calibration) else Calibration.load(given)
    newest = max((location / "calibrations").glob("*.json"), default=None) if location is not None else None
    return Calibration.load(newest) if newest is not None else None


def _own_steps(measured: MeasurementSet | None, accelerator: str) -> list[StepPoint]:
    """Return the user's own training steps on the accelerator, of models that the hardware facts know."""
    from toolkit.projection.hardware_facts import models

    return [
        StepPoint(model=m.conditions["model"], images_per_s=m.median / int(m.conditions.get("devices", 1)))
        for m in (measured.measurements if measured is not None else ())
        if m.metric == "step.training_rate"
        and accelerator
        and m.conditions.get("accelerator") == accelerator
        and m.conditions.get("model") in models()
    ]


def _of_device(given: Points, steps: Sequence[StepPoint]) -> list[CalibratedLaw]:
    laws = []
    if len(steps) >= 2:
        laws.append(_roofline(steps))
    laws += [_latency(name, [p for p in given.latency if p.model == name]) for name in sorted({p.model for p in given.latency})]
    if len({p.load_share for p in given.power}) >= 2:
        laws.append(_power(given.power))
    if len({p.device_count for p in given.scaling}) >= 2:
        laws.append(_scaling(given.scaling))
    return laws


def _roofline(steps: Sequence[StepPoint]) -> CalibratedLaw:
    drivers = np.array([step.drivers for step in steps])
    times = 1 / np.array([step.images_per_s for step in steps])
    flop_s, byte_s = fit_nonnegative(drivers, times)
    names = np.unique([f"{step.model}|{step.drivers}" for step in steps], return_inverse=True)[1].astype(np.float64)
    return CalibratedLaw(
        name="training_step", title="Time of an image in training", unit="s",
        formula="FLOP x seconds of one + activation bytes x seconds of one",
        terms={"flop_s": float(flop_s), "byte_s": float(byte_s)},
        left_out_error_share=left_out_error(fit_nonnegative, linear_at, drivers, times, names), point_count=len(steps),
        left_out_count=len(set(names)),
        ranges={"step_flop": _ends(drivers[:, 0]), "activation_bytes": _ends(drivers[:, 1])}, source="measured training rates",
    )  # fmt: skip


def _latency(model: str, points: Sequence[BatchPoint]) -> CalibratedLaw:
    batches = np.array([[float(p.batch_count)] for p in points])
    times = np.array([float(p.time) for p in points])
    floor, fixed, slope = fit_batch(batches, times)
    return CalibratedLaw(
        name=f"latency.{model}", title=f"Time of a batch of {model}", unit="s", formula="max(floor, fixed + slope x batch)",
        terms={"floor_s": float(floor), "fixed_s": float(fixed), "slope_s": float(slope)},
        left_out_error_share=left_out_error(fit_batch, batch_times, batches, times, batches[:, 0]), point_count=len(points),
        left_out_count=len(set(batches[:, 0])),
        ranges={"batch_count": _ends(batches[:, 0])}, source="measured batches",
    )  # fmt: skip


def _power(points: Sequence[PowerPoint]) -> CalibratedLaw:
    loads, watts = (np.array([float(getattr(p, name)) for p in points]) for name in ("load_share", "power"))
    drivers = np.stack([np.ones_like(loads), loads], axis=1)
    idle, slope = fit_nonnegative(drivers, watts)
    return CalibratedLaw(
        name="power", title="Power of a device", unit="w", formula="idle + slope x load",
        terms={"idle_w": round(float(idle), 9), "load_w": round(float(slope), 9)},
        left_out_error_share=left_out_error(fit_nonnegative, linear_at, drivers, watts, loads), point_count=len(points),
        left_out_count=len(set(loads)),
        ranges={"load_share": _ends(loads)}, source="measured watts",
    )  # fmt: skip


def _scaling(points: Sequence[ScalingPoint]) -> CalibratedLaw:
    counts, rates = (np.array([float(getattr(p, name)) for p in points]) for name in ("device_count", "images_per_s"))

    def fit(drivers: Values, values: Values) -> Values:
        return np.array(fit_scalability(drivers[:, 0].tolist(), values.tolist()))

    def at(terms: Values, drivers: Values) -> Values:
        return np.asarray(scalability_rate(drivers[:, 0], *terms))

    drivers = counts[:, None]
    names = ("single_per_s", "contention_share", "coherence_share")
    return CalibratedLaw(
        name="scaling", title="Rate of several devices", unit="images_per_s", formula="universal scalability law",
        terms=dict(zip(names, map(float, fit(drivers, rates)), strict=True)),
        left_out_error_share=left_out_error(fit, at, drivers, rates, counts) if len(set(counts)) > 3 else None,
        left_out_count=len(set(counts)),
        point_count=len(points), ranges={"device_count": _ends(counts)}, source="measured rates of several devices",
    )  # fmt: skip


def _tested(backtest: Backtest) -> list[CalibratedLaw]:
    """Return the laws of a back-test, with what they missed of the sizes that were left out: all the large ones."""
    laws = []
    for name, kind in _FROM_BACKTEST:
        law, predicted = backtest.law(kind), [p for p in backtest.predictions if p.kind == kind]
        if law is None or not predicted:
            continue
        error = float(np.sqrt(np.mean([np.log(p.p50 / p.value) ** 2 for p in predicted])))
        error = law.noise_share if name == "shards" else error  # what bytes of images were off is in the law of those
        sizes = [o.driver_count for o in backtest.observations if o.kind == kind]
        mean = backtest.law("image_bytes")
        ranges = {"size_count": (min(sizes), max(sizes))}
        if mean is not None:
            ranges["image_bytes"] = (mean.terms["slope"] / 1.5, mean.terms["slope"] * 1.5)
        laws.append(
            CalibratedLaw(
                name=name, title=law.title, unit=law.unit, formula=law.formula, terms=dict(law.terms), left_out_error_share=error,
                left_out_count=len({p.trial_index for p in predicted}),  # sizes of a trial are off together
                point_count=sum(o.kind == kind and o.size_factor <= 1 for o in backtest.observations), ranges=ranges,
                source=f"back-test of '{Path(backtest.dataset).name}', {backtest.started_at}",
            )
        )  # fmt: skip
    return laws


def _ends(values: Values) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _flags(laws: Sequence[CalibratedLaw]) -> list[str]:
    return [
        f"{law.title.lower()}: too few points to leave one out; how far it is off is not known, and 20 % is taken"
        for law in laws
        if law.left_out_error_share is None
    ]
