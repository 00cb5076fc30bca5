"""Objects of S3, GCS and Azure: listed in pages, and laid down on the disk one by one."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sources.units import MAX_PAYLOAD_BYTES
from toolkit.errors import MissingError, TonnageError, UsageError
from toolkit.locations import Location, is_silence, store_at, without_secrets
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from obstore import GetResult
    from obstore.store import ObjectStore

    from toolkit.curation.sources.access import Access

__all__ = ["Entry", "fetch_object", "list_objects", "stamp"]

_PAGE_ENTRIES = 1_000

_STRETCH_BYTES: Final = 8 * 2**20
"""What is fetched by one request: its time is limited, so a large object takes several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A remote file, as its listing tells of it."""

    relative: str
    """Path below the source; empty if the source itself is a file."""
    url: str
    """Where it is."""
    etag: str
    """What tells a change, as ``stamp`` returns it."""
    size_bytes: int
    """Its size; 0 where the listing does not say."""
    refusal: Refusal | None = None
    """Why it cannot be had, if the listing says so already."""


def stamp(size_bytes: int, mark: str) -> str:
    """Return what tells a change of a remote file, such that a copy on the disk can bear the same in its time of change.

    Parameters
    ----------
    size_bytes : int
        Its size.
    mark : str
        Its etag, else its time of change.

    Examples
    --------
    >>> stamp(10, '"abc"') == stamp(10, '"abc"') != stamp(10, '"abd"')
    True
    """
    digest = hashlib.sha256(mark.encode("utf-8", "surrogateescape")).digest()
    return f"{size_bytes}-{int.from_bytes(digest[:7])}"


def _stamp_of(meta: Mapping[str, Any]) -> str:
    """Return the stamp of an object; Azure's listings give its etag without the quotation marks that its answers have."""
    tag = str(meta.get("e_tag") or "")
    return stamp(meta["size"], f'"{tag}"' if tag and '"' not in tag else tag or str(meta["last_modified"]))


def _store(place: Location, access: Access) -> ObjectStore:
    """Return the client of a bucket, whose tries take no longer together than one file may."""
    try_s = access.deadline_s / (access.retry_count + 1)
    return store_at(place.bucket, access.options, try_s=try_s, deadline_s=access.deadline_s)


def list_objects(place: Location, access: Access) -> Iterator[Entry]:
    """Yield the objects below a place, page by page; a place that is an object itself yields that one.

    Raises
    ------
    MissingError
        If there is nothing.
    TonnageError
        If the store does not answer in ``access.deadline_s``.
    UsageError
        If it will not let us in.
    """
    store, count = _store(place, access), 0
    try:
        for page in store.list(place.key or None, chunk_size=_PAGE_ENTRIES):
            for meta in page:
                count += 1
                relative = meta["path"].removeprefix(place.key).lstrip("/")
                yield Entry(
                    relative=relative, url=f"{place.bucket}/{meta['path']}", etag=_stamp_of(meta), size_bytes=meta["size"]
                )
        if not count and place.key:
            found = store.head(place.key)
            yield Entry(relative="", url=place.url, etag=_stamp_of(found), size_bytes=found["size"])
            count = 1
    except FileNotFoundError:
        pass
    except Exception as fault:  # noqa: BLE001 -- of obstore's many kinds
        kind = TonnageError if is_silence(fault) else UsageError
        raise kind(f"the source '{place}' cannot be listed: {without_secrets(fault)}") from None
    if not count:
        raise MissingError(f"there is nothing at '{place}'; check the bucket, the path and, where it has one, the endpoint")


def fetch_object(url: str, target: Path, access: Access, etag: str = "", max_bytes: int = MAX_PAYLOAD_BYTES) -> Refusal | None:
    """Lay an object down, whole or not at all; return why it cannot be had, or None.

    Parameters
    ----------
    url : str
        The object.
    target : Path
        Where it goes.
    access : Access
        Options of the store, and how long each stretch of ``_STRETCH_BYTES`` may take. The store's client tries again what
        may pass.
    etag : str
        What it must still be, as ``stamp`` returns it; empty for whatever it is now.
    max_bytes : int
        A larger one is refused.
    """
    place = Location(url)
    temporary = target.with_name(f"{target.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        store = _store(place, access)
        is_long = int(etag.partition("-")[0] or 0) > _STRETCH_BYTES
        found = store.get(place.key, options={"range": (0, _STRETCH_BYTES)} if is_long else None)
        if etag and _stamp_of(found.meta) != etag:
            return refusal("changed_while_read", "it is not what it was when it was listed")
        if found.meta["size"] > max_bytes:
            size, limit = show(found.meta["size"], "bytes"), show(max_bytes, "bytes")
            return refusal("unreadable", f"it is {size}; at most {limit} are read")
        target.parent.mkdir(parents=True, exist_ok=True)
        _lay_down(temporary, found, store)
        if is_long and _stamp_of(store.head(place.key)) != etag:
            return refusal("changed_while_read", "it changed while it was read")
        temporary.replace(target)
    except UsageError as fault:
        return refusal("unreadable", str(fault))
    except FileNotFoundError:
        return refusal("unreadable", "it is no longer there")
    except OSError as fault:
        if fault.errno is not None:
            raise  # of this machine's disk
        return _refused(fault)
    except Exception as fault:  # noqa: BLE001 -- of obstore's many kinds
        return _refused(fault)
    finally:
        temporary.unlink(missing_ok=True)
    return None


def _lay_down(path: Path, found: GetResult, store: ObjectStore) -> None:
    """Write what has come, and what is left of a long object, a stretch at a time."""
    with path.open("wb") as file:
        for chunk in found.stream():
            file.write(chunk)
        size_bytes = found.meta["size"]
        for start in range(file.tell(), size_bytes, _STRETCH_BYTES):
            file.write(store.get_range(found.meta["path"], start=start, end=min(start + _STRETCH_BYTES, size_bytes)))


def _refused(fault: Exception) -> Refusal:
    """Return a store's fault as a refusal: its client tells one kind from another in words alone."""
    if is_silence(fault):
        return refusal("timeout")
    if "kind: Connect" in str(fault):
        return refusal("connection_failed", without_secrets(fault))
    return refusal("unreadable", without_secrets(fault))
