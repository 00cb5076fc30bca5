"""What a report answers of serving: latency and power, throughput, what goes in and out, memory, streams, and the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.reporting.blocks import Block, Cell, Prose, Table, text_rows
from toolkit.reporting.topics import Topic
from toolkit.reporting.wording import DASH, without_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.reporting.known import Known

__all__ = ["INFERENCE_TOPICS"]

_BESIDE: Final = (
    ("memory of a device", "training.memory_bytes", "inference.memory_bytes"),
    ("parameters held", "model.param_count", "inference.held_param_count"),
    ("bytes of a weight", "training.weight_bytes", "inference.weight_bytes"),
    ("power of a device", "training.device_w", "inference.device_w"),
    ("power in all", "training.power_w", "inference.power_w"),
    ("devices", "training.gpu_count", "inference.instance_count"),
    ("images or requests a second in all", "training.rate_images_per_s", "inference.offered_per_s"),
    ("what comes in from storage or clients", "bandwidth.epoch_read_bytes_per_s", "inference.input_bytes_per_s"),
)
"""The same resource in training and in serving."""


def _hardware(known: Known) -> str:
    if not known.has("inference.latency_p99_s"):
        return ""
    late = (known.value("inference.latency_p99_s") or 0) > (known.value("inference.objective_s") or float("inf"))
    allowed = f"{known.text('inference.objective_s')} allowed{': too late' if late else ''}"
    said = f"99 % of the answers come within {known.text('inference.latency_p99_s')} of the {allowed}"
    if known.has("inference.device_w"):
        said += f", from a device of {known.text('inference.device_w')}"
    if known.has("inference.answer_j"):
        said += f" that takes {known.text('inference.answer_j')} an answer"
    return f"{said}."


def _throughput(known: Known) -> str:
    if not known.has("inference.instance_count", "inference.capacity_per_s"):
        return ""
    return (
        f"{known.text('inference.instance_count')} instances answer {known.text('inference.offered_per_s')}; each has "
        f"{known.text('inference.load_per_s')} of the {known.text('inference.capacity_per_s')} that it can answer in time."
    )


def _moved(known: Known) -> str:
    if not known.has("inference.input_bytes_per_s"):
        return ""
    return (
        f"Decoded inputs of {known.text('inference.input_bytes')} bring {known.text('inference.input_bytes_per_s')} to a device, "
        f"over a link of {known.text('inference.host_link_bytes_per_s')}."
    )


def _memory(known: Known) -> str:
    if not known.has("inference.memory_bytes"):
        return ""
    said = f"Models, inputs in flight and workspace take {known.text('inference.memory_bytes')} of a device's memory"
    if known.has("inference.load_s"):
        return f"{said}: loaded once in {known.text('inference.load_s')}, and no call back to storage while it serves."
    return f"{said}, so that nothing is called back from storage while it serves."


def _fewer(known: Known) -> str:
    if not known.has("inference.memory_bytes"):
        return ""
    if not known.has("training.memory_bytes"):
        return f"An instance takes {known.text('inference.memory_bytes')} of memory; what training takes needs input: training."
    return (
        f"An instance takes {known.text('inference.memory_bytes')} on one device of {known.text('inference.device_w')}; a run of "
        f"training takes {known.text('training.memory_bytes')} on each of its {known.text('training.gpu_count')} devices of "
        f"{known.text('training.device_w')}."
    )


def _beside(known: Known) -> Sequence[Block]:
    rows = [
        (words, *(Cell(text=known.text(name) if known.has(name) else DASH, why=known.why(name)) for name in pair))
        for words, *pair in _BESIDE
        if known.has(pair[1])
    ]
    if not rows:
        return ()
    table = Table(caption="The same resource in training and in serving", columns=("what", "training", "serving"),
                  rows=text_rows(rows), numeric=frozenset({1, 2}), stacked=True)  # fmt: skip
    return (table,)


def _streams(known: Known) -> str:
    if not known.has("inference.streams_per_device_count"):
        return ""
    count = "inference.growing_stream_count" if known.has("inference.growing_stream_count") else "inference.stream_count"
    return (
        f"{known.text(count)} streams, each with a place of its own that no other uses: "
        f"{known.text('inference.streams_per_device_count')} on a device, {known.text('inference.instance_count')} devices."
    )


def _turned_away(known: Known) -> Sequence[Block]:
    served = known.part("inference")
    if not served.get("streams"):
        return ()
    if served.get("blocked") is None:
        text = (
            "Every stream is taken to be always on: none is turned away. Streams that come and go need input: inference.blocked."
        )
        return (Prose(text=text, calm=True),)
    text = "Streams come and go: places are so many that arriving streams are turned away no more often than the scenario allows."
    return (Prose(text=text),)


def _edge(known: Known) -> str:
    return without_keys(known.projection.plan.edge_fit)


INFERENCE_TOPICS: Final = (
    Topic(
        name="latency-power",
        title="Hardware by latency and power",
        short="Latency and power",
        sentence=_hardware,
        missing="inference.model, inference.accelerator and inference.latency_p99",
        caption="Latency and power",
        figures=("latency",),
        loads=("inference", ("latency against its objective", "device power")),
        quantities=(
            "inference.single_s",
            "inference.latency_p50_s",
            "inference.latency_p95_s",
            "inference.latency_p99_s",
            "inference.objective_s",
            "inference.device_w",
            "inference.device_limit_w",
            "inference.power_w",
            "inference.answer_j",
            "plan.missed_share",
        ),
    ),
    Topic(
        name="throughput",
        title="Throughput of serving",
        short="Throughput",
        sentence=_throughput,
        missing="inference.requests_per_s or inference.streams",
        caption="What comes in, and what can be answered",
        figures=("latency-load",),
        needed={"inference.million_usd": "a price of the device"},
        quantities=(
            "inference.offered_per_s",
            "inference.capacity_per_s",
            "inference.offline_per_s",
            "limit.serving_per_s",
            "inference.load_per_s",
            "inference.load_share",
            "inference.in_flight_count",
            "inference.instance_count",
            "inference.spare_count",
            "inference.scale_out_s",
            "inference.million_usd",
        ),
    ),
    Topic(
        name="inputs",
        title="Bandwidth of inputs and outputs",
        short="Input bandwidth",
        sentence=_moved,
        missing="inference.model, whose input is known",
        caption="What goes in and out",
        loads=("inference", ("host link", "uplink")),
        quantities=(
            "inference.input_bytes",
            "inference.load_per_s",
            "inference.input_bytes_per_s",
            "inference.host_link_bytes_per_s",
            "inference.stream_bytes_per_s",
            "inference.uplink_bytes_per_s",
            "inference.site_uplink_bytes_per_s",
            "inference.uploaded_share",
            "inference.sent_bytes_per_s",
            "inference.uplink_limit_bytes_per_s",
        ),
    ),
    Topic(
        name="memory",
        title="Models and inputs in memory, without calls to storage",
        short="Memory",
        sentence=_memory,
        missing="inference.model, whose parameters are known",
        caption="What a device holds",
        loads=("inference", ("device memory",)),
        quantities=(
            "inference.memory_bytes",
            "inference.param_count",
            "inference.beside_param_count",
            "inference.held_param_count",
            "inference.weight_bytes",
            "inference.in_flight_count",
            "inference.input_bytes",
            "inference.workspace_bytes",
            "inference.load_s",
            "inference.boot_s",
            "inference.scale_out_s",
        ),
    ),
    Topic(
        name="fewer",
        title="What an instance takes beside what training takes",
        short="Beside training",
        sentence=_fewer,
        missing="inference.model, and training to compare with",
        caption="",
        quantities=(),
        more=_beside,
        told=tuple(name for _, *pair in _BESIDE for name in pair),
    ),
    Topic(
        name="streams",
        title="Input streams that cannot be shared",
        short="Exclusive streams",
        sentence=_streams,
        missing="inference.streams, where each input keeps a device's place for itself, as one speaker does a recogniser; "
        "requests of this scenario are independent, and any device answers them",
        caption="Streams, places and waiting",
        quantities=(
            "inference.stream_count",
            "inference.growing_stream_count",
            "inference.site_count",
            "inference.site_stream_count",
            "inference.frames_per_s",
            "inference.streams_per_device_count",
            "inference.instance_count",
            "plan.instance_count",
            "plan.busy_share",
            "plan.joint_wait_s",
            "plan.split_wait_s",
            "plan.random_wait_s",
        ),
        more=_turned_away,
    ),
    Topic(
        name="edge",
        title="Whether it fits at the edge",
        short="Edge",
        sentence=_edge,
        missing="inference.placement: edge, inference.device_power_limit and inference.uplink_limit",
        caption="What the edge limits",
        loads=("inference", ("device power", "device memory", "latency against its objective", "uplink")),
        quantities=(
            "inference.device_w",
            "inference.device_limit_w",
            "inference.memory_bytes",
            "inference.site_count",
            "inference.sent_bytes_per_s",
            "inference.uplink_limit_bytes_per_s",
            "inference.uplink_bytes_per_s",
            "inference.load_s",
        ),
    ),
)
"""In the order in which they are read."""
