"""What an entry of the hardware facts holds: every figure with its unit, its source and its date, checked when it is read."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from toolkit.units import parse_quantity

__all__ = [
    "KINDS", "Accelerator", "Collection", "Instance", "Medium", "Model", "NetworkCard", "Processor", "Quantity", "Rack",
    "Serving", "Switch", "Tier", "TrainingRun",
]  # fmt: skip


def Quantity(unit: str) -> Any:  # noqa: N802 -- stands where a type stands
    """Return the type of a number that is written as text with a unit and held in its base unit."""
    return Annotated[float, BeforeValidator(lambda text: parse_quantity(text, unit))]


Bytes: Final = Quantity("bytes")
BytesPerS: Final = Quantity("bytes_per_s")
Seconds: Final = Quantity("s")
Watts: Final = Quantity("w")
FlopPerS: Final = Quantity("flop_per_s")
Usd: Final = Quantity("usd")
UsdPerS: Final = Quantity("usd_per_s")
UsdPerByteS: Final = Quantity("usd_per_byte_s")
UsdPerByte: Final = Quantity("usd_per_byte")


def _number(text: Any) -> Any:
    """Return text as a number, where it is one: YAML takes 4.11e9 for a word."""
    try:
        return float(text) if isinstance(text, str) else text
    except ValueError:
        return text


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    title: str
    """Name for people."""
    source: str
    """Where the figures come from."""
    as_of: str
    """Year and month of the source."""
    evidence: Literal["published", "vendor", "assumed"] = "vendor"
    """What kind of figures they are."""
    assumed: tuple[str, ...] = ()
    """Figures that rest on memory or on a guess instead."""

    @model_validator(mode="after")
    def _assumed_are_figures(self) -> Self:
        unknown = [name for name in self.assumed if name not in type(self).model_fields]
        if unknown:
            raise ValueError(f"'assumed' names '{unknown[0]}', which is no figure of this entry")
        return self

    def origin(self, *figures: str) -> tuple[str, str]:
        """Return the source of figures, with its date, and their evidence: ``assumed`` if one of them is."""
        is_assumed = any(name in self.assumed for name in figures)
        where = "from memory or a guess" if is_assumed else self.source
        return f"{self.title}: {where} ({self.as_of})", "assumed" if is_assumed else self.evidence


class Serving(BaseModel):
    """How fast a device serves a model."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    single: Seconds  # type: ignore[valid-type]  # an Annotated type made by a function
    """Mean latency of one query at a time."""
    offline_per_s: Annotated[float, Field(gt=0)]
    """Queries per second when all are there at once."""
    is_single_assumed: bool = False
    """Whether the latency of one query is assumed; the rate is published."""


class Accelerator(_Fact):
    """A device that trains or serves models."""

    memory: Bytes  # type: ignore[valid-type]  # an Annotated type made by a function
    """Device memory."""
    memory_bandwidth: BytesPerS  # type: ignore[valid-type]  # an Annotated type made by a function
    """Device memory bandwidth."""
    peak: dict[str, FlopPerS]  # type: ignore[valid-type]  # an Annotated type made by a function
    """Dense peak rate by precision."""
    power: Watts  # type: ignore[valid-type]  # an Annotated type made by a function
    """Board power."""
    link: BytesPerS  # type: ignore[valid-type]  # an Annotated type made by a function
    """Link to its neighbours, per direction."""
    fabric: BytesPerS | None = None  # type: ignore[valid-type]  # an Annotated type made by a function
    """What a node of the maker's reference design sends to other nodes, per direction."""
    is_edge: bool = False
    """Whether it is made to work away from a data center."""
    price_per_hour: UsdPerS | None = None  # type: ignore[valid-type]  # an Annotated type made by a function
    """Rent, if known."""
    price_source: str = ""
    """Where the price comes from."""
    train_images_per_s: dict[str, float] = {}
    """Measured training rate by model."""
    train_source: str = ""
    """Where the training rates come from."""
    serving: dict[str, Serving] = {}
    """Measured serving rate by model."""
    serving_source: str = ""
    """Where the serving rates come from."""


