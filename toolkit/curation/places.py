"""Whether a curation may read and write where it was told to: checked before any work starts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.dataset.readers import readers_key
from toolkit.dataset.schema import EXAMINATION_VERSION
from toolkit.errors import ClusterError, DatasetError, MissingError, UsageError
from toolkit.locations import Location
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.dataset.reading import Dataset
    from toolkit.dataset.tables import DatasetStore
    from toolkit.engine import Engine

__all__ = ["check_examination", "check_free_space", "check_places", "check_workers"]


def check_places(sources: Sequence[Path | Location], store: DatasetStore) -> None:
    """Raise unless every local source is there, and the dataset is new, empty or ours, and apart from the sources.

    Raises
    ------
    MissingError
        If a source is not there.
    UsageError
        If no source is named, or the dataset's place cannot be taken.
    """
    if not sources:
        raise UsageError("no source was named; name at least one folder, archive or table of images")
    root = Path(os.path.realpath(store.root))
    for source in sources:
        if isinstance(source, Location):  # its listing will say whether it is there
            continue
        if not source.exists():
            raise MissingError(f"there is no source at '{source}'; check the path")
        real = Path(os.path.realpath(source))
        if real == root or real.is_relative_to(root) or root.is_relative_to(real):
            raise UsageError(f"the dataset '{store.root}' and the source '{source}' overlap; put the dataset beside its sources")
    if root.exists() and not root.is_dir():
        raise UsageError(f"'{store.root}' is a file; name a folder for the dataset")
    if root.is_dir() and any(root.iterdir()) and not store.private_path.is_dir() and not store.exists():
        raise UsageError(f"'{store.root}' is not empty and holds no Tonnage dataset; name a new or empty folder")


def check_examination(before: Dataset | None) -> None:
    """Raise unless the hashes and scores of a dataset mean what those that are taken now mean.

    Raises
    ------
    DatasetError
        If another release made them: copies and look-alikes of earlier images would not be found.
    """
    if before is not None and before.state.examination_version != EXAMINATION_VERSION:
        raise DatasetError(
            f"the images of '{before.location}' were hashed in another way by the release that wrote them "
            f"({before.state.tool_version}), so copies of them would not be found; it can be read as it is; to add to it, "
            f"curate it into a new dataset: tonnage curate {before.location} NEW"
        )


def check_workers(engine: Engine, places: Sequence[str]) -> None:
    """Raise unless every worker of an existing cluster has Tonnage, the readers that are installed here, and sees all places.

    Raises
    ------
    ClusterError
        If a worker does not; the sentence names it and the first place.
    """
    if engine.is_own:
        return
    try:
        unseen: dict[str, list[str]] = engine.client.run(_unseen, list(places))
        readers: dict[str, str] = engine.client.run(_readers)
    except Exception as fault:  # whatever a foreign worker raises on unpickling or importing
        raise ClusterError(
            f"a worker of the cluster cannot run Tonnage ({type(fault).__name__}: {fault}); install the same version there"
        ) from fault
    for worker, missing in unseen.items():
        if missing:
            raise ClusterError(f"the worker at '{worker}' cannot see '{missing[0]}'; mount it there under the same path")

    for worker, found in readers.items():
        if found != readers_key():
            raise ClusterError(
                f"the worker at '{worker}' reads other formats ({found}) than this process ({readers_key()}); "
                "install the same readers there, or sound images would be refused"
            )


def _readers() -> str:
    return readers_key()


def _unseen(places: list[str]) -> list[str]:
    return [place for place in places if not Path(place).exists()]


def check_free_space(root: Path, needed_bytes: int, what: str = "this batch") -> None:
    """Raise unless the dataset's disk has room for what will be written.

    Parameters
    ----------
    root : Path
        The dataset.
    needed_bytes : int
        What will be written, or a part of it that is known.
    what : str
        What needs it, as a sentence begins to say.

    Raises
    ------
    DatasetError
        If it has not; nothing was committed yet.
    """
    free_bytes = shutil.disk_usage(root).free
    if needed_bytes > free_bytes:
        raise DatasetError(
            f"'{root}' has {show(free_bytes, 'bytes')} free, {what} needs {show(needed_bytes, 'bytes')}; nothing was committed; "
            "make room and run the same command again"
        )
