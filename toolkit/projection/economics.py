"""What it costs. An unknown price stays unknown (NaN, shown as "needs input"), never 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["carbon_mass_kg", "electricity_cost", "rent", "tiered_cost"]


@formula("usd", "devices x price of a device-hour x hours of a run x runs each month")
def rent(device_count: Draws, usd_per_s: Draws, elapsed_s: Draws, run_count: Draws) -> Any:
    """Rent of the devices each month.  Source: definition."""
    return device_count * usd_per_s * elapsed_s * run_count


@formula("usd", "energy each month x price of electricity")
def electricity_cost(energy_j: Draws, usd_per_j: Draws) -> Any:
    """Cost of electricity each month.  Source: definition."""
    return energy_j * usd_per_j


def carbon_mass_kg(energy_j: float, kg_per_kwh: float) -> float:
    """Return the carbon dioxide of an energy.

    Source: definition; grid intensity as the model cards of Llama 2 state it.

    Examples
    --------
    >>> round(carbon_mass_kg(184_320 * 400 * 3600, 0.4234) / 1000, 2)
    31.22
    """
    return energy_j / 3.6e6 * kg_per_kwh


def tiered_cost(amount: float, tiers: list[tuple[float, float]]) -> float:
    """Return the price of an amount over tiers of (size, price per unit); the last tier's size may be infinite.

    Source: definition of tiered pricing, as object stores bill egress.

    Examples
    --------
    >>> round(tiered_cost(57_000, [(10_240, 0.09), (40_960, 0.085), (102_400, 0.07)]), 2)
    4809.2
    """
    cost = 0.0
    for size, price in tiers:
        part = min(amount, size)
        cost += part * price
        amount -= part
    return cost
