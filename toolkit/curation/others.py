"""Files found beside the images: counted by what they are; annotations read once it is known which images there are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.annotations import ANNOTATION_SCHEMA, read_annotations, read_captions
from toolkit.curation.sources import OtherFile, read_other

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OtherFiles"]

_BLOCK: Final = 10_000
"""Files held as objects before they become lines of a frame."""

_SCHEMA: Final = pl.Schema({"source": pl.String, "path": pl.String, "member": pl.String})

_UNREAD: Final = "skipped(no_annotation)"
"""A file whose name says annotation and whose content none of the readers knows."""


class OtherFiles:
    """What was found that is no image."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._blocks: list[pl.DataFrame] = []
        self._waiting: list[tuple[str, str, str | None]] = []

    def add(self, other: OtherFile) -> None:
        """Count a file; remember it if it may hold annotations."""
        self.counts[other.kind] += 1
        if other.kind == "annotation":
            self._waiting.append((other.source, other.path, other.member))
            if len(self._waiting) >= _BLOCK:
                self._flush()

    def _flush(self) -> None:
        self._blocks.append(pl.DataFrame(self._waiting, schema=_SCHEMA, orient="row"))
        self._waiting = []

    def annotations(self, sources: pl.Series) -> pl.DataFrame:
        """Return what all annotation files say, as ``ANNOTATION_SCHEMA``, in the order of their names.

        A caption file is read only if an image of its name is among the sources; a file that turns out to be no
        annotation moves to another count.
        """
        self._flush()
        files = pl.concat(self._blocks).unique("source", keep="first").sort("source")
        is_text = pl.col("source").str.to_lowercase().str.ends_with(".txt")
        stems = pl.DataFrame({"stem": sources.str.replace(r"\.[^./!]*$", "").unique()})
        stem = pl.col("source").str.head(-len(".txt"))
        captions = files.filter(is_text).join(stems, left_on=stem, right_on="stem", how="semi", maintain_order="left")
        frames = [ANNOTATION_SCHEMA.to_frame()]
        frames += [read_captions(self._read(block)) for block in captions.iter_slices(_BLOCK)]
        for key, payload in self._read(files.filter(~is_text)):
            found = read_annotations(key, payload)
            if found is None:
                self._uncount()
            else:
                frames.append(found)
        return pl.concat(frames)

    def _read(self, files: pl.DataFrame) -> Iterator[tuple[str, bytes]]:
        for source, path, member in files.iter_rows():
            try:
                yield source, read_other(OtherFile(source=source, path=path, kind="annotation", member=member))
            except OSError:
                self._uncount()

    def _uncount(self) -> None:
        self.counts["annotation"] -= 1
        self.counts[_UNREAD] += 1
