"""Files found beside the images: counted by what they are; annotations read once it is known which images there are.

What earlier batches counted is remembered beside the dataset, so that a folder that is curated again as it grows does not
count its files twice.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.annotations import annotation_frame
from toolkit.curation.masks import mask_locator
from toolkit.curation.sources import mask_stems
from toolkit.curation.sources.units import COLUMN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from toolkit.curation.annotating import Annotations
    from toolkit.curation.sources import OtherFile

__all__ = ["OtherFiles"]

_BLOCK: Final = 10_000
"""Files held as objects before they become lines of a frame."""

_SCHEMA: Final = pl.Schema(
    {
        "source": pl.String,
        "kind": pl.String,
        "etag": pl.String,
        "path": pl.String,
        "member": pl.String,
        "size_bytes": pl.Int64,
        "offset": pl.Int64,
        "packed": pl.String,
    }
)

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
        self._waiting: list[tuple[str | int | None, ...]] = []
        self.unread: list[str] = []
        """Sources of files that are no annotation after all: what they say is not understood, or speaks of no image."""

    def add(self, other: OtherFile) -> None:
        """Take note of a file."""
        self._waiting.append(tuple(getattr(other, name) for name in _SCHEMA))
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
        kind = pl.when(pl.col("source").is_in(self.unread)).then(pl.lit(_UNREAD)).otherwise("kind")
        found = self._files().select("source", kind=kind)
        remembered = sorted(self._memory.glob("*.parquet"))
        if not remembered:
            return found
        return (
            found.lazy().join(pl.scan_parquet(remembered, glob=False), on="source", how="anti", maintain_order="left").collect()
        )

    def counts(self) -> dict[str, int]:
        """Return how many files there are of each kind that no earlier batch has counted."""
        files = self.new().filter(pl.col("kind") != COLUMN)
        return dict(files["kind"].value_counts(sort=True).iter_rows())

    def tables(self, suffixes: Sequence[str]) -> pl.DataFrame:
        """Return ``source``, ``path`` of the containers of such endings that no earlier batch has counted."""
        is_table = pl.any_horizontal(pl.col("path").str.to_lowercase().str.ends_with(suffix) for suffix in suffixes)
        found = self._files().filter((pl.col("kind") == "container") & is_table)
        return found.join(self.new().select("source"), on="source", how="semi", maintain_order="left").select("source", "path")

    def unread_columns(self) -> pl.DataFrame:
        """Return the columns that are not read and no earlier batch has listed: ``file`` (the table), ``target`` (the name)."""
        new = self.new().filter(pl.col("kind") == COLUMN)
        found = self._files().join(new.select("source"), on="source", how="semi", maintain_order="left")
        file = pl.col("source").str.strip_suffix(pl.concat_str(pl.lit("#"), "member"))
        return found.select(file=file, target="member")

    def remember(self, batch: str) -> None:
        """Remember the files that a batch has counted."""
        new = self.new()
        if new.is_empty():
            return
        self._memory.mkdir(parents=True, exist_ok=True)
        temporary = self._memory / f".{batch}.tmp"
        new.write_parquet(temporary)
        temporary.replace(self._memory / f"{batch}.parquet")

    def bring(self, brought: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        """Replace the paths of files that do not lie on the disk by where they were laid down.

        Parameters
        ----------
        brought : callable
            Returns the files with their new paths.
        """
        self._blocks = [brought(self._files())]

    def annotations(self, read: Callable[[pl.DataFrame], Annotations]) -> Annotations:
        """Return what all annotation files say, in the order of their names, and after them the masks.

        Parameters
        ----------
        read : callable
            Reads files (``source``, ``path``, ``member``, ``etag``, ``size_bytes``, ``offset``, ``packed``).
        """
        found = read(self._files().filter(pl.col("kind") == "annotation").drop("kind"))
        self.unread += found.unread
        return dataclasses.replace(found, frame=pl.concat([found.frame, *self._masks()]))

    def _masks(self) -> Iterator[pl.DataFrame]:
        """Yield the masks as ``ANNOTATION_SCHEMA``: where their images would lie, and where their bytes are."""
        for block in self._files().filter(pl.col("kind") == "mask").iter_slices(_BLOCK):
            yield annotation_frame(
                {
                    "file": other["source"],
                    "kind": "mask",
                    "stems": mask_stems(other["source"]),
                    "mask_locator": mask_locator(other),
                }
                for other in block.iter_rows(named=True)
            )
