"""Where a run of ``measure`` writes: its file, and a folder beside the dataset that is gone afterwards."""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from datetime import datetime

    from toolkit.dataset.reading import Dataset

__all__ = ["file_of", "scratch_beside"]


def file_of(dataset: Dataset, out: str | os.PathLike[str] | None, now: datetime) -> Path:
    """Return the file that the measurements are written to: the one asked for, or one named by the time.

    That it can be written is tried now: a run that takes minutes must not find it out at its end.

    Raises
    ------
    UsageError
        If it is not JSON, or cannot be written.
    """
    if out is not None and Path(out).suffix != ".json":
        raise UsageError(f"out must be a .json file, not '{out}'; its samples are written to .parquet beside it")
    target = Path(out) if out is not None else dataset.location.path / "measurements" / f"{now:%Y%m%dT%H%M%SZ}.json"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
    except OSError as fault:
        raise UsageError(
            f"the measurements cannot be written to '{target}': {fault.strerror or fault}; name a file that can be, with out"
        ) from fault
    return target


@contextlib.contextmanager
def scratch_beside(dataset: Dataset) -> Iterator[Path | None]:
    """Give a folder on the dataset's filesystem, removed afterwards; None where none can be made."""
    try:
        folder = dataset.location.path / "measurements"
        folder.mkdir(exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".running-", dir=folder))
    except OSError:
        yield None
        return
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
