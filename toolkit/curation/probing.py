"""One unit of a source read and examined on a worker: facts into a probe part, refused bytes into another, counts back.

A part is written under its final name only when it is whole, and its journal entry after it: a run that was stopped takes
up the entries it finds and does the rest.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

from toolkit.curation.deadlines import watched
from toolkit.curation.examine import Examination, Limits, examine, inspect
from toolkit.curation.frames import frame_locator, frame_source, split_frames
from toolkit.curation.hashing import byte_check, byte_identity
from toolkit.curation.isolation import IsolatedProcess
from toolkit.curation.parts import PART_SUFFIX, write_part
from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.refusals import RefusalPart
from toolkit.curation.scoring import ScoredRows
from toolkit.curation.sources import OtherFile, SourceUnit, read_unit, reread
from toolkit.dataset.schema import BOX, FACT_FIELDS, QUARANTINE_SCHEMA, SCORE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from toolkit.curation.sources import Occurrence

    Examiner = Callable[..., Examination]
    Splitter = Callable[[bytes, int], Iterator[tuple[int, bytes | Refusal]]]

__all__ = ["PROBE_SCHEMA", "ProbeReport", "ProbeTask", "probe", "probe_isolated"]

_FRAMES_AT_ONCE: Final = 8
"""Frames that one call in a process of its own splits off."""

_SOURCE: Final = ("source", "source_raw", "source_member", "source_etag")

PROBE_SCHEMA: Final = pa.schema(
    [
        *(QUARANTINE_SCHEMA.field(name) for name in _SOURCE),
        *FACT_FIELDS,
        *SCORE_FIELDS,
        pa.field("refusal", pa.string()),  # reason code
        pa.field("check", pa.string()),  # what the bytes are known by when they are read again
        pa.field("locator", pa.string()),  # where the bytes are found again
        pa.field("folder_label", pa.string()),
        pa.field("hint_label", pa.string()),  # what the table that holds the image says of it
        pa.field("hint_labels", pa.list_(pa.string())),
        pa.field("hint_captions", pa.list_(pa.string())),
        pa.field("hint_boxes", pa.list_(BOX)),  # in display pixels
        pa.field("hint_metadata", pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))),
        pa.field("hint_licence", pa.string()),
        pa.field("hint_has_mask", pa.bool_()),  # whether its row holds a mask beside it
    ]
)
"""A probe part: one row per occurrence of a unit, in its order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTask:
    """A unit to examine, and where its parts go."""

    unit: SourceUnit
    """What to read."""
    staging: Path
    """Folder of the parts."""
    limits: Limits
    """What is held against each header."""
    quarantine_bytes: int
    """Refused files up to this size are kept with their bytes."""

    @property
    def name(self) -> str:
        """Name of the parts: equal for equal work."""
        place = self.unit.path or (self.unit.items[0].place if self.unit.items else "")
        work = f"{self.unit.key}\0{place}".encode("utf-8", "surrogateescape")
        return hashlib.sha256(work).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """What a unit came to; the facts themselves are in its parts."""

    name: str
    """Name of the parts, as in the task."""
    occurrence_count: int
    """Occurrences found."""
    refused_count: int
    """Of these, refused; their bytes are in the part for refusals."""
    size_bytes: int
    """Bytes read."""
    cpu_s: float
    """Processor time of the thread."""
    others: tuple[OtherFile, ...] = ()
    """Files that a stream held and that are no image."""
    is_taken_up: bool = False
    """Whether an earlier run, which was stopped, had finished the unit."""

    def part(self, staging: Path) -> Path:
        """Return the part with the facts."""
        return staging / f"{self.name}{PART_SUFFIX}"

    def refusals(self, staging: Path) -> Path:
        """Return the part with what was refused."""
        return staging / f"{self.name}.refused.parquet"


