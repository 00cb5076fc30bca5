"""The wiring: which formula takes which quantities. A scale on the data asks "and if there is twice as much?"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toolkit.projection import growth, serving, sizing, training_run
from toolkit.projection.explain import Ledger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from toolkit.projection.scenario import Scenario
    from toolkit.projection.uncertainty import Given

    Draws = NDArray[np.float64]

__all__ = ["evaluate"]


def evaluate(
    scenario: Scenario, givens: Mapping[str, Given], values: Mapping[str, Draws], months: NDArray[np.float64], scale: float = 1.0
) -> Ledger:
    """Return the ledger of a scenario for given draws.

    Parameters
    ----------
    scenario : Scenario
        What is asked.
    givens : mapping of str to Given
        The inputs, with their sources.
    values : mapping of str to numpy.ndarray
        Their draws, shape (draws, 1).
    months : numpy.ndarray
        Months to evaluate at.
    scale : float
        Factor on the number of images.
    """
    ledger = Ledger()
    for name, given in givens.items():
        drawn = values[name] * scale if name == "start.images" else values[name]
        ledger.give(name, given.unit, drawn, source=given.source, evidence=given.evidence)
    _dataset(ledger, scenario, givens, months, scale)
    if scenario.training is not None:
        training_run.derive_demand(ledger, scenario.training)
    else:
        training_run.derive_nothing(ledger)
    sizing.derive(ledger)
    if scenario.training is not None:
        training_run.derive_outcome(ledger)
    if scenario.inference is not None:
        serving.derive(ledger, scenario.inference, months)
    return ledger


def _dataset(ledger: Ledger, scenario: Scenario, givens: Mapping[str, Given], months: Draws, scale: float) -> None:
    derive = ledger.derive
    added = growth.growth_images(scenario.growth, givens["start.images"].value, months) * scale
    ledger.give(
        "growth.added_images",
        "images",
        added,
        source=f"growth of kind {scenario.growth.kind}",
        evidence="assumed",
    )
    derive(
        "dataset.images",
        growth.images_at,
        start_images="start.images",
        added_images="growth.added_images",
        growth_factor="growth.factor",
    )
    derive("dataset.image_bytes", growth.image_bytes, images="dataset.images", bytes_per_image="start.bytes_per_image")
    declared = sum(
        (part.samples * part.sample_size * part.yearly_factor ** (months / 12) for part in scenario.dataset.components),
        start=np.zeros_like(months),
    )
    source = ", ".join(part.name for part in scenario.dataset.components) or "none declared"
    ledger.give("dataset.declared_bytes", "bytes", np.atleast_2d(declared) * scale, source=source, evidence="assumed")
    derive("dataset.component_bytes", growth.component_bytes, declared_bytes="dataset.declared_bytes")
    derive(
        "dataset.arriving_images_per_s",
        growth.arriving_images,
        images="dataset.images",
        kept_share="start.kept_share",
        month_s="month_s",
    )
