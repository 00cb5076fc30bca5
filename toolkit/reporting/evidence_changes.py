"""What a report shows of a dataset's past: each of the newest versions held against the one before, as counts and first names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl  # noqa: TC002  # a field's type can be resolved at run time

from toolkit.reporting.wording import list_words, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.dataset.diffing import VersionDiff
    from toolkit.dataset.reading import Dataset

__all__ = ["CHANGE_KINDS", "VersionChange", "newest_changes", "shown_of"]

CHANGE_KINDS: Final = ("added", "removed", "changed")
"""What a version does to images."""

_STEPS: Final = 8
_STEP_ROWS: Final = 1_000_000
_PAIR_ROWS: Final = 4_000_000
"""A pair of versions with more images than this is not compared in a report: 'tonnage diff' does."""

_ROWS_HELD: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionChange:
    """What one version has and an earlier one has not, as far as a page shows it."""

    location: str
    """The dataset."""
    old_version: int
    """The version compared with."""
    new_version: int
    """The version compared."""
    kinds: tuple[str, ...]
    """What made the versions between: ``batch``, ``redecide``, ..., each once."""
    committed_at: str
    """When the last of them was committed, UTC; empty where the newer was compared with."""
    counts: Mapping[str, int]
    """Images added, removed and changed."""
    added: pl.DataFrame
    """The first images of the new version alone: source, size_bytes, label, split."""
    removed: pl.DataFrame
    """The first images of the old version alone, with the same columns."""
    changed: pl.DataFrame
    """The first images of both whose facts differ: source, columns."""
    states: pl.DataFrame
    """``state``, ``reason``, ``old_count``, ``new_count`` of the occurrences, where they differ."""

    def __str__(self) -> str:
        parts = [(self.counts[kind], kind) for kind in CHANGE_KINDS if self.counts[kind]]
        start = f"From version {self.old_version} to {self.new_version}"
        if not parts:
            return f"{start} no image was added, removed or changed"
        words = [f"{plural(n, 'image') if place == 0 else format(n, ',')} {kind}" for place, (n, kind) in enumerate(parts)]
        return f"{start}: {list_words(words)}"


def shown_of(found: VersionDiff) -> VersionChange:
    """Return what a page shows of two versions that were compared: counts, and the first names."""
    return VersionChange(
        location=found.location, old_version=found.old_version, new_version=found.new_version,
        kinds=tuple(dict.fromkeys(found.steps["kind"].to_list())), committed_at=str(found.steps["committed_at"].max() or ""),
        counts={kind: len(getattr(found, kind)) for kind in CHANGE_KINDS}, states=found.states,
        **{kind: getattr(found, kind).head(_ROWS_HELD) for kind in CHANGE_KINDS},
    )  # fmt: skip


def newest_changes(dataset: Dataset) -> tuple[VersionChange, ...]:
    """Return what each of the newest versions changed, the newest first; those that take long to compare are left out.

    The newest pair is compared up to four million images; older ones while all that is compared stays under a million.
    """
    from toolkit.dataset.diffing import diff

    states = [state for state in dataset.store.states() if state.version <= dataset.version]
    pairs = list(zip(states[-2::-1], states[:0:-1], strict=True))
    found: list[VersionChange] = []
    row_count = 0
    for before, after in pairs[:_STEPS]:
        row_count += before.image_count + after.image_count
        if row_count > (_STEP_ROWS if found else _PAIR_ROWS):
            break
        found.append(shown_of(diff(dataset, before.version, after.version)))
    return tuple(found)
