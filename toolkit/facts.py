"""The nouns that the wings hand each other: a dataset's profile, measurements, and the environment they were taken in.

All are frozen, serialise to JSON (small) with a schema version, and know nothing of how they were made or will be shown.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from toolkit.errors import DatasetError, MissingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

__all__ = [
    "CacheProof",
    "Ceiling",
    "DatasetProfile",
    "Environment",
    "Latency",
    "Measurement",
    "MeasurementSet",
    "Model",
    "NodeShare",
    "Prediction",
    "Quantiles",
    "Sample",
    "VersionFacts",
    "Wire",
]

PROFILE_SCHEMA: Final = "tonnage.profile/1"
MEASUREMENTS_SCHEMA: Final = "tonnage.measurements/1"

QUANTILE_SHARES: Final = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
"""Shares at which a ``Quantiles`` sketch holds values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """A distribution kept as its quantiles, mean and count."""

    count: int
    """How many values were seen."""
    mean: float
    """Arithmetic mean, in the unit of the values; 0 when nothing was seen."""
    values: tuple[float, ...]
    """The values at ``QUANTILE_SHARES``, in their own unit; empty when nothing was seen."""

    @property
    def median(self) -> float:
        """The middle value; 0 when nothing was seen."""
        return self.values[QUANTILE_SHARES.index(0.5)] if self.values else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFacts:
    """One version of a dataset."""

    version: int
    """Version number of the ``images`` table."""
    committed_at: str
    """UTC time of the commit, ISO 8601."""
    kind: str
    """What made it: ``batch``, ``redecide``, ``remove``, ``compact``, ``retry``."""
    batch: str
    """Identifier of the batch."""
    image_count: int
    """Images in the dataset at this version."""
    size_bytes: int
    """Encoded bytes of those images."""
    shard_count: int
    """Parquet shards at this version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetProfile:
    """What a dataset is, in numbers: the only thing a projection needs to know of it."""

    name: str
    """Last part of the dataset's location."""
    location: str
    """Where the dataset lies, as given by the user."""
    version: int
    """Version that was profiled."""
    source_count: int
    """Image occurrences found in the sources (files, members, rows)."""
    source_bytes: int
    """Their bytes."""
    image_count: int
    """Images kept."""
    image_bytes: int
    """Encoded bytes of the images kept."""
    shard_count: int
    """Parquet shards."""
    shard_bytes: int
    """Their bytes on disk, metadata columns and footers included."""
    pixel_count: int
    """Pixels of the images kept, over all."""
    image_size_bytes: Quantiles
    """Encoded bytes per image."""
    image_pixels: Quantiles
    """Pixels per image."""
    states: Mapping[str, int]
    """Occurrences by state: kept, dropped, duplicate, quarantined. They sum to ``source_count``."""
    reasons: Mapping[str, int]
    """Occurrences that were not kept, by reason code."""
    other_files: Mapping[str, int]
    """Files found that are no image, by what they are: annotation, container, skipped(reason)."""
    formats: Mapping[str, int]
    """Images kept by sniffed format."""
    modes: Mapping[str, int]
    """Images kept by pixel mode."""
    labels: Mapping[str, int]
    """Images kept by label; at most the 1,000 most frequent."""
    label_count: int
    """Distinct labels."""
    splits: Mapping[str, int]
    """Images kept by split."""
    near_duplicate_group_count: int
    """Groups of two or more near duplicates among the images kept."""
    near_duplicate_image_count: int
    """Images in those groups."""
    versions: tuple[VersionFacts, ...]
    """The history, oldest first."""
    curation: Mapping[str, float]
    """How fast the last batch went in: ``elapsed_s``, ``cpu_s``, ``images_per_s``, ``bytes_per_s``, ``worker_count``,
    ``core_count``."""

    @property
    def mean_image_bytes(self) -> float:
        """Mean encoded bytes of an image kept."""
        return self.image_bytes / self.image_count if self.image_count else 0.0

    @property
    def mean_pixels(self) -> float:
        """Mean pixels of an image kept."""
        return self.pixel_count / self.image_count if self.image_count else 0.0

    @property
    def kept_share(self) -> float:
        """Share of the source occurrences that were kept."""
        return self.image_count / self.source_count if self.source_count else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, with the schema version."""
        return {"schema": PROFILE_SCHEMA} | dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Return the profile held in plain JSON types."""
        values = _checked(facts, PROFILE_SCHEMA, cls)
        for name in ("image_size_bytes", "image_pixels"):
            sketch = values[name]
            values[name] = Quantiles(count=sketch["count"], mean=sketch["mean"], values=tuple(sketch["values"]))
        values["versions"] = tuple(VersionFacts(**version) for version in values["versions"])
        return cls(**values)

    def __repr__(self) -> str:
        from toolkit.units import show

        return (
            f"<DatasetProfile {self.name!r} v{self.version}: {self.image_count:,} images, {show(self.image_bytes, 'bytes')} "
            f"in {self.shard_count:,} shards; kept {show(self.kept_share, 'share')} of {self.source_count:,} found>"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The machine and software that a number was taken on."""

    host: str
    """A name for the machine, without anything private."""
    facts: Mapping[str, Any]
    """CPU model, cores, memory, cgroup limits, kernel, filesystem, device, library versions, load; by name with unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheProof:
    """In what state of the page cache a window was taken, and how that is known."""

    intended: str
    """What the plan asked for: ``cold``, ``warm``, ``first_touch`` or ``any``."""
    verdict: str
    """What was proven: ``cold``, ``warm``, ``mixed`` or ``unverified``."""
    evidence: str
    """How: ``read_bytes``, ``cachestat``, ``odirect`` or ``none``."""
    device_bytes: int
    """Bytes that came from the device during the window, as the kernel accounts them to the process."""
    payload_bytes: int
    """Bytes that the window asked for."""

    @property
    def device_share(self) -> float:
        """Device bytes over payload bytes: about 1 is cold, about 0 is warm."""
        return self.device_bytes / self.payload_bytes if self.payload_bytes else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What a window of transfers took beyond its payload: time of each request, processors at both ends, bytes on the link."""

    path: str
    """``loopback`` when the other end has an address of this machine, else ``remote``; ``filesystem`` for a copy to a folder."""
    interface: str
    """Network interface that leads to the other end; empty where none does or it is not known."""
    latency_p50_s: float | None
    """Median time of a request, asked to last byte; None for a stream."""
    latency_p99_s: float | None
    """99th percentile of the same."""
    latency_mean_s: float | None
    """Mean of the same: times the rate of requests it must give the requests in flight (Little's law)."""
    first_byte_p50_s: float | None
    """Median time from asking to the first byte of the answer; None where the client does not show it."""
    first_byte_p99_s: float | None
    """99th percentile of the same."""
    client_cpu_s: float
    """CPU time of this end, user and system."""
    server_cpu_s: float | None
    """CPU time of the other end; None where it does not say."""
    wire_bytes: int | None
    """Bytes over the interface in the direction of the payload, headers and other traffic included; None if not known."""
    retransmit_count: int | None
    """Segments that the sending end sent again; None if not known."""
    retransmit_evidence: str
    """``tcp_info`` (these connections alone), ``snmp`` (all connections of the sender's system) or ``none``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long single operations of a window took, of a closed loop: each member asks again when it has its answer."""

    count: int
    """Operations that were timed."""
    member_count: int
    """Members of the loop: operations in flight at any time."""
    mean_s: float
    """Mean time of an operation."""
    p50_s: float
    """Median."""
    p95_s: float
    """95th percentile."""
    p99_s: float
    """99th percentile; of fewer than a hundred operations the slowest."""
    max_s: float
    """The slowest."""

    def little_residual(self, elapsed_s: float) -> float:
        """Return by which share the operations in flight, by Little's law, differ from the members of the loop.

        Source: Little, "A proof for the queuing formula L = lambda W", Operations Research 9 (1961): rate times mean time
        is the mean number in flight, whatever the distribution. Time between operations makes it negative.
        """
        return self.count * self.mean_s / elapsed_s / self.member_count - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeShare:
    """What one worker did in a window that several hosts took part in at once."""

    worker: str
    """Address of the worker."""
    host: str
    """Name of its host."""
    elapsed_s: float
    """From the common start to when it had done its share."""
    payload_bytes: int
    """Bytes of its share."""
    images: int
    """Images of its share."""
    value: float
    """Its own rate, in the measurement's unit."""
    is_straggler: bool = False
    """Whether it took more than 1.25 times as long as the middle one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One timed window of one invocation (a fresh process)."""

    invocation: int
    """Which invocation the window belongs to."""
    order: int
    """Place of the window in the order in which all windows were run."""
    started_at: str
    """UTC, ISO 8601."""
    elapsed_s: float
    """Wall time of the window."""
    cpu_s: float
    """CPU time of the process in the window, user and system."""
    operations: int
    """Operations in the window (reads, requests, decodes, batches)."""
    payload_bytes: int
    """Payload bytes in the window; 0 where the stage has none."""
    images: int
    """Images in the window; 0 where the stage has none."""
    value: float
    """The measured value in the measurement's unit."""
    cache: CacheProof | None = None
    """State of the page cache, where the stage reads files."""
    wire: Wire | None = None
    """What the transfer took at both ends and between them, where the stage transfers."""
    latency: Latency | None = None
    """How long its operations took one by one, where the stage times them."""
    neighbour_share: float | None = None
    """Share of the machine's processors that others had meanwhile; None where the system does not say."""
    steal_share: float | None = None
    """Share of the machine's processor time that the hypervisor took away; None where the system does not say."""
    io_stall_share: float | None = None
    """Share of the window in which some task of the system waited for a device (pressure stall); None if not known."""
    nodes: tuple[NodeShare, ...] = ()
    """Who did what, where several hosts worked at once."""


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
class Prediction:
    """What a model says of one level of what was varied."""

    level: float
    """Members (threads, workers, nodes) or bytes of a request."""
    value: float | None
    """The figure, in the model's unit; None where the model reaches too far for one."""
    low: float | None
    """Lower end of the 95 % interval; None where none can be given."""
    high: float | None
    """Upper end; far beyond the measurements a bound that cannot be passed."""
    measured: float | None = None
    """What was measured at that level; None where nothing was."""
    is_beyond_data: bool = False
    """Whether no level as large (or as small) was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A law through measurements that differ in one condition, or a rate put together from those of stages."""

    metric: str
    """The measurement that was fitted, or is predicted."""
    title: str
    """A few words for people."""
    unit: str
    """Suffix of the unit of its predictions."""
    law: str
    """``linear``, ``saturation``, ``Amdahl``, ``universal scalability``, ``Hockney``, ``stage roofline``, ``shared cores``."""
    swept: str
    """The condition that differs: ``threads``, ``workers``, ``read_bytes``, ...; empty for rates put together from stages."""
    conditions: Mapping[str, Any]
    """What was equal."""
    parameters: Mapping[str, float]
    """What was fitted, names with units; for a stage roofline the rate that each stage alone would allow."""
    parameter_intervals: Mapping[str, tuple[float, float]]
    """Their 95 % intervals, where they are known."""
    left_out_share: Mapping[str, float]
    """Each law that was tried, and by what share (of the logarithm) it missed the largest level when that was left out."""
    predictions: tuple[Prediction, ...]
    """What it says: of the levels measured, and of some beyond."""
    flags: tuple[str, ...] = ()
    """Warnings: ``beyond_data``, ``coherence_unidentified``, ``few_levels``, ``few_invocations``."""
    limits: str = ""
    """What it does not say."""

    def at(self, level: float) -> Prediction | None:
        """Return what it says of a level, or None where it was not asked."""
        return next((found for found in self.predictions if found.level == level), None)


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
        values = _checked(facts, MEASUREMENTS_SCHEMA, cls)
        values["environment"] = Environment(**values["environment"])
        values["measurements"] = tuple(_measurement(m) for m in values["measurements"])
        values["models"] = tuple(_model(m) for m in values.get("models", ()))
        return cls(**values)

    def save(self, path: str | Path) -> Path:
        """Write JSON to ``path`` and every sample to Parquet beside it; return the JSON's path."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.samples_frame().write_parquet(target.with_suffix(".parquet"))
        target.write_text(json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return target

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the measurements saved at ``path``."""
        return cls.from_dict(read_facts(path, "measurements"))

    def __repr__(self) -> str:
        count = len(self.measurements)
        return f"<MeasurementSet of {self.dataset!r} v{self.dataset_version}: {count} measurements, plan {self.plan}>"


def read_facts(path: str | Path, noun: str) -> dict[str, Any]:
    """Return the JSON object in a file of facts.

    Raises
    ------
    MissingError
        If there is no such file.
    DatasetError
        If it holds no JSON object.
    """
    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as fault:
        raise MissingError(f"there is no {noun} file at '{path}'") from fault
    except (ValueError, OSError) as fault:
        raise DatasetError(f"'{path}' cannot be read as a {noun} file: {fault}") from fault
    if not isinstance(facts, dict):
        raise DatasetError(f"'{path}' is not a {noun} file: it holds no JSON object")
    return facts


def _checked(facts: Mapping[str, Any], schema: str, noun: type) -> dict[str, Any]:
    found = facts.get("schema")
    if found != schema:
        raise DatasetError(
            f"a {noun.__name__} of schema '{schema}' was expected, but '{found}' was found; write it again with this version"
        )
    fields: Sequence[Any] = dataclasses.fields(noun)
    missing = [f.name for f in fields if f.name not in facts and f.default is dataclasses.MISSING]
    if missing:
        raise DatasetError(f"this {noun.__name__} lacks {', '.join(missing)}; write it again with this version")
    return {f.name: facts[f.name] for f in fields if f.name in facts}


def _measurement(facts: Mapping[str, Any]) -> Measurement:
    values = dict(facts)
    values["samples"] = tuple(map(_sample, values["samples"]))
    values["ceiling"] = Ceiling(**values["ceiling"]) if values.get("ceiling") else None
    values["flags"] = tuple(values.get("flags", ()))
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
