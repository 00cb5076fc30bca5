"""Owning against renting: what capital, power and support cost each month, and from which load on owning is cheaper."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = [
    "all_in", "all_rented", "all_tiers", "archive_reads", "breakeven_share", "capital", "egress", "monthly_capital",
    "monthly_support", "rented_device", "run_reads", "tier_cost", "tier_use", "whole_horizon", "written_objects",
]  # fmt: skip


@formula(
    "usd",
    "(nodes + spare ones) x price + drives, racks and, where there are nodes to connect, cards and switches, each x its price",
)
def capital(
    node_count: Draws,
    spare_node_count: Draws,
    node_usd: Draws,
    drive_count: Draws,
    drive_usd: Draws,
    *,
    nic_count: Draws,
    nic_usd: Draws,
    switch_count: Draws,
    switch_usd: Draws,
    rack_count: Draws | float = 0.0,
    rack_usd: Draws | float = 0.0,
) -> Any:
    """What is bought; unknown where the price of something that is bought is.

    Source: definition; one node is connected to no other.

    Examples
    --------
    >>> links = {"nic_count": 16.0, "nic_usd": 0.0, "switch_count": 1.0, "switch_usd": 30e3}
    >>> float(capital(2.0, 1.0, 300e3, 10.0, 768.0, **links)), float(capital(1.0, 0.0, 300e3, 0.0, np.nan, **links))
    (937680.0, 300000.0)
    """
    machines = (node_count + spare_node_count) * node_usd
    links = np.where(np.asarray(node_count) > 1, _paid(nic_count, nic_usd) + _paid(switch_count, switch_usd), 0.0)
    return machines + _paid(drive_count, drive_usd) + links + _paid(rack_count, rack_usd)


def _paid(count: Draws | float, each_usd: Draws | float) -> Any:
    """Return what a number of things cost; none cost nothing, also where the price is not known."""
    return np.where(np.asarray(count) > 0, count * each_usd, 0.0)


@formula(
    "usd",
    "capital x r / (1 - (1 + r)^-n) / 12, interest r and n years of life; capital / 12 n without interest",
    valid={"life_s": ("month_s", math.inf)},
)
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


@formula("usd", "capital + support + electricity + storage rented + egress, each month")
def all_in(capital_usd: Draws, support_usd: Draws, electricity_usd: Draws, tier_usd: Draws, egress_usd: Draws) -> Any:
    """Cost of owning each month.  Source: sum of the parts."""
    return capital_usd + support_usd + electricity_usd + tier_usd + egress_usd


@formula("usd", "rent of devices + storage rented, each month")
def all_rented(device_usd: Draws, tier_usd: Draws) -> Any:
    """Cost of renting each month; machines at the provider of the storage pay no egress.  Source: sum of the parts."""
    return device_usd + tier_usd


@formula("bytes", "samples x bytes that storage delivers for each x runs each month")
def run_reads(samples: Draws, read_bytes_per_image: Draws, run_count: Draws) -> Any:
    """Bytes that runs read from storage each month.  Source: definition."""
    return samples * read_bytes_per_image * run_count


@formula("bytes", "bytes kept x share that is read back each month")
def archive_reads(stored_bytes: Draws, read_share: Draws) -> Any:
    """Bytes that are read back from an archive each month.  Source: the scenario's storage.archive_read."""
    return stored_bytes * read_share


@formula(
    "usd", "bytes read x price of reading a byte back + bytes read / bytes of a request x price of it + objects written x price"
)
def tier_use(
    read_bytes: Draws, retrieval_usd_per_byte: Draws, chunk_bytes: Draws, read_usd: Draws, written_count: Draws, write_usd: Draws
) -> Any:
    """Cost of requests and of reading back from rented storage each month.

    Source: definition, as object stores bill requests and retrieval.

    Examples
    --------
    >>> round(float(tier_use(1e12, 0.01e-9, 16 * 2**20, 1e-6, 4000.0, 1e-5)), 2)
    10.1
    """
    return read_bytes * retrieval_usd_per_byte + read_bytes / chunk_bytes * read_usd + written_count * write_usd


@formula(
    "usd",
    "bytes read x price of a byte that leaves the provider",
    valid={"read_bytes": (0, 10e12, "the price is that of the first 10 TB of a month; more costs less a byte")},
)
def egress(read_bytes: Draws, egress_usd_per_byte: Draws) -> Any:
    """Cost of what machines of one's own read from rented storage; unknown where the price is.

    Source: definition; at the price of the first tier, as infracost's golden files have it.
    """
    return read_bytes * egress_usd_per_byte


@formula("count", "images that come in each month / images of an object")
def written_objects(arriving_images_per_s: Draws, month_s: Draws, kept_share: Draws, images_per_object: Draws) -> Any:
    """Objects that are written to rented storage each month.  Source: definition."""
    return arriving_images_per_s * month_s * kept_share / images_per_object


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


@formula("usd", "sum of the monthly costs so far", across_months=True)
def whole_horizon(monthly_usd: Draws) -> Any:
    """Cost from now on to each month.  Source: sum of the months."""
    return np.cumsum(monthly_usd, axis=1)


@formula("usd", "sum over the tiers that are rented")
def all_tiers(**tier_usd: Draws) -> Any:
    """Rent of all storage each month.  Source: sum of the parts."""
    return sum(tier_usd.values(), start=np.zeros((1, 1)))
