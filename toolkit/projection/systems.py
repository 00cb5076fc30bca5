"""Published systems projected whole: a scenario goes in, and what was published must lie within the range that comes out."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from toolkit.errors import ScenarioError, TonnageError
from toolkit.projection.givens import gather
from toolkit.projection.run import drawn
from toolkit.projection.scenario import load_scenario
from toolkit.units import parse_quantity, show

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["System", "SystemResult", "project_system", "project_systems", "shipped_systems"]

_DRAWS: Final = 1_000


class System(BaseModel):
    """A published system: the scenario of it, and what was published."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: str
    """Short name, unique."""
    title: str
    """What it is, for people."""
    scenario: dict[str, Any]
    """The scenario, without its name and its months."""
    quantity: str
    """Quantity that was published."""
    published: float | str
    """What was published."""
    left_out: tuple[str, ...] = ()
    """Published runs and rates that rest on this very system and are not used."""
    factor: Annotated[float, Field(ge=1)] = 1.0
    """How far the middle may be off instead, where little of the quantity is uncertain."""
    miss: bool = False
    """Whether it is known not to be reached: told, not tuned away."""
    because: str = ""
    """Why it misses."""
    source: str
    """Where it was published."""
    as_of: str
    """Year and month of the source."""

    @model_validator(mode="after")
    def _says_why(self) -> System:
        if self.miss and not self.because:
            raise ValueError("a system that misses says why in 'because'")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemResult:
    """A published system, projected."""

    system: System
    """The system."""
    unit: str
    """Unit of the quantity."""
    p10: float
    """10th percentile of the projection."""
    p50: float
    """Median."""
    p90: float
    """90th percentile."""

    @property
    def published(self) -> float:
        """What was published, in its base unit."""
        stated = self.system.published
        return parse_quantity(stated, self.unit) if isinstance(stated, str) else float(stated)

    @property
    def is_reached(self) -> bool:
        """Whether what was published lies within the range, or within the factor of the middle."""
        ratio = self.p50 / self.published
        return self.p10 <= self.published <= self.p90 or 1 / self.system.factor <= ratio <= self.system.factor

    @property
    def is_as_told(self) -> bool:
        """Whether it is reached, or is known not to be."""
        return self.is_reached is not self.system.miss

    @property
    def error_share(self) -> float:
        """Median over published, less 1."""
        return self.p50 / self.published - 1

    @property
    def verdict(self) -> str:
        """``within``, ``known miss``, ``OUT OF RANGE``, or that a known miss is none any more."""
        if self.system.miss:
            return "known miss" if not self.is_reached else "A KNOWN MISS IS REACHED"
        return "within" if self.is_reached else "OUT OF RANGE"

    @property
    def shown(self) -> tuple[str, str, str, str]:
        """Published, p10, p50 and p90 for people."""
        published, low, middle, high = (show(v, self.unit, 4) for v in (self.published, self.p10, self.p50, self.p90))
        return published, low, middle, high

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return self.system.model_dump(mode="json") | {
            "unit": self.unit, "published_figure": self.published, "p10": self.p10, "p50": self.p50, "p90": self.p90,
            "error_share": self.error_share, "is_reached": self.is_reached, "verdict": self.verdict,
        }  # fmt: skip


@functools.cache
def shipped_systems() -> tuple[System, ...]:
    """Return the published systems that come with the toolkit, in the order of their file."""
    text = resources.files("toolkit.projection").joinpath("cases", "systems", "systems.yaml").read_text(encoding="utf-8")
    return tuple(System(**_numbers(entry)) for entry in yaml.safe_load(text))


def _numbers(entry: Any) -> Any:
    """Return a document with its numbers as such: YAML takes 413e6 for a word."""
    if isinstance(entry, dict):
        return {key: _numbers(value) for key, value in entry.items()}
    if isinstance(entry, str) and entry[:1].isdigit():
        try:
            return float(entry)
        except ValueError:
            return entry
    return entry


def project_system(system: System, draws: int = _DRAWS) -> SystemResult:
    """Return a published system with what the projection of its scenario gives at the first month.

    It takes the path of ``toolkit.project``: the same inputs, draws and formulas, without the plan and the tables.

    Raises
    ------
    ScenarioError
        If its scenario is none, or has no such quantity.
    """
    try:
        scenario = load_scenario({"name": system.id, "horizon_months": 1, "growth": {"uncertainty": 0}} | system.scenario)
        ledger, _ = drawn(scenario, gather(scenario, None, None, system.left_out), draws, 0)
        unit = ledger.unit(system.quantity)
    except KeyError as fault:
        raise ScenarioError(f"system '{system.id}': its scenario has no quantity {fault}") from fault
    except TonnageError as fault:
        raise ScenarioError(f"system '{system.id}': {fault}") from fault
    p10, p50, p90 = (float(part[0]) for part in ledger.percentiles(system.quantity))
    return SystemResult(system=system, unit=unit, p10=p10, p50=p50, p90=p90)


def project_systems(systems: Sequence[System] | None = None) -> list[SystemResult]:
    """Return every published system projected: by default those that come with the toolkit."""
    return [project_system(system) for system in (shipped_systems() if systems is None else systems)]
