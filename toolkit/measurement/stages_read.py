"""What is measured of storage beyond single readers: many readers at once, metadata apart from bytes, first touch, writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit.measurement.stage import Stage
from toolkit.units import KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.measurement.plans import Plan

__all__ = ["access_stages"]

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
_WRITE: Final = "Until fsync returned, on the dataset's filesystem: whether the drive's own cache is durable is not known."


def access_stages(plan: Plan, mean_image_bytes: float) -> Iterator[Stage]:
    """Yield the stages; all but a few of them in wide plans alone, one window of each in an invocation."""
    yield _stage(
        "read.first_touch", "First touch of the shards", "bytes_per_s", _FIRST, window_s=_FIRST_TOUCH_S,
        cache="first_touch", threads=1, format="parquet", checks="none",
    )  # fmt: skip
    yield from _metadata()
    image_bytes = max(1, round(mean_image_bytes))
    for cache in ("cold", "warm"):
        for readers in _SWEPT_READERS if plan.is_wide else _FEW_READERS:
            title = f"Pieces of an image's size at random, {_readers(readers)}, {cache}"
            facts: dict[str, Any] = {"pattern": "random", "cache": cache, "threads": readers, "access": "preadv, no read-ahead"}
            yield _stage("read.pieces", title, "bytes_per_s", _BYTES, read_bytes=image_bytes, **facts)
        for readers in _SWEPT_READERS[:-1] if plan.is_wide else ():
            title = f"Row groups at random, {_readers(readers)}, {cache}"
            facts = {"cache": cache, "threads": readers, "format": "parquet", "checks": "none"}
            yield _stage("read.row_groups", title, "bytes_per_s", _BYTES, **facts)
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
        yield _stage("write.fsync", title, "bytes_per_s", _WRITE, size_bytes=size, threads=1, durable="fsync")


def _metadata() -> Iterator[Stage]:
    yield _stage("metadata.list", "Listing of the shards' folder, per shard", "s", _METADATA, threads=1)
    yield _stage("metadata.open", "Open and close of a shard", "s", _METADATA, threads=1)
    for cache in ("cold", "warm"):
        yield _stage("metadata.footer", f"Footer of a shard, {cache}", "s", _METADATA, threads=1, cache=cache)


def _stage(metric: str, title: str, unit: str, limits: str, window_s: float | None = None, **conditions: Any) -> Stage:
    return Stage(
        metric=metric, title=title, unit=unit, family="read", limits=limits, conditions=conditions, window_s=window_s,
        window_count=1,
    )  # fmt: skip


def _readers(count: int) -> str:
    return "1 reader" if count == 1 else f"{count} readers"
