"""A shard kept open: its footer read once, its bytes read at any place by any thread."""

from __future__ import annotations

import os
import threading
import weakref
from itertools import accumulate
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

__all__ = ["ShardFile"]


class ShardFile:
    """An open shard; the file is closed when nobody holds this any more.

    Parameters
    ----------
    path : Path
        The shard.

    Raises
    ------
    OSError, pyarrow.ArrowException
        If it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metadata: pq.FileMetaData = pq.read_metadata(path)
        rows = (self.metadata.row_group(group).num_rows for group in range(self.metadata.num_row_groups))
        self.group_ends = list(accumulate(rows))
        """Rows up to and with each row group."""
        self._file: FileIO = path.open("rb", buffering=0)
        self._turn = threading.Lock()
        weakref.finalize(self, self._file.close)

    if hasattr(os, "pread"):

        def read(self, place: int, size_bytes: int) -> bytes:
            """Return bytes at a place; fewer than asked for where the file ends."""
            return os.pread(self._file.fileno(), size_bytes, place)

    else:

        def read(self, place: int, size_bytes: int) -> bytes:
            """Return bytes at a place; fewer than asked for where the file ends."""
            with self._turn:
                self._file.seek(place)
                return self._file.read(size_bytes) or b""
