"""To which class of decoding an encoded image belongs: its format by its first bytes, its size, its JPEG quality."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from toolkit.measurement.stages_decode import QUALITIES, SIZES

if TYPE_CHECKING:
    from toolkit.measurement.subject import HeldImage

__all__ = ["class_of", "jpeg_quality"]

_MAGICS: Final = (
    (b"\xff\xd8", "jpeg"), (b"\x89PNG", "png"), (b"RIFF", "webp"), (b"GIF8", "gif"), (b"BM", "bmp"), (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
)  # fmt: skip
_SIZE_LIMITS_PX: Final = (100_000, 1_000_000, 4_000_000)
_QUALITY_LIMITS: Final = (75, 90)
_LUMA_TABLE_SUM: Final = 3_688
"""Sum of the example luminance table. Source: ITU-T T.81 (1992), table K.1."""


def class_of(image: HeldImage) -> tuple[str, str, str]:
    """Return format, class of size and class of quality of an image; of no format, or no quality, the text is empty."""
    name = next((name for magic, name in _MAGICS if image.payload.startswith(magic)), "")
    size = SIZES[sum(image.pixel_count >= limit for limit in _SIZE_LIMITS_PX)]
    quality = jpeg_quality(image.payload) if name == "jpeg" else None
    return name, size, "" if quality is None else QUALITIES[sum(quality >= limit for limit in _QUALITY_LIMITS)]


def jpeg_quality(payload: bytes) -> float | None:
    """Return the quality of libjpeg's scale whose luminance table has the sum that the file's has; None when it has none.

    Source: libjpeg ``jcparam.c``, ``jpeg_quality_scaling``: the table is scaled by 5000/q percent below 50, else by 200 - 2q.
    """
    from PIL import Image

    with Image.open(io.BytesIO(payload)) as image:
        tables = getattr(image, "quantization", None)
    if not tables:
        return None
    scale_percent = 100 * float(sum(tables[min(tables)])) / _LUMA_TABLE_SUM
    quality = 5_000 / scale_percent if scale_percent > 100 else (200 - scale_percent) / 2
    return float(max(1.0, min(100.0, quality)))
