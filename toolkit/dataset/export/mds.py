"""MosaicML Streaming's MDS: shards with a table of offsets, and ``index.json``, written without the library (it needs PyTorch).

Source: mosaicml-streaming 0.13, ``streaming/base/format/mds/writer.py``; the layout is version 2: sample count, offsets of
all samples and of the end (each uint32), the shard's configuration as JSON, then the samples; a sample is the sizes of its
columns of variable size (uint32), then their bytes, in the order of the columns' names.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.dataset.export.rows import Selection, image_rows
from toolkit.dataset.export.samples import told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["write_mds"]

_COLUMNS: Final = {"facts": "json", "image": "bytes", "image_id": "str", "label": "str", "mask": "bytes"}
"""Columns by name, sorted, with their encodings; ``image`` is the encoded image as it was stored, ``mask`` a PNG, or empty."""

_HASHES: Final = ("sha256",)


def write_mds(selection: Selection, folder: Path, shard_bytes: int) -> Iterator[tuple[int, int]]:
    """Write one stream a split (a folder with ``index.json``), yielding how many images and bytes were written."""
    streams: dict[str, _Stream] = {}
    for row in image_rows(selection):
        split = row["split"] or "all"
        if split not in streams:
            streams[split] = _Stream(folder / split, shard_bytes)
        streams[split].add(_sample(row))
        yield 1, len(row["image"]["bytes"])
    for stream in streams.values():
        stream.close()


def _sample(row: dict[str, Any]) -> bytes:
    values = {
        "facts": json.dumps(told(row), ensure_ascii=False).encode(),
        "image": row["image"]["bytes"],
        "image_id": row["image_id"].encode(),
        "label": (row["label"] or "").encode(),
        "mask": (row["mask"] or {}).get("bytes") or b"",
    }
    data = [values[name] for name in _COLUMNS]
    return np.array([len(value) for value in data], dtype=np.uint32).tobytes() + b"".join(data)


class _Stream:
    """The shards of one split."""

    def __init__(self, folder: Path, shard_bytes: int) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._configuration = {
            "column_encodings": list(_COLUMNS.values()),
            "column_names": list(_COLUMNS),
            "column_sizes": [None] * len(_COLUMNS),
            "compression": None,
            "format": "mds",
            "hashes": list(_HASHES),
            "size_limit": shard_bytes,
            "version": 2,
        }
        self._head = json.dumps(self._configuration, sort_keys=True).encode()
        self._shard_bytes = shard_bytes
        self._samples: list[bytes] = []
        self._held_bytes = 0
        self._shards: list[dict[str, Any]] = []

    def add(self, sample: bytes) -> None:
        grown = self._held_bytes + len(sample) + 4
        if self._samples and grown + len(self._head) + 8 > self._shard_bytes:
            self._flush()
        self._samples.append(sample)
        self._held_bytes += len(sample) + 4

    def _flush(self) -> None:
        if not self._samples:
            return
        count = np.uint32(len(self._samples))
        sizes = [len(sample) for sample in self._samples]
        begins = 4 * (len(sizes) + 2) + len(self._head)
        offsets = (np.cumsum([0, *sizes], dtype=np.int64) + begins).astype(np.uint32)
        payload = b"".join([count.tobytes(), offsets.tobytes(), self._head, *self._samples])
        name = f"shard.{len(self._shards):05d}.mds"
        (self._folder / name).write_bytes(payload)
        raw = {"basename": name, "bytes": len(payload), "hashes": {"sha256": hashlib.sha256(payload).hexdigest()}}
        self._shards.append(self._configuration | {"raw_data": raw, "samples": len(sizes), "zip_data": None})
        self._samples, self._held_bytes = [], 0

    def close(self) -> None:
        """Write the last shard and the index."""
        self._flush()
        index = {"version": 2, "shards": self._shards}
        (self._folder / "index.json").write_text(json.dumps(index, sort_keys=True), encoding="utf-8")
