"""What a stage is: something to measure, as data, with its conditions and its limit."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CeilingRule", "Stage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CeilingRule:
    """Which ceiling limits a stage, and how it is brought to the stage's unit."""

    metric: str
    """The ceiling."""
    match: Mapping[str, Any]
    """Conditions that the ceiling's setting must have; the best of those that do is used."""
    explanation: str
    """Why it limits the stage."""
    parallel_count: int = 1
    """How many of it the stage can use at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Something to measure."""

    metric: str
    """Dotted name."""
    title: str
    """A few words for people."""
    unit: str
    """Suffix of the unit of its value."""
    family: str
    """What ``only`` chooses it by; ``ceiling`` for ceilings."""
    limits: str
    """What its figure does not say."""
    conditions: Mapping[str, Any] = field(default_factory=dict)
    """What must be equal for two values to be comparable."""
    ceiling: CeilingRule | None = None
    """Its limit."""
    derived_from: str = ""
    """Key of the stage whose windows are read again in another unit; empty for one that has windows of its own."""
    figure: str = ""
    """What is taken of its windows where that is no rate and no time of an operation: ``cpu_per_image``, ``stall_share``."""
    window_s: float | None = None
    """Timed length of its windows; None for the plan's."""
    window_count: int | None = None
    """Windows in each invocation; None for the plan's."""

    @property
    def key(self) -> str:
        """Name and conditions in one text."""
        return json.dumps([self.metric, dict(self.conditions)], sort_keys=True)