def probe(task: ProbeTask) -> ProbeReport:
    """Return the report of a unit; one that an earlier run has finished is not read again."""

    def examined(payload: bytes, *, name: str, limits: Limits) -> Examination:
        with watched(limits.image_deadline_s):
            return inspect(payload, name=name, limits=limits)

    def split(payload: bytes, frame_count: int) -> Iterator[tuple[int, bytes | Refusal]]:  # noqa: ARG001 -- as where it is called alone
        frames = split_frames(payload)
        while True:
            with watched(task.limits.image_deadline_s):
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    return _finished(task) or _probe(task, examined, split)


def probe_isolated(task: ProbeTask, memory_bytes: int | None = None) -> ProbeReport:
    """Return the report of a unit that killed its worker: each image is examined in a process that may die of it.

    Parameters
    ----------
    task : ProbeTask
        The unit.
    memory_bytes : int, optional
        Memory that an image may take.
    """
    with IsolatedProcess(task.limits.image_deadline_s, memory_bytes) as isolated:

        def examined(payload: bytes, *, name: str, limits: Limits) -> Examination:
            try:
                found: Examination = isolated.call(_examine, payload, name, limits)
            except ChildProcessError as fault:
                image_id, sha256 = byte_identity(payload)
                facts: dict[str, Any] = {"image_id": image_id, "sha256": sha256, "size_bytes": len(payload)}
                return Examination(facts=facts, refusal=refusal("decoder_crash", str(fault)))
            return found

        def split(payload: bytes, frame_count: int) -> Iterator[tuple[int, bytes | Refusal]]:
            for start in range(0, frame_count, _FRAMES_AT_ONCE):
                try:
                    yield from isolated.call(_some_frames, payload, range(start, start + _FRAMES_AT_ONCE))
                except ChildProcessError as fault:
                    yield start, refusal("decoder_crash", str(fault))

        return _probe(task, examined, split)


def _some_frames(payload: bytes, wanted: range) -> list[tuple[int, bytes | Refusal]]:
    return list(split_frames(payload, wanted))


def _examine(payload: bytes, name: str, limits: Limits) -> Examination:
    return examine(payload, name=name, limits=limits)


def _journal(task: ProbeTask) -> Path:
    return task.staging / f"{task.name}.json"


def _finished(task: ProbeTask) -> ProbeReport | None:
    try:
        entry = json.loads(_journal(task).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    others = tuple(OtherFile(**other) for other in entry["others"])
    return ProbeReport(**entry | {"others": others, "is_taken_up": True})


def _probe(task: ProbeTask, examiner: Examiner, splitter: Splitter) -> ProbeReport:
    """Read, examine, write both parts, then the journal entry."""
    started_s = time.thread_time()
    rows = ScoredRows()
    others: list[OtherFile] = []
    report = ProbeReport(name=task.name, occurrence_count=0, refused_count=0, size_bytes=0, cpu_s=0.0)
    with RefusalPart(report.refusals(task.staging), task.quarantine_bytes) as refusals:
        for found in read_unit(task.unit, task.staging):
            if isinstance(found, OtherFile):
                others.append(found)
                continue
            examination, payload = _examination(found, task, examiner)
            if payload is not None and _is_exploded(examination, task.limits):
                for frame, seen, frame_payload in _frames(found, examination, payload, task, examiner, splitter):
                    rows.add(_row(frame, seen, frame_payload, refusals), seen.pixels)
            else:
                rows.add(_row(found, examination, payload, refusals), examination.pixels)
    done = rows.scored()
    _write(report.part(task.staging), done)
    report = dataclasses.replace(
        report,
        occurrence_count=len(done),
        refused_count=refusals.count,
        size_bytes=sum(row.get("size_bytes") or 0 for row in done),
        cpu_s=time.thread_time() - started_s,
        others=tuple(others),
    )
    journal = _journal(task)
    temporary = journal.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(dataclasses.asdict(report)), encoding="utf-8")
    temporary.replace(journal)
    return report


def _examination(found: Occurrence, task: ProbeTask, examiner: Examiner) -> tuple[Examination, bytes | None]:
    """Return what is known of an occurrence, and its bytes if they could be had."""
    if found.payload is not None:
        return examiner(found.payload, name=found.member or found.source, limits=task.limits), found.payload
    why = found.refusal or refusal("unreadable")
    payload = _refused_payload(found, task)
    if payload is None:
        return Examination(facts={}, refusal=why), None
    image_id, sha256 = byte_identity(payload)
    return Examination(facts={"image_id": image_id, "sha256": sha256, "size_bytes": len(payload)}, refusal=why), payload


