"""What a report is about: objects or paths, told apart and loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.dataset.diffing import VersionDiff
from toolkit.errors import DatasetError, MissingError, UsageError
from toolkit.facts import DatasetProfile, MeasurementSet, read_facts
from toolkit.facts.backtests import Backtest
from toolkit.measurement.comparing import COMPARISON_SCHEMA, Change, Comparison, Ratio
from toolkit.projection.contrasting import Contrast
from toolkit.projection.result import Projection
from toolkit.reporting.evidence import DatasetEvidence, Gallery, gather
from toolkit.reporting.evidence_changes import VersionChange, shown_of
from toolkit.reporting.keeping import kept_subjects

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Subjects", "subjects_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """What was given to a report, by kind; each in the order given."""

    datasets: tuple[DatasetEvidence, ...] = ()
    measurements: tuple[MeasurementSet, ...] = ()
    projections: tuple[Projection, ...] = ()
    backtests: tuple[Backtest, ...] = ()
    diffs: tuple[VersionChange, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    contrasts: tuple[Contrast, ...] = ()


def subjects_of(given: tuple[Any, ...], gallery: Gallery) -> Subjects:
    """Return the subjects behind objects and paths; a dataset's folder brings its newest measurements along.

    Raises
    ------
    UsageError
        If nothing was given, or something that no report can be made of.
    MissingError
        If a path is not there.
    """
    from toolkit.dataset.reading import Dataset

    if not given:
        raise UsageError("there is nothing to report: name a dataset, measurements or a projection")
    found: dict[type, list[Any]] = {DatasetEvidence: [], MeasurementSet: [], Projection: [], Backtest: []}
    compared: dict[type, list[Any]] = {VersionChange: [], Comparison: [], Contrast: []}
    for item in [part for one in given for part in _loaded(one)]:
        if isinstance(item, Dataset):
            if not any(evidence.profile == item.profile for evidence in found[DatasetEvidence]):
                found[DatasetEvidence].append(gather(item, gallery))
        elif isinstance(item, DatasetProfile):
            found[DatasetEvidence].append(DatasetEvidence(profile=item))
        elif isinstance(item, VersionDiff):
            compared[VersionChange].append(shown_of(item))
        elif type(item) in compared:  # frames in them cannot be compared as a whole
            compared[type(item)].append(item)
        elif isinstance(item, DatasetEvidence | MeasurementSet | Projection | Backtest):
            kind = next(kind for kind in found if isinstance(item, kind))
            if not any(_is_same(item, other) for other in found[kind]):
                found[kind].append(item)
        else:
            raise UsageError(f"a report cannot be made of a {type(item).__name__}: give a dataset, measurements or a projection")
    return Subjects(
        datasets=tuple(found[DatasetEvidence]),
        measurements=tuple(found[MeasurementSet]),
        projections=tuple(found[Projection]),
        backtests=tuple(found[Backtest]),
        diffs=tuple(compared[VersionChange]),
        comparisons=tuple(compared[Comparison]),
        contrasts=tuple(compared[Contrast]),
    )


def _is_same(one: Any, other: Any) -> bool:
    """Return whether two subjects of a kind are the same; tables cannot be asked for equality, so the facts about them are."""
    if isinstance(one, DatasetEvidence):
        return bool(one.profile == other.profile)
    if isinstance(one, Projection):
        return one is other or bool(one.to_dict() == other.to_dict())
    return bool(one == other)


def _loaded(item: Any) -> list[Any]:
    if not isinstance(item, str | Path):
        return [item]
    path = Path(item)
    if not path.exists():
        if "://" in str(item):
            raise UsageError(f"'{item}' is not on this machine's disk, as a report needs it; copy it to a folder, and name that")
        raise MissingError(f"there is nothing at '{item}' to report on")
    return _folder(path) if path.is_dir() else _file(path)


def _folder(path: Path) -> list[Any]:
    from toolkit.dataset.reading import open_dataset

    taken = sorted((path / "measurements").glob("*.json"))
    tested = sorted((path / "backtests").glob("*.json"))
    newest = [*([MeasurementSet.load(taken[-1])] if taken else []), *([Backtest.load(tested[-1])] if tested else [])]
    return [open_dataset(path), *newest]


def _file(path: Path) -> list[Any]:
    facts = read_facts(path, "facts")
    schema = str(facts.get("schema", ""))
    if schema.startswith("tonnage.report/"):
        return kept_subjects(facts)
    if schema.startswith("tonnage.measurements/"):
        return [MeasurementSet.from_dict(facts)]
    if schema.startswith("tonnage.profile/"):
        return [DatasetProfile.from_dict(facts)]
    if schema.startswith("tonnage.projection/"):
        return [Projection.load(path)]
    if schema.startswith("tonnage.backtest/"):
        return [Backtest.from_dict(facts)]
    if schema == COMPARISON_SCHEMA:
        return [_comparison(facts)]
    raise DatasetError(
        f"'{path}' holds no measurements, profile, projection, comparison or back-test; its schema is {json.dumps(schema)}"
    )


def _comparison(facts: Mapping[str, Any]) -> Comparison:
    """Return what ``tonnage compare --json`` wrote."""
    ratios = (Ratio(**{**ratio, "flags": tuple(ratio["flags"])}) for ratio in facts["ratios"])
    return Comparison(
        before=facts["before"], after=facts["after"], changes=tuple(Change(**change) for change in facts["changes"]),
        ratios=tuple(ratios), only_before=tuple(facts["only_before"]), only_after=tuple(facts["only_after"]),
    )  # fmt: skip
