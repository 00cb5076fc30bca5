"""WebDataset: tar files whose members share a key, with the index that ``wids`` reads.

The key is the image's identifier, with a number behind it where several have the same bytes: it has no dots, and no two
samples of a collection share one. Headers hold no time and no
owner, so that a repeat gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.dataset.export.naming import ImageNames, file_suffix
from toolkit.dataset.export.rows import FACT_COLUMNS, Selection, image_rows
from toolkit.dataset.export.samples import told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["write_webdataset"]

_BLOCK: Final = tarfile.BLOCKSIZE


def write_webdataset(selection: Selection, folder: Path, shard_bytes: int) -> Iterator[tuple[int, int]]:
    """Write tar files and their indexes, yielding how many images and bytes were written.

    Members of a sample: the image with its format's ending, ``.json`` (all that is known), ``.cls`` (the number of its label
    in ``classes.json``), ``.txt`` (its captions, one a line), ``.seg.png`` (its mask).
    """
    classes = _classes(selection)
    (folder / "classes.json").write_text(json.dumps(classes, ensure_ascii=False), encoding="utf-8")
    numbers = {label: number for number, label in enumerate(classes)}
    names = ImageNames(selection)
    writers: dict[str, _Shards] = {}
    for row in image_rows(selection):
        shards = writers.setdefault(row["split"] or "all", _Shards(folder, row["split"] or "all", shard_bytes))
        shards.add(_members(names(row["image_id"]), row, numbers))
        yield 1, len(row["image"]["bytes"])
    for split, shards in writers.items():
        shards.close()
        index = {"__kind__": "wids-shard-index-v1", "wids_version": 1, "name": split, "shardlist": shards.listed}
        (folder / f"{split}.json").write_text(json.dumps(index, indent=1), encoding="utf-8")


def _classes(selection: Selection) -> list[str]:
    images = selection.dataset.scan("images").select(FACT_COLUMNS)
    chosen = images if selection.condition is None else images.filter(selection.condition)
    return chosen.select(pl.col("label").drop_nulls().unique().sort()).collect(engine="streaming")["label"].to_list()


def _members(key: str, row: dict[str, Any], numbers: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    yield f"{key}.{file_suffix(row)}", row["image"]["bytes"]
    yield f"{key}.json", json.dumps(told(row), ensure_ascii=False).encode()
    if row["label"] is not None:
        yield f"{key}.cls", str(numbers[row["label"]]).encode()
    if row["captions"]:
        yield f"{key}.txt", "\n".join(row["captions"]).encode()
    if row["mask"] is not None and row["mask"]["bytes"] is not None:
        yield f"{key}.seg.png", row["mask"]["bytes"]


class _Shards:
    """The tar files of a split, one open at a time."""

    def __init__(self, folder: Path, split: str, shard_bytes: int) -> None:
        self.listed: list[dict[str, Any]] = []
        self._folder = folder
        self._split = split
        self._shard_bytes = shard_bytes
        self._tar: tarfile.TarFile | None = None
        self._path: Path | None = None
        self._sample_count = self._held_bytes = 0

    def add(self, members: Iterator[tuple[str, bytes]]) -> None:
        sample = list(members)
        size_bytes = sum(2 * _BLOCK + len(payload) for _, payload in sample)
        if self._tar is not None and self._held_bytes + size_bytes > self._shard_bytes:
            self.close()
        if self._tar is None:
            self._path = self._folder / f"{self._split}-{len(self.listed):06d}.tar"
            self._tar = tarfile.open(self._path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 -- closed by close
        for name, payload in sample:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(payload), 0o644
            self._tar.addfile(info, io.BytesIO(payload))
        self._sample_count += 1
        self._held_bytes += size_bytes

    def close(self) -> None:
        """Finish the open file and take it into the index."""
        if self._tar is None or self._path is None:
            return
        self._tar.close()
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()  # what wids calls for
        size_bytes = self._path.stat().st_size
        entry = {"url": self._path.name, "nsamples": self._sample_count, "md5sum": digest, "filesize": size_bytes}
        self.listed.append(entry)
        self._tar, self._sample_count, self._held_bytes = None, 0, 0
