"""Owning against renting: what capital, power and support cost each month, and from which load on owning is cheaper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = [
    "all_in", "all_tiers", "breakeven_share", "capital", "monthly_capital", "monthly_support", "rented_device", "tier_cost",
    "whole_horizon",
]  # fmt: skip


@formula("usd", "nodes x price of a node + drives x price of a drive")
def capital(node_count: Draws, node_usd: Draws, drive_count: Draws, drive_usd: Draws) -> Any:
    """What is bought; unknown where a price is.  Source: definition."""
    return node_count * node_usd + drive_count * drive_usd


@formula("usd", "capital x r / (1 - (1 + r)^-n) / 12, interest r and n years of life; capital / 12 n without interest")
def monthly_capital(capital_usd: Draws, interest_share: Draws, life_s: Draws, month_s: Draws) -> Any:
    """Capital as an even monthly payment over the life of what was bought.

    Source: capital recovery factor; Barroso, Hoelzle and Ranganathan 2018, The Datacenter as a Computer, chapter 6.

    Examples
    --------
    >>> month_s = 2_629_800.0
    >>> round(float(monthly_capital(1200.0, 0.0, 10 * 12 * month_s, month_s)), 2)
    10.0
    >>> round(float(monthly_capital(1200.0, 0.08, 5 * 12 * month_s, month_s)), 2)
    25.05
    """
    years = np.asarray(life_s / (12 * month_s))
    rate = np.asarray(interest_share, dtype=np.float64)
    spread = np.where(rate > 0, rate, 1.0) / (1 - (1 + np.where(rate > 0, rate, 1.0)) ** -years)
    return capital_usd * np.where(rate > 0, spread, 1 / years) / 12


@formula("usd", "capital x share for support each year / 12")
def monthly_support(capital_usd: Draws, support_share: Draws) -> Any:
    """Support, spares and space each month.  Source: stated as a share of the capital."""
    return capital_usd * support_share / 12


@formula("usd", "capital + support + electricity + storage rented, each month")
def all_in(capital_usd: Draws, support_usd: Draws, electricity_usd: Draws, tier_usd: Draws) -> Any:
    """Cost of owning each month.  Source: sum of the parts."""
    return capital_usd + support_usd + electricity_usd + tier_usd


@formula("usd", "devices x price of a device-hour x hours of a month")
def rented_device(device_count: Draws, usd_per_s: Draws, month_s: Draws) -> Any:
    """Rent of as many devices, held all month.  Source: definition."""
    return device_count * usd_per_s * month_s


@formula("share", "cost of owning each month / rent of the same devices held all month")
def breakeven_share(owned_usd: Draws, held_usd: Draws) -> Any:
    """Share of the time that devices must work for owning to be the cheaper; above 1 it never is.  Source: definition."""
    return owned_usd / held_usd


@formula("usd", "bytes kept x price of keeping a byte for a month")
def tier_cost(stored_bytes: Draws, usd_per_byte_s: Draws, month_s: Draws) -> Any:
    """Rent of storage each month.

    Source: definition, as object stores bill capacity.

    Examples
    --------
    >>> round(float(tier_cost(10e12, 0.023 / 1e9 / 2_629_800, 2_629_800.0)), 2)
    230.0
    """
    return stored_bytes * usd_per_byte_s * month_s


@formula("usd", "sum of the monthly costs so far")
def whole_horizon(monthly_usd: Draws) -> Any:
    """Cost from now on to each month.  Source: sum of the months."""
    return np.cumsum(monthly_usd, axis=1)


@formula("usd", "sum over the tiers that are rented")
def all_tiers(**tier_usd: Draws) -> Any:
    """Rent of all storage each month.  Source: sum of the parts."""
    return sum(tier_usd.values(), start=np.zeros((1, 1)))
