"""The user's own hardware facts: a file of entries, held against the same schema as those that come with the toolkit."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from toolkit.errors import MissingError, TonnageError, UsageError
from toolkit.projection.hardware_entries import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["add_entries", "checked_entries", "own_path", "read_entries"]

Raw = dict[str, dict[str, dict[str, Any]]]


def own_path() -> Path:
    """Return where the user's own facts lie: the file that ``TONNAGE_HARDWARE`` names, else the usual place."""
    named = os.environ.get("TONNAGE_HARDWARE")
    if named:
        return Path(named)
    settings = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(settings, "tonnage", "hardware.yaml")


def read_entries(path: str | Path) -> Raw:
    """Return the entries of a file, by kind and name, as they are written.

    Raises
    ------
    MissingError, UsageError
        If there is no such file, or it does not hold entries by kind and name.
    """
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as fault:
        raise MissingError(f"there are no hardware facts at '{path}'") from fault
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as fault:
        raise UsageError(f"'{path}' cannot be read as hardware facts: {' '.join(str(fault).split())}") from fault
    is_nested = isinstance(document, dict) and all(
        isinstance(entries, dict) and all(isinstance(facts, dict) for facts in entries.values()) for entries in document.values()
    )
    if not is_nested or not document:
        raise UsageError(f"'{path}' holds no entries: a kind, a name below it, its figures below that; docs/project.md shows one")
    unknown = [str(kind) for kind in document if kind not in KINDS]
    if unknown:
        raise UsageError(f"'{path}': '{unknown[0]}' is not a kind of entry; there are {', '.join(KINDS)}")
    entries: Raw = document
    return entries


def checked_entries(entries: Raw, place: str, known: Mapping[str, Mapping[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Return entries as records; one with ``like`` takes what it does not say from the known entry of that name.

    Raises
    ------
    UsageError
        If an entry does not fit; one sentence names the kind, the entry and the key.
    """
    return {
        kind: {str(name): _checked(kind, str(name), facts, place, known.get(kind, {})) for name, facts in named.items()}
        for kind, named in entries.items()
    }


def _checked(kind: str, name: str, facts: dict[str, Any], place: str, known: Mapping[str, dict[str, Any]]) -> Any:
    whole = dict(facts)
    model = whole.pop("like", None)
    if model is not None:
        if model not in known:
            listed = ", ".join(sorted(known))
            raise UsageError(f"{place}: {kind} '{name}': 'like' names '{model}', which is not there; there are {listed}")
        whole = known[model] | whole
    try:
        return KINDS[kind](**whole)
    except ValidationError as fault:
        problems = "; ".join(_sentence(kind, error) for error in fault.errors())
        raise UsageError(f"{place}: {kind} '{name}': {problems}") from fault
    except TonnageError as fault:
        raise UsageError(f"{place}: {kind} '{name}': {_blamed(kind, whole, fault)}") from fault


def _blamed(kind: str, whole: dict[str, Any], fault: TonnageError) -> str:
    """Return what is wrong with a quantity together with the key it stands at."""
    guilty = next((key for key, value in whole.items() if isinstance(value, str) and f"'{value}'" in str(fault)), None)
    return f"'{guilty}': {fault}" if guilty in KINDS[kind].model_fields else str(fault)


def _sentence(kind: str, error: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "it"
    if error["type"] == "missing":
        return f"'{key}' is missing"
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(key, KINDS[kind].model_fields, n=1)
        return f"'{key}' is not a key" + (f"; did you mean '{close[0]}'?" if close else "")
    said = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ").removeprefix(f"'{error.get('input')}': ")
    return f"'{key}' ('{error.get('input')}'): {said}"


def add_entries(path: str | Path, known: Mapping[str, Mapping[str, dict[str, Any]]], *, replace: bool = False) -> list[str]:
    """Add the entries of a file to the user's own, once all of them are found to fit; return what was added.

    Parameters
    ----------
    path : path
        The file with the entries.
    known : mapping
        Entries that come with the toolkit, by kind and name, which ``like`` may name.
    replace : bool
        Whether an entry of the user's own of the same name is replaced.

    Raises
    ------
    MissingError, UsageError
        If the file or an entry does not fit, or a name is taken and ``replace`` is not set; nothing is added then.
    """
    entries, target = read_entries(path), own_path()
    checked_entries(entries, f"'{path}'", known)
    mine = read_entries(target) if target.is_file() else {}
    taken = [f"{kind} '{name}'" for kind, named in entries.items() for name in named if name in mine.get(kind, {})]
    if taken and not replace:
        raise UsageError(f"there is already {taken[0]} in '{target}'; give --replace to put the new one in its place")
    merged = {kind: mine.get(kind, {}) | entries.get(kind, {}) for kind in KINDS if kind in mine or kind in entries}
    _write(target, merged)
    return [f"{kind} {name}" for kind, named in entries.items() for name in named]


def _write(target: Path, entries: Raw) -> None:
    """Write the file whole or not at all."""
    beside = target.with_name(target.name + ".new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(yaml.safe_dump(entries, sort_keys=False, allow_unicode=True), encoding="utf-8")
        beside.replace(target)
    except OSError as fault:
        raise UsageError(f"'{target}' cannot be written: {fault.strerror}; name another file in TONNAGE_HARDWARE") from fault