class Model(_Fact):
    """A model that is trained or served."""

    evidence: Literal["published", "vendor", "assumed"] = "published"
    """What kind of figures they are."""
    assumed: tuple[str, ...] = ("activation",)
    """Figures that rest on memory or on a guess instead."""

    params: Annotated[float, BeforeValidator(_number), Field(gt=0)]
    """Parameters."""
    forward_macs: Annotated[float, BeforeValidator(_number), Field(gt=0)]
    """Multiply-accumulates of one forward pass for one sample."""
    input_px: Annotated[int, Field(gt=0)] | None = None
    """Side of the input; left out where a sample is no image but a token."""
    family: Literal["convolution", "vit", "contrastive", "diffusion", "decoder"] | None = None
    """Models that reach about the same share of a device's peak; left out, that of all published runs is taken."""
    largest_batch: Annotated[float, BeforeValidator(_number), Field(gt=0)] | None = None
    """Samples of the largest step with which it was published to be trained."""
    epochs_by_batch: dict[int, float] = {}
    """Passes over the data that published runs took, by the samples of their steps: larger steps take more passes."""
    activation: Bytes  # type: ignore[valid-type]  # an Annotated type made by a function
    """Activations kept per sample in training at half precision."""
    frozen_macs: Annotated[float, BeforeValidator(_number), Field(ge=0)] = 0.0
    """Multiply-accumulates for one sample in parts that are run and not trained, such as the encoders of a diffusion model."""
    layer_count: Annotated[int, Field(gt=0)] | None = None
    """Transformer blocks; needed to split it over devices."""
    width_count: Annotated[int, Field(gt=0)] | None = None
    """Width of a block; needed to split it over devices."""
    token_count: Annotated[int, Field(gt=0)] | None = None
    """Tokens of one sample; needed to split it over devices."""
    head_count: Annotated[int, Field(gt=0)] | None = None
    """Attention heads of a block; with it, and the three above, what training keeps is counted instead of assumed."""


class Medium(_Fact):
    """A drive, or a storage system that is bought whole."""

    capacity: Bytes  # type: ignore[valid-type]  # an Annotated type made by a function
    """Capacity as sold."""
    read: BytesPerS  # type: ignore[valid-type]  # an Annotated type made by a function
    """Sequential read rate."""
    write: BytesPerS  # type: ignore[valid-type]  # an Annotated type made by a function
    """Sequential write rate."""
    power: Watts  # type: ignore[valid-type]  # an Annotated type made by a function
    """Power under load."""
    price: Usd | None = None  # type: ignore[valid-type]  # an Annotated type made by a function
    """Price, if known."""
    price_source: str = ""
    """Where the price comes from."""
    rack_units: Annotated[float, Field(gt=0)] | None = None
    """Rack units of a system; drives lie in servers."""


class Processor(_Fact):
    """A processor of a server."""

    core_count: Annotated[int, Field(gt=0)]
    """Cores."""
    memory_bandwidth: BytesPerS  # type: ignore[valid-type]  # an Annotated type made by a function
    """Bandwidth of the memory at its channels, as computed from their number and rate."""
    power: Watts  # type: ignore[valid-type]  # an Annotated type made by a function
    """Thermal design power."""
    price: Usd | None = None  # type: ignore[valid-type]  # an Annotated type made by a function
    """Price, if known."""
    price_source: str = ""
    """Where the price comes from."""


class NetworkCard(_Fact):
    """A network card of a server, one port."""

    rate: BytesPerS  # type: ignore[valid-type]  # an Annotated type made by a function
    """Line rate, per direction."""
    power: Watts | None = None  # type: ignore[valid-type]  # an Annotated type made by a function
    """Power, if known."""
    price: Usd | None = None  # type: ignore[valid-type]  # an Annotated type made by a function
    """Price, if known."""
    price_source: str = ""
    """Where the price comes from."""


