"""The other ends of transfers: a serving process of our own on this machine, or ``tonnage serve`` on another."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Self

from toolkit.errors import BusyError, TonnageError, UsageError
from toolkit.measurement.server import HOST
from toolkit.measurement.wires import path_to

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolkit.measurement.subject import Subject

__all__ = ["DEFAULT_PORT", "Peer", "RemotePeer", "TransferServer", "split_address"]

DEFAULT_PORT: Final = 8470
"""Where ``tonnage serve`` answers HTTP; TCP and Flight are the next two."""

_TIMEOUT_S: Final = 20
_SETTLE_POLL_S: Final = 0.02
"""Twice the resolution of a process's CPU account."""
_SETTLE_POLLS: Final = 10


class Peer:
    """An end that serves shards by number: where it is, what it lets in, and what it has."""

    host: str = HOST
    token: str = ""
    path: str = "loopback"
    port_by_protocol: dict[str, int]
    shard_sizes: tuple[int, ...] = ()
    """Bytes of each shard that is read."""
    shard_numbers: tuple[int, ...] = ()
    """Their numbers at the server."""

    def http(self) -> http.client.HTTPConnection:
        """Return a connection for HTTP, not yet open."""
        return http.client.HTTPConnection(self.host, self.port_by_protocol["http"], timeout=_TIMEOUT_S)

    @property
    def headers(self) -> dict[str, str]:
        """What each HTTP request shows."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def tcp(self) -> socket.socket:
        """Return a connection for plain TCP on which nothing has been asked yet."""
        return socket.create_connection((self.host, self.port_by_protocol["tcp"]), timeout=_TIMEOUT_S)

    def line(self, wanted: str) -> bytes:
        """Return the line that asks for something over plain TCP."""
        return f"{wanted} {self.token}\n".encode()

    def ask(self, place: str) -> dict[str, Any]:
        """Return a JSON answer of the server.

        Raises
        ------
        TonnageError
            If nothing answers, or something else than ``tonnage serve``.
        UsageError
            If the token is not the server's.
        """
        where = f"{self.host}:{self.port_by_protocol['http']}"
        connection = self.http()
        try:
            connection.request("GET", place, headers=self.headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as fault:
            raise TonnageError(f"nothing answers at '{where}' ({fault}); start 'tonnage serve DATASET' there") from fault
        finally:
            connection.close()
        if answer.status == 401:
            raise UsageError(f"the server at '{where}' wants a token; give the one it printed with --token")
        try:
            facts = json.loads(body) if answer.status == 200 else None
        except ValueError:
            facts = None
        if not isinstance(facts, dict):
            raise TonnageError(f"what answers at '{where}' is not 'tonnage serve' (status {answer.status} for '{place}')")
        return facts

    def account(self) -> dict[str, Any]:
        """Return what the server says of its CPU time and of what it sent again."""
        return self.ask("/account")

    def row_group_tickets(self, subject: Subject) -> list[bytes]:
        """Return Flight tickets of the row groups that are read."""
        raise NotImplementedError

    def warm(self, subject: Subject) -> None:
        """Make what is read resident at the server, so that its disk is not in the rate."""
        raise NotImplementedError

    def settle(self) -> None:
        """Wait until the server rests, where it shares this machine."""


class TransferServer(Peer):
    """A serving process on this machine: started on entry, gone on exit.

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
        self.shard_sizes = tuple(path.stat().st_size for path in paths)
        self.shard_numbers = tuple(range(len(self.paths)))
        self._ports = ports
        self.port_by_protocol = {}

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

    def row_group_tickets(self, subject: Subject) -> list[bytes]:
        """Return tickets of the subject's row groups."""
        numbers = {path: number for number, path in enumerate(self.paths)}
        return [f"{numbers[extent.path]}/{extent.row_group_index}".encode() for extent in subject.extents]

    def warm(self, subject: Subject) -> None:
        """Make the row groups resident: the cache is the same one."""
        subject.warm()

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


class RemotePeer(Peer):
    """``tonnage serve`` at an address.

    Parameters
    ----------
    address : str
        ``host:port``, or a host alone.
    token : str
        What the server printed.
    limit_bytes : int
        Whole shards up to this size in all are read, at least one.
    """

    def __init__(self, address: str, token: str = "", limit_bytes: int = 2**63) -> None:
        self.host, port = split_address(address)
        self.token = token
        self.port_by_protocol = {"http": port}
        found = self.ask("/")
        if found.get("serves") != "tonnage" or not found.get("shards"):
            raise TonnageError(f"what answers at '{address}' serves no dataset of Tonnage")
        self.port_by_protocol = found["ports"] | {"http": port}
        self.about = found["about"]
        self.path = path_to(self.host)
        taken_bytes, chosen = 0, list[int]()
        for number, shard in enumerate(found["shards"]):
            if chosen and taken_bytes + shard["size_bytes"] > limit_bytes:
                break
            chosen.append(number)
            taken_bytes += shard["size_bytes"]
        self.shard_numbers = tuple(chosen)
        self.shard_sizes = tuple(found["shards"][number]["size_bytes"] for number in chosen)
        self._row_group_counts = [found["shards"][number]["row_group_count"] for number in chosen]

    def row_group_tickets(self, subject: Subject) -> list[bytes]:  # noqa: ARG002 - what is served there, not what is here
        """Return tickets of the row groups of the shards that are read."""
        pairs = zip(self.shard_numbers, self._row_group_counts, strict=True)
        return [f"{number}/{group}".encode() for number, count in pairs for group in range(count)]

    def warm(self, subject: Subject) -> None:  # noqa: ARG002 - the cache is the server's
        """Have the server read the shards into its page cache."""
        for number in self.shard_numbers:
            self.ask(f"/warm/{number}")


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of an address.

    Raises
    ------
    UsageError
        If it is neither ``host`` nor ``host:port``.

    Examples
    --------
    >>> split_address("10.0.0.7:9000")
    ('10.0.0.7', 9000)
    >>> split_address("[fe80::1]:9000"), split_address("nas")
    (('fe80::1', 9000), ('nas', 8470))
    """
    bare = address.strip("[]")
    if ":" in bare and _is_ip(bare):
        return bare, DEFAULT_PORT
    host, colon, port = address.rpartition(":") if ":" in address else (address, "", "")
    is_port = not colon or (port.isdigit() and 0 < int(port) < 65_536)
    is_host = bool(host.strip("[]")) and (":" not in host or (host.startswith("[") and _is_ip(host.strip("[]"))))
    if not is_host or not is_port or "/" in address:
        raise UsageError(f"'{address}' is no address of a server; write host:port, as in nas:{DEFAULT_PORT}")
    return host.strip("[]"), int(port) if colon else DEFAULT_PORT


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


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
