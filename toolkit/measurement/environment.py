"""The machine and the software a number was taken on; what a system does not tell is left out, never guessed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from toolkit.facts import Environment
from toolkit.measurement import cgroups
from toolkit.measurement.caches import filesystem_of
from toolkit.units import KIB

__all__ = ["busy_and_total_s", "core_count", "environment_of", "memory_bytes"]

_PACKAGES: Final = (
    "tonnage", "numpy", "polars", "pyarrow", "pillow", "simplejpeg", "dask", "distributed", "deltalake", "obstore", "torch",
)  # fmt: skip


def environment_of(folder: Path) -> Environment:
    """Return the environment of this process, and of the filesystem and device that hold a folder."""
    facts: dict[str, Any] = {
        "cpu_model": _cpu_model(),
        "core_count": core_count(),
        "system_core_count": os.cpu_count(),
        "l3_cache_bytes": _l3_cache_bytes(),
        "cpu_governor": _text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "memory_bytes": memory_bytes(),
        "memory_limit_bytes": cgroups.memory_limit_bytes(),
        "cpu_limit_count": cgroups.cpu_limit_count(),
        "io_limits": cgroups.io_limits(),
        "system": platform.system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "filesystem": filesystem_of(folder),
        "device": _device(folder),
        "load_1min_count": _load(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }
    return Environment(host=_host_name(), facts={name: value for name, value in facts.items() if value not in (None, "", {})})


def core_count() -> int:
    """Return the cores this process may use: its affinity, capped by the quotas of its control groups."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = cgroups.cpu_limit_count()
    return cores if limit is None else max(1, min(cores, int(limit)))


def busy_and_total_s() -> tuple[float, float] | None:
    """Return busy and total processor seconds of the system so far, over all cores; None where the system does not say.

    Time that a hypervisor took away (steal) counts as busy: another had it.
    """
    found = re.match(r"cpu +(.*)", _text("/proc/stat"))
    if not found:
        return None
    ticks = [int(value) for value in found[1].split()[:8]]
    rate = os.sysconf("SC_CLK_TCK")
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / rate, sum(ticks) / rate


def _host_name() -> str:
    """Return a name that tells machines apart and says nothing of their owner."""
    token = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
    return f"{platform.system().lower()}-{platform.machine()}-{token}"


def _cpu_model() -> str:
    found = re.search(r"^model name\s*: (.*)$", _text("/proc/cpuinfo"), re.MULTILINE)
    return found[1] if found else platform.processor()


def _l3_cache_bytes() -> int | None:
    found = re.match(r"(\d+)K", _text("/sys/devices/system/cpu/cpu0/cache/index3/size"))
    return int(found[1]) * KIB if found else None


def memory_bytes() -> int:
    """Return the memory of this machine."""
    import psutil

    return int(psutil.virtual_memory().total)


def _device(folder: Path) -> dict[str, Any]:
    """Return what the block device under a folder says of itself; nothing for memory and network filesystems."""
    number = folder.stat().st_dev
    if not hasattr(os, "major"):
        return {}
    place = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if not place.exists():
        return {}
    real = place.resolve()
    queue = real / "queue" if (real / "queue").exists() else real.parent / "queue"
    ahead_kib = _text(queue / "read_ahead_kb")
    return {
        "name": real.name,
        "is_rotational": _text(queue / "rotational") == "1",
        "scheduler": _text(queue / "scheduler"),
        "read_ahead_bytes": int(ahead_kib) * KIB if ahead_kib.isdigit() else None,
    }


def _load() -> float | None:
    with contextlib.suppress(OSError, AttributeError):
        return round(os.getloadavg()[0], 2)
    return None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _text(place: str | Path) -> str:
    """Return what a file of the system says, stripped; nothing when it is not there."""
    try:
        return Path(place).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
