"""The wiring: which formula takes which quantities. A scale on the data asks "and if there is twice as much?"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from toolkit.projection import costs, edge, growth, serving, siting, sizing, training_run, upkeep
from toolkit.projection.explain import Ledger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from toolkit.projection.scenario import Scenario
    from toolkit.projection.uncertainty import Given

    Draws = NDArray[np.float64]

__all__ = ["evaluate"]


def evaluate(
    scenario: Scenario,
    givens: Mapping[str, Given],
    values: Mapping[str, Draws],
    months: NDArray[np.float64],
    scale: float = 1.0,
    *,
    bought: Draws | None = None,
    bought_nodes: Draws | None = None,
    margin_factor: float | None = None,
    ledger: Ledger | None = None,
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
    bought : numpy.ndarray, optional
        Devices for training that are there whatever the inputs turn out to be; by default those that the inputs call for.
    bought_nodes : numpy.ndarray, optional
        Nodes that are there beside them, likewise.
    margin_factor : float, optional
        Devices bought over those needed, where the draws are alternatives to each other and each is bought for on its own; by
        default the draws are what may turn out, and one count is bought for all of them.
    ledger : Ledger, optional
        What to enter all into; by default a new one.
    """
    ledger = Ledger() if ledger is None else ledger
    for name, given in givens.items():
        drawn = values[name] * scale if name == "start.images" else values[name]
        ledger.give(name, given.unit, drawn, source=given.source, evidence=given.evidence)
    if bought is not None and "training.gpu_count" not in ledger.values:
        ledger.give("training.gpu_count", "count", bought, source="as planned", evidence="stated")
    if bought_nodes is not None:
        ledger.give("training.node_count", "count", bought_nodes, source="as planned", evidence="stated")
    if margin_factor is not None:
        source = "devices that the plan buys over those needed with every input in its middle"
        ledger.give("training.margin_factor", "ratio", np.full((1, 1), margin_factor), source=source, evidence="assumed")
    _dataset(ledger, scenario, givens, months, scale)
    if scenario.training is None:
        training_run.derive_nothing(ledger)
    else:
        training_run.derive_checkpoint(ledger)
    sizing.derive_capacity(ledger)
    if scenario.training is not None:
        training_run.derive_demand(ledger, scenario.training)
    sizing.derive_delivery(ledger)
    if scenario.training is not None:
        training_run.derive_outcome(ledger, scenario.training)
    upkeep.derive(ledger, is_training=scenario.training is not None)
    costs.derive(ledger, is_training=scenario.training is not None)
    if scenario.inference is not None:
        serving.derive(ledger, scenario.inference, months)
        edge.derive(ledger, scenario.inference)
    siting.derive(ledger, scenario)
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
    gone_share, gone_images = growth.expired_images(scenario.growth, givens["start.images"].value, months)
    source = "the scenario's growth.retention" if scenario.growth.retention else "nothing expires"
    decided = "stated" if scenario.growth.retention else "assumed"
    ledger.give("growth.expired_share", "share", gone_share, source=source, evidence=decided)
    ledger.give("growth.expired_added_images", "images", gone_images * scale, source=source, evidence="assumed")
    derive(
        "dataset.images",
        growth.images_at,
        start_images="start.images",
        added_images="growth.added_images",
        growth_factor="growth.factor",
        expired_share="growth.expired_share",
        expired_added_images="growth.expired_added_images",
    )
    derive("dataset.image_bytes", growth.image_bytes, images="dataset.images", bytes_per_image="start.bytes_per_image")
    _components(ledger, scenario, months, scale)
    derive(
        "dataset.arriving_images_per_s",
        growth.arriving_images,
        added_images="growth.added_images",
        growth_factor="growth.factor",
        kept_share="start.kept_share",
        month_s="month_s",
    )


def _components(ledger: Ledger, scenario: Scenario, months: Draws, scale: float) -> None:
    """Enter data beside the images: a quantity for each, and their sum."""
    ledger.give("calendar.month_index", "month", months[None, :], source="the calendar", evidence="published")
    parts: dict[str, str] = {}
    for index, part in enumerate(scenario.dataset.components):
        key = re.sub(r"[^a-z0-9]+", "_", part.name.lower()).strip("_") or f"part_{index}"
        key = f"{key}_{index}" if f"{key}_bytes" in parts else key
        for name, unit, value in (
            ("sample_count", "count", part.samples * scale),
            ("sample_bytes", "bytes", part.sample_size),
            ("yearly_factor", "ratio", part.yearly_factor),
        ):
            source = f"'{part.name}', as declared in the scenario"
            ledger.give(f"component.{key}.{name}", unit, np.full((1, 1), float(value)), source=source, evidence="assumed")
        parts[f"{key}_bytes"] = f"dataset.component.{key}_bytes"
        ledger.derive(
            parts[f"{key}_bytes"], growth.component_bytes, sample_count=f"component.{key}.sample_count",
            sample_bytes=f"component.{key}.sample_bytes", yearly_factor=f"component.{key}.yearly_factor",
            month_index="calendar.month_index",
        )  # fmt: skip
    if parts:
        ledger.derive("dataset.component_bytes", growth.all_component_bytes, **parts)
    else:
        nothing = np.zeros((1, 1))
        ledger.give("dataset.declared_bytes", "bytes", nothing, source="no component is declared", evidence="assumed")
        ledger.derive("dataset.component_bytes", growth.all_component_bytes, declared_bytes="dataset.declared_bytes")
