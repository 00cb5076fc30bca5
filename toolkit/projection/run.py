"""The verb: a scenario, a profile and measurements in; a projection out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.errors import ScenarioError, UsageError
from toolkit.facts import DatasetProfile, MeasurementSet
from toolkit.facts.backtests import Backtest
from toolkit.projection import growth, plan_check, siting, speed_limits
from toolkit.projection.calibrated import apply as apply_calibration
from toolkit.projection.calibration import newest_calibration
from toolkit.projection.doubling import doubling_table
from toolkit.projection.explain import Ledger
from toolkit.projection.givens import Givens, gather
from toolkit.projection.givens_training import ACCURACY
from toolkit.projection.growth_checks import check_devices
from toolkit.projection.hardware_facts import described_in
from toolkit.projection.measured import measurements_of
from toolkit.projection.model import evaluate
from toolkit.projection.plan import bottlenecks, make_plan
from toolkit.projection.result import Projection
from toolkit.projection.scenario import Scenario, load_scenario
from toolkit.projection.tables import assumptions_of, frame_of, influences_of, sensitivity_of
from toolkit.projection.training_flags import training_flags
from toolkit.projection.validity import sentences
from toolkit.units import MONTH_S, show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.facts.calibrations import Calibration

__all__ = ["drawn", "project"]

_TRIAL_DRAWS: Final = 200
"""Draws on which another choice is tried."""


def project(
    scenario: Scenario | Mapping[str, Any] | str | Path,
    profile: Any = None,
    measurements: MeasurementSet | str | Path | Sequence[MeasurementSet | str | Path] | None = None,
    *,
    calibration: Calibration | str | Path | None = None,
    draws: int = 2_000,
    seed: int = 0,
) -> Projection:
    """Return storage, network and compute over time for a scenario.

    Parameters
    ----------
    scenario : Scenario, mapping or path
        What is asked.
    profile : DatasetProfile, Dataset or path, optional
        The dataset now; needed where the scenario does not state it.
    measurements : MeasurementSet, path or sequence of these, optional
        Rates measured on the target, such as those of ``measure`` and of ``measure_step``; by default the newest of each that
        lie with the dataset, if one was given that has any.
    calibration : Calibration or path, optional
        Laws fitted to measured points, as ``calibrate`` makes them; by default the newest of the dataset.
    draws : int
        Monte Carlo draws.
    seed : int
        Seed of the draws: equal inputs and seed give equal results.

    Raises
    ------
    ScenarioError, MissingError, UsageError
        If the scenario, the dataset or the measurements cannot be used.

    Examples
    --------
    >>> small = {"name": "x", "dataset": {"images": 1000, "image_size": "100 kB"}, "horizon_months": 12}
    >>> round(project(small, draws=10).value("dataset.image_bytes", 0) / 1e6)
    100
    """
    if draws < 1:
        raise UsageError(f"draws must be 1 or more, not {draws}")
    asked = load_scenario(scenario)
    with described_in(asked.hardware):
        return _projected(asked, profile, measurements, calibration, draws=draws, seed=seed)


def _projected(
    asked: Scenario, profile: Any, measurements: Any, calibration: Calibration | str | Path | None, *, draws: int, seed: int
) -> Projection:
    """Return the projection of a scenario whose own hardware is known."""
    facts, location = _profile_of(profile)
    measured = measurements_of(measurements, location)
    asked, fitted = _with_fitted_growth(asked, facts)
    givens = gather(asked, facts, measured)
    apply_calibration(givens, asked, newest_calibration(calibration, location))
    ledger, months = drawn(asked, givens, draws, seed)

    def trial(changed: Scenario) -> Ledger:
        return _tried(
            changed, facts, measured, newest_calibration(calibration, location), seed=seed, draws=min(draws, _TRIAL_DRAWS)
        )

    nodes = ledger.summaries()
    loads = bottlenecks(ledger, asked, months)
    return Projection(
        name=asked.name,
        scenario=asked.model_dump(mode="json"),
        months=tuple(int(month) for month in months),
        frame=frame_of(nodes, months),
        plan=make_plan(ledger, asked, months, loads, trial),
        doubling=doubling_table(asked, givens.by_name, float(months[-1])),
        sensitivity=sensitivity_of(
            asked, givens, months, ledger.values.get("training.gpu_count"), ledger.values.get("training.node_count")
        ),
        influences=influences_of(ledger, givens),
        assumptions=assumptions_of(givens),
        bottlenecks=loads,
        flags=(*fitted, *givens.flags, *_flags(asked, facts, ledger, months)),
        limits=_limits(asked, measured),
        backtest=_backtest(location),
        explanations=nodes,
    )


def drawn(scenario: Scenario, givens: Givens, draws: int, seed: int) -> tuple[Ledger, np.ndarray[Any, Any]]:
    """Return the ledger of a scenario over draws of its inputs, and its months: what a projection is made from.

    What is certain is one draw for all: what rests on it alone is computed once, and takes no room for each draw. What is
    computed how often is found by a rehearsal on one draw, so that values can be let go of once nothing takes them any more.
    """
    months = np.arange(0, scenario.horizon_months + 1, dtype=np.float64)
    generator = np.random.default_rng(seed)
    values = {
        name: np.full((1, 1), given.value) if given.is_certain else given.draw(generator, draws)
        for name, given in givens.by_name.items()
    }
    rehearsed = {name: value[:1] for name, value in values.items()}
    ends = np.array([max(0.0, months[-1] - 1), months[-1]])
    reads = _whole(scenario, givens, rehearsed, ends, Ledger()).reads
    return _whole(scenario, givens, values, months, Ledger(reads, scenario.plan.probability)), months


def _whole(
    scenario: Scenario, givens: Givens, values: Mapping[str, np.ndarray[Any, Any]], months: np.ndarray[Any, Any], ledger: Ledger
) -> Ledger:
    """Return a ledger with everything that is computed of draws: the quantities, the plan put to the test, the limits."""
    evaluate(scenario, givens.by_name, values, months, ledger=ledger)
    if scenario.training is not None:
        check_devices(ledger.median("training.gpu_count"))
    plan_check.derive(ledger, scenario, months)
    speed_limits.derive(ledger, scenario)
    return ledger


def _tried(
    scenario: Scenario,
    facts: DatasetProfile | None,
    measured: MeasurementSet | None,
    calibration: Calibration | None,
    *,
    seed: int,
    draws: int,
) -> Ledger:
    """Return the last month of a scenario with another choice, on few draws, its plan checked."""
    givens = gather(scenario, facts, measured)
    apply_calibration(givens, scenario, calibration)
    generator = np.random.default_rng(seed)
    values = {name: given.draw(generator, draws) for name, given in givens.by_name.items()}
    months = np.array([max(0.0, scenario.horizon_months - 1.0), float(scenario.horizon_months)])
    ledger = evaluate(scenario, givens.by_name, values, months)
    plan_check.derive(ledger, scenario, months)
    return ledger


def _profile_of(profile: Any) -> tuple[DatasetProfile | None, Path | None]:
    if profile is None:
        return None, None
    if isinstance(profile, str | Path):
        from toolkit.dataset.reading import open_dataset

        profile = open_dataset(profile)
    facts = profile if isinstance(profile, DatasetProfile) else profile.profile
    if not isinstance(facts, DatasetProfile):
        raise UsageError(f"a dataset or its profile is needed, not {type(profile).__name__}")
    return facts, Path(facts.location)


def _with_fitted_growth(scenario: Scenario, profile: DatasetProfile | None) -> tuple[Scenario, list[str]]:
    """Return the scenario with growth of kind ``fitted`` put in numbers from the dataset's versions, and what to say of it."""
    if scenario.growth.kind != "fitted":
        return scenario, []
    by_age: dict[float, float] = {}
    for version in profile.versions if profile is not None else ():
        if version.image_count:
            by_age[datetime.fromisoformat(version.committed_at).timestamp() / MONTH_S] = float(version.image_count)
    ages = sorted(by_age)
    if len(ages) < 2:
        raise ScenarioError(
            "'growth.kind' ('fitted'): needs a dataset with two versions or more that hold images; name one with --dataset, "
            "or state the growth"
        )
    kind, rate = growth.fitted_growth([age - ages[0] for age in ages], [by_age[age] for age in ages])
    stated = {"images_per_month": rate} if kind == "linear" else {"yearly_factor": rate}
    resolved = scenario.growth.model_copy(update={"kind": kind, **stated})
    said = f"{rate:,.0f} images a month" if kind == "linear" else f"a factor of {rate:.3g} a year"
    span = ages[-1] - ages[0]
    flag = f"growth was fitted to {len(ages)} versions over {show(span * MONTH_S, 's')}: {kind}, {said}"
    if span < scenario.horizon_months / 2:
        flag += f"; it is stretched over {scenario.horizon_months} months"
    return scenario.model_copy(update={"growth": resolved}), [flag]


