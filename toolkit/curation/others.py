"""Files found beside the images: counted by what they are; annotations read once it is known which images there are.

What earlier batches counted is remembered beside the dataset, so that a folder that is curated again as it grows does not
count its files twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.annotations import ANNOTATION_SCHEMA, read_annotations, read_captions
from toolkit.curation.sources import OtherFile, read_other

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["OtherFiles"]

_BLOCK: Final = 10_000
"""Files held as objects before they become lines of a frame."""

_SCHEMA: Final = pl.Schema({"source": pl.String, "kind": pl.String, "etag": pl.String, "path": pl.String, "member": pl.String})

_UNREAD: Final = "skipped(no_annotation)"
"""A file whose name says annotation and whose content none of the readers knows."""


class OtherFiles:
    """What was found that is no image.

    Parameters
    ----------
    memory : Path
        Folder in which the files that earlier batches counted are remembered.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._blocks: list[pl.DataFrame] = []
        self._waiting: list[tuple[str, str, str, str, str | None]] = []
        self._unread: list[str] = []

    def add(self, other: OtherFile) -> None:
        """Take note of a file."""
        self._waiting.append((other.source, other.kind, other.etag, other.path, other.member))
        if len(self._waiting) >= _BLOCK:
            self._flush()

    def _flush(self) -> None:
        self._blocks.append(pl.DataFrame(self._waiting, schema=_SCHEMA, orient="row"))
        self._waiting = []

    def _files(self) -> pl.DataFrame:
        """Return every file found, once, in the order of their names."""
        self._flush()
        self._blocks = [pl.concat(self._blocks).unique("source", keep="first").sort("source")]
        return self._blocks[0]

    def new(self) -> pl.DataFrame:
        """Return the files that no earlier batch has counted: ``source``, ``kind``."""
        kind = pl.when(pl.col("source").is_in(self._unread)).then(pl.lit(_UNREAD)).otherwise("kind")
        found = self._files().select("source", kind=kind)
        remembered = sorted(self._memory.glob("*.parquet"))
        if not remembered:
            return found
        return (
            found.lazy().join(pl.scan_parquet(remembered, glob=False), on="source", how="anti", maintain_order="left").collect()
        )

    def counts(self) -> dict[str, int]:
        """Return how many files there are of each kind that no earlier batch has counted."""
        return dict(self.new()["kind"].value_counts(sort=True).iter_rows())

    def remember(self, batch: str) -> None:
        """Remember the files that a batch has counted."""
        new = self.new()
        if new.is_empty():
            return
        self._memory.mkdir(parents=True, exist_ok=True)
        temporary = self._memory / f".{batch}.tmp"
        new.write_parquet(temporary)
        temporary.replace(self._memory / f"{batch}.parquet")

    def annotations(self, sources: pl.Series) -> pl.DataFrame:
        """Return what all annotation files say, as ``ANNOTATION_SCHEMA``, in the order of their names.

        A caption file is read only if an image of its name is among the sources; a file that turns out to be no
        annotation is counted as what it is.
        """
        files = self._files().filter(pl.col("kind") == "annotation")
        is_text = pl.col("source").str.to_lowercase().str.ends_with(".txt")
        stems = pl.DataFrame({"stem": sources.str.replace(r"\.[^./!]*$", "").unique()})
        stem = pl.col("source").str.head(-len(".txt"))
        captions = files.filter(is_text).join(stems, left_on=stem, right_on="stem", how="semi", maintain_order="left")
        frames = [ANNOTATION_SCHEMA.to_frame()]
        frames += [read_captions(self._read(block)) for block in captions.iter_slices(_BLOCK)]
        for key, payload in self._read(files.filter(~is_text)):
            found = read_annotations(key, payload)
            if found is None:
                self._unread.append(key)
            else:
                frames.append(found)
        return pl.concat(frames)

    def _read(self, files: pl.DataFrame) -> Iterator[tuple[str, bytes]]:
        for source, path, member in files.select("source", "path", "member").iter_rows():
            try:
                yield source, read_other(OtherFile(source=source, path=path, kind="annotation", member=member))
            except OSError:
                self._unread.append(source)
