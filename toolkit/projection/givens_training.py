"""What goes into training: the model, the device's rate at a precision, the step, what it keeps, and what connects devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from toolkit.errors import ScenarioError
from toolkit.projection import memory
from toolkit.projection.hardware_facts import accelerators, cards, figure, instances, models, processors
from toolkit.projection.measured import step_of
from toolkit.projection.utilised import (
    DOUBLING_SHARE,
    NUMBER_FACTORS,
    PRODUCT_SHARE,
    family_share,
    half_peak,
    rate_by_bandwidth,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from toolkit.facts import MeasurementSet
    from toolkit.projection.givens import Givens
    from toolkit.projection.hardware_entries import Accelerator, Model
    from toolkit.projection.scenario import Curation, Scenario, Training

__all__ = ["ACCURACY", "gather_training", "own_share"]

_STATED: Final = "stated in the scenario"
_STATE_BYTES: Final[dict[str, tuple[float, float, float]]] = {
    "fp32": (4.0, 4.0, 8.0), "tf32": (4.0, 4.0, 8.0), "bf16": (2.0, 2.0, 12.0), "fp16": (2.0, 2.0, 12.0), "fp8": (1.0, 2.0, 12.0),
}  # fmt: skip
"""Bytes per parameter of weights, gradients and Adam's state, with its 32-bit copy of the weights where they are shorter.

