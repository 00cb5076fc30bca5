"""A calibration: laws fitted to measured points of one machine, with what each missed of points left out, and its range."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from toolkit.facts.saved import check_schema, read_facts, told_if_lacking, write_facts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["CalibratedLaw", "Calibration"]

CALIBRATION_SCHEMA: Final = "tonnage.calibration/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedLaw:
    """A law fitted to measured points."""

    name: str
    """``training_step``, ``latency.MODEL``, ``power``, ``scaling``, ``curation``, ``read``, ``decode``, ``transfer``."""
    title: str
    """A few words for people."""
    unit: str
    """Suffix of the unit of what it says."""
    formula: str
    """The law in words."""
    terms: Mapping[str, float]
    """Its terms, by names that end in their units."""
    left_out_error_share: float | None
    """What it missed of points that were left out of the fit: root mean square of the logarithm; None for too few points."""
    left_out_count: int | None = None
    """How many times points were left out: what few of them say is taken to be less sure; None for as sure as it is told."""
    point_count: int
    """Points that were fitted."""
    ranges: Mapping[str, tuple[float, float]]
    """What each thing that drives it ranged over in those points; beyond, it was not tried."""
    source: str
    """Where the points come from."""

    @property
    def off(self) -> str:
        """What it missed of points left out, in words."""
        return "not known how far" if self.left_out_error_share is None else f"{self.left_out_error_share:.1%}"

    def outside(self, **drivers: float) -> list[str]:
        """Return the drivers whose value lies outside what the law was fitted to.

        Examples
        --------
        >>> law = CalibratedLaw(name="power", title="", unit="w", formula="", terms={}, left_out_error_share=0.0,
        ...                     point_count=2, ranges={"load_share": (0.0, 0.8)}, source="")
        >>> law.outside(load_share=1.0), law.outside(load_share=0.5)
        (['load_share'], [])
        """
        known = {name: self.ranges[name] for name in drivers if name in self.ranges}
        slack = 1e-9
        return [
            name for name, (low, high) in known.items() if not low - slack * abs(low) <= drivers[name] <= high + slack * abs(high)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Laws of one machine, dated."""

    accelerator: str
    """Name of the accelerator in the hardware facts; empty where none was calibrated."""
    made_at: str
    """UTC, ISO 8601."""
    host: str
    """Where the points were taken, as far as it is known."""
    laws: tuple[CalibratedLaw, ...] = field(repr=False)
    """What was fitted."""
    flags: tuple[str, ...] = ()
    """Warnings, one sentence each."""

    def law(self, name: str) -> CalibratedLaw | None:
        """Return the law of a name, or None."""
        return next((law for law in self.laws if law.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, with the schema version."""
        return {"schema": CALIBRATION_SCHEMA} | dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Return the calibration held in plain JSON types.

        Raises
        ------
        DatasetError
            If it is of another schema, or lacks something.
        """
        remedy = "make it again with: tonnage calibrate"
        check_schema(facts, CALIBRATION_SCHEMA, "a calibration", remedy)
        with told_if_lacking("calibration", remedy):
            laws = tuple(
                CalibratedLaw(**(law | {"ranges": {name: tuple(ends) for name, ends in law["ranges"].items()}}))
                for law in facts["laws"]
            )
            return cls(
                accelerator=facts["accelerator"], made_at=facts["made_at"], host=facts["host"], laws=laws,
                flags=tuple(facts["flags"]),
            )  # fmt: skip

    def save(self, path: str | Path) -> Path:
        """Write JSON to ``path`` and return it."""
        return write_facts(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the calibration saved at ``path``."""
        return cls.from_dict(read_facts(path, "calibration"))

    def __repr__(self) -> str:
        told = ", ".join(f"{law.name} ({law.point_count} points, {law.off} off)" for law in self.laws)
        return f"<Calibration of {self.accelerator or self.host!r}, {self.made_at}: {told}>"
