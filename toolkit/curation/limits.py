"""What is held against each image's header before anything is decoded, and what is asked of the decode."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.curation.recipe import Recipe

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is held against the header before anything is decoded, and what is asked of the decode."""

    min_side_px: int = 16
    """Kept for the recipe's rule; nothing is refused for being small."""
    max_pixels: int = 178_956_970
    """Pixels above which an image is refused. Source of the default: Pillow's own limit."""
    max_frames: int = 10_000
    """Frames above which a file is refused."""
    max_decoded_bytes: int = 2**30
    """Memory above which a file is not decoded, whatever its pixels."""
    image_deadline_s: float = 120
    """Seconds after which a decoder that has not come to an end hangs."""
    frames: str = "first"
    """``first`` takes a file of several frames as one image; ``explode`` each frame as one."""
    colour_scores: bool = False
    """Whether colour is decoded too, and scored."""

    @classmethod
    def of(cls, recipe: Recipe) -> Limits:
        """Return the limits of a recipe."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: getattr(recipe, name) for name in names})
