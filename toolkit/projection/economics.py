"""What it costs. An unknown price stays unknown (NaN, shown as "needs input"), never 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = [
    "answers_per_j", "carbon", "carbon_mass_kg", "device_energy_j", "electricity_cost", "provisioned_cost", "rent", "stored_cost",
    "tiered_cost",
]  # fmt: skip


@formula("usd", "devices x price of a device-hour x hours of a run x runs each month")
def rent(device_count: Draws, usd_per_s: Draws, elapsed_s: Draws, run_count: Draws) -> Any:
    """Rent of the devices each month.  Source: definition."""
    return device_count * usd_per_s * elapsed_s * run_count


@formula("usd", "energy each month x price of electricity")
def electricity_cost(energy_j: Draws, usd_per_j: Draws) -> Any:
    """Cost of electricity each month.  Source: definition."""
    return energy_j * usd_per_j


@formula("kg", "energy x carbon dioxide of electricity")
def carbon(energy_j: Draws, carbon_g_per_j: Draws) -> Any:
    """Kilograms of carbon dioxide each month.  Source: definition."""
    return energy_j * carbon_g_per_j / 1000


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


def stored_cost(stored_gb: float, usd_per_gb: float) -> float:
    """Return the price of bytes kept for a month at a price per GB.

    Source: definition, as object stores bill capacity.

    Examples
    --------
    >>> stored_cost(10_000, 0.023)
    230.0
    """
    return stored_gb * usd_per_gb


def provisioned_cost(
    stored_gb: float, usd_per_gb: float, rate_mb_per_s: float, stored_gb_per_free_mb: float, usd_per_mb_per_s: float
) -> float:
    """Return the price of a month of storage whose throughput is bought apart, beyond what its size brings along.

    Source: infracost@95ba4f49, golden file of Amazon EFS with provisioned throughput: 1 MB/s is free for every 20 GB.

    Examples
    --------
    >>> round(provisioned_cost(230, 0.30, 100, 20, 6.0), 2)
    600.0
    """
    bought = max(0.0, rate_mb_per_s - stored_gb / stored_gb_per_free_mb)
    return stored_gb * usd_per_gb + bought * usd_per_mb_per_s


def device_energy_j(device_s: float, device_w: float) -> float:
    """Return the energy of device-seconds at a power.

    Source: definition.

    Examples
    --------
    >>> round(device_energy_j(1_082_990 * 3600, 400) / 3.6e6)
    433196
    """
    return device_s * device_w


def answers_per_j(rate_per_s: float, power_w: float) -> float:
    """Return the answers that a joule buys.

    Source: definition.

    Examples
    --------
    >>> round(answers_per_j(3463, 22.7))
    153
    """
    return rate_per_s / power_w
