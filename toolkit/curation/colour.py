"""How colourful an image is: a second, small decode, for those who ask for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import simplejpeg

from toolkit.curation.jpeg import LUMA_PX
from toolkit.dataset.decoding import decode_rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["colorfulness", "colorfulness_of"]

_MEAN_WEIGHT: Final = 0.3


def colorfulness(pixels: NDArray[np.uint8]) -> float:
    """Return how colourful pixels are: 0 gray, about 30 average, above 80 very.

    Parameters
    ----------
    pixels : numpy.ndarray
        Shape (height, width, 3), RGB.

    Notes
    -----
    Source: Hasler and Süsstrunk 2003, "Measuring colourfulness in natural images", the metric M3: the spread of the opponent
    colours red-green and yellow-blue, and 0.3 times the distance of their mean from gray.

    Examples
    --------
    >>> colorfulness(np.full((4, 4, 3), 90, dtype=np.uint8))
    0.0
    """
    red, green, blue = (pixels[..., band].astype(np.float64) for band in range(3))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = math.hypot(float(red_green.std()), float(yellow_blue.std()))
    return spread + _MEAN_WEIGHT * math.hypot(float(red_green.mean()), float(yellow_blue.mean()))


def colorfulness_of(payload: bytes) -> float | None:
    """Return how colourful an encoded image is, from a small decode of the whole; None if its colours cannot be had."""
    try:
        return colorfulness(_small(payload))
    except Exception:  # noqa: BLE001 -- it was decoded strictly before; a score is not worth an image
        return None


def _small(payload: bytes) -> NDArray[np.uint8]:
    if payload[:2] == b"\xff\xd8":
        try:
            pixels = simplejpeg.decode_jpeg(payload, min_height=LUMA_PX[0], min_width=LUMA_PX[0], strict=False)
            return np.asarray(pixels, dtype=np.uint8)
        except (ValueError, KeyError):  # CMYK, and what only Pillow reads
            pass
    whole = decode_rgb(payload)
    step = max(1, min(whole.shape[:2]) // LUMA_PX[0])
    return whole[::step, ::step]
