"""Everything that goes into a projection, from scenario, profile, measurements and hardware facts; each with its evidence."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from toolkit.errors import ScenarioError
from toolkit.projection.givens_costs import gather_costs
from toolkit.projection.hardware_facts import accelerators, cards, collections, media, models, switches
from toolkit.projection.measured import step_of
from toolkit.projection.uncertainty import Given
from toolkit.units import GB, MONTH_S

if TYPE_CHECKING:
    from toolkit.facts import DatasetProfile, Measurement, MeasurementSet
    from toolkit.projection.scenario import Curation, Inference, Scenario, Training

__all__ = ["Givens", "gather"]

_STATED: Final = "stated in the scenario"
_WEIGHT_BYTES: Final = {"fp32": 4.0, "tf32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0}
_STATE_BYTES: Final = {"sgd": 8.0, "adam": 14.0}
"""Bytes of a checkpoint per parameter: half-precision weights (2) with Adam (12), or full-precision weights and momentum (8)."""
_TRAINING_STATE_BYTES: Final = {"sgd": 12.0, "adam": 16.0}
"""Bytes of weights, gradients and optimizer state on a device per parameter.  Source: ZeRO (arXiv 1910.02054), section 3.1."""


class Givens:
    """The inputs of a projection by name, in the order in which they were gathered."""

    def __init__(self) -> None:
        self.by_name: dict[str, Given] = {}
        self.flags: list[str] = []

    def add(
        self, name: str, unit: str, value: float, source: str, evidence: str, *, spread: tuple[float, float] | None = None
    ) -> None:
        """Add an input; ``spread`` is its range as factors of its value, at the 10th and 90th percentile."""
        low, high = (value * spread[0], value * spread[1]) if spread else (None, None)
        self.by_name[name] = Given(name=name, unit=unit, value=value, low=low, high=high, source=source, evidence=evidence)

    def state(self, name: str, unit: str, value: float) -> None:
        """Add what the scenario states, or takes by its documented default."""
        self.add(name, unit, value, _STATED + ", or its default", "stated")

    def measure(self, name: str, unit: str, found: Measurement, what: str, factor: float = 1.0) -> None:
        """Add a measured rate with the medians of its invocations."""
        by_invocation: dict[int, list[float]] = {}
        for sample in found.samples:
            by_invocation.setdefault(sample.invocation, []).append(sample.value * factor)
        medians = tuple(statistics.median(values) for values in by_invocation.values())
        conditions = ", ".join(f"{key} {value}" for key, value in found.conditions.items() if not isinstance(value, dict | list))
        self.by_name[name] = Given(
            name=name, unit=unit, value=found.median * factor, low=found.interval_low * factor, high=found.interval_high * factor,
            samples=medians, source=f"measured here: {what} ({found.metric}; {conditions})", evidence="measured",
        )  # fmt: skip


def gather(scenario: Scenario, profile: DatasetProfile | None, measured: MeasurementSet | None) -> Givens:
    """Return every input of a scenario's projection.

    Raises
    ------
    ScenarioError
        If the dataset's size is neither stated nor profiled.
    """
    givens = Givens()
    givens.add("month_s", "s", MONTH_S, "1/12 of a Julian year", "published")
    _dataset(givens, scenario, profile)
    _storage(givens, scenario, measured)
    if scenario.training is not None:
        _training(givens, scenario, scenario.training, measured)
    if scenario.inference is not None:
        _inference(givens, scenario.inference)
    source = "assumed 0.12 USD/kWh, unless stated"
    givens.add("price.electricity_usd_per_j", "usd_per_j", scenario.prices.electricity, source, "assumed")
    source = "model card of Llama 2: 420 g/kWh, unless stated"
    givens.add("price.carbon_g_per_j", "g_per_j", scenario.prices.carbon, source, "published", spread=(0.5, 1.5))
    gather_costs(givens, scenario)
    if scenario.site.power_limit is not None:
        medium = media()[scenario.storage.medium]
        givens.state("site.power_limit_w", "w", scenario.site.power_limit)
        givens.add("drive.power_w", "w", float(medium.power), *medium.origin("power"))
    givens.add("price.pue_factor", "ratio", scenario.prices.pue, "Uptime Institute 2024, unless stated", "published")
    return givens


def _dataset(givens: Givens, scenario: Scenario, profile: DatasetProfile | None) -> None:
    start, where = scenario.dataset, "" if profile is None else f"profile of '{profile.name}', version {profile.version}"
    if start.images is not None:
        givens.state("start.images", "images", start.images)
    elif profile is not None and profile.image_count:
        givens.add("start.images", "images", profile.image_count, where, "measured")
    elif start.like is not None:
        known = collections()[start.like]
        givens.add("start.images", "images", known.images, *known.origin("images"))
    else:
        raise ScenarioError(
            "the scenario states no 'dataset.images' and no dataset was given; state it, or name one with --dataset"
        )
    if start.image_size is not None:
        givens.state("start.bytes_per_image", "bytes", start.image_size)
    elif profile is not None and profile.image_count:
        givens.add("start.bytes_per_image", "bytes", profile.mean_image_bytes, where, "measured")
    elif start.like is not None:
        known = collections()[start.like]
        givens.add("start.bytes_per_image", "bytes", known.size / known.images, *known.origin("images", "size"))
    else:
        raise ScenarioError(
            "the scenario states no 'dataset.image_size' and no dataset was given; state it, or name one with --dataset"
        )
    if start.kept is not None:
        givens.state("start.kept_share", "share", max(start.kept, 1e-6))
    elif profile is not None and profile.source_count:
        givens.add("start.kept_share", "share", max(profile.kept_share, 1e-6), where, "measured")
    else:
        givens.add("start.kept_share", "share", 0.9, "no dataset was curated; 90 % kept", "assumed", spread=(0.8, 1.1))
    _quarantined(givens, scenario, profile, where)
    _shard_overhead(givens, profile, where)
    spread = scenario.growth.uncertainty
    givens.add("growth.factor", "ratio", 1.0, _STATED, "assumed", spread=(1 - spread, 1 + spread) if spread else None)


def _quarantined(givens: Givens, scenario: Scenario, profile: DatasetProfile | None, where: str) -> None:
    """Add the share of what comes in that is refused: stated, profiled, or assumed."""
    stated = scenario.dataset.quarantined
    if stated is not None:
        givens.state("start.quarantined_share", "share", stated)
    elif profile is not None and profile.source_count:
        found = profile.states.get("quarantined", 0) / profile.source_count
        givens.add("start.quarantined_share", "share", found, where, "measured")
    else:
        givens.add("start.quarantined_share", "share", 0.01, "no dataset was curated; 1 % refused", "assumed", spread=(0.2, 3.0))


def _shard_overhead(givens: Givens, profile: DatasetProfile | None, where: str) -> None:
    """Add shard bytes per image byte: measured where the dataset is large enough that footers do not count."""
    if profile is not None and profile.image_bytes >= GB // 10:
        givens.add("start.shard_overhead_ratio", "ratio", profile.shard_bytes / profile.image_bytes, where, "measured")
    else:
        source = "Parquet with one metadata row per image; measured once a dataset of 100 MB or more is given"
        givens.add("start.shard_overhead_ratio", "ratio", 1.01, source, "assumed", spread=(0.995, 1.02))


def _storage(givens: Givens, scenario: Scenario, measured: MeasurementSet | None) -> None:
    storage, medium = scenario.storage, media()[scenario.storage.medium]
    givens.state("storage.raw_kept_factor", "ratio", float(storage.keep_raw))
    givens.state("storage.version_rewrite_share", "share", storage.version_rewrite)
    givens.state("storage.kept_version_count", "count", storage.kept_versions)
    givens.state("storage.kept_checkpoint_count", "count", storage.kept_checkpoints)
    givens.state("storage.protection_factor", "ratio", storage.protection.factor)
    givens.state("storage.headroom_share", "share", min(storage.headroom, 0.95))
    givens.add("drive.capacity_bytes", "bytes", medium.capacity, *medium.origin("capacity"))
    givens.add("drive.read_bytes_per_s", "bytes_per_s", medium.read, *medium.origin("read"), spread=(0.8, 1.0))
    givens.add("drive.write_bytes_per_s", "bytes_per_s", medium.write, *medium.origin("write"), spread=(0.7, 1.0))
    givens.add("ingest.peak_factor", "ratio", 4.0, "data arrives in working hours and bursts", "assumed", spread=(0.5, 2.0))
    if scenario.network.nic is not None:
        card = cards()[scenario.network.nic]
        givens.add("network.node_link_bytes_per_s", "bytes_per_s", card.rate, *card.origin("rate"))
    else:
        givens.state("network.node_link_bytes_per_s", "bytes_per_s", scenario.network.node_link)
    givens.state("network.transfer_link_bytes_per_s", "bytes_per_s", scenario.network.transfer_link)
    source = "stas00/ml-engineering: plan 90 to 95 % of the line rate; less over TCP"
    givens.add("network.payload_share", "share", scenario.network.efficiency, source, "assumed", spread=(0.9, 1.03))
    _upkeep(givens, scenario, measured)
    _supply(givens, scenario, measured)
    _decode_rate(givens, measured)


def _upkeep(givens: Givens, scenario: Scenario, measured: MeasurementSet | None) -> None:
    """Add what storage, curation batches and links are kept going by."""
    storage, network, curated = scenario.storage, scenario.network, scenario.curation
    givens.state("storage.derived_factor", "ratio", storage.derived_factor)
    givens.state("storage.raw_file_factor", "ratio", float(storage.raw_as_files))
    givens.state("storage.block_bytes", "bytes", storage.block_size)
    givens.add("storage.inode_bytes", "bytes", 256.0, "ext4, default size of an inode (mke2fs.conf)", "published")
    givens.state("storage.shard_bytes", "bytes", storage.shard_size)
    givens.state("storage.filesystem_share", "share", storage.filesystem_overhead)
    givens.state("storage.rebuild_s", "s", storage.rebuild_time)
    pieces = (
        float(storage.protection.data) if storage.protection.kind == "erasure" else float(storage.protection.kind == "replicas")
    )
    givens.state("storage.rebuild_piece_count", "count", pieces)
    givens.add("storage.file_operation_count", "count", 4.0, "create, write, close and rename of a file", "assumed")
    size = givens.by_name["start.bytes_per_image"].value
    givens.add(
        "storage.images_per_shard", "count", max(1.0, storage.shard_size / size), "shard size over bytes per image", "assumed"
    )
    givens.add("storage.chunk_bytes", "bytes", 16 * 2**20, "row groups of 16 MiB, as this toolkit packs them", "published")
    givens.add("storage.shuffled_share", "share", 0.0, "shards are shuffled when they are packed", "published")
    if storage.owned is not None:
        givens.state("storage.owned_bytes", "bytes", storage.owned)
    if network.switch is not None:
        switch = switches()[network.switch]
        givens.add("network.switch_port_count", "count", switch.port_count, *switch.origin("port_count"))
    else:
        givens.state("network.switch_port_count", "count", network.switch_port_count)
    givens.state("network.oversubscription_factor", "ratio", network.oversubscription_factor)
    givens.add("network.hop_latency_s", "s", network.hop_latency, "assumed 5 microseconds, unless stated", "assumed")
    source = "prior of 0.6 to 0.9 for data-parallel training"
    givens.add("network.overlap_share", "share", 0.75, source, "assumed", spread=(0.8, 1.2))
    givens.state("curation.batch_count", "count", curated.batch_count)
    givens.state("curation.core_count", "count", curated.core_count)
    _own_share(givens, "curation.own_share", curated, measured)
    source = "this toolkit's curation reaches 0.70 to 0.80 of the strict-decode rate"
    givens.add("curation.beside_factor", "ratio", 1.35, source, "published", spread=(0.92, 1.08))
    source = "this toolkit's duplicate search: 1.8 s for a million hashes"
    givens.add("curation.search_million_s", "s", 1.8, source, "published", spread=(0.5, 2.0))
    givens.add(
        "curation.search_exponent", "exponent", 1.1, "at most 1.2 from 1e5 to 1e7 images", "published", spread=(0.95, 1.09)
    )


def _own_share(givens: Givens, name: str, part: Training | Curation, measured: MeasurementSet | None) -> None:
    """Add what a machine has for itself: all, what the scenario states, what was measured beside a load, or the default."""
    found = None if measured is None else measured.find("contention.loss", load="cpu")
    if part.dedicated or "shared_loss" in part.model_fields_set or found is None:
        givens.state(name, "share", max(1.0 if part.dedicated else 1 - part.shared_loss, 0.01))
        return
    own, low, high = (max(1 - share, 0.01) for share in (found.median, found.interval_high, found.interval_low))
    source = "measured here: what the loader keeps beside a busy process on every core (contention.loss)"
    givens.add(name, "share", own, source, "measured", spread=(low / own, min(high, 1.0) / own))


def _supply(givens: Givens, scenario: Scenario, measured: MeasurementSet | None) -> None:
    """Add what one node reads from storage."""
    stated = scenario.storage.supply
    if isinstance(stated, float | int):
        givens.state("supply.stated_bytes_per_s", "bytes_per_s", float(stated))
        return
    if stated == "drives":
        return
    found = measured.find("read.sequential", cache="cold") if measured is not None else None
    if found is not None and found.unit == "bytes_per_s" and found.cache_verdict == "cold":
        givens.measure("supply.node_bytes_per_s", "bytes_per_s", found, "shards read in sequence, cold")
        return
    medium = media()[scenario.storage.medium]
    givens.add("supply.node_bytes_per_s", "bytes_per_s", medium.read, *medium.origin("read"), spread=(0.7, 1.0))
    given = "no read of shards in sequence was proven cold" if measured is not None else "no measurements were given"
    givens.flags.append(f"{given}: storage supply is a vendor's figure for one drive per node; run tonnage measure on the target")


def _training(givens: Givens, scenario: Scenario, training: Training, measured: MeasurementSet | None) -> None:
    model, device = models()[training.model], accelerators()[training.accelerator]
    if training.samples_seen is not None:
        givens.state("training.samples_seen", "images", training.samples_seen)
    else:
        givens.state("training.epoch_count", "count", training.epochs or 90)
    givens.state("training.deadline_s", "s", training.deadline)
    givens.state("training.run_count", "count", training.runs_per_month)
    givens.add("model.param_count", "count", model.params, *model.origin("params"))
    givens.add("model.forward_mac_count", "count", model.forward_macs, *model.origin("forward_macs"))
    givens.add(
        "model.activation_bytes", "bytes", model.activation, f"{model.title}: {model.source}", "assumed", spread=(0.6, 1.6)
    )
    givens.state("training.state_bytes", "bytes", _STATE_BYTES[training.optimizer])
    givens.state("training.shard_stage_index", "index", training.shard_stage_index)
    givens.state("training.optimizer_bytes", "bytes", _optimizer_bytes(training))
    givens.add("training.repair_s", "s", 86_400.0, "a day to repair a node", "assumed", spread=(0.3, 3.0))
    givens.state("training.gradient_bytes", "bytes", _WEIGHT_BYTES[training.precision])
    givens.state("training.batch_images", "images", training.batch_per_accelerator)
    givens.state("training.devices_per_node", "count", training.accelerators_per_node)
    givens.state("training.cores_per_node", "count", training.cores_per_node)
    _own_share(givens, "training.own_share", training, measured)
    _device_rate(givens, training, measured)
    source = "MLPerf Training v3.0, ResNet-50: 0.66 from 8 to 64 devices at a fixed batch, near 1 at a growing one"
    givens.add("training.scaling_share", "share", 0.9, source, "published", spread=(0.8, 1.08))
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
    givens.add("price.device_usd_per_s", "usd_per_s", float("nan") if rate is None else rate, source, "assumed")


def _optimizer_bytes(training: Training) -> float:
    """Return bytes of optimizer state per parameter: what the state takes beyond weights and gradients."""
    return max(0.0, _TRAINING_STATE_BYTES[training.optimizer] - 2 * _WEIGHT_BYTES[training.precision])


def _device_rate(givens: Givens, training: Training, measured: MeasurementSet | None) -> None:
    """Add samples each second on one device: the user's own step, else what is published, else a share of the peak."""
    step, said = step_of(measured, "training", training.model, training.accelerator)
    if step is not None:
        factor = 1 / int(step.conditions.get("devices", 1))
        givens.measure("device.rate_images_per_s", "images_per_s", step, "the user's own training step", factor)
        givens.flags += [said] if said else []
        return
    device, model = accelerators()[training.accelerator], models()[training.model]
    published = device.train_images_per_s.get(training.model)
    if published is not None:
        source = f"{device.title}: {device.train_source}"
        givens.add("device.rate_images_per_s", "images_per_s", published, source, "published", spread=(0.8, 1.05))
        return
    if training.precision not in device.peak:
        raise ScenarioError(
            f"'training.precision': {device.title} has no rate for {training.precision}; there are {', '.join(device.peak)}"
        )
    peak = device.peak[training.precision]
    givens.add("device.peak_flop_per_s", "flop_per_s", peak, *device.origin("peak"))
    source = f"OpenCLIP and MLPerf runs reach 11 to 45 % of the peak; {model.title} was not published on this device"
    givens.add("device.utilisation_share", "share", 0.28, source, "assumed", spread=(0.5, 1.5))


