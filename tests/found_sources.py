"""Sources made for tests, and everything that is found in them."""

from __future__ import annotations

import pickle
from pathlib import Path

from toolkit.curation.reasons import Refusal
from toolkit.curation.sources import Occurrence, OtherFile, discover, read_unit, reread

GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00"
    b"\x00\x02\x01D\x00;"
)


def found(*sources: Path, staging: Path | None = None) -> tuple[dict[str, Occurrence], dict[str, str]]:
    """Return occurrences and kinds of other files by key; each key comes once."""
    occurrences: dict[str, Occurrence] = {}
    others: dict[str, str] = {}
    for unit in discover(list(sources)):
        assert pickle.loads(pickle.dumps(unit)) == unit
        entries = [unit] if isinstance(unit, OtherFile) else read_unit(unit, staging)
        for entry in entries:
            assert entry.source not in occurrences
            if isinstance(entry, OtherFile):
                others[entry.source] = entry.kind
            else:
                occurrences[entry.source] = entry
    return occurrences, others


def put(path: Path, payload: bytes = GIF) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(payload)
    return path


def again(occurrences: dict[str, Occurrence], staging: Path | None = None) -> dict[str, bytes | Refusal]:
    """Return what the locators of occurrences lead to."""
    return dict(reread([(key, occurrence.locator) for key, occurrence in occurrences.items()], staging))
