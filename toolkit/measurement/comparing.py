"""Two runs of ``measure`` beside each other: what changed around them, and which rates differ by more than their spread.

The two were taken at different times, so nothing in them is paired: each is resampled on its own, and a ratio says
"faster" only where its interval leaves 1 out.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.errors import MissingError, UsageError
from toolkit.facts import MeasurementSet
from toolkit.measurement.statistics import MIN_BOOTSTRAP_INVOCATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from toolkit.facts import Measurement

__all__ = ["Change", "Comparison", "Ratio", "compare", "independent_ratio", "measurements_at"]

COMPARISON_SCHEMA: Final = "tonnage.comparison/1"

_RESAMPLES: Final = 4_000
_COVERAGE: Final = 0.95
_DAILY: Final = frozenset({"load_1min_count", "working_set_bytes"})
"""Facts of the environment that differ from run to run without anything having changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something around the measurements that is not what it was."""

    name: str
    """Dotted name of the fact."""
    before: Any
    """What A says; None where it says nothing."""
    after: Any
    """What B says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One measurement in both runs."""

    metric: str
    """What was measured."""
    title: str
    """A few words for people."""
    unit: str
    """Suffix of the unit of both medians."""
    conditions: Mapping[str, Any]
    """What both were measured under."""
    before: float
    """Median of A, in the unit."""
    after: float
    """Median of B, in the unit."""
    ratio: float
    """B over A; of a time, below 1 is faster."""
    low_ratio: float | None
    """Lower end of its 95 % interval; None where one run has a single invocation, whose spread is unknown."""
    high_ratio: float | None
    """Upper end of its 95 % interval."""
    verdict: str
    """``faster``, ``slower``, ``no difference shown`` or ``spread unknown``."""
    flags: tuple[str, ...]
    """Flags that either run has on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed from one run of ``measure`` to another."""

    before: str
    """Name of A."""
    after: str
    """Name of B."""
    changes: tuple[Change, ...]
    """Of dataset, plan, machine and packages."""
    ratios: tuple[Ratio, ...]
    """Of all that both measured under the same conditions, in the order of B."""
    only_before: tuple[str, ...]
    """What A alone measured."""
    only_after: tuple[str, ...]
    """What B alone measured."""

    @property
    def differing_count(self) -> int:
        """Ratios whose interval leaves 1 out."""
        return sum(ratio.verdict in {"faster", "slower"} for ratio in self.ratios)

    @property
    def by_chance_count(self) -> float:
        """How many intervals of 95 % leave 1 out on average when nothing has changed at all."""
        return (1 - _COVERAGE) * sum(ratio.low_ratio is not None for ratio in self.ratios)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, with the schema version."""
        counts = {"differing_count": self.differing_count, "by_chance_count": self.by_chance_count}
        return {"schema": COMPARISON_SCHEMA} | asdict(self) | counts

    def __repr__(self) -> str:
        return f"<Comparison of {self.before!r} with {self.after!r}: {self.differing_count} of {len(self.ratios)} differ>"


def compare(before: MeasurementSet | str | Path, after: MeasurementSet | str | Path) -> Comparison:
    """Return what changed from one run of ``measure`` to another.

    Parameters
    ----------
    before, after : MeasurementSet, str or path
        The runs: loaded, or a ``.json`` file, or a dataset, whose newest measurements are taken.

    Raises
    ------
    MissingError
        If there is no such file, or the dataset has no measurements.
    UsageError
        If the two have nothing in common that could be compared.
    """
    names = [str(run.started_at if isinstance(run, MeasurementSet) else run) for run in (before, after)]
    old, new = (run if isinstance(run, MeasurementSet) else measurements_at(run) for run in (before, after))
    by_key = {_key(m): m for m in old.measurements}
    shared = [(by_key[_key(m)], m) for m in new.measurements if _key(m) in by_key]
    if not shared:
        raise UsageError(f"'{names[0]}' and '{names[1]}' share no measurement under the same conditions: nothing to compare")
    known = {_key(m) for m in new.measurements}
    return Comparison(
        before=names[0],
        after=names[1],
        changes=tuple(_changes(_facts(old), _facts(new))),
        ratios=tuple(_ratio(a, b) for a, b in shared),
        only_before=tuple(m.title for m in old.measurements if _key(m) not in known),
        only_after=tuple(m.title for m in new.measurements if _key(m) not in by_key),
    )


def measurements_at(place: str | Path) -> MeasurementSet:
    """Return the measurements in a file, or the newest of a dataset.

    Raises
    ------
    MissingError
        If there are none.
    """
    from pathlib import Path

    path = Path(place)
    if not path.is_dir():
        return MeasurementSet.load(path)
    newest = max((path / "measurements").glob("*.json"), default=None)
    if newest is None:
        raise MissingError(f"'{place}' holds no measurements; take them with 'tonnage measure {place}'")
    return MeasurementSet.load(newest)


