"""The table of all that is measured: stages and ceilings, their conditions, the limit of each, and what it does not say.

A stage is data: ``probes.py`` turns it into something that runs, ``findings.py`` turns its windows into a measurement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit.measurement.flights import FLIGHT_BATCH_ROWS
from toolkit.measurement.headspace import CACHED_LOOP, FED_LOOP
from toolkit.measurement.stage import CeilingRule, Stage
from toolkit.measurement.stages_decode import class_stages
from toolkit.measurement.stages_read import WRITE_LIMITS, access_stages
from toolkit.units import KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.measurement.plans import Plan

__all__ = ["LOOPBACK_LIMITS", "CeilingRule", "Stage", "batch_size_of", "ceiling_stages", "stages_of"]

RESIZE_PX: Final = 224
"""Side that training most often takes. Source: He et al., "Deep Residual Learning" (CVPR 2016), section 3.4."""

FULL: Final = "full size"
SCALED: Final = f"{RESIZE_PX} px"

CHECKS: Final[dict[bool | str, str]] = {True: "checked by sha256", "pages": "checked by pages' CRC-32", False: "unchecked"}
"""What a loader may hold against what was written, and the words for it."""

_BATCH_SIZE: Final = 64
_HTTP_RANGES: Final = (MIB, 8 * MIB)

_HERE: Final = "Payload at the Python interface, on this host, on these shards."
_BELOW: Final = f"{_HERE} Caches below this kernel (hypervisor, array, drive) are out of sight: cold means cold for this kernel."
_DECODE: Final = f"{_HERE} From memory, with the formats and sizes of this dataset; other images decode at other rates."
_LOADER: Final = f"{_HERE} Warm, into host memory, batches dropped: no copy to an accelerator, no augmentation, no training step."
LOOPBACK_LIMITS: Final = (
    f"{_HERE} Loopback: the cost of protocol and processors at both ends, which share this machine; not a network."
)


def stages_of(
    plan: Plan, families: Sequence[str], core_count: int, mean_image_bytes: float, image_count: int
) -> tuple[Stage, ...]:
    """Return the stages of some families and the ceilings they need, ceilings first."""
    makers = {"read": _read, "decode": _decode, "loader": _loader, "transfer": _transfer}
    batch_size = batch_size_of(image_count)
    chosen = [stage for family in families if family in makers for stage in makers[family](plan, core_count, batch_size)]
    if "read" in families:
        chosen += access_stages(plan, core_count, mean_image_bytes)
    if "decode" in families and plan.is_wide:
        chosen += class_stages()
    needed = {"ceiling.memory_copy"} | {stage.ceiling.metric for stage in chosen if stage.ceiling is not None}
    needed |= {CACHED_LOOP} if any(stage.metric == FED_LOOP for stage in chosen) else set()
    ceilings = [stage for stage in ceiling_stages(plan, core_count, mean_image_bytes) if stage.metric in needed]
    return (*ceilings, *chosen)


def batch_size_of(image_count: int) -> int:
    """Return how many images a batch of the loader has: so few that an epoch has several."""
    return max(1, min(_BATCH_SIZE, image_count // 8))


def ceiling_stages(plan: Plan, core_count: int, mean_image_bytes: float, *, is_sweep: bool = False) -> Iterator[Stage]:
    """Yield the ceilings in the settings of a plan; with ``is_sweep`` in more of them, for taking a ceiling again."""
    image_bytes = max(1, round(mean_image_bytes))
    threads = sorted({1, core_count})
    for count in threads:
        yield _ceiling("memory_copy", f"Memory copy, {_threads(count)}", _HERE, threads=count, block_bytes=plan.copy_bytes)
    for count in threads:
        yield _ceiling("mapped_sum", f"Sum of mapped bytes, {_threads(count)}", _HERE, threads=count, cache="warm")
    for size in (256 * KIB, MIB) if is_sweep else (MIB,):
        reads: dict[str, Any] = {"pattern": "sequential", "read_bytes": size, "threads": 1, "cache": "warm"}
        yield _ceiling("page_cache_read", f"Page-cache read of {size // KIB} KiB", _HERE, **reads)
    title = "Page-cache read of an image's size"
    yield _ceiling("page_cache_read", title, _HERE, pattern="random", read_bytes=image_bytes, threads=1, cache="warm")
    yield from _device_stages((1, 2, 4, 8, 16, 32) if is_sweep else plan.device_depths, image_bytes, is_sweep=is_sweep)
    for streams in threads if plan.is_wide or is_sweep else (1,):
        for source in ("memory", "sendfile"):
            title = f"TCP loopback, {streams} x {source}"
            yield _ceiling("tcp_loopback", title, LOOPBACK_LIMITS, streams=streams, source=source, path="loopback")
    for output in (FULL, SCALED):
        title = f"Decode on one core, {output}"
        yield _ceiling("decode_core", title, _DECODE, unit="images_per_s", threads=1, output=output)
        if core_count > 1:  # they share memory, caches and a clock: not as many times one core
            title = f"Decode on {core_count} cores, {output}"
            yield _ceiling("decode_cores", title, _DECODE, unit="images_per_s", threads=core_count, output=output)
    if plan.is_wide:
        facts: dict[str, Any] = {"size_bytes": 64 * MIB, "durable": "fsync"}
        yield _ceiling("synced_write", "Write and fsync of files of 64 MiB", WRITE_LIMITS, **facts)
    title = f"Loop that copies batches held in memory, {SCALED}"
    yield _ceiling("cached_batches", title, _LOADER, unit="images_per_s", output=SCALED)


def _device_stages(depths: Sequence[int], image_bytes: int, *, is_sweep: bool) -> Iterator[Stage]:
    for size in (MIB, 4 * MIB) if is_sweep else (MIB,):
        for depth in depths:
            yield _device("sequential", size, depth, "direct")
        yield _device("sequential", size, 1, "buffered")
    yield _device("random", image_bytes, 1, "direct")
    if is_sweep:
        yield _device("random", image_bytes, 1, "buffered")


def _device(pattern: str, size: int, depth: int, how: str) -> Stage:
    what = f"{size // MIB} MiB" if pattern == "sequential" else "an image's size"
    title = f"Device read of {what}, {how if how == 'buffered' else f'{depth} in flight'}"
    return _ceiling("device_read", title, _BELOW, pattern=pattern, read_bytes=size, depth=depth, access=how, cache="cold")


def _ceiling(name: str, title: str, limits: str, *, unit: str = "bytes_per_s", **conditions: Any) -> Stage:
    return Stage(metric=f"ceiling.{name}", title=title, unit=unit, family="ceiling", limits=limits, conditions=conditions)


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _read(plan: Plan, core_count: int, batch_size: int) -> Iterator[Stage]:  # noqa: ARG001 - one signature for all families
    device = "The device, read by large direct requests or by the kernel's read-ahead, whichever is faster."
    single = "The device, asked for pieces of an image's size one at a time at random places."
    summed = "The same mapped bytes, summed once by NumPy on as many threads; nothing is parsed."
    cached = "Page-cache reads of an image's size at random places of the same shards; nothing is parsed or checked."
    rules = {
        ("sequential", "cold"): CeilingRule(metric="ceiling.device_read", match={"pattern": "sequential"}, explanation=device),
        ("sequential", "warm"): CeilingRule(metric="ceiling.mapped_sum", match={"threads": 1}, explanation=summed),
        ("random", "cold"): CeilingRule(metric="ceiling.device_read", match={"pattern": "random"}, explanation=single),
        ("random", "warm"): CeilingRule(metric="ceiling.page_cache_read", match={"pattern": "random"}, explanation=cached),
        ("raw_files", "cold"): CeilingRule(metric="ceiling.device_read", match={"pattern": "random"}, explanation=single),
        ("raw_files", "warm"): CeilingRule(metric="ceiling.page_cache_read", match={"pattern": "random"}, explanation=cached),
    }
    titles = {
        "sequential": ("Sequential read of shards", {"format": "parquet", "checks": "none"}),
        "random": ("Random read of single images", {"format": "parquet", "checks": "sha256"}),
        "raw_files": ("Read of images as single files", {"format": "files", "checks": "none"}),
    }
    for (pattern, cache), rule in rules.items():
        title, facts = titles[pattern]
        conditions = {"cache": cache, "threads": 1} | facts
        yield Stage(
            metric=f"read.{pattern}", title=f"{title}, {cache}", unit="bytes_per_s", family="read", limits=_BELOW,
            conditions=conditions, ceiling=rule,
        )  # fmt: skip


def _decode(plan: Plan, core_count: int, batch_size: int) -> Iterator[Stage]:  # noqa: ARG001 - one signature for all families
    codec = "The codec alone in memory, with no orientation and no conversion"
    for output in (FULL, SCALED):
        rule = _cores(codec, output, 1)
        core = Stage(
            metric="decode.core", title=f"Decode to RGB on one core, {output}", unit="images_per_s", family="decode",
            limits=_DECODE, conditions={"threads": 1, "output": output}, ceiling=rule,
        )  # fmt: skip
        yield core
        if output == FULL:
            yield Stage(
                metric="decode.pixels", title="Decode to RGB on one core, pixels", unit="pixels_per_s", family="decode",
                limits=_DECODE, conditions=core.conditions, ceiling=rule, derived_from=core.key,
            )  # fmt: skip
        yield Stage(
            metric="decode.all_cores", title=f"Decode to RGB on all cores, {output}", unit="images_per_s", family="decode",
            limits=_DECODE, conditions={"threads": core_count, "output": output}, ceiling=_cores(codec, output, core_count),
        )  # fmt: skip
    summed = "Mapped bytes summed by NumPy on one thread: what touching them costs."
    for name, words in (("sha256", "sha256"), ("crc32", "CRC-32")):
        yield Stage(
            metric=f"hash.{name}", title=f"{words} on one core", unit="bytes_per_s", family="decode", limits=_DECODE,
            conditions={"threads": 1}, ceiling=CeilingRule(metric="ceiling.mapped_sum", match={"threads": 1}, explanation=summed),
        )  # fmt: skip


def _cores(codec: str, output: str, core_count: int) -> CeilingRule:
    """Return the codec's rule; what is scaled afterwards may be decoded at full size or scaled in the transform."""
    match = {"output": FULL} if output == FULL else {}
    choice = "" if output == FULL else ", at full size or scaled in the transform, whichever is faster"
    name, cores = ("decode_core", "on one core") if core_count == 1 else ("decode_cores", f"on {core_count} cores at once")
    return CeilingRule(metric=f"ceiling.{name}", match=match, explanation=f"{codec}, {cores}{choice}.")


