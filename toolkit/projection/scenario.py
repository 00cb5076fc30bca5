"""A scenario: what a projection is asked, as a typed document with units in plain text.

Everything has a default that says where it comes from, so that a scenario states only what differs. All problems are
found at once and named by key, value and what is allowed.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ValidationError

from toolkit.errors import MissingError, ScenarioError, TonnageError
from toolkit.projection.scenario_parts import (
    Component,
    Curation,
    DatasetStart,
    Growth,
    Inference,
    Network,
    Prices,
    Protection,
    Purchase,
    Scenario,
    Site,
    Storage,
    Training,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Component", "Curation", "DatasetStart", "Growth", "Inference", "Network", "Prices", "Protection", "Purchase", "Scenario",
    "Site", "Storage", "Training", "load_scenario", "scenario_problems",
]  # fmt: skip


def load_scenario(scenario: Scenario | Mapping[str, Any] | str | Path) -> Scenario:
    """Return the scenario in a mapping, or in a YAML or JSON file.

    Raises
    ------
    MissingError
        If there is no such file.
    ScenarioError
        If it is not a scenario; one sentence names every key, its value and what is allowed.
    """
    if isinstance(scenario, Scenario):
        return scenario
    if not isinstance(scenario, str | Path):
        return _validated(dict(scenario), "the scenario", Path())
    document, path = _document(scenario), Path(scenario)
    return _validated(document, f"'{path}'", path.parent)


def scenario_problems(path: str | Path) -> list[str]:
    """Return everything that is wrong with a scenario's file, one sentence each; an empty list if nothing is.

    Raises
    ------
    MissingError, ScenarioError
        If there is no such file, or it holds no mapping.
    """
    document = _document(path)
    try:
        Scenario.model_validate(document, context={"folder": Path(path).parent})
    except ValidationError as fault:
        return [_sentence(error) for error in fault.errors()]
    except TonnageError as fault:
        return [str(fault)]
    return []


def _document(place: str | Path) -> dict[str, Any]:
    path = Path(place)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as fault:
        raise MissingError(f"there is no scenario at '{path}'") from fault
    except (OSError, UnicodeDecodeError) as fault:
        raise ScenarioError(f"'{path}' cannot be read as a scenario: {fault}") from fault
    try:
        document = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as fault:
        raise ScenarioError(f"'{path}' is not valid {path.suffix or 'YAML'}: {' '.join(str(fault).split())}") from fault
    if not isinstance(document, dict):
        raise ScenarioError(f"'{path}' holds no mapping; a scenario begins with 'name: ...'")
    return document


def _validated(document: dict[str, Any], place: str, folder: Path) -> Scenario:
    try:
        return Scenario.model_validate(document, context={"folder": folder})
    except ValidationError as fault:
        problems = "; ".join(_sentence(error) for error in fault.errors())
        raise ScenarioError(f"{place}: {problems}") from fault
    except TonnageError as fault:
        raise ScenarioError(f"{place}: {fault}") from fault


def _sentence(error: Mapping[str, Any]) -> str:
    """Return one problem with its key, its value and what is allowed."""
    parts = [
        str(part) for part in error["loc"] if not str(part).startswith(("function-", "literal", "float", "constrained", "[key"))
    ]
    key = ".".join(parts) or "it"
    value = error.get("input")
    if error["type"] == "extra_forbidden":
        allowed = _keys(parts[:-1])
        close = difflib.get_close_matches(parts[-1], allowed, n=1)
        return f"'{key}' is not a key" + (f"; did you mean '{close[0]}'?" if close else f"; there are {', '.join(allowed)}")
    if error["type"] in {"model_type", "model_attributes_type"}:
        return f"'{key}' ('{value}'): holds keys of its own; there are {', '.join(_keys(parts))}"
    if error["type"] == "missing":
        return f"'{key}' is missing"
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if not parts:
        return message
    shown = "" if isinstance(value, dict) or f"'{value}'" in message else f" ('{value}')"
    return f"'{key}'{shown}: {message}"


def _keys(path: list[str]) -> list[str]:
    """Return the keys allowed at a place."""
    part: Any = Scenario
    for name in path:
        field = getattr(part, "model_fields", {}).get(name)
        if field is None:
            break
        options = [field.annotation, *getattr(field.annotation, "__args__", ())]
        part = next((option for option in options if isinstance(option, type) and issubclass(option, BaseModel)), part)
    return sorted(getattr(part, "model_fields", {}))
