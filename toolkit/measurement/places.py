"""Where a run of ``measure`` writes: its file, and a folder beside the dataset that is gone afterwards."""

from __future__ import annotations

import contextlib
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

    Raises
    ------
    UsageError
        If it is not JSON.
    """
    if out is None:
        return dataset.location.path / "measurements" / f"{now:%Y%m%dT%H%M%SZ}.json"
    if Path(out).suffix != ".json":
        raise UsageError(f"out must be a .json file, not '{out}'; its samples are written to .parquet beside it")
    return Path(out)


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
