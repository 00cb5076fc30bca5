"""Decoding by class: format, size and JPEG quality; pixels per second within a class is what carries over to other datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.measurement.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FORMATS", "QUALITIES", "SIZES", "class_stages"]

FORMATS: Final = ("jpeg", "png", "webp", "gif", "bmp", "tiff")
"""Formats that are told apart by their first bytes."""
SIZES: Final = ("under 0.1 MP", "0.1 to 1 MP", "1 to 4 MP", "4 MP and more")
"""Classes of size."""
QUALITIES: Final = ("under 75", "75 to 89", "90 and more")
"""Classes of JPEG quality, by the quantisation table, as libjpeg scales it."""

_LIMITS: Final = (
    "The bare codec on one core, in memory, full size, on the images of this class in the sample. Detail of the images moves it: "
    "the same class of another dataset decodes at a similar, not the same, rate."
)


def class_stages() -> Iterator[Stage]:
    """Yield a stage for each class; those that the sample has no images of are not measured."""
    for name in FORMATS:
        for size in SIZES:
            for quality in QUALITIES if name == "jpeg" else ("",):
                of = f" of quality {quality}" if quality else ""
                conditions = {"threads": 1, "format": name, "size_class": size} | ({"quality": quality} if quality else {})
                yield Stage(
                    metric="decode.class", title=f"Decode of {name}{of}, {size}", unit="pixels_per_s", family="decode",
                    limits=_LIMITS, conditions=conditions, window_count=1,
                )  # fmt: skip
