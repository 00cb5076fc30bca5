"""Models, devices and prices that a scenario describes itself: held against the same schema, and known only while it is used."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import UnitError, UsageError
from toolkit.projection.hardware_entries import KINDS
from toolkit.projection.hardware_own import checked_entries
from toolkit.units import parse_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["described", "local_entries"]

_NONE: Final[Mapping[str, Mapping[str, Any]]] = {}
_DESCRIBED: ContextVar[Mapping[str, Mapping[str, Any]]] = ContextVar("described", default=_NONE)

_BYTES_OF_MAC: Final = 0.006
"""Bytes of activations that training keeps for a multiply-accumulate, where they are not stated: 0.003 to 0.011 for the models
that come with the toolkit."""


def described(kind: str) -> Mapping[str, Any]:
    """Return the entries of a kind that the scenario in use describes."""
    return _DESCRIBED.get().get(kind, {})


@contextlib.contextmanager
def local_entries(raw: Any, known: Mapping[str, Mapping[str, dict[str, Any]]]) -> Iterator[None]:
    """Make what a scenario describes known while it is read or projected.

    Parameters
    ----------
    raw : mapping
        Entries by kind and name, as a file of hardware facts has them; source and date may be left out.
    known : mapping
        Entries that ``like`` may name.

    Raises
    ------
    UsageError
        If an entry does not fit; one sentence names it.
    """
    if not raw:
        yield
        return
    token = _DESCRIBED.set(checked_entries(_whole(raw), "'hardware'", known))
    try:
        yield
    finally:
        _DESCRIBED.reset(token)


def _whole(raw: Any) -> dict[str, dict[str, dict[str, Any]]]:
    """Return entries with what a scenario need not say of itself."""
    is_nested = isinstance(raw, Mapping) and all(
        isinstance(named, Mapping) and all(isinstance(facts, Mapping) for facts in named.values()) for named in raw.values()
    )
    if is_nested:
        unknown = [str(kind) for kind in raw if kind not in KINDS]
        if unknown:
            raise UsageError(f"'hardware': '{unknown[0]}' is not a kind of entry; there are {', '.join(KINDS)}")
    if not is_nested:
        said = "holds no entries: a kind, a name below it, its figures below that; docs/project.md shows one"
        raise UsageError(f"'hardware': {said}")
    entries = {}
    for kind, named in raw.items():
        entries[kind] = {str(name): _completed(kind, str(name), dict(facts)) for name, facts in named.items()}
    return entries


def _completed(kind: str, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    if "like" in facts:
        return facts
    facts = {"title": name, "source": "stated in the scenario", "as_of": "the scenario's date"} | facts
    if kind != "model":
        return facts
    if "forward_flop" in facts:
        try:
            facts["forward_macs"] = parse_quantity(facts.pop("forward_flop"), "flop") / 2
        except UnitError as fault:
            raise UsageError(f"'hardware': model '{name}': 'forward_flop': {fault}") from fault
    facts.setdefault("input_px", 224)
    if "activation" not in facts and _is_number(facts.get("forward_macs")):
        facts["activation"] = float(facts["forward_macs"]) * _BYTES_OF_MAC
    return facts


def _is_number(value: Any) -> bool:
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return False
