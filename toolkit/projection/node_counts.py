"""The wiring of how many devices and nodes are bought: for the devices, and for the cores and links beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.projection import caching, hosts, sizing, training

if TYPE_CHECKING:
    from toolkit.projection.explain import Ledger
    from toolkit.projection.scenario import Training

__all__ = ["derive", "derive_hits"]


def derive(ledger: Ledger, trained: Training) -> None:
    """Enter devices and nodes that are bought: where their count is free, as many nodes as cores and links take too."""
    derive: Any = ledger.derive
    per_node = {"devices_per_node": "training.devices_per_node"}
    is_free = "training.needed_count" in ledger.values
    if is_free:
        _hosts(ledger, trained)
        derive("training.needed_device_node_count", training.node_count, device_count="training.needed_count", **per_node)
        derive("training.needed_node_count", hosts.nodes_of_each, device_node_count="training.needed_device_node_count",
               host_node_count="training.host_node_count")  # fmt: skip
    if "training.gpu_count" not in ledger.values:
        derive("training.joint_share", hosts.joint_share, needed_count="training.needed_count",
               host_node_count="training.host_node_count", nodes_share=_level(ledger), **per_node)  # fmt: skip
        derive("training.gpu_count", hosts.devices_bought, needed_count="training.needed_count",
               joint_share="training.joint_share")  # fmt: skip
    derive("training.device_node_count", training.node_count, device_count="training.gpu_count", **per_node)
    if "training.node_count" in ledger.values:
        return
    if "training.joint_share" in ledger.values:
        derive("training.node_count", hosts.nodes_bought, device_node_count="training.device_node_count",
               host_node_count="training.host_node_count", joint_share="training.joint_share")  # fmt: skip
    elif is_free:
        derive("training.node_count", hosts.nodes_of_each, device_node_count="training.device_node_count",
               host_node_count="training.host_node_count")  # fmt: skip
    else:
        derive("training.node_count", training.node_count, device_count="training.gpu_count", **per_node)


def _level(ledger: Ledger) -> str:
    """Enter with which probability nodes are to do; return its name: a little more where drives may be late too."""
    if not sizing.are_drives_read(ledger):
        return "training.planned_share"
    ledger.derive("training.nodes_share", hosts.nodes_share, planned_share="training.planned_share",
                  held_drive_count="storage.capacity_drive_count", read_drive_count="storage.read_drive_count")  # fmt: skip
    return "training.nodes_share"


def _hosts(ledger: Ledger, trained: Training) -> None:
    """Enter the nodes that cores and links take, and the drives that deliver what a run reads."""
    derive: Any = ledger.derive
    asked = {"samples": "training.samples", "beside_factor": "training.beside_factor", "deadline_s": "training.deadline_s"}
    derive("training.decode_node_count", hosts.decode_nodes, cores_per_node="training.cores_per_node",
           core_images_per_s="supply.core_images_per_s", **asked)  # fmt: skip
    if "supply.stated_bytes_per_s" in ledger.values:
        derive("training.host_node_count", hosts.host_nodes, decode_node_count="training.decode_node_count")
        return
    derive("training.typical_node_count", hosts.typical_nodes, ideal_node_count="training.ideal_node_count")
    derive_hits(ledger, trained, "cache.planned_hit_share", "training.typical_node_count")
    read = asked | {"bytes_per_image": "start.bytes_per_image", "hit_share": "cache.planned_hit_share"}
    if "supply.node_bytes_per_s" in ledger.values:
        derive("training.link_node_count", hosts.link_nodes, node_bytes_per_s="supply.node_bytes_per_s", **read)
    else:
        derive("training.link_node_count", hosts.link_nodes, node_bytes_per_s="network.node_link_bytes_per_s",
               payload_share="network.payload_share", **read)  # fmt: skip
    if sizing.are_drives_read(ledger):
        derive("storage.read_drive_count", hosts.read_drives, drive_bytes_per_s="drive.read_bytes_per_s",
               delivery_share="storage.delivery_share", **read)  # fmt: skip
    derive("training.host_node_count", hosts.host_nodes, decode_node_count="training.decode_node_count",
           link_node_count="training.link_node_count")  # fmt: skip


def derive_hits(ledger: Ledger, trained: Training, name: str, nodes: str) -> None:
    """Enter what a node's cache answers of the reads, among so many nodes."""
    policy: Any = {
        "lru": caching.lru_hit_share, "pinned": caching.pinned_hit_share, "random": caching.random_hit_share,
        "fixed_order": caching.fixed_order_hit_share,
    }[trained.cache_policy]  # fmt: skip
    among = {"node_count": nodes} if trained.cache_policy == "lru" else {}
    ledger.derive(name, policy, cache_bytes="training.cache_bytes", dataset_bytes="dataset.image_bytes", **among)
