"""Where the time of a curated image goes: processor time of each step on one core, in milliseconds per JPEG."""

from __future__ import annotations

import hashlib
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import simplejpeg

from toolkit.curation.endings import ending_flag
from toolkit.curation.examine import examine
from toolkit.curation.hashing import byte_check, perceptual_hash
from toolkit.curation.headers import read_header
from toolkit.curation.jpeg import LUMA_PX
from toolkit.curation.limits import Limits
from toolkit.curation.markers import has_too_many_scans
from toolkit.curation.probing import ProbeTask, probe
from toolkit.curation.quality import scored_luma, scores_of
from toolkit.curation.sources import SourceUnit
from toolkit.curation.sources.discovery import discover

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

ROUNDS = 5
CEILING_PX = 32
"""Least side of the strict decode that everything is held against: the fastest that still decodes every bit."""


def lumas(payloads: Sequence[bytes], height_px: int, width_px: int) -> list[NDArray[np.uint8]]:
    """Return the scaled lumas of strictly decoded JPEGs."""
    return [
        simplejpeg.decode_jpeg(payload, colorspace="GRAY", min_height=height_px, min_width=width_px, strict=True)[:, :, 0]
        for payload in payloads
    ]


def budget_ms(files: Sequence[Path]) -> dict[str, float]:
    """Return the median over rounds of each step's processor time per image, the steps in turns.

    Parameters
    ----------
    files : sequence of Path
        JPEGs in one folder, in the page cache.
    """
    payloads = [path.read_bytes() for path in files]
    decoded = lumas(payloads, *LUMA_PX)
    small = [scored_luma(luma) for luma in decoded]
    limits = Limits()
    steps: dict[str, Callable[[], object]] = {
        "strict decode (ceiling)": lambda: lumas(payloads, CEILING_PX, CEILING_PX),
        "read": lambda: [path.read_bytes() for path in files],
        "sha256": lambda: [hashlib.sha256(payload).hexdigest() for payload in payloads],
        "header, scans, end": lambda: [
            (read_header(payload, "jpeg", limits), has_too_many_scans(payload), ending_flag(payload, "jpeg"))
            for payload in payloads
        ],
        "strict decode to the luma": lambda: lumas(payloads, *LUMA_PX),
        "luma to one scale": lambda: [scored_luma(luma) for luma in decoded],
        "scores": lambda: scores_of(small, decoded, [0.75] * len(small)),
        "perceptual hash": lambda: [perceptual_hash(luma) for luma in decoded],
        "checksum": lambda: [byte_check(payload) for payload in payloads],
        "examine, all of these but read": lambda: [examine(payload, name="a.jpg") for payload in payloads],
        "examine, rows and part written": lambda: probed(files[0].parent),
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            started_s = time.thread_time()
            step()
            taken[name].append((time.thread_time() - started_s) / len(files) * 1_000)
    return {name: statistics.median(values) for name, values in taken.items()}


def probed(folder: Path) -> None:
    """Examine a folder as a worker does."""
    with TemporaryDirectory() as staging:
        for unit in discover([folder]):
            if isinstance(unit, SourceUnit):
                probe(ProbeTask(unit=unit, staging=Path(staging), limits=Limits(), quarantine_bytes=0))
