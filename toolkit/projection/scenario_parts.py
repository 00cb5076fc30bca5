"""The parts of a scenario: every key, its unit, its default and where that comes from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from toolkit.projection.hardware_facts import described_in
from toolkit.projection.scenario_data import Component, DatasetStart, Growth, Part, Protection, Storage
from toolkit.projection.scenario_types import (
    Bytes,
    BytesOrNone,
    BytesPerS,
    Count,
    GramsPerJ,
    PerS,
    PositiveShare,
    Seconds,
    Share,
    Usd,
    UsdPerJ,
    Watts,
    YearlyFactor,
    at_least,
    named,
    quantity,
)
from toolkit.units import MONTH_S

__all__ = [
    "Component", "Curation", "DatasetStart", "Growth", "Inference", "Network", "Prices", "Protection", "Purchase", "Scenario",
    "Site", "Storage", "Training",
]  # fmt: skip


class Training(Part):
    """What is trained, how often, by when."""

    model: Annotated[str, named("model")] = "resnet50"
    """Model, from the hardware facts."""
    accelerator: Annotated[str, named("accelerator")] = "h100_sxm"
    """Device, from the hardware facts."""
    accelerators_per_node: Annotated[int, Field(ge=1, le=72)] = 8
    """Devices in a node."""
    cores_per_node: Annotated[int, Field(ge=1, le=1024)] = 96
    """CPU cores in a node, which decode images."""
    processor: Annotated[str, named("processor")] | None = None
    """Processor of a node, from the hardware facts, two in each; its cores take the place of ``cores_per_node``."""
    instance: Annotated[str, named("instance")] | None = None
    """Machine that is rented, from the hardware facts; its price takes the place of the device's own."""
    memory_per_node: Bytes = 512e9
    """Memory of a node; half of it is taken to hold file pages. Default: 512 GB, assumed."""
    nvme_per_node: BytesOrNone = 0.0
    """Drives of a node that cache the dataset. Default: none."""
    cache_policy: Literal["lru", "pinned", "random", "fixed_order"] = "lru"
    """What a node's cache does once the dataset outgrows it: evict what was least recently used (the page cache), keep a
    fixed part, evict at random, or see every epoch in the same order. Default: the page cache."""
    shard_stage_index: Annotated[int, Field(ge=0, le=3)] = 0
    """What replicas share instead of each holding it: 0 nothing, 1 the optimizer's state, 2 gradients too, 3 weights too."""
    epochs: Annotated[float, Field(gt=0, le=1e6)] | None = None
    """Passes over the dataset; give this or ``samples_seen``. By default 90 (the usual ImageNet recipe)."""
    samples_seen: Annotated[float, Field(gt=0, le=1e15)] | None = None
    """Samples in all, however large the dataset."""
    deadline: Annotated[float, quantity("s"), at_least(1, "a second")] = 7 * 86_400.0
    """Time within which a run must end."""
    deadline_probability: Annotated[float, quantity("share"), Field(gt=0, lt=1)] | None = None
    """Probability with which it is to end in time: so many devices are bought. Default: ``plan.probability``."""
    accelerator_count: Annotated[int, Field(ge=1)] | None = None
    """Devices that there are, where that is decided already; by default as many as the deadline takes."""
    runs_per_month: Annotated[float, Field(ge=0, le=1000)] = 1
    """Training runs each month."""
    precision: Literal["fp32", "tf32", "bf16", "fp16", "fp8"] = "bf16"
    """Number format of the arithmetic."""
    batch_per_accelerator: Annotated[int, Field(ge=1)] = 256
    """Samples of a step on one device; fewer where all devices together would pass ``global_batch``."""
    global_batch: Count | None = None
    """Samples of a step on all devices together, at most. Default: the largest with which the model was published to train in
    as many epochs, as far as that is known; else 32,768, assumed."""
    tensor_count: Annotated[int, Field(ge=1, le=64)] = 1
    """Devices that share each layer (tensor parallel). Default: each device holds whole layers."""
    pipeline_count: Annotated[int, Field(ge=1, le=128)] = 1
    """Stages that the layers are split into (pipeline parallel). Default: one."""
    micro_batch_count: Annotated[int, Field(ge=1, le=100_000)] = 8
    """Parts that a step is cut into so that the stages of a pipeline wait less. Default: 8, assumed."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    """What state a checkpoint holds beside the weights."""
    checkpoint_interval: Literal["optimal"] | Seconds = "optimal"
    """Time between checkpoints, or the optimum after Young and Daly."""
    dedicated: bool = True
    """Whether the machines run nothing else; shared ones lose ``shared_loss``."""
    shared_loss: Annotated[float, quantity("share"), Field(ge=0, lt=1)] = 0.3
    """Share of the rate that neighbours take on shared machines."""

    @model_validator(mode="after")
    def _one_of(self) -> Training:
        if self.epochs is not None and self.samples_seen is not None:
            raise ValueError("give epochs or samples_seen, not both")
        return self


class Curation(Part):
    """How what comes in is curated."""

    batch_count: Annotated[float, Field(gt=0, le=10_000)] = 4
    """Batches each month. Default: one a week, assumed."""
    core_count: Annotated[int, Field(ge=1, le=100_000)] = 32
    """CPU cores that curate. Default: assumed."""
    dedicated: bool = True
    """Whether these cores run nothing else; shared ones lose ``shared_loss``."""
    shared_loss: Annotated[float, quantity("share"), Field(ge=0, lt=1)] = 0.3
    """Share of the rate that neighbours take on shared machines. Default: assumed."""


class Inference(Part):
    """What is served, to how many, how fast."""

    model: Annotated[str, named("model")] = "resnet50"
    """Model, from the hardware facts."""
    accelerator: Annotated[str, named("accelerator")] = "l4"
    """Device, from the hardware facts."""
    models: tuple[Annotated[str, named("model")], ...] = ()
    """Further models, from the hardware facts, that each device holds beside ``model``, without a load of their own."""
    precision: Literal["fp32", "tf32", "bf16", "fp16", "fp8", "int8"] = "int8"
    """Number format of weights and arithmetic. Default: 8 bits, as the published serving rates have it."""
    host_link: BytesPerS = 31e9
    """Link over which a host hands decoded inputs to a device. Default: PCIe 4 x16, 31 GB/s."""
    requests_per_s: PerS | None = None
    """Independent requests; give this or ``streams``."""
    streams: Annotated[int, Field(ge=1, le=10**9)] | None = None
    """Input streams, each of which keeps its place on one device for itself."""
    sites: Annotated[int, Field(ge=1, le=10**9)] | None = None
    """Places at which the streams arise, alike in size; those of different places share no device, and more streams come with
    more places. Default: not known; all streams are taken to arise at one place."""
    frames_per_s: PerS = 30.0
    """Frames of a stream each second."""
    latency_p99: Seconds = 0.05
    """99 of 100 answers come within this."""
    arrival_variation_factor: Annotated[float, Field(ge=0.05, le=20)] = 1.0
    """Burstiness: squared coefficient of variation of the times between arrivals. Default: 1, Poisson; bursts have more."""
    max_batch: Annotated[int, Field(ge=1, le=1024)] = 8
    """Largest batch that a device serves together."""
    spare_instances: Annotated[int, Field(ge=0, le=10**6)] = 1
    """Instances beyond what the load needs, so that one may fail."""
    yearly_factor: YearlyFactor = 1
    """Growth of the load over a year."""
    blocked: Share | None = None
    """Share of arriving streams that may find no free place, where ``streams`` come and go: the mean number that is on.
    By default every stream is always on."""
    stream_rate: BytesPerS = 0.5e6
    """Encoded bytes of a stream each second. Default: 4 Mb/s, 1080p H.264 from a camera, assumed."""
    uplink_limit: BytesPerS | None = None
    """Link of the place where streams arise towards elsewhere. Default: not known, and not judged."""
    uploaded: Share | None = None
    """Share of the streams' bytes that leave the place. Default: none at the edge, all in a data center."""
    device_power_limit: Watts | None = None
    """Power that a place gives a device, at the edge."""
    boot_time: Seconds = 60.0
    """Time until a new instance begins to load the model. Default: assumed."""
    accelerator_hour: Usd | None = None
    """Rent of one device for an hour; by default that of the hardware facts, if one is known."""
    pue: Annotated[float, Field(ge=1, le=3)] | None = None
    """Facility power over device power where it is served. Default: 1 at the edge, that of ``prices`` in a data center."""
    placement: Literal["datacenter", "edge"] = "datacenter"
    """Where it runs; at the edge each site's streams stay on its own device."""

    @model_validator(mode="after")
    def _one_of(self) -> Inference:
        if (self.requests_per_s is None) == (self.streams is None):
            raise ValueError("give requests_per_s or streams, and not both")
        if self.sites is not None and self.sites > (self.streams or 0):
            raise ValueError("sites are places at which streams arise: there are at most as many as streams")
        return self