class Switch(_Fact):
    """A switch."""

    port_count: Annotated[int, Field(ge=2)]
    """Ports."""
    rate: BytesPerS  # type: ignore[valid-type]  # an Annotated type made by a function
    """Rate of a port, per direction."""
    power: Watts | None = None  # type: ignore[valid-type]  # an Annotated type made by a function
    """Power, if known."""
    price: Usd | None = None  # type: ignore[valid-type]  # an Annotated type made by a function
    """Price, if known."""
    price_source: str = ""
    """Where the price comes from."""


class Rack(_Fact):
    """A rack, empty, with its distribution of power."""

    unit_count: Annotated[int, Field(gt=0)]
    """Rack units."""
    power: Watts  # type: ignore[valid-type]  # an Annotated type made by a function
    """Power that it takes itself."""
    price: Usd | None = None  # type: ignore[valid-type]  # an Annotated type made by a function
    """Price, if known."""
    price_source: str = ""
    """Where the price comes from."""


class Tier(_Fact):
    """A class of storage that is rented by the byte."""

    stored: UsdPerByteS  # type: ignore[valid-type]  # an Annotated type made by a function
    """Price of keeping a byte."""
    write_usd: Annotated[float, Field(ge=0)] = 0.0
    """Price of one request that writes an object."""
    read_usd: Annotated[float, Field(ge=0)] = 0.0
    """Price of one request that reads an object."""
    retrieval: UsdPerByte = 0.0  # type: ignore[valid-type]  # an Annotated type made by a function
    """Price of reading a byte back."""
    egress: UsdPerByte | None = None  # type: ignore[valid-type]  # an Annotated type made by a function
    """Price of a byte that leaves the provider, in its first tier."""


class Instance(_Fact):
    """A machine that is rented by the hour: an example of a price, with its date."""

    accelerator: str
    """Name of its accelerator, as the list has it."""
    accelerator_count: Annotated[int, Field(gt=0)]
    """How many it has."""
    price_per_hour: UsdPerS  # type: ignore[valid-type]  # an Annotated type made by a function
    """Rent on demand."""


class TrainingRun(_Fact):
    """A published training run, by what it says of the share of the peak that training reaches."""

    evidence: Literal["published", "vendor", "assumed"] = "published"
    """What kind of figures they are."""
    family: Literal["convolution", "vit", "contrastive", "diffusion", "decoder"]
    """Family of its model."""
    device_count: Annotated[int, Field(gt=0)]
    """Devices."""
    node_device_count: Annotated[int, Field(gt=0)] = 8
    """Devices in a node."""
    utilised_share: Annotated[float, Field(gt=0, le=1)]
    """Model operations each second over the dense 16-bit peak of the devices."""
    peak: FlopPerS  # type: ignore[valid-type]  # an Annotated type made by a function
    """Dense 16-bit peak of a device."""
    memory_bandwidth: BytesPerS  # type: ignore[valid-type]  # an Annotated type made by a function
    """Memory bandwidth of a device."""


class Collection(_Fact):
    """A published dataset: how large it is."""

    evidence: Literal["published", "vendor", "assumed"] = "published"
    """What kind of figures they are."""
    images: Annotated[float, BeforeValidator(_number), Field(gt=0)]
    """Images, or pairs of image and text."""
    size: Bytes  # type: ignore[valid-type]  # an Annotated type made by a function
    """Encoded bytes of all images."""


KINDS: Final[dict[str, type[_Fact]]] = {
    "accelerator": Accelerator,
    "model": Model,
    "medium": Medium,
    "processor": Processor,
    "nic": NetworkCard,
    "switch": Switch,
    "rack": Rack,
    "tier": Tier,
    "instance": Instance,
    "dataset": Collection,
    "run": TrainingRun,
}
"""Every kind of entry by the name that files give it."""
