"""Identities of an image: of its bytes, of its pixels, and of what it looks like."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np
import xxhash
from PIL import ImageOps

from toolkit.dataset.decoding import open_image

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["byte_identity", "luma_hash", "perceptual_hash", "pixel_hash", "pixel_hash_of"]

_GRID: Final = 32
_LOW: Final = 8

_EQUAL_MODES: Final = {"1": "L", "P": "RGB", "PA": "RGBA", "LA": "RGBA", "RGBX": "RGB"}
"""Modes that only pack the same colours otherwise; a palette with transparency becomes RGBA."""


def byte_identity(payload: bytes) -> tuple[str, str]:
    """Return ``image_id`` (the first 128 bits) and sha256 of bytes, hex.

    Examples
    --------
    >>> byte_identity(b"")[0]
    'e3b0c44298fc1c149afbf4c8996fb924'
    """
    digest = hashlib.sha256(payload).hexdigest()
    return digest[:32], digest


def luma_hash(luma: NDArray[np.uint8], width_px: int, height_px: int) -> str:
    """Return a hash over size and a scaled luma: images that differ in it differ in their pixels."""
    state = xxhash.xxh3_128(f"{width_px}x{height_px}".encode())
    state.update(np.ascontiguousarray(luma).tobytes())
    return str(state.hexdigest())


def pixel_hash(payload: bytes) -> str | None:
    """Return a hash over mode, display size and the full-resolution, full-colour pixels of encoded bytes; None if undecodable.

    Bytes that differ only in metadata or in a lossless container hash alike.
    """
    try:
        with open_image(payload) as opened:
            return pixel_hash_of(opened)
    except (OSError, ValueError, SyntaxError, MemoryError):
        return None


def pixel_hash_of(opened: Image.Image) -> str:
    """Return the pixel hash of an opened image."""
    image = ImageOps.exif_transpose(opened)
    mode = _EQUAL_MODES.get(image.mode, image.mode)
    if image.mode == "P" and "transparency" in image.info:
        mode = "RGBA"
    if mode != image.mode:
        image = image.convert(mode)
    state = xxhash.xxh3_128(f"{image.mode}:{image.width}x{image.height}".encode())
    state.update(image.tobytes())
    return str(state.hexdigest())


@functools.cache
def _cosines() -> NDArray[np.float32]:
    """Return the first rows of the DCT-II matrix, shape (8, 32).

    Source: Ahmed, Natarajan and Rao 1974, discrete cosine transform (type II, orthonormal).
    """
    k, n = np.arange(_LOW)[:, None], np.arange(_GRID)[None, :]
    rows = np.sqrt(2 / _GRID) * np.cos(np.pi * (2 * n + 1) * k / (2 * _GRID))
    rows[0] /= np.sqrt(2)
    return np.asarray(rows, dtype=np.float32)


def perceptual_hash(luma: NDArray[np.uint8]) -> int:
    """Return a 64-bit hash of what a luma looks like, as a signed integer; alike images differ in few bits.

    Source: the DCT hash of Zauner 2010, "Implementation and benchmarking of perceptual image hash functions": 32 x 32
    luma, its 8 x 8 lowest frequencies against their median.
    """
    small = _boxed(luma)
    low = _cosines() @ small @ _cosines().T
    bits = low.ravel() > np.median(low)
    return int(np.packbits(bits).view(">i8")[0])


def _boxed(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a luma averaged over 32 x 32 boxes whose edges may lie between pixels: exact area weights, two small products."""
    height, width = luma.shape
    return np.asarray(_box_weights(height) @ luma.astype(np.float32) @ _box_weights(width).T)


@functools.lru_cache(maxsize=512)
def _box_weights(length: int) -> NDArray[np.float32]:
    """Return the share of each of ``length`` pixels in each of 32 equal boxes, shape (32, length)."""
    edges = np.linspace(0, length, _GRID + 1)
    starts, ends = edges[:-1, None], edges[1:, None]
    pixels = np.arange(length)[None, :]
    overlap = np.clip(np.minimum(ends, pixels + 1) - np.maximum(starts, pixels), 0, None)
    return np.asarray(overlap * (_GRID / length), dtype=np.float32)
