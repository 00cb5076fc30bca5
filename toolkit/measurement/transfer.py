"""Shards over TCP: the plain socket as the ceiling, HTTP ranges and an object store's client as the stages.

The other end is a serving process on this machine, and then what is measured is the cost of the protocol and of both
ends' processors, not a network; or it is ``tonnage serve`` on another host, and the link between is in the figure.
"""

from __future__ import annotations

import itertools
import select
import socket
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from toolkit.measurement.peers import TransferServer
from toolkit.measurement.windows import Probe, Tally, run_threads
from toolkit.measurement.wires import Meter
from toolkit.units import MIB

if TYPE_CHECKING:
    import http.client
    from collections.abc import Sequence

    from toolkit.measurement.peers import Peer
    from toolkit.measurement.subject import Subject

__all__ = ["HttpRange", "ObjectStoreRange", "RoundTrip", "TcpStream", "TransferProbe", "TransferServer"]

_RECEIVE_BYTES: Final = MIB
_SLOW_START_S: Final = 0.2
"""What a stream over a network is read before its window, so that TCP's slow start is not in the rate (iperf3: ``--omit``)."""


class TransferProbe(Probe):
    """What all transfers share: the other end, and what each window took there, here and between."""

    def __init__(self, server: Peer, *, shows_sockets: bool = True) -> None:
        self.server = server
        self.meter = Meter(server.host, server.account, shows_sockets=shows_sockets)

    def prepare(self) -> None:
        """Take the counters."""
        self.meter.begin()

    def wire(self) -> dict[str, Any] | None:
        """Return what the window took."""
        return self.meter.end()

    def times_s(self) -> Sequence[float]:
        """Return the times of the window's requests; none of a stream."""
        return self.meter.times_s


class TcpStream(TransferProbe):
    """A socket that is read into one buffer: what TCP gives when nothing is parsed."""

    def __init__(self, server: Peer, source: str, streams: int) -> None:
        super().__init__(server)
        self.wanted = "memory" if source == "memory" else str(server.shard_numbers[0])
        self.streams = streams
        self._sockets: list[socket.socket] = []
        self._is_flowing = False

    def open(self) -> None:
        """Connect."""
        self._sockets = [self.server.tcp() for _ in range(self.streams)]
        self._is_flowing = False

    def prepare(self) -> None:
        """Over a network, ask and read past the slow start, up to where nothing more has arrived yet."""
        if self.server.path != "remote":
            super().prepare()
            return
        if not self._is_flowing:
            for connection in self._sockets:
                connection.sendall(self.server.line(self.wanted))
            self._is_flowing = True
            _drain(self._sockets, time.perf_counter() + _SLOW_START_S)
        counters = threading.Thread(target=self.meter.begin, daemon=True)  # asks the server, while the stream goes on
        counters.start()
        while counters.is_alive():
            _drain(self._sockets, time.perf_counter())

    def run(self, deadline_s: float) -> Tally:
        """Receive until the deadline."""
        return run_threads([partial(self._receive, connection, deadline_s) for connection in self._sockets])

    def _receive(self, connection: socket.socket, deadline_s: float) -> Tally:
        buffer = bytearray(_RECEIVE_BYTES)
        if not self._is_flowing:
            connection.sendall(self.server.line(self.wanted))
        count = size_bytes = 0
        while True:
            received_bytes = connection.recv_into(buffer)
            if not received_bytes:
                raise OSError("the other end hung up")
            size_bytes += received_bytes
            count += 1
            if time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=size_bytes)

    def close(self) -> None:
        """Hang up."""
        for connection in self._sockets:
            connection.close()
        self._sockets = []
        self.server.settle()


def _drain(connections: list[socket.socket], until_s: float) -> None:
    """Read what arrives until a time, and then on until nothing waits to be read, so that a window starts with none in hand."""
    buffer = bytearray(_RECEIVE_BYTES)
    while True:
        now_s = time.perf_counter()
        ready, _, _ = select.select(connections, [], [], max(0.0, until_s - now_s))
        if now_s >= until_s and (not ready or now_s >= until_s + _SLOW_START_S):
            return
        for connection in ready:
            if not connection.recv_into(buffer):
                raise OSError("the other end hung up")


