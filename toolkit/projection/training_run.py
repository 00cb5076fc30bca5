"""The wiring of training: devices and nodes for the deadline, what they read, and what a run then takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.projection import economics, hosts, memory, node_counts, parallel, reliability, sizing, steps, training, upkeep

if TYPE_CHECKING:
    from toolkit.projection.explain import Ledger
    from toolkit.projection.scenario import Training

__all__ = ["derive_checkpoint", "derive_demand", "derive_nothing", "derive_outcome"]

_LINKS: Final = {
    "device_link_bytes_per_s": "training.device_link_bytes_per_s", "fabric_bytes_per_s": "network.fabric_link_bytes_per_s",
    "payload_share": "network.payload_share",
}  # fmt: skip
_BATCH: Final = {"batch_images": "training.batch_images", "batch_limit_images": "training.batch_limit_images"}
_SCALING: Final = {
    "split_count": "training.split_count", "devices_per_node": "training.devices_per_node", "sync_s": "training.sync_s",
    "doubling_share": "training.doubling_share", "contention_share": "training.contention_share",
    "coherence_share": "training.coherence_share", "scaling_factor": "training.scaling_factor",
}  # fmt: skip


def derive_nothing(ledger: Ledger) -> None:
    """Enter what storage needs of training when nothing is trained."""
    for name, unit, value in (
        ("training.checkpoint_bytes", "bytes", 0.0),
        ("training.checkpoint_interval_s", "s", 3600.0),
        ("bandwidth.epoch_read_bytes_per_s", "bytes_per_s", 0.0),
        ("training.node_count", "count", 1.0),
    ):
        ledger.give(name, unit, np.full((1, 1), value), source="nothing is trained in this scenario", evidence="stated")


def derive_checkpoint(ledger: Ledger) -> None:
    """Derive the size of a checkpoint, which storage holds some of."""
    ledger.derive(
        "training.checkpoint_bytes", training.checkpoint_size, param_count="model.param_count", state_bytes="training.state_bytes"
    )


def derive_demand(ledger: Ledger, trained: Training) -> None:
    """Derive devices, nodes and what they read each second."""
    derive: Any = ledger.derive
    if "training.samples_seen" in ledger.values:
        derive("training.samples", training.run_samples_fixed, samples_seen="training.samples_seen", images="dataset.images")
    else:
        derive("training.samples", training.run_samples, images="dataset.images", epoch_count="training.epoch_count")
    derive("training.sample_flop", training.sample_flop, forward_mac_count="model.forward_mac_count",
           frozen_mac_count="model.frozen_mac_count")  # fmt: skip
    derive("training.flop", training.run_flop, samples="training.samples", forward_mac_count="model.forward_mac_count",
           frozen_mac_count="model.frozen_mac_count")  # fmt: skip
    derive("training.activation_bytes", training.precise_activations, activation_bytes="model.activation_bytes",
           activation_factor="training.activation_factor")  # fmt: skip
    _device_rate(ledger)
    _reliability(ledger, trained)
    _step_alone(ledger, trained)
    _device_count(ledger, trained)
    _step_among_many(ledger)
    node_counts.derive_hits(ledger, trained, "cache.hit_share", "training.node_count")
    derive("training.required_images_per_s", training.required_rate, samples="training.samples", deadline_s="training.deadline_s")
    for name, rate in (("epoch_read", "training.required_images_per_s"), ("appetite", "training.rate_images_per_s")):
        derive(
            f"bandwidth.{name}_bytes_per_s",
            training.epoch_reads,
            rate_images_per_s=rate,
            bytes_per_image="start.bytes_per_image",
            hit_share="cache.hit_share",
        )
    derive(
        "training.device_state_bytes",
        memory.sharded_state_bytes,
        param_count="training.part_param_count" if _is_split(trained) else "model.param_count",
        weight_bytes="training.weight_bytes",
        gradient_bytes="training.gradient_bytes",
        optimizer_bytes="training.optimizer_bytes",
        shard_stage_index="training.shard_stage_index",
        replica_count="training.replica_count",
    )
    derive(
        "training.memory_bytes",
        training.memory,
        device_state_bytes="training.device_state_bytes",
        activation_bytes="training.part_activation_bytes" if _is_split(trained) else "training.activation_bytes",
        batch_images="training.step_batch_images",
    )


def _device_rate(ledger: Ledger) -> None:
    """Enter the rate of a device, where it was not measured or calibrated: at 16 bits, and at the precision asked."""
    derive: Any = ledger.derive
    if "device.rate_images_per_s" in ledger.values:
        return
    if "device.half_images_per_s" not in ledger.values:
        derive("device.half_images_per_s", training.device_rate, half_peak_flop_per_s="device.half_peak_flop_per_s",
               utilisation_share="device.utilisation_share", sample_flop="training.sample_flop")  # fmt: skip
    derive("device.rate_images_per_s", training.precise_rate, half_images_per_s="device.half_images_per_s",
           sample_flop="training.sample_flop", half_peak_flop_per_s="device.half_peak_flop_per_s",
           product_share="device.product_share", peak_flop_per_s="device.peak_flop_per_s",
           activation_factor="training.activation_factor")  # fmt: skip


def _is_split(trained: Training) -> bool:
    return trained.tensor_count * trained.pipeline_count > 1


def _step_alone(ledger: Ledger, trained: Training) -> None:
    """Enter what one replica takes for a step, and what a model that is split sends between its parts."""
    derive: Any = ledger.derive
    derive("training.split_count", parallel.split_count, tensor_count="training.tensor_count",
           pipeline_count="training.pipeline_count")  # fmt: skip
    derive("training.bubble_share", parallel.bubble_share, pipeline_count="training.pipeline_count",
           micro_batch_count="training.micro_batch_count")  # fmt: skip
    if _is_split(trained):
        shape = {"batch_images": "training.batch_images", "token_count": "model.token_count", "width_count": "model.width_count",
                 "tensor_count": "training.tensor_count", "activation_bytes": "training.gradient_bytes"}  # fmt: skip
        derive("network.tensor_bytes", parallel.tensor_bytes, layer_count="model.layer_count", **shape)
        derive("network.pipeline_bytes", parallel.pipeline_bytes, pipeline_count="training.pipeline_count", **shape)
        derive("network.split_wait_s", steps.split_wait, tensor_bytes="network.tensor_bytes",
               pipeline_bytes="network.pipeline_bytes", tensor_count="training.tensor_count",
               devices_per_node="training.devices_per_node", **_LINKS)  # fmt: skip
    else:
        ledger.give("network.split_wait_s", "s", np.zeros((1, 1)), source="each device holds the whole model", evidence="stated")
    derive("training.replica_s", steps.replica_time, batch_images="training.batch_images",
           rate_images_per_s="device.rate_images_per_s", split_count="training.split_count",
           bubble_share="training.bubble_share", split_wait_s="network.split_wait_s")  # fmt: skip
    derive("training.gradient_sum_bytes", parallel.gradient_sum, param_count="model.param_count",
           gradient_bytes="training.gradient_bytes")  # fmt: skip
    derive("training.working_s", steps.working_time, deadline_s="training.deadline_s", goodput_share="training.goodput_share",
           own_share="training.own_share", beside_factor="training.beside_factor")  # fmt: skip


def _device_count(ledger: Ledger, trained: Training) -> None:
    """Enter the devices that each draw needs, and the one count that is bought: in whole replicas where the model is split."""
    derive: Any = ledger.derive
    if trained.accelerator_count is None:
        derive("training.needed_count", steps.needed_count, samples="training.samples", working_s="training.working_s",
               replica_s="training.replica_s", overlap_share="network.overlap_share", latency_s="network.hop_latency_s",
               exposure_factor="network.exposure_factor", gradient_bytes="training.gradient_sum_bytes",
               **_BATCH, **_SCALING, **_LINKS)  # fmt: skip
    if "training.margin_factor" in ledger.values and "training.gpu_count" not in ledger.values:
        derive("training.gpu_count", steps.count_of_each, needed_count="training.needed_count",
               margin_factor="training.margin_factor", split_count="training.split_count")  # fmt: skip
    node_counts.derive(ledger, trained)
    derive("training.replica_count", parallel.replica_count, device_count="training.gpu_count",
           split_count="training.split_count")  # fmt: skip
    if _is_split(trained):
        derive("training.part_param_count", parallel.part_params, param_count="model.param_count",
               split_count="training.split_count")  # fmt: skip
        derive("training.part_activation_bytes", parallel.part_activations, activation_bytes="training.activation_bytes",
               tensor_count="training.tensor_count")  # fmt: skip


def _step_among_many(ledger: Ledger) -> None:
    """Enter the step of the devices that were bought, with what it waits for the network, and the rate that this makes."""
    derive: Any = ledger.derive
    derive("training.scaling_share", steps.kept_share, device_count="training.gpu_count",
           **{name: _SCALING[name] for name in _SCALING if name not in {"split_count", "sync_s"}})  # fmt: skip
    derive("training.step_batch_images", steps.step_batch, batch_images="training.batch_images",
           batch_limit_images="training.batch_limit_images", device_count="training.gpu_count",
           split_count="training.split_count")  # fmt: skip
    derive("network.allreduce_s", steps.gradient_time, device_count="training.gpu_count", split_count="training.split_count",
           devices_per_node="training.devices_per_node", gradient_bytes="training.gradient_sum_bytes",
           latency_s="network.hop_latency_s", **_LINKS)  # fmt: skip
    derive("network.exposed_s", steps.exposed, network_s="network.allreduce_s", replica_s="training.replica_s",
           step_batch_images="training.step_batch_images", batch_images="training.batch_images",
           scaling_share="training.scaling_share", overlap_share="network.overlap_share",
           exposure_factor="network.exposure_factor")  # fmt: skip
    derive("training.step_s", steps.step_time, replica_s="training.replica_s", step_batch_images="training.step_batch_images",
           batch_images="training.batch_images", scaling_share="training.scaling_share", sync_s="training.sync_s",
           exposed_s="network.exposed_s")  # fmt: skip
    derive("training.rate_images_per_s", steps.step_rate, device_count="training.gpu_count", split_count="training.split_count",
           step_batch_images="training.step_batch_images", step_s="training.step_s", goodput_share="training.goodput_share",
           own_share="training.own_share")  # fmt: skip


def _traffic(ledger: Ledger, trained: Training) -> None:
    """Enter what devices and nodes send each second; between the parts of a replica in one node the devices' own links do."""
    derive: Any = ledger.derive
    for kind in ("tensor", "pipeline") if _is_split(trained) else ():
        derive(f"network.{kind}_bytes_per_s", parallel.split_rate, step_bytes=f"network.{kind}_bytes",
               step_s="training.step_s", step_batch_images="training.step_batch_images",
               batch_images="training.batch_images")  # fmt: skip
    derive("network.allreduce_bytes_per_s", steps.device_gradients, replica_count="training.replica_count",
           gradient_bytes="training.gradient_sum_bytes", split_count="training.split_count", step_s="training.step_s")  # fmt: skip
    derive("network.node_gradient_bytes_per_s", steps.node_gradients, device_count="training.gpu_count",
           split_count="training.split_count", devices_per_node="training.devices_per_node",
           gradient_bytes="training.gradient_sum_bytes", step_s="training.step_s")  # fmt: skip
    derive("network.node_bytes_per_s", training.node_network, read_bytes_per_s="bandwidth.epoch_read_bytes_per_s",
           node_count="training.node_count", gradient_bytes_per_s="network.node_gradient_bytes_per_s")  # fmt: skip


