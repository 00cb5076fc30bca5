"""How a worker reaches what does not lie on its disk: manners of downloading, options of object stores. Travels with units."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Access"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a worker needs to fetch remote sources; never written to disk."""

    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Options of the object store by name (endpoint, region, keys); what is not named comes from the environment."""
    timeout_s: float = 10
    """Longest wait for a connection, and for the next bytes."""
    deadline_s: float = 120
    """Longest time for one file over all of its tries."""
    retry_count: int = 3
    """Further tries after a fault that may pass."""
    per_host_count: int = 8
    """Connections to one host at once: of all processes that share ``turns``; without it, of one process."""
    turns: str = ""
    """Folder on this machine by which processes share the connections to a host."""
    concurrent_count: int = 16
    """Files on their way at once, per task."""
    max_bytes: int = 256 * 2**20
    """A larger file is refused, at the latest when so much of it has come."""
    respect_robots: bool = True
    """Whether ``robots.txt`` and ``X-Robots-Tag`` are obeyed."""
