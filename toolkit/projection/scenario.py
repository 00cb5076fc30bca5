"""A scenario: what a projection is asked, as a typed document with units in plain text.

Everything has a default that says where it comes from, so that a scenario states only what differs. All problems are
found at once and named by key, value and what is allowed.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from toolkit.errors import MissingError, ScenarioError, TonnageError
from toolkit.projection.hardware_facts import accelerators, media, models
from toolkit.units import parse_quantity

__all__ = [
    "Component",
    "DatasetStart",
    "Growth",
    "Inference",
    "Prices",
    "Protection",
    "Scenario",
    "Storage",
    "Training",
    "load_scenario",
]


def _quantity(unit: str) -> BeforeValidator:
    def parse(text: Any) -> Any:
        return text if text is None else parse_quantity(text, unit)

    return BeforeValidator(parse)


def _named(kind: str) -> BeforeValidator:
    def check(name: Any) -> Any:
        kinds: dict[str, Mapping[str, Any]] = {"accelerator": accelerators(), "model": models(), "medium": media()}
        known = kinds[kind]
        if name is not None and name not in known:
            raise ValueError(f"is not a known {kind}; there are {', '.join(sorted(known))}")
        return name

    return BeforeValidator(check)


Bytes = Annotated[float, _quantity("bytes"), Field(gt=0)]
BytesPerS = Annotated[float, _quantity("bytes_per_s"), Field(gt=0)]
Seconds = Annotated[float, _quantity("s"), Field(gt=0)]
Watts = Annotated[float, _quantity("w"), Field(gt=0)]
Usd = Annotated[float, _quantity("usd"), Field(ge=0)]
UsdPerJ = Annotated[float, _quantity("usd_per_j"), Field(ge=0)]
Share = Annotated[float, _quantity("share"), Field(ge=0, le=1)]
PerS = Annotated[float, _quantity("per_s"), Field(gt=0)]
Count = Annotated[float, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Growth(_Part):
    """How the dataset grows from month to month."""

    kind: Literal["none", "linear", "exponential", "logistic", "steps"] = "none"
    """``linear`` adds ``images_per_month``; ``exponential`` multiplies by ``yearly_factor``; ``logistic`` does so towards
    ``ceiling_images``; ``steps`` adds what ``steps`` lists."""
    images_per_month: Annotated[float, Field(ge=0)] = 0
    """New images each month (linear)."""
    yearly_factor: Annotated[float, Field(ge=1)] = 1
    """Factor over a year (exponential, logistic)."""
    ceiling_images: Count | None = None
    """Where growth ends (logistic)."""
    steps: dict[int, float] = {}
    """Images added, by month (steps)."""
    uncertainty: Share = 0.2
    """How far the added images may be off, either way, at the 10th and 90th percentile."""

    @model_validator(mode="after")
    def _complete(self) -> Growth:
        needed = {"linear": "images_per_month", "logistic": "ceiling_images", "steps": "steps"}.get(self.kind)
        if needed and not getattr(self, needed):
            raise ValueError(f"growth of kind '{self.kind}' needs {needed}")
        if self.kind in {"exponential", "logistic"} and self.yearly_factor <= 1:
            raise ValueError(f"growth of kind '{self.kind}' needs a yearly_factor above 1")
        return self


class Component(_Part):
    """Data beside the images, sized by declared figures: audio, video, text, sensor logs."""

    name: str
    """What it is."""
    samples: Count
    """How many samples there are now."""
    sample_size: Bytes
    """Mean size of one."""
    yearly_factor: Annotated[float, Field(ge=1)] = 1
    """Growth over a year."""


class DatasetStart(_Part):
    """The dataset now. What is left out is taken from the profile."""

    images: Count | None = None
    """Images kept."""
    image_size: Bytes | None = None
    """Mean encoded bytes of an image."""
    kept: Share | None = None
    """Share of what comes in that is kept."""
    components: tuple[Component, ...] = ()
    """Data beside the images."""


class Protection(_Part):
    """How data survives a drive."""

    kind: Literal["none", "replicas", "erasure"] = "erasure"
    """``replicas`` keeps ``copies``; ``erasure`` adds ``parity`` to every ``data`` pieces (Reed-Solomon)."""
    copies: Annotated[int, Field(ge=1, le=10)] = 3
    """Copies in all."""
    data: Annotated[int, Field(ge=1, le=100)] = 8
    """Data pieces of a stripe."""
    parity: Annotated[int, Field(ge=0, le=20)] = 2
    """Parity pieces of a stripe: so many drives may be lost."""

    @property
    def factor(self) -> float:
        """Bytes on drives per byte stored."""
        return {"none": 1.0, "replicas": float(self.copies), "erasure": (self.data + self.parity) / self.data}[self.kind]


class Storage(_Part):
    """Where the dataset lies."""

    medium: Annotated[str, _named("medium")] = "nvme_gen4_7.68tb"
    """Drive that capacity is bought in."""
    protection: Protection = Protection()
    """How data survives a drive."""
    keep_raw: bool = True
    """Whether what came in is kept beside what was curated."""
    kept_versions: Annotated[int, Field(ge=0, le=1000)] = 4
    """Earlier versions kept."""
    version_rewrite: Share = 0.02
    """Share of the shards that a version rewrites; an append rewrites none, compaction and redecisions some."""
    kept_checkpoints: Annotated[int, Field(ge=0, le=10_000)] = 5
    """Training checkpoints kept."""
    headroom: Share = 0.2
    """Share of the capacity that is to stay free (shared filesystems slow down past 80 %)."""
    supply: Literal["measured", "drives"] | BytesPerS = "measured"
    """What the storage delivers: as ``measured`` here (one node's reading, cold), what the planned ``drives`` can give
    together, or a rate such as ``"40 GB/s"``."""


class Training(_Part):
    """What is trained, how often, by when."""

    model: Annotated[str, _named("model")] = "resnet50"
    """Model, from the hardware facts."""
    accelerator: Annotated[str, _named("accelerator")] = "h100_sxm"
    """Device, from the hardware facts."""
    accelerators_per_node: Annotated[int, Field(ge=1, le=72)] = 8
    """Devices in a node."""
    cores_per_node: Annotated[int, Field(ge=1, le=1024)] = 96
    """CPU cores in a node, which decode images."""
    memory_per_node: Bytes = 512e9
    """Memory of a node; half of it is taken to hold file pages. Default: 512 GB, assumed."""
    epochs: Count | None = None
    """Passes over the dataset; give this or ``samples_seen``. By default 90 (the usual ImageNet recipe)."""
    samples_seen: Count | None = None
    """Samples in all, however large the dataset."""
    deadline: Seconds = 7 * 86_400.0
    """Time within which a run must end."""
    runs_per_month: Annotated[float, Field(ge=0, le=1000)] = 1
    """Training runs each month."""
    precision: Literal["fp32", "tf32", "bf16", "fp16", "fp8"] = "bf16"
    """Number format of the arithmetic."""
    batch_per_accelerator: Annotated[int, Field(ge=1)] = 256
    """Samples of a step on one device."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    """What state a checkpoint holds beside the weights."""
    checkpoint_interval: Literal["optimal"] | Seconds = "optimal"
    """Time between checkpoints, or the optimum after Young and Daly."""
    dedicated: bool = True
    """Whether the machines run nothing else; shared ones lose ``shared_loss``."""
    shared_loss: Share = 0.3
    """Share of the rate that neighbours take on shared machines."""

    @model_validator(mode="after")
    def _one_of(self) -> Training:
        if self.epochs is not None and self.samples_seen is not None:
            raise ValueError("give epochs or samples_seen, not both")
        return self


class Inference(_Part):
    """What is served, to how many, how fast."""

    model: Annotated[str, _named("model")] = "resnet50"
    """Model, from the hardware facts."""
    accelerator: Annotated[str, _named("accelerator")] = "l4"
    """Device, from the hardware facts."""
    requests_per_s: PerS | None = None
    """Independent requests; give this or ``streams``."""
    streams: Annotated[int, Field(ge=1)] | None = None
    """Input streams, each of which keeps its place on one device for itself."""
    frames_per_s: PerS = 30.0
    """Frames of a stream each second."""
    latency_p99: Seconds = 0.05
    """99 of 100 answers come within this."""
    max_batch: Annotated[int, Field(ge=1, le=1024)] = 8
    """Largest batch that a device serves together."""
    spare_instances: Annotated[int, Field(ge=0)] = 1
    """Instances beyond what the load needs, so that one may fail."""
    yearly_factor: Annotated[float, Field(ge=1)] = 1
    """Growth of the load over a year."""
    placement: Literal["datacenter", "edge"] = "datacenter"
    """Where it runs; at the edge each site's streams stay on its own device."""

    @model_validator(mode="after")
    def _one_of(self) -> Inference:
        if (self.requests_per_s is None) == (self.streams is None):
            raise ValueError("give requests_per_s or streams, and not both")
        return self


class Network(_Part):
    """What bytes travel over."""

    node_link: BytesPerS = 12.5e9
    """Network link of a node, per direction. Default: 100 Gb/s."""
    transfer_link: BytesPerS = 1.25e9
    """Link over which the dataset is copied to another site. Default: 10 Gb/s."""
    efficiency: Share = 0.92
    """Share of a link's rate that payload gets."""


class Prices(_Part):
    """What power and machines cost. Examples, to be replaced by your own."""

    electricity: UsdPerJ = 0.12 / 3.6e6
    """Price of electricity. Default: 0.12 USD/kWh, assumed."""
    pue: Annotated[float, Field(ge=1, le=3)] = 1.56
    """Facility power over machine power. Default: Uptime Institute 2024, average."""
    accelerator_hour: Usd | None = None
    """Rent of one device for an hour; by default that of the hardware facts, if one is known."""
    node_power: Watts = 2_000.0
    """Power of a training node beside its accelerators. Default: assumed."""


class Scenario(_Part):
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
    training: Training | None = None
    """What is trained; leave it out if nothing is."""
    inference: Inference | None = None
    """What is served; leave it out if nothing is."""
    prices: Prices = Prices()
    """What power and machines cost."""


def load_scenario(scenario: Scenario | Mapping[str, Any] | str | Path) -> Scenario:
    """Return the scenario in a mapping, or in a YAML or JSON file.

    Raises
    ------
    MissingError
        If there is no such file.
    ScenarioError
        If it is not a scenario; one sentence names every key, its value and what is allowed.
    """
    if isinstance(scenario, Scenario):
        return scenario
    if isinstance(scenario, Mapping):
        return _validated(dict(scenario), "the scenario")
    path = Path(scenario)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as fault:
        raise MissingError(f"there is no scenario at '{path}'") from fault
    except (OSError, UnicodeDecodeError) as fault:
        raise ScenarioError(f"'{path}' cannot be read as a scenario: {fault}") from fault
    try:
        document = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as fault:
        raise ScenarioError(f"'{path}' is not valid {path.suffix or 'YAML'}: {' '.join(str(fault).split())}") from fault
    if not isinstance(document, dict):
        raise ScenarioError(f"'{path}' holds no mapping; a scenario begins with 'name: ...'")
    return _validated(document, f"'{path}'")


def _validated(document: dict[str, Any], place: str) -> Scenario:
    try:
        return Scenario.model_validate(document)
    except ValidationError as fault:
        problems = "; ".join(_sentence(error) for error in fault.errors())
        raise ScenarioError(f"{place}: {problems}") from fault
    except TonnageError as fault:
        raise ScenarioError(f"{place}: {fault}") from fault


def _sentence(error: Mapping[str, Any]) -> str:
    """Return one problem with its key, its value and what is allowed."""
    parts = [str(part) for part in error["loc"] if not str(part).startswith(("function-", "literal", "float", "constrained"))]
    key = ".".join(parts) or "it"
    value = error.get("input")
    if error["type"] == "extra_forbidden":
        allowed = _keys(parts[:-1])
        close = difflib.get_close_matches(parts[-1], allowed, n=1)
        return f"'{key}' is not a key" + (f"; did you mean '{close[0]}'?" if close else f"; there are {', '.join(allowed)}")
    if error["type"] == "missing":
        return f"'{key}' is missing"
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    shown = "" if isinstance(value, dict) or f"'{value}'" in message else f" ('{value}')"
    return f"'{key}'{shown}: {message}"


def _keys(path: list[str]) -> list[str]:
    """Return the keys allowed at a place."""
    part: Any = Scenario
    for name in path:
        field = getattr(part, "model_fields", {}).get(name)
        if field is None:
            break
        options = [field.annotation, *getattr(field.annotation, "__args__", ())]
        part = next((option for option in options if isinstance(option, type) and issubclass(option, BaseModel)), part)
    return sorted(getattr(part, "model_fields", {}))
