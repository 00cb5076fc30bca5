"""Rows whose images wait to be scored together: one at a time, between decodes that empty the caches, took thrice as long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit.curation.examine import pixel_facts
from toolkit.units import MIB

if TYPE_CHECKING:
    from toolkit.curation.examine import Pixels

__all__ = ["ScoredRows"]

_AT_ONCE: Final = 256
_WAITING_BYTES: Final = 16 * MIB
"""Scaled lumas that wait; most take 6 kB, but a strip of one pixel's width may take megabytes."""


class ScoredRows:
    """Rows of images, filled with hashes of looks and scores many at a time."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._waiting: list[tuple[dict[str, Any], Pixels]] = []
        self._waiting_bytes = 0

    def add(self, row: dict[str, Any], pixels: Pixels | None) -> None:
        """Append a row, and what its hashes of looks and its scores are to be made of."""
        self._rows.append(row)
        if pixels is None:
            return
        self._waiting.append((row, pixels))
        self._waiting_bytes += pixels.luma.size
        if len(self._waiting) == _AT_ONCE or self._waiting_bytes > _WAITING_BYTES:
            self._score()

    def scored(self) -> list[dict[str, Any]]:
        """Return all rows, whole."""
        self._score()
        return self._rows

    def _score(self) -> None:
        facts = pixel_facts([pixels for _, pixels in self._waiting])
        for (row, _), found in zip(self._waiting, facts, strict=True):
            row.update(found)
        self._waiting, self._waiting_bytes = [], 0
