"""The other end of a transfer: a dataset's shards by plain TCP, HTTP ranges and Arrow Flight, with an account of itself.

Run as ``python -m toolkit.measurement.server`` with the shards' paths as a JSON list on standard input it serves on
127.0.0.1: it prints its ports as one JSON line and ends when standard input is closed, so that it never outlives the
process that started it. ``tonnage serve`` runs the same on any address. Only the shards named are served, by their number.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import socket
import socketserver
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolkit.measurement.flights import flight_server
from toolkit.measurement.wires import resent_segments, resent_system_segments
from toolkit.units import MIB

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["HOST", "Offer", "main", "start"]

HOST: Final = "127.0.0.1"
_BLOCK: Final = bytes(MIB)
_MAX_LINE_BYTES: Final = 256
_RANGE: Final = re.compile(r"^bytes=(\d+)-(\d+)$")
_ADDRESS: Final = re.compile(r"^/(?:(warm)/)?(\d+)/?$")


@dataclass(slots=True)
class Offer:
    """What is served, to whom, and what its connections have cost so far."""

    paths: tuple[Path, ...]
    """The shards, by number."""
    token: str = ""
    """What a client must show; empty lets all in."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What is told of the dataset."""
    ports: dict[str, int] = field(default_factory=dict)
    """Ports by protocol."""
    _live: set[socket.socket] = field(default_factory=set)
    _ended_count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admits(self, shown: str) -> bool:
        """Return whether a token that was shown is the right one, in the same time whatever was shown."""
        return not self.token or hmac.compare_digest(self.token.encode(), shown.encode())

    def watch(self, connection: socket.socket) -> None:
        """Count a connection's retransmits from now on."""
        with self._lock:
            self._live.add(connection)

    def release(self, connection: socket.socket) -> None:
        """Keep what an ending connection had to send again."""
        with self._lock:
            self._live.discard(connection)
            self._ended_count += resent_segments(connection) or 0

    def account(self) -> dict[str, Any]:
        """Return CPU time and segments sent again so far; what the kernel does not say is left out."""
        with self._lock:
            live = [resent_segments(connection) for connection in self._live]
            known = [count for count in live if count is not None]
            ended_count = self._ended_count
        facts: dict[str, Any] = {"cpu_s": time.process_time(), "system_retransmit_count": resent_system_segments()}
        if len(known) == len(live):  # also none at all: nothing is live, nothing is unknown
            facts["retransmit_count"] = ended_count + sum(known)
        return facts

    def listing(self) -> dict[str, Any]:
        """Return what a client needs to know before it asks for bytes."""
        shards = [{"size_bytes": path.stat().st_size, "row_group_count": _row_groups(path)} for path in self.paths]
        return {"serves": "tonnage", "about": dict(self.about), "ports": self.ports, "shards": shards}


def _row_groups(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_row_groups)


class _TcpHandler(socketserver.BaseRequestHandler):
    """One line says what is wanted: ``memory`` or a shard's number are sent until the client hangs up, ``echo`` answers bytes."""

    offer: Offer

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.offer.watch(self.request)

    def handle(self) -> None:
        try:
            wanted, _, shown = self._line().partition(" ")
            if not self.offer.admits(shown):
                return
            if wanted == "memory":
                while True:
                    self.request.sendall(_BLOCK)
            elif wanted == "echo":
                while heard := self.request.recv(1):
                    self.request.sendall(heard)
            elif wanted.isdigit() and int(wanted) < len(self.offer.paths):
                with self.offer.paths[int(wanted)].open("rb") as file:
                    while self.request.sendfile(file):  # sends nothing, and raises nothing, once the client is gone
                        file.seek(0)
        except OSError:
            return

    def _line(self) -> str:
        """Return the first line; what comes behind it stays in the socket."""
        line = b""
        while len(line) < _MAX_LINE_BYTES and not line.endswith(b"\n"):
            heard = self.request.recv(1)
            if not heard:
                break
            line += heard
        return line.decode(errors="replace").strip()

    def finish(self) -> None:
        self.offer.release(self.request)