def _decode_rate(givens: Givens, measured: MeasurementSet | None) -> None:
    found = None
    if measured is not None:
        found = measured.find("decode.core") or measured.find("ceiling.decode_core")
    if found is not None and found.unit == "images_per_s":
        givens.measure("supply.core_images_per_s", "images_per_s", found, "images decoded on one core")
        return
    source = "strict decoding of 0.29-megapixel JPEG on one core of a current server"
    givens.add("supply.core_images_per_s", "images_per_s", 700.0, source, "assumed", spread=(0.5, 1.5))
    givens.flags.append("no decode rate was measured: 700 images/s on a core is assumed; run tonnage measure on the target")


def _inference(givens: Givens, inference: Inference) -> None:
    model, device = models()[inference.model], accelerators()[inference.accelerator]
    givens.state("inference.spare_count", "count", inference.spare_instances)
    if inference.streams is not None:
        givens.state("inference.stream_count", "count", inference.streams)
        givens.state("inference.frames_per_s", "per_s", inference.frames_per_s)
        givens.add("inference.stream_bytes_per_s", "bytes_per_s", inference.stream_rate, "4 Mb/s, unless stated", "assumed")
        uploaded = float(inference.placement == "datacenter") if inference.uploaded is None else inference.uploaded
        givens.state("inference.uploaded_share", "share", uploaded)
        if inference.uplink_limit is not None:
            givens.state("inference.uplink_limit_bytes_per_s", "bytes_per_s", inference.uplink_limit)
        if inference.blocked is not None:
            givens.state("inference.blocked_share", "share", max(inference.blocked, 1e-6))
    else:
        givens.state("inference.start_per_s", "per_s", inference.requests_per_s or 0.0)
    givens.state("inference.objective_s", "s", inference.latency_p99)
    source = "Poisson, as MLPerf's server scenario sends, unless stated"
    givens.add("inference.arrival_variation_factor", "ratio", inference.arrival_variation_factor, source, "assumed")
    givens.state("inference.yearly_factor", "ratio", inference.yearly_factor)
    source = "capacity under an objective from two published numbers missed MLPerf's server results by up to 15 %"
    givens.add("inference.capacity_factor", "ratio", 1.0, source, "published", spread=(0.85, 1.15))
    givens.add("inference.param_count", "count", model.params, *model.origin("params"))
    givens.add("inference.weight_bytes", "bytes", 1.0, "8-bit weights, as the published serving rates have them", "published")
    givens.add("inference.workspace_bytes", "bytes", 1e9, "framework and context", "assumed", spread=(0.5, 1.5))
    givens.add("inference.input_bytes", "bytes", 3.0 * model.input_px**2, "one RGB input of the model's size", "published")
    givens.add("inference.device_w", "w", device.power, *device.origin("power"))
    givens.add("inference.boot_s", "s", inference.boot_time, "a minute, unless stated", "assumed", spread=(0.5, 2.0))
    price = inference.accelerator_hour
    rate = price / 3600 if price is not None else device.price_per_hour
    source = _STATED if price is not None else device.price_source or "needs input: inference.accelerator_hour"
    givens.add("inference.device_usd_per_s", "usd_per_s", float("nan") if rate is None else rate, source, "assumed")
    if inference.device_power_limit is not None:
        givens.state("inference.device_limit_w", "w", inference.device_power_limit)
    givens.add("inference.idle_share", "share", 0.3, "idle over board power", "assumed", spread=(0.6, 1.4))
