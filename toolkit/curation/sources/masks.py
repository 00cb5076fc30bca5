"""Segmentation masks among the files of a source: told by where they lie and how they are named, if their image is there."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
from array import array
from typing import TYPE_CHECKING, Final

import numpy as np

from toolkit.curation.sniffing import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["FolderMasks", "ImageStems", "is_mask", "mask_stems"]

_MASK_FOLDERS: Final = frozenset(
    {"masks", "mask", "segmentationclass", "segmentationobject", "segmentation", "segmentations", "gt", "ground_truth"}
)
_IMAGE_FOLDERS: Final = ("images", "JPEGImages", "Images", "imgs", "img", "image")
_MASK_SUFFIXES: Final = frozenset({".png", ".gif", ".bmp", ".tif", ".tiff", ".webp"})
"""What can hold class numbers without loss."""
_MASK_ENDINGS: Final = tuple(_MASK_SUFFIXES)

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
    if not key.lower().endswith(_MASK_ENDINGS):
        return []
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


def is_mask(place: str, has_image: Callable[[str], bool]) -> bool:
    """Return whether a file is the mask of an image that is there.

    Parameters
    ----------
    place : str
        Its path.
    has_image : callable
        Returns whether there is an image at a path without its ending.
    """
    return any(map(has_image, mask_stems(place)))


class ImageStems:
    """Paths of images without their endings, as one hash of 64 bits each.

    Parameters
    ----------
    places : iterable of str
        The first of them.
    """

    def __init__(self, places: Iterable[str] = ()) -> None:
        self._hashes = array("q")
        self._sorted: npt.NDArray[np.int64] | None = None
        for place in places:
            self.add(place)

    def add(self, place: str) -> None:
        """Take note of a file, if it is an image."""
        stem, suffix = posixpath.splitext(place)
        if suffix.lower() in IMAGE_SUFFIXES:
            self._hashes.append(hash(stem))
            self._sorted = None

    def __contains__(self, stem: object) -> bool:
        if self._sorted is None:
            self._sorted = np.sort(np.array(self._hashes, dtype=np.int64))
        at = int(np.searchsorted(self._sorted, hash(stem)))
        return at < len(self._sorted) and int(self._sorted[at]) == hash(stem)


class FolderMasks:
    """Tells masks below a folder, looking into the folders of their images as it goes; a few of these are held at once.

    Parameters
    ----------
    root : Path
        The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held: dict[str, ImageStems] = {}

    def __call__(self, relative: str) -> bool:
        """Return whether the file at a path below the root is the mask of an image that is there."""
        return is_mask(relative, self._has_image)

    def _has_image(self, stem: str) -> bool:
        return posixpath.basename(stem) in self._stems(posixpath.dirname(stem))

    def _stems(self, folder: str) -> ImageStems:
        if folder not in self._held:
            if len(self._held) >= _FOLDERS_HELD * len(_IMAGE_FOLDERS):
                self._held.clear()
            found = ImageStems()
            with contextlib.suppress(OSError), os.scandir(self._root / folder) as listing:
                for entry in listing:
                    found.add(entry.name)
            self._held[folder] = found
        return self._held[folder]