class _HttpHandler(BaseHTTPRequestHandler):
    """``GET /3`` with a ``Range`` gives that range of the third shard, sent by the kernel from the page cache."""

    offer: Offer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.offer.watch(self.connection)

    def finish(self) -> None:
        self.offer.release(self.connection)
        super().finish()

    def do_HEAD(self) -> None:
        """Answer with the size of a shard."""
        if self._is_let_in():
            self._head()

    def do_GET(self) -> None:
        """Answer with a range of a shard, or all of it; with the listing, or the account."""
        if not self._is_let_in():
            return
        if self.path in {"/", "/account"}:
            self._tell(self.offer.listing() if self.path == "/" else self.offer.account())
            return
        found = self._head()
        if found is None:
            return
        path, offset_bytes, size_bytes = found
        self.wfile.flush()
        with path.open("rb") as file:
            self.connection.sendfile(file, offset_bytes, size_bytes)

    def _is_let_in(self) -> bool:
        if self.offer.admits(self.headers.get("Authorization", "").removeprefix("Bearer ")):
            return True
        self.send_error(401)
        return False

    def _tell(self, facts: Mapping[str, Any]) -> None:
        body = json.dumps(facts).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _head(self) -> tuple[Path, int, int] | None:
        wanted = _ADDRESS.match(self.path)
        if wanted is None or int(wanted[2]) >= len(self.offer.paths):
            self.send_error(404)
            return None
        path = self.offer.paths[int(wanted[2])]
        total_bytes = path.stat().st_size
        if wanted[1]:
            _make_resident(path)
            self._tell({"resident_bytes": total_bytes})
            return None
        asked = _RANGE.match(self.headers.get("Range", ""))
        first, last = (int(asked[1]), min(int(asked[2]), total_bytes - 1)) if asked else (0, total_bytes - 1)
        if first > last:
            self.send_error(416)
            return None
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Last-Modified", self.date_time_string(path.stat().st_mtime))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{total_bytes}")
        self.end_headers()
        return path, first, last - first + 1

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name is the standard library's
        """Say nothing: a line per request would be measured."""


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes is no fault of the server."""


class _HttpServer(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes is no fault of the server."""


def _make_resident(path: Path) -> None:
    from toolkit.measurement.caches import make_resident

    make_resident(path)


def start(offer: Offer, host: str = HOST, ports: Sequence[int] = (0, 0, 0)) -> None:
    """Serve on the ports given (TCP, HTTP, Flight; 0 takes a free one), in threads that end with the process.

    Raises
    ------
    OSError
        If a port is in use, or the host is no address of this machine.
    """
    family = {"address_family": socket.AF_INET6 if ":" in host else socket.AF_INET}
    with ExitStack() as started:
        tcp = type("Tcp", (_TcpServer,), family)((host, ports[0]), type("TcpHandler", (_TcpHandler,), {"offer": offer}))
        started.callback(tcp.server_close)
        http = type("Http", (_HttpServer,), family)((host, ports[1]), type("HttpHandler", (_HttpHandler,), {"offer": offer}))
        started.callback(http.server_close)
        flight = flight_server(offer.paths, host, ports[2], offer.token)
        started.pop_all()
    for server in (tcp, http):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    offer.ports.update({"tcp": tcp.server_address[1], "http": http.server_address[1], "flight": flight.port})


def main(arguments: Sequence[str]) -> None:
    """Serve on the ports given, or on free ones, until standard input is closed."""
    ports = [int(port) for port in arguments] or [0, 0, 0]
    offer = Offer(paths=tuple(Path(path) for path in json.loads(sys.stdin.readline())))
    try:
        start(offer, HOST, ports)
    except OSError as fault:  # Arrow's own faults are OSErrors too
        sys.stdout.write(json.dumps({"fault": f"a port of {HOST} is in use: {fault}"}) + "\n")
        sys.stdout.flush()
        return
    sys.stdout.write(json.dumps(offer.ports) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)  # threads that still send to a client that is gone would hold the process


if __name__ == "__main__":
    main(sys.argv[1:])
