"""What connects nodes: network cards, switches and the traffic that crosses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["aggregate", "leaf_count", "link_load", "nic_count", "spine_bytes", "switch_count"]


@formula("bytes_per_s", "bytes each second over a node's link x nodes")
def aggregate(node_bytes_per_s: Draws, node_count: Draws) -> Any:
    """Bytes each second over all nodes' links.  Source: definition."""
    return node_bytes_per_s * node_count


@formula("count", "nodes x cards that make up a node's link to others, or that its traffic takes if that is more, rounded up")
def nic_count(
    node_bytes_per_s: Draws, fabric_bytes_per_s: Draws, node_count: Draws, link_bytes_per_s: Draws, payload_share: Draws
) -> Any:
    """Network cards, at least one in each node.

    The time of a step counts on the whole link, so that the whole link is bought. Traffic that waits for the link fills it and
    asks for no second one.

    Source: definition.

    Examples
    --------
    >>> float(nic_count(3e9, 50e9, 4.0, 12.5e9, 0.92)), float(nic_count(30e9, 12.5e9, 4.0, 12.5e9, 0.92))
    (16.0, 12.0)
    """
    linked = np.ceil(fabric_bytes_per_s / link_bytes_per_s - 1e-9)
    used = np.ceil(node_bytes_per_s / (link_bytes_per_s * payload_share) - 1e-9)
    return node_count * np.maximum(1, np.maximum(linked, used))


@formula(
    "count",
    "cards / ports of a switch that face down at the oversubscription, rounded up",
    valid={"oversubscription_factor": (1, "port_count")},
)
def leaf_count(card_count: Draws, port_count: Draws, oversubscription_factor: Draws) -> Any:
    """Switches that cards plug into; one that serves them all has no links upwards.

    Source: folded Clos network, Leiserson 1985 (fat trees), Clos 1953.

    Examples
    --------
    >>> [float(leaf_count(cards, 64.0, 1.0)) for cards in (64.0, 65.0, 128.0)]
    [1.0, 3.0, 4.0]
    """
    down = np.floor(port_count * oversubscription_factor / (1 + oversubscription_factor))
    return np.where(card_count <= port_count, 1.0, np.ceil(card_count / np.maximum(down, 1)))


@formula(
    "count",
    "leaves + links upwards / ports of a switch, rounded up; one leaf alone",
    valid={"leaf_count": (1, "port_count", "two tiers: each spine has a port for each leaf")},
)
def switch_count(leaf_count: Draws, port_count: Draws, oversubscription_factor: Draws) -> Any:
    """Switches in two tiers.

    Source: folded Clos network, Clos 1953.

    Examples
    --------
    >>> float(switch_count(4.0, 64.0, 1.0)), float(switch_count(1.0, 64.0, 1.0))
    (6.0, 1.0)
    """
    up = port_count - np.floor(port_count * oversubscription_factor / (1 + oversubscription_factor))
    return np.where(leaf_count <= 1, 1.0, leaf_count + np.ceil(leaf_count * np.maximum(up, 1) / port_count))


@formula("count", "nodes and spare ones / nodes whose power a rack may take, rounded up")
def rack_count(
    node_count: Draws, spare_node_count: Draws, devices_per_node: Draws, device_w: Draws, node_w: Draws, rack_limit_w: Draws
) -> Any:  # fmt: skip
    """Racks for the nodes; a node that takes more than the power of a rack has one for itself.

    Source: definition.

    Examples
    --------
    >>> float(rack_count(13.0, 1.0, 8.0, 700.0, 2000.0, 40e3)), float(rack_count(3.0, 0.0, 8.0, 700.0, 2000.0, 5e3))
    (3.0, 3.0)
    """
    each = np.maximum(1.0, np.floor(rack_limit_w / (devices_per_node * device_w + node_w)))
    return np.ceil((node_count + spare_node_count) / each - 1e-9)


@formula("w", "switches, where there are nodes to connect, x power of one + racks x power of one")
def around_power(switch_count: Draws, switch_w: Draws, rack_count: Draws, rack_w: Draws, node_count: Draws) -> Any:
    """Watts that switches and racks take around the nodes, cooling not included.  Source: definition."""
    return np.where(np.asarray(node_count) > 1, switch_count * switch_w, 0.0) + rack_count * rack_w


@formula("bytes_per_s", "bytes each second over all links x share of partners behind another leaf")
def spine_bytes(fabric_bytes_per_s: Draws, leaf_count: Draws) -> Any:
    """Bytes each second that cross from leaf to leaf, partners spread evenly.  Source: (leaves - 1) / leaves of all pairs."""
    return fabric_bytes_per_s * (1 - 1 / np.maximum(leaf_count, 1))


@formula("share", "bytes each second / (link rate x share that payload gets)")
def link_load(demand_bytes_per_s: Draws, link_bytes_per_s: Draws, payload_share: Draws) -> Any:
    """Load of a link.  Source: definition."""
    return demand_bytes_per_s / (link_bytes_per_s * payload_share)
