"""Laws fitted to measurements, and what they say of levels that were measured and of some beyond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Model", "Prediction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says of one level of what was varied."""

    level: float
    """Members (threads, workers, nodes) or bytes of a request."""
    value: float | None
    """The figure, in the model's unit; None where the model reaches too far for one."""
    low: float | None
    """Lower end of the 95 % interval; None where none can be given."""
    high: float | None
    """Upper end; far beyond the measurements a bound that cannot be passed."""
    measured: float | None = None
    """What was measured at that level; None where nothing was."""
    is_beyond_data: bool = False
    """Whether no level as large (or as small) was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A law through measurements that differ in one condition, or a rate put together from those of stages."""

    metric: str
    """The measurement that was fitted, or is predicted."""
    title: str
    """A few words for people."""
    unit: str
    """Suffix of the unit of its predictions."""
    law: str
    """``linear``, ``saturation``, ``Amdahl``, ``universal scalability``, ``Hockney``, ``stage roofline``, ``shared cores``."""
    swept: str
    """The condition that differs: ``threads``, ``workers``, ``read_bytes``, ...; empty for rates put together from stages."""
    conditions: Mapping[str, Any]
    """What was equal."""
    parameters: Mapping[str, float]
    """What was fitted, names with units; for a stage roofline the rate that each stage alone would allow."""
    parameter_intervals: Mapping[str, tuple[float, float]]
    """Their 95 % intervals, where they are known."""
    left_out_share: Mapping[str, float]
    """Each law that was tried, and by what share (of the logarithm) it missed the largest level when that was left out."""
    predictions: tuple[Prediction, ...]
    """What it says: of the levels measured, and of some beyond."""
    flags: tuple[str, ...] = ()
    """Warnings: ``beyond_data``, ``coherence_unidentified``, ``few_levels``, ``few_invocations``."""
    limits: str = ""
    """What it does not say."""

    def at(self, level: float) -> Prediction | None:
        """Return what it says of a level, or None where it was not asked."""
        return next((found for found in self.predictions if found.level == level), None)
