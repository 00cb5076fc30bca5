"""What a projection becomes when a few of its inputs change: every combination, computed by the same formulas."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.errors import ScenarioError
from toolkit.projection.givens_storage import least_drive_count
from toolkit.projection.hardware_facts import media
from toolkit.projection.model import evaluate
from toolkit.projection.scenario import load_scenario
from toolkit.projection.scenario_data import Protection
from toolkit.projection.uncertainty import Given

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from toolkit.projection.result import Projection
    from toolkit.projection.scenario import Scenario

__all__ = ["WhatIf", "WhatIfInput", "WhatIfOutput", "what_if"]

_TIMES: Final[Mapping[str, tuple[float, ...]]] = {
    "growth.factor": (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4),
    "training.epoch_count": (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5),
    "training.deadline_s": (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4),
}
"""Inputs that change, as multiples of what they are."""

_PROTECTIONS: Final = {
    1.0: Protection(kind="none"),
    1.25: Protection(kind="erasure", data=8, parity=2),
    1.5: Protection(kind="erasure", data=4, parity=2),
    2.0: Protection(kind="replicas", copies=2),
    3.0: Protection(kind="replicas", copies=3),
}
"""Protections by the bytes on drives for a byte stored."""

_OUTPUTS: Final = (
    "storage.capacity_bytes", "storage.drive_count", "bandwidth.storage_demand_bytes_per_s", "training.gpu_count",
    "training.elapsed_s", "training.cost_usd", "network.transfer_s",
)  # fmt: skip
_SAME_SHARE: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfInput:
    """An input that may change."""

    name: str
    """Dotted name."""
    unit: str
    """Suffix of its unit."""
    stops: tuple[float, ...]
    """Values that it takes, rising."""
    base_index: int
    """Which of them the projection has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfOutput:
    """A result under every combination of the inputs that it depends on."""

    quantity: str
    """Dotted name."""
    unit: str
    """Suffix of its unit."""
    depends_on: tuple[int, ...]
    """Places of those inputs."""
    values: tuple[float, ...]
    """Row by row over their stops, the last of them fastest; NaN where it is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """Results of a projection's last month under every combination of a few changed inputs, the others at their medians."""

    month: int
    """The month that the results are of."""
    inputs: tuple[WhatIfInput, ...]
    """What changes."""
    outputs: tuple[WhatIfOutput, ...]
    """What comes of it."""

    def value(self, quantity: str, **changed: float) -> float:
        """Return a result; inputs are named with underscores for dots, and those not named stay as they are.

        Raises
        ------
        KeyError, ValueError
            If there is no such result, or an input takes a value that is not one of its stops.
        """
        output = {output.quantity: output for output in self.outputs}[quantity]
        place = 0
        for index in output.depends_on:
            given = self.inputs[index]
            wanted = changed.get(given.name.replace(".", "_"))
            place = place * len(given.stops) + (given.base_index if wanted is None else given.stops.index(wanted))
        return output.values[place]


def what_if(projection: Projection) -> WhatIf | None:
    """Return what a projection's results become when growth, protection, epochs or deadline change; None if it has none of them.

    Everything needed is taken from the saved projection: its scenario, its inputs and the formulas.

    Raises
    ------
    ScenarioError
        If the projection was saved without an input that the formulas need.

    Examples
    --------
    >>> import toolkit
    >>> copies = {"protection": {"kind": "replicas", "copies": 2}}
    >>> small = {"name": "x", "dataset": {"images": 1000, "image_size": "1 MB"}, "storage": copies}
    >>> found = what_if(toolkit.project(small, draws=10))
    >>> round(found.value("storage.capacity_bytes", storage_protection_factor=3.0) / found.value("storage.capacity_bytes"), 6)
    1.5
    """
    givens = _givens(projection)
    inputs = _inputs(givens)
    if not inputs:
        return None
    scenario = load_scenario(projection.scenario)
    grid = np.array(list(itertools.product(*(given.stops for given in inputs))))
    values: dict[str, Any] = {name: np.full((1, 1), given.value) for name, given in givens.items()}
    values |= {given.name: grid[:, [place]] for place, given in enumerate(inputs)}
    givens = _with_stripes(givens, values, scenario)
    last = float(projection.months[-1])
    alone = scenario.model_copy(update={"inference": None})  # nothing of these inputs reaches serving
    try:
        months = np.array([max(0.0, last - 1), last])
        ledger = evaluate(alone, givens, values, months, margin_factor=_margin(projection, alone, givens, months))
    except KeyError as error:
        raise ScenarioError(
            f"the projection '{projection.name}' was saved by another version, without the input {error}: make it again"
        ) from None
    shape = tuple(len(given.stops) for given in inputs)
    outputs = []
    for quantity in _OUTPUTS:
        if quantity in ledger.values and (scenario.training is not None or not quantity.startswith("training.")):
            found = np.broadcast_to(ledger.values[quantity], (len(grid), 2))[:, -1].reshape(shape)
            outputs.append(_output(quantity, ledger.unit(quantity), found))
    return WhatIf(
        month=int(last), inputs=inputs, outputs=tuple(o for o in outputs if o.depends_on and any(map(math.isfinite, o.values)))
    )