def _loader(plan: Plan, core_count: int, batch_size: int) -> Iterator[Stage]:  # noqa: ARG001 - one signature for all families
    codec = "The codec alone in memory, with nothing read, checked, converted, resized or batched"
    shared = {"workers": core_count, "batch_size": batch_size, "cache": "warm"}
    for output in (FULL, SCALED):
        yield Stage(
            metric="loader.decoded", title=f"Loader, decoded images, {output}", unit="images_per_s", family="loader",
            limits=_LOADER, conditions=shared | {"output": output, "verify": True}, ceiling=_cores(codec, output, core_count),
        )  # fmt: skip
    yield Stage(
        metric="loader.time_to_first_batch", title="Loader, time to the first batch", unit="s", family="loader", limits=_LOADER,
        conditions=shared | {"output": FULL, "verify": True}, ceiling=_cores(codec, FULL, core_count),
    )  # fmt: skip
    summed = "The same mapped bytes, summed once by NumPy on as many threads; nothing is parsed, copied or checked."
    for verify, words in CHECKS.items():
        yield Stage(
            metric="loader.bytes", title=f"Loader, encoded images, {words}", unit="bytes_per_s",
            family="loader", limits=_LOADER, conditions=shared | {"output": "encoded", "verify": verify},
            ceiling=CeilingRule(metric="ceiling.mapped_sum", match={"threads": core_count}, explanation=summed),
        )  # fmt: skip
    yield from _loop(shared | {"output": SCALED, "verify": True}, _cores(codec, SCALED, core_count))


