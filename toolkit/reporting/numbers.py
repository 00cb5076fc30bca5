"""The numbers of a report as tables: one tidy table over all subjects, and a workbook with a sheet for each table behind them."""

from __future__ import annotations

import dataclasses
import io
import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.errors import ExtraError
from toolkit.facts import Quantiles
from toolkit.facts.profiles import QUANTILE_SHARES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolkit.facts import DatasetProfile, MeasurementSet, VersionFacts
    from toolkit.facts.backtests import Backtest
    from toolkit.projection.result import Projection
    from toolkit.reporting.subjects import Subjects

__all__ = ["NUMBERS_SCHEMA", "numbers", "workbook"]

NUMBERS_SCHEMA: Final = {
    "kind": pl.String(), "subject": pl.String(), "quantity": pl.String(), "item": pl.String(), "month": pl.Int32(),
    "value": pl.Float64(), "low": pl.Float64(), "high": pl.Float64(), "unit": pl.String(), "evidence": pl.String(),
}  # fmt: skip
"""``kind`` is dataset, measurements, projection or backtest; ``item`` the label, format, month or size that a quantity is of;
``low`` and ``high`` are its interval: 95 % of a measurement's, p10 to p90 of a projection's. Values are in base units."""

_SHEET_LONGEST: Final = 31
_CELL_LONGEST: Final = 32_767
"""Characters of a sheet's name and of a cell. Source: Excel specifications and limits, support.microsoft.com."""

_CREATED: Final = (1980, 1, 1)
"""The date that a workbook carries, always: the same facts give the same file."""


def numbers(subjects: Subjects) -> pl.DataFrame:
    """Return every number of the subjects as one table, a row each."""
    rows = [row for evidence in subjects.datasets for row in _of_profile(evidence.profile)]
    rows += [row for found in subjects.measurements for row in _of_measurements(found)]
    rows += [row for tested in subjects.backtests for row in _of_backtest(tested)]
    parts = [pl.DataFrame(rows, schema=NUMBERS_SCHEMA), *(_of_projection(p) for p in subjects.projections)]
    return pl.concat(parts)


def _row(kind: str, subject: str, quantity: str, value: float | None, unit: str, **further: Any) -> dict[str, Any]:
    return {"kind": kind, "subject": subject, "quantity": quantity, "value": value, "unit": unit, **further}


def _of_profile(profile: DatasetProfile) -> Iterator[dict[str, Any]]:
    """Yield what a profile's fields hold: counts and bytes, counts by name, quantiles, and the same of each version."""

    def told(name: str, value: float, item: str | None = None, unit: str = "") -> dict[str, Any]:
        return _row("dataset", profile.name, name, value, unit or _unit(name), item=item, evidence="measured")

    for field in dataclasses.fields(profile):
        name, value = field.name, getattr(profile, field.name)
        if isinstance(value, Quantiles):
            yield told(name, value.mean, "mean")
            yield from (told(name, q, f"p{share * 100:g}") for share, q in zip(QUANTILE_SHARES, value.values, strict=False))
        elif isinstance(value, int | float):
            yield told(name, value)
        elif name == "curation":
            yield from (told(f"{name}.{part}", number) for part, number in value.items())
        elif name == "versions":
            yield from (told(f"{name}.{part}", number, f"version {v.version}") for v in value for part, number in _counts(v))
        elif not isinstance(value, str):
            yield from (told(name, count, key, "count") for key, count in value.items())


def _counts(version: VersionFacts) -> Iterator[tuple[str, float]]:
    held = dataclasses.asdict(version)
    yield from ((name, value) for name, value in held.items() if isinstance(value, int | float) and name != "version")


def _unit(name: str) -> str:
    """Return the unit that a name ends in.

    Examples
    --------
    >>> [_unit(name) for name in ("shard_bytes", "images_per_s", "image_pixels", "version")]
    ['bytes', 'images_per_s', 'pixels', '']
    """
    rate = re.search(r"[a-z]+_per_[a-z]+$", name)
    last = name.rsplit("_", 1)[-1].rsplit(".", 1)[-1]
    return rate[0] if rate else last if last in {"bytes", "count", "pixels", "s", "share"} else ""


