"""Every prediction beside its measurement: a trial's small sizes, what the projection makes of them, and what was then seen."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolkit.backtesting.predicting import laws_by_trial, pooled_law
from toolkit.backtesting.projecting import by_formula, calibration_of, from_projection, projection_of, terms_of
from toolkit.facts.backtests import FittedLaw, Observation, Prediction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.backtesting.kinds import Kind
    from toolkit.backtesting.projecting import Expected
    from toolkit.facts import DatasetProfile
    from toolkit.laws.extrapolating import Extrapolation

    Laws = Mapping[str, Mapping[int, Extrapolation]]

__all__ = ["scored"]

_LEAST_SIZES: Final = 3
_SOME_IMAGES: Final = 1_000


def scored(
    kinds: Sequence[Kind], observed: Sequence[Observation], profile: DatasetProfile, core_count: int
) -> tuple[tuple[FittedLaw, ...], tuple[Prediction, ...], tuple[str, ...]]:
    """Return the fitted laws, every prediction beside its measurement, and what could not be told.

    Parameters
    ----------
    kinds : sequence of Kind
        What was measured.
    observed : sequence of Observation
        Small sizes (factor at most 1), which alone are fitted, and large ones. Each trial predicts its own large sizes from
        its own small ones.
    profile : DatasetProfile
        Of the dataset whose images were taken; its counts and bytes are replaced by those of the small sizes.
    core_count : int
        Cores that curated.
    """
    small, large = ([o for o in observed if (o.size_factor <= 1) == is_small] for is_small in (True, False))
    usable = [kind for kind in kinds if _is_measured(kind.name, small, large)]
    flags = [f"{kind.title.lower()} could not be measured at every size, and is left out" for kind in kinds if kind not in usable]
    laws = {kind.name: laws_by_trial(kind, _of(kind.name, small), _of(kind.through, small)) for kind in usable}
    predictions: list[Prediction] = []
    trials = sorted({o.trial_index for o in large})
    for trial in trials:
        asked = [o for o in large if o.trial_index == trial and any(kind.name == o.kind for kind in usable)]
        counted = [o for o in small if o.trial_index == trial]
        predictions += _of_trial(
            usable, {name: found[trial] for name, found in laws.items()}, counted, asked, profile, core_count
        )
    order = {kind.name: place for place, kind in enumerate(kinds)}
    told = [_law(kind, small) for kind in usable]
    return tuple(told), tuple(sorted(predictions, key=lambda p: order[p.kind])), tuple(flags)


def _is_measured(name: str, small: Sequence[Observation], large: Sequence[Observation]) -> bool:
    """Whether every trial that predicts a kind has seen enough small sizes of it."""
    trials = {o.trial_index for o in large}
    return bool(_of(name, large)) and all(
        len({o.size_factor for o in small if o.kind == name and o.trial_index == trial}) >= _LEAST_SIZES for trial in trials
    )


def _of(name: str, observed: Sequence[Observation]) -> list[Observation]:
    return [o for o in observed if o.kind == name] if name else []


def _of_trial(
    kinds: Sequence[Kind],
    laws: Mapping[str, Extrapolation],
    small: Sequence[Observation],
    asked: Sequence[Observation],
    profile: DatasetProfile,
    core_count: int,
) -> list[Prediction]:
    expected: dict[tuple[str, float], Expected] = {}
    counts = sorted({o.driver_count for o in asked if o.kind == "image_bytes"})
    for count in counts:
        projected = [kind for kind in kinds if kind.quantity and kind.driver == "images"]
        expected |= _projected(projected, laws, _profile_of_small(profile, small), count, core_count)
    for kind in kinds:
        for size in sorted({o.driver_count for o in asked if o.kind == kind.name}):
            if kind.quantity and kind.driver == "bytes":
                expected |= _read(kind, laws[kind.name], profile, size, core_count)
            elif not kind.quantity and kind.through:
                before, law = expected[kind.through, size], laws[kind.through]
                expected[kind.name, size] = by_formula(kind, laws[kind.name], before.p50, law.error_share(size))
            elif not kind.quantity:
                expected[kind.name, size] = by_formula(kind, laws[kind.name], size)
    return [_prediction(o, expected[o.kind, o.driver_count]) for o in asked]


def _projected(
    kinds: Sequence[Kind], laws: Mapping[str, Extrapolation], profile: DatasetProfile, count: float, core_count: int
) -> dict[tuple[str, float], Expected]:
    """Return what a projection of so many images expects: of their bytes, and of the batch that they come in as."""
    image_bytes = laws["image_bytes"].value(count) if "image_bytes" in laws else 0.0
    sizes = {kind: image_bytes if kind.through else count for kind in kinds}
    calibration = calibration_of({kind: (laws[kind.name], size) for kind, size in sizes.items()})
    projection = projection_of(profile, count, core_count, calibration)
    return {(kind.name, count): from_projection(projection, kind.quantity) for kind in kinds}


def _profile_of_small(profile: DatasetProfile, small: Sequence[Observation]) -> DatasetProfile:
    """Return the profile of the small collections of a trial, all together."""
    counted = {name: _of(name, small) for name in ("image_bytes", "shard_bytes")}
    image_count = round(sum(o.driver_count for o in counted["image_bytes"]))
    image_bytes, shard_bytes = (round(sum(o.value for o in counted[name])) for name in ("image_bytes", "shard_bytes"))
    return _profile(profile, image_count, image_bytes, shard_bytes)


def _read(
    kind: Kind, law: Extrapolation, profile: DatasetProfile, size: float, core_count: int
) -> dict[tuple[str, float], Expected]:
    """Return what a projection of a dataset whose shards have so many bytes expects of reading them."""
    counted = calibration_of({kind: (law, size)})
    known = dataclasses.replace(
        counted.laws[0], name="shards", formula="as counted", terms={"slope": 1.0}, left_out_error_share=0.0
    )  # fmt: skip
    whole = _profile(profile, _SOME_IMAGES, round(size), round(size))
    projection = projection_of(whole, _SOME_IMAGES, core_count, dataclasses.replace(counted, laws=(*counted.laws, known)))
    return {(kind.name, size): from_projection(projection, kind.quantity)}


def _profile(profile: DatasetProfile, image_count: int, image_bytes: int, shard_bytes: int) -> DatasetProfile:
    return dataclasses.replace(
        profile, location=str(Path(profile.location) / "none"), source_count=image_count, source_bytes=image_bytes,
        image_count=image_count, image_bytes=image_bytes, shard_bytes=shard_bytes, states={"kept": image_count},
    )  # fmt: skip


def _law(kind: Kind, small: Sequence[Observation]) -> FittedLaw:
    found = pooled_law(kind, _of(kind.name, small), _of(kind.through, small))
    of = f" of {kind.through}" if kind.through else f" of {kind.driver}"
    return FittedLaw(
        kind=kind.name, title=kind.title, unit=kind.unit, driver=kind.driver, formula=f"{found.law.name} law{of}",
        terms=terms_of(kind, found), noise_share=found.noise_share, limits=kind.limits,
    )  # fmt: skip


def _prediction(seen: Observation, said: Expected) -> Prediction:
    return Prediction(
        kind=seen.kind, trial_index=seen.trial_index, driver_count=seen.driver_count, size_factor=seen.size_factor,
        p10=said.p10, p50=said.p50, p90=said.p90, value=seen.value, predicted_by=said.predicted_by,
    )  # fmt: skip
