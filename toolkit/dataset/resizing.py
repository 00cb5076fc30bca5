"""Squares of one size, by SIMD convolution where the ``fast`` extra is installed, by Pillow elsewhere: equal to one level in 255.

Both weigh every source pixel that a target pixel covers (a triangle filter as wide as the scale), so that nothing aliases;
OpenCV's bilinear resize, as fast as the extra, looks at four source pixels however much it reduces.
"""

from __future__ import annotations

import threading
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["can_resize_fast", "centre_square", "to_square"]

_CHANNELS: Final = 3
_held = threading.local()
"""A resizer for each thread: it keeps its working memory between images, and cannot be used by two threads at once."""


@cache
def can_resize_fast() -> bool:
    """Return whether the ``fast`` extra is installed."""
    return find_spec("cykooz_resizer") is not None


def centre_square(width_px: int, height_px: int) -> tuple[float, float, float]:
    """Return left, top and edge of the largest square in the middle of an image.

    Examples
    --------
    >>> centre_square(640, 481)
    (79.5, 0.0, 481.0)
    """
    edge_px = min(width_px, height_px)
    return (width_px - edge_px) / 2, (height_px - edge_px) / 2, float(edge_px)


def to_square(pixels: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """Return the square in the middle of an RGB image, resized.

    Parameters
    ----------
    pixels : numpy.ndarray
        Shape (height, width, 3), uint8.
    side_px : int
        Side of what is returned.

    Returns
    -------
    numpy.ndarray
        Shape (side_px, side_px, 3), uint8; not always writable.
    """
    return _by_convolution(pixels, side_px) if can_resize_fast() else _by_pillow(pixels, side_px)


def _by_convolution(pixels: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    from cykooz_resizer import CropBox, FilterType, ImageData, PixelType, ResizeAlg, ResizeOptions, Resizer

    resizer: Any = getattr(_held, "resizer", None)
    if resizer is None:
        resizer = _held.resizer = Resizer()
    height_px, width_px = pixels.shape[:2]
    left, top, edge_px = centre_square(width_px, height_px)
    options = ResizeOptions(ResizeAlg.convolution(FilterType.bilinear), crop_box=CropBox(left, top, edge_px, edge_px))
    square = ImageData(side_px, side_px, PixelType.U8x3)
    resizer.resize(ImageData(width_px, height_px, PixelType.U8x3, pixels.tobytes()), square, options)
    return np.frombuffer(square.get_buffer(), dtype=np.uint8).reshape(side_px, side_px, _CHANNELS)


def _by_pillow(pixels: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    height_px, width_px = pixels.shape[:2]
    left, top, edge_px = centre_square(width_px, height_px)
    box = (left, top, left + edge_px, top + edge_px)
    square = Image.fromarray(pixels).resize((side_px, side_px), Image.Resampling.BILINEAR, box=box)
    return np.asarray(square, dtype=np.uint8)