def _reliability(ledger: Ledger, trained: Training) -> None:
    """Derive checkpoint interval and goodput, for the nodes that a run without failures would take."""
    derive = ledger.derive
    counted = "training.gpu_count" in ledger.values
    if counted:
        derive("training.ideal_node_count", training.node_count, device_count="training.gpu_count",
               devices_per_node="training.devices_per_node")  # fmt: skip
    else:
        derive("training.ideal_node_count", training.ideal_nodes, samples="training.samples",
               rate_images_per_s="device.rate_images_per_s", deadline_s="training.deadline_s",
               devices_per_node="training.devices_per_node")  # fmt: skip
    sizing.derive_writes(ledger, "training.ideal_node_count")
    derive("training.checkpoint_s", training.checkpoint_time, checkpoint_bytes="training.checkpoint_bytes",
           write_bytes_per_s="bandwidth.storage_write_bytes_per_s")  # fmt: skip
    derive("training.failure_s", reliability.failure_interval, node_interval_s="training.node_failure_s",
           node_count="training.ideal_node_count")  # fmt: skip
    if trained.checkpoint_interval == "optimal":
        derive(
            "training.checkpoint_interval_s",
            reliability.daly_interval,
            write_s="training.checkpoint_s",
            failure_s="training.failure_s",
        )
    else:
        interval = np.full((1, 1), float(trained.checkpoint_interval))
        ledger.give("training.checkpoint_interval_s", "s", interval, source="stated in the scenario", evidence="stated")
    derive(
        "training.goodput_share",
        reliability.goodput,
        interval_s="training.checkpoint_interval_s",
        write_s="training.checkpoint_s",
        failure_s="training.failure_s",
        restart_s="training.restart_s",
    )
    derive(
        "bandwidth.checkpoint_bytes_per_s",
        training.checkpoint_rate,
        checkpoint_bytes="training.checkpoint_bytes",
        write_s="training.checkpoint_s",
    )


