"""Shards over TCP on this machine: the plain socket as the ceiling, HTTP ranges and Arrow Flight as the stages.

The path is the loopback: what is measured is the cost of the protocol and of both ends' processors, not a network. A
network is never faster than this; it can be any amount slower.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import socket
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from toolkit.errors import BusyError
from toolkit.measurement.server import HOST
from toolkit.measurement.windows import Probe, Tally, run_threads
from toolkit.units import MIB

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolkit.measurement.subject import Subject

__all__ = ["FlightGet", "HttpRange", "ObjectStoreRange", "TcpStream", "TransferServer"]

_RECEIVE_BYTES: Final = MIB
_TIMEOUT_S: Final = 20
_SETTLE_POLL_S: Final = 0.02
"""Twice the resolution of a process's CPU account."""
_SETTLE_POLLS: Final = 10


class TransferServer:
    """The serving process: started on entry, gone on exit.

    Parameters
    ----------
    paths : sequence of Path
        Shards to serve, by their number.
    ports : sequence of int
        Ports for TCP, HTTP and Flight; 0 takes a free one.

    Raises
    ------
    BusyError
        On entry, if a port is in use.
    """

    def __init__(self, paths: Sequence[Path], ports: Sequence[int] = (0, 0, 0)) -> None:
        self.paths = tuple(paths)
        self._ports = ports
        self.port_by_protocol: dict[str, int] = {}

    def __enter__(self) -> Self:
        import psutil

        command = [sys.executable, "-m", "toolkit.measurement.server", *map(str, self._ports)]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(path) for path in self.paths]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"fault": "the serving process ended before it was ready"}')
        if "fault" in answer:
            self.__exit__()
            raise BusyError(f"the transfer cannot be measured: {answer['fault']}")
        self.port_by_protocol = answer
        self._account = psutil.Process(self._process.pid)
        return self

    def cpu_s(self) -> float:
        """Return the CPU time of the serving process so far."""
        times = self._account.cpu_times()
        return float(times.user + times.system)

    def settle(self) -> None:
        """Wait until the serving process rests and the kernel lets go of the pages it sent: else they could not be evicted.

        Raises
        ------
        OSError
            If it goes on working, which would slow down whatever is measured next.
        """
        for _ in range(_SETTLE_POLLS):
            before_s = self.cpu_s()
            time.sleep(_SETTLE_POLL_S)
            if self.cpu_s() == before_s:
                _free_sent_pages()
                return
        raise OSError("the serving process does not come to rest")

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class TcpStream(Probe):
    """A socket that is read into one buffer: what TCP gives when nothing is parsed."""

    def __init__(self, server: TransferServer, source: str, streams: int) -> None:
        self.server = server
        self.wanted = b"memory\n" if source == "memory" else b"0\n"
        self.streams = streams
        self._sockets: list[socket.socket] = []

    def open(self) -> None:
        """Connect."""
        address = (HOST, self.server.port_by_protocol["tcp"])
        self._sockets = [socket.create_connection(address, timeout=_TIMEOUT_S) for _ in range(self.streams)]

    def run(self, deadline_s: float) -> Tally:
        """Ask, and receive until the deadline."""
        return run_threads([partial(self._receive, connection, deadline_s) for connection in self._sockets])

    def _receive(self, connection: socket.socket, deadline_s: float) -> Tally:
        buffer = bytearray(_RECEIVE_BYTES)
        connection.sendall(self.wanted)
        count = size_bytes = 0
        while True:
            size_bytes += connection.recv_into(buffer)
            count += 1
            if time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=size_bytes)

    def close(self) -> None:
        """Hang up."""
        for connection in self._sockets:
            connection.close()
        self._sockets = []
        self.server.settle()


