"""Members of compressed tars laid down again: a stream is read once, from its start, for all that is wanted of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolkit.curation.sources.files import etag_of
from toolkit.curation.sources.streams import staged_path, stream_items
from toolkit.curation.sources.units import SourceUnit

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["lay_down_again"]

_OF_TAR: Final = re.compile(r"(?i)^.*?\.(?:tar\.(?:gz|bz2|xz|zst)|tgz|tbz2|txz)(?:~\d+)?(?=!)")
"""What of a member's key is that of the tar; a second source of one name ends in ``~2``."""


def lay_down_again(locators: Iterable[str], staging: Path) -> None:
    """Lay down the members of compressed tars that locators name, where ``reread`` looks for them.

    A tar that has changed or gone gives nothing: ``reread`` then says so of each member. Whether the bytes are those that
    were examined is for those who take them to check.

    Parameters
    ----------
    locators : iterable of str
        As occurrences have them; those of other kinds are passed over.
    staging : Path
        The folder that ``reread`` is given.
    """
    wanted: dict[tuple[str, str], dict[str, set[str]]] = {}
    for locator in locators:
        place = json.loads(locator)
        if place["kind"] == "tar_stream":
            member = _OF_TAR.sub("", place["source"])
            of_tar = wanted.setdefault((place["path"], place["etag"]), {})
            of_tar.setdefault(member, set()).add(place["source"])
    for (path, etag), members in wanted.items():
        if _is_same(path, etag):
            _lay_down(SourceUnit(kind="tar_stream", path=path, source="", etag=etag), members, staging)


def _is_same(path: str, etag: str) -> bool:
    try:
        return etag_of(Path(path).stat()) == etag
    except OSError:
        return False


def _lay_down(unit: SourceUnit, members: dict[str, set[str]], staging: Path) -> None:
    """Read a stream and lay down the chosen members, by their keys without that of the tar."""
    left = dict(members)
    for item, content in stream_items(unit, None):
        sources = left.pop(item.source, set())
        if isinstance(content, bytes):
            for source in sources:
                target = staged_path(staging, source)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        if not left:
            return
