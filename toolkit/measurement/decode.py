"""Decoding from memory, so that no storage is in it: the bare codec as the ceiling, what the loader calls as the stage."""

from __future__ import annotations

import hashlib
import itertools
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final

from toolkit.dataset.decoding import decode_rgb, open_image
from toolkit.measurement.windows import Probe, Tally, run_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolkit.measurement.subject import HeldImage

__all__ = ["Decode", "Hash", "decodable", "decode_bare"]

_JPEG_MAGIC: Final = b"\xff\xd8"


class Decode(Probe):
    """Images in memory to pixels.

    Parameters
    ----------
    images : sequence of HeldImage
        What is decoded, over and over.
    threads : int
        Decoding threads; the decoders release the interpreter's lock.
    resize_px : int, optional
        Side of the square that images are brought to; None decodes at full size.
    is_bare : bool
        Whether only the codec runs: no orientation, no conversion, no resizing beyond what the codec does itself.
    """

    def __init__(self, images: Sequence[HeldImage], threads: int, resize_px: int | None, *, is_bare: bool) -> None:
        self.images = images
        self.threads = threads
        self.resize_px = resize_px
        self.is_bare = is_bare
        self._numbers = itertools.count()

    def run(self, deadline_s: float) -> Tally:
        """Decode until the deadline."""
        return run_threads([partial(self._decode, deadline_s)] * self.threads)

    def _decode(self, deadline_s: float) -> Tally:
        decode = decode_bare if self.is_bare else decode_rgb
        count = size_bytes = pixels = 0
        while True:
            image = self.images[next(self._numbers) % len(self.images)]
            decode(image.payload, self.resize_px)
            count, size_bytes, pixels = count + 1, size_bytes + len(image.payload), pixels + image.pixel_count
            if time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=size_bytes, images=count, pixels=pixels)


class Hash(Probe):
    """A hash of images in memory, on one thread: sha256 as curation and verified reads take it, or the CRC-32 of pages."""

    def __init__(self, images: Sequence[HeldImage], kind: str) -> None:
        self.images = images
        kinds: dict[str, Callable[[bytes], object]] = {"sha256": _sha256, "crc32": zlib.crc32}
        self.digest = kinds[kind]
        self._numbers = itertools.count()

    def run(self, deadline_s: float) -> Tally:
        """Hash until the deadline."""
        count = size_bytes = 0
        while True:
            payload = self.images[next(self._numbers) % len(self.images)].payload
            self.digest(payload)
            count, size_bytes = count + 1, size_bytes + len(payload)
            if time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=size_bytes, images=count)


def _sha256(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest()


def decode_bare(payload: bytes, resize_px: int | None = None) -> None:
    """Run the codec alone: libjpeg-turbo for JPEG, scaled in the transform if a size is asked for; else Pillow's."""
    if payload[:2] == _JPEG_MAGIC:
        import simplejpeg

        least_px = resize_px or 0
        try:
            simplejpeg.decode_jpeg(
                payload, colorspace="RGB", min_height=least_px, min_width=least_px, fastdct=False, strict=False
            )
        except ValueError:  # CMYK, which it does not turn into RGB
            pass
        else:
            return
    with open_image(payload) as image:
        image.load()


def decodable(images: Sequence[HeldImage]) -> tuple[HeldImage, ...]:
    """Return the images that decode; one that does not would end a window."""
    with ThreadPoolExecutor() as pool:
        return tuple(itertools.compress(images, pool.map(_decodes, images)))


def _decodes(image: HeldImage) -> bool:
    try:
        decode_rgb(image.payload)
    except (OSError, ValueError, SyntaxError):
        return False
    return True
