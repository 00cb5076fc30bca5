"""A shard kept open: its footer read once, its bytes read at any place by any thread."""

from __future__ import annotations

import os
import threading
import weakref
from itertools import accumulate
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from toolkit.dataset.object_paths import ObjectPath, readable

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

__all__ = ["ShardFile"]


class ShardFile:
    """An open shard; the file is closed when nobody holds this any more.

    Parameters
    ----------
    path : Path or ObjectPath
        The shard.

    Raises
    ------
    OSError, pyarrow.ArrowException
        If it cannot be read.
    """

    def __init__(self, path: Path | ObjectPath) -> None:
        self.path = path
        self.metadata: pq.FileMetaData = pq.read_metadata(readable(path))
        rows = (self.metadata.row_group(group).num_rows for group in range(self.metadata.num_row_groups))
        self.group_ends = list(accumulate(rows))
        """Rows up to and with each row group."""
        self._turn = threading.Lock()
        self._file: FileIO | None = None
        if not isinstance(path, ObjectPath):
            self._file = path.open("rb", buffering=0)
            weakref.finalize(self, self._file.close)

    def read(self, place: int, size_bytes: int) -> bytes:
        """Return bytes at a place; fewer than asked for where the file ends."""
        if isinstance(self.path, ObjectPath):
            return self.path.read_range(place, size_bytes)
        assert self._file is not None
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), size_bytes, place)
        with self._turn:
            self._file.seek(place)
            return self._file.read(size_bytes) or b""
