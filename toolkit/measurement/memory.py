"""The most memory that a stretch of work held: of this process, and of a CUDA device where PyTorch uses one."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Final

__all__ = ["PeakMemory"]

_STATUS: Final = Path("/proc/self/status")
_RESET: Final = Path("/proc/self/clear_refs")


class PeakMemory:
    """Watch the peak of memory from ``reset`` on; what a system does not tell is left out."""

    def __init__(self) -> None:
        torch: Any = sys.modules.get("torch")
        self._torch: Any = torch if torch is not None and torch.cuda.is_available() else None
        self._is_reset = False

    @property
    def device(self) -> str:
        """What PyTorch computes on, or ``cpu``."""
        return str(self._torch.cuda.get_device_name()) if self._torch is not None else "cpu"

    def reset(self) -> None:
        """Forget the peak so far.

        Source: Linux, Documentation/filesystems/proc.rst: writing 5 to clear_refs resets the peak resident set size.
        """
        if self._torch is not None:
            self._torch.cuda.reset_peak_memory_stats()
        try:
            _RESET.write_text("5", encoding="ascii")
            self._is_reset = True
        except OSError:
            self._is_reset = False

    def found_bytes(self) -> dict[str, int]:
        """Return peaks by memory: ``process`` (its whole resident set, libraries included) and ``device``."""
        found = {}
        try:
            peak = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"))
        except OSError:
            peak = None
        if peak is not None and self._is_reset:
            found["process"] = int(peak[1]) * 1024
        if self._torch is not None:
            found["device"] = int(self._torch.cuda.max_memory_allocated())
        return found
