"""What is measured of storage beyond single readers: many readers at once, metadata apart from bytes, first touch, writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit.measurement.stage import CeilingRule, Stage
from toolkit.units import KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.measurement.plans import Plan

__all__ = ["WRITE_LIMITS", "access_stages"]

_SWEPT_READERS: Final = (1, 2, 4, 8, 16)
_FEW_READERS: Final = (1, 8)
_DEVICE_SIZES: Final = (4 * KIB, 128 * KIB, MIB, 8 * MIB)
_WRITE_SIZES: Final = (128 * KIB, 8 * MIB)
_FIRST_TOUCH_S: Final = 0.5
_SUSTAINED_S: Final = 10.0

_BYTES: Final = (
    "Payload at the Python interface, on this host, on these shards. Caches below this kernel (hypervisor, array, drive) are out "
    "of sight: cold means cold for this kernel."
)
_METADATA: Final = (
    "Metadata alone, no image bytes. Cold is cold for the files' bytes: the kernel's names and inodes stay known to it, as only "
    "root can drop them; on a network filesystem the first listing costs more."
)
_FIRST: Final = (
    "The first reading of these shards by this run, once, in its first process: what read them before, here or below, is not "
    "known. Beside the cold reads after it, it tells whether a cache below this kernel helps those."
)
WRITE_LIMITS: Final = "Until fsync returned, on the dataset's filesystem: whether the drive's own cache is durable is not known."


_DEVICE: Final = CeilingRule(
    metric="ceiling.device_read", match={}, explanation="The device's best: large requests, several in flight, or its read-ahead."
)
_LARGE: Final = CeilingRule(
    metric="ceiling.synced_write", match={}, explanation="Files of 64 MiB written to the same filesystem, one fsync for each."
)


def access_stages(plan: Plan, core_count: int, mean_image_bytes: float) -> Iterator[Stage]:
    """Yield the stages; all but a few of them in wide plans alone, one window of each in an invocation."""
    yield _stage(
        "read.first_touch", "First touch of the shards", "bytes_per_s", _FIRST, window_s=_FIRST_TOUCH_S,
        cache="first_touch", threads=1, format="parquet", checks="none", ceiling=_DEVICE,
    )  # fmt: skip
    yield from _metadata()
    image_bytes = max(1, round(mean_image_bytes))
    for cache in ("cold", "warm"):
        for readers in _SWEPT_READERS if plan.is_wide else _FEW_READERS:
            title = f"Pieces of an image's size at random, {_readers(readers)}, {cache}"
            facts: dict[str, Any] = {"pattern": "random", "cache": cache, "threads": readers, "access": "preadv, no read-ahead"}
            rule = _DEVICE if cache == "cold" else _cached(readers, core_count)
            yield _stage("read.pieces", title, "bytes_per_s", _BYTES, read_bytes=image_bytes, ceiling=rule, **facts)
        for readers in _SWEPT_READERS[:-1] if plan.is_wide else ():
            title = f"Row groups at random, {_readers(readers)}, {cache}"
            facts = {"cache": cache, "threads": readers, "format": "parquet", "checks": "none"}
            rule = _DEVICE if cache == "cold" else _summed(readers, core_count)
            yield _stage("read.row_groups", title, "bytes_per_s", _BYTES, ceiling=rule, **facts)
    if plan.is_wide:
        yield from _wide(plan)


def _wide(plan: Plan) -> Iterator[Stage]:
    for size in _DEVICE_SIZES:
        for depth in (1, 4, 16):
            title = f"Device read of {size // KIB:,} KiB at random, {depth} in flight"
            facts: dict[str, Any] = {
                "pattern": "scattered",
                "read_bytes": size,
                "depth": depth,
                "access": "direct",
                "cache": "cold",
            }
            yield _stage("device.read", title, "bytes_per_s", _BYTES, **facts)
    if plan.window_s >= 1:
        facts = {"pattern": "sequential", "read_bytes": MIB, "depth": 16, "access": "direct", "cache": "cold", "sustained": True}
        yield _stage("device.sustained", "Device read, sustained", "bytes_per_s", _BYTES, window_s=_SUSTAINED_S, **facts)
    for size in _WRITE_SIZES:
        title = f"Write and fsync of files of {size // KIB:,} KiB"
        yield _stage(
            "write.fsync", title, "bytes_per_s", WRITE_LIMITS, size_bytes=size, threads=1, durable="fsync", ceiling=_LARGE
        )


def _metadata() -> Iterator[Stage]:
    yield _stage("metadata.list", "Listing of the shards' folder, per shard", "s", _METADATA, threads=1)
    yield _stage("metadata.open", "Open and close of a shard", "s", _METADATA, threads=1)
    for cache in ("cold", "warm"):
        yield _stage("metadata.footer", f"Footer of a shard, {cache}", "s", _METADATA, threads=1, cache=cache)


def _stage(
    metric: str, title: str, unit: str, limits: str, window_s: float | None = None, ceiling: CeilingRule | None = None,
    **conditions: Any,
) -> Stage:  # fmt: skip
    return Stage(
        metric=metric, title=title, unit=unit, family="read", limits=limits, conditions=conditions, window_s=window_s,
        window_count=1, ceiling=ceiling,
    )  # fmt: skip


def _cached(readers: int, core_count: int) -> CeilingRule:
    """Return what limits pieces from the page cache: as many copies from it at once as there are readers, or cores."""
    count = min(readers, core_count)
    times = "" if count == 1 else f", times {count} at once"
    explanation = f"Page-cache reads of an image's size at random places into one buffer{times}."
    return CeilingRule(
        metric="ceiling.page_cache_read", match={"pattern": "random"}, parallel_count=max(1, count), explanation=explanation
    )


def _summed(readers: int, core_count: int) -> CeilingRule:
    """Return what limits row groups that are resident: their mapped bytes summed by as many threads, or on all cores."""
    if readers >= core_count > 0:
        match, count, words = {"threads": core_count}, 1, "on all cores"
    else:
        match, count, words = {"threads": 1}, readers, "on one thread" if readers == 1 else f"on one thread, times {readers}"
    explanation = f"The same mapped bytes, summed by NumPy {words}; nothing is parsed."
    return CeilingRule(metric="ceiling.mapped_sum", match=match, parallel_count=count, explanation=explanation)


def _readers(count: int) -> str:
    return "1 reader" if count == 1 else f"{count} readers"
