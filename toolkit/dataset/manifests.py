"""The manifest of a version: size, rows and sha256 of each file, since Parquet footers and the Delta log have no checksum."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from toolkit.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from toolkit.dataset.shards import ShardFacts

__all__ = ["image_bytes_of", "manifest_entries", "read_manifest", "write_manifest"]


def manifest_entries(table: str, parts: Sequence[ShardFacts]) -> dict[str, dict[str, Any]]:
    """Return what a manifest says of some files of a table, by path within the dataset."""
    return {
        f"{table}/{part.name}": {
            "size_bytes": part.size_bytes,
            "row_count": part.row_count,
            "image_bytes": part.image_bytes,
            "sha256": part.sha256,
        }
        for part in parts
    }


def image_bytes_of(folder: Path, shard: Mapping[str, Any]) -> int:
    """Return the encoded bytes of the images in a shard, from its entry or, where an early release left them out, its column."""
    if "image_bytes" in shard:
        return int(shard["image_bytes"])
    with pq.ParquetFile(folder / shard["name"]) as file:
        sizes = (
            pc.sum(pc.binary_length(pc.struct_field(part["image"], "bytes")))
            for part in file.iter_batches(256, columns=["image"])
        )
        return sum(size.as_py() or 0 for size in sizes)


def read_manifest(path: Path) -> dict[str, dict[str, Any]]:
    """Return size, rows and sha256 of every file of a version, by path within the dataset.

    Raises
    ------
    DatasetError
        If the manifest is not there or cannot be read.
    """
    try:
        files: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["files"]
        for facts in files.values():
            int(facts["size_bytes"]), int(facts["row_count"]), str(facts["sha256"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise DatasetError(f"the manifest '{path}' cannot be read: {fault}") from fault
    return files


def write_manifest(path: Path, version: int, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a manifest; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump({"version": version, "files": files}, file, indent=0, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