class Network(Part):
    """What bytes travel over."""

    node_link: BytesPerS = 12.5e9
    """Network link of a node, per direction. Default: 100 Gb/s."""
    transfer_link: BytesPerS = 1.25e9
    """Link over which the dataset is copied to another site. Default: 10 Gb/s."""
    fabric_link: BytesPerS | None = None
    """Link of a node for gradients, per direction, all its cards together. Default: ``node_link`` or ``nic`` where one is stated,
    else that of the maker's reference node of the accelerator (400 GB/s with eight H100)."""
    nic: Annotated[str, named("nic")] | None = None
    """Network card of a node, from the hardware facts; its rate takes the place of ``node_link``."""
    switch: Annotated[str, named("switch")] | None = None
    """Switch, from the hardware facts; its ports take the place of ``switch_port_count``."""
    switch_port_count: Annotated[int, Field(ge=2, le=1024)] = 64
    """Ports of a switch. Default: 64 of 400 Gb/s, a current switch, assumed."""
    oversubscription_factor: Annotated[float, Field(ge=1, le=100)] = 1.0
    """Bandwidth towards nodes over that towards other switches. Default: none, as training fabrics are built."""
    hop_latency: Seconds = 5e-6
    """Latency of one step of a ring. Default: 5 microseconds, assumed; InfiniBand takes about 1, TCP 20 and more."""
    efficiency: PositiveShare = 0.92
    """Share of a link's rate that payload gets."""


