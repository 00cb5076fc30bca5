"""Everything that goes into a projection, from scenario, profile, measurements and hardware facts; each with its evidence."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from toolkit.errors import ScenarioError
from toolkit.projection.givens_costs import gather_costs
from toolkit.projection.givens_decoding import gather_decoding
from toolkit.projection.givens_keys import origin_of
from toolkit.projection.givens_serving import gather_inference
from toolkit.projection.givens_storage import gather_storage
from toolkit.projection.givens_training import gather_training, own_share
from toolkit.projection.growth_checks import check_growth, check_load
from toolkit.projection.hardware_facts import collections, media
from toolkit.projection.uncertainty import Given
from toolkit.units import GB, MONTH_S

if TYPE_CHECKING:
    from collections.abc import Collection

    from toolkit.facts import DatasetProfile, Measurement, MeasurementSet
    from toolkit.projection.scenario import Scenario

__all__ = ["Givens", "gather"]

_STATED: Final = "stated in the scenario"


class Givens:
    """The inputs of a projection by name, in the order in which they were gathered."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self.by_name: dict[str, Given] = {}
        self.flags: list[str] = []

    def add(
        self, name: str, unit: str, value: float, source: str, evidence: str, *, spread: tuple[float, float] | None = None
    ) -> None:
        """Add an input; ``spread`` is its range as factors of its value, at the 10th and 90th percentile."""
        low, high = (value * spread[0], value * spread[1]) if spread else (None, None)
        self.by_name[name] = Given(name=name, unit=unit, value=value, low=low, high=high, source=source, evidence=evidence)

    def state(
        self, name: str, unit: str, value: float, *, default: str = "assumed", spread: tuple[float, float] | None = None
    ) -> None:
        """Add what the scenario states; what it leaves to its default has the evidence and the range of the default."""
        source, evidence = origin_of(self._scenario, name)
        is_stated = evidence == "stated"
        self.add(name, unit, value, source, evidence if is_stated else default, spread=None if is_stated else spread)

    def measure(self, name: str, unit: str, found: Measurement, what: str, factor: float = 1.0) -> None:
        """Add a measured rate with the medians of its invocations."""
        by_invocation: dict[int, list[float]] = {}
        for sample in found.samples:
            by_invocation.setdefault(sample.invocation, []).append(sample.value * factor)
        medians = tuple(statistics.median(values) for values in by_invocation.values())
        conditions = ", ".join(f"{key} {value}" for key, value in found.conditions.items() if not isinstance(value, dict | list))
        self.by_name[name] = Given(
            name=name, unit=unit, value=found.median * factor, low=found.interval_low * factor, high=found.interval_high * factor,
            samples=medians, source=f"measured here: {what} ({found.metric}; {conditions})", evidence="measured",
        )  # fmt: skip


def gather(
    scenario: Scenario, profile: DatasetProfile | None, measured: MeasurementSet | None, left_out: Collection[str] = ()
) -> Givens:
    """Return every input of a scenario's projection.

    ``left_out`` names published runs and rates that are not to be used (``run``, ``accelerator.model``): a published system is
    not projected from itself.

    Raises
    ------
    ScenarioError
        If the dataset's size is neither stated nor profiled.
    """
    givens = Givens(scenario)
    givens.add("month_s", "s", MONTH_S, "1/12 of a Julian year", "published")
    _dataset(givens, scenario, profile)
    gather_storage(givens, scenario, measured)
    own_share(givens, "curation.own_share", scenario.curation, measured)
    gather_decoding(givens, scenario, profile, measured)
    if scenario.training is not None:
        gather_training(givens, scenario, scenario.training, measured, left_out)
    if scenario.inference is not None:
        check_load(scenario.inference, scenario.horizon_months)
        gather_inference(givens, scenario.inference, scenario.prices, measured)
    prices = scenario.prices
    givens.state("price.electricity_usd_per_j", "usd_per_j", prices.electricity)
    givens.state("price.carbon_g_per_j", "g_per_j", prices.carbon, default="published", spread=(0.5, 1.5))
    gather_costs(givens, scenario)
    if scenario.site.power_limit is not None:
        medium = media()[scenario.storage.medium]
        givens.state("site.power_limit_w", "w", scenario.site.power_limit)
        givens.add("drive.power_w", "w", float(medium.power), *medium.origin("power"))
    givens.state("price.pue_factor", "ratio", prices.pue, default="published")
    return givens


def _dataset(givens: Givens, scenario: Scenario, profile: DatasetProfile | None) -> None:
    start, where = scenario.dataset, "" if profile is None else f"profile of '{profile.name}', version {profile.version}"
    if start.images is not None:
        givens.state("start.images", "images", start.images)
    elif profile is not None and profile.image_count:
        givens.add("start.images", "images", profile.image_count, where, "measured")
    elif start.like is not None:
        known = collections()[start.like]
        givens.add("start.images", "images", known.images, *known.origin("images"))
    else:
        raise ScenarioError(
            "the scenario states no 'dataset.images' and no dataset was given; state it, or name one with --dataset"
        )
    if start.image_size is not None:
        givens.state("start.bytes_per_image", "bytes", start.image_size)
    elif profile is not None and profile.image_count:
        givens.add("start.bytes_per_image", "bytes", profile.mean_image_bytes, where, "measured")
    elif start.like is not None:
        known = collections()[start.like]
        givens.add("start.bytes_per_image", "bytes", known.size / known.images, *known.origin("images", "size"))
    else:
        raise ScenarioError(
            "the scenario states no 'dataset.image_size' and no dataset was given; state it, or name one with --dataset"
        )
    if start.kept is not None:
        givens.state("start.kept_share", "share", max(start.kept, 1e-6))
    elif profile is not None and profile.source_count:
        givens.add("start.kept_share", "share", max(profile.kept_share, 1e-6), where, "measured")
    else:
        givens.add("start.kept_share", "share", 0.9, "no dataset was curated; 90 % kept", "assumed", spread=(0.8, 1.1))
    _quarantined(givens, scenario, profile, where)
    _shard_overhead(givens, profile, where)
    check_growth(scenario, {name: given.value for name, given in givens.by_name.items()})
    spread = scenario.growth.uncertainty
    givens.add("growth.factor", "ratio", 1.0, _STATED, "assumed", spread=(1 - spread, 1 + spread) if spread else None)


def _quarantined(givens: Givens, scenario: Scenario, profile: DatasetProfile | None, where: str) -> None:
    """Add the share of what comes in that is refused: stated, profiled, or assumed."""
    stated = scenario.dataset.quarantined
    if stated is not None:
        givens.state("start.quarantined_share", "share", stated)
    elif profile is not None and profile.source_count:
        found = profile.states.get("quarantined", 0) / profile.source_count
        givens.add("start.quarantined_share", "share", found, where, "measured")
    else:
        givens.add("start.quarantined_share", "share", 0.01, "no dataset was curated; 1 % refused", "assumed", spread=(0.2, 3.0))


def _shard_overhead(givens: Givens, profile: DatasetProfile | None, where: str) -> None:
    """Add shard bytes per image byte: measured where the dataset is large enough that footers do not count."""
    if profile is not None and profile.image_bytes >= GB // 10:
        givens.add("start.shard_overhead_ratio", "ratio", profile.shard_bytes / profile.image_bytes, where, "measured")
    else:
        source = "Parquet with one metadata row per image; measured once a dataset of 100 MB or more is given"
        givens.add("start.shard_overhead_ratio", "ratio", 1.01, source, "assumed", spread=(0.995, 1.02))
