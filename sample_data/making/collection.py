"""Files on disk and what is true of them."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

STATES = ("kept", "dropped", "duplicate", "quarantined")


class Collection:
    """One folder of raw files, with the truth about each of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images: dict[str, dict[str, Any]] = {}
        self.others: dict[str, str] = {}
        self.unmatched: list[dict[str, str]] = []
        root.mkdir(parents=True)

    def read(self, name: str) -> bytes:
        """Return the bytes of a file written before."""
        return (self.root / name).read_bytes()

    def image(self, name: str, payload: bytes, state: str = "kept", **truth: Any) -> None:
        """Write an image file and note the truth about it."""
        self._write(name, payload)
        self.note(name, payload, state, **truth)

    def note(self, key: str, payload: bytes | None, state: str = "kept", **truth: Any) -> None:
        """Note the truth about an occurrence: what is told here, and what its bytes say if they are sound."""
        if key in self.images or state not in STATES:
            raise ValueError(f"'{key}' is noted twice, or '{state}' is no state")
        facts: dict[str, Any] = {"state": state}
        if payload is not None:
            facts |= {"sha256": hashlib.sha256(payload).hexdigest(), "size_bytes": len(payload)}
        if payload is not None and state != "quarantined":
            facts |= _facts(payload)
        self.images[key] = facts | truth

    def other(self, name: str, payload: bytes, kind: str) -> None:
        """Write a file that holds no image: an annotation, a container, or something to skip."""
        self._write(name, payload)
        self.others[name] = kind

    def truth(self) -> dict[str, Any]:
        """Return all that is true of the collection, with its sums."""
        states = [truth["state"] for truth in self.images.values()]
        return {
            "file_count": sum(path.is_file() for path in self.root.rglob("*")),
            "states": {state: states.count(state) for state in STATES},
            "images": self.images,
            "other_files": self.others,
            "unmatched_annotations": self.unmatched,
        }

    def _write(self, name: str, payload: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)


def _facts(payload: bytes) -> dict[str, Any]:
    """Return what a sound image's header says, sizes as displayed."""
    with Image.open(io.BytesIO(payload)) as image:
        orientation = image.getexif().get(0x0112, 1)
        is_turned = orientation in range(5, 9)
        width, height = image.size[::-1] if is_turned else image.size
        return {
            "format": str(image.format).lower(),
            "mode": image.mode,
            "width_px": width,
            "height_px": height,
            "orientation": orientation if orientation in range(1, 9) else 1,
            "frame_count": getattr(image, "n_frames", 1),
        }


def checksums(out: Path) -> list[str]:
    """Return one line per file below ``raw`` and ``more``: its sha256 and its name as JSON text, as names hold newlines."""
    files = {path.relative_to(out).as_posix(): path for part in ("raw", "more") for path in (out / part).rglob("*")}
    return [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {json.dumps(name, ensure_ascii=False)}"
        for name, path in sorted(files.items())
        if path.is_file()
    ]
