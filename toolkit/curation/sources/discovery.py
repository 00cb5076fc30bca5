"""Sources as users name them, into units of work and other files."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final

from toolkit.curation.sources.access import Access
from toolkit.curation.sources.folders import list_file, list_folder
from toolkit.curation.sources.lists import is_list, list_rows
from toolkit.errors import MissingError, UsageError
from toolkit.locations import Location

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from toolkit.curation.sources.remote import Remote
    from toolkit.curation.sources.units import OtherFile, SourceUnit

__all__ = ["base_name", "discover", "numbered_names", "source_names"]

_ENDING: Final = re.compile(r"(.+?)((?:\.tar)?\.[A-Za-z][A-Za-z0-9]{0,6}(?:\.gz)?)")
"""A name and what it ends in, by which it is told what a file is: ``.zip``, ``.tar.gz``, ``.csv.gz``."""


def base_name(place: Location) -> str:
    """Return the last part of a place, which its keys begin with where no other source bears it.

    Examples
    --------
    >>> base_name(Location.of("a/photos/")), base_name(Location.of("https://h/x.zip?sig=1"))
    ('photos', 'x.zip')
    """
    base = place.name.partition("?")[0] if place.is_web else place.name
    if place.is_local:
        base = (place.path.resolve().name if base in {"", ".."} else base) or "root"
    return base


def numbered_names(base: str) -> Iterator[str]:
    """Yield the names that sources of one last part of their paths may have; the number stands before what a file ends in.

    Examples
    --------
    >>> [list(itertools.islice(numbered_names(base), 2))[1] for base in ("photos", "v1.0", "a.b.zip", "x.tar.gz", "u.csv.gz")]
    ['photos~2', 'v1.0~2', 'a.b~2.zip', 'x~2.tar.gz', 'u~2.csv.gz']
    """
    yield base
    parts = _ENDING.fullmatch(base)
    stem, ending = parts.groups() if parts is not None else (base, "")
    yield from (f"{stem}~{number}{ending}" for number in itertools.count(2))


def source_names(sources: Sequence[str | os.PathLike[str] | Location]) -> list[tuple[Location, str]]:
    """Return each source's place and the name its keys begin with in a new dataset; a second of the same name gets ``~2``.

    Keys hold no more of a path than that, so that a dataset is the same wherever its sources lay.

    Examples
    --------
    >>> [name for _, name in source_names(["a/photos", "b/photos/", "c.zip", "s3://bucket/photos"])]
    ['photos', 'photos~2', 'c.zip', 'photos~3']
    """
    seen: set[str] = set()
    named = []
    for place in map(Location.of, sources):
        base = base_name(place)
        name = next(name for name in numbered_names(base) if name not in seen)
        seen.add(name)
        named.append((place, name))
    return named


def discover(
    sources: Sequence[str | Path | Location],
    *,
    names: Sequence[str] | None = None,
    with_masks: bool = True,
    remote: Remote | None = None,
    access: Access | None = None,
) -> Iterator[SourceUnit | OtherFile]:
    """Yield the units to read and the other files found below sources, lazily and always in the same order.

    Parameters
    ----------
    sources : sequence of paths or locations
        Folders, archives, tables, lists, single files; remote ones too, if ``remote`` is given.
    names : sequence of str, optional
        What the keys of each begin with; by default as ``source_names`` says.
    with_masks : bool
        Whether segmentation masks are told from images.
    remote : Remote, optional
        Lists remote sources.
    access : Access, optional
        How what lists name is reached.

    Raises
    ------
    MissingError
        If a source is not there.
    UsageError
        If a source is a URL and ``remote`` is not given, or neither folder nor file.
    """
    named = source_names(sources) if names is None else list(zip(map(Location.of, sources), names, strict=True))
    for place, _ in named:
        if not place.is_local and remote is None:
            raise UsageError(f"the source '{place}' is not on this machine's disk; copy or mount it and name its path")
        if place.is_local and not place.path.exists():
            raise MissingError(f"there is no source at '{place}'; check the path")
        if place.is_local and not (place.path.is_dir() or place.path.is_file()):
            raise UsageError(f"the source '{place}' is a pipe, a socket or a device; name a folder or a file")
    for place, name in named:
        if remote is not None and not place.is_local:
            yield from remote.units(place, name, with_masks=with_masks)
        elif place.path.is_dir():
            yield from list_folder(place.path, name, with_masks=with_masks)
        elif is_list(place.path):
            yield from list_rows(place.path, name, access or Access())
        else:
            yield from list_file(place.path, name, with_masks=with_masks)
