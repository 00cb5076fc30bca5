"""Published figures recomputed: each case names a formula, its published inputs and what came out, and is held to its tolerance.

The cases are data (``cases/*.yaml``). ``tonnage validate``, the tests and the table in ``docs/validation.md`` read the same
files. Which of the formulas projections use, and which check the library, the table says; ``systems`` projects systems whole.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from toolkit.errors import MissingError, ScenarioError, TonnageError
from toolkit.projection.hardware_facts import accelerators, media, models
from toolkit.units import parse_quantity, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Case", "CaseResult", "recompute", "shipped_cases", "validate"]

_MODULES: Final = (
    "arithmetic", "caching", "demand", "economics", "growth", "inference", "memory", "model_shapes", "network", "ownership",
    "packaging", "parallel", "queueing", "reliability", "scaling", "storage", "training", "utilisation",
)  # fmt: skip
"""Modules whose formulas a case may name."""

_UNITS: Final = (
    "usd_per_j",
    "bytes_per_s",
    "images_per_s",
    "flop_per_s",
    "per_s",
    "bytes",
    "flop",
    "share",
    "usd",
    "s",
    "w",
    "j",
)
"""Endings of names whose inputs may be written as text with a unit, the longest first."""

_MISS_SHARE: Final = 0.03
"""How far the error of a case that is known to miss may move before that is a failure too."""


class Case(BaseModel):
    """A published figure, and what it is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: str
    """Short name, unique."""
    title: str
    """What it is, for people."""
    formula: str
    """Module and name of the formula, such as ``training.run_flop``."""
    inputs: dict[str, Any]
    """Its arguments: numbers, texts with units, ``{fact: ...}`` or ``{formula: ..., inputs: ...}``."""
    unit: str = ""
    """Unit of the result, by which texts of ``published`` and ``between`` are read."""
    published: float | str | None = None
    """What was published."""
    between: tuple[float | str, float | str] | None = None
    """What was published as a range, in place of one figure."""
    tolerance: Annotated[float, BeforeValidator(lambda text: parse_quantity(text, "share"))] = 0.0
    """How far the result may be off."""
    miss: Annotated[float | None, BeforeValidator(lambda text: None if text is None else parse_quantity(text, "share"))] = None
    """Error of a formula that is known not to reach this figure: told, not tuned away."""
    because: str = ""
    """Why it misses, or what the figure leaves open."""
    source: str
    """Where the figure and the inputs were published."""
    as_of: str
    """Year and month of the source."""

    @model_validator(mode="after")
    def _one_of(self) -> Case:
        if (self.published is None) == (self.between is None):
            raise ValueError("give published or between, and not both")
        if self.miss is not None and not self.because:
            raise ValueError("a case that misses says why in 'because'")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """A case, recomputed."""

    case: Case
    """The case."""
    value: float
    """What the formula gives."""

    @property
    def bounds(self) -> tuple[float, float]:
        """What was published: twice the figure, or the two ends of the range."""
        ends = self.case.between or (self.case.published, self.case.published)
        low, high = (_parsed(end, self.case.unit) for end in ends)
        return low, high

    @property
    def error_share(self) -> float:
        """Result over published figure, less 1; within a range 0."""
        low, high = self.bounds
        nearest = min(max(self.value, low), high)
        return self.value / nearest - 1 if nearest else self.value

    @property
    def is_within(self) -> bool:
        """Whether the error is within the tolerance, or what it is known to be."""
        if self.case.miss is not None:
            return abs(self.error_share - self.case.miss) <= _MISS_SHARE
        return abs(self.error_share) <= self.case.tolerance + 1e-12

    @property
    def published_shown(self) -> str:
        """What was published, for people."""
        low, high = (_shown(end, self.case.unit) for end in self.bounds)
        return low if low == high else f"{low} to {high}"

    @property
    def value_shown(self) -> str:
        """The result, for people."""
        return _shown(self.value, self.case.unit)

    @property
    def verdict(self) -> str:
        """``ok``, ``known miss``, or ``OUT OF TOLERANCE``."""
        return "OUT OF TOLERANCE" if not self.is_within else "ok" if self.case.miss is None else "known miss"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        low, high = self.bounds
        return self.case.model_dump(mode="json", exclude={"inputs"}) | {
            "published_low": low, "published_high": high, "value": self.value, "error_share": self.error_share,
            "is_within": self.is_within, "verdict": self.verdict,
        }  # fmt: skip


def _parsed(text: float | str | None, unit: str) -> float:
    if isinstance(text, str) and unit in _UNITS:
        return parse_quantity(text, unit)
    return float(text if text is not None else "nan")


def _shown(value: float, unit: str) -> str:
    return show(value, unit if unit in _UNITS else "", 4) if unit != "usd" else f"${value:,.2f}"


@functools.cache
def shipped_cases() -> tuple[Case, ...]:
    """Return the cases that come with the toolkit, in the order of their files."""
    folder = resources.files("toolkit.projection").joinpath("cases")
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".yaml")), key=lambda entry: entry.name)
    return tuple(case for entry in files for case in _read(entry.read_text(encoding="utf-8"), f"'{entry.name}'"))


