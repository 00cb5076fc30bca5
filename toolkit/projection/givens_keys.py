"""Which key of a scenario an input comes from, and whether the scenario states it or it is a default that nobody stated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

if TYPE_CHECKING:
    from toolkit.projection.scenario import Scenario

__all__ = ["KEY_OF", "origin_of"]

KEY_OF: Final = {
    "start.images": "dataset.images",
    "start.bytes_per_image": "dataset.image_size",
    "start.kept_share": "dataset.kept",
    "start.quarantined_share": "dataset.quarantined",
    "storage.raw_kept_factor": "storage.keep_raw",
    "storage.version_rewrite_share": "storage.version_rewrite",
    "storage.kept_version_count": "storage.kept_versions",
    "storage.kept_checkpoint_count": "storage.kept_checkpoints",
    "storage.protection_factor": "storage.protection",
    "storage.least_drive_count": "storage.protection",
    "storage.stripe_data_count": "storage.protection.data",
    "storage.stripe_parity_count": "storage.protection.parity",
    "storage.rebuild_piece_count": "storage.protection",
    "storage.headroom_share": "storage.headroom",
    "storage.derived_factor": "storage.derived_factor",
    "storage.raw_file_factor": "storage.raw_as_files",
    "storage.block_bytes": "storage.block_size",
    "storage.shard_bytes": "storage.shard_size",
    "storage.filesystem_share": "storage.filesystem_overhead",
    "storage.rebuild_s": "storage.rebuild_time",
    "storage.owned_bytes": "storage.owned",
    "supply.stated_bytes_per_s": "storage.supply",
    "network.node_link_bytes_per_s": "network.node_link",
    "network.transfer_link_bytes_per_s": "network.transfer_link",
    "network.switch_port_count": "network.switch_port_count",
    "network.oversubscription_factor": "network.oversubscription_factor",
    "curation.batch_count": "curation.batch_count",
    "curation.core_count": "curation.core_count",
    "training.samples_seen": "training.samples_seen",
    "training.epoch_count": "training.epochs",
    "training.deadline_s": "training.deadline",
    "training.run_count": "training.runs_per_month",
    "training.state_bytes": "training.optimizer",
    "training.optimizer_bytes": "training.optimizer",
    "training.gradient_bytes": "training.precision",
    "training.shard_stage_index": "training.shard_stage_index",
    "training.batch_images": "training.batch_per_accelerator",
    "training.devices_per_node": "training.accelerators_per_node",
    "training.cores_per_node": "training.cores_per_node",
    "training.tensor_count": "training.tensor_count",
    "training.pipeline_count": "training.pipeline_count",
    "training.micro_batch_count": "training.micro_batch_count",
    "inference.spare_count": "inference.spare_instances",
    "inference.stream_count": "inference.streams",
    "inference.start_site_count": "inference.sites",
    "inference.frames_per_s": "inference.frames_per_s",
    "inference.uploaded_share": "inference.uploaded",
    "inference.uplink_limit_bytes_per_s": "inference.uplink_limit",
    "inference.blocked_share": "inference.blocked",
    "inference.start_per_s": "inference.requests_per_s",
    "inference.objective_s": "inference.latency_p99",
    "inference.yearly_factor": "inference.yearly_factor",
    "inference.device_limit_w": "inference.device_power_limit",
    "inference.weight_bytes": "inference.precision",
    "inference.host_link_bytes_per_s": "inference.host_link",
    "price.nic_usd": "prices.nic",
    "price.switch_usd": "prices.switch",
    "price.rack_usd": "prices.rack",
    "site.rack_limit_w": "site.rack_power",
    "storage.archive_read_share": "storage.archive_read",
    "plan.probability_share": "plan.probability",
    "price.interest_share": "prices.interest",
    "price.life_s": "prices.life",
    "price.support_share": "prices.support",
    "price.electricity_usd_per_j": "prices.electricity",
    "price.carbon_g_per_j": "prices.carbon",
    "price.pue_factor": "prices.pue",
    "inference.pue_factor": "inference.pue",
    "site.power_limit_w": "site.power_limit",
}
"""Inputs by name, each with the key that decides it."""


def origin_of(scenario: Scenario, name: str) -> tuple[str, str]:
    """Return the source and the evidence of an input that a scenario decides.

    What the scenario states is ``stated``; a default that nobody stated is ``assumed``, and its source says why it is so.

    Examples
    --------
    >>> from toolkit.projection.scenario import Scenario
    >>> asked = Scenario(name="x", storage={"headroom": 0.1})
    >>> origin_of(asked, "storage.headroom_share")
    ('stated in the scenario: storage.headroom', 'stated')
    >>> origin_of(asked, "price.interest_share")
    ('default of prices.interest: yearly interest on what is bought. Default: assumed', 'assumed')
    """
    key = KEY_OF.get(name)
    if key is None:
        return "stated in the scenario, or its default", "stated"
    part: Any = scenario
    is_stated, said = True, ""
    for word in key.split("."):
        field = type(part).model_fields[word]
        is_stated = is_stated and word in part.model_fields_set
        said = " ".join((field.description or "").split()).rstrip(".")
        part = getattr(part, word)
    if isinstance(part, BaseModel) and not part.model_fields_set:
        is_stated = False
    if is_stated:
        return f"stated in the scenario: {key}", "stated"
    return f"default of {key}: {said[:1].lower()}{said[1:]}", "assumed"
