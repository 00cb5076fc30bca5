"""Accelerators as storage benchmarks emulate them: a batch, the time of a step, and the share of it that must be reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import UsageError
from toolkit.laws.storage_benchmark import device_read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["DEFAULT_PRESETS", "PRESETS", "Preset", "own_preset", "preset_of", "presets_named"]

_V2: Final = "mlcommons/storage@caa90c9, configs/dlio/workload (v2.0)"
_V3: Final = "mlcommons/storage@11460d0, configs/dlio/workload (v3.0)"
_HALF: Final = f"{_V3}; half of the H100's time, which was not measured"
_MIN_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What one accelerator does with the data it is given."""

    name: str
    """What the user calls it."""
    title: str
    """Model and accelerator."""
    batch_count: int
    """Samples of a step."""
    step_s: float
    """Seconds that a step computes."""
    sample_bytes: float
    """Mean bytes of a sample in the benchmark."""
    least_share: float
    """The utilisation that must be reached."""
    is_image: bool
    """Whether a sample is an image; else that many bytes of this dataset stand for one."""
    source: str
    """Where the figures come from."""
    resize_px: int | None = None
    """Side of the square that images are decoded to; None decodes at full size."""

    @property
    def demand_bytes_per_s(self) -> float:
        """What one accelerator reads to be kept busy, with the benchmark's samples."""
        return float(device_read(self.sample_bytes, self.batch_count, self.step_s))


_TABLE: Final = (
    # name, model and accelerator, batch, seconds of a step, bytes of a sample, least share, source, side of an image
    ("resnet50-a100", "ResNet-50 on A100", 400, 0.435, 114_660.07, 0.9, _V2, 224),
    ("resnet50-h100", "ResNet-50 on H100", 400, 0.224, 114_660.07, 0.9, _V2, 224),
    ("retinanet-h100", "RetinaNet on H100", 16, 0.18, 153_600, 0.85, _V3, 0),
    ("retinanet-b200", "RetinaNet on B200", 24, 0.04755, 322_957, 0.85, _V3, 0),
    ("unet3d-a100", "3D U-Net on A100", 7, 0.636, 146_600_628, 0.9, _V2, None),
    ("unet3d-h100", "3D U-Net on H100", 7, 0.323, 146_600_628, 0.9, _V2, None),
    ("unet3d-b200", "3D U-Net on B200", 7, 0.162, 146_600_628, 0.9, _HALF, None),
    ("cosmoflow-a100", "CosmoFlow on A100", 1, 0.00551, 2_828_486, 0.7, _V2, None),
    ("cosmoflow-h100", "CosmoFlow on H100", 1, 0.0035, 2_828_486, 0.7, _V2, None),
)
"""What the benchmark publishes; a side of 0 is an image at full size, None a sample that is no image."""

PRESETS: Final = {
    name: Preset(
        name=name, title=title, batch_count=batch, step_s=step_s, sample_bytes=size, least_share=least, source=source,
        is_image=side_px is not None, resize_px=side_px or None,
    )
    for name, title, batch, step_s, size, least, source, side_px in _TABLE
}  # fmt: skip
"""The presets by name. Where an accelerator is missing, the benchmark has published no time for it."""

DEFAULT_PRESETS: Final = ("resnet50-h100",)


def own_preset(step_s: float, batch_count: int, least_share: float = _MIN_SHARE) -> Preset:
    """Return an accelerator of the user's own: its step time and batch; a sample is an image of the dataset.

    Raises
    ------
    UsageError
        If a step takes no time or no image.
    """
    if not step_s > 0 or batch_count < 1:
        raise UsageError(f"a step takes more than 0 s and at least one image, not {step_s!r} s and {batch_count!r} images")
    return Preset(
        name="own", title=f"A step of {step_s * 1e3:g} ms over {batch_count} images", batch_count=batch_count, step_s=step_s,
        sample_bytes=0.0, least_share=least_share, is_image=True, source="stated by the user", resize_px=224,
    )  # fmt: skip


def presets_named(names: Sequence[str]) -> tuple[Preset, ...]:
    """Return presets by their names.

    Raises
    ------
    UsageError
        If one does not exist; the message lists those there are.

    Examples
    --------
    >>> [preset.batch_count for preset in presets_named(["resnet50-h100", "retinanet-b200"])]
    [400, 24]
    """
    if unknown := [name for name in names if name not in PRESETS]:
        raise UsageError(f"there is no preset '{unknown[0]}'; the presets are {', '.join(PRESETS)}")
    return tuple(PRESETS[name] for name in dict.fromkeys(names))


def preset_of(facts: Mapping[str, Any]) -> Preset:
    """Return a preset from plain JSON types."""
    return Preset(**facts)
