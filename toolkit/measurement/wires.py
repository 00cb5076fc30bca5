"""What goes over a network interface, what TCP had to send again, and whose address is whose: the kernel's own counters.

Where a system does not tell, the answer is None, never 0.
"""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "Meter",
    "interface_facts",
    "interface_to",
    "path_to",
    "quantile",
    "resent_segments",
    "resent_system_segments",
    "wire_bytes",
]

_TOTAL_RETRANSMITS_OFFSET_BYTES: Final = 100
"""Place of ``tcpi_total_retrans`` in ``struct tcp_info``. Source: Linux ``include/uapi/linux/tcp.h``, unchanged since 2.6."""
_NET: Final = Path("/sys/class/net")


def resent_segments(connection: socket.socket) -> int | None:
    """Return how many segments this end of a TCP connection has sent again so far; None where the kernel does not say."""
    option = getattr(socket, "TCP_INFO", None)
    if option is None:
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, option, _TOTAL_RETRANSMITS_OFFSET_BYTES + 4)
    except OSError:
        return None
    if len(info) < _TOTAL_RETRANSMITS_OFFSET_BYTES + 4:
        return None
    return int(struct.unpack_from("=I", info, _TOTAL_RETRANSMITS_OFFSET_BYTES)[0])


def resent_system_segments() -> int | None:
    """Return how many segments all TCP connections of this system (or network namespace) have sent again; None if not known."""
    try:
        lines = [line.split() for line in Path("/proc/net/snmp").read_text(encoding="ascii").splitlines() if line[:4] == "Tcp:"]
    except OSError:
        return None
    return int(lines[1][lines[0].index("RetransSegs")]) if len(lines) == 2 and "RetransSegs" in lines[0] else None


def path_to(host: str) -> str:
    """Return ``loopback`` when a host's address is one of this machine's own, else ``remote``.

    Examples
    --------
    >>> path_to("127.0.0.1")
    'loopback'
    """
    import psutil

    try:
        address = str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        return "remote"
    own = {entry.address.split("%")[0] for entries in psutil.net_if_addrs().values() for entry in entries}
    return "loopback" if address.startswith("127.") or address in own | {"::1"} else "remote"


def interface_to(host: str) -> str:
    """Return the network interface through which a host is reached; an empty text if that cannot be told.

    No packet is sent: a datagram socket is pointed at the host, and the system says which address it would use.
    """
    import psutil

    try:
        family, _, _, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as pointed:
            pointed.connect(address)
            own = str(pointed.getsockname()[0])
    except OSError:
        return ""
    names = [name for name, entries in psutil.net_if_addrs().items() if own in {e.address.split("%")[0] for e in entries}]
    return names[0] if names else "lo" if own.startswith("127.") else ""


def interface_facts(interface: str) -> dict[str, Any]:
    """Return what an interface says of itself: rate, MTU, and whether a device stands behind it."""
    import psutil

    found = psutil.net_if_stats().get(interface)
    if found is None:
        return {}
    facts: dict[str, Any] = {"name": interface, "mtu_bytes": found.mtu}
    if found.speed:
        facts["stated_bits_per_s"] = found.speed * 1_000_000
    if _NET.exists():
        facts["is_virtual"] = not (_NET / interface / "device").exists()
    return facts


def wire_bytes(interface: str) -> tuple[int, int] | None:
    """Return bytes received and sent over an interface so far, headers included; None where the system does not say."""
    import psutil

    found = psutil.net_io_counters(pernic=True).get(interface)
    return None if found is None else (int(found.bytes_recv), int(found.bytes_sent))


class Meter:
    """Counts what a window of transfers takes: begun before its first segment, read after its last.

    Parameters
    ----------
    host : str
        The other end.
    account : callable, optional
        Returns what the other end says of itself: ``cpu_s``, ``retransmit_count``, ``system_retransmit_count``.
    is_upload : bool
        Whether the payload goes from here to there.
    shows_sockets : bool
        Whether the connections are among those that the other end counts one by one.
    """

    def __init__(
        self,
        host: str,
        account: Callable[[], Mapping[str, Any]] | None = None,
        *,
        is_upload: bool = False,
        shows_sockets: bool = True,
    ) -> None:
        self.path = path_to(host)
        self.interface = interface_to(host)
        self.account = account
        self.is_upload = is_upload
        self.shows_sockets = shows_sockets
        self._latencies_s: list[float] = []
        self._first_bytes_s: list[float] = []
        self._before: dict[str, Any] | None = None

    def begin(self) -> None:
        """Take the counters before the first segment of a window; a later segment of the same window changes nothing."""
        if self._before is None:
            self._latencies_s, self._first_bytes_s = [], []
            self._before = self._counters()

    def note(self, asked_s: float, first_byte_s: float | None = None) -> None:
        """Keep the times of one request that has just ended, from when it was asked; safe from several threads."""
        self._latencies_s.append(time.perf_counter() - asked_s)
        if first_byte_s is not None:
            self._first_bytes_s.append(first_byte_s - asked_s)

    @property
    def times_s(self) -> list[float]:
        """Times of the window's single requests so far."""
        return self._latencies_s

    def end(self) -> dict[str, Any] | None:
        """Return the fields of a ``toolkit.facts.Wire``, and be ready for the next window; None if it was never begun."""
        before, self._before = self._before, None
        if before is None:
            return None
        after = self._counters()
        count, evidence = self._retransmits(before, after)
        return {
            "path": self.path,
            "interface": self.interface,
            "latency_p50_s": quantile(self._latencies_s, 0.5),
            "latency_p99_s": quantile(self._latencies_s, 0.99),
            "latency_mean_s": float(np.mean(self._latencies_s)) if self._latencies_s else None,
            "first_byte_p50_s": quantile(self._first_bytes_s, 0.5),
            "first_byte_p99_s": quantile(self._first_bytes_s, 0.99),
            "client_cpu_s": after["own_cpu_s"] - before["own_cpu_s"],
            "server_cpu_s": _difference(before, after, "cpu_s"),
            "wire_bytes": _difference(before, after, "wire_bytes"),
            "retransmit_count": count,
            "retransmit_evidence": evidence,
        }

    def _counters(self) -> dict[str, Any]:
        theirs = dict(self.account()) if self.account is not None else {}
        wire = wire_bytes(self.interface)
        return theirs | {
            "own_cpu_s": time.process_time(),
            "wire_bytes": None if wire is None else wire[1 if self.is_upload else 0],
            "own_retransmit_count": resent_system_segments(),
        }

    def _retransmits(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[int | None, str]:
        """Return the segments that the sending end sent again, by the most exact evidence there is."""
        exact = ("retransmit_count", "tcp_info")
        theirs = (exact, ("system_retransmit_count", "snmp")) if self.shows_sockets else (("system_retransmit_count", "snmp"),)
        for name, evidence in (("own_retransmit_count", "snmp"),) if self.is_upload else theirs:
            count = _difference(before, after, name)
            if count is not None:
                return int(count), evidence
        return None, "none"


def _difference(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> Any:
    old, new = before.get(name), after.get(name)
    return None if old is None or new is None else new - old


def quantile(values: list[float], share: float) -> float | None:
    """Return a quantile of some values, None of none."""
    return float(np.quantile(values, share)) if values else None
