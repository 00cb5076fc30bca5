"""``toolkit.export``: chosen images of one version, written in another format, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolkit import __version__
from toolkit.dataset.export.arrow import write_arrow
from toolkit.dataset.export.files import write_files
from toolkit.dataset.export.imagefolder import write_imagefolder
from toolkit.dataset.export.mds import write_mds
from toolkit.dataset.export.rows import Selection
from toolkit.dataset.export.webdataset import write_webdataset
from toolkit.dataset.reading import Dataset, open_dataset
from toolkit.engine import silent
from toolkit.errors import DatasetError, UsageError
from toolkit.notebook_progress import shows_progress
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

    from toolkit.engine import Progress
    from toolkit.locations import Location

    Writer = Callable[[Selection, Path, int], Iterator[tuple[int, int]]]

__all__ = ["FORMS", "ExportReport", "export"]

FORMS: Final[dict[str, Writer]] = {
    "webdataset": write_webdataset,
    "mds": write_mds,
    "imagefolder": write_imagefolder,
    "files": write_files,
    "arrow": write_arrow,
}
"""Formats by the names that users give."""

_MOST_BYTES: Final = 4 * 2**30 - 1
"""Largest shard: MDS counts its offsets in 32 bits."""

_OVERHEAD: Final = 1.05
"""Room asked for beyond the images' bytes."""

_OVERHEAD_BYTES: Final = 4_096
"""And for each image: a block of a filesystem, the headers of a tar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was exported; also written beside it as ``export.json``."""

    dataset: str
    """Name of the dataset."""
    version: int
    """Its version."""
    batch: str
    """The batch that made that version."""
    form: str
    """The format."""
    split: str | None
    """The split chosen."""
    where: str | None
    """The condition chosen."""
    image_count: int
    """Images."""
    image_bytes: int
    """Their encoded bytes."""
    file_count: int
    """Files written, this report not counted."""
    tool_version: str
    """Version of Tonnage that wrote it."""


@shows_progress
def export(
    dataset: str | Path | Location | Dataset,
    target: str | os.PathLike[str],
    form: str,
    *,
    version: int | None = None,
    split: str | None = None,
    where: str | pl.Expr | None = None,
    shard_bytes: int = 256 * 2**20,
    progress: Progress | None = None,
) -> ExportReport:
    """Write images of a dataset in another format and return what was written; the folder appears whole or not at all.

    Parameters
    ----------
    dataset : path or Dataset
        The dataset.
    target : path
        A folder that is not there yet, or empty.
    form : str
        ``webdataset``, ``mds``, ``imagefolder``, ``files`` or ``arrow``.
    version : int, optional
        Version to export; by default the newest.
    split : str, optional
        Only this split.
    where : str or polars.Expr, optional
        Only images that a condition over the columns names, in SQL: ``label = 'dog' AND width_px >= 256``.
    shard_bytes : int
        Size of shards, for formats that have shards.
    progress : callable, optional
        Called as images are written.

    Raises
    ------
    UsageError
        If the format is none, the target is taken, there is no room, or nothing is chosen.
    DatasetError
        If a shard cannot be read.
    """
    if form not in FORMS:
        raise UsageError(f"'{form}' is not a format; the formats are {', '.join(FORMS)}")
    if not 0 < shard_bytes <= _MOST_BYTES:
        raise UsageError(f"a shard must have 1 byte to {show(_MOST_BYTES, 'bytes')}, not {shard_bytes:,}")
    opened = open_dataset(dataset, version)
    place = _free_place(Path(target).expanduser().absolute(), opened)
    selection = Selection(dataset=opened, split=split, where=where)
    image_count, image_bytes = selection.count()
    if not image_count:
        raise UsageError(f"no image of '{opened.location}' is chosen; nothing was exported")
    _check_room(place, image_bytes, image_count)
    partial = place.with_name(f".{place.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        written = _written(selection, partial, FORMS[form], shard_bytes, image_count, progress or silent)
        if written[0] != image_count:
            raise DatasetError(
                f"{image_count:,} images were to be exported, {written[0]:,} were; nothing is left; run tonnage verify"
            )
        report = ExportReport(
            dataset=opened.name,
            version=opened.version,
            batch=opened.state.batch,
            form=form,
            split=split,
            where=None if where is None else str(where),
            image_count=image_count,
            image_bytes=written[1],
            file_count=sum(1 for path in partial.rglob("*") if path.is_file()),
            tool_version=__version__,
        )
        (partial / "export.json").write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")
        if place.exists():
            place.rmdir()
        partial.replace(place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return report


def _written(
    selection: Selection, folder: Path, writer: Writer, shard_bytes: int, expected_count: int, tell: Progress
) -> tuple[int, int]:
    """Write, and return how many images and bytes."""
    image_count = size_bytes = 0
    for images, size in writer(selection, folder, shard_bytes):
        image_count, size_bytes = image_count + images, size_bytes + size
        tell("export", image_count, expected_count, "images written")
    return image_count, size_bytes


def _free_place(place: Path, dataset: Dataset) -> Path:
    if dataset.location.is_local and (place == dataset.location.path or dataset.location.path in place.parents):
        raise UsageError(f"'{place}' lies in the dataset itself; name a folder elsewhere")
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UsageError(f"'{place}' is there already and is no empty folder; name another")
    return place


def _check_room(place: Path, image_bytes: int, image_count: int) -> None:
    near = next(parent for parent in place.parents if parent.exists())
    needed = int(image_bytes * _OVERHEAD) + _OVERHEAD_BYTES * image_count
    free = shutil.disk_usage(near).free
    if needed > free:
        raise UsageError(
            f"'{near}' has {show(free, 'bytes')} free, and about {show(needed, 'bytes')} are needed; make room there"
        )
