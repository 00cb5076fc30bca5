"""Folders on the web: pages that list files, as nginx, Apache and Python's ``http.server`` make them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import urllib3

from toolkit.curation.sources.downloads import request
from toolkit.curation.sources.objects import Entry, stamp
from toolkit.errors import MissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.curation.sources.access import Access
    from toolkit.locations import Location

__all__ = ["links", "list_web"]

_PAGE_BYTES: Final = 64 * 2**20
_AT_ONCE: Final = 8
_MOVES: Final = 3


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

    Raises
    ------
    MissingError
        If there is nothing.
    UsageError
        If the host does not answer.
    """
    first = _head(place.url, access)
    if first is None:
        raise MissingError(f"there is nothing at '{place}'; check the address")
    url, kind, etag, size_bytes = first
    if kind != "text/html":
        yield Entry(relative="", url=url, etag=etag, size_bytes=size_bytes)
        return
    root = url if url.endswith("/") else f"{url.rpartition('/')[0] if '.' in url.rpartition('/')[2] else url}/"
    folders, seen = [root], {root}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while folders:
            folder = folders.pop()
            found = links(_page(folder, access), folder)
            files = [link for link in found if not link.endswith("/")]
            for start in range(0, len(files), _AT_ONCE * 8):
                block = files[start : start + _AT_ONCE * 8]
                for link, head in zip(block, pool.map(lambda link: _head(link, access), block), strict=True):
                    relative = unquote(link.removeprefix(root))
                    yield Entry(relative=relative, url=link, etag=head[2] if head else "", size_bytes=head[3] if head else 0)
            folders += [link for link in reversed(found) if link.endswith("/") and link not in seen]
            seen.update(found)


def _head(url: str, access: Access) -> tuple[str, str, str, int] | None:
    """Return where a file is, its type, its stamp and its size; None if it is not there."""
    for _ in range(_MOVES):
        try:
            response = request("HEAD", url, access)
            response.close()
        except urllib3.exceptions.HTTPError as fault:
            raise UsageError(f"'{url}' does not answer ({type(fault).__name__}); check the address") from None
        if 300 <= response.status < 400 and (there := response.headers.get("Location")):
            moved = urljoin(url, there)
            if urlsplit(moved).netloc != urlsplit(url).netloc:
                raise UsageError(f"'{url}' sends to another host, '{urlsplit(moved).netloc}'; name its address itself")
            url = moved
            continue
        if response.status != 200:
            return None
        size = response.headers.get("Content-Length", "")
        size_bytes = int(size) if size.isdecimal() else 0
        mark = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        return (
            url,
            response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
            stamp(size_bytes, mark),
            size_bytes,
        )
    return None


def _page(url: str, access: Access) -> str:
    try:
        response = request("GET", url, access)
        try:
            if response.status != 200:
                raise UsageError(f"the folder '{url}' cannot be listed: status {response.status}")
            return response.read(_PAGE_BYTES).decode("utf-8", "replace")
        finally:
            response.close()
    except urllib3.exceptions.HTTPError as fault:
        raise UsageError(f"the folder '{url}' cannot be listed ({type(fault).__name__}); try again") from None
