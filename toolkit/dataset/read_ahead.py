"""Windows of an epoch read while the ones before them are used: a few large reads under way at a time, given in order."""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future, ThreadPoolExecutor

    from toolkit.dataset.fetching import GroupRows
    from toolkit.dataset.order import Piece, Window

__all__ = ["READERS", "Row", "rows_ahead"]

READERS: Final = 2
"""Reads under way at a time: while one waits for the device, the other copies what has come."""

_PIECES_AHEAD: Final = 3
"""Pieces that are asked for beyond the window in use, at least: windows that are not mixed are one piece each."""


class Row(NamedTuple):
    """One image on its way to a batch."""

    payload: memoryview
    image_id: str
    sha256: str | None
    label: str | None


def rows_ahead(windows: Sequence[Window], fetch: Callable[[Piece], GroupRows], readers: ThreadPoolExecutor) -> Iterator[Row]:
    """Yield the rows of windows in their order; the next window is read meanwhile.

    Parameters
    ----------
    windows : sequence of Window
        What is read.
    fetch : callable
        Reads one piece; what it raises is raised here when that window's turn comes.
    readers : ThreadPoolExecutor
        Who reads.
    """
    under_way: deque[tuple[Window, list[Future[GroupRows]]]] = deque()
    for window in windows:
        under_way.append((window, [readers.submit(fetch, piece) for piece in window.pieces]))
        if len(under_way) > 1 and sum(len(pieces) for _, pieces in under_way) > _PIECES_AHEAD:
            yield from _mixed(*under_way.popleft())
    while under_way:
        yield from _mixed(*under_way.popleft())


def _mixed(window: Window, pieces: list[Future[GroupRows]]) -> Iterator[Row]:
    rows = list(chain.from_iterable(_rows(piece.result()) for piece in pieces))
    pieces.clear()
    return map(rows.__getitem__, window.order.tolist())


def _rows(found: GroupRows) -> Iterator[Row]:
    return map(Row, found.payloads, found.image_ids, found.sha256, found.labels)
