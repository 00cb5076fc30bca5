"""From measurements to models: laws through sweeps of members and sizes, each told how far it reaches."""

from __future__ import annotations

import json
import math
import re
import statistics
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.facts import Model, Prediction
from toolkit.laws.choosing import MEMBER_LAWS, choose
from toolkit.measurement.pipeline import pipeline_models
from toolkit.measurement.statistics import MIN_BOOTSTRAP_INVOCATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.facts import Measurement
    from toolkit.laws.choosing import ChosenLaw

__all__ = ["MEMBERS", "SIZES", "models_of"]

MEMBERS: Final = ("threads", "workers", "streams", "depth", "clients", "processes", "nodes")
"""Conditions that count members of a sweep."""

SIZES: Final = ("read_bytes", "range_bytes", "request_bytes", "size_bytes")
"""Conditions that are the size of one request."""

_SIZE: Final = re.compile(r" of [\d.,]+ (?:B|KiB|MiB|GiB)\b")
"""What a title says of the size that its sweep goes through."""

_AT_ONCE: Final = ("threads", "streams", "depth", "nodes")
"""Of these, the ones by which requests are in flight at the same time."""

_LEAST_LEVELS: Final = 3
_FEW_LEVELS: Final = 6
_FURTHER: Final = (2, 4, 16)
_RATES: Final = ("bytes_per_s", "images_per_s", "pixels_per_s", "flop_per_s")
_CONSTANT_RATIO: Final = 1.2
_LIMITS: Final = (
    "A law through what was measured here. Beyond the largest level it supposes that nothing new becomes scarce; further "
    "than twice that level no single figure is given, further than four times only what cannot be passed."
)


def models_of(found: Sequence[Measurement]) -> tuple[Model, ...]:
    """Return a model of every sweep with three levels or more, and what the stages of each loader together should reach."""
    return (*_swept(found), *pipeline_models(found))


def _swept(found: Sequence[Measurement]) -> Iterator[Model]:
    for names, law_names in ((MEMBERS, MEMBER_LAWS), (SIZES, ("Hockney",))):
        for name in names:
            for group in _groups(found, name):
                yield _model(group, name, law_names)


def _groups(found: Sequence[Measurement], name: str) -> list[list[Measurement]]:
    """Return the measurements that differ in one condition alone, where there are enough of them, by rising level."""
    groups: dict[str, dict[float, Measurement]] = {}
    for m in found:
        level = m.conditions.get(name)
        if m.unit in _RATES and isinstance(level, int | float) and level > 0 and m.median > 0:
            shared = {key: value for key, value in m.conditions.items() if key != name}
            key = json.dumps([m.metric, m.unit, shared], sort_keys=True, default=str)
            groups.setdefault(key, {})[float(level)] = m
    return [[group[level] for level in sorted(group)] for group in groups.values() if len(group) >= _LEAST_LEVELS]


def _model(group: Sequence[Measurement], name: str, law_names: Sequence[str]) -> Model:
    is_size = name in SIZES
    levels = [float(m.conditions[name]) for m in group]
    table = _table(group, levels, is_time=is_size)
    chosen = choose(levels, table, law_names)
    limit = math.inf if is_size else _limit(group)
    measured = {level: _middle(table[:, n]) for n, level in enumerate(levels)}
    asked = [*levels, *(levels[-1] * factor for factor in _FURTHER)]
    predictions = [_prediction(chosen, level, limit, measured.get(level)) for level in asked]
    first = group[0]
    return Model(
        metric=first.metric, title=_title(group, name),
        unit="s" if is_size else first.unit, law=chosen.law.name, swept=name,
        conditions={key: value for key, value in first.conditions.items() if key != name},
        parameters=_finite(chosen.parameters), parameter_intervals=_finite(chosen.parameter_intervals),
        left_out_share=chosen.left_out_share, predictions=tuple(predictions), flags=_flags(chosen, table), limits=_LIMITS,
    )  # fmt: skip


def _title(group: Sequence[Measurement], name: str) -> str:
    """Return what the titles of all levels have in common, and by what it was swept."""
    titles = [_SIZE.sub("", m.title) if name in SIZES else m.title for m in group]
    parts = [title.split(", ") for title in titles]
    shared = [part for part in parts[0] if all(part in others for others in parts)]
    return ", ".join([*(shared or parts[0][:1]), f"by {'size' if name in SIZES else name}"])


def _table(group: Sequence[Measurement], levels: Sequence[float], *, is_time: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the median of each invocation at each level: rates, or seconds of one request; NaN where there is none.

    What is in flight at once shares the rate: by Little's law a request takes their number times its size over the rate.
    """
    at_once = math.prod(int(group[0].conditions.get(name, 1)) for name in _AT_ONCE)
    invocations = sorted({sample.invocation for m in group for sample in m.samples})
    table = np.full((len(invocations), len(levels)), np.nan)
    for column, (m, level) in enumerate(zip(group, levels, strict=True)):
        for row, invocation in enumerate(invocations):
            values = [s.value for s in m.samples if s.invocation == invocation and s.value > 0]
            if values:
                table[row, column] = at_once * level / statistics.median(values) if is_time else statistics.median(values)
    return table


def _limit(group: Sequence[Measurement]) -> float:
    """Return the ceiling that holds for every level; infinity where there is none, or it grows with the level."""
    ceilings = [m.ceiling.value for m in group if m.ceiling is not None and "ceiling_understated" not in m.flags]
    if len(ceilings) < len(group) or max(ceilings) > _CONSTANT_RATIO * min(ceilings):
        return math.inf
    return max(ceilings)


def _prediction(chosen: ChosenLaw, level: float, limit: float, measured: float | None) -> Prediction:
    said = chosen.at(level, limit)
    return Prediction(
        level=level, value=said.value, low=said.low, high=_known(said.high), measured=measured, is_beyond_data=said.is_beyond_data
    )


def _flags(chosen: ChosenLaw, table: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[str, ...]:
    flags = ["few_levels"] if len(chosen.levels) < _FEW_LEVELS else []
    if len(table) < MIN_BOOTSTRAP_INVOCATIONS:
        flags.append("few_invocations")
    if chosen.parameter_intervals.get("coherence_share", (1.0, 1.0))[0] <= 0:
        flags.append("coherence_unidentified")
    return tuple(flags)


def _finite(values: Any) -> dict[str, Any]:
    """Return what JSON can hold: a limit that was not found is left out."""
    return {name: value for name, value in values.items() if np.all(np.isfinite(value))}


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def _middle(values: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None
