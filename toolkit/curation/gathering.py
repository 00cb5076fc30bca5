"""What a batch is decided from: every new occurrence and earlier image, held as narrow and as short as decisions allow."""

from __future__ import annotations

import contextlib
import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.decide import decision_columns
from toolkit.curation.history import kept_images
from toolkit.curation.identities import CODED, numbered
from toolkit.curation.parts import part_blocks
from toolkit.curation.stages import compare
from toolkit.curation.twins import with_pixel_hashes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.curation.history import KnownSources
    from toolkit.curation.others import OtherFiles
    from toolkit.curation.recipe import Recipe
    from toolkit.curation.sources.remote import Remote
    from toolkit.curation.stages import Reading, Run
    from toolkit.dataset.reading import Dataset

__all__ = ["Facts", "Inputs", "give_back", "named_blocks"]

_BLOCK_ROWS: Final = 16_384
"""Rows of probe parts that are held as text at once."""

_NUMBERED: Final = frozenset({"image_id", "pixel_hash", "luma_hash"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a batch is decided from, beside its rows."""

    before: Dataset | None
    known: KnownSources
    reading: Reading
    others: OtherFiles
    remote: Remote


class Facts:
    """What decisions are made of, of every new occurrence and every earlier image.

    It is let go of once it is decided by, and read again if a batch must be decided anew: while shards are written, and the
    catalog after them, only the outcomes are held.
    """

    def __init__(self, run: Run, inputs: Inputs) -> None:
        self._run, self._inputs = run, inputs
        self._held: tuple[pl.DataFrame, pl.DataFrame] | None = None
        self._taken: pl.DataFrame | None = None

    def held(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the new occurrences and the earlier images."""
        if self._held is None:
            inputs, recipe = self._inputs, self._run.recipe
            rows = _rows(inputs.reading, inputs.known, recipe)
            self._held = rows, pl.DataFrame() if rows.is_empty() else kept_images(inputs.before, recipe.group_by)
        return self._held

    def taken(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return both with their pixel hashes where others look equal, and let go of them."""
        rows, history = self.held()
        if self._taken is None:
            before = self._inputs.before
            shards = before.shard_paths() if before is not None else []
            self._taken = compare(self._run, rows, history, self._inputs.reading, shards)
        self._held = None
        return (
            with_pixel_hashes(rows, self._taken).drop("luma_hash"),
            with_pixel_hashes(history, self._taken).drop("luma_hash"),
        )


def _rows(reading: Reading, known: KnownSources, rules: Recipe) -> pl.DataFrame:
    """Return the facts that decisions are made of, one line per occurrence that is new or has other bytes than before.

    Every occurrence of the batch is held here at once: its identities as numbers, and ``source`` not at all.
    """
    wanted = [name for name in decision_columns(rules) if name not in {"row", "source", "sha256"}]
    read = dict.fromkeys([*wanted, "source", "sha256"])
    numbers = [numbered(name) if name in _NUMBERED else pl.col(name) for name in wanted if name != "refusal"]
    blocks = [
        known.unread_content(block).select("row", pl.col("refusal").cast(CODED), *numbers)
        for block in part_blocks(reading.parts, reading.row_counts, _BLOCK_ROWS, list(read))
    ]
    if not blocks:
        return pl.DataFrame()
    return pl.concat(blocks, rechunk=True).with_columns(sha256="image_id")  # the first half of it, which is held once


def named_blocks(rows: pl.DataFrame, reading: Reading) -> Iterator[pl.DataFrame]:
    """Yield the occurrences with what annotations are matched by, and a size that they are in pixels of, a block at a time."""
    columns = ("source", "folder_label", "orientation", "width_px", "height_px")
    is_whole = len(rows) == sum(reading.row_counts)
    for block in part_blocks(reading.parts, reading.row_counts, _BLOCK_ROWS, columns):
        yield block if is_whole else block.join(rows.select("row"), on="row", how="semi", maintain_order="left")


def give_back() -> None:
    """Have the C library give freed memory back to the system, where it can: what NumPy took to compare stays with it else."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