def derive_outcome(ledger: Ledger, trained: Training) -> None:
    """Derive time, cores, network, power and cost of a run on the planned machines."""
    derive: Any = ledger.derive
    derive(
        "training.spare_node_count",
        reliability.spare_nodes,
        node_count="training.node_count",
        node_interval_s="training.node_failure_s",
        repair_s="training.repair_s",
    )
    derive(
        "training.decode_core_count",
        training.decode_cores,
        rate_images_per_s="training.rate_images_per_s",
        core_images_per_s="supply.core_images_per_s",
    )
    derive(
        "training.decode_images_per_s",
        training.decode_supply,
        node_count="training.node_count",
        cores_per_node="training.cores_per_node",
        core_images_per_s="supply.core_images_per_s",
    )
    derive(
        "training.read_bytes_per_image", training.read_bytes, bytes_per_image="start.bytes_per_image", hit_share="cache.hit_share"
    )
    derive(
        "training.elapsed_s",
        training.elapsed,
        samples="training.samples",
        rate_images_per_s="training.rate_images_per_s",
        decode_images_per_s="training.decode_images_per_s",
        supply_bytes_per_s="bandwidth.storage_supply_bytes_per_s",
        read_bytes_per_image="training.read_bytes_per_image",
        beside_factor="training.beside_factor",
    )
    _traffic(ledger, trained)
    upkeep.derive_fabric(ledger)
    derive(
        "training.power_w",
        training.power,
        device_count="training.gpu_count",
        device_w="training.device_w",
        node_count="training.node_count",
        node_w="training.node_w",
        pue_factor="price.pue_factor",
        around_w="site.around_w",
    )
    derive(
        "training.energy_j",
        training.energy,
        power_w="training.power_w",
        elapsed_s="training.elapsed_s",
        run_count="training.run_count",
    )
    derive("training.failure_count", reliability.failures, elapsed_s="training.elapsed_s", failure_s="training.failure_s")
    derive("training.cooling_w", training.cooling, power_w="training.power_w", pue_factor="price.pue_factor")
    derive("training.carbon_mass_kg", economics.carbon, energy_j="training.energy_j", carbon_g_per_j="price.carbon_g_per_j")
    derive(
        "training.electricity_usd",
        economics.electricity_cost,
        energy_j="training.energy_j",
        usd_per_j="price.electricity_usd_per_j",
    )
    derive("training.paid_count", hosts.paid_devices, device_count="training.gpu_count", node_count="training.node_count",
           device_node_count="training.device_node_count", devices_per_node="training.devices_per_node")  # fmt: skip
    derive(
        "training.cost_usd",
        economics.rent,
        device_count="training.paid_count",
        usd_per_s="price.device_usd_per_s",
        elapsed_s="training.elapsed_s",
        run_count="training.run_count",
    )
