"""Matrices that scale a line of pixels: scaling is linear, and two small products scale an image faster than a general filter."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["box_matrix", "cubic_matrix"]

_BICUBIC: Final = -0.5
"""Pillow's, and Keys' own, parameter of the cubic kernel."""


@functools.lru_cache(maxsize=1_024)
def box_matrix(length: int, count: int, start: float = 0.0, end: float | None = None) -> NDArray[np.float32]:
    """Return what takes ``length`` pixels to ``count`` averages of equal parts between two places, shape (count, length).

    Examples
    --------
    >>> (3 * box_matrix(3, 2)).round().tolist()
    [[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]
    """
    until = float(length) if end is None else end
    edges = np.linspace(start, until, count + 1)
    left_of_edge = edges[:, None] - np.arange(length)  # how much of each pixel, once cut to it
    np.clip(left_of_edge, 0, 1, out=left_of_edge)
    overlap = left_of_edge[1:] - left_of_edge[:-1]
    overlap *= count / (until - start)
    return overlap.astype(np.float32)


@functools.lru_cache(maxsize=1_024)
def cubic_matrix(length: int, count: int) -> NDArray[np.float32]:
    """Return what takes ``length`` pixels to fewer by a cubic kernel so wide that none is skipped, shape (count, length).

    Source: Keys 1981, "Cubic convolution interpolation for digital image processing"; widened as Pillow's ``resize`` does.

    Examples
    --------
    >>> cubic_matrix(4, 2).sum(axis=1).round(6).tolist()
    [1.0, 1.0]
    """
    scale = length / count
    places = (np.arange(count)[:, None] + 0.5) * scale
    t = np.abs(np.arange(length)[None, :] + 0.5 - places) / scale
    np.minimum(t, 2, out=t)  # both pieces end in 0 at 2
    near = ((_BICUBIC + 2) * t - (_BICUBIC + 3)) * t * t + 1
    far = _BICUBIC * (((t - 5) * t + 8) * t - 4)
    weights = np.where(t < 1, near, far)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)