def independent_ratio(
    above: Mapping[int, Sequence[float]], below: Mapping[int, Sequence[float]], seed: int = 0
) -> tuple[float, float | None, float | None]:
    """Return the ratio of the medians of two independent runs, and the ends of its 95 % interval.

    Parameters
    ----------
    above, below : mapping of int to sequence of float
        Values of each invocation's windows; positive, in one unit.
    seed : int
        Seed of the resampling.

    Notes
    -----
    With six invocations or more in both: percentile bootstrap, each run's invocations resampled on their own. With fewer:
    Welch's t over the logarithms of the invocations' medians. With one invocation the spread is not known: None.

    Source: Kalibera and Jones, "Rigorous benchmarking in reasonable time", ISMM 2013, section 7 (ratio of means by
    bootstrap over the highest level); Welch, Biometrika 34 (1947).

    Examples
    --------
    >>> ratio, low, high = independent_ratio({n: [20.0 + n] for n in range(8)}, {n: [10.0 + n / 2] for n in range(8)})
    >>> round(ratio, 2), low > 1 and high > 1
    (2.0, True)
    >>> independent_ratio({0: [3.0]}, {0: [2.0], 1: [2.0]})
    (1.5, None, None)
    """
    ups, downs = _medians(above), _medians(below)
    ratio = float(np.median(ups) / np.median(downs))
    if min(len(ups), len(downs)) < 2:
        return ratio, None, None
    if min(len(ups), len(downs)) < MIN_BOOTSTRAP_INVOCATIONS:
        low, high = _welch(np.log(ups), np.log(downs))
    else:
        random = np.random.default_rng(seed)
        drawn = [np.median(random.choice(m, (_RESAMPLES, len(m))), axis=1) for m in (ups, downs)]
        low, high = np.quantile(drawn[0] / drawn[1], [(1 - _COVERAGE) / 2, (1 + _COVERAGE) / 2])
    return ratio, min(float(low), ratio), max(float(high), ratio)


def _medians(groups: Mapping[int, Sequence[float]]) -> Any:
    return np.array([float(np.median(values)) for values in groups.values()])


def _welch(ups: Any, downs: Any) -> tuple[float, float]:
    from scipy.stats import t

    parts = [logs.var(ddof=1) / len(logs) for logs in (ups, downs)]
    error = math.sqrt(sum(parts))
    shares = sum(part**2 / (len(logs) - 1) for part, logs in zip(parts, (ups, downs), strict=True))
    freedom = sum(parts) ** 2 / shares if shares else math.inf
    half = float(t.ppf((1 + _COVERAGE) / 2, freedom)) * error
    centre = float(ups.mean() - downs.mean())
    return math.exp(centre - half), math.exp(centre + half)


def _ratio(old: Measurement, new: Measurement) -> Ratio:
    ratio, low, high = new.median / old.median if old.median else 0.0, None, None
    if all(sample.value > 0 for sample in (*new.samples, *old.samples)):
        ratio, low, high = independent_ratio(_by_invocation(new), _by_invocation(old))
    return Ratio(
        metric=new.metric, title=new.title, unit=new.unit, conditions=dict(new.conditions), before=old.median, after=new.median,
        ratio=ratio, low_ratio=low, high_ratio=high, verdict=_verdict(new.unit, low, high),
        flags=tuple(dict.fromkeys((*old.flags, *new.flags))),
    )  # fmt: skip


def _verdict(unit: str, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "spread unknown"
    if low <= 1 <= high:
        return "no difference shown"
    return "faster" if (low > 1) != (unit == "s") else "slower"


def _by_invocation(measurement: Measurement) -> dict[int, list[float]]:
    groups: dict[int, list[float]] = {}
    for sample in measurement.samples:
        groups.setdefault(sample.invocation, []).append(sample.value)
    return groups


def _key(measurement: Measurement) -> str:
    return json.dumps([measurement.metric, measurement.unit, dict(measurement.conditions)], sort_keys=True)


def _facts(run: MeasurementSet) -> dict[str, Any]:
    """Return all that stands around the rates, by dotted name."""
    outside = {"dataset": run.dataset, "dataset_version": run.dataset_version, "plan": run.plan, "host": run.environment.host}
    return outside | dict(_flat(run.environment.facts))


def _flat(facts: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, dict) and name not in {"not_measured", "other_hosts"}:
            yield from _flat(value, f"{above}{name}.")
        elif name not in _DAILY:
            yield above + name, value


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield Change(name=name, before=old.get(name), after=new.get(name))
