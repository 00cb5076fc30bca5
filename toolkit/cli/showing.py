"""What lies at a path, found out and drawn: a dataset, measurements, a projection or a back-test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from toolkit.errors import UsageError
from toolkit.locations import Location

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.facts import DatasetProfile, MeasurementSet
    from toolkit.facts.backtests import Backtest
    from toolkit.projection.result import Projection

__all__ = ["show_any"]


def show_any(path: str, *, draw: bool = True, is_whole: bool = False) -> DatasetProfile | MeasurementSet | Projection | Backtest:
    """Return what lies at a path (a dataset's profile, measurements or a projection), and print it."""
    place = Location.of(path)
    if place.is_local and place.path.is_file():
        return _show_file(place.path, draw=draw, is_whole=is_whole)
    import toolkit
    from toolkit.terminal import show_profile

    profile = toolkit.open_dataset(path).profile
    if draw:
        show_profile(profile)
    return profile


def _show_file(path: Path, *, draw: bool, is_whole: bool) -> MeasurementSet | Projection | Backtest:
    from toolkit.facts import MeasurementSet, read_facts
    from toolkit.facts.backtests import Backtest
    from toolkit.projection.result import Projection
    from toolkit.terminal import show_backtest, show_projection
    from toolkit.terminal_measurements import show_measurements

    schema = str(read_facts(path, "facts").get("schema"))
    if schema.startswith("tonnage.measurements/"):
        measured = MeasurementSet.load(path)
        if draw:
            show_measurements(measured, is_whole=is_whole)
        return measured
    if schema.startswith("tonnage.projection/"):
        projection = Projection.load(path)
        if draw:
            show_projection(projection, is_whole=is_whole)
        return projection
    if schema.startswith("tonnage.backtest/"):
        found = Backtest.load(path)
        if draw:
            show_backtest(found)
        return found
    said = "which is neither measurements nor a projection, nor a back-test"
    raise UsageError(f"'{path}' holds schema {json.dumps(schema)}, {said}")
