"""Scores of an image from its scaled luma: stored for every image, judged by nobody until a recipe names a threshold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SCORED_PX", "scored_luma", "scores"]

SCORED_PX: Final = 64
"""Shorter side of the luma that scores and the perceptual hash are taken from; a smaller image is taken as it is.

Source: cleanvision 0.3 scales to 64 px on the longer side before it looks for blur."""

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
    }


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