def _is_exploded(examination: Examination, limits: Limits) -> bool:
    is_sound = examination.refusal is None
    return is_sound and limits.frames == "explode" and examination.facts["frame_count"] > 1


def _frames(
    found: Occurrence, whole: Examination, payload: bytes, task: ProbeTask, examiner: Examiner, splitter: Splitter
) -> Iterator[tuple[Occurrence, Examination, bytes]]:
    """Yield each frame of a file as an occurrence of its own; the file as one that is refused, if one of its frames is."""
    seen = []
    for index, frame in splitter(payload, whole.facts["frame_count"]):
        source = frame_source(found.source, index)
        if isinstance(frame, Refusal):
            examination = Examination(facts={}, refusal=frame)
        else:
            examination = examiner(frame, name=source, limits=task.limits)
        if examination.refusal is not None:
            message = f"{examination.refusal.message} (frame {index})"
            why = dataclasses.replace(examination.refusal, message=message)
            yield found, Examination(facts=whole.facts, refusal=why), payload
            return
        locator = frame_locator(found.locator, index)
        seen.append((dataclasses.replace(found, source=source, locator=locator, payload=None), examination, b""))
    yield from seen


def _refused_payload(found: Occurrence, task: ProbeTask) -> bytes | None:
    """Return the bytes of what was refused unread (a broken archive, an unsafe member), so that nothing that came in is lost."""
    place = json.loads(found.locator)
    if place["kind"] not in {"files", "zip", "tar"} or not 0 < place["size"] <= task.quarantine_bytes:
        return None
    payload = next((payload for _, payload in reread([(found.source, found.locator)], task.staging)), None)
    return payload if isinstance(payload, bytes) else None


def _row(found: Occurrence, examination: Examination, payload: bytes | None, refusals: RefusalPart) -> dict[str, Any]:
    names = {
        "source": found.source,
        "source_raw": found.source_raw,
        "source_member": found.member,
        "source_etag": found.etag,
    }
    if examination.refusal is not None:
        refused = dataclasses.asdict(examination.refusal)
        facts = {name: examination.facts.get(name) for name in ("size_bytes", "sha256")}
        refusals.add(names | facts | refused, payload)
    row = names | examination.facts
    if payload:
        row["check"] = byte_check(payload)
    row |= {
        "refusal": examination.refusal.reason if examination.refusal is not None else None,
        "locator": found.locator,
        "folder_label": found.folder_label,
    }
    hints = found.hints
    if not hints:
        return row
    return row | {
        "hint_label": hints.get("label"),
        "hint_labels": hints.get("labels"),
        "hint_captions": hints.get("captions"),
        "hint_boxes": hints.get("boxes"),
        "hint_metadata": [{"key": key, "value": value} for key, value in hints.get("metadata", {}).items()] or None,
        "hint_licence": hints.get("licence"),
        "hint_has_mask": hints.get("has_mask"),
    }


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows, of which each names what it has; by Polars, since ``pyarrow.array`` takes half a second to import pandas."""
    columns = [_column(name, [row.get(name) for row in rows], dtype) for name, dtype in _part_schema().items()]
    write_part(path, pl.DataFrame(columns))


def _column(name: str, values: list[Any], dtype: pl.DataType) -> pl.Series:
    """Return values as a column; of lists of flags, most of which are equal, each kind is made once, and the rest chosen."""
    if name != "flags":
        return pl.Series(name, values, dtype)
    kinds = {None if flags is None else tuple(flags): flags for flags in values}
    places = {kind: place for place, kind in enumerate(kinds)}
    chosen = [places[None if flags is None else tuple(flags)] for flags in values]
    return pl.Series(name, list(kinds.values()), dtype).gather(chosen)


@functools.cache
def _part_schema() -> pl.Schema:
    return pl.Schema(PROBE_SCHEMA)  # an empty Arrow table would import pandas, which takes half a second
