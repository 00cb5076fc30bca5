"""Folders on the web: pages that list files, as nginx, Apache and Python's ``http.server`` make them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import urllib3

from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sources.downloads import BUSY, ask, fault_of_network
from toolkit.curation.sources.objects import Entry, stamp
from toolkit.errors import MissingError, TonnageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.curation.sources.access import Access
    from toolkit.locations import Location

__all__ = ["links", "list_web"]

_PAGE_BYTES: Final = 64 * 2**20
_AT_ONCE: Final = 8
_MOVES: Final = 3
_SIZE_DIGITS: Final = 18
"""A size of more digits is none."""
_NO_HEAD: Final = frozenset({405, 501})
"""Statuses of hosts that answer no HEAD. Source: RFC 9110, sections 15.5.6 and 15.6.2."""


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def links(page: str, url: str) -> list[str]:
    """Return the URLs right below a folder's own that its page links to, sorted; folders end in ``/``.

    Examples
    --------
    >>> links('<a href="../">up</a> <a href="b/">b</a> <a href="a.jpg">a</a> <a href="?C=N">sort</a>', "http://h/x/")
    ['http://h/x/a.jpg', 'http://h/x/b/']
    """
    reader = _Links()
    reader.feed(page)
    below = {urldefrag(urljoin(url, link)).url for link in reader.found if "?" not in link}
    inner = {link: link.removeprefix(url) for link in below if link.startswith(url) and link != url}
    return sorted(
        link for link, rest in inner.items() if "/" not in rest.rstrip("/") and unquote(rest).strip("/") not in {".", ".."}
    )


def list_web(place: Location, access: Access) -> Iterator[Entry]:
    """Yield the files below a page that lists them, folder by folder; a file yields itself.

    A file that gives no answer now is named all the same, without what tells a change: fetching it will say what is
    wrong, or bring it. A folder below that cannot be listed is one entry with its refusal.

    Raises
    ------
    MissingError
        If there is nothing.
    TonnageError
        If the host does not answer, however often it is asked.
    UsageError
        If it sends to another one.
    """
    try:
        first = _head(place.url, access)
    except urllib3.exceptions.HTTPError as fault:
        raise TonnageError(f"'{place}' cannot be had: {_told(fault, access)}") from None
    if first is None:
        raise MissingError(f"there is nothing at '{place}'; check the address")
    if urlsplit(first.url).netloc != urlsplit(place.url).netloc:
        raise UsageError(f"'{place}' sends to another host, '{urlsplit(first.url).netloc}'; name its address itself")
    if first.kind != "text/html":
        yield Entry(relative="", url=first.url, etag=first.etag, size_bytes=first.size_bytes)
        return
    url = first.url
    root = url if url.endswith("/") else f"{url.rpartition('/')[0] if '.' in url.rpartition('/')[2] else url}/"
    folders, seen = [root], {root}
    with ThreadPoolExecutor(min(_AT_ONCE, access.per_host_count)) as pool:
        while folders:
            folder = folders.pop()
            page = _page(folder, access)
            if isinstance(page, Refusal):
                if folder == root:
                    raise UsageError(f"the folder '{folder}' cannot be listed: {page.message}")
                yield Entry(relative=unquote(folder.removeprefix(root)), url=folder, etag="", size_bytes=0, refusal=page)
                continue
            found = links(page, folder)
            files = [link for link in found if not link.endswith("/")]
            for start in range(0, len(files), _AT_ONCE * 8):
                block = files[start : start + _AT_ONCE * 8]
                yield from pool.map(lambda link: _entry(link, unquote(link.removeprefix(root)), access), block)
            folders += [link for link in reversed(found) if link.endswith("/") and link not in seen]
            seen.update(found)


def _told(fault: Exception, access: Access) -> str:
    why = fault_of_network(fault)
    if why.reason != "timeout":
        return f"{why.message}; check the address and the network"
    tries = access.retry_count + 1
    return f"no answer within {access.timeout_s:g} s, asked {tries} times; check the address and the network, then run it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What a host says of a file."""

    url: str
    """Where it is, after all redirects."""
    kind: str
    """Its type, as ``text/html``."""
    etag: str
    """What tells a change."""
    size_bytes: int
    """Its size; 0 if that is not said."""


def _entry(link: str, relative: str, access: Access) -> Entry:
    """Return a listed file, with what its host says of it now; a redirect elsewhere is followed when it is fetched."""
    try:
        head = _head(link, access)
    except urllib3.exceptions.HTTPError:
        head = None
    is_here = head is not None and urlsplit(head.url).netloc == urlsplit(link).netloc
    etag, size_bytes = (head.etag, head.size_bytes) if head is not None and is_here else ("", 0)
    return Entry(relative=relative, url=link, etag=etag, size_bytes=size_bytes)


def _head(url: str, access: Access) -> _Head | None:
    """Return what a host says of a file, None if it is not there; another host that it sends to is not asked.

    Raises
    ------
    urllib3.exceptions.HTTPError
        If it does not answer, however often it is asked.
    """
    for _ in range(_MOVES):
        response = ask("HEAD", url, access)
        if response.status in _NO_HEAD:
            response = ask("GET", url, access)
        response.close()
        if 300 <= response.status < 400 and (there := response.headers.get("Location")):
            moved = urljoin(url, there)
            if urlsplit(moved).netloc != urlsplit(url).netloc:
                return _Head(url=moved, kind="", etag="", size_bytes=0)
            url = moved
            continue
        if response.status != 200:
            return None
        size = response.headers.get("Content-Length", "")
        size_bytes = int(size) if size.isdecimal() and len(size) <= _SIZE_DIGITS else 0
        mark = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return _Head(url=url, kind=kind, etag=stamp(size_bytes, mark), size_bytes=size_bytes)
    return None


def _page(url: str, access: Access) -> str | Refusal:
    """Return a page that lists files, or why it cannot be had."""
    try:
        response = ask("GET", url, access)
        try:
            if response.status != 200:
                reason = "http_unavailable" if response.status in BUSY else "http_status"
                return refusal(reason, f"status {response.status}")
            return response.read(_PAGE_BYTES).decode("utf-8", "replace")
        finally:
            response.close()
    except urllib3.exceptions.HTTPError as fault:
        return fault_of_network(fault)
