"""Facts written by hand for the report's tests: a profile, measurements, and frames of a projection, calm or hostile."""

from __future__ import annotations

from typing import Any

import polars as pl

from toolkit.facts import (
    CacheProof,
    Ceiling,
    DatasetProfile,
    Environment,
    Measurement,
    MeasurementSet,
    Quantiles,
    Sample,
    VersionFacts,
)
from toolkit.projection.explain import NodeSummary
from toolkit.projection.result import (
    ASSUMPTION_SCHEMA,
    BOTTLENECK_SCHEMA,
    DOUBLING_SCHEMA,
    FRAME_SCHEMA,
    PLAN_SCHEMA,
    SENSITIVITY_SCHEMA,
    Plan,
    Projection,
)

HOSTILE = "<script>alert('x')</script>\"quoted\"\nsecond line </script><!-- \u202egnp"


def profile(**changes: Any) -> DatasetProfile:
    """A small dataset's profile; any field can be changed."""
    facts: dict[str, Any] = {
        "name": "flowers",
        "location": "/data/flowers",
        "version": 2,
        "source_count": 407,
        "source_bytes": 9_800_000,
        "image_count": 361,
        "image_bytes": 8_900_000,
        "shard_count": 3,
        "shard_bytes": 9_010_000,
        "pixel_count": 48_000_000,
        "image_size_bytes": Quantiles(
            count=361,
            mean=24_654.0,
            values=(420.0, 700.0, 1_900.0, 3_200.0, 8_000.0, 17_000.0, 33_000.0, 56_000.0, 81_000.0, 160_000.0, 240_000.0),
        ),
        "image_pixels": Quantiles(
            count=361,
            mean=132_964.0,
            values=(
                1_024.0,
                4_096.0,
                9_000.0,
                16_384.0,
                49_152.0,
                98_304.0,
                172_800.0,
                300_000.0,
                420_000.0,
                800_000.0,
                1_200_000.0,
            ),
        ),
        "states": {"kept": 361, "dropped": 0, "duplicate": 25, "quarantined": 21},
        "reasons": {
            "exact_duplicate": 25,
            "truncated": 8,
            "corrupt_data": 6,
            "not_an_image": 3,
            "empty": 2,
            "too_small": 1,
            "too_many_pixels": 1,
        },
        "other_files": {"annotation": 14, "container": 3, "skipped(hidden)": 2},
        "formats": {"jpeg": 240, "png": 71, "webp": 20, "tiff": 12, "gif": 9, "bmp": 5, "avif": 4},
        "modes": {"RGB": 310, "L": 31, "P": 12, "RGBA": 8},
        "labels": {"rose": 90, "tulip": 80, "daisy": 71, "sunflower": 60, "orchid": 40},
        "label_count": 5,
        "splits": {"train": 290, "validation": 36, "test": 35},
        "near_duplicate_group_count": 12,
        "near_duplicate_image_count": 27,
        "versions": (
            VersionFacts(
                version=1,
                committed_at="2026-01-01T10:00:00Z",
                kind="batch",
                batch="a1",
                image_count=300,
                size_bytes=7_000_000,
                shard_count=2,
            ),
            VersionFacts(
                version=2,
                committed_at="2026-01-02T10:00:00Z",
                kind="batch",
                batch="b2",
                image_count=361,
                size_bytes=8_900_000,
                shard_count=3,
            ),
        ),
        "curation": {
            "elapsed_s": 2.4,
            "cpu_s": 3.9,
            "images_per_s": 169.6,
            "bytes_per_s": 4_083_333.0,
            "worker_count": 2,
            "core_count": 2,
        },
    }
    return DatasetProfile(**(facts | changes))


def empty_profile() -> DatasetProfile:
    """A dataset in which nothing was found."""
    nothing = Quantiles(count=0, mean=0.0, values=())
    return profile(
        source_count=0,
        source_bytes=0,
        image_count=0,
        image_bytes=0,
        shard_count=0,
        shard_bytes=0,
        pixel_count=0,
        image_size_bytes=nothing,
        image_pixels=nothing,
        states={"kept": 0, "dropped": 0, "duplicate": 0, "quarantined": 0},
        reasons={},
        other_files={},
        formats={},
        modes={},
        labels={},
        label_count=0,
        splits={},
        near_duplicate_group_count=0,
        near_duplicate_image_count=0,
        versions=(),
        curation={},
    )


