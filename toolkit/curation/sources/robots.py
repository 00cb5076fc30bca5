"""What a site asks of robots: ``robots.txt`` per host, and the header ``X-Robots-Tag``."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

__all__ = ["OPT_OUTS", "Robots", "opted_out"]

OPT_OUTS: Final = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none"})
"""Directives by which a site keeps a file out of training sets and indexes. ``none`` stands for noindex and nofollow.
Source: developers.google.com/search/docs (robots meta tag); DeviantArt's noai and noimageai, as img2dataset reads them."""


def opted_out(tags: Iterable[str], agent: str) -> str | None:
    """Return the directive of ``X-Robots-Tag`` headers that keeps a file from being taken, if one does.

    Parameters
    ----------
    tags : iterable of str
        The headers' values.
    agent : str
        The name by which directives for one robot alone are known.

    Examples
    --------
    >>> opted_out(["nofollow, NoAI"], "tonnage"), opted_out(["otherbot: noai"], "tonnage"), opted_out(["all"], "tonnage")
    ('noai', None, None)
    """
    for tag in tags:
        is_ours = True
        for part in tag.lower().split(","):
            name, colon, rest = part.strip().partition(":")
            if colon and name.strip() not in {"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"}:
                is_ours = name.strip() == agent  # a name holds for what follows it
                part = rest  # noqa: PLW2901 -- what stands behind the name
            if is_ours and part.strip() in OPT_OUTS:
                return part.strip()
    return None


class Robots:
    """The rules of hosts, each fetched once.

    Parameters
    ----------
    fetch : callable
        Returns the status and the body of a URL; raises nothing: status 0 stands for a host that does not answer.
    agent : str
        The name of the robot.
    """

    def __init__(self, fetch: Callable[[str], tuple[int, bytes]], agent: str) -> None:
        self._fetch = fetch
        self._agent = agent
        self._rules: dict[str, RobotFileParser | str] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def forbids(self, url: str, turn: Callable[[], AbstractContextManager[None]] = nullcontext) -> str | None:
        """Return why a URL must not be fetched, or None; a host whose rules are not known yet is asked for them in a turn.

        Source: RFC 9309, section 2.3.1: no file (4xx) allows all; a server's fault (5xx) forbids all. A host that does not
        answer at all forbids nothing here: fetching the file itself says what is wrong.
        """
        parts = urlsplit(url)
        host = f"{parts.scheme}://{parts.netloc}"
        with self._guard:
            lock = self._locks.setdefault(host, threading.Lock())
        with lock:
            if host not in self._rules:
                with turn():
                    self._rules[host] = self._read(host)
        rules = self._rules[host]
        if isinstance(rules, str):
            return rules
        return None if rules.can_fetch(self._agent, url) else f"'{host}/robots.txt' forbids it"

    def _read(self, host: str) -> RobotFileParser | str:
        status, body = self._fetch(f"{host}/robots.txt")
        if status >= 500:
            return f"'{host}/robots.txt' answers with status {status}, which forbids all until it can be read"
        rules = RobotFileParser()
        rules.parse(body.decode("utf-8", "replace").splitlines() if status == 200 else [])
        return rules
