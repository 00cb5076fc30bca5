"""Units of remote files: fetched some at a time, laid down once, so that packing fetches nothing again."""

from __future__ import annotations

import dataclasses
import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sources.access import Access
from toolkit.curation.sources.downloads import download
from toolkit.curation.sources.files import read_whole
from toolkit.curation.sources.objects import fetch_object
from toolkit.curation.sources.streams import staged_path
from toolkit.curation.sources.transfers import Transfers
from toolkit.curation.sources.units import LISTED, SourceUnit
from toolkit.errors import UsageError
from toolkit.locations import OBJECT_STORES, Location

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from toolkit.curation.sources.units import Item, OtherFile

__all__ = ["fetch", "read_remote", "reread_remote", "with_shared_hosts"]


def fetch(
    url: str, target: Path, access: Access, etag: str = "", *, ask_robots: bool = True, transfers: Transfers | None = None
) -> Refusal | None:
    """Lay a remote file down; return why it cannot be had, or None.

    Parameters
    ----------
    url : str
        The file, in an object store or on the web.
    target : Path
        Where it goes.
    access : Access
        How it is reached.
    etag : str
        What an object must still be.
    ask_robots : bool
        As in ``download``.
    transfers : Transfers, optional
        Takes note of how long it was on its way.
    """
    place = Location(url)
    transfers = transfers or Transfers()
    if place.scheme in OBJECT_STORES:
        with transfers.timed(target):
            return fetch_object(url, target, access, etag)
    if place.is_web:
        return download(url, target, access, ask_robots=ask_robots, transfers=transfers)
    return refusal("bad_url", f"'{place.scheme}://' is not a kind of address that is known")


def with_shared_hosts(
    found: Iterable[SourceUnit | OtherFile], worker_count: int, *, is_one_machine: bool = False
) -> Iterator[SourceUnit | OtherFile]:
    """Yield what is found such that all workers together keep the limit of connections to one host.

    On one machine they take turns. Workers of several machines have no lock in common: each gets its share, one at least, so
    that more processes than connections are as many connections, and a host that one worker has to itself gets that share.
    """
    for each in found:
        if isinstance(each, SourceUnit) and each.access is not None and not (is_one_machine and each.access.turns):
            count = max(1, each.access.per_host_count // max(1, worker_count))
            yield dataclasses.replace(each, access=dataclasses.replace(each.access, per_host_count=count, turns=""))
        else:
            yield each


def read_remote(items: Iterable[Item], access: Access, staging: Path | None) -> Iterator[tuple[Item, bytes | Refusal]]:
    """Yield remote files in their order, with their bytes or why there are none; a few are on their way at once.

    Parameters
    ----------
    items : iterable of Item
        What to fetch.
    access : Access
        How it is reached.
    staging : Path, optional
        Where the bytes are laid down and stay, and how long they took is noted; without it, they are gone once they are given.
    """
    transfers = Transfers()
    with tempfile.TemporaryDirectory() as passing, ThreadPoolExecutor(access.concurrent_count) as pool:
        folder = staging or Path(passing)
        waiting: deque[tuple[Item, Path, Future[Refusal | None]]] = deque()
        todo = iter(items)
        while True:
            while len(waiting) < access.concurrent_count and (item := next(todo, None)) is not None:
                target = _target(folder, item.source, item.etag)
                waiting.append((item, target, pool.submit(_fetched, item, target, access, transfers)))
            if not waiting:
                break
            item, target, coming = waiting.popleft()
            yield item, coming.result() or read_whole(str(target))
    if staging is not None:
        transfers.note(staging)


def _fetched(item: Item, target: Path, access: Access, transfers: Transfers) -> Refusal | None:
    if item.refusal is not None:
        return item.refusal
    etag = "" if item.etag.startswith(LISTED) else item.etag
    return None if target.exists() else fetch(item.place, target, access, etag, transfers=transfers)


def _target(folder: Path, source: str, etag: str) -> Path:
    return staged_path(folder, f"{source}\0{etag}")


def reread_remote(items: Iterable[Item], staging: Path | None) -> Iterator[tuple[Item, bytes | Refusal]]:
    """Yield remote files again: from where they were laid down, else fetched anew by what the environment says."""
    absent = []
    for item in items:
        target = None if staging is None else _target(staging, item.source, item.etag)
        if target is not None and target.exists():
            yield item, read_whole(str(target))
        else:
            absent.append(item)
    try:
        yield from read_remote(absent, Access(), None)
    except UsageError as fault:
        yield from ((item, refusal("unreadable", str(fault))) for item in absent)