def measurement(metric: str, title: str, unit: str, median: float, ceiling: float | None = None, **changes: Any) -> Measurement:
    """A measurement of nine windows about its median."""
    cache = changes.pop("cache", None)
    proof = None
    if cache:
        proof = CacheProof(
            intended=cache, verdict=cache, evidence="read_bytes", device_bytes=10**6 * (cache == "cold"), payload_bytes=10**6
        )
    samples = tuple(
        Sample(
            invocation=i // 3,
            order=i,
            started_at="2026-01-02T11:00:00Z",
            elapsed_s=0.2,
            cpu_s=0.2,
            operations=100,
            payload_bytes=10**6,
            images=100,
            value=median * (0.94 + 0.015 * i),
            cache=proof,
        )
        for i in range(9)
    )
    facts: dict[str, Any] = {
        "metric": metric,
        "title": title,
        "unit": unit,
        "conditions": {"cache": cache} if cache else {"workers": 2},
        "samples": samples,
        "median": median,
        "interval_low": median * 0.93,
        "interval_high": median * 1.08,
        "limits": "It says nothing of a busy machine.",
        "ceiling": None
        if ceiling is None
        else Ceiling(metric="ceiling.x", value=ceiling, explanation="The same bytes, summed once."),
        "bytes_per_image": 24_654.0 if unit == "images_per_s" else 0.0,
        "flags": ("few_invocations",),
    }
    return Measurement(**(facts | changes))


def measurements(*found: Measurement) -> MeasurementSet:
    """A run of ``measure`` on a small machine."""
    usual = (
        measurement("ceiling.memory_copy", "Memory copy", "bytes_per_s", 9.6e9),
        measurement("ceiling.page_cache_read", "Page cache read", "bytes_per_s", 8.1e9),
        measurement("ceiling.device_read", "Device read", "bytes_per_s", 1.9e9),
        measurement("ceiling.decode_core", "Decode on one core", "images_per_s", 1010.0),
        measurement("read.sequential", "Sequential read of shards, cold", "bytes_per_s", 1.4e9, 1.9e9, cache="cold"),
        measurement("read.sequential", "Sequential read of shards, warm", "bytes_per_s", 5.2e9, 8.1e9, cache="warm"),
        measurement("read.random", "Random read of single images, cold", "bytes_per_s", 2.1e8, 1.9e9, cache="cold"),
        measurement("read.random", "Random read of single images, warm", "bytes_per_s", 2.4e9, 8.1e9, cache="warm"),
        measurement("decode.all_cores", "Decode on all cores", "images_per_s", 1720.0, 2020.0),
        measurement("loader.decoded", "Loader, decoded images", "images_per_s", 1510.0, 2020.0),
        measurement("loader.time_to_first_batch", "Loader, time to the first batch", "s", 0.118),
        measurement("transfer.http_range", "HTTP range requests", "bytes_per_s", 1.6e9, 4.4e9, flags=("loopback",)),
    )
    return MeasurementSet(
        dataset="/data/flowers",
        dataset_version=2,
        plan="quick",
        started_at="2026-01-02T11:00:00Z",
        elapsed_s=41.0,
        environment=Environment(
            host="bench-1", facts={"cpu": "Example 9000", "core_count": 2, "memory_bytes": 8_589_934_592, "kernel": "6.1"}
        ),
        measurements=found or usual,
    )


MONTHS = tuple(range(25))


def _growing(start: float, rate: float = 1.06) -> tuple[float, ...]:
    return tuple(start * rate**month for month in MONTHS)


QUANTITIES: dict[str, tuple[str, tuple[float, ...]]] = {
    "dataset.images": ("images", _growing(4e7)),
    "dataset.image_bytes": ("bytes", _growing(4.4e12)),
    "storage.raw_bytes": ("bytes", _growing(5e12)),
    "storage.curated_bytes": ("bytes", _growing(4.4e12)),
    "storage.versions_bytes": ("bytes", _growing(1e12, 1.02)),
    "storage.checkpoint_bytes": ("bytes", _growing(2.1e12, 1.0)),
    "storage.protection_bytes": ("bytes", _growing(6e12)),
    "storage.headroom_bytes": ("bytes", _growing(4e12)),
    "storage.capacity_bytes": ("bytes", _growing(22.5e12, 1.055)),
    "bandwidth.epoch_read_bytes_per_s": ("bytes_per_s", _growing(0.8e9)),
    "bandwidth.storage_demand_bytes_per_s": ("bytes_per_s", _growing(0.9e9)),
    "bandwidth.storage_supply_bytes_per_s": ("bytes_per_s", _growing(1.9e9, 1.0)),
    "network.node_bytes_per_s": ("bytes_per_s", _growing(3e9, 1.0)),
    "training.gpu_count": ("count", _growing(8.0)),
    "training.elapsed_s": ("s", _growing(6.2e5, 1.0)),
    "training.cost_usd": ("usd", _growing(14_000.0)),
    "inference.latency_p50_s": ("s", _growing(0.018, 1.0)),
    "inference.latency_p99_s": ("s", _growing(0.048, 1.01)),
    "inference.instance_count": ("count", _growing(2.0, 1.04)),
}


