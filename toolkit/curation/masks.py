"""A segmentation mask made to fit its image: checked, turned as the image is displayed, a PNG."""

from __future__ import annotations

import io
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
from PIL import Image

from toolkit.curation.reasons import Refusal
from toolkit.curation.sources import OtherFile, read_others, reread
from toolkit.curation.spooling import OWN_MASK, spooled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

__all__ = ["Frame", "Misfit", "fitted_mask", "fitted_masks", "mask_locator"]

_FORMATS: Final = ("PNG", "GIF", "BMP", "TIFF", "WEBP")
_METHODS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Source: Exif 3.0, tag 0x0112 (orientation), as Pillow's ``ImageOps.exif_transpose`` reads it."""

_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"})
"""What PNG can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The image that a mask is to fit."""

    width_px: int
    """Of the display."""
    height_px: int
    """Of the display."""
    orientation: int
    """EXIF orientation, 1 to 8."""
    stored_size: tuple[int, int] | None = None
    """Width and height that the image is stored with, where that is another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """A mask that is not attached to its image."""

    row_index: int
    """The image's row in the batch."""
    source: str
    """The mask."""
    problem: str
    """``mask_size`` or ``mask_unreadable``."""


def mask_locator(other: dict[str, Any]) -> str:
    """Return JSON by which the bytes of a mask are found."""
    return json.dumps({name: other[name] for name in ("source", "path", "member", "etag", "size_bytes", "offset", "packed")})


def fitted_masks(
    images: pl.DataFrame,
    stored: pl.DataFrame,
    staging: Path,
    misfits: list[Misfit],
    fit: Callable[[bytes, Frame], bytes | str],
) -> pl.Series:
    """Return the masks of images as ``struct<bytes, path>``, null where there is none; what does not fit is told.

    Parameters
    ----------
    images, stored : pl.DataFrame
        The same images as they came (``row``, ``image_id``, sizes, ``orientation``, ``mask_source``, ``mask_locator``) and
        as they are stored (sizes).
    staging : Path
        Where members of streams lie.
    misfits : list
        Takes the masks that do not fit.
    fit : callable
        ``fitted_mask``, or what calls it where it may die of a mask.
    """
    made: list[dict[str, Any] | None] = [None] * len(images)
    if "mask_locator" in images.columns and images["mask_locator"].null_count() < len(images):
        sizes = stored.select(stored_width_px="width_px", stored_height_px="height_px")
        wanted = images.hstack(sizes).with_row_index("place").filter(pl.col("mask_locator").is_not_null())
        own = images if "spool" not in images.columns else images.filter(pl.col("mask_locator") == OWN_MASK)
        laid_down = {own["mask_locator"][place]: payload for place, payload in spooled(own, "mask")}
        for place, made_mask in _each_fitted(wanted, staging, misfits, laid_down, fit):
            made[place] = made_mask
    return pl.Series("mask", made, dtype=pl.Struct({"bytes": pl.Binary, "path": pl.String}))


def _each_fitted(
    wanted: pl.DataFrame,
    staging: Path,
    misfits: list[Misfit],
    laid_down: dict[str, bytes],
    fit: Callable[[bytes, Frame], bytes | str],
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read masks container by container and yield each that fits with the place of its image."""
    places: dict[str, list[dict[str, Any]]] = {}
    for image in wanted.iter_rows(named=True):
        places.setdefault(image["mask_locator"], []).append(image)
    elsewhere = _read([locator for locator in places if locator not in laid_down], staging)
    for locator, payload in itertools.chain(laid_down.items(), elsewhere):
        for image in places[locator]:
            frame = Frame(
                width_px=image["width_px"],
                height_px=image["height_px"],
                orientation=1 if _is_row(locator) else image["orientation"] or 1,  # a dataset's masks are turned already
                stored_size=(image["stored_width_px"], image["stored_height_px"]),
            )
            mask = "mask_unreadable" if isinstance(payload, Refusal) else fit(payload, frame)
            if isinstance(mask, str):
                misfits.append(Misfit(row_index=image["row"], source=image["mask_source"], problem=mask))
            else:
                yield image["place"], {"bytes": mask, "path": f"{image['image_id']}.png"}


def _is_row(locator: str) -> bool:
    """Return whether a mask stands in a row of a table, with its image."""
    return "column" in json.loads(locator)


def _read(locators: list[str], staging: Path) -> Iterator[tuple[str, bytes | Refusal]]:
    """Yield the bytes of masks, container by container."""
    yield from reread([(locator, locator) for locator in locators if _is_row(locator)], staging)
    others = {locator: OtherFile(kind="mask", **json.loads(locator)) for locator in locators if not _is_row(locator)}
    by_source = {other.source: locator for locator, other in others.items()}
    in_order = sorted(others.values(), key=lambda other: (other.path, other.offset, other.source))
    for source, payload in read_others(in_order, staging):
        yield by_source[source], payload


def fitted_mask(payload: bytes, frame: Frame) -> bytes | str:
    """Return a mask as PNG in display orientation, or why it does not fit: ``mask_size`` or ``mask_unreadable``.

    A mask has the size of the file's pixels and is turned with them, or that of the display and is not. One that needs no
    change keeps its own bytes.
    """
    shown = (frame.width_px, frame.height_px)
    stored = shown if frame.orientation < 5 else shown[::-1]
    try:
        with Image.open(io.BytesIO(payload), formats=_FORMATS) as mask:
            if mask.size not in {shown, stored}:
                return "mask_size"
            mask.load()
            method = _METHODS.get(frame.orientation) if mask.size == stored else None
            resized = frame.stored_size if frame.stored_size != shown else None
            if mask.format == "PNG" and method is None and resized is None:
                return payload
            made: Image.Image = mask if method is None else mask.transpose(method)
            made = made if resized is None else made.resize(resized, Image.Resampling.NEAREST)
            file = io.BytesIO()
            (made if made.mode in _MODES else made.convert("I")).save(file, "PNG")
            return file.getvalue()
    except Exception:  # noqa: BLE001 -- whatever a decoder makes of bytes from anywhere
        return "mask_unreadable"
