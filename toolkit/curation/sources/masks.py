"""Segmentation masks among the files of a source: told by where they lie and how they are named, if their image is there."""

from __future__ import annotations

import os
import posixpath
import re
from typing import TYPE_CHECKING, Final

from toolkit.curation.sniffing import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["FolderMasks", "is_mask", "mask_stems", "stems_by_folder"]

_MASK_FOLDERS: Final = frozenset(
    {"masks", "mask", "segmentationclass", "segmentationobject", "segmentation", "segmentations", "gt", "ground_truth"}
)
_IMAGE_FOLDERS: Final = ("images", "JPEGImages", "Images", "imgs", "img", "image")
_MASK_SUFFIXES: Final = frozenset({".png", ".gif", ".bmp", ".tif", ".tiff", ".webp"})
"""What can hold class numbers without loss."""

_NAMED: Final = re.compile(r"(?i)[_.-](mask|masks|seg|segmentation)$")
_FOLDERS_HELD: Final = 4


def mask_stems(key: str) -> list[str]:
    """Return where the image of a mask would lie, without its ending, the likeliest first; none if it is not named as a mask.

    Source: PASCAL VOC development kit (``SegmentationClass/x.png`` of ``JPEGImages/x.jpg``); Kaggle's Carvana and many after
    it (``masks/x_mask.gif`` of ``images/x.jpg``, ``x_mask.png`` beside ``x.jpg``).

    Examples
    --------
    >>> mask_stems("raw/masks/a.png")
    ['raw/images/a', 'raw/JPEGImages/a', 'raw/Images/a', 'raw/imgs/a', 'raw/img/a', 'raw/image/a', 'raw/a']
    >>> mask_stems("raw/a_mask.png"), mask_stems("raw/a.png"), mask_stems("raw/a_mask.jpg")
    (['raw/a'], [], [])
    """
    place = max(key.rfind("/"), key.rfind("!")) + 1
    folder, (stem, suffix) = key[:place], posixpath.splitext(key[place:])
    if suffix.lower() not in _MASK_SUFFIXES:
        return []
    bare = _NAMED.sub("", stem)
    container, mark, inner = folder.rpartition("!")
    parts = inner.split("/")
    at = next((at for at in range(len(parts) - 1, -1, -1) if parts[at].lower() in _MASK_FOLDERS), None)
    if at is None:
        return [folder + bare] if bare != stem else []
    stems = dict.fromkeys([bare, stem])
    beside = ["/".join([*parts[:at], images, *parts[at + 1 :]]) for images in _IMAGE_FOLDERS]
    above = "/".join([*parts[:at], *parts[at + 1 :]])
    return [container + mark + place + name for name in stems for place in (*beside, above)]


def is_mask(place: str, stems_in: Callable[[str], frozenset[str]]) -> bool:
    """Return whether a file is the mask of an image that is there.

    Parameters
    ----------
    place : str
        Its path.
    stems_in : callable
        Returns the names without ending of the images in a folder.
    """
    return any(posixpath.basename(stem) in stems_in(posixpath.dirname(stem)) for stem in mask_stems(place))


def stems_by_folder(places: Iterable[str]) -> Callable[[str], frozenset[str]]:
    """Return the names without ending of images, by folder, of a list of paths."""
    found: dict[str, set[str]] = {}
    for place in places:
        stem, suffix = posixpath.splitext(place)
        if suffix.lower() in IMAGE_SUFFIXES:
            found.setdefault(posixpath.dirname(stem), set()).add(posixpath.basename(stem))
    return lambda folder: frozenset(found.get(folder, ()))


class FolderMasks:
    """Tells masks below a folder, looking into the folders of their images as it goes; a few of these are held at once.

    Parameters
    ----------
    root : Path
        The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held: dict[str, frozenset[str]] = {}

    def __call__(self, relative: str) -> bool:
        """Return whether the file at a path below the root is the mask of an image that is there."""
        return is_mask(relative, self._stems)

    def _stems(self, folder: str) -> frozenset[str]:
        if folder not in self._held:
            try:
                names = [posixpath.splitext(name) for name in os.listdir(self._root / folder)]  # noqa: PTH208 -- names, not paths
            except OSError:
                names = []
            if len(self._held) >= _FOLDERS_HELD * len(_IMAGE_FOLDERS):
                self._held.clear()
            self._held[folder] = frozenset(stem for stem, suffix in names if suffix.lower() in IMAGE_SUFFIXES)
        return self._held[folder]
