"""Which measurements a projection rests on: those named, or the newest of the dataset and of the user's own steps."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import MissingError
from toolkit.facts import MeasurementSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.facts import Measurement

__all__ = ["measurements_of", "step_of"]


def measurements_of(given: Any, location: Path | None) -> MeasurementSet | None:
    """Return what is measured, as one set; None where nothing is.

    Parameters
    ----------
    given : MeasurementSet, path, or sequence of these, optional
        What the user names.
    location : Path, optional
        The dataset: without anything named, the newest run of ``measure`` that lies with it, and the newest
        ``measure_step`` of training and of inference.

    Raises
    ------
    MissingError
        If a file that was named does not exist.
    """
    if given is None:
        return _joined([MeasurementSet.load(path) for path in _newest(location)])
    several = list(given) if isinstance(given, list | tuple) else [given]
    return _joined([one if isinstance(one, MeasurementSet) else _loaded(Path(one)) for one in several])


def step_of(measured: MeasurementSet | None, kind: str, model: str, accelerator: str) -> tuple[Measurement | None, str]:
    """Return the measured rate of the user's own step for a model and device, and what is to be said of the choice.

    A step that names neither is taken for any, and that is said; one that names others is not taken.
    """
    for m in measured.measurements if measured is not None else ():
        if m.metric != f"step.{kind}_rate":
            continue
        named = {name: m.conditions.get(name) for name in ("model", "accelerator")}
        if all(value in {None, wanted} for value, wanted in zip(named.values(), (model, accelerator), strict=True)):
            unnamed = [name for name, value in named.items() if value is None]
            said = f"the {kind} step that was measured does not name its {' or '.join(unnamed)}: it is taken for the scenario's"
            return m, said if unnamed else ""
    return None, ""


def _newest(location: Path | None) -> list[Path]:
    if location is None:
        return []
    folder = location / "measurements"
    groups = [folder.glob("*.json"), *(folder.glob(f"steps/{kind}-*.json") for kind in ("training", "inference"))]
    return [newest for group in groups if (newest := max(group, default=None)) is not None]


def _loaded(path: Path) -> MeasurementSet:
    if not path.exists():
        raise MissingError(f"there are no measurements at '{path}'; make some with: tonnage measure DATASET")
    return MeasurementSet.load(path)


def _joined(sets: Sequence[MeasurementSet]) -> MeasurementSet | None:
    """Return the first whole run with the measurements of all; its environment is the set's."""
    if not sets:
        return None
    first = next((one for one in sets if one.plan != "step"), sets[0])
    others = [one for one in sets if one is not first]
    return dataclasses.replace(
        first,
        measurements=tuple(m for one in (first, *others) for m in one.measurements),
        models=tuple(model for one in (first, *others) for model in one.models),
    )
