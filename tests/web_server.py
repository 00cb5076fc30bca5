"""A web server on loopback that misbehaves as asked: the paths say how."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Web", "web_server"]


class Web:
    """What is served, and how often each path was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.asked: Counter[str] = Counter()
        self.agents: set[str] = set()
        self.port = 0
        self.busy_count = 2
        self.retry_after_s = 0
        self.elsewhere = ""
        self.moved: dict[str, str] = {}
        """Where a path sends to."""
        self.broken: dict[str, int] = {}
        """How often a path breaks off (``HEAD /a``, ``GET /a``) before it answers."""
        self.lock = threading.Lock()
        self.under_way = 0
        self.most_under_way = 0
        """Requests of ``/robots.txt`` and of files below ``/held``, each of which takes a tenth of a second, that were under way at once."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def _answer(handler: BaseHTTPRequestHandler, web: Web) -> None:
    path = handler.path.partition("?")[0]
    web.asked[f"{handler.command} {path}"] += 1
    web.agents.add(handler.headers.get("User-Agent", ""))
    kind = path.split("/")[1]
    if web.asked[f"{handler.command} {path}"] <= web.broken.get(f"{handler.command} {path}", 0):
        raise ConnectionAbortedError
    if path in web.moved:
        handler.send_response(302)
        handler.send_header("Location", web.moved[path])
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    if kind in {"loop", "moved"}:
        handler.send_response(302)
        there = path if kind == "loop" else web.elsewhere or path.replace("/moved/", "/", 1)
        handler.send_header("Location", there)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    body = web.files.get(path.replace("/busy/", "/", 1).replace("/slow/", "/", 1).replace("/cut/", "/", 1))
    if kind == "busy" and web.asked[f"GET {path}"] <= web.busy_count:
        handler.send_response(503)
        handler.send_header("Retry-After", str(web.retry_after_s))
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    if kind == "drip":
        _drip(handler)
    if body is None:
        handler.send_error(404)
        return
    handler.send_response(200)
    for name, value in ({"Content-Length": str(len(body))} | web.headers.get(path, {})).items():
        if value:
            handler.send_header(name, value)
    handler.end_headers()
    if handler.command == "HEAD":
        return
    _take_time(kind, web)
    handler.wfile.write(body[: len(body) // 2] if kind == "cut" else body)


def _drip(handler: BaseHTTPRequestHandler) -> None:
    """Answer byte by byte, without an end, until nobody listens."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"#")
        time.sleep(0.1)


def _take_time(kind: str, web: Web) -> None:
    if kind == "slow":
        time.sleep(1.5)
    if kind not in {"held", "robots.txt"}:
        return
    with web.lock:
        web.under_way += 1
        web.most_under_way = max(web.most_under_way, web.under_way)
    time.sleep(0.1)
    with web.lock:
        web.under_way -= 1


@contextmanager
def web_server() -> Iterator[Web]:
    """Serve ``files`` on a free port of loopback."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                _answer(self, web)
            except OSError:  # the client went away, as it should
                self.close_connection = True

        do_HEAD = do_GET  # noqa: N815 -- as the server wants it

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        web.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()
