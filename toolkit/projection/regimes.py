"""Ways to train on more data, side by side: the same samples seen, the same epochs, and a model that grows with the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection.model import evaluate
from toolkit.projection.uncertainty import Given

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from toolkit.projection.explain import Ledger
    from toolkit.projection.scenario import Scenario

__all__ = ["side_by_side_values"]

_GROWING = ("model.param_count", "model.forward_mac_count")
"""What grows with the data where the model does, in proportion: N ~ D."""


def side_by_side_values(
    scenario: Scenario,
    givens: Mapping[str, Given],
    months: np.ndarray[Any, Any],
    scales: Sequence[float],
    values: Mapping[str, np.ndarray[Any, Any]] | None = None,
    known: list[Ledger] | None = None,
) -> Iterator[tuple[str, str, list[Ledger]]]:
    """Yield each regime: its name, why it does what it does, and the ledgers at once, twice, ... the data.

    ``values`` are draws of the inputs; by default each stands at its median. ``known`` are the ledgers of the scenario as it is
    with so much data, which are those of the same epochs where it states epochs.

    Source: Hoffmann et al. 2022 (arXiv 2203.15556): at the optimum parameters and data grow alike, so that the arithmetic
    grows with the square of the data; for few epochs repeated data is as good as new (Muennighoff et al. 2023,
    arXiv 2305.16264).
    """
    if scenario.training is None:
        return
    middle = values or {name: np.full((1, 1), given.at("p50")) for name, given in givens.items()}
    epochs = float(scenario.training.epochs or 90)
    scenario = scenario.model_copy(update={"inference": None})  # nothing of how a model is trained reaches its serving
    first = known[0] if known else evaluate(scenario, givens, middle, months)
    base = first.median("training.samples")
    seen = Given(name="training.samples_seen", unit="images", value=base, source="as many as now", evidence="stated")
    passes = Given(name="training.epoch_count", unit="count", value=epochs, source="as many as now", evidence="stated")
    plain = {name: given for name, given in givens.items() if name not in {seen.name, passes.name}}

    def at(given: Given, value: float, growth: float, scale: float) -> Ledger:
        values = {name: middle[name] for name in plain} | {given.name: np.full((1, 1), value)}
        for name in _GROWING:
            values[name] = values[name] * growth
        for name in ("device.rate_images_per_s", "device.half_images_per_s"):
            if name in plain:
                values[name] = values[name] / growth
        return evaluate(scenario, plain | {given.name: given}, values, months, scale)

    seen_by_scale = [at(seen, base, 1, s) for s in scales]
    yield "same samples seen", "as many steps, whatever there is to choose from", seen_by_scale
    is_known = known is not None and passes.name in givens
    by_epochs = known if known is not None and is_known else [at(passes, epochs, 1, s) for s in scales]
    yield "same epochs", "as many passes over more images", by_epochs
    optimal = [seen_by_scale[0] if scale == 1 else at(seen, base * scale, scale, scale) for scale in scales]
    yield "compute-optimal", "the model grows with the data, so that each sample costs more too (N ~ D)", optimal
