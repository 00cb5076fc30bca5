"""How many images and bytes there are, month by month."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.projection.scenario import Growth

    Draws = NDArray[np.float64]

__all__ = ["arriving_images", "component_bytes", "growth_images", "image_bytes", "images_at"]


def growth_images(growth: Growth, start_images: float, months: NDArray[np.float64]) -> Draws:
    """Return the images added by each month under the stated growth, shape (1, months); without its uncertainty.

    Source: linear D0 + g t; exponential D0 q^(t/12); logistic K / (1 + (K/D0 - 1) e^(-r t)), Verhulst 1838, with r such
    that the first growth is that of the yearly factor.

    Examples
    --------
    >>> from toolkit.projection.scenario import Growth
    >>> growth_images(Growth(kind="exponential", yearly_factor=2), 100, np.array([0.0, 12.0, 24.0])).tolist()
    [[0.0, 100.0, 300.0]]
    """
    if growth.kind == "linear":
        added = growth.images_per_month * months
    elif growth.kind == "exponential":
        added = start_images * (growth.yearly_factor ** (months / 12) - 1)
    elif growth.kind == "logistic":
        ceiling = float(growth.ceiling_images or start_images)
        rate = np.log(growth.yearly_factor) / 12 / max(1e-9, 1 - start_images / ceiling)
        added = ceiling / (1 + (ceiling / start_images - 1) * np.exp(-rate * months)) - start_images
    elif growth.kind == "steps":
        added = np.array([sum(images for month, images in growth.steps.items() if month <= now) for now in months], dtype=float)
    else:
        added = np.zeros_like(months)
    return np.asarray(added, dtype=np.float64)[None, :]


@formula("images", "images now + images added by the month x how far growth may be off")
def images_at(start_images: Draws, added_images: Draws, growth_factor: Draws) -> Any:
    """Images kept, by month.  Source: the scenario's growth."""
    return start_images + added_images * growth_factor


@formula("images_per_s", "images added in a month / seconds of a month / share of what comes in that is kept")
def arriving_images(images: Draws, kept_share: Draws, month_s: Draws) -> Any:
    """Images that come in each second, before curation.  Source: definition; the last month's growth goes on."""
    added = np.diff(images, axis=1, prepend=images[:, :1])
    if images.shape[1] > 1:
        added[:, 0] = added[:, 1]
    return added / month_s / kept_share


@formula("bytes", "images x mean bytes per image")
def image_bytes(images: Draws, bytes_per_image: Draws) -> Any:
    """Encoded bytes of the images kept.  Source: definition."""
    return images * bytes_per_image


@formula("bytes", "samples x bytes per sample, over all declared components")
def component_bytes(declared_bytes: Draws) -> Any:
    """Bytes of the data beside the images.  Source: the scenario's dataset.components."""
    return declared_bytes
