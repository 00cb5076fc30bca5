"""A scenario to begin with, and every key in force: what it is, its value, and where that comes from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from toolkit.projection.scenario_parts import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["explained_keys", "scenario_template"]

_EXAMPLES: Final = {
    "name": "My collection",
    "dataset.images": "1_000_000",
    "dataset.image_size": "200 kB",
    "inference.requests_per_s": "100",
}
"""Keys that a scenario needs and that have no default."""


def scenario_template() -> str:
    """Return a scenario in YAML with every key, what it is, and its default; keys with a default are commented out.

    Examples
    --------
    >>> "#   headroom: 0.2" in scenario_template()
    True
    """
    lines = [
        '# A scenario: what is projected. Write quantities with their unit ("40 TB", "100 Gb/s", "90 days", "20 %").',
        "# What stands behind a # has the default that is shown; take the # away to change it.",
        "#   tonnage scenario check THIS_FILE; tonnage scenario explain THIS_FILE; tonnage project THIS_FILE",
    ]
    _part(lines, Scenario, "", 0, is_written=True)
    return "\n".join(lines) + "\n"


def _part(lines: list[str], part: type[BaseModel], prefix: str, depth: int, *, is_written: bool) -> None:
    indent = "  " * depth
    for key, field in part.model_fields.items():
        path = f"{prefix}{key}"
        if depth == 0:
            lines.append("")
        lines += [f"{indent}# {line.strip()}" for line in (field.description or "").splitlines() if line.strip()]
        inner = _inner(field.annotation)
        if inner is not None and key != "components":
            is_there = path == "dataset"
            lines.append(f"{indent}{key}:" if is_there else f"# {indent}{key}:")
            _part(lines, inner, f"{path}.", depth + 1, is_written=is_there)
            continue
        if path in _EXAMPLES and is_written:
            lines.append(f"{indent}{key}: {_EXAMPLES[path]}")
        else:
            lines.append(f"# {indent}{key}: {_EXAMPLES.get(path) or _written(field.default)}")


def _inner(annotation: Any) -> type[BaseModel] | None:
    """Return the part that a key holds, if it holds one."""
    options = (annotation, *getattr(annotation, "__args__", ()))
    return next((option for option in options if isinstance(option, type) and issubclass(option, BaseModel)), None)


def _written(value: Any) -> str:
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        value = int(value)
    return json.dumps(value, default=str)


def explained_keys(scenario: Scenario) -> Iterator[tuple[str, str, str, str]]:
    """Yield every key in force: its name, its value, ``stated`` or ``default``, and what it is and where its default is from.

    Examples
    --------
    >>> found = {key: (value, by) for key, value, by, _ in explained_keys(Scenario(name="x", horizon_months=12))}
    >>> found["horizon_months"], found["storage.headroom"]
    (('12', 'stated'), ('0.2', 'default'))
    """
    yield from _explained(scenario, "", is_stated=True)


def _explained(part: BaseModel, prefix: str, *, is_stated: bool) -> Iterator[tuple[str, str, str, str]]:
    for key, field in type(part).model_fields.items():
        value = getattr(part, key)
        by = "stated" if is_stated and key in part.model_fields_set else "default"
        if isinstance(value, BaseModel):
            yield from _explained(value, f"{prefix}{key}.", is_stated=by == "stated")
        else:
            shown = [entry.model_dump(mode="json") for entry in value] if key == "components" else value
            yield f"{prefix}{key}", _written(shown), by, " ".join((field.description or "").split())
