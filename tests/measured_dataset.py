"""A small dataset built through the tables themselves, for the tests of measurement: real photographs, two shards."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pyarrow as pa
from PIL import Image

from toolkit.dataset.schema import CATALOG_SCHEMA, IMAGES_SCHEMA
from toolkit.dataset.shards import write_shard
from toolkit.dataset.tables import BatchCommit, DatasetStore

PHOTOS = Path(__file__).resolve().parents[1] / "sample_data" / "photos"


def build(place: Path, image_count: int = 48) -> Path:
    """Write a dataset of photographs, all kept, in two shards."""
    store = DatasetStore(place)
    rows = [row_of(number) for number in range(image_count)]
    store.staging("b1")
    store.images_path.mkdir(parents=True, exist_ok=True)
    half = len(rows) // 2
    shards = [
        write_shard(store.images_path / f"b1-{n:05d}.parquet", [pa.Table.from_pylist(part, schema=IMAGES_SCHEMA)])
        for n, part in enumerate((rows[:half], rows[half:]))
        if part
    ]
    catalog = [{name: row.get(name) for name in CATALOG_SCHEMA.names} | {"state": "kept"} for row in rows]
    store.commit(BatchCommit(batch="b1", shards=shards, catalog=[pa.Table.from_pylist(catalog, schema=CATALOG_SCHEMA)]))
    return place


def row_of(number: int) -> dict[str, object]:
    """One image: a photograph turned and cropped, so that no two are equal."""
    photos = sorted(PHOTOS.glob("*.jpg"))
    with Image.open(photos[number % len(photos)]) as photo:
        turned = photo.convert("RGB").rotate(90 * (number // len(photos)), expand=True)
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", quality=90)
    payload = buffer.getvalue()
    digest = hashlib.sha256(payload).hexdigest()
    return {
        "image": {"bytes": payload, "path": f"{number}.jpg"}, "image_id": digest[:32], "sha256": digest, "format": "jpeg",
        "width_px": turned.width, "height_px": turned.height, "mode": "RGB", "size_bytes": len(payload), "encoding": "original",
        "split": "train", "source": f"{number}.jpg", "batch": "b1", "duplicate_group": digest[:32],
    }  # fmt: skip
