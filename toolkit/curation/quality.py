"""Scores of an image from its scaled luma: stored for every image, judged by nobody until a recipe names a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["scores"]


def scores(luma: NDArray[np.uint8], width_px: int, height_px: int) -> dict[str, Any]:
    """Return the scores of ``toolkit.dataset.schema.SCORE_FIELDS``.

    Parameters
    ----------
    luma : numpy.ndarray
        Shape (height, width), uint8: a reduced decode of the image, its longest side about 256 pixels.
    width_px, height_px : int
        Display size of the image.

    Notes
    -----
    Dark and light are the 99th and 5th percentile of brightness and the aspect the shorter over the longer side, as
    cleanvision 0.3 has them (on luma); sharpness is the variance of the 4-neighbour Laplacian, Pech-Pacheco et al. 2000,
    "Diatom autofocusing in brightfield microscopy"; entropy is Shannon's over the 256 gray levels.

    Examples
    --------
    >>> flat = scores(np.zeros((64, 64), np.uint8), 64, 64)
    >>> flat["entropy_bits"], flat["dark_share"], flat["sharpness_score"], flat["aspect_share"]
    (0.0, 0.0, 0.0, 1.0)
    """
    histogram = np.bincount(luma.ravel(), minlength=256).astype(np.float64)
    shares = histogram / histogram.sum()
    levels = np.arange(256) / 255.0
    mean = float(shares @ levels)
    cumulative = np.cumsum(shares)
    present = shares[shares > 0]
    return {
        "sharpness_score": _laplacian_variance(luma),
        "brightness_share": mean,
        "dark_share": float(levels[int(np.searchsorted(cumulative, 0.99))]),
        "light_share": float(levels[int(np.searchsorted(cumulative, 0.05))]),
        "contrast_share": float(np.sqrt(max(0.0, shares @ (levels - mean) ** 2))),
        "entropy_bits": float(max(0.0, -(present @ np.log2(present)))),
        "aspect_share": min(width_px, height_px) / max(width_px, height_px),
        "colorfulness_score": None,
    }


def _laplacian_variance(luma: NDArray[np.uint8]) -> float:
    if min(luma.shape) < 3:
        return 0.0
    gray = luma.astype(np.int16)
    laplacian = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * gray[1:-1, 1:-1]
    return float(laplacian.astype(np.float32).var())
