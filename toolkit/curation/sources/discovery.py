"""Sources as users name them, into units of work and other files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.curation.sources.folders import list_file, list_folder
from toolkit.errors import MissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.curation.sources.units import OtherFile, SourceUnit

__all__ = ["discover", "source_names"]


def source_names(sources: Sequence[str | Path]) -> list[tuple[Path, str]]:
    """Return each source's absolute path and the name its keys begin with; a second of the same name gets ``~2``.

    Keys hold no more of a path than that, so that a dataset is the same wherever its sources lay.

    Examples
    --------
    >>> [name for _, name in source_names(["a/photos", "b/photos/", "c.zip"])]
    ['photos', 'photos~2', 'c.zip']
    """
    seen: dict[str, int] = {}
    named = []
    for source in sources:
        path = Path(source).expanduser().absolute()
        base = (path.resolve().name if path.name in {"", ".."} else path.name) or "root"
        seen[base] = seen.get(base, 0) + 1
        named.append((path, base if seen[base] == 1 else f"{base}~{seen[base]}"))
    return named


def discover(sources: Sequence[str | Path], *, with_masks: bool = True) -> Iterator[SourceUnit | OtherFile]:
    """Yield the units to read and the other files found below sources, lazily and always in the same order.

    Parameters
    ----------
    sources : sequence of paths
        Folders, archives, tables, single files.
    with_masks : bool
        Whether segmentation masks are told from images.

    Raises
    ------
    MissingError
        If a source is not there.
    UsageError
        If a source is a URL.
    """
    for source in map(str, sources):
        if "://" in source:
            raise UsageError(f"the source '{source}' is not on this machine's disk; copy or mount it and name its path")
        if not Path(source).expanduser().exists():
            raise MissingError(f"there is no source at '{source}'; check the path")
    for path, name in source_names(sources):
        yield from (list_folder if path.is_dir() else list_file)(path, name, with_masks=with_masks)
