"""What a call is given to read: its sources as places, and nothing begins if there is no image in them."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.curation.sources import OtherFile, SourceUnit
from toolkit.errors import UsageError
from toolkit.locations import Location

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.curation.others import OtherFiles
    from toolkit.curation.sources.remote import Remote

__all__ = ["as_place", "no_images", "with_images"]


def as_place(source: str | os.PathLike[str]) -> Path | Location:
    """Return a source as a path, or as a location where it does not lie on this machine."""
    place = Location.of(source) if "://" in os.fspath(source) else None
    return Path(source) if place is None else place.path if place.is_local else place


def with_images(
    found: Iterator[SourceUnit | OtherFile], others: OtherFiles, places: Sequence[Path | Location], remote: Remote
) -> Iterator[SourceUnit | OtherFile]:
    """Return what is found from the first unit on, or raise if there is none: before a cluster is started for nothing."""
    for each in found:
        if isinstance(each, SourceUnit):
            return itertools.chain([each], found)
        others.add(each)
    if remote.has_known:
        return iter(())
    raise no_images(places, sum(others.counts().values()))


def no_images(places: Sequence[Path | Location], other_count: int = 0) -> UsageError:
    """Return the sentence for sources in which no image was found."""
    named = ", ".join(f"'{place}'" for place in places)
    beside = f" ({other_count:,} other files were)" if other_count else ""
    return UsageError(f"no images were found in {named}{beside}; name a folder, archive or table that holds some")
