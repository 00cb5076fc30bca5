"""Scores of an image from its scaled luma: stored for every image, judged by nobody until a recipe names a threshold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from toolkit.curation.scaling import box_matrix, cubic_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SCORED_PX", "scored_luma", "scores"]

SCORED_PX: Final = 48
"""Shorter side of the luma that scores are taken from; a smaller image is taken as it is.

Source: cleanvision 0.3 scales to 64 px on the longer side before it looks for blur: 48 on the shorter, of most photographs."""

_FOCUS_PX: Final = 64

_EVEN_LEVELS: Final = 10
"""Gray levels of 255 by which a frame may stray from one shade: what JPEG adds to it."""

_LEVELS: Final = np.arange(256) / 255.0
_MOMENTS: Final = np.stack([np.ones(256), _LEVELS, _LEVELS**2], axis=1)
"""What takes a histogram to its total, its sum and its sum of squares."""

_LONGEST_PX: Final = 2_048
"""Longer lumas (panoramas) are scaled by Pillow: the matrix that does it for others grows with the square of the side."""


def scored_luma(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a luma averaged down to ``SCORED_PX`` on its shorter side, so that scores of all images are of one scale.

    Sharpness depends on the scale at which it is taken; decoders stop at whatever eighth of the size is large enough.
    """
    height, width = luma.shape
    shorter = min(height, width)
    if shorter <= SCORED_PX:
        return luma
    rows, columns = max(1, round(height * SCORED_PX / shorter)), max(1, round(width * SCORED_PX / shorter))
    if max(height, width) > _LONGEST_PX:
        return np.asarray(Image.fromarray(luma).resize((columns, rows), Image.Resampling.BOX, reducing_gap=2.0), dtype=np.uint8)
    scaled = box_matrix(height, rows) @ luma.astype(np.float32) @ box_matrix(width, columns).T
    return (scaled + np.float32(0.5)).astype(np.uint8)


def scores(luma: NDArray[np.uint8], width_px: int, height_px: int, fine: NDArray[np.uint8] | None = None) -> dict[str, Any]:
    """Return the scores of ``toolkit.dataset.schema.SCORE_FIELDS``.

    Parameters
    ----------
    luma : numpy.ndarray
        Shape (height, width), uint8, as ``scored_luma`` gives it.
    width_px, height_px : int
        Display size of the image.
    fine : numpy.ndarray, optional
        What the luma was scaled from: focus is told from it, since averages of averages look blurred; by default the luma.

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
    _, mean, square = _moments(counts)
    total = luma.size
    dark, light = counts.cumsum().searchsorted((0.99 * total, 0.05 * total)).tolist()
    gray = luma.astype(np.float32)
    finest = gray if fine is None or fine is luma else fine.astype(np.float32)
    return {
        "sharpness_score": _laplacian_variance(gray),
        "brightness_share": mean,
        "dark_share": dark / 255,
        "light_share": light / 255,
        "contrast_share": math.sqrt(max(0.0, square - mean**2)),
        "entropy_bits": _entropy_bits(counts, total),
        "aspect_share": min(width_px, height_px) / max(width_px, height_px),
        "colorfulness_score": None,
        "focus_score": _focus(finest, counts),
        "border_share": _border_share(luma),
    }


def _moments(counts: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return the total of a histogram over 256 levels, and the mean and the mean square of its shares of white."""
    total, level, square = (counts @ _MOMENTS).tolist()
    return total, level / total, square / total


def _entropy_bits(counts: NDArray[np.int64], total: int) -> float:
    """Source: Shannon 1948, "A mathematical theory of communication"."""
    present = counts[counts > 0]
    return max(0.0, math.log2(total) - float(present @ np.log2(present)) / total)


def _focus(gray: NDArray[np.float32], counts: NDArray[np.int64]) -> float:
    """Return how clear an image is: the spread of its edges at 64 px on the longer side, and of its histogram if that is uneven.

    Source: cleanvision 0.3.7, ``BlurrinessProperty``, with its defaults; there from the whole image, here from a scaled luma.
    """
    height, width = gray.shape
    total = int(counts.sum())
    ratio = max(width, height) / _FOCUS_PX
    if ratio > 1:
        gray = _shrunk(gray, max(1, int(height / ratio)), max(1, int(width / ratio)))
    mean, square = _edge_moments(gray)
    clear = 1 - math.exp(-2.55 * math.sqrt(max(0.0, square - mean**2)) / 255)
    deviation = math.sqrt(max(0.0, float(counts @ counts) / 256 - (total / 256) ** 2)) * gray.size / total
    spread = 1 - math.exp(-0.01 * deviation)
    return min(1.0, clear + (spread if spread > 0.18 else 0.0))


def _shrunk(gray: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Return whole gray levels scaled down by the cubic kernel, rounded after each direction as Pillow rounds."""
    if gray.shape[1] != columns:
        gray = _rounded(gray @ cubic_matrix(gray.shape[1], columns).T)
    return gray if gray.shape[0] == rows else _rounded(cubic_matrix(gray.shape[0], rows) @ gray)


def _rounded(gray: NDArray[np.float32]) -> NDArray[np.float32]:
    np.rint(gray, out=gray)
    return np.clip(gray, 0, 255, out=gray)


def _edge_moments(gray: NDArray[np.float32]) -> tuple[float, float]:
    """Return mean and mean square of eight times each pixel less its neighbours, cut to a byte; the border as it is.

    Source: Pillow, ``ImageFilter.FIND_EDGES``.
    """
    edges = gray.astype(np.float64)  # whole numbers: their sums are exact
    if min(gray.shape) > 2:
        columns = gray[:, :-2] + gray[:, 1:-1]
        columns += gray[:, 2:]
        inner = 9 * gray[1:-1, 1:-1]
        inner -= columns[:-2]
        inner -= columns[1:-1]
        inner -= columns[2:]
        edges[1:-1, 1:-1] = np.clip(inner, 0, 255, out=inner)
    flat = edges.ravel()
    return float(flat.sum()) / flat.size, float(flat @ flat) / flat.size


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
    first = lines[0].tobytes()  # most images end here
    if max(first) - min(first) > _EVEN_LEVELS:
        return 0
    shade = first[0]
    low, high = max(0, shade - _EVEN_LEVELS), min(255, shade + _EVEN_LEVELS)
    is_even = (lines.min(axis=1) >= low) & (lines.max(axis=1) <= high)
    return len(is_even) if is_even.all() else int(is_even.argmin())


def _laplacian_variance(gray: NDArray[np.float32]) -> float:
    """Return the variance of the 4-neighbour Laplacian; in squared gray levels."""
    if min(gray.shape) < 3:
        return 0.0
    laplacian = -4 * gray[1:-1, 1:-1]  # whole numbers below 2**11: exact
    laplacian += gray[:-2, 1:-1]
    laplacian += gray[2:, 1:-1]
    laplacian += gray[1:-1, :-2]
    laplacian += gray[1:-1, 2:]
    flat = laplacian.astype(np.float64).ravel()
    mean = float(flat.sum()) / flat.size
    return max(0.0, float(flat @ flat) / flat.size - mean**2)