Source: ZeRO (arXiv 1910.02054), section 3.1; in 8 bits the inputs of products are one byte, gradients stay
at two."""

_MOMENTUM_SHARE: Final = 4.0
"""Bytes per parameter that momentum takes less than Adam: it has one state in place of two."""

ACCURACY: Final = {
    "fp32": "fp32: 24 bits of significand everywhere: the reference that other formats are held against",
    "tf32": "tf32: products of 11 bits, sums and storage of fp32: published runs reach the accuracy of fp32 (NVIDIA 2020)",
    "bf16": "bf16: 8 bits of significand, the range of fp32: the accuracy of fp32 with 32-bit master weights (arXiv 1905.12322)",
    "fp16": "fp16: 11 bits of significand, a small range: needs loss scaling, then the accuracy of fp32 (arXiv 1710.03740)",
    "fp8": "fp8: 3 or 4 bits of significand: needs scales per tensor; published runs come within 0.1 to 1 % (arXiv 2209.05433)",
}
"""What each number format does to the accuracy of a model, and where that is published."""


def gather_training(
    givens: Givens, scenario: Scenario, training: Training, measured: MeasurementSet | None, left_out: Collection[str] = ()
) -> None:
    """Add every input of training, published runs and rates that are ``left_out`` not used.

    Raises
    ------
    ScenarioError
        If the device has no rate at the precision asked, or a model is to be split whose shape is not known.
    """
    model, device = models()[training.model], accelerators()[training.accelerator]
    if training.samples_seen is not None:
        givens.state("training.samples_seen", "images", training.samples_seen)
    else:
        givens.state("training.epoch_count", "count", training.epochs or 90)
    givens.state("training.deadline_s", "s", training.deadline)
    asked = training.deadline_probability
    givens.state("training.planned_share", "share", scenario.plan.probability if asked is None else asked)
    givens.state("training.run_count", "count", training.runs_per_month)
    if training.accelerator_count is not None:
        givens.state("training.gpu_count", "count", training.accelerator_count)
    givens.add("model.param_count", "count", model.params, *model.origin("params"))
    givens.add("model.forward_mac_count", "count", model.forward_macs, *model.origin("forward_macs"))
    givens.add("model.frozen_mac_count", "count", model.frozen_macs, *model.origin("frozen_macs"))
    _kept(givens, training, model)
    _step(givens, training, model)
    _split(givens, training, model)
    _links(givens, scenario, training, device)
    own_share(givens, "training.own_share", training, measured)
    _device_rate(givens, training, measured, left_out)
    _machines(givens, scenario, training, device)


def _kept(givens: Givens, training: Training, model: Model) -> None:
    """Add what a device keeps: state of the model by precision and optimizer, and activations."""
    weight, gradient, adam = _STATE_BYTES[training.precision]
    optimizer = adam - (_MOMENTUM_SHARE if training.optimizer == "sgd" else 0.0)
    givens.state("training.weight_bytes", "bytes", weight)
    givens.state("training.gradient_bytes", "bytes", gradient)
    givens.state("training.optimizer_bytes", "bytes", optimizer)
    givens.state("training.state_bytes", "bytes", optimizer if training.optimizer == "sgd" and weight < 4 else weight + optimizer)
    givens.state("training.shard_stage_index", "index", training.shard_stage_index)
    shape = (model.token_count, model.width_count, model.layer_count, model.head_count)
    if all(shape):
        tokens, width, layers, heads = (float(part or 0) for part in shape)
        kept = float(memory.activation_bytes(tokens, 1.0, width, layers, heads, 1.0, 1.0))
        source = f"{model.title}: counted from its shape, Korthikanti et al. 2022 (arXiv 2205.05198), eq. 2; less where fused"
        givens.add("model.activation_bytes", "bytes", kept, source, "published", spread=(0.65, 1.2))
    else:
        source = f"{model.title}: {model.source}"
        givens.add("model.activation_bytes", "bytes", model.activation, source, "assumed", spread=(0.6, 1.6))
    source = f"{training.precision}: bytes of a number over those at 16 bits"
    is_known = training.precision != "fp8"
    evidence = "published" if is_known else "assumed"
    givens.add("training.activation_factor", "ratio", NUMBER_FACTORS[training.precision], source, evidence,
               spread=None if is_known else (0.75, 1.3))  # fmt: skip


def _step(givens: Givens, training: Training, model: Model) -> None:
    """Add the samples of a step, and what steps of many devices cost beside their arithmetic."""
    givens.state("training.batch_images", "images", training.batch_per_accelerator)
    epochs = training.epochs or (90 if training.samples_seen is None else None)
    if training.global_batch is not None:
        givens.state("training.batch_limit_images", "images", training.global_batch)
    elif model.epochs_by_batch and epochs is not None:
        batches = np.array(sorted(model.epochs_by_batch), dtype=np.float64)
        passes = np.array([model.epochs_by_batch[int(batch)] for batch in batches])
        limit = float(np.interp(epochs, passes, batches))
        source = f"{model.title}: the largest step that published runs of {epochs:g} passes took (MLPerf Training v3.0)"
        givens.add("training.batch_limit_images", "images", limit, source, "published")
    elif model.largest_batch is not None:
        source = f"{model.title}: the largest step of a published run"
        givens.add("training.batch_limit_images", "images", model.largest_batch, source, "published")
    else:
        source = "32,768 samples in a step at most, unless training.global_batch states it"
        givens.add("training.batch_limit_images", "images", 32_768.0, source, "assumed", spread=(0.25, 4.0))
    source = "fitted to MLPerf Training v3.0, ResNet-50 on 8 to 3,584 H100, within 5 %: 3.6 ms in each step however few samples"
    spread = (0.7, 1.4) if model.family == "convolution" else (0.4, 2.5)
    givens.add("training.sync_s", "s", 3.6e-3, source, "published", spread=spread)
    source = "Goyal et al. 2017: 90 % from 8 to 256 devices; Llama 3 (arXiv 2407.21783): 43 to 41 % of the peak at twice"
    givens.add("training.doubling_share", "share", DOUBLING_SHARE, source, "published", spread=(0.973, 1.015))
    givens.add("training.contention_share", "share", 0.0, "none was measured; see training.doubling_share", "published")
    givens.add("training.coherence_share", "share", 0.0, "none was measured; see training.doubling_share", "published")
    givens.add("training.scaling_factor", "ratio", 1.0, "what a fitted law of scaling may be off by; none was", "published")
    source = "start, evaluation and pauses: 1.6 to 8 % of the time by rate in six published runs, 14 and 55 % in two (V19, V22)"
    givens.add("training.beside_factor", "ratio", 1.065, source, "published", spread=(0.958, 1.2))


def _split(givens: Givens, training: Training, model: Model) -> None:
    """Add how a model is split over devices, and its shape where it is."""
    givens.state("training.tensor_count", "count", training.tensor_count)
    givens.state("training.pipeline_count", "count", training.pipeline_count)
    givens.state("training.micro_batch_count", "count", training.micro_batch_count)
    if training.tensor_count * training.pipeline_count == 1:
        return
    key = "tensor_count" if training.tensor_count > 1 else "pipeline_count"
    for name in ("layer_count", "width_count", "token_count"):
        value = getattr(model, name)
        if value is None:
            raise ScenarioError(
                f"'training.{key}': {model.title} has no '{name}' among its facts, so it cannot be split; "
                "add an entry of your own with tonnage hardware add, or leave the key out"
            )
        givens.add(f"model.{name}", "count", value, *model.origin(name))
    if training.pipeline_count > (model.layer_count or 1):
        raise ScenarioError(
            f"'training.pipeline_count' ('{training.pipeline_count}'): {model.title} has {model.layer_count} layers to split"
        )
    if training.tensor_count > training.accelerators_per_node:
        givens.flags.append(
            f"layers are split over {training.tensor_count} devices and a node holds {training.accelerators_per_node}: their "
            "activations cross the network in every layer; split over the devices of one node, and use pipeline_count beyond"
        )


def _links(givens: Givens, scenario: Scenario, training: Training, device: Accelerator) -> None:
    """Add what gradients travel over: the devices' own links in a node, and the node's link to others."""
    network = scenario.network
    givens.add("training.device_link_bytes_per_s", "bytes_per_s", device.link, *device.origin("link"))
    stated = bool({"node_link", "nic"} & network.model_fields_set)
    fabric = figure(device, "fabric")
    node_link = float(cards()[network.nic].rate) if network.nic is not None else network.node_link
    if network.fabric_link is not None:
        givens.state("network.fabric_link_bytes_per_s", "bytes_per_s", network.fabric_link)
    elif stated or fabric is None:
        givens.state("network.fabric_link_bytes_per_s", "bytes_per_s", node_link)
    else:
        source = (
            f"{device.title}: what a node of the maker's reference design has for gradients, unless network.fabric_link states it"
        )
        link = max(node_link, fabric * min(1.0, training.accelerators_per_node / 8))
        givens.add("network.fabric_link_bytes_per_s", "bytes_per_s", link, source, "vendor")
    givens.add("network.hop_latency_s", "s", network.hop_latency, "assumed 5 microseconds, unless stated", "assumed")
    source = "prior of 0.6 to 0.9 for data-parallel training"
    givens.add("network.overlap_share", "share", 0.75, source, "assumed", spread=(0.8, 1.2))
    givens.add("network.exposure_factor", "ratio", 1.0, "what no computation hides is waited for", "published")


def _machines(givens: Givens, scenario: Scenario, training: Training, device: Accelerator) -> None:
    """Add nodes: what they hold, how often they fail, what they take and cost."""
    givens.add("training.repair_s", "s", 86_400.0, "a day to repair a node", "assumed", spread=(0.3, 3.0))
    givens.state("training.devices_per_node", "count", training.accelerators_per_node)
    if training.processor is None:
        givens.state("training.cores_per_node", "count", training.cores_per_node)
    else:
        chip = processors()[training.processor]
        givens.add("training.cores_per_node", "count", 2.0 * chip.core_count, *chip.origin("core_count"))
    source = "Kokolis et al. 2024 (arXiv 2410.21680): about 6.5 failures per 1,000 node-days"
    givens.add("training.node_failure_s", "s", 1000 / 6.5 * 86_400, source, "published", spread=(0.5, 2.0))
    givens.add("training.restart_s", "s", 600.0, "time to notice, restart and load", "assumed", spread=(0.5, 2.0))
    givens.add("training.device_w", "w", device.power, *device.origin("power"))
    givens.add(
        "training.node_w", "w", scenario.prices.node_power, "assumed 2 kW beside the accelerators, unless stated", "assumed"
    )
    source = "half of a node's memory holds file pages"
    cache = training.memory_per_node / 2 + training.nvme_per_node
    givens.add("training.cache_bytes", "bytes", cache, source + ", and its drives", "assumed", spread=(0.6, 1.5))
    price = scenario.prices.accelerator_hour
    rate = price / 3600 if price is not None else device.price_per_hour
    source = _STATED if price is not None else device.price_source or "needs input: prices.accelerator_hour"
    if training.instance is not None and price is None:
        rate, source = _rent(training, training.instance)
    givens.add("price.device_usd_per_s", "usd_per_s", float("nan") if rate is None else rate, source, "assumed")


def own_share(givens: Givens, name: str, part: Training | Curation, measured: MeasurementSet | None) -> None:
    """Add what a machine has for itself: all, what the scenario states, what was measured beside a load, or the default."""
    found = None if measured is None else measured.find("contention.loss", load="cpu")
    if part.dedicated or "shared_loss" in part.model_fields_set or found is None:
        _own_share_stated(givens, name, part)
        return
    own, low, high = (min(max(1 - share, 0.01), 1.0) for share in (found.median, found.interval_high, found.interval_low))
    source = "measured here: what the loader keeps beside a busy process on every core (contention.loss)"
    givens.add(name, "share", own, source, "measured", spread=(low / own, high / own))


def _own_share_stated(givens: Givens, name: str, part: Training | Curation) -> None:
    """Add what a machine has for itself by the scenario: all where it runs nothing else, else what neighbours leave."""
    section, key = name.partition(".")[0], "dedicated" if part.dedicated else "shared_loss"
    is_stated = key in part.model_fields_set
    source = f"stated in the scenario: {section}.{key}" if is_stated else f"default of {section}.{key}"
    value = max(1.0 if part.dedicated else 1 - part.shared_loss, 0.01)
    givens.add(name, "share", value, source, "stated" if is_stated else "assumed")


def _rent(training: Training, name: str) -> tuple[float, str]:
    """Return the rent of a device in a machine that is named, each second, and where that is from."""
    rented, count = instances()[name], training.accelerators_per_node
    if (rented.accelerator, rented.accelerator_count) != (training.accelerator, count):
        has, asked = f"{rented.accelerator_count} x {rented.accelerator}", f"{count} x {training.accelerator}"
        raise ScenarioError(f"'training.instance' ('{name}'): has {has}, not {asked}; name another instance or accelerator")
    return float(rented.price_per_hour) / rented.accelerator_count, f"{rented.title}: {rented.source} ({rented.as_of})"


def _device_rate(givens: Givens, training: Training, measured: MeasurementSet | None, left_out: Collection[str]) -> None:
    """Add samples each second on one device: the user's own step, else what is published, else a share of the peak.

    What is published holds for 16 bits; another precision changes the arithmetic by the ratio of the peaks and the traffic of
    memory by that of the bytes.
    """
    step, said = step_of(measured, "training", training.model, training.accelerator)
    if step is not None:
        factor = 1 / int(step.conditions.get("devices", 1))
        givens.measure("device.rate_images_per_s", "images_per_s", step, "the user's own training step", factor)
        givens.flags += [said] if said else []
        return
    device, model = accelerators()[training.accelerator], models()[training.model]
    peak_half = half_peak(device)
    if training.precision not in device.peak or peak_half is None:
        raise ScenarioError(
            f"'training.precision': {device.title} has no rate for {training.precision}; there are {', '.join(device.peak)}"
        )
    origin = device.origin("peak")
    givens.add("device.half_peak_flop_per_s", "flop_per_s", peak_half, *origin)
    givens.add("device.peak_flop_per_s", "flop_per_s", device.peak[training.precision], *origin)
    source = "stas00/ml-engineering, largest matrix products: 87 % of the peak on A100, 80 on H100, 78 on B200, 51 on MI300X"
    givens.add("device.product_share", "share", PRODUCT_SHARE, source, "published", spread=(0.7, 1.1))
    published, by_bandwidth = device.train_images_per_s.get(training.model), rate_by_bandwidth(device, training.model)
    if published is not None and f"{training.accelerator}.{training.model}" not in left_out:
        source = f"{device.title}, 16 bits: {device.train_source}; a plain PyTorch reference takes 0.69 of it on A100 (V22)"
        givens.add("device.half_images_per_s", "images_per_s", published, source, "published", spread=(0.69, 1.05))
        return
    if by_bandwidth is not None:
        found, count = by_bandwidth
        source = f"{model.title} on {count} other devices, in proportion to memory bandwidth (MLPerf Training, within 30 %)"
        givens.add("device.half_images_per_s", "images_per_s", found, source, "published", spread=(0.7, 1.3))
        return
    reached = family_share(model.family, device, left_out)
    givens.add("device.utilisation_share", "share", reached.share, reached.source, "published",
               spread=(reached.low / reached.share, reached.high / reached.share))  # fmt: skip
