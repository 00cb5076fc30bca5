"""Names of the files of images: the identifier, and a number behind it where several images have the same bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import polars as pl

if TYPE_CHECKING:
    from toolkit.dataset.export.rows import Selection

__all__ = ["ImageNames", "file_suffix", "safe_folder"]

_SUFFIXES: Final = {"jpeg": "jpg", "tiff": "tif", "jpeg2000": "jp2"}


class ImageNames:
    """Gives each image of a selection a name of its own, equal in each repeat.

    Parameters
    ----------
    selection : Selection
        What is exported. Identifiers come again only where a recipe kept exact copies; only those that do are held.
    """

    def __init__(self, selection: Selection) -> None:
        self._seen = dict.fromkeys(_repeated(selection), 0)

    def __call__(self, image_id: str) -> str:
        """Return the name of the next image with an identifier, without an ending."""
        if image_id not in self._seen:
            return image_id
        number = self._seen[image_id]
        self._seen[image_id] += 1
        return f"{image_id}-{number}" if number else image_id


def _repeated(selection: Selection) -> list[str]:
    dataset = selection.dataset
    recipes = [state.recipe for state in dataset.store.states() if state.version <= dataset.version]
    if all(recipe.get("exact_duplicates", True) for recipe in recipes):
        return []
    counts = dataset.scan("images").group_by("image_id").len().filter(pl.col("len") > 1)
    return list(counts.collect(engine="streaming")["image_id"])


def file_suffix(row: dict[str, Any]) -> str:
    """Return the ending of an image's file, as its format is usually written, without a dot.

    Examples
    --------
    >>> file_suffix({"format": "jpeg"}), file_suffix({"format": "png"}), file_suffix({"format": None})
    ('jpg', 'png', 'bin')
    """
    kind = row["format"] or "bin"
    return re.sub(r"[^a-z0-9]", "", _SUFFIXES.get(kind, kind)) or "bin"


def safe_folder(label: str) -> str:
    """Return a label as the name of one folder on any filesystem; different labels have different names.

    Examples
    --------
    >>> safe_folder("cat"), safe_folder("a/b"), safe_folder(".."), safe_folder("Grün 1")
    ('cat', 'a%2Fb', '%2E%2E', 'Grün 1')
    """
    kept = "".join(letter if letter.isalnum() or letter in " _-." else quote(letter, safe="") for letter in label)
    return re.sub(r"^\.+|[. ]+$", lambda dots: "".join(f"%{ord(letter):02X}" for letter in dots[0]), kept) or "%00"
