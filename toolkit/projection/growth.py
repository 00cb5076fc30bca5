"""How many images and bytes there are, month by month."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.projection.explain import formula
from toolkit.units import MONTH_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from toolkit.projection.scenario import Growth

    Draws = NDArray[np.float64]

__all__ = [
    "all_component_bytes", "arriving_images", "component_bytes", "expired_images", "fitted_growth", "growth_images",
    "image_bytes", "images_at",
]  # fmt: skip

_NOTHING: Final = np.zeros((1, 1))


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
    else:
        added = np.zeros_like(months)
    events = np.array([sum(images for month, images in growth.steps.items() if month <= now) for now in months], dtype=float)
    return np.asarray(added + events, dtype=np.float64)[None, :]


def expired_images(growth: Growth, start_images: float, months: NDArray[np.float64]) -> tuple[Draws, Draws]:
    """Return what the retention has deleted by each month: the share of the images that were there at first, and images added.

    Source: what came in by a month is gone a retention later; what is there now is taken to have come in now.

    Examples
    --------
    >>> from toolkit.projection.scenario import Growth
    >>> kept = Growth(kind="linear", images_per_month=10, retention="2 months")
    >>> [part.tolist() for part in expired_images(kept, 100, np.array([0.0, 1.0, 2.0, 3.0]))]
    [[[0.0, 0.0, 1.0, 1.0]], [[0.0, 0.0, 0.0, 10.0]]]
    """
    if growth.retention is None:
        return np.zeros((1, len(months))), np.zeros((1, len(months)))
    before = months - growth.retention / MONTH_S
    gone = growth_images(growth, start_images, np.maximum(before, 0.0))
    return (before >= 0).astype(float)[None, :], np.where(before > 0, gone, 0.0)


def fitted_growth(ages_months: Sequence[float], images: Sequence[float]) -> tuple[str, float]:
    """Return the kind of growth that a history follows best, and its rate: images a month, or the factor over a year.

    Least squares of the counts for linear growth, of their logarithms for exponential; the one whose counts are nearer, in
    ratios, is taken. Exponential growth is told only from four points on.

    Source: least squares (Gauss 1809).

    Examples
    --------
    >>> fitted_growth([0.0, 1.0, 2.0], [100.0, 110.0, 120.0])[0]
    'linear'
    >>> kind, factor = fitted_growth([0.0, 6.0, 12.0, 24.0], [100.0, 141.4, 200.0, 400.0])
    >>> kind, round(factor, 2)
    ('exponential', 2.0)
    """
    ages, counts = np.asarray(ages_months, dtype=float), np.asarray(images, dtype=float)
    slope, base = np.polyfit(ages, counts, 1)
    rate, log_base = np.polyfit(ages, np.log(counts), 1)
    misses = [np.abs(fit / counts - 1).mean() for fit in (base + slope * ages, np.exp(log_base + rate * ages))]
    if len(ages) >= 4 and misses[1] < misses[0] and rate > 0:
        return "exponential", float(np.exp(12 * rate))
    return "linear", max(0.0, float(slope))


@formula("images", "images now, less those expired, + (images added - those expired) x how far growth may be off; at least 0")
def images_at(
    start_images: Draws,
    added_images: Draws,
    growth_factor: Draws,
    expired_share: Draws = _NOTHING,
    expired_added_images: Draws = _NOTHING,
) -> Any:
    """Images kept, by month.  Source: the scenario's growth and retention."""
    return np.maximum(0.0, start_images * (1 - expired_share) + (added_images - expired_added_images) * growth_factor)


@formula("images_per_s", "images added in a month / seconds of a month / share of what comes in that is kept", across_months=True)
def arriving_images(added_images: Draws, growth_factor: Draws, kept_share: Draws, month_s: Draws) -> Any:
    """Images that come in each second, before curation; deletions are none.  Source: definition; the last growth goes on."""
    added = np.diff(added_images, axis=1, prepend=added_images[:, :1])
    if added_images.shape[1] > 1:
        added[:, 0] = added[:, 1]
    return np.maximum(added, 0.0) * growth_factor / month_s / kept_share


@formula("bytes", "images x mean bytes per image")
def image_bytes(images: Draws, bytes_per_image: Draws) -> Any:
    """Encoded bytes of the images kept.  Source: definition."""
    return images * bytes_per_image


@formula("bytes", "samples now x bytes of a sample x yearly factor ^ (months / 12)")
def component_bytes(sample_count: Draws, sample_bytes: Draws, yearly_factor: Draws, month_index: Draws) -> Any:
    """Bytes of data beside the images, by declared figures: audio, video, text.  Source: the scenario's dataset.components."""
    return sample_count * sample_bytes * yearly_factor ** (month_index / 12)


@formula("bytes", "sum over the declared components")
def all_component_bytes(**part_bytes: Draws) -> Any:
    """Bytes of all the data beside the images.  Source: sum of the parts."""
    return sum(part_bytes.values(), start=np.zeros((1, 1)))