class RoundTrip(TransferProbe):
    """One byte asked for and received, one after the other: what a request costs when its payload costs nothing."""

    def __init__(self, server: Peer, protocol: str) -> None:
        super().__init__(server)
        self.protocol = protocol
        self._socket: socket.socket | None = None
        self._http: http.client.HTTPConnection | None = None

    def open(self) -> None:
        """Connect."""
        if self.protocol == "tcp":
            self._socket = self.server.tcp()
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(self.server.line("echo"))
        else:
            self._http = self.server.http()
            self._http.connect()

    def run(self, deadline_s: float) -> Tally:
        """Ask again and again until the deadline."""
        count = 0
        while True:
            asked_s = time.perf_counter()
            self._ask()
            self.meter.note(asked_s)
            count += 1
            if time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=count)

    def _ask(self) -> None:
        if self._socket is not None:
            self._socket.sendall(b"x")
            got = self._socket.recv(1)
        else:
            assert self._http is not None
            headers = self.server.headers | {"Range": "bytes=0-0"}
            self._http.request("GET", f"/{self.server.shard_numbers[0]}", headers=headers)
            got = self._http.getresponse().read()
        if len(got) != 1:
            raise OSError(f"a byte was asked for and {len(got)} came: the token may be wrong, or the other end hung up")

    def close(self) -> None:
        """Hang up."""
        for connection in (self._socket, self._http):
            if connection is not None:
                connection.close()
        self._socket = self._http = None
        self.server.settle()


class HttpRange(TransferProbe):
    """Range requests over kept connections, each answer read into one buffer."""

    def __init__(self, subject: Subject, server: Peer, range_bytes: int, streams: int) -> None:
        super().__init__(server)
        self.subject = subject
        self.range_bytes = range_bytes
        self.member_count = streams
        self._connections: list[http.client.HTTPConnection] = []
        self._ranges = [
            (number, first, min(range_bytes, size - first))
            for number, size in zip(server.shard_numbers, server.shard_sizes, strict=True)
            for first in range(0, size, range_bytes)
            if min(range_bytes, size - first) == range_bytes or size < range_bytes
        ]
        self._numbers = itertools.count()

    def open(self) -> None:
        """Connect, and make the shards resident where they are served."""
        self.server.warm(self.subject)
        self._connections = [self.server.http() for _ in range(self.member_count)]
        for connection in self._connections:
            connection.connect()

    def run(self, deadline_s: float) -> Tally:
        """Ask for ranges until the deadline."""
        return run_threads([partial(self._get, connection, deadline_s) for connection in self._connections])

    def _get(self, connection: http.client.HTTPConnection, deadline_s: float) -> Tally:
        buffer = memoryview(bytearray(self.range_bytes))
        count = size_bytes = 0
        while True:
            number, first, length_bytes = self._ranges[next(self._numbers) % len(self._ranges)]
            headers = self.server.headers | {"Range": f"bytes={first}-{first + length_bytes - 1}"}
            asked_s = time.perf_counter()
            connection.request("GET", f"/{number}", headers=headers)
            answer = connection.getresponse()
            first_byte_s = time.perf_counter()
            got_bytes = 0
            while got_bytes < length_bytes:
                read_bytes = answer.readinto(buffer[got_bytes:length_bytes])
                if not read_bytes:
                    raise OSError(f"a range of {length_bytes} bytes ended after {got_bytes}")
                got_bytes += read_bytes
            answer.read()
            self.meter.note(asked_s, first_byte_s)
            count, size_bytes = count + 1, size_bytes + got_bytes
            if time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=size_bytes)

    def close(self) -> None:
        """Hang up."""
        for connection in self._connections:
            connection.close()
        self._connections = []
        self.server.settle()


class ObjectStoreRange(HttpRange):
    """The same ranges through obstore, the client that reads object stores; each answer is a buffer of its own."""

    def open(self) -> None:
        """Make a store of the server, and the shards resident."""
        from obstore.store import HTTPStore

        self.server.warm(self.subject)
        host = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
        options: Any = {"allow_http": True} | ({"default_headers": self.server.headers} if self.server.headers else {})
        self._store = HTTPStore.from_url(f"http://{host}:{self.server.port_by_protocol['http']}", client_options=options)

    def run(self, deadline_s: float) -> Tally:
        """Ask for ranges until the deadline."""
        return run_threads([partial(self._get_range, deadline_s)] * self.member_count)

    def _get_range(self, deadline_s: float) -> Tally:
        count = size_bytes = 0
        while True:
            number, first, length_bytes = self._ranges[next(self._numbers) % len(self._ranges)]
            asked_s = time.perf_counter()
            size_bytes += len(self._store.get_range(str(number), start=first, length=length_bytes))
            self.meter.note(asked_s)
            count += 1
            if time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=size_bytes)
