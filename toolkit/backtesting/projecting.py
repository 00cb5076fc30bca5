"""Larger sizes as the projection sees them: small sizes reach it as a profile and a calibration, and it says the rest.

Nothing is predicted here by a formula of its own. What the projection has as a quantity is read from a projection, interval
and all; what it has as a formula only is asked of that formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit.facts.calibrations import CalibratedLaw, Calibration
from toolkit.projection import network, traffic
from toolkit.projection.run import project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.backtesting.kinds import Kind
    from toolkit.facts import DatasetProfile
    from toolkit.laws.extrapolating import Extrapolation
    from toolkit.projection.result import Projection

__all__ = ["Expected", "by_formula", "calibration_of", "from_projection", "projection_of"]

_DRAWS: Final = 1_000
_TINY: Final = 1e-300
_FORMULAS: Final[dict[str, tuple[Any, tuple[float, ...]]]] = {
    "transfer_s": (network.transfer_time, (1.0,)), "read_s": (traffic.read_through, ()), "verify_s": (traffic.read_through, ()),
    "loader_s": (traffic.read_through, ()),
}  # fmt: skip
"""Kinds that the projection has a formula for, but no quantity of its own: the formula of bytes, a rate and what it takes to
begin, and what it is given between the last two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is expected of one measurement."""

    p10: float
    """Lower end of its 80 % interval."""
    p50: float
    """The prediction."""
    p90: float
    """Upper end of the interval."""
    predicted_by: str
    """What gave it: a quantity of the projection, or a function, with its formula in words."""


def calibration_of(laws: Mapping[Kind, tuple[Extrapolation, float]]) -> Calibration:
    """Return what small sizes say as the calibration of a projection.

    Parameters
    ----------
    laws : mapping of Kind to (Extrapolation, float)
        The law of each kind, and the size that it will be asked for: how far it may be off there is the law's error.
    """
    return Calibration(
        accelerator="", made_at="", host="",
        laws=tuple(
            CalibratedLaw(
                name=kind.calibrates, title=kind.title, unit=kind.unit, formula=f"{law.law.name} in {kind.driver}",
                terms=terms_of(kind, law), left_out_error_share=law.error_share(size), ranges={},
                point_count=law.degree_count + len(law.factors), source="small sizes of this back-test",
            )
            for kind, (law, size) in laws.items()
        ),
    )  # fmt: skip


def terms_of(kind: Kind, law: Extrapolation) -> dict[str, float]:
    """Return the terms of a law by name; with the cores that shared the work, where that is needed to read them."""
    cores = {"core_count": float(kind.core_count)} if kind.core_count else {}
    return law.law.read(law.factors) | cores


def projection_of(profile: DatasetProfile, image_count: float, core_count: int, calibration: Calibration) -> Projection:
    """Return the projection of a collection of so many images, all of which come in as one batch."""
    scenario: dict[str, Any] = {
        "name": "back-test", "horizon_months": 1, "dataset": {"images": image_count, "kept": 1.0},
        "growth": {"kind": "linear", "images_per_month": image_count, "uncertainty": 0.0},
        "curation": {"batch_count": 1, "core_count": core_count},
    }  # fmt: skip
    return project(scenario, profile, [], calibration=calibration, draws=_DRAWS)


def from_projection(projection: Projection, quantity: str) -> Expected:
    """Return what a projection says of a quantity now, with its own interval."""
    said = projection.explanations[quantity]
    return Expected(
        p10=said.p10[0], p50=said.p50[0], p90=said.p90[0], predicted_by=f"project: {quantity} = {said.formula}"
    )  # fmt: skip


def by_formula(kind: Kind, law: Extrapolation, size: float, size_error_share: float = 0.0) -> Expected:
    """Return what a formula of the projection says of a size, or a law itself where there is none; the law gives the interval.

    ``size_error_share`` is how far the size itself may be off, where it is expected only.
    """
    if kind.name in _FORMULAS:
        (asked, between), terms = _FORMULAS[kind.name], law.law.read(law.factors)
        middle = float(asked(size, 1 / max(terms["slope"], _TINY), *between, terms["fixed"]))
        predicted_by = f"{asked.__module__}.{asked.__name__} = {asked.text}"
    else:
        middle = law.value(size)
        source = "toolkit.laws.fitting" if kind.law else "toolkit.laws.choosing.choose"
        predicted_by = f"{source}: {law.law.name} law of {kind.through or kind.driver}"
    low, high = law.ends(size, size_error_share)
    ratio = middle / law.value(size)
    return Expected(p10=low * ratio, p50=middle, p90=high * ratio, predicted_by=predicted_by)
