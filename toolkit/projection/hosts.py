"""Nodes that a run takes for what stands beside devices, cores that decode and links that read; and how sure all must be.

A deadline is kept when devices, cores, links and drives all do. Each is bought once, for all that may turn out; so that all
of them together do with the probability asked for, each is bought for a little more than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.projection.draws import percentiles
from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = [
    "decode_nodes", "devices_bought", "drives_share", "host_nodes", "joint_share", "link_nodes", "nodes_bought",
    "nodes_of_each", "nodes_share", "paid_devices", "read_drives", "typical_nodes",
]  # fmt: skip

_DRIVES_PART: Final = 0.25
"""Part of the risk that drives may take where runs read from those that are bought: they cost less than nodes do."""


@formula("count", "samples x (1 + start, evaluation) / deadline / (cores of a node x images that a core decodes), rounded up")
def decode_nodes(samples: Draws, beside_factor: Draws, deadline_s: Draws, cores_per_node: Draws, core_images_per_s: Draws) -> Any:
    """Nodes whose cores decode as fast as the deadline asks for.

    Source: definition; threads scale by 1.9 to 2.0 on two cores.

    Examples
    --------
    >>> float(decode_nodes(9e9, 1.0, 86_400.0, 96.0, 500.0))
    3.0
    """
    return np.maximum(1.0, np.ceil(samples * beside_factor / deadline_s / (cores_per_node * core_images_per_s) - 1e-9))


@formula("count", "median over the draws of the nodes that a run without any loss would take")
def typical_nodes(ideal_node_count: Draws) -> Any:
    """Nodes by which caches are counted before it is known how many are bought.  Source: definition; more nodes hold no less."""
    return np.ceil(percentiles(ideal_node_count)[1])[None, :]


@formula("count", "samples x (1 + start, evaluation) / deadline x bytes read of each / rate of a node, rounded up")
def link_nodes(
    samples: Draws, beside_factor: Draws, deadline_s: Draws, bytes_per_image: Draws, hit_share: Draws, node_bytes_per_s: Draws,
    payload_share: Draws | float = 1.0,
) -> Any:  # fmt: skip
    """Nodes through whose links a run reads as fast as the deadline asks for.

    Source: definition; what memory answers does not travel.

    Examples
    --------
    >>> float(link_nodes(8.64e9, 1.0, 86_400.0, 250e3, 0.0, 12.5e9, 0.92))
    3.0
    """
    read = samples * beside_factor / deadline_s * bytes_per_image * (1 - hit_share)
    return np.maximum(1.0, np.ceil(read / (node_bytes_per_s * payload_share) - 1e-9))


@formula("count", "samples x (1 + start, evaluation) / deadline x bytes read / (drive rate x share delivered), rounded up")
def read_drives(
    samples: Draws, beside_factor: Draws, deadline_s: Draws, bytes_per_image: Draws, hit_share: Draws, drive_bytes_per_s: Draws,
    delivery_share: Draws,
) -> Any:  # fmt: skip
    """Drives that deliver what a run reads, as fast as the deadline asks for.  Source: definition."""
    read = samples * beside_factor / deadline_s * bytes_per_image * (1 - hit_share)
    return np.ceil(read / (drive_bytes_per_s * delivery_share) - 1e-9)


@formula("count", "the larger of the nodes for their cores and those for their links")
def host_nodes(decode_node_count: Draws, link_node_count: Draws | float = 1.0) -> Any:
    """Nodes for what stands beside their devices.  Source: definition."""
    return np.maximum(decode_node_count, link_node_count)


@formula("share", "planned + the share of draws that read more than drives for capacity give, at most 1/4 of the risk")
def nodes_share(planned_share: Draws, held_drive_count: Draws, read_drive_count: Draws) -> Any:
    """Probability with which nodes are to do, so that nodes and drives together do with the planned one.

    Where the drives that capacity takes (at its median, fewer than are bought) deliver what any draw reads, nodes have all of
    the risk.

    Source: Bonferroni's inequality: the risks of two together are at most their sum.

    Examples
    --------
    >>> reads = np.arange(1.0, 11.0)[:, None]
    >>> [round(float(nodes_share(0.9, held, reads)[0, 0]), 3) for held in (np.full((1, 1), 10.0), np.full((1, 1), 5.0))]
    [0.9, 0.925]
    """
    held = percentiles(np.asarray(held_drive_count))[1]
    risk = np.mean(read_drive_count > held, axis=0, keepdims=True)
    return planned_share + np.minimum(risk, _DRIVES_PART * (1 - planned_share))


@formula("share", "1 - 1/4 of the risk")
def drives_share(planned_share: Draws) -> Any:
    """Probability with which drives are to do, so that nodes and drives together do with the planned one.

    Source: Bonferroni's inequality: the risks of two together are at most their sum.
    """
    return 1 - _DRIVES_PART * (1 - planned_share)


@formula("share", "quantile over the draws of the larger of two ranks: that of the devices needed and that of the nodes needed")
def joint_share(needed_count: Draws, host_node_count: Draws, nodes_share: Draws, devices_per_node: Draws) -> Any:
    """Share of the draws that devices and nodes are each bought for, so that both do in as many draws as planned.

    What is bought for a share of the draws meets a need of which fewer draws need less. So a draw is met by both where that
    holds for the rarer of its two needs, and the share is the next above that which the wanted part of all draws stays below.
    No more is bought than that takes: needs that rise together cost hardly more than one of them alone.

    Source: definition; ranks of a joint distribution (Sklar 1959).

    Examples
    --------
    >>> together, apart = np.arange(10.0)[:, None], np.arange(10.0)[::-1, None]
    >>> shares = (joint_share(together, hosts, np.array([[0.8]]), np.array([[1.0]])) for hosts in (together, apart))
    >>> [round(float(share[0, 0]), 6) for share in shares]
    [0.8, 0.9]
    """
    if min(needed_count.shape[0], host_node_count.shape[0]) < 2:  # one of them is certain
        return np.asarray(nodes_share)
    months = max(needed_count.shape[1], host_node_count.shape[1])
    found = np.array(np.broadcast_to(np.asarray(nodes_share)[:1], (1, months)))
    filled = np.ceil(_least(needed_count, nodes_share) / devices_per_node)
    is_close = np.broadcast_to(host_node_count.max(axis=0) > filled[0], (months,))  # elsewhere the devices' nodes are enough
    if is_close.any():
        needs = (np.broadcast_to(part, (part.shape[0], months))[:, is_close] for part in (needed_count, host_node_count))
        rarer = np.maximum(*(_ranks(part) for part in needs))
        found[:, is_close] = _least(rarer, found[:, is_close]) + 1 / rarer.shape[0]
    return found


def _least(needs: Draws, share: Draws) -> Draws:
    """Return the least draw of each month that a share of all lies at or below."""
    draws, months = needs.shape
    places = np.clip(np.ceil(np.asarray(share)[0] * draws - 1e-9).astype(int) - 1, 0, draws - 1)
    kinds = np.unique(places)
    by_month = np.partition(needs.T, kinds[0], axis=1) if len(kinds) == 1 else np.sort(needs.T, axis=1)
    return np.asarray(by_month[np.arange(months), np.broadcast_to(places, (months,))][None, :])


def _ranks(needs: Draws) -> Draws:
    """Return the share of the draws that need less than each does, by month."""
    by_month = np.ascontiguousarray(needs.T)
    ordered = np.sort(by_month, axis=1)
    found = np.empty(by_month.shape)
    for month, (steps, each) in enumerate(zip(ordered, by_month, strict=True)):
        found[month] = np.searchsorted(steps, each, side="left")
    return np.asarray(found.T / needs.shape[0])


@formula("count", "the larger of the nodes that the devices fill and those for cores and links, at the joint share of the draws")
def nodes_bought(device_node_count: Draws, host_node_count: Draws, joint_share: Draws) -> Any:
    """Nodes that are bought: one count for all draws.  Source: definition; the least that the share of all lies at or below."""
    return np.maximum(device_node_count, _least(host_node_count, joint_share))


@formula("count", "what is needed at the joint share of the draws: that share of them needs no more")
def devices_bought(needed_count: Draws, joint_share: Draws) -> Any:
    """Devices that are bought: one count for all draws, fixed before it is known how the run turns out.

    Source: definition; the least draw that the share of all lies at or below.
    """
    return _least(needed_count, joint_share)


@formula("count", "devices + those in nodes that are there for their cores and links alone")
def paid_devices(device_count: Draws, node_count: Draws, device_node_count: Draws, devices_per_node: Draws) -> Any:
    """Devices that are paid for where machines are rented.  Source: definition; machines are rented whole."""
    return device_count + np.maximum(0.0, node_count - device_node_count) * devices_per_node


@formula("count", "the larger of the nodes that the devices fill and those for cores and links")
def nodes_of_each(device_node_count: Draws, host_node_count: Draws) -> Any:
    """Nodes that are bought where each draw is a case of its own.  Source: definition."""
    return np.maximum(device_node_count, host_node_count)
