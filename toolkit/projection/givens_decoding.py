"""What a core decodes and examines: measured on the dataset's own images, else from their megapixels, bytes and format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from toolkit.units import show

if TYPE_CHECKING:
    from toolkit.facts import DatasetProfile, MeasurementSet
    from toolkit.projection.givens import Givens
    from toolkit.projection.scenario import Scenario

__all__ = ["gather_decoding"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Format:
    """What decoding images of a format takes."""

    megapixel_s: float
    """Core-seconds for a million pixels."""
    image_s: float
    """Core-seconds for an image however small."""
    pixel_bytes: float
    """Encoded bytes of a pixel, by which pixels are told from bytes where nobody states them."""


_FORMATS: Final = {
    "jpeg": _Format(megapixel_s=4.8e-3, image_s=3e-5, pixel_bytes=0.37),
    "png": _Format(megapixel_s=13e-3, image_s=3e-5, pixel_bytes=1.95),
    "webp": _Format(megapixel_s=13e-3, image_s=3e-5, pixel_bytes=0.16),
    "tiff": _Format(megapixel_s=0.8e-3, image_s=1.3e-4, pixel_bytes=3.0),
}
"""Source: measured on one core of an AMD EPYC server: simplejpeg 3.3 ms a megapixel of 0.22 bytes a pixel, 4.8 strict at 0.37
(700 images of 0.29 megapixels and 106 kB a second); Pillow 13 ms for PNG and WebP, 0.8 ms for TIFF without compression."""

_BESIDE_IMAGE_S: Final = 3.3e-4
_BESIDE_BYTE_S: Final = 1.6e-9
"""Core-seconds of an image and of a byte that curation takes beside decoding.

Source: sha256 0.56 ns, reading 0.3 and writing 0.7 ns a byte, measured; the rest is what a strict decode of 0.70 to 0.80 of the
time leaves of an image of 0.29 megapixels and 106 kB."""

_NEAR: Final = 1.2
"""Ratio of pixels up to which a rate measured on other images is taken as it is."""


def gather_decoding(givens: Givens, scenario: Scenario, profile: DatasetProfile | None, measured: MeasurementSet | None) -> None:
    """Add images that a core decodes each second, and what curation takes over that."""
    kind = scenario.dataset.format or _profiled(profile)
    costs, size = _FORMATS[kind], givens.by_name["start.bytes_per_image"].value
    pixels, where, spread = _pixels(scenario, profile, costs, size)
    decode_s = costs.image_s + costs.megapixel_s * pixels / 1e6
    found = None if measured is None else measured.find("decode.core") or measured.find("ceiling.decode_core")
    if found is not None and found.unit == "images_per_s":
        own = profile.mean_pixels if profile is not None and profile.image_count else pixels
        ratio = (costs.image_s + costs.megapixel_s * own / 1e6) / decode_s
        factor = ratio if not 1 / _NEAR < ratio < _NEAR else 1.0
        what = "images decoded on one core"
        what += f", of {own / 1e6:.2g} Mpx, scaled to {pixels / 1e6:.2g} Mpx" if factor != 1 else ""
        givens.measure("supply.core_images_per_s", "images_per_s", found, what, factor)
        decode_s = 1 / givens.by_name["supply.core_images_per_s"].value
    else:
        source = (
            f"{kind.upper()} of {pixels / 1e6:.2g} Mpx ({where}) on one core of a current server, as this toolkit measured it"
        )
        givens.add("supply.core_images_per_s", "images_per_s", 1 / decode_s, source, "assumed", spread=spread)
        given = show(1 / decode_s, "images_per_s")
        givens.flags.append(
            f"no decode rate was measured: {given} on a core is assumed for {kind.upper()} of {pixels / 1e6:.2g} Mpx; "
            "run tonnage measure on the target"
        )
    factor = 1 + (_BESIDE_IMAGE_S + _BESIDE_BYTE_S * size) / decode_s
    source = "sha256, reading and writing 1.6 ns a byte and 0.33 ms an image beside decoding, measured on this toolkit's curation"
    givens.add("curation.beside_factor", "ratio", factor, source, "published", spread=(0.92, 1.08))


def _profiled(profile: DatasetProfile | None) -> str:
    """Return the format that most images of a dataset have, or JPEG where that is not known."""
    known = {name.lower(): count for name, count in (profile.formats if profile is not None else {}).items()}
    return max((name for name in known if name in _FORMATS), key=lambda name: known[name], default="jpeg")


def _pixels(
    scenario: Scenario, profile: DatasetProfile | None, costs: _Format, size_bytes: float
) -> tuple[float, str, tuple[float, float]]:
    """Return pixels of an image, where they are from, and how far a rate that rests on them may be off."""
    stated = scenario.dataset.pixels
    if stated is not None:
        return stated, "stated", (0.6, 1.5)
    if scenario.dataset.image_size is None and profile is not None and profile.image_count:
        return profile.mean_pixels, "of the profile", (0.6, 1.5)
    return size_bytes / costs.pixel_bytes, f"taken as {costs.pixel_bytes:g} bytes a pixel", (0.5, 1.7)
