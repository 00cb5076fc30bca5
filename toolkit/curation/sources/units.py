"""The small references that sources are listed as: what a worker opens, and what it finds there."""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass, field
from typing import Any, Final

from toolkit.curation.reasons import Refusal  # noqa: TC001 -- a field's type can be resolved at run time
from toolkit.curation.sources.access import Access  # noqa: TC001 -- as above

__all__ = [
    "COLUMN",
    "LISTED",
    "MAX_PAYLOAD_BYTES",
    "UNIT_BYTES",
    "UNIT_ITEMS",
    "Item",
    "Occurrence",
    "OtherFile",
    "SourceUnit",
    "class_folders",
    "member_key",
    "own_name",
    "portable",
    "printable",
]

MAX_PAYLOAD_BYTES: Final = 2**30
"""Largest file or member that is read into memory; an Arrow binary column holds at most 2 GiB in one chunk."""

SYSTEM_NAMES: Final = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r", "__macosx"})
"""Names (lower case) of what operating systems leave in folders and archives."""

LISTED: Final = "url-"
"""What the etag of a file begins with of which a list gives the address alone: it tells another address, not a change."""

COLUMN: Final = "column"
"""Kind of what is no file but a column of a table that holds bytes and is not read: listed, and not counted among files."""

UNIT_ITEMS: Final = 64
UNIT_BYTES: Final = 32 * 2**20
"""A unit is one task: large enough that its overhead does not count, small enough that all cores have some."""

_FIRST_UNITS: Final = 16
_LATER_UNIT_ITEMS: Final = 256


