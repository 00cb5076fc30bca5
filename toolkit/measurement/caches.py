"""The page cache: how a file is evicted from it, and how it is proven where bytes came from.

``posix_fadvise(DONTNEED)`` returns 0 and evicts nothing when pages are dirty, when anyone has the file mapped, or when the
filesystem *is* memory (tmpfs). So its success proves nothing, and residency calls (``mincore``) say "resident" to those
who neither own nor may write a file. What the kernel accounts to the process as read from a device, beside the bytes
that were asked for, is the proof used here. It covers this kernel's page cache alone: a hypervisor's or an array's cache
below it is out of sight, so "cold" means cold for this kernel.

Source: Linux ``Documentation/filesystems/proc.rst`` (``/proc/<pid>/io``: ``read_bytes``), ``posix_fadvise(2)``.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolkit.facts import CacheProof
from toolkit.units import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["can_prove", "device_read_bytes", "evict", "filesystem_of", "make_resident", "opens_direct", "proof_of"]

COLD_SHARE: Final = 0.95
"""Device bytes over payload from which a window was cold."""
WARM_SHARE: Final = 0.02
"""Device bytes over payload up to which a window was warm."""

_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_CHUNK_BYTES: Final = 4 * MIB
_PROOF_BYTES: Final = MIB
_UNMAP_WAIT_S: Final = 0.1
_UNMAP_POLL_S: Final = 0.002

_synced: set[tuple[int, int, int, int]] = set()
"""Files known to have no dirty pages, by device, inode, size and time of change: shards never change, so one sync is enough."""


def device_read_bytes(process: int | str = "self") -> int | None:
    """Return the bytes that the kernel has read from devices for a process so far; None where it does not say."""
    try:
        text = Path(f"/proc/{process}/io").read_bytes()
    except OSError:
        return None
    found = re.search(rb"^read_bytes: (\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None


def evict(paths: Iterable[Path]) -> None:
    """Ask the kernel to drop files from the page cache; whether it did is for ``proof_of`` to say.

    Dirty pages are written first, and maps of this process that are about to go are waited for: both would keep pages.
    Nothing happens where the system has no such call.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    chosen = list(paths)
    _await_unmapped({path.stat().st_ino for path in chosen})
    for path in chosen:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            facts = os.fstat(descriptor)
            identity = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
            if identity not in _synced:
                os.fsync(descriptor)
                _synced.add(identity)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def _await_unmapped(inodes: set[int]) -> None:
    """Wait a moment for maps of some files to go: Arrow's threads let go of a map shortly after its last reader has closed."""
    deadline_s = time.monotonic() + _UNMAP_WAIT_S
    while time.monotonic() < deadline_s:
        try:
            lines = Path("/proc/self/maps").read_bytes().splitlines()
        except OSError:
            return
        if not any(int(line.split(maxsplit=5)[4]) in inodes for line in lines):
            return
        time.sleep(_UNMAP_POLL_S)


def make_resident(path: Path, offset_bytes: int = 0, size_bytes: int | None = None) -> None:
    """Read a range of a file into the page cache."""
    buffer = bytearray(_CHUNK_BYTES)
    with path.open("rb", buffering=0) as file:
        file.seek(offset_bytes)
        left_bytes = path.stat().st_size - offset_bytes if size_bytes is None else size_bytes
        while left_bytes > 0:
            got_bytes = file.readinto(memoryview(buffer)[: min(left_bytes, _CHUNK_BYTES)])
            if not got_bytes:
                break
            left_bytes -= got_bytes


def filesystem_of(path: Path) -> str:
    """Return the kind of filesystem that holds a path (``ext4``, ``tmpfs``, ``nfs4``); ``"unknown"`` where that is not known.

    The longest mount point that holds the path decides; device numbers would not, as btrfs and overlays invent theirs.
    """
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return "unknown"
    place = path.resolve()
    best, kind = "", "unknown"
    for line in lines:
        fields, _, rest = line.partition(" - ")
        mount = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), fields.split(" ")[4])
        if len(mount) >= len(best) and place.is_relative_to(mount):
            best, kind = mount, rest.split(" ")[0]
    return kind


def can_prove(folder: Path) -> bool:
    """Return whether the state of the cache can be known in a folder, by trying: write, evict, read, and look at the account.

    False on tmpfs, on filesystems whose reads the kernel does not account (some FUSE and network filesystems), on systems
    without ``/proc/<pid>/io``, and in folders that cannot be written.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".cache-test-") as scratch:
            scratch.write(os.urandom(_PROOF_BYTES))
            scratch.flush()
            os.fsync(scratch.fileno())
            path = Path(scratch.name)
            evict([path])
            before = device_read_bytes()
            make_resident(path)
            after = device_read_bytes()
    except OSError:
        return False
    return before is not None and after is not None and after - before >= COLD_SHARE * _PROOF_BYTES


def proof_of(
    intended: str, device_bytes: int | None, payload_bytes: int, *, is_provable: bool, evidence: str = "read_bytes"
) -> CacheProof:
    """Return in what state of the cache a window was taken, and how that is known.

    Parameters
    ----------
    intended : str
        ``cold``, ``warm`` or ``any``.
    device_bytes : int or None
        Bytes that came from the device, as the kernel accounts them.
    payload_bytes : int
        Bytes that were asked for.
    is_provable : bool
        Whether the account can be believed for these files (see ``can_prove``).
    evidence : str
        ``read_bytes``, or ``odirect`` for reads that bypass the cache.

    Examples
    --------
    >>> proof_of("cold", 1000, 1000, is_provable=True).verdict, proof_of("cold", 0, 1000, is_provable=True).verdict
    ('cold', 'warm')
    >>> proof_of("cold", 500, 1000, is_provable=True).verdict, proof_of("cold", 1000, 1000, is_provable=False).verdict
    ('mixed', 'unverified')
    """
    if device_bytes is None or not is_provable or payload_bytes <= 0:
        verdict, evidence = "unverified", "none"
    elif device_bytes >= COLD_SHARE * payload_bytes:
        verdict = "cold"
    elif device_bytes <= WARM_SHARE * payload_bytes:
        verdict = "warm"
    else:
        verdict = "mixed"
    return CacheProof(
        intended=intended, verdict=verdict, evidence=evidence, device_bytes=device_bytes or 0, payload_bytes=max(payload_bytes, 0)
    )


def opens_direct(path: Path) -> bool:
    """Return whether reads of a file can bypass the page cache: one transfer is tried, as ``open`` alone may say yes."""
    import mmap

    flag = getattr(os, "O_DIRECT", 0)
    if not flag or filesystem_of(path) in _IN_MEMORY:
        return False
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | flag)
        try:
            with mmap.mmap(-1, mmap.PAGESIZE) as aligned:
                return os.preadv(descriptor, [aligned], 0) > 0
        finally:
            os.close(descriptor)
    return False
