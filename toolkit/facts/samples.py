"""One timed window of a measurement: what it took, in what state of the cache, over which wire, and who did what in it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CacheProof", "Latency", "NodeShare", "Sample", "Wire"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheProof:
    """In what state of the page cache a window was taken, and how that is known."""

    intended: str
    """What the plan asked for: ``cold``, ``warm``, ``first_touch`` or ``any``."""
    verdict: str
    """What was proven: ``cold``, ``warm``, ``mixed`` or ``unverified``."""
    evidence: str
    """How: ``read_bytes``, ``cachestat``, ``odirect`` or ``none``."""
    device_bytes: int
    """Bytes that came from the device during the window, as the kernel accounts them to the process."""
    payload_bytes: int
    """Bytes that the window asked for."""

    @property
    def device_share(self) -> float:
        """Device bytes over payload bytes: about 1 is cold, about 0 is warm."""
        return self.device_bytes / self.payload_bytes if self.payload_bytes else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What a window of transfers took beyond its payload: time of each request, processors at both ends, bytes on the link."""

    path: str
    """``loopback`` when the other end has an address of this machine, else ``remote``; ``filesystem`` for a copy to a folder."""
    interface: str
    """Network interface that leads to the other end; empty where none does or it is not known."""
    latency_p50_s: float | None
    """Median time of a request, asked to last byte; None for a stream."""
    latency_p99_s: float | None
    """99th percentile of the same."""
    latency_mean_s: float | None
    """Mean of the same: times the rate of requests it must give the requests in flight (Little's law)."""
    first_byte_p50_s: float | None
    """Median time from asking to the first byte of the answer; None where the client does not show it."""
    first_byte_p99_s: float | None
    """99th percentile of the same."""
    client_cpu_s: float
    """CPU time of this end, user and system."""
    server_cpu_s: float | None
    """CPU time of the other end; None where it does not say."""
    wire_bytes: int | None
    """Bytes over the interface in the direction of the payload, headers and other traffic included; None if not known."""
    retransmit_count: int | None
    """Segments that the sending end sent again; None if not known."""
    retransmit_evidence: str
    """``tcp_info`` (these connections alone), ``snmp`` (all connections of the sender's system) or ``none``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long single operations of a window took, of a closed loop: each member asks again when it has its answer."""

    count: int
    """Operations that were timed."""
    member_count: int
    """Members of the loop: operations in flight at any time."""
    mean_s: float
    """Mean time of an operation."""
    p50_s: float
    """Median."""
    p95_s: float
    """95th percentile."""
    p99_s: float
    """99th percentile; of fewer than a hundred operations the slowest."""
    max_s: float
    """The slowest."""

    def little_residual(self, elapsed_s: float) -> float:
        """Return by which share the operations in flight, by Little's law, differ from the members of the loop.

        Source: Little, "A proof for the queuing formula L = lambda W", Operations Research 9 (1961): rate times mean time
        is the mean number in flight, whatever the distribution. Time between operations makes it negative.
        """
        return self.count * self.mean_s / elapsed_s / self.member_count - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeShare:
    """What one worker did in a window that several hosts took part in at once."""

    worker: str
    """Address of the worker."""
    host: str
    """Name of its host."""
    elapsed_s: float
    """From the common start to when it had done its share."""
    payload_bytes: int
    """Bytes of its share."""
    images: int
    """Images of its share."""
    value: float
    """Its own rate, in the measurement's unit."""
    is_straggler: bool = False
    """Whether it took more than 1.25 times as long as the middle one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One timed window of one invocation (a fresh process)."""

    invocation: int
    """Which invocation the window belongs to."""
    order: int
    """Place of the window in the order in which all windows were run."""
    started_at: str
    """UTC, ISO 8601."""
    elapsed_s: float
    """Wall time of the window."""
    cpu_s: float
    """CPU time of the process in the window, user and system."""
    operations: int
    """Operations in the window (reads, requests, decodes, batches)."""
    payload_bytes: int
    """Payload bytes in the window; 0 where the stage has none."""
    images: int
    """Images in the window; 0 where the stage has none."""
    value: float
    """The measured value in the measurement's unit."""
    cache: CacheProof | None = None
    """State of the page cache, where the stage reads files."""
    wire: Wire | None = None
    """What the transfer took at both ends and between them, where the stage transfers."""
    latency: Latency | None = None
    """How long its operations took one by one, where the stage times them."""
    neighbour_share: float | None = None
    """Share of the machine's processors that others had meanwhile; None where the system does not say."""
    steal_share: float | None = None
    """Share of the machine's processor time that the hypervisor took away; None where the system does not say."""
    io_stall_share: float | None = None
    """Share of the window in which some task of the system waited for a device (pressure stall); None if not known."""
    cpu_stall_share: float | None = None
    """Share of the window in which some task of the system waited for a processor (pressure stall); None if not known."""
    nodes: tuple[NodeShare, ...] = ()
    """Who did what, where several hosts worked at once."""
