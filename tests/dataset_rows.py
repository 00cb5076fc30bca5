"""Rows of a small dataset made by hand, for tests of the tables alone."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from toolkit.dataset.schema import CATALOG_SCHEMA, IMAGES_SCHEMA, QUARANTINE_SCHEMA
from toolkit.dataset.shards import write_shard
from toolkit.dataset.tables import BatchCommit, DatasetStore


def picture(number: int, size: tuple[int, int] = (40, 30)) -> bytes:
    """Return a JPEG that no other number gives."""
    pixels = np.random.default_rng(number).integers(0, 255, (6, 8, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(buffer, "JPEG")
    return buffer.getvalue()


def image_rows(numbers: range, split: str = "train") -> pa.Table:
    """Return rows of ``images``."""
    rows = []
    for number in numbers:
        payload = picture(number)
        digest = hashlib.sha256(payload).hexdigest()
        rows.append(
            {
                "image": {"bytes": payload, "path": f"{number}.jpg"}, "image_id": digest[:32], "sha256": digest, "format": "jpeg",
                "width_px": 40, "height_px": 30, "mode": "RGB", "size_bytes": len(payload), "flags": [], "encoding": "original",
                "label": f"class {number % 3}", "metadata": [{"key": "n", "value": str(number)}], "duplicate_group": digest[:32], "split": split,
                "source": f"s/{number}.jpg",
            }
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=IMAGES_SCHEMA)


def catalog_rows(images: pa.Table, refused: int = 0) -> pa.Table:
    """Return rows of ``catalog``: the images, kept, and some refusals."""
    kept = [
        {"state": "kept"} | row
        for row in images.select(["source", "image_id", "sha256", "size_bytes", "label", "duplicate_group", "split"]).to_pylist()
    ]
    lost = [{"source": f"s/bad{i}.jpg", "state": "quarantined", "reason": "empty", "size_bytes": 0} for i in range(refused)]
    return pa.Table.from_pylist(kept + lost, schema=CATALOG_SCHEMA)


def refused_rows(count: int) -> pa.Table:
    """Return rows of ``quarantine``."""
    rows = [
        {
            "source": f"s/bad{i}.jpg",
            "stage": "sniff",
            "reason": "empty",
            "message": "the file has no bytes",
            "size_bytes": 0,
            "bytes": b"",
        }
        for i in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=QUARANTINE_SCHEMA)


def add_batch(root: Path, name: str, numbers: range, refused: int = 0, split: str = "train", prefix: str = "part") -> int:
    """Commit a batch of images and refusals; return the version."""
    store = DatasetStore(root)
    images = image_rows(numbers, split)
    shard = write_shard(store.images_path / f"{prefix}-{name}.parquet", [images])
    before = store.state()
    return store.commit(
        BatchCommit(
            batch=name,
            base_version=before.version if before else None,
            shards=[shard],
            catalog=[catalog_rows(images, refused)],
            quarantine=[refused_rows(refused)] if refused else [],
            other_files={"annotation": 1},
            curation={"elapsed_s": 2.0, "images_per_s": len(numbers) / 2},
        )
    )