def unit_items(units_before: int) -> int:
    """Return how many items the next unit of a folder or archive may hold: more, once there is enough for all cores.

    Examples
    --------
    >>> unit_items(0), unit_items(16)
    (64, 256)
    """
    return UNIT_ITEMS if units_before < _FIRST_UNITS else _LATER_UNIT_ITEMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One image occurrence within a unit, not yet read."""

    source: str
    """Unique, printable key."""
    place: str
    """Absolute path or URL of a file; name of an archive member."""
    raw: bytes | None = None
    """The name's own bytes, where they are not UTF-8."""
    offset: int = 0
    """Offset in bytes in an archive (of a zip member's own header, of a tar member's data); row of a table."""
    packed: str = ""
    """How a zip member is packed, as ``method:bytes:crc32``; empty for what is not packed."""
    size_bytes: int = 0
    """Size, as the listing says."""
    etag: str = ""
    """Size and modification time of the file that holds it: what tells a change."""
    folder_label: str | None = None
    """Name of its class folder."""
    refusal: Refusal | None = None
    """Why it will not be read, if the listing says so already."""
    hints: str = ""
    """JSON of what a list says beside it, as in ``Occurrence``; empty for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceUnit:
    """A piece of work: some files, or a part of one archive or table."""

    kind: str
    """``files``, ``remote``, ``zip``, ``tar``, ``tar_stream`` or ``parquet``."""
    path: str
    """The archive or table; empty for files."""
    source: str
    """Source key of the archive or table; empty for files."""
    items: tuple[Item, ...] = ()
    """What to read; empty for a stream, which is read through."""
    row_group: int = 0
    """Row group of a table."""
    row_start: int = 0
    """First row of that row group, counted over the table."""
    column: str = ""
    """Column of a table that holds the image bytes."""
    etag: str = ""
    """Of the archive or table."""
    access: Access | None = None
    """How remote files are reached."""

    @property
    def key(self) -> str:
        """A text that is equal for equal work, to know finished work again after a stop."""
        if self.kind in {"files", "remote", "zip", "tar"}:
            content = [(item.source, item.etag, item.offset) for item in self.items]
            return json.dumps([self.kind, self.source, self.etag, content], ensure_ascii=True)
        return json.dumps([self.kind, self.source, self.etag, self.row_group], ensure_ascii=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One image occurrence, read."""

    source: str
    """Unique, printable key."""
    source_raw: bytes | None
    """The name's own bytes, where they are not UTF-8."""
    member: str | None
    """Member of an archive or row of a table; None for a plain file."""
    etag: str
    """What tells a change."""
    payload: bytes | None
    """The bytes; None where they could not be had."""
    refusal: Refusal | None
    """Why there are none."""
    locator: str
    """JSON by which ``reread`` finds the bytes again."""
    folder_label: str | None = None
    """Name of its class folder."""
    hints: dict[str, Any] = field(default_factory=dict)
    """What a table says beside the image: ``label``, ``captions``, ``metadata``, ``licence``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFile:
    """A file found that is no image."""

    source: str
    """Printable key."""
    path: str
    """Absolute path of the file, or of the archive that holds it, as ``portable`` writes it."""
    kind: str
    """``annotation``, ``container``, ``mask``, ``skipped(reason)``, or ``COLUMN``."""
    member: str | None = None
    """Name within an archive."""
    etag: str = ""
    """What tells a change."""
    size_bytes: int = 0
    """Its size."""
    offset: int = 0
    """Where in an archive that can be sought a member lies, as in ``Item``."""
    packed: str = ""
    """How a zip member is packed, as in ``Item``."""

    def __post_init__(self) -> None:
        """Make path and member texts that a table can hold."""
        object.__setattr__(self, "path", portable(self.path))
        if self.member is not None:
            object.__setattr__(self, "member", portable(self.member))


_RAW: Final = "bytes:"


def portable(name: str) -> str:
    r"""Return a name as text that a table can hold and ``own_name`` turns back: as it is, or its bytes in hex.

    Examples
    --------
    >>> portable("/a/café"), portable("/a/caf\udce9"), portable(portable("/a/caf\udce9"))
    ('/a/café', 'bytes:2f612f636166e9', 'bytes:2f612f636166e9')
    """
    return name if printable(name)[1] is None else _RAW + name.encode("utf-8", "surrogateescape").hex()


def own_name(text: str) -> str:
    r"""Return the name in a portable text, as the system knows it.

    Examples
    --------
    >>> own_name("bytes:2f612f636166e9") == "/a/caf\udce9"
    True
    """
    return bytes.fromhex(text.removeprefix(_RAW)).decode("utf-8", "surrogateescape") if text.startswith(_RAW) else text


_LOOKS_ESCAPED: Final = re.compile(r"\\x[89a-f][0-9a-f]")
"""What a byte that is no UTF-8 is shown as."""


def printable(name: str) -> tuple[str, bytes | None]:
    r"""Return a name as valid text, and its own bytes if they were not UTF-8 (as ``os`` hands them over, escaped).

    The text follows from the name alone: what such bytes are shown as gets a ``~`` behind where it stands in a name's own
    letters, so that the one is not taken for the other.

    Examples
    --------
    >>> printable("café"), printable("caf\udce9"), printable("caf\\xe9")
    (('café', None), ('caf\\xe9', b'caf\xe9'), ('caf\\xe9~', None))
    """
    raw = name.encode("utf-8", "surrogateescape")
    if "\\x" in name:
        name = _LOOKS_ESCAPED.sub(r"\g<0>~", name)
    shown = name.encode("utf-8", "surrogateescape")
    try:
        return shown.decode("utf-8"), None
    except UnicodeDecodeError:
        return shown.decode("utf-8", "backslashreplace"), raw


_LOOKS_NUMBERED: Final = re.compile(r"#\d+~*$")


def member_key(archive: str, shown: str, number: int) -> str:
    """Return the key of an archive's member, from that of the archive, the printable name, and how often the name came yet.

    Examples
    --------
    >>> member_key("x.tar", "a.jpg", 1), member_key("x.tar", "a.jpg", 2), member_key("x.tar", "a.jpg#2", 1)
    ('x.tar!a.jpg', 'x.tar!a.jpg#2', 'x.tar!a.jpg#2~')
    """
    own = f"{shown}~" if "#" in shown and _LOOKS_NUMBERED.search(shown) else shown
    return f"{archive}!{own}" + (f"#{number}" if number > 1 else "")


_LAYOUT: Final = frozenset(
    {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "train2014", "val2014", "train2017", "val2017"}
    | {"test2017", "images", "image", "imgs", "img", "jpegimages", "masks", "mask", "labels", "annotations", "segmentationclass"}
    | {"segmentationobject", "segmentation", "ground_truth", "gt"}
)
"""Names (lower case) of folders that stand for a split or a part of a dataset, not for a class."""


def class_folders(folders: dict[str, bool]) -> set[str]:
    """Return the folders whose names are labels.

    A folder is a class when it holds images itself and no folder below it does, it has a sibling that is like it, its
    parent holds no images itself, and every sibling with images is like it too. (``train/cat``, ``train/dog`` are;
    ``raw/captions`` beside ``raw/by_class/cat`` is not.) Folders that all bear names of splits, or of parts of a dataset's
    layout (``images`` beside ``masks``), are no classes.

    Parameters
    ----------
    folders : dict of str to bool
        Every folder (path with ``/``), and whether it holds images itself.

    Examples
    --------
    >>> sorted(class_folders({"a": False, "a/cat": True, "a/dog": True, "b": True}))
    ['a/cat', 'a/dog']
    >>> class_folders({"a": False, "a/train": True, "a/val": True})
    set()
    """
    with_images = {folder for folder, has in folders.items() if has}
    above = {parent for folder in with_images for parent in _parents(folder)}
    children: dict[str, list[str]] = {}
    for folder in with_images | above:
        if folder:
            children.setdefault(posixpath.dirname(folder), []).append(folder)
    found: set[str] = set()
    for parent, names in children.items():
        all_leaves = all(name in with_images and name not in above for name in names)
        is_layout = all(posixpath.basename(name).lower() in _LAYOUT for name in names)
        if len(names) > 1 and all_leaves and parent not in with_images and not is_layout:
            found.update(names)
    return found


def _parents(folder: str) -> list[str]:
    """Return the folders above one, the topmost last.

    Examples
    --------
    >>> _parents("a/b/c"), _parents("/etc")
    (['a/b', 'a', ''], ['/'])
    """
    parents = []
    while folder and posixpath.dirname(folder) != folder:  # "/" is its own parent
        folder = posixpath.dirname(folder)
        parents.append(folder)
    return parents
