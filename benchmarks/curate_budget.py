"""Where the time of a curated image goes: processor time of each step on one core, in milliseconds per JPEG."""

from __future__ import annotations

import hashlib
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa
import simplejpeg

from toolkit.curation.endings import ending_flag
from toolkit.curation.examine import examine
from toolkit.curation.hashing import byte_check, perceptual_hash
from toolkit.curation.headers import jpeg_frame, read_header
from toolkit.curation.jpeg import decode_jpeg
from toolkit.curation.limits import Limits
from toolkit.curation.markers import has_too_many_scans
from toolkit.curation.probing import ProbeTask, probe
from toolkit.curation.quality import scored_luma, scores_of
from toolkit.curation.sources import Occurrence, SourceUnit, read_unit, reread
from toolkit.curation.sources.discovery import discover
from toolkit.dataset.schema import IMAGES_SCHEMA
from toolkit.dataset.shards import ShardFacts, write_shard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

ROUNDS = 5
CEILING_PX = 32
"""Least side of the strict decode that everything is held against: the fastest that still decodes every bit."""


def ceiling(payloads: Sequence[bytes]) -> None:
    """Decode strictly, by the fastest way that decodes every bit."""
    for payload in payloads:
        simplejpeg.decode_jpeg(payload, colorspace="GRAY", min_height=CEILING_PX, min_width=CEILING_PX, strict=True)


def luma(payload: bytes) -> NDArray[np.uint8]:
    """Return what scores and hashes of a JPEG are made from."""
    frame = jpeg_frame(payload)
    assert frame is not None
    decoded = decode_jpeg(payload, is_upright=frame.height_px > frame.width_px).luma
    assert decoded is not None
    return decoded


def budget_ms(files: Sequence[Path]) -> dict[str, float]:
    """Return the median over rounds of each step's processor time per image, the steps in turns.

    Parameters
    ----------
    files : sequence of Path
        JPEGs in one folder, in the page cache.
    """
    payloads = [path.read_bytes() for path in files]
    decoded = [luma(payload) for payload in payloads]
    small = [scored_luma(one) for one in decoded]
    limits = Limits()
    places, rows = located(files[0].parent), shard_rows(payloads)
    steps: dict[str, Callable[[], object]] = {
        "strict decode (ceiling)": lambda: ceiling(payloads),
        "read": lambda: [path.read_bytes() for path in files],
        "sha256": lambda: [hashlib.sha256(payload).hexdigest() for payload in payloads],
        "header, scans, end": lambda: [
            (read_header(payload, "jpeg", limits), has_too_many_scans(payload), ending_flag(payload, "jpeg"))
            for payload in payloads
        ],
        "strict decode to the luma": lambda: [luma(payload) for payload in payloads],
        "luma to one scale": lambda: [scored_luma(one) for one in decoded],
        "scores": lambda: scores_of(small, decoded, [0.75] * len(small)),
        "perceptual hash": lambda: [perceptual_hash(one) for one in decoded],
        "checksum": lambda: [byte_check(payload) for payload in payloads],
        "examine, all of these but read": lambda: [examine(payload, name="a.jpg") for payload in payloads],
        "examine, rows and part written": lambda: probed(files[0].parent),
        "read again, checked": lambda: [byte_check(payload) for _, payload in reread(places) if isinstance(payload, bytes)],
        "shard written: copies, CRC-32, sha256": lambda: shard_written(rows),
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            started_s = time.thread_time()
            facts = step()
            apart_s = facts.writer_cpu_s if isinstance(facts, ShardFacts) else 0.0
            taken[name].append((time.thread_time() - started_s + apart_s) / len(files) * 1_000)
    return {name: statistics.median(values) for name, values in taken.items()}


def probed(folder: Path) -> None:
    """Examine a folder as a worker does."""
    with TemporaryDirectory() as staging:
        for unit in discover([folder]):
            if isinstance(unit, SourceUnit):
                probe(ProbeTask(unit=unit, staging=Path(staging), limits=Limits(), quarantine_bytes=0))


def located(folder: Path) -> list[tuple[str, str]]:
    """Return source and locator of each image, by which a shard finds it again."""
    units = [unit for unit in discover([folder]) if isinstance(unit, SourceUnit)]
    return [(found.source, found.locator) for unit in units for found in read_unit(unit) if isinstance(found, Occurrence)]


def shard_rows(payloads: Sequence[bytes]) -> pa.Table:
    """Return images as rows of a shard, without facts."""
    images = pa.array(
        [{"bytes": payload, "path": f"{at}.jpg"} for at, payload in enumerate(payloads)], IMAGES_SCHEMA.field("image").type
    )
    facts = [pa.nulls(len(payloads), field.type) for field in IMAGES_SCHEMA if field.name != "image"]
    return pa.table([images, *facts], schema=IMAGES_SCHEMA)


def shard_written(rows: pa.Table) -> ShardFacts:
    """Write a shard as a worker does, and take it away."""
    with TemporaryDirectory() as folder:
        return write_shard(Path(folder) / "shard.parquet", [rows])
