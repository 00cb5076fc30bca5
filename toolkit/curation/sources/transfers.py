"""When files were on their way, from the request to the last byte: noted where they are fetched, added up for the batch."""

from __future__ import annotations

import hashlib
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Transfers", "noted_transfers"]

_FOLDER: Final = "transfers"
_SCHEMA: Final = pl.Schema({"start_s": pl.Float64, "elapsed_s": pl.Float64, "size_bytes": pl.Int64})


class Transfers:
    """Files that came, of one piece of work; several threads may fetch."""

    def __init__(self) -> None:
        self._found: list[tuple[float, float, int]] = []
        self._lock = threading.Lock()

    @contextmanager
    def timed(self, target: Path) -> Iterator[None]:
        """Take note of what comes within, if it lies at the target then."""
        start_s, begun_s = time.time(), time.perf_counter()
        yield
        elapsed_s = time.perf_counter() - begun_s
        if target.exists():
            with self._lock:
                self._found.append((start_s, elapsed_s, target.stat().st_size))

    def note(self, staging: Path) -> None:
        """Write what came down beside the other unfinished work, where the batch will look for it."""
        if not self._found:
            return
        frame = pl.DataFrame(self._found, schema=_SCHEMA, orient="row").sort(pl.all())
        name = hashlib.sha256(repr(self._found).encode()).hexdigest()[:32]
        folder = staging / _FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{name}.tmp"
        frame.write_parquet(temporary)
        temporary.replace(folder / f"{name}.parquet")


def noted_transfers(staging: Path) -> pl.DataFrame:
    """Return what came from elsewhere: ``start_s`` (since 1970), ``elapsed_s``, ``size_bytes``."""
    paths = sorted((staging / _FOLDER).glob("*.parquet"))
    return pl.read_parquet(paths, glob=False) if paths else pl.DataFrame(schema=_SCHEMA)
