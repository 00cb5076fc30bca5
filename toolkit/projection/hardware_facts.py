"""Hardware, models, datasets and prices as data: what comes with the toolkit, and what the user added.

The files lie in ``toolkit/projection/hardware/``; the user's own in the file that ``TONNAGE_HARDWARE`` names, else in
``~/.config/tonnage/hardware.yaml``. A price or rate that is not known is null and shows as "needs input".
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, cast

import yaml

from toolkit.errors import UsageError
from toolkit.projection.hardware_entries import (
    KINDS,
    Accelerator,
    Collection,
    Instance,
    Medium,
    Model,
    NetworkCard,
    Processor,
    Rack,
    Serving,
    Switch,
    Tier,
    TrainingRun,
)
from toolkit.projection.hardware_local import described, local_entries
from toolkit.projection.hardware_own import checked_entries, own_path, read_entries

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Mapping

__all__ = [
    "Accelerator", "Collection", "Instance", "Medium", "Model", "NetworkCard", "Processor", "Rack", "Serving", "Switch", "Tier",
    "TrainingRun", "accelerators", "cards", "collections", "described_in", "figure", "hardware_kinds", "instances", "media",
    "models", "pick", "processors", "racks", "runs", "shipped_facts", "switches", "tiers",
]  # fmt: skip

_FILES: Final = {
    "accelerator": "accelerators.yaml", "model": "models.yaml", "medium": "storage.yaml", "processor": "processors.yaml",
    "nic": "cards.yaml", "switch": "switches.yaml", "rack": "racks.yaml", "tier": "tiers.yaml", "instance": "instances.yaml",
    "dataset": "datasets.yaml", "run": "runs.yaml",
}  # fmt: skip


@functools.cache
def shipped_facts(kind: str) -> dict[str, dict[str, Any]]:
    """Return the entries of a kind that come with the toolkit, as their file has them."""
    text = resources.files("toolkit.projection").joinpath("hardware", _FILES[kind]).read_text(encoding="utf-8")
    facts: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return facts


@functools.cache
def _shipped(kind: str) -> dict[str, Any]:
    return {name: KINDS[kind](**facts) for name, facts in shipped_facts(kind).items()}


@functools.lru_cache(maxsize=64)
def _with_own(kind: str, path: str, changed_ns: int) -> dict[str, Any]:
    """Return the entries of a kind, those of the user's file over the others; the file is read again when it changes."""
    place = f"'{path}'"
    own = checked_entries(read_entries(path), place, {kind: shipped_facts(kind) for kind in KINDS}) if changed_ns else {}
    return _shipped(kind) | own.get(kind, {})


def _entries(kind: str) -> dict[str, Any]:
    path = own_path()
    changed_ns = path.stat().st_mtime_ns if path.is_file() else 0
    found, local = _with_own(kind, str(path), changed_ns), described(kind)
    return found | dict(local) if local else found


def described_in(scenario: Any) -> contextlib.AbstractContextManager[None]:
    """Return what makes the entries of a scenario's ``hardware`` known while it is read or projected."""
    return local_entries(scenario, {kind: shipped_facts(kind) for kind in KINDS} if scenario else {})


def accelerators() -> dict[str, Accelerator]:
    """Return the accelerators by name."""
    return cast("dict[str, Accelerator]", _entries("accelerator"))


def models() -> dict[str, Model]:
    """Return the models by name."""
    return cast("dict[str, Model]", _entries("model"))


def media() -> dict[str, Medium]:
    """Return the storage media and systems by name."""
    return cast("dict[str, Medium]", _entries("medium"))


def processors() -> dict[str, Processor]:
    """Return the processors by name."""
    return cast("dict[str, Processor]", _entries("processor"))


def cards() -> dict[str, NetworkCard]:
    """Return the network cards by name."""
    return cast("dict[str, NetworkCard]", _entries("nic"))


def switches() -> dict[str, Switch]:
    """Return the switches by name."""
    return cast("dict[str, Switch]", _entries("switch"))


def racks() -> dict[str, Rack]:
    """Return the racks by name."""
    return cast("dict[str, Rack]", _entries("rack"))


def tiers() -> dict[str, Tier]:
    """Return the classes of rented storage by name."""
    return cast("dict[str, Tier]", _entries("tier"))


def instances() -> dict[str, Instance]:
    """Return the rented machines by name."""
    return cast("dict[str, Instance]", _entries("instance"))


def collections() -> dict[str, Collection]:
    """Return the published datasets by name."""
    return cast("dict[str, Collection]", _entries("dataset"))


def runs() -> dict[str, TrainingRun]:
    """Return the published training runs by name."""
    return cast("dict[str, TrainingRun]", _entries("run"))


def hardware_kinds() -> dict[str, Mapping[str, Any]]:
    """Return every entry by kind and name."""
    return {kind: _entries(kind) for kind in KINDS}


def figure(fact: Any, name: str) -> float | None:
    """Return a figure of an entry, or nothing where it is not known."""
    value = getattr(fact, name)
    return None if value is None else float(value)


def pick(kind: Mapping[str, Any], name: str, what: str) -> Any:
    """Return an entry by name.

    Raises
    ------
    UsageError
        If there is none; the message lists those there are.
    """
    if name not in kind:
        raise UsageError(f"'{name}' is not a known {what}; there are {', '.join(sorted(kind))}")
    return kind[name]
