"""One file over HTTP onto the disk: with deadlines, tries again, a limit on its size, and regard for what its host asks.

Every way in which that fails is a refusal with a reason of its own; nothing is raised.
"""

from __future__ import annotations

import ipaddress
import os
import random
import socket
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3 import exceptions as faults

from toolkit import __version__
from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sources.robots import Robots, opted_out
from toolkit.curation.sources.transfers import Transfers
from toolkit.curation.sources.turns import host_turn
from toolkit.units import show

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.curation.sources.access import Access

__all__ = ["AGENT", "BUSY", "ask", "download", "fault_of_network", "is_private"]

AGENT: Final = "tonnage"
_HEADERS: Final = {"User-Agent": f"{AGENT}/{__version__}", "Accept": "image/*,*/*;q=0.8", "Accept-Encoding": "identity"}
_REDIRECTS: Final = 5
_CHUNK_BYTES: Final = 2**16
_ROBOTS_BYTES: Final = 500 * 2**10
"""So much of a robots.txt is read. Source: RFC 9309, section 2.5."""
_ROBOTS_S: Final = 30
"""So long a robots.txt may be on its way, which all files of its host wait for; what has come by then counts."""
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may pass. Source: RFC 9110, section 15; RFC 6585, section 4; RFC 8470."""
_PASSING: Final = frozenset({"connection_failed", "timeout", "http_unavailable"})
"""Reasons for which a file is tried again at once."""


@lru_cache(1)
def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(num_pools=256, maxsize=32, headers=_HEADERS)


@lru_cache(1)
def _robots() -> Robots:
    return Robots(_robots_file, AGENT)


def _robots_file(url: str) -> tuple[int, bytes]:
    end_s, body = time.monotonic() + _ROBOTS_S, b""
    # a host may ask for hours of waiting, which would be the run's
    retries = urllib3.Retry(2, redirect=_REDIRECTS, respect_retry_after_header=False)
    try:
        response = _pool().request("GET", url, timeout=_ROBOTS_S / 3, retries=retries, preload_content=False)
        try:
            while len(body) < _ROBOTS_BYTES and time.monotonic() < end_s and (chunk := response.read1(_CHUNK_BYTES)):
                body += chunk
            return response.status, body[:_ROBOTS_BYTES]
        finally:
            response.close()
    except faults.HTTPError:
        return 0, b""


def is_private(host: str) -> bool:
    """Return whether a host's name leads to an address that is not of the public internet.

    Examples
    --------
    >>> is_private("127.0.0.1"), is_private("169.254.169.254"), is_private("8.8.8.8")
    (True, True, False)
    """
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False  # connecting will say that there is none
    return any(not ipaddress.ip_address(str(address).partition("%")[0]).is_global for address in found)


def ask(method: str, url: str, access: Access) -> urllib3.BaseHTTPResponse:
    """Return the answer to a request, its body unread, asked again as often as ``access`` says; a redirect is not followed.

    Raises
    ------
    urllib3.exceptions.HTTPError
        If there is none.
    """
    attempt = 0
    while True:
        is_last = attempt == access.retry_count
        try:
            response = _request(method, url, access)
            if is_last or response.status not in BUSY:
                return response
            response.close()
        except faults.HTTPError:
            if is_last:
                raise
        time.sleep(_pause_s(attempt))
        attempt += 1


def _pause_s(attempt: int) -> float:
    return float(0.25 * 2**attempt) * (1 + random.random())  # noqa: S311 -- no secret


def _request(method: str, url: str, access: Access) -> urllib3.BaseHTTPResponse:
    """Return the answer to one try, its body unread; a redirect is not followed."""
    timeout = urllib3.Timeout(connect=access.timeout_s, read=access.timeout_s)
    return _pool().request(method, url, timeout=timeout, retries=False, redirect=False, preload_content=False)


def download(
    url: str, target: Path, access: Access, *, ask_robots: bool = True, transfers: Transfers | None = None
) -> Refusal | None:
    """Lay the file at a URL down, whole or not at all; return why it cannot be had, or None.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``.
    target : Path
        Where it goes.
    access : Access
        Limits and manners.
    ask_robots : bool
        Whether what its host asks of robots counts, if ``access`` says so; not for what a person named by itself.
    transfers : Transfers, optional
        Takes note of how long it was on its way.
    """
    transfers = transfers or Transfers()
    end_s = time.monotonic() + access.deadline_s
    attempt = 0
    while True:
        found, wait_s = _try(url, target, access, end_s, transfers, ask_robots=ask_robots and access.respect_robots)
        if found is None or found.reason not in _PASSING or attempt == access.retry_count:
            return found
        pause_s = max(wait_s, _pause_s(attempt))
        if time.monotonic() + pause_s >= end_s:
            return found
        time.sleep(pause_s)
        attempt += 1


def _try(
    url: str, target: Path, access: Access, end_s: float, transfers: Transfers, *, ask_robots: bool
) -> tuple[Refusal | None, float]:
    """Follow redirects to the file and lay it down; return why not, and how long its host asks to wait."""
    named = url
    for _ in range(_REDIRECTS + 1):
        try:
            why = _forbidden(url, named, access, ask_robots=ask_robots)
            if why is not None:
                return why, 0
            host = urlsplit(url).hostname or ""
            with host_turn(host, access), transfers.timed(target):
                response = _request("GET", url, access)
                try:
                    if response.status in _MOVED and (there := response.headers.get("Location")):
                        url = urljoin(url, there)
                        continue
                    return _received(response, target, access, end_s, ask_robots=ask_robots), _asked_wait_s(response)
                finally:
                    response.close()
        except (faults.HTTPError, OSError, ValueError) as fault:
            return fault_of_network(fault), 0
    return refusal("redirect_loop", f"more than {_REDIRECTS} redirects"), 0


def _forbidden(url: str, named: str, access: Access, *, ask_robots: bool) -> Refusal | None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return refusal("bad_url", f"'{url[:200]}'")
    if url != named and is_private(parts.hostname) and not is_private(urlsplit(named).hostname or ""):
        return refusal("private_address", f"it leads to '{parts.hostname}'")
    why = _robots().forbids(url, lambda: host_turn(host, access)) if ask_robots else None
    return refusal("robots_disallowed", why) if why is not None else None


def _received(
    response: urllib3.BaseHTTPResponse, target: Path, access: Access, end_s: float, *, ask_robots: bool
) -> Refusal | None:
    if response.status in BUSY:
        return refusal("http_unavailable", f"status {response.status}")
    if response.status != 200:
        return refusal("http_status", f"status {response.status}")
    tag = opted_out(response.headers.getlist("X-Robots-Tag"), AGENT) if ask_robots else None
    if tag is not None:
        return refusal("robots_disallowed", f"it is served with 'X-Robots-Tag: {tag}'")
    said_bytes = response.headers.get("Content-Length", "")
    if said_bytes.isdecimal() and int(said_bytes) > access.max_bytes:
        return refusal(
            "too_large", f"it is {show(int(said_bytes), 'bytes')}; at most {show(access.max_bytes, 'bytes')} are fetched"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        why = _streamed(response, temporary, access, end_s)
        if why is None:
            temporary.replace(target)
        return why
    finally:
        temporary.unlink(missing_ok=True)


def _streamed(response: urllib3.BaseHTTPResponse, path: Path, access: Access, end_s: float) -> Refusal | None:
    size_bytes = 0
    with path.open("wb") as file:
        while chunk := response.read1(_CHUNK_BYTES):
            size_bytes += len(chunk)
            if size_bytes > access.max_bytes:
                return refusal("too_large", f"more than {show(access.max_bytes, 'bytes')} came")
            if time.monotonic() > end_s:
                return refusal("timeout", f"{show(size_bytes, 'bytes')} came in {access.deadline_s:g} s")
            file.write(chunk)
    return None


def _asked_wait_s(response: urllib3.BaseHTTPResponse) -> float:
    if response.status not in BUSY:
        return 0
    try:
        return urllib3.Retry().get_retry_after(response) or 0
    except faults.HTTPError:
        return 0


def fault_of_network(fault: Exception) -> Refusal:
    """Return a fault of the network as a refusal, in as few words as say it."""
    if isinstance(fault, faults.MaxRetryError) and fault.reason is not None:
        fault = fault.reason
    if isinstance(fault, faults.NameResolutionError):
        return refusal("dns_failure")
    if isinstance(fault, faults.SSLError):
        return refusal("tls_failure", str(fault)[:200])
    if isinstance(fault, faults.NewConnectionError):
        return refusal("connection_failed", "nothing answers there")
    if isinstance(fault, faults.TimeoutError | TimeoutError):
        return refusal("timeout")
    if isinstance(fault, faults.LocationValueError | ValueError):
        return refusal("bad_url", str(fault)[:200])
    if isinstance(fault, OSError):
        raise fault  # of this machine's disk
    return refusal("connection_failed", "it broke off")
