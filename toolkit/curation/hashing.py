"""Identities of an image: of its bytes, of its pixels, and of what it looks like."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import xxhash

from toolkit.curation.pixels import pixel_hash, pixel_hash_of
from toolkit.curation.scaling import box_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "Span",
    "byte_check",
    "byte_identity",
    "luma_hash",
    "perceptual_hash",
    "perceptual_hashes",
    "pixel_hash",
    "pixel_hash_of",
]

Span: TypeAlias = tuple[float, float]
"""From where to where, in pixels."""

_GRID: Final = 32
_LOW: Final = 8
_FADING: Final = 6
"""Averages at each edge over which a picture fades, evenly: of the widths and shapes that were tried (3 to 16, even and sines),
the one that finds most copies without more wrong pairs (``benchmarks/near_duplicates.py``)."""

_DECIMALS: Final = 2
"""Coefficients are rounded to this: what is left of a flat image is noise of the arithmetic, and must not become bits."""


def byte_identity(payload: bytes) -> tuple[str, str]:
    """Return ``image_id`` (the first 128 bits) and sha256 of bytes, hex.

    Examples
    --------
    >>> byte_identity(b"")[0]
    'e3b0c44298fc1c149afbf4c8996fb924'
    """
    digest = hashlib.sha256(payload).hexdigest()
    return digest[:32], digest


def byte_check(payload: bytes) -> str:
    """Return a 128-bit checksum of bytes, hex, to know them again in the same run: fourteen times as fast as sha256.

    Source: xxHash, XXH3. It finds what changed by itself, not what somebody made to look unchanged.
    """
    return xxhash.xxh3_128_hexdigest(payload)


def luma_hash(luma: NDArray[np.uint8], width_px: int, height_px: int) -> str:
    """Return a hash over size and a scaled luma: images that differ in it differ in their pixels."""
    state = xxhash.xxh3_128(f"{width_px}x{height_px}".encode())
    state.update(np.ascontiguousarray(luma).tobytes())
    return str(state.hexdigest())


@functools.lru_cache(maxsize=4_096)
def _low_frequencies(length: int, start: float, end: float) -> NDArray[np.float32]:
    """Return what takes ``length`` pixels to the 8 lowest frequencies of 32 averages between two places, shape (8, length).

    Box filter, fading towards the edges and cosine transform are all linear: one small matrix is all three.

    Source: Ahmed, Natarajan and Rao 1974, discrete cosine transform (type II, orthonormal).
    """
    return np.asarray((_cosines() * _fading()) @ box_matrix(length, _GRID, start, end), dtype=np.float32)


@functools.cache
def _cosines() -> NDArray[np.float64]:
    """Return the 8 lowest rows of the transform of 32 values, shape (8, 32)."""
    k, n = np.arange(_LOW)[:, None], np.arange(_GRID)[None, :]
    cosines = np.sqrt(2 / _GRID) * np.cos(np.pi * (2 * n + 1) * k / (2 * _GRID))
    cosines[0] /= np.sqrt(2)
    return np.asarray(cosines)


def _fading() -> NDArray[np.float64]:
    """Return how much each of 32 averages counts: what a crop takes away, and what moves most by it, lies at the edges."""
    from_edge = np.minimum(np.arange(_GRID), _GRID - 1 - np.arange(_GRID)) + 0.5
    return np.asarray(np.minimum(1, from_edge / _FADING))


@functools.cache
def _of_gray() -> NDArray[np.float32]:
    """Return the 8 x 8 lowest frequencies of a flat image, whose first is 1: fading makes it more than a mean."""
    line = _cosines() @ _fading()
    return np.asarray(np.outer(line, line) / line[0] ** 2, dtype=np.float32)


def perceptual_hash(luma: NDArray[np.uint8], spans: tuple[Span, Span] | None = None) -> int:
    """Return a 64-bit hash of what a luma looks like, as a signed integer; alike images differ in few bits.

    Parameters
    ----------
    luma : numpy.ndarray
        Shape (height, width).
    spans : ((float, float), (float, float)), optional
        From where to where the image goes in it, down and across, in its pixels. A scaled luma is rounded up to whole pixels;
        taken as a whole it would be stretched by up to a fiftieth, which is a crop to this hash.

    Source: the DCT hash of Zauner 2010, "Implementation and benchmarking of perceptual image hash functions": luma averaged
    to 32 x 32, its 8 x 8 lowest frequencies. Each gives a bit, its sign, where Zauner's is held against the median of all: a
    mirrored or turned image has the same frequencies with other signs, or in other places, so that its hash follows from
    this one bit by bit (``turning.turned_hashes``). The first frequency, the mean, gives none; it is taken off before the
    picture fades to nothing at its edges, which Zauner's does not: cropped copies are found more often, and drawings so plain
    that most frequencies of them are none are told apart more often (``docs/near_duplicates.md``).

    Examples
    --------
    >>> perceptual_hash(np.zeros((4, 4), dtype=np.uint8))
    0
    """
    height, width = luma.shape
    return perceptual_hashes([luma], [spans or ((0.0, float(height)), (0.0, float(width)))])[0]


def perceptual_hashes(lumas: Sequence[NDArray[np.uint8]], spans: Sequence[tuple[Span, Span]]) -> list[int]:
    """Return what ``perceptual_hash`` does of many lumas, their frequencies made to bits at once; of each as if it were alone."""
    low = np.empty((len(lumas), _LOW, _LOW), dtype=np.float32)
    for luma, (down, across), found in zip(lumas, spans, low, strict=True):
        height, width = luma.shape
        half = _low_frequencies(height, *down) @ luma.astype(np.float32)
        np.matmul(half, _low_frequencies(width, *across).T, out=found)
    low -= low[:, :1, :1] * _of_gray()
    bits = np.round(low.reshape(len(lumas), _LOW * _LOW), _DECIMALS) > 0
    bits[:, 0] = False
    return [int(value) for value in np.packbits(bits, axis=1).view(">i8").ravel()]