class Prices(Part):
    """What power and machines cost. Examples, to be replaced by your own."""

    electricity: UsdPerJ = 0.12 / 3.6e6
    """Price of electricity. Default: 0.12 USD/kWh, assumed."""
    pue: Annotated[float, Field(ge=1, le=3)] = 1.56
    """Facility power over machine power. Default: Uptime Institute 2024, average."""
    accelerator_hour: Usd | None = None
    """Rent of one device for an hour; by default that of the hardware facts, if one is known."""
    carbon: GramsPerJ = 420 / 3.6e6
    """Carbon dioxide of electricity. Default: 420 g/kWh, as the model card of Llama 2 states it."""
    node_power: Watts = 2_000.0
    """Power of a training node beside its accelerators. Default: assumed."""
    node: Usd | None = None
    """Price of a training node with its accelerators and network cards; by default unknown, and nothing that rests on it is
    told."""
    nic: Usd | None = None
    """Price of a network card. Default: that of the hardware facts, if one is known, else in the price of the node."""
    switch: Usd | None = None
    """Price of a switch. Default: that of the hardware facts, if one is known; else what rests on it is not told."""
    rack: Usd | None = None
    """Price of a rack. Default: that of the hardware facts."""
    interest: Share = 0.08
    """Yearly interest on what is bought. Default: assumed."""
    life: Annotated[float, quantity("s"), at_least(MONTH_S, "a month")] = 4 * 12 * MONTH_S
    """Time after which what was bought is replaced. Default: 4 years, assumed."""
    support: Share = 0.1
    """Support and space each year, as a share of what was paid. Default: assumed."""


class Purchase(Part):
    """How sure a plan is to be."""

    probability: Annotated[float, quantity("share"), Field(ge=0.5, le=0.999)] = 0.9
    """Probability with which what is bought is to keep deadline and objective. Default: 90 %, what running out costs."""


class Site(Part):
    """Where machines stand, and how long they take to come."""

    rack_power: Watts = 40_000.0
    """Power that a rack may take. Default: 40 kW, a rack of four nodes with eight accelerators each, assumed."""
    rack: Annotated[str, named("rack")] = "rack_42u"
    """Rack, from the hardware facts."""
    power_limit: Watts | None = None
    """Power of the site, cooling included; asks when it is used up and how many devices fit under it. Default: not limited."""
    drive_lead: Annotated[float, quantity("s"), Field(ge=0)] = 2 * MONTH_S
    """Time from ordering drives to having them. Default: 2 months, assumed."""
    node_lead: Annotated[float, quantity("s"), Field(ge=0)] = 6 * MONTH_S
    """Time from ordering nodes and devices to having them. Default: 6 months, assumed."""
    network_lead: Annotated[float, quantity("s"), Field(ge=0)] = 4 * MONTH_S
    """Time from ordering switches and cards to having them. Default: 4 months, assumed."""


class Scenario(Part):
    """What a projection is asked."""

    name: str
    """Name for people."""
    horizon_months: Annotated[int, Field(ge=1, le=240)] = 36
    """Months to project."""
    dataset: DatasetStart = DatasetStart()
    """The dataset now."""
    growth: Growth = Growth()
    """How it grows."""
    storage: Storage = Storage()
    """Where it lies."""
    network: Network = Network()
    """What bytes travel over."""
    curation: Curation = Curation()
    """How what comes in is curated."""
    training: Training | None = None
    """What is trained; leave it out if nothing is."""
    inference: Inference | None = None
    """What is served; leave it out if nothing is."""
    prices: Prices = Prices()
    """What power and machines cost."""
    hardware: dict[str, dict[str, dict[str, Any]]] = Field(default={})
    """Models, devices, drives and prices of your own by kind and name, as ``tonnage hardware add`` takes them; source and date
    may be left out, and a model may state ``forward_flop`` for one sample."""
    plan: Purchase = Purchase()
    """How sure the plan is to be."""
    site: Site = Site()
    """Where machines stand, and how long they take to come."""

    def __repr__(self) -> str:
        serves = {"train": self.training, "serve": self.inference}
        asked = " and ".join(f"{verb} {part.model}" for verb, part in serves.items() if part is not None) or "store"
        return f"<Scenario {self.name!r}: {self.horizon_months} months, {self.growth.kind} growth, {asked}>"

    __str__ = __repr__

    @model_validator(mode="wrap")
    @classmethod
    def _with_its_hardware(cls, document: Any, handler: ModelWrapValidatorHandler[Scenario]) -> Scenario:
        with described_in(document.get("hardware") if isinstance(document, dict) else None):
            return handler(document)

    @model_validator(mode="after")
    def _events_are_within(self) -> Scenario:
        late = [month for month in self.growth.steps if month > self.horizon_months]
        if late:
            raise ValueError(
                f"'growth.steps' names month {late[0]}, which is beyond the 'horizon_months' of {self.horizon_months}"
            )
        return self