def _of_measurements(found: MeasurementSet) -> Iterator[dict[str, Any]]:
    for m in found.measurements:
        item = f"{m.title}, {m.cache_verdict}" if m.cache_verdict else m.title
        told = {"item": item, "low": m.interval_low, "high": m.interval_high, "evidence": "measured"}
        yield _row("measurements", found.dataset, m.metric, m.median, m.unit, **told)
        if m.ceiling is not None:
            yield _row(
                "measurements", found.dataset, f"{m.metric}:ceiling", m.ceiling.value, m.unit, item=item, evidence="measured"
            )


def _of_backtest(tested: Backtest) -> Iterator[dict[str, Any]]:
    for p in tested.predictions:
        law = tested.law(p.kind)
        unit, item = law.unit if law is not None else "", f"{p.size_factor:g} times the size, trial {p.trial_index}"
        yield _row("backtest", tested.dataset, p.kind, p.p50, unit, item=item, low=p.p10, high=p.p90, evidence="predicted")
        yield _row("backtest", tested.dataset, p.kind, p.value, unit, item=item, evidence="measured")


def _of_projection(projection: Projection) -> pl.DataFrame:
    return projection.frame.select(
        kind=pl.lit("projection"), subject=pl.lit(projection.name), quantity="quantity", item=pl.lit(None, pl.String()),
        month=pl.col("month").cast(pl.Int32()), value="p50", low="p10", high="p90", unit="unit", evidence="evidence",
    )  # fmt: skip


def workbook(subjects: Subjects) -> bytes:
    """Return an XLSX workbook: all numbers first, then a sheet for each table behind them.

    Raises
    ------
    ExtraError
        If XlsxWriter is not installed.
    """
    try:
        import xlsxwriter
    except ImportError as fault:
        raise ExtraError("workbooks (.xlsx) are written once their writer is installed: pip install 'tonnage[xlsx]'") from fault
    import datetime as dt

    held = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}
    with xlsxwriter.Workbook(held, options) as book:
        book.set_properties({"created": dt.datetime(*_CREATED, tzinfo=dt.UTC)})
        for name, frame in _sheets(subjects).items():
            _flat(frame).write_excel(book, worksheet=name, autofit=False, freeze_panes=(1, 0), column_widths=130)
    return held.getvalue()


def _sheets(subjects: Subjects) -> dict[str, pl.DataFrame]:
    """Return the tables by the names of their sheets; those of further subjects of a kind carry its place among them."""
    named: dict[str, pl.DataFrame] = {"numbers": numbers(subjects)}
    for place, projection in enumerate(subjects.projections, 1):
        tables = {
            "plan": projection.plan.frame, "alternatives": projection.plan.alternatives, "doubling": projection.doubling,
            "sensitivity": projection.sensitivity, "assumptions": projection.assumptions, "bottlenecks": projection.bottlenecks,
        }  # fmt: skip
        named |= _numbered(tables, place)
    for place, found in enumerate(subjects.measurements, 1):
        named |= _numbered({"measurements": found.frame()}, place)
    for place, tested in enumerate(subjects.backtests, 1):
        named |= _numbered({"backtest": tested.frame()}, place)
    for place, evidence in enumerate(subjects.datasets, 1):
        if evidence.refusals is not None:
            named |= _numbered({"refusals": evidence.refusals}, place)
    return named


def _numbered(tables: Mapping[str, pl.DataFrame], place: int) -> dict[str, pl.DataFrame]:
    return {(name if place == 1 else f"{name} {place}")[:_SHEET_LONGEST]: frame for name, frame in tables.items()}


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table whose cells a sheet can hold: lists as text, no character that XML forbids, none too long."""
    columns = []
    for name, dtype in frame.schema.items():
        if isinstance(dtype, pl.List):
            columns.append(pl.col(name).cast(pl.List(pl.String())).list.join("; ").alias(name))
        elif dtype.is_float():
            columns.append(pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name))
    flat = frame.with_columns(columns)
    forbidden = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]"
    return flat.with_columns(
        pl.col(pl.String()).str.replace_all(forbidden, "\N{REPLACEMENT CHARACTER}").str.slice(0, _CELL_LONGEST)
    )