def _flags(scenario: Scenario, profile: DatasetProfile | None, ledger: Ledger, months: np.ndarray[Any, Any]) -> list[str]:
    power = siting.flag_of(ledger, months)
    flags = [*plan_check.flags_of(ledger, scenario, months), *speed_limits.flags_of(ledger), *([power] if power else [])]
    flags += sentences(ledger.outside(), months)
    if profile is not None and scenario.dataset.images is None and profile.image_count < 10_000:
        flags.append(
            f"the profile has {profile.image_count:,} images: the mean size of an image may not hold for a larger collection"
        )
    if (
        scenario.dataset.images is not None
        and profile is not None
        and scenario.dataset.images > 1000 * max(1, profile.image_count)
    ):
        flags.append(
            "the scenario states more than 1,000 times the images that were profiled: rates were measured on little data"
        )
    if scenario.training is not None:
        flags += training_flags(ledger)
        nodes = ledger.median("training.node_count")
        if nodes > 2 and "supply.node_bytes_per_s" in ledger.values:
            flags.append(
                f"storage supply was taken from one node and multiplied by {nodes:,.0f}: that holds for node-local drives; "
                "a shared filesystem is to be measured with all nodes at once"
            )
    return flags


def _limits(scenario: Scenario, measured: MeasurementSet | None) -> tuple[str, ...]:
    said = [
        "It does not say that a model gets better with more data, only what the data takes.",
        "Failures of storage, switches and people are not in it; failures of nodes are.",
        "Prices are examples with their source; what has no price is not in any sum.",
        "Latency is that of the device and its queue: network and pre-processing of requests come on top.",
    ]
    if scenario.training is not None:
        said.append(f"Numeric accuracy is not computed. {ACCURACY[scenario.training.precision]}.")
    if measured is None:
        said.append("Nothing was measured on the target: rates are published, a vendor's, or assumed.")
    else:
        said.append(f"Rates were measured on '{measured.environment.host}'; on another machine they differ.")
    return tuple(said)


def _backtest(location: Path | None) -> str:
    """Return what the newest back-test of the dataset found, or that there is none."""
    newest = max((location / "backtests").glob("*.json"), default=None) if location is not None else None
    if newest is None:
        return (
            "No back-test: predictions were not held against measurements on these images and this machine; "
            "tonnage backtest DATASET does that."
        )
    found = Backtest.load(newest)
    return f"Back-test of {found.started_at[:10]}: {found.sentence}."
