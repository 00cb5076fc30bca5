"""Scores of an image from its scaled luma: stored for every image, judged by nobody until a recipe names a threshold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SCORED_PX", "scored_luma", "scores"]

SCORED_PX: Final = 64
"""Shorter side of the luma that scores and the perceptual hash are taken from; a smaller image is taken as it is.

Source: cleanvision 0.3 scales to 64 px on the longer side before it looks for blur."""

_EVEN_LEVELS: Final = 10
"""Gray levels of 255 by which a frame may stray from one shade: what JPEG adds to it."""

_LEVELS: Final = np.arange(256) / 255.0
_SQUARES: Final = _LEVELS**2


def scored_luma(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a luma averaged down to ``SCORED_PX`` on its shorter side, so that scores of all images are of one scale.

    Sharpness depends on the scale at which it is taken; decoders stop at whatever eighth of the size is large enough.
    """
    height, width = luma.shape
    shorter = min(height, width)
    if shorter <= SCORED_PX:
        return luma
    size = (max(1, round(width * SCORED_PX / shorter)), max(1, round(height * SCORED_PX / shorter)))
    return np.asarray(Image.fromarray(luma).resize(size, Image.Resampling.BOX, reducing_gap=2.0), dtype=np.uint8)


def scores(luma: NDArray[np.uint8], width_px: int, height_px: int) -> dict[str, Any]:
    """Return the scores of ``toolkit.dataset.schema.SCORE_FIELDS``.

    Parameters
    ----------
    luma : numpy.ndarray
        Shape (height, width), uint8, as ``scored_luma`` gives it.
    width_px, height_px : int
        Display size of the image.

    Notes
    -----
    Dark and light are the 99th and 5th percentile of brightness and the aspect the shorter over the longer side, as
    cleanvision 0.3 has them (on luma); sharpness is the variance of the 4-neighbour Laplacian, Pech-Pacheco et al. 2000,
    "Diatom autofocusing in brightfield microscopy"; entropy is Shannon's over the 256 gray levels.

    Examples
    --------
    >>> flat = scores(np.full((20, 30), 255, dtype=np.uint8), 30, 20)
    >>> flat["brightness_share"], flat["contrast_share"], flat["entropy_bits"], flat["sharpness_score"]
    (1.0, 0.0, 0.0, 0.0)
    """
    counts = np.bincount(luma.ravel(), minlength=256)
    total = luma.size
    mean = float(counts @ _LEVELS) / total
    dark, light = counts.cumsum().searchsorted((0.99 * total, 0.05 * total)).tolist()
    information_bits = float(counts @ np.log2(np.maximum(counts, 1))) / total
    return {
        "sharpness_score": _laplacian_variance(luma),
        "brightness_share": mean,
        "dark_share": dark / 255,
        "light_share": light / 255,
        "contrast_share": math.sqrt(max(0.0, float(counts @ _SQUARES) / total - mean**2)),
        "entropy_bits": max(0.0, math.log2(total) - information_bits),
        "aspect_share": min(width_px, height_px) / max(width_px, height_px),
        "colorfulness_score": None,
        "focus_score": _focus(luma, counts),
        "border_share": _border_share(luma),
    }


def _focus(luma: NDArray[np.uint8], counts: NDArray[np.int64]) -> float:
    """Return how clear an image is: the spread of its edges at 64 px on the longer side, and of its histogram if that is uneven.

    Source: cleanvision 0.3.7, ``BlurrinessProperty``, with its defaults; there from the whole image, here from the scaled luma.
    """
    height, width = luma.shape
    ratio = max(1.0, max(width, height) / SCORED_PX)
    image = Image.fromarray(luma)
    if ratio > 1:
        image = image.resize((max(1, int(width / ratio)), max(1, int(height / ratio))), Image.Resampling.BICUBIC)
    edges = np.bincount(np.asarray(image.filter(ImageFilter.FIND_EDGES)).ravel(), minlength=256)
    total = image.width * image.height
    mean = float(edges @ _LEVELS) / total
    clear = 1 - math.exp(-2.55 * math.sqrt(max(0.0, float(edges @ _SQUARES) / total - mean**2)))
    deviation = math.sqrt(max(0.0, float(counts @ counts) / 256 - (luma.size / 256) ** 2)) * total / luma.size
    spread = 1 - math.exp(-0.01 * deviation)
    return min(1.0, clear + (spread if spread > 0.18 else 0.0))


def _border_share(luma: NDArray[np.uint8]) -> float:
    """Return the share of the area outside the box that even lines of one shade a side leave; 0 where they leave none.

    A picture of two even halves is no frame; a blank one is all frame.
    """
    height, width = luma.shape
    top, bottom = _even_lines(luma), _even_lines(luma[::-1])
    if top == height:
        return 1.0
    if top + bottom >= height:
        return 0.0
    inner = luma[top : height - bottom].T
    left, right = _even_lines(inner), _even_lines(inner[::-1])
    return 0.0 if left + right >= width else 1 - (height - top - bottom) * (width - left - right) / luma.size


def _even_lines(lines: NDArray[np.uint8]) -> int:
    """Return how many lines from the first on are even and of the first one's shade."""
    if int(lines[0].max()) - int(lines[0].min()) > _EVEN_LEVELS:
        return 0
    shade = int(lines[0, 0])
    low, high = max(0, shade - _EVEN_LEVELS), min(255, shade + _EVEN_LEVELS)
    is_even = (lines.min(axis=1) >= low) & (lines.max(axis=1) <= high)
    return len(is_even) if is_even.all() else int(is_even.argmin())


def _laplacian_variance(luma: NDArray[np.uint8]) -> float:
    """Return the variance of the 4-neighbour Laplacian; in squared gray levels."""
    if min(luma.shape) < 3:
        return 0.0
    gray = luma.astype(np.float32)  # whole numbers below 2**11, squares below 2**22: exact
    laplacian = gray[:-2, 1:-1] + gray[2:, 1:-1]
    laplacian += gray[1:-1, :-2]
    laplacian += gray[1:-1, 2:]
    laplacian -= 4 * gray[1:-1, 1:-1]
    mean = float(laplacian.sum(dtype=np.float64)) / laplacian.size
    return max(0.0, float(np.einsum("ij,ij->", laplacian, laplacian, dtype=np.float64)) / laplacian.size - mean**2)
