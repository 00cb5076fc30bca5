"""What one run of ``measure`` found: rates and times with their ceilings, and the environment they were taken in."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from toolkit.facts.models import Model, Prediction
from toolkit.facts.samples import CacheProof, Latency, NodeShare, Sample, Wire
from toolkit.facts.saved import check_schema, read_facts, told_if_lacking, write_facts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import polars as pl

__all__ = ["MEASUREMENTS_SCHEMA", "Ceiling", "Environment", "Measurement", "MeasurementSet"]

MEASUREMENTS_SCHEMA: Final = "tonnage.measurements/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The machine and software that a number was taken on."""

    host: str
    """A name for the machine, without anything private."""
    facts: Mapping[str, Any]
    """CPU model, cores, memory, cgroup limits, kernel, filesystem, device, library versions, load; by name with unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The physical limit of a measurement's stage, taken in the same run."""

    metric: str
    """The measurement that is the ceiling."""
    value: float
    """Its median, in the unit of the measurement beside which it stands."""
    explanation: str
    """One sentence: why this limits the stage, and how units were converted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A measured rate or time: every sample, its conditions, its ceiling, and what it does not say."""

    metric: str
    """What was measured, dotted: ``ceiling.memory_copy``, ``read.sequential``, ``read.random``, ``decode.cores``,
    ``loader.decoded``, ``transfer.http_range``, ``transfer.flight``, ..."""
    title: str
    """A few words for people."""
    unit: str
    """Suffix of the unit, as in ``toolkit.units.show``: ``bytes_per_s``, ``images_per_s``, ``s``, ``pixels_per_s``."""
    conditions: Mapping[str, Any]
    """Cache state, workers, access pattern, format, target, sizes: whatever must be equal for two values to be comparable."""
    samples: tuple[Sample, ...]
    """Every window."""
    median: float
    """Median over invocations of each invocation's median."""
    interval_low: float
    """Lower end of the 95 % interval over invocations: bootstrap, or Student's t when they are few."""
    interval_high: float
    """Upper end of the 95 % interval over invocations."""
    ceiling: Ceiling | None = None
    """The limit of the same stage in the same run; None for ceilings themselves."""
    ceiling_share_interval: tuple[float, float] | None = None
    """95 % interval of ``ceiling_share`` over invocations that hold both; None where fewer than two do, or there is no share."""
    bytes_per_image: float = 0.0
    """Mean payload bytes per image, to convert between bytes/s and images/s; 0 where it has no meaning."""
    flags: tuple[str, ...] = ()
    """Warnings: ``few_invocations``, ``short_window``, ``ceiling_understated``, ``neighbour_load``, ``loopback``, ..."""
    limits: str = ""
    """What the figure does not say."""

    @property
    def ceiling_share(self) -> float | None:
        """Median as a share of the ceiling; None without one, or where the ceiling is flagged as understated.

        Of a time it is the other way round: the shortest possible time as a share of the median.
        """
        if self.ceiling is None or "ceiling_understated" in self.flags or self.ceiling.value <= 0 or self.median <= 0:
            return None
        share = self.median / self.ceiling.value
        return 1 / share if self.unit == "s" else share

    @property
    def cache_verdict(self) -> str:
        """The verdict shared by all samples, ``mixed`` if they differ, ``""`` where no file is read."""
        verdicts = {sample.cache.verdict for sample in self.samples if sample.cache is not None}
        return "" if not verdicts else verdicts.pop() if len(verdicts) == 1 else "mixed"

    @property
    def stragglers(self) -> tuple[str, ...]:
        """The workers that were stragglers in at least half of the windows they took part in, sorted."""
        late: dict[str, list[bool]] = {}
        for node in (node for sample in self.samples for node in sample.nodes):
            late.setdefault(node.worker, []).append(node.is_straggler)
        return tuple(sorted(worker for worker, marks in late.items() if 2 * sum(marks) >= len(marks)))

    def __repr__(self) -> str:
        from toolkit.units import show

        low, high = show(self.interval_low, self.unit), show(self.interval_high, self.unit)
        share = "" if self.ceiling_share is None else f", {show(self.ceiling_share, 'share')} of its ceiling"
        return f"<Measurement {self.metric}: {show(self.median, self.unit)} ({low} to {high}){share}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementSet:
    """What one run of ``measure`` found."""

    dataset: str
    """Location of the dataset that was measured."""
    dataset_version: int
    """Its version."""
    plan: str
    """``quick``, ``standard`` or ``thorough``."""
    started_at: str
    """UTC, ISO 8601."""
    elapsed_s: float
    """Wall time of the whole run."""
    environment: Environment
    """Where it was taken."""
    measurements: tuple[Measurement, ...] = field(repr=False)
    """Ceilings first, then stages in the order in which bytes pass them."""
    models: tuple[Model, ...] = field(default=(), repr=False)
    """Laws through sweeps of them, and what stages together should reach beside what they did."""

    def find(self, metric: str, **conditions: Any) -> Measurement | None:
        """Return the first measurement of a metric whose conditions include those given, or None."""
        for measurement in self.measurements:
            if measurement.metric == metric and all(measurement.conditions.get(k) == v for k, v in conditions.items()):
                return measurement
        return None

    def frame(self) -> pl.DataFrame:
        """Return one row per measurement: metric, title, unit, median, interval, ceiling, cache, conditions, flags."""
        import polars as pl

        rows = [
            {
                "metric": m.metric,
                "title": m.title,
                "unit": m.unit,
                "median": m.median,
                "interval_low": m.interval_low,
                "interval_high": m.interval_high,
                "ceiling_metric": m.ceiling.metric if m.ceiling else None,
                "ceiling_value": m.ceiling.value if m.ceiling else None,
                "ceiling_share": m.ceiling_share,
                "ceiling_share_low": m.ceiling_share_interval[0] if m.ceiling_share_interval else None,
                "ceiling_share_high": m.ceiling_share_interval[1] if m.ceiling_share_interval else None,
                "cache": m.cache_verdict,
                "sample_count": len(m.samples),
                "conditions": json.dumps(dict(m.conditions), sort_keys=True),
                "flags": list(m.flags),
                "limits": m.limits,
            }
            for m in self.measurements
        ]
        text = ("metric", "title", "unit", "ceiling_metric", "cache", "conditions", "limits")
        schema: dict[str, Any] = dict.fromkeys(rows[0] if rows else ("metric",), pl.Float64) | dict.fromkeys(text, pl.String)
        schema |= {"sample_count": pl.Int64, "flags": pl.List(pl.String)}
        return pl.DataFrame(rows, schema=schema)

    def samples_frame(self) -> pl.DataFrame:
        """Return one row per sample of every measurement."""
        import polars as pl

        rows = []
        for m in self.measurements:
            conditions = json.dumps(dict(m.conditions), sort_keys=True)
            for sample in m.samples:
                row = dataclasses.asdict(sample) | {"metric": m.metric, "unit": m.unit, "conditions": conditions}
                cache, wire, nodes = row.pop("cache") or {}, row.pop("wire") or {}, row.pop("nodes")
                row |= {f"cache_{name}": cache.get(name) for name in CacheProof.__dataclass_fields__}
                row |= {f"wire_{name}": wire.get(name) for name in Wire.__dataclass_fields__}
                latency = row.pop("latency") or {}
                row |= {f"latency_{name}": latency.get(name) for name in Latency.__dataclass_fields__}
                rows.append(row | {"nodes": json.dumps(nodes) if nodes else None})
        return pl.DataFrame(rows, infer_schema_length=None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, with the schema version."""
        return {"schema": MEASUREMENTS_SCHEMA} | dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Return the measurements held in plain JSON types."""
        remedy = "write it again with this version"
        check_schema(facts, MEASUREMENTS_SCHEMA, "a MeasurementSet", remedy)
        with told_if_lacking("MeasurementSet", remedy):
            values = {field.name: facts[field.name] for field in dataclasses.fields(cls) if field.name != "models"}
            values["environment"] = Environment(**values["environment"])
            values["measurements"] = tuple(_measurement(m) for m in values["measurements"])
            return cls(**values, models=tuple(_model(m) for m in facts.get("models", ())))

    def save(self, path: str | Path) -> Path:
        """Write JSON to ``path`` and every sample to Parquet beside it; return the JSON's path."""
        target = write_facts(path, self.to_dict())
        self.samples_frame().write_parquet(target.with_suffix(".parquet"))
        return target

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the measurements saved at ``path``."""
        return cls.from_dict(read_facts(path, "measurements"))

    def __repr__(self) -> str:
        count = len(self.measurements)
        return f"<MeasurementSet of {self.dataset!r} v{self.dataset_version}: {count} measurements, plan {self.plan}>"


def _measurement(facts: Mapping[str, Any]) -> Measurement:
    values = dict(facts)
    values["samples"] = tuple(map(_sample, values["samples"]))
    values["ceiling"] = Ceiling(**values["ceiling"]) if values.get("ceiling") else None
    values["flags"] = tuple(values.get("flags", ()))
    values["ceiling_share_interval"] = tuple(values.get("ceiling_share_interval") or ()) or None
    return Measurement(**values)


def _sample(facts: Mapping[str, Any]) -> Sample:
    values = dict(facts)
    values["cache"] = CacheProof(**facts["cache"]) if facts.get("cache") else None
    values["wire"] = Wire(**facts["wire"]) if facts.get("wire") else None
    values["latency"] = Latency(**facts["latency"]) if facts.get("latency") else None
    values["nodes"] = tuple(NodeShare(**node) for node in facts.get("nodes", ()))
    return Sample(**values)


def _model(facts: Mapping[str, Any]) -> Model:
    values = dict(facts)
    values["predictions"] = tuple(Prediction(**prediction) for prediction in values["predictions"])
    values["parameter_intervals"] = {name: tuple(ends) for name, ends in values["parameter_intervals"].items()}
    values["flags"] = tuple(values.get("flags", ()))
    return Model(**values)