def _read(text: str, place: str) -> list[Case]:
    try:
        listed = yaml.safe_load(text)
    except yaml.YAMLError as fault:
        raise ScenarioError(f"{place} is not valid YAML: {' '.join(str(fault).split())}") from fault
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise ScenarioError(f"{place} holds no list of cases; each begins with '- id: ...'")
    return [_case(entry, place) for entry in listed]


def _case(entry: dict[str, Any], place: str) -> Case:
    try:
        return Case(**entry)
    except ValidationError as fault:
        first = fault.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "it"
        raise ScenarioError(
            f"{place}, case '{entry.get('id', '?')}': '{key}': {first['msg'].removeprefix('Value error, ')}"
        ) from fault
    except TonnageError as fault:
        raise ScenarioError(f"{place}, case '{entry.get('id', '?')}': {fault}") from fault


def recompute(case: Case) -> CaseResult:
    """Return a case with what its formula gives.

    Raises
    ------
    ScenarioError
        If the case names a formula, an argument or a fact that does not exist, or a quantity that is none.

    Examples
    --------
    >>> case = Case(id="x", title="GPT-3", formula="training.run_flop", unit="flop", published=3.14e23, tolerance="3 %",
    ...             inputs={"samples": 300e9, "forward_mac_count": 175e9}, source="arXiv 2005.14165", as_of="2020-05")
    >>> result = recompute(case)
    >>> result.verdict, round(result.error_share, 3)
    ('ok', 0.003)
    """
    try:
        value = _called(case.formula, case.inputs)
        result = CaseResult(case=case, value=float(np.asarray(value)))
        result.bounds  # noqa: B018 -- a figure that is none is told here, not where it is first shown
    except (TypeError, ValueError, KeyError, AttributeError, TonnageError) as fault:
        raise ScenarioError(f"case '{case.id}': {fault}") from fault
    return result


def _called(name: str, inputs: dict[str, Any]) -> Any:
    """Return what a formula makes of inputs as a case writes them."""
    function = _formula(name)
    known = inspect.signature(function).parameters
    unknown = [argument for argument in inputs if argument not in known]
    if unknown:
        raise ValueError(f"'{unknown[0]}' is no argument of {name}; there are {', '.join(known)}")
    missing = [key for key, argument in known.items() if argument.default is argument.empty and key not in inputs]
    if missing:
        raise ValueError(f"{name} needs {', '.join(missing)}")
    return function(**{argument: _input(argument, value) for argument, value in inputs.items()})


def _formula(name: str) -> Callable[..., Any]:
    module_name, _, function_name = name.partition(".")
    if module_name not in _MODULES:
        raise ValueError(f"'{name}' is not a formula; the first part is one of {', '.join(_MODULES)}")
    module = importlib.import_module(f"toolkit.projection.{module_name}")
    if function_name not in module.__all__:
        raise ValueError(f"'{name}' is not a formula; there are {', '.join(module.__all__)}")
    function: Callable[..., Any] = getattr(module, function_name)
    return function


def _input(argument: str, value: Any) -> Any:
    if isinstance(value, dict) and "formula" in value:
        return _called(str(value["formula"]), dict(value.get("inputs", {})))
    if isinstance(value, dict) and "fact" in value:
        return _fact(str(value["fact"]))
    if isinstance(value, list):
        return [_input(argument, entry) for entry in value]
    if not isinstance(value, str):
        return value
    unit = _unit(argument)
    return parse_quantity(value, unit) if unit is not None else _number(value)


def _number(text: str) -> float | str:
    """Return text as a number, where it is one: YAML takes 1e9 for a word."""
    try:
        return float(text)
    except ValueError:
        return text


def _unit(argument: str) -> str | None:
    """Return the unit that an argument's name ends in; of ``bytes_per_image`` it is bytes."""
    names = (argument, argument.split("_per_", 1)[0])
    return next((unit for name in names for unit in _UNITS if name == unit or name.endswith(f"_{unit}")), None)


def _fact(path: str) -> float:
    """Return a figure of the hardware facts, such as ``models.vit_b16.forward_macs``."""
    kinds: dict[str, Any] = {"models": models(), "accelerators": accelerators(), "media": media()}
    found: Any = kinds
    for part in path.split("."):
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    return float(found)


def validate(paths: Sequence[str | Path] = ()) -> list[CaseResult]:
    """Return every case recomputed: those that come with the toolkit, or those in files of one's own.

    Raises
    ------
    MissingError, ScenarioError
        If a file is not there, or is no list of cases.
    """
    cases: Iterable[Case] = shipped_cases()
    if paths:
        cases = [case for path in paths for case in _read(_text(Path(path)), f"'{path}'")]
    return [recompute(case) for case in cases]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as fault:
        raise MissingError(f"there are no cases at '{path}'") from fault
    except (OSError, UnicodeDecodeError) as fault:
        raise ScenarioError(f"'{path}' cannot be read as cases: {fault}") from fault
