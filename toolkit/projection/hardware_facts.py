"""Hardware and models as data: each figure with its source, checked by a schema when it is loaded.

The files lie in ``toolkit/projection/hardware/``. A price or rate that is not known is null and shows as "needs input".
"""

from __future__ import annotations

import functools
from collections.abc import Mapping  # noqa: TC003 -- pydantic modules keep it
from importlib import resources
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from toolkit.errors import UsageError
from toolkit.units import parse_quantity

__all__ = ["Accelerator", "Medium", "Model", "Quantity", "Serving", "accelerators", "hardware_kinds", "media", "models", "pick"]


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
    offline_per_s: float
    """Queries per second when all are there at once."""


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

    params: float
    """Parameters."""
    forward_macs: float
    """Multiply-accumulates of one forward pass for one sample."""
    input_px: int
    """Side of the input."""
    activation: Bytes  # type: ignore[valid-type]  # an Annotated type made by a function
    """Activations kept per sample in training at half precision."""


class Medium(_Fact):
    """A drive."""

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


def _load(file: str) -> dict[str, Any]:
    text = resources.files("toolkit.projection").joinpath("hardware", file).read_text(encoding="utf-8")
    facts: dict[str, Any] = yaml.safe_load(text)
    return facts


@functools.cache
def accelerators() -> dict[str, Accelerator]:
    """Return the accelerators by name."""
    return {name: Accelerator(**facts) for name, facts in _load("accelerators.yaml").items()}


@functools.cache
def models() -> dict[str, Model]:
    """Return the models by name."""
    return {
        name: Model(**(facts | {"params": float(facts["params"]), "forward_macs": float(facts["forward_macs"])}))
        for name, facts in _load("models.yaml").items()
    }


@functools.cache
def media() -> dict[str, Medium]:
    """Return the storage media by name."""
    return {name: Medium(**facts) for name, facts in _load("storage.yaml").items()}


def hardware_kinds() -> dict[str, Mapping[str, Accelerator | Model | Medium]]:
    """Return every entry by kind and name."""
    return {"accelerator": accelerators(), "model": models(), "medium": media()}


def pick(kind: dict[str, Any], name: str, what: str) -> Any:
    """Return an entry by name.

    Raises
    ------
    UsageError
        If there is none; the message lists those there are.
    """
    if name not in kind:
        raise UsageError(f"'{name}' is not a known {what}; there are {', '.join(sorted(kind))}")
    return kind[name]