def _nodes() -> dict[str, NodeSummary]:
    growth = NodeSummary(
        name="scenario.growth_share",
        unit="share",
        p10=(0.03,),
        p50=(0.06,),
        p90=(0.09,),
        formula="",
        source="the scenario",
        evidence="assumed",
        inputs=(),
    )
    nodes = {growth.name: growth}
    for name, (unit, values) in QUANTITIES.items():
        inputs = ("storage.raw_bytes", "storage.curated_bytes") if name == "storage.capacity_bytes" else (growth.name,)
        nodes[name] = NodeSummary(
            name=name,
            unit=unit,
            p10=tuple(v * 0.9 for v in values),
            p50=values,
            p90=tuple(v * 1.2 for v in values),
            formula="raw + curated + versions + checkpoints" if len(inputs) > 1 else "start x (1 + growth)^month",
            source="definition",
            evidence="assumed",
            inputs=inputs,
        )
    return nodes


def plan(*rows: tuple[Any, ...]) -> Plan:
    """A plan of three items, one without a price."""
    usual = (
        (
            "training",
            "GPU server, 8 x H100 SXM",
            2.0,
            290_000.0,
            580_000.0,
            20_400.0,
            0,
            "8 GPUs now, 32 in month 24",
            "published",
        ),
        ("training", "NVMe storage server", 3.0, None, None, 2_400.0, 13, "demand passes 1.9 GB/s", "measured"),
        ("inference", "L4 instance", 5.0, 2_500.0, 12_500.0, 360.0, 8, "p99 under 60 ms at 300 requests/s", "vendor"),
    )

    def whole(row: tuple[Any, ...]) -> tuple[Any, ...]:
        return row + (None,) * (len(PLAN_SCHEMA) - len(row))

    return Plan(
        frame=pl.DataFrame([whole(row) for row in rows or usual], schema=PLAN_SCHEMA, orient="row"),
        summary="Two GPU servers now and three NVMe storage servers by month 13 carry the dataset from 40 M to 162 M images.",
        bottleneck="Storage bandwidth limits training from month 13.",
        next_bottleneck="After it, decoding on the CPU does.",
    )


def projection(**changes: Any) -> Projection:
    """A projection of 24 months with everything in it; any field can be changed."""
    frame = [
        (month, name, unit, value * (1 - 0.006 * month), value, value * (1 + 0.008 * month), "assumed")
        for name, (unit, values) in QUANTITIES.items()
        for month, value in zip(MONTHS, values, strict=True)
    ]
    doubling = [
        ("storage", "storage.capacity_bytes", "bytes", 22e12, 41.6e12, 78.8e12, 149e12, 0.92, "checkpoints do not grow"),
        (
            "bandwidth",
            "bandwidth.storage_demand_bytes_per_s",
            "bytes_per_s",
            9e8,
            1.8e9,
            3.6e9,
            7.2e9,
            1.0,
            "same epochs, same time",
        ),
        ("GPUs", "training.gpu_count", "count", 8.0, 16.0, 32.0, 64.0, 1.0, "more samples"),
        ("latency", "inference.latency_p99_s", "s", 0.048, 0.048, 0.048, 0.048, 0.0, "the model stays"),
    ]
    sensitivity = [
        ("storage.capacity_bytes", "bytes", "scenario.growth_share", 0.03, 0.09, 55e12, 140e12),
        ("storage.capacity_bytes", "bytes", "storage.overhead_share", 0.25, 2.0, 70e12, 110e12),
        ("storage.capacity_bytes", "bytes", "checkpoint_interval", 3600.0, 14400.0, 86e12, 81e12),
        ("training.cost_usd", "usd", "gpu_price", 1.9, 4.0, 38e3, 82e3),
    ]
    assumptions = [
        ("scenario.growth_share", 0.06, "share", "6 %", "assumed", "the scenario"),
        ("bytes_per_image", 110e3, "bytes", "110 kB", "measured", "dataset flowers, version 2"),
        ("gpu.peak", 989e12, "flop_per_s", "989 TFLOP/s", "vendor", "data sheet, https://example.com/h100.pdf (2023)"),
        ("mfu", 0.38, "share", "38 %", "published", "arXiv:2204.02311"),
    ]
    load = [
        (month, "training", resource, start * 1.06**month, 1.0, "bytes_per_s", start * 1.06**month)
        for month in MONTHS
        for resource, start in (("storage bandwidth", 0.47), ("CPU decode", 0.4), ("network", 0.12))
    ]
    facts: dict[str, Any] = {
        "name": "lab_one_node",
        "scenario": {"name": "lab_one_node"},
        "months": MONTHS,
        "plan": plan(),
        "frame": pl.DataFrame(frame, schema=FRAME_SCHEMA, orient="row"),
        "doubling": pl.DataFrame(doubling, schema=DOUBLING_SCHEMA, orient="row"),
        "sensitivity": pl.DataFrame(sensitivity, schema=SENSITIVITY_SCHEMA, orient="row"),
        "assumptions": pl.DataFrame(assumptions, schema=ASSUMPTION_SCHEMA, orient="row"),
        "bottlenecks": pl.DataFrame(load, schema=BOTTLENECK_SCHEMA, orient="row"),
        "flags": ("Three NVMe storage servers have no price.",),
        "limits": ("Nothing is said of the loss of a whole site.",),
        "explanations": _nodes(),
    }
    return Projection(**(facts | changes))