class HttpRange(Probe):
    """Range requests over kept connections, each answer read into one buffer."""

    def __init__(self, subject: Subject, server: TransferServer, range_bytes: int, streams: int) -> None:
        self.subject = subject
        self.server = server
        self.range_bytes = range_bytes
        self.streams = streams
        self._connections: list[http.client.HTTPConnection] = []
        self._ranges = [
            (number, first, min(range_bytes, size - first))
            for number, size in enumerate(path.stat().st_size for path in server.paths)
            for first in range(0, size, range_bytes)
            if min(range_bytes, size - first) == range_bytes or size < range_bytes
        ]
        self._numbers = itertools.count()

    def open(self) -> None:
        """Connect, and make the shards resident."""
        self.subject.warm()
        self._connections = [
            http.client.HTTPConnection(HOST, self.server.port_by_protocol["http"], timeout=_TIMEOUT_S)
            for _ in range(self.streams)
        ]
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
            connection.request("GET", f"/{number}", headers={"Range": f"bytes={first}-{first + length_bytes - 1}"})
            answer = connection.getresponse()
            got_bytes = 0
            while got_bytes < length_bytes:
                read_bytes = answer.readinto(buffer[got_bytes:length_bytes])
                if not read_bytes:
                    raise OSError(f"a range of {length_bytes} bytes ended after {got_bytes}")
                got_bytes += read_bytes
            answer.read()
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

        self.subject.warm()
        address = f"http://{HOST}:{self.server.port_by_protocol['http']}"
        self._store = HTTPStore.from_url(address, client_options={"allow_http": True})

    def run(self, deadline_s: float) -> Tally:
        """Ask for ranges until the deadline."""
        return run_threads([partial(self._get_range, deadline_s)] * self.streams)

    def _get_range(self, deadline_s: float) -> Tally:
        count = size_bytes = 0
        while True:
            number, first, length_bytes = self._ranges[next(self._numbers) % len(self._ranges)]
            size_bytes += len(self._store.get_range(str(number), start=first, length=length_bytes))
            count += 1
            if time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=size_bytes)


class FlightGet(Probe):
    """Arrow Flight ``DoGet``, one row group a call, as record batches of encoded images; one stream."""

    def __init__(self, subject: Subject, server: TransferServer) -> None:
        self.subject = subject
        self.server = server
        self._client: Any = None
        numbers = {path: number for number, path in enumerate(server.paths)}
        self._tickets = [f"{numbers[extent.path]}/{extent.row_group_index}".encode() for extent in subject.extents]
        self._numbers = itertools.count()

    def open(self) -> None:
        """Connect once for all windows, as a reader of many row groups does; make the shards resident."""
        from pyarrow import flight

        self.subject.warm()
        self._client = self._client or flight.connect(f"grpc://{HOST}:{self.server.port_by_protocol['flight']}")

    def run(self, deadline_s: float) -> Tally:
        """Take row groups until the deadline, the last one whole: a stream that is dropped goes on at the other end."""
        from pyarrow import flight

        count = size_bytes = images = 0
        while True:
            ticket = self._tickets[next(self._numbers) % len(self._tickets)]
            for chunk in self._client.do_get(flight.Ticket(ticket)):
                size_bytes += _value_bytes(chunk.data.column(0))
                images += chunk.data.num_rows
            count += 1
            if time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=size_bytes, images=images)


def _free_sent_pages() -> None:
    """Have every processor free the network buffers whose freeing it put off.

    Linux (5.19 and later) hands a received buffer back to the processor that made it, which frees it when it next handles a
    packet. After ``sendfile`` such buffers hold pages of the file, and ``posix_fadvise`` leaves those in the cache. One
    datagram to ourselves on each processor is the packet they wait for.

    Source: Linux ``net/core/skbuff.c``, ``skb_attempt_defer_free``; seen here as pages that no eviction removed.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    allowed = os.sched_getaffinity(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loop, contextlib.suppress(OSError):
        loop.settimeout(1)
        loop.bind((HOST, 0))
        try:
            for processor in allowed:
                os.sched_setaffinity(0, {processor})
                loop.sendto(b"x", loop.getsockname())
                loop.recv(1)
        finally:
            os.sched_setaffinity(0, allowed)


def _value_bytes(payloads: Any) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(pc.binary_length(payloads)).as_py() or 0)