def _loop(conditions: dict[str, Any], limit: CeilingRule) -> Iterator[Stage]:
    """Yield what a loop that takes the loader's batches tells of it: its rate, its waiting, the processors' time."""
    codec = "The codec alone in memory, its processor time for an image: nothing is read, checked, converted or resized."
    rule = CeilingRule(metric="ceiling.decode_core", match={}, explanation=codec)
    shared: dict[str, Any] = {"family": "loader", "limits": _LOADER, "conditions": conditions}
    fed = Stage(
        metric=FED_LOOP, title=f"Loop that copies the loader's batches, {SCALED}", unit="images_per_s", ceiling=limit, **shared,
    )  # fmt: skip
    yield fed
    yield Stage(
        metric="loader.stall_share", title=f"Share of that loop spent waiting for the loader, {SCALED}", unit="share",
        figure="stall_share", derived_from=fed.key, **shared,
    )  # fmt: skip
    yield Stage(
        metric="loader.cpu_per_image", title=f"Processor time of the loader for an image, {SCALED}", unit="s",
        figure="cpu_per_image", derived_from=fed.key, ceiling=rule, **shared,
    )  # fmt: skip


def _transfer(plan: Plan, core_count: int, batch_size: int) -> Iterator[Stage]:  # noqa: ARG001 - one signature for all families
    for client in ("http.client", "obstore") if plan.is_wide else ("http.client",):
        for streams in sorted({1, core_count}) if plan.is_wide else (1,):
            for range_bytes in _HTTP_RANGES:
                title = f"HTTP ranges of {range_bytes // MIB} MiB, {streams} x {client}"
                conditions = {"path": "loopback", "range_bytes": range_bytes, "streams": streams, "client": client}
                yield Stage(
                    metric="transfer.http_range", title=title, unit="bytes_per_s", family="transfer", limits=LOOPBACK_LIMITS,
                    conditions=conditions, ceiling=_socket(streams),
                )  # fmt: skip
    yield Stage(
        metric="transfer.flight", title="Arrow Flight", unit="bytes_per_s", family="transfer", limits=LOOPBACK_LIMITS,
        conditions={"path": "loopback", "request": "row group", "batch_rows": FLIGHT_BATCH_ROWS, "streams": 1},
        ceiling=_socket(1),
    )  # fmt: skip


def _socket(streams: int) -> CeilingRule:
    explanation = "A plain socket over the same loopback with as many streams, from memory or by sendfile, whichever is faster."
    return CeilingRule(metric="ceiling.tcp_loopback", match={"streams": streams}, explanation=explanation)
