"""What a report answers of training: nodes, cores, number formats, batches that stay clean, shared machines, what must move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.reporting.formats import format_blocks
from toolkit.reporting.topics import Topic
from toolkit.reporting.wording import list_words, quantity_words

if TYPE_CHECKING:
    from toolkit.reporting.known import Known

__all__ = ["TRAINING_TOPICS"]


def _nodes(known: Known) -> str:
    if not known.has("training.gpu_count", "training.elapsed_s"):
        return ""
    said = (
        f"{_counted(known, 'training.gpu_count', 'device')} in {_counted(known, 'training.node_count', 'node')} end a run in "
        f"{known.text('training.elapsed_s')} of the {known.text('training.deadline_s')} there are"
    )
    cost = "what that costs needs input: a price of the device"
    if known.has("training.cost_usd"):
        cost = f"rented, that is {known.text('training.cost_usd')} a month"
    return f"{said}; {cost}."


def _cores(known: Known) -> str:
    if not known.has("training.decode_images_per_s", "training.rate_images_per_s"):
        return ""
    there, taken = known.value("training.decode_images_per_s"), known.value("training.rate_images_per_s")
    verdict = "the cores keep up" if (there or 0) >= (taken or 0) else "the devices wait for the cores"
    return (
        f"The devices take {known.text('training.rate_images_per_s')}, the nodes' cores decode "
        f"{known.text('training.decode_images_per_s')}: {verdict}; decoding keeps "
        f"{_counted(known, 'training.decode_core_count', 'core')} busy."
    )


def _formats(known: Known) -> str:
    trained = known.part("training")
    if not trained or not known.has("device.rate_images_per_s"):
        return ""
    return (
        f"In {trained.get('precision', 'bf16')} a device trains {known.text('device.rate_images_per_s')}; shorter numbers are "
        "faster and less exact, as far as the formats below are known for this device."
    )


def _batches(known: Known) -> str:
    if not known.has("curation.batch_images", "curation.elapsed_s"):
        return ""
    return (
        f"A batch of {known.text('curation.batch_images')} is examined and searched against all "
        f"{known.text('dataset.images')} in {known.text('curation.elapsed_s')} on "
        f"{_counted(known, 'curation.core_count', 'core')}; that takes {known.text('curation.load_share')} of the month."
    )


def _sharing(known: Known) -> str:
    if not known.has("training.own_share"):
        return ""
    how = {"measured": "as measured", "stated": "as stated"}.get(known.evidence("training.own_share"), "not measured")
    if known.value("training.own_share") == 1:
        return "Training has its machines for itself; what sharing them would take is below, as far as it was measured."
    return f"Beside others, training keeps {known.text('training.own_share')} of its machines' rate ({how})."


def _moving(known: Known) -> str:
    if not known.has("dataset.image_bytes", "storage.capacity_bytes"):
        return ""
    beside = [quantity_words(name) for name in _components(known)]
    held = f"Images take {known.text('dataset.image_bytes')}"
    if beside:
        held += f", {list_words(beside)} {known.text('dataset.component_bytes')}"
    held += f"; with copies, versions and headroom that is {known.text('storage.capacity_bytes')}."
    if known.has("network.transfer_s", "network.transfer_link_bytes_per_s"):
        held += (
            f" Moved to another site it takes {known.text('network.transfer_s')} at "
            f"{known.text('network.transfer_link_bytes_per_s')}."
        )
    if not beside:
        held += " Audio, video or text beside the images needs input: dataset.components."
    return held


def _components(known: Known) -> list[str]:
    return list(dict.fromkeys(name for name, _ in known.ends if name.startswith("dataset.component.")))


def _moved(known: Known) -> tuple[str, ...]:
    return ("dataset.image_bytes", *_components(known), *_MOVED)


def _counted(known: Known, name: str, noun: str) -> str:
    """Return a count with its noun."""
    return f"{known.text(name)} {noun}{'' if known.value(name) == 1 else 's'}"


_MOVED: Final = (
    "storage.capacity_bytes", "storage.drive_count", "storage.object_count", "bandwidth.metadata_per_s",
    "bandwidth.ingest_bytes_per_s", "bandwidth.epoch_read_bytes_per_s", "bandwidth.storage_supply_bytes_per_s",
    "network.node_bytes_per_s", "network.node_link_bytes_per_s", "network.nic_count", "network.fabric_bytes_per_s",
    "network.switch_count", "network.transfer_link_bytes_per_s", "network.transfer_s", "network.wan_load_share",
)  # fmt: skip

TRAINING_TOPICS: Final = (
    Topic(
        name="nodes",
        title="Compute, and as many nodes as one can afford",
        short="Compute and nodes",
        sentence=_nodes,
        missing="training.model, training.accelerator and training.deadline",
        caption="Compute, nodes, and what they cost",
        figures=("compute", "elapsed", "cost"),
        needed={"training.cost_usd": "a price of the device"},
        quantities=(
            "training.flop",
            "training.sample_flop",
            "device.rate_images_per_s",
            "training.gpu_count",
            "training.needed_count",
            "training.node_count",
            "training.spare_node_count",
            "plan.gpu_count",
            "training.rate_images_per_s",
            "plan.rate_images_per_s",
            "limit.training_images_per_s",
            "training.scaling_share",
            "training.goodput_share",
            "training.memory_bytes",
            "training.elapsed_s",
            "training.deadline_s",
            "training.late_share",
            "training.power_w",
            "training.energy_j",
            "training.cost_usd",
        ),
    ),
    Topic(
        name="cores",
        title="Processor cores beside the devices",
        short="CPU cores and GPUs",
        sentence=_cores,
        missing="training.cores_per_node, and a decode rate from tonnage measure",
        caption="Cores that decode, devices that train",
        quantities=(
            "supply.core_images_per_s",
            "training.cores_per_node",
            "training.devices_per_node",
            "training.decode_core_count",
            "training.decode_images_per_s",
            "plan.decode_images_per_s",
            "training.rate_images_per_s",
            "plan.rate_images_per_s",
        ),
        loads=("training", ("image decoding",)),
    ),
    Topic(
        name="formats",
        title="Numeric accuracy against speed",
        short="Accuracy and speed",
        sentence=_formats,
        missing="training.precision, and a device of the hardware facts",
        caption="The number format that is projected",
        quantities=(
            "device.rate_images_per_s",
            "device.peak_flop_per_s",
            "device.half_peak_flop_per_s",
            "device.utilisation_share",
            "training.weight_bytes",
            "training.gradient_bytes",
            "training.optimizer_bytes",
            "training.activation_bytes",
            "training.memory_bytes",
            "training.checkpoint_bytes",
        ),
        more=format_blocks,
    ),
    Topic(
        name="batches",
        title="Data that comes in batches and stays clean",
        short="Data in batches",
        sentence=_batches,
        told=("dataset.images",),
        missing="growth, and curation.batch_count and curation.core_count",
        caption="A batch of new images, curated",
        quantities=(
            "curation.batch_count",
            "curation.batch_images",
            "curation.core_count",
            "curation.examination_s",
            "curation.search_s",
            "curation.search_exponent",
            "curation.elapsed_s",
            "curation.load_share",
            "curation.moved_bytes",
            "bandwidth.curation_bytes_per_s",
            "start.kept_share",
            "start.quarantined_share",
            "storage.quarantine_bytes",
            "storage.versions_bytes",
        ),
    ),
    Topic(
        name="sharing",
        title="Dedicated or shared machines",
        short="Dedicated or shared",
        sentence=_sharing,
        missing="training.dedicated, and contention from tonnage measure",
        caption="What is left beside others",
        quantities=(
            "training.own_share",
            "curation.own_share",
            "training.working_s",
            "training.rate_images_per_s",
            "training.elapsed_s",
            "training.late_share",
            "curation.elapsed_s",
        ),
    ),
    Topic(
        name="moving",
        title="Storage and network for images, audio, video and text",
        short="Holding and moving",
        sentence=_moving,
        told=("dataset.component_bytes",),
        missing="dataset.images and dataset.image_size",
        caption="What is held, and what moves",
        quantities=_moved,
        loads=("training", ("storage bandwidth", "node network")),
    ),
)
"""In the order in which they are read; what doubling the data does is a section of its own."""
