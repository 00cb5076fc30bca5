"""Frames, pages and pictures of one file as images of their own, written out without loss."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any, Final

from PIL import Image, ImageOps

from toolkit.curation.depth import depth_kind
from toolkit.curation.faults import pillow_refusal
from toolkit.curation.reasons import Refusal, refusal
from toolkit.dataset.decoding import open_image
from toolkit.dataset.png import despite_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["FRAME_SUFFIX", "frame_encoding", "frame_locator", "frame_source", "split_frames"]

FRAME_SUFFIX: Final = r"#frame=\d+$"
"""What ends the source key of a frame; without it, it is the key of the file."""

_PNG_MODES: Final = {
    "1": "1", "L": "L", "LA": "LA", "La": "LA", "P": "P", "PA": "RGBA", "RGB": "RGB", "RGBX": "RGB", "RGBA": "RGBA",
    "RGBa": "RGBA", "YCbCr": "RGB", "HSV": "RGB",
}  # fmt: skip
"""By Pillow's mode: the mode in which a PNG holds the same colours."""

_TIFF_MODES: Final = {
    "I;16": "I;16", "I;16L": "I;16", "I;16B": "I;16", "I;16N": "I;16", "I": "I", "F": "F", "CMYK": "CMYK", "LAB": "LAB",
}  # fmt: skip


def split_frames(payload: bytes, wanted: Collection[int] | None = None) -> Iterator[tuple[int, bytes | Refusal]]:
    """Yield the number and the encoded bytes of each frame of an image, upright, one in memory at a time; or why it has none.

    Parameters
    ----------
    payload : bytes
        The encoded file.
    wanted : collection of int, optional
        The frames to yield; by default all.
    """
    sound = despite_text(_that_loads, payload) if payload.startswith(b"\x89PNG") else payload
    with open_image(sound) as opened:
        for index in range(int(getattr(opened, "n_frames", 1))):
            if wanted is None or index in wanted:
                yield index, _frame(opened, sound, index)


def _that_loads(payload: bytes) -> bytes:
    with open_image(payload) as opened:
        opened.load()
    return payload


def _frame(opened: Image.Image, payload: bytes, index: int) -> bytes | Refusal:
    try:
        opened.seek(index)
        if depth_kind(opened, payload) != "plain":
            return refusal("unsupported_format", "a frame of more bits or channels than can be written out without loss")
        return _lossless(ImageOps.exif_transpose(opened))
    except Exception as error:  # noqa: BLE001 -- over Pillow's plugins nearly every kind of exception
        return pillow_refusal(payload, error)


def _lossless(image: Image.Image) -> bytes:
    """Return an image as PNG, or as TIFF where a PNG does not hold its mode; of its metadata, colours alone are kept."""
    png, tiff = _PNG_MODES.get(image.mode), _TIFF_MODES.get(image.mode)
    fresh = (
        image if (png or tiff) == image.mode else image.convert(png or tiff or "RGB")
    ).copy()  # no state of the first encoder
    kept = {"icc_profile", "transparency"} if image.mode == fresh.mode else {"icc_profile"}
    fresh.info = {name: value for name, value in image.info.items() if name in kept}
    buffer = io.BytesIO()
    if tiff is None:
        fresh.save(buffer, "PNG")
    else:
        fresh.save(buffer, "TIFF", compression="tiff_adobe_deflate")
    return buffer.getvalue()


def frame_source(source: str, index: int) -> str:
    """Return the key of a frame.

    Examples
    --------
    >>> frame_source("raw/a.gif", 3)
    'raw/a.gif#frame=3'
    """
    return f"{source}#frame={index}"


def frame_locator(locator: str, index: int) -> str:
    """Return the locator of a frame of what a locator finds."""
    place: dict[str, Any] = json.loads(locator)
    return json.dumps(place | {"frame": index}, sort_keys=True)


_FRAME: Final = re.compile(r'"frame": (\d+)')


def frame_encoding(locator: str, payload: bytes) -> str | None:
    """Return how the bytes of a frame were made, for the column ``encoding``; None for what is no frame.

    Examples
    --------
    >>> frame_encoding(frame_locator('{"kind": "files"}', 3), b"II*"), frame_encoding('{"kind": "files"}', b"")
    ('tiff:frame=3', None)
    """
    found = _FRAME.search(locator)
    kind = "png" if payload.startswith(b"\x89PNG") else "tiff"
    return None if found is None else f"{kind}:frame={found.group(1)}"
