"""Words for what a scenario says: each key with its unit, as the scenario's types have it; what does not apply is left out."""

from __future__ import annotations

import functools
import typing
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from toolkit.projection.scenario import Scenario
from toolkit.projection.scenario_types import quantity
from toolkit.reporting.wording import shorten
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["does_apply", "key_units", "key_words", "stated"]

_CELL_LETTERS: Final = 160
_UNITS: Final = ("bytes", "bytes_per_s", "s", "w", "usd", "usd_per_j", "g_per_j", "share", "per_s", "pixels")
"""Units that a scenario's keys are written in."""

_NOUNS: Final = ("images", "images_per_month", "ceiling_images")
"""Keys without a unit of their own that count images."""

_OF_KINDS: Final = {
    "growth.images_per_month": {"linear"},
    "growth.yearly_factor": {"exponential", "logistic"},
    "growth.ceiling_images": {"logistic"},
}
"""Keys that mean something for some kinds of growth only: elsewhere they hold a default that nobody reads."""


@functools.cache
def key_units() -> dict[str, str]:
    """Return the unit of every key of a scenario that has one, by its dotted name.

    Examples
    --------
    >>> units = key_units()
    >>> units["dataset.image_size"], units["training.deadline"], units["inference.device_power_limit"]
    ('bytes', 's', 'w')
    """
    return dict(_walked(Scenario, "", {id(quantity(unit)): unit for unit in _UNITS}))


def _walked(part: type[BaseModel], before: str, units: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    for name, field in part.model_fields.items():
        for kind, marks in _kinds(field.annotation, tuple(field.metadata)):
            unit = next((units[id(mark)] for mark in marks if id(mark) in units), "")
            if unit:
                yield f"{before}{name}", unit
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _walked(kind, f"{before}{name}.", units)


def _kinds(annotation: Any, marks: tuple[Any, ...]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield the plain types within a type, each with its marks: of ``list[Component] | None`` it is ``Component``."""
    marks += tuple(getattr(annotation, "__metadata__", ()))
    inner = typing.get_args(annotation)
    if not inner or typing.get_origin(annotation) is typing.Literal:
        yield annotation, marks
        return
    for part in inner:
        if part is not type(None):
            yield from _kinds(part, marks)


def key_words(key: str) -> str:
    """Return a dotted key as words.

    Examples
    --------
    >>> key_words("training.runs_per_month")
    'training: runs per month'
    """
    return key.replace("_", " ").replace(".", ": ")


def does_apply(key: str, growth_kind: str | None) -> bool:
    """Return whether a key says something for a scenario that grows in a way; where that is not known it does."""
    return growth_kind is None or growth_kind in _OF_KINDS.get(key, {growth_kind})


def stated(key: str, value: Any) -> str:
    """Return what a scenario says under a key as words, with its unit.

    Examples
    --------
    >>> stated("dataset.image_size", 250_000.0), stated("training.deadline", 1_209_600.0), stated("dataset.images", 2e7)
    ('250 kB', '14 days', '20 M images')
    >>> stated("dataset.components", [{"name": "clips", "samples": 2.5e6, "sample_size": 3e7}]), stated("x", None)
    ('name clips, samples 2.5 M, sample size 30 MB', 'not stated')
    """
    if value is None:
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shorten(_words(key, value), _CELL_LETTERS)


def _words(key: str, value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return show(value, key_units().get(key) or _unit(key, float(value)))
    if isinstance(value, list | tuple):
        return "; ".join(_words(key, part) for part in value) or "none"
    if isinstance(value, dict):
        parts = (f"{str(name).replace('_', ' ')} {_words(f'{key}.{name}', part)}" for name, part in value.items())
        return ", ".join(parts) or "none"
    return str(value)


def _unit(key: str, value: float) -> str:
    if key.rpartition(".")[2] in _NOUNS:
        return "images"
    return "count" if value.is_integer() else ""
