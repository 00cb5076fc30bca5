"""Whether a scenario grows to something that can be projected: not backwards, and not beyond all measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from toolkit.errors import ScenarioError
from toolkit.projection.growth import growth_images
from toolkit.projection.scenario_types import LARGEST_BYTES, LARGEST_COUNT, LARGEST_PER_S
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.projection.scenario import Inference, Scenario

__all__ = ["check_devices", "check_growth", "check_load"]

_MOST_DEVICES: Final = 1e9
"""Devices beyond which a plan says nothing any more: a hundred times as many as were sold in a year (2024)."""


def check_growth(scenario: Scenario, now: Mapping[str, float]) -> None:
    """Hold what a dataset grows to against what it is now, which may come from a profile.

    Parameters
    ----------
    scenario : Scenario
        What is asked.
    now : mapping of str to float
        ``start.images`` and ``start.bytes_per_image``.

    Raises
    ------
    ScenarioError
        If growth ends below what there is, or goes beyond what can be projected.
    """
    growth, images, months = scenario.growth, now["start.images"], scenario.horizon_months
    ceiling = growth.ceiling_images
    if growth.kind == "logistic" and ceiling is not None and ceiling < images:
        raise ScenarioError(
            f"'growth.ceiling_images' ('{ceiling:,.0f}'): is below the {images:,.0f} images there are; state where growth ends, "
            "or delete images with 'growth.steps'"
        )
    grown = images + float(growth_images(growth, images, np.array([float(months)]))[0, 0])
    if grown > LARGEST_COUNT:
        raise ScenarioError(
            f"'growth': {show(images, 'images')} grow to {show(grown, 'images')} within {months} months, "
            f"and {show(LARGEST_COUNT, 'images')} are the most that can be projected; state less growth or a shorter "
            "'horizon_months'"
        )
    held = grown * now["start.bytes_per_image"]
    held += sum(part.samples * part.sample_size * part.yearly_factor ** (months / 12) for part in scenario.dataset.components)
    if held > LARGEST_BYTES:
        raise ScenarioError(
            f"'dataset' grows to {show(held, 'bytes')} within {months} months, and {show(LARGEST_BYTES, 'bytes')} is the most "
            "that can be projected; state less growth, or a shorter 'horizon_months'"
        )


def check_load(inference: Inference, months: int) -> None:
    """Hold what the load grows to against what can be projected.

    Raises
    ------
    ScenarioError
        If it goes beyond.
    """
    now = inference.requests_per_s if inference.streams is None else inference.streams * inference.frames_per_s
    grown = (now or 0.0) * inference.yearly_factor ** (months / 12)
    if grown > LARGEST_PER_S:
        raise ScenarioError(
            f"'inference.yearly_factor' ('{inference.yearly_factor:g}'): {show(now, 'per_s')} grow to {show(grown, 'per_s')} "
            f"within {months} months, and {show(LARGEST_PER_S, 'per_s')} is the most that can be projected"
        )


def check_devices(device_count: float) -> None:
    """Hold the devices that a run takes against what there could ever be.

    Raises
    ------
    ScenarioError
        If there are not so many.
    """
    if device_count > _MOST_DEVICES:
        raise ScenarioError(
            f"'training.deadline': a run within it takes {show(device_count, 'count')} devices, and "
            f"{show(_MOST_DEVICES, 'count')} are the most that can be planned; give it more time, fewer epochs or less data"
        )
