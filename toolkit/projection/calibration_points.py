"""Measured points for a calibration, as a document that people write: models and their rates, batches, loads and watts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from toolkit.errors import MissingError, ScenarioError
from toolkit.projection.hardware_facts import accelerators, models
from toolkit.projection.scenario_types import Bytes, Seconds, Watts  # noqa: TC001 - pydantic reads them at run time

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BatchPoint", "Points", "PowerPoint", "ScalingPoint", "StepPoint", "load_points"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class StepPoint(_Part):
    """How fast one device trains a model."""

    images_per_s: float = Field(gt=0)
    """Images a second on one device."""
    model: str = ""
    """Name of a model of the hardware facts; or a name of your own, with the two figures below."""
    forward_macs: float | None = Field(default=None, gt=0)
    """Multiply-accumulates of one forward pass; of a model of the hardware facts, theirs."""
    activation: Bytes | None = None
    """Activations kept for a sample in training; of a model of the hardware facts, theirs."""

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.model not in models() and (self.forward_macs is None or self.activation is None):
            raise ValueError(f"'{self.model}' is no model of the hardware facts: give its forward_macs and activation")
        return self

    @property
    def drivers(self) -> tuple[float, float]:
        """Floating-point operations of a training step, and bytes of its activations, for one image."""
        known = models().get(self.model)
        macs = self.forward_macs if self.forward_macs is not None else known.forward_macs if known else 0.0
        activation = self.activation if self.activation is not None else known.activation if known else 0.0
        return 6 * macs, float(activation)


class BatchPoint(_Part):
    """How long a device takes for a batch."""

    model: str
    """Name of the model."""
    batch_count: int = Field(ge=1)
    """Inputs in the batch."""
    time: Seconds
    """Time of the batch, such as ``2 ms``."""


class PowerPoint(_Part):
    """What a device draws under a load."""

    load_share: float = Field(ge=0, le=1)
    """Share of the time that it computes."""
    power: Watts
    """Power, such as ``400 W``."""


class ScalingPoint(_Part):
    """How fast several devices train together."""

    device_count: int = Field(ge=1)
    """Devices."""
    images_per_s: float = Field(gt=0)
    """Images a second of all of them."""


class Points(_Part):
    """Measured points of one device."""

    accelerator: str = ""
    """Name of the device in the hardware facts."""
    training: tuple[StepPoint, ...] = ()
    """Training rates by model: three models or more tell arithmetic from traffic."""
    latency: tuple[BatchPoint, ...] = ()
    """Times of batches."""
    power: tuple[PowerPoint, ...] = ()
    """Power by load."""
    scaling: tuple[ScalingPoint, ...] = ()
    """Rates by count of devices."""

    @model_validator(mode="after")
    def _device_is_known(self) -> Self:
        if self.accelerator and self.accelerator not in accelerators():
            raise ValueError(f"'{self.accelerator}' is no accelerator of the hardware facts; see tonnage hardware list")
        if not self.accelerator and (self.training or self.latency or self.power):
            raise ValueError("'accelerator' is missing: the points are those of a device")
        return self


def load_points(points: Points | Mapping[str, Any] | str | Path | None) -> Points:
    """Return the points in a mapping, or in a YAML or JSON file; no points for None.

    Raises
    ------
    MissingError
        If there is no such file.
    ScenarioError
        If it holds no points; one sentence names each key and what is wrong with it.
    """
    if isinstance(points, Points):
        return points
    place = "the points" if not isinstance(points, str | Path) else f"'{points}'"
    document: Any = points
    if isinstance(points, str | Path):
        try:
            text = Path(points).read_text(encoding="utf-8")
            document = json.loads(text) if Path(points).suffix.lower() == ".json" else yaml.safe_load(text)
        except FileNotFoundError as fault:
            raise MissingError(f"there are no points at '{points}'") from fault
        except (OSError, ValueError, yaml.YAMLError) as fault:
            raise ScenarioError(f"{place} cannot be read: {' '.join(str(fault).split())}") from fault
    if document is not None and not isinstance(document, dict):
        raise ScenarioError(f"{place} hold no mapping; points begin with 'accelerator: ...'")
    try:
        return Points.model_validate(document or {})
    except ValidationError as fault:
        problems = "; ".join(
            f"'{'.'.join(str(part) for part in error['loc']) or 'points'}': {str(error['msg']).removeprefix('Value error, ')}"
            for error in fault.errors()
        )
        raise ScenarioError(f"{place}: {problems}") from fault
