"""What control groups allow this process: of memory, processors and devices, by its own group and every one around it.

A limit may stand on any group above one's own, so the least of the chain holds. Both versions are read, as hybrids exist.

Source: Linux ``Documentation/admin-guide/cgroup-v2.rst`` and ``cgroup-v1/``; ``cgroups(7)`` for ``/proc/self/cgroup``.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["cpu_limit_count", "io_limits", "memory_limit_bytes"]

ROOT: Final = Path("/sys/fs/cgroup")
OWN: Final = Path("/proc/self/cgroup")

_UNLIMITED_BYTES: Final = 2**60
"""Limits above this are how version 1 control groups say that there is none."""


def memory_limit_bytes(root: Path = ROOT, own: Path = OWN) -> int | None:
    """Return the memory that this process may have; None where nothing limits it."""
    texts = [_text(folder / "memory.max") for folder in _unified(root, own)]
    texts += [_text(folder / "memory.limit_in_bytes") for folder in _chain(root, own, "memory")]
    limits = [int(text) for text in texts if text.isdigit() and int(text) < _UNLIMITED_BYTES]
    return min(limits, default=None)


def cpu_limit_count(root: Path = ROOT, own: Path = OWN) -> float | None:
    """Return the processors' worth of time that this process may have, a fraction too; None where nothing limits it."""
    quotas = [_text(folder / "cpu.max").split() for folder in _unified(root, own)]
    quotas += [[_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")] for folder in _chain(root, own, "cpu")]
    pairs = [(int(quota[0]), int(quota[1])) for quota in quotas if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit()]
    return min((quota_us / period_us for quota_us, period_us in pairs if quota_us > 0 and period_us > 0), default=None)


def io_limits(root: Path = ROOT, own: Path = OWN) -> dict[str, str]:
    """Return what limits reads and writes, by the device's number: the text of ``io.max`` of the innermost group that has one."""
    found: dict[str, str] = {}
    for folder in _unified(root, own):
        for line in _text(folder / "io.max").splitlines():
            device, _, limits = line.partition(" ")
            kept = " ".join(limit for limit in limits.split() if not limit.endswith("=max"))
            if kept:
                found.setdefault(device, kept)
    return found


def _unified(root: Path, own: Path) -> Iterator[Path]:
    """Yield this process's group of version 2 and those around it, innermost first."""
    path = next((line[3:] for line in _text(own).splitlines() if line.startswith("0::")), "/")
    for mount in (root, root / "unified"):  # alone, or beside version 1
        yield from _upwards(mount, path)


def _chain(root: Path, own: Path, controller: str) -> Iterator[Path]:
    """Yield this process's group of a controller of version 1 and those around it, innermost first."""
    lines = [line.split(":", 2) for line in _text(own).splitlines()]
    path = next((line[2] for line in lines if len(line) == 3 and controller in line[1].split(",")), "/")
    yield from _upwards(root / controller, path)


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """Yield the folders of a group and of those around it; in a container the path may be the host's, and is not there."""
    place = PurePosixPath(path.lstrip("/"))
    for part in (place, *place.parents):
        if ".." not in part.parts:
            yield mount / part


def _text(place: Path) -> str:
    try:
        return place.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
