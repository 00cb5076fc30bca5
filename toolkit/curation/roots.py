"""Which place each source name of a dataset stands for, remembered beside it, so that one name never means two places.

Keys of sources begin with a name, not with a path, so that a dataset is the same wherever its sources lay. A name is
the last part of the place; a second place of that name is another source, in whatever order and run they come.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode

import polars as pl

from toolkit.curation.sources import SourceUnit, discover
from toolkit.curation.sources.discovery import base_name, numbered_names
from toolkit.curation.sources.units import printable
from toolkit.locations import Location

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolkit.curation.history import KnownSources
    from toolkit.curation.sources.access import Access
    from toolkit.curation.sources.remote import Remote
    from toolkit.dataset.reading import Dataset
    from toolkit.dataset.tables import DatasetStore

__all__ = ["Root", "SourceRoots", "is_familiar"]

_FILE: Final = "sources.json"
_UNITS: Final = 256
"""So many units of a place are looked at to tell whether it is one that was read before."""

_PASSING: Final = re.compile(
    r"(?i)(x-amz-.*|x-goog-.*|x-ms-.*|sig|signature|s[eprtv]|spr|sk\w+|expires|policy|key-pair-id|\w*accesskeyid|googleaccessid|"
    r"(access_?)?token)"
)
"""Parameters of addresses that sign a request: they change from day to day, and are nobody's business."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A source of a call, and the name that its keys begin with."""

    place: Location
    """Where it lies."""
    name: str
    """What its keys begin with."""
    is_known: bool
    """Whether an earlier batch has read it under this name."""


class SourceRoots:
    """The sources that a dataset knows by name.

    Parameters
    ----------
    store : DatasetStore
        Where the dataset lies.
    dataset : Dataset or None
        The dataset so far; None for a new one.
    is_familiar : callable
        Returns whether the files of a place are, under a name, what earlier batches read, as ``is_familiar`` does.
    """

    def __init__(self, store: DatasetStore, dataset: Dataset | None, is_familiar: Callable[[Location, str], bool]) -> None:
        self._path = store.private_path / _FILE
        self._dataset = dataset
        self._is_familiar = is_familiar
        self._places: dict[str, str] = {}
        if dataset is not None and self._path.is_file():
            self._places = dict(json.loads(self._path.read_text(encoding="utf-8")))

    def named(self, sources: Sequence[str | os.PathLike[str] | Location]) -> list[Root]:
        """Return each source once, with its name.

        A place that was read before keeps its name. One that was not takes the last part of its path, with ``~2`` if
        that stands for another place: unless that place is gone and most files of the new one that bear the names of its
        files have their size and time of change too. Then the new place is the old one, moved.
        """
        places = {_identity(place): place for place in map(Location.of, sources)}
        names = {place: name for name, place in self._places.items()}
        used = {names[identity] for identity in places if identity in names}
        roots = []
        for identity, place in places.items():
            if identity in names:
                roots.append(Root(place=place, name=names[identity], is_known=True))
                continue
            root = self._root(place, used)
            used.add(root.name)
            roots.append(root)
        return roots

    def _root(self, place: Location, used: set[str]) -> Root:
        for name in (name for name in numbered_names(base_name(place)) if name not in used):
            owner = self._places.get(name)
            if owner is None and not self._is_in_catalog(name):
                return Root(place=place, name=name, is_known=False)
            if self._continues(place, name, owner):
                return Root(place=place, name=name, is_known=True)
        raise AssertionError("numbers do not end")

    def _is_in_catalog(self, name: str) -> bool:
        """Return whether an earlier release, which did not remember places, has read a source of this name."""
        if self._dataset is None:
            return False
        shown, source = printable(name)[0], pl.col("source")
        is_its = pl.any_horizontal(source == shown, *(source.str.starts_with(shown + mark) for mark in "/!#"))
        return not self._dataset.scan("catalog").filter(is_its).select("source").head(1).collect().is_empty()

    def _continues(self, place: Location, name: str, owner: str | None) -> bool:
        """Return whether a place is what a name stood for, moved."""
        is_gone = owner is None or ("://" not in owner and place.is_local and _is_gone(owner))
        return is_gone and self._is_familiar(place, name)

    def remember(self, roots: Sequence[Root]) -> None:
        """Remember what the names of a call stand for."""
        places = self._places | {root.name: _identity(root.place) for root in roots}
        if places == self._places:
            return
        self._places = places
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(places, sort_keys=True, indent=1), encoding="utf-8")
        temporary.replace(self._path)

    def __str__(self) -> str:
        return ", ".join(f"'{place}'" for place in self._places.values()) or "not remembered"


def is_familiar(
    known: KnownSources, place: Location, name: str, *, remote: Remote | None = None, access: Access | None = None
) -> bool:
    """Return whether the files of a place are, under a name, what earlier batches read: more of them the same than changed.

    Parameters
    ----------
    known : KnownSources
        What earlier batches read.
    place : Location
        Where to look; the first units of it are looked at.
    name : str
        What its keys would begin with.
    remote, access : optional
        As in ``discover``.
    """
    asked = None if remote is None else dataclasses.replace(remote, has_known=False)
    units = (found for found in discover([place], names=[name], remote=asked, access=access) if isinstance(found, SourceUnit))
    named_count = same_count = 0
    for unit in itertools.islice(units, _UNITS):
        named, same = known.recognised(unit)
        named_count, same_count = named_count + named, same_count + same
    return (asked is not None and asked.has_known) or (same_count > 0 and 2 * same_count > named_count)


def _is_gone(path: str) -> bool:
    try:
        os.stat(path)  # noqa: PTH116 -- what may not be looked at is there, and Path.exists() raises or denies it by version
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _identity(place: Location) -> str:
    """Return what tells a place from others of its name; of an address, without what signs it and who asks."""
    if place.is_local:
        return os.path.abspath(place.url)  # noqa: PTH100 -- resolve() would follow links, and a link is a name of its own
    if not place.is_web:
        return place.url
    address, _, query = place.url.partition("?")
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    asked = sorted(pair for pair in parse_qsl(query, keep_blank_values=True) if not _PASSING.fullmatch(pair[0]))
    digest = f"?{hashlib.sha256(urlencode(asked).encode()).hexdigest()[:16]}" if asked else ""
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}{digest}"
