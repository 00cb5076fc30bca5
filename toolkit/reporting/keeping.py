"""A report's facts as one JSON document, thumbnails included: the same page can be made from it again, without the data."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.errors import DatasetError
from toolkit.facts import DatasetProfile, MeasurementSet
from toolkit.facts.backtests import Backtest
from toolkit.measurement.comparing import Change, Comparison, Ratio
from toolkit.projection.contrasting import Contrast
from toolkit.projection.result import Projection
from toolkit.reporting.blocks import Picture
from toolkit.reporting.evidence import DatasetEvidence
from toolkit.reporting.evidence_changes import VersionChange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.reporting.subjects import Subjects

__all__ = ["REPORT_SCHEMA", "keep", "kept_subjects"]

REPORT_SCHEMA: Final = "tonnage.report/1"

_NOUNS: Final[Mapping[str, Any]] = {
    noun.__name__: noun for noun in (DatasetProfile, MeasurementSet, Projection, Backtest)
}  # each knows its own JSON
_RECORDS: Final[Mapping[str, Any]] = {
    record.__name__: record for record in (DatasetEvidence, Picture, VersionChange, Comparison, Change, Ratio, Contrast)
}
_DTYPES: Final[Mapping[str, pl.DataType]] = {
    str(dtype): dtype
    for dtype in (
        pl.String(), pl.Boolean(), pl.Float32(), pl.Float64(), pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.UInt8(),
        pl.UInt16(), pl.UInt32(), pl.UInt64(), pl.List(pl.String()), pl.List(pl.Float64()), pl.List(pl.Int64()),
    )
}  # fmt: skip


def keep(subjects: Subjects) -> dict[str, Any]:
    """Return a report's facts as plain JSON types, from which ``kept_subjects`` makes them again.

    Every value but texts, numbers and None is an object with one key that says what it is: ``list``, ``map`` (pairs, in order),
    ``table`` (types and columns), or the name of a record.
    """
    import toolkit

    given = {field.name: [_plain(one) for one in getattr(subjects, field.name)] for field in dataclasses.fields(subjects)}
    return {"schema": REPORT_SCHEMA, "version": toolkit.__version__, **given}


def kept_subjects(facts: Mapping[str, Any]) -> list[Any]:
    """Return the subjects held in plain JSON types, in the order of their kinds.

    Raises
    ------
    DatasetError
        If they are of another schema, or not whole.
    """
    if facts.get("schema") != REPORT_SCHEMA:
        raise DatasetError(
            f"a report's facts of schema '{REPORT_SCHEMA}' were expected, but '{facts.get('schema')}' was found; write them again"
        )
    try:
        return [_made(one) for given in facts.values() if isinstance(given, list) for one in given]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, pl.exceptions.PolarsError) as fault:
        raise DatasetError(f"these facts of a report are not whole ({fault}); write them again with this version") from fault


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": str(value)}
    if value is None or isinstance(value, str | int | float):
        return value
    name = type(value).__name__
    if name in _NOUNS:
        return {name: _finite(value.to_dict())}
    if name in _RECORDS:
        return {name: {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}}
    if isinstance(value, pl.DataFrame):
        return {"table": {column.name: [str(column.dtype), _plain(column.to_list())] for column in value.iter_columns()}}
    if isinstance(value, tuple | list):
        return {"list": [_plain(one) for one in value]}
    if hasattr(value, "items"):
        return {"map": [[_plain(key), _plain(one)] for key, one in value.items()]}
    raise TypeError(f"a {name} cannot be kept with a report's facts")


def _made(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    (name, held), *_ = value.items()
    if name == "number":
        return float(held)
    if name == "list":
        return tuple(_made(one) for one in held)
    if name == "map":
        return {_made(key): _made(one) for key, one in held}
    if name == "table":
        return pl.DataFrame(
            [pl.Series(column, list(_made(cells)), dtype=_DTYPES[dtype]) for column, (dtype, cells) in held.items()]
        )
    if name in _NOUNS:
        return _NOUNS[name].from_dict(_unfinite(held))
    return _RECORDS[name](**{field: _made(one) for field, one in held.items()})


def _finite(facts: Any) -> Any:
    """Return a noun's own JSON with what is no number in JSON (NaN, infinity) as text that stands for it."""
    return json.loads(json.dumps(facts), parse_constant=lambda text: {"number": text})


def _unfinite(facts: Any) -> Any:
    def number(held: dict[str, Any]) -> Any:
        return float(held["number"]) if held.keys() == {"number"} else held

    return json.loads(json.dumps(facts), object_hook=number)