def _with_stripes(givens: dict[str, Given], values: dict[str, Any], scenario: Scenario) -> dict[str, Given]:
    """Return the inputs with those that come with a protection, and put their values beside it: pieces, and drives for them.

    One piece and so many copies of it is what a stripe of replicas is: nothing is padded.
    """
    name, medium = "storage.protection_factor", media()[scenario.storage.medium]
    stated = scenario.storage.protection
    kept = [_PROTECTIONS.get(factor, stated) if factor != stated.factor else stated for factor in values[name].ravel().tolist()]
    is_cut = [each.kind == "erasure" for each in kept]
    parts: dict[str, list[float]] = {
        "storage.stripe_data_count": [each.data if cut else 1 for each, cut in zip(kept, is_cut, strict=True)],
        "storage.stripe_parity_count": [each.parity if cut else each.factor - 1 for each, cut in zip(kept, is_cut, strict=True)],
        "storage.least_drive_count": [least_drive_count(each, medium) for each in kept],
    }
    for part, counts in parts.items():
        values[part] = np.array(counts, dtype=float)[:, None]
    beside = {
        part: Given(name=part, unit="count", value=float(counts[0]), source="what comes with a protection", evidence="stated")
        for part, counts in parts.items()
    }
    return beside | givens


def _margin(projection: Projection, scenario: Scenario, givens: Mapping[str, Given], months: NDArray[np.float64]) -> float | None:
    """Return the devices that the plan buys over those needed in the middle, so that nothing changed gives the plan's count."""
    bought = projection.explanations.get("training.gpu_count")
    if bought is None or "training.gpu_count" in givens:
        return None
    middle = evaluate(scenario, givens, {name: np.full((1, 1), given.value) for name, given in givens.items()}, months)
    return bought.p50[-1] / middle.median("training.needed_count")


def _givens(projection: Projection) -> dict[str, Given]:
    rows = projection.assumptions.iter_rows(named=True)
    return {
        row["name"]: Given(
            name=row["name"],
            unit=row["unit"],
            value=math.nan if row["value"] is None else row["value"],
            source=row["source"],
            evidence=row["evidence"],
        )
        for row in rows
    }


def _inputs(givens: Mapping[str, Given]) -> tuple[WhatIfInput, ...]:
    found = []
    for name in ("growth.factor", "storage.protection_factor", "training.epoch_count", "training.deadline_s"):
        given = givens.get(name)
        if given is None or not given.value > 0:
            continue
        stops = {given.value} | set(_PROTECTIONS if name not in _TIMES else (given.value * times for times in _TIMES[name]))
        if given.unit == "count":
            stops = {given.value} | {float(max(round(stop), 1)) for stop in stops}
        ordered = tuple(sorted(stops))
        found.append(WhatIfInput(name=name, unit=given.unit, stops=ordered, base_index=ordered.index(given.value)))
    return tuple(found)


def _output(quantity: str, unit: str, found: NDArray[np.float64]) -> WhatIfOutput:
    """Return a result without the axes along which it does not change."""
    depends_on = []
    for axis in range(found.ndim):
        low, high = found.min(axis=axis), found.max(axis=axis)
        if np.any(high - low > _SAME_SHARE * np.abs(high)):
            depends_on.append(axis)
    kept = found[tuple(slice(None) if axis in depends_on else 0 for axis in range(found.ndim))]
    return WhatIfOutput(quantity=quantity, unit=unit, depends_on=tuple(depends_on), values=tuple(kept.ravel().tolist()))
