"""What a report shows of a dataset's past: the newest versions, each held against the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from toolkit.dataset.diffing import VersionDiff
    from toolkit.dataset.reading import Dataset

__all__ = ["newest_changes"]

_STEPS: Final = 8
_STEP_ROWS: Final = 2_000_000
_PAIR_ROWS: Final = 20_000_000
"""A pair of versions with more images than this is not compared in a report: 'tonnage diff' does."""


def newest_changes(dataset: Dataset) -> tuple[VersionDiff, ...]:
    """Return what each of the newest versions changed, the newest first; those that take long to compare are left out.

    The newest pair is compared up to twenty million images; older ones while all that is compared stays under two million.
    """
    from toolkit.dataset.diffing import diff

    states = [state for state in dataset.store.states() if state.version <= dataset.version]
    pairs = list(zip(states[-2::-1], states[:0:-1], strict=True))
    found: list[VersionDiff] = []
    row_count = 0
    for before, after in pairs[:_STEPS]:
        row_count += before.image_count + after.image_count
        if row_count > (_STEP_ROWS if found else _PAIR_ROWS):
            break
        found.append(diff(dataset, before.version, after.version))
    return tuple(found)
