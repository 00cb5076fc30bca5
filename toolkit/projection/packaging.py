"""What containers, blocks and codecs make of image bytes: tar members, files rounded to blocks, other encodings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["CODEC_BYTES_PER_PIXEL", "block_rounded_bytes", "codec_bytes", "object_count", "small_file_bytes", "tar_bytes"]

_PIXELS: Final = 1e6 * 256**2
CODEC_BYTES_PER_PIXEL: Final = {
    "jpeg_q95": 29.9e9 / _PIXELS,
    "jpeg_q100": 54.2e9 / _PIXELS,
    "webp_q95": 23.8e9 / _PIXELS,
    "png_9": 97.7e9 / _PIXELS,
}
"""Bytes of a pixel by codec.  Source: img2dataset@95523bc, README: a million photographs of 256 x 256 in each."""


@formula(
    "bytes",
    "images x (512 + mean bytes + 256) + archives x (512 + 1024 + 4864)",
    valid={"mean_image_bytes": (512, 8 * 2**30, "ends are taken to fall anywhere in a block; ustar has 8 GiB for a member")},
)
def tar_bytes(image_count: Draws, mean_image_bytes: Draws, archive_count: Draws) -> Any:
    """Bytes of tar archives: a header of 512 per member, half a block of padding, an end mark padded to 10,240.

    Source: POSIX.1-2017 pax, ustar interchange format; GNU tar blocks records by 20.

    Examples
    --------
    >>> round(tar_bytes(1_281_167.0, 114_660.07, 1000.0) / 1e9, 2)
    147.89
    """
    return image_count * (512 + mean_image_bytes + 256) + archive_count * (512 + 1024 + 4864)


@formula("bytes", "size rounded up to whole blocks")
def block_rounded_bytes(size_bytes: Draws, block_bytes: Draws) -> Any:
    """Bytes that a file takes on a filesystem of fixed blocks.

    Source: stas00/ml-engineering@744d01e, storage: 16 KiB files on 16 MiB blocks take 1,024 times their size.

    Examples
    --------
    >>> float(block_rounded_bytes(16 * 2**10, 16 * 2**20)) / (16 * 2**10)
    1024.0
    """
    return np.ceil(size_bytes / np.maximum(block_bytes, 1.0)) * np.maximum(block_bytes, 1.0)


@formula("bytes", "files x (half a block + an inode), or a block less the file where it is smaller than one")
def small_file_bytes(file_count: Draws, mean_file_bytes: Draws, block_bytes: Draws, inode_bytes: Draws) -> Any:
    """Bytes that files take beyond their content, where they are kept one by one.

    Source: the last block of a file is on average half full where files are larger than blocks; else it is its only one.

    Examples
    --------
    >>> float(small_file_bytes(1000.0, 100_000.0, 4096.0, 0.0)) / 1000
    2048.0
    """
    waste = np.where(np.asarray(mean_file_bytes) < block_bytes, block_bytes - mean_file_bytes, block_bytes / 2)
    return file_count * (waste + inode_bytes)


@formula("count", "bytes / bytes of an object, rounded up", valid={"object_bytes": (1, math.inf)})
def object_count(size_bytes: Draws, object_bytes: Draws) -> Any:
    """Objects or shards that bytes are kept in.

    Source: definition.

    Examples
    --------
    >>> float(object_count(1e12, 256e6))
    3907.0
    """
    return np.ceil(size_bytes / object_bytes)


def codec_bytes(image_count: float, image_pixels: float, codec: str) -> float:
    """Return the bytes of photographs in a codec.

    Source: img2dataset@95523bc, README, scaled by pixels; photographs near 256 x 256, larger ones take fewer bytes a pixel.

    Examples
    --------
    >>> round(codec_bytes(1e6, 256**2, "png_9") / codec_bytes(1e6, 256**2, "jpeg_q95"), 2)
    3.27
    """
    return image_count * image_pixels * CODEC_BYTES_PER_PIXEL[codec]
