"""What a user may decide about a curation, as a typed document with units in plain text.

A recipe is frozen data: it says what to do and does nothing. Every problem in one is collected and raised once, naming
the key, the value and what is allowed.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from toolkit.curation.turning import Transforms  # noqa: TC001 -- pydantic resolves it at run time
from toolkit.dataset.schema import SCORE_FIELDS, SPLITS
from toolkit.errors import MissingError, RecipeError
from toolkit.units import parse_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

__all__ = ["Downloads", "Filter", "NearDuplicates", "Recipe", "Resize"]

SCORES: Final = tuple(field.name for field in SCORE_FIELDS)
"""Scores that a filter may name."""


def _bytes(value: object) -> object:
    return math.floor(parse_quantity(value, "bytes")) if isinstance(value, str | int | float) else value


def _pixels(value: object) -> object:
    return math.floor(parse_quantity(value, "pixels")) if isinstance(value, str | int | float) else value


def _share(value: object) -> object:
    return parse_quantity(value, "share") if isinstance(value, str | int | float) else value


Bytes = Annotated[int, BeforeValidator(_bytes), Field(gt=0)]
Pixels = Annotated[int, BeforeValidator(_pixels), Field(gt=0)]
Share = Annotated[float, BeforeValidator(_share), Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Resize(_Part):
    """How images are re-encoded when the recipe says ``keep: resized``."""

    longest_px: int | None = Field(default=None, ge=1)
    """Longest side of the result, in pixels; give this or ``shortest_px``. Images are never enlarged."""
    shortest_px: int | None = Field(default=None, ge=1)
    """Shortest side of the result, in pixels; give this or ``longest_px``."""
    quality: int = Field(default=90, ge=1, le=100)
    """JPEG quality of the result."""

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.longest_px is None) == (self.shortest_px is None):
            raise ValueError("give exactly one of longest_px and shortest_px")
        return self


class NearDuplicates(_Part):
    """What happens to images that look alike."""

    distance: int = Field(default=4, ge=0, le=8)
    """Perceptual hashes of 64 bits that differ in at most so many bits are near duplicates; 0 finds equal hashes alone."""
    action: Literal["group", "drop"] = "group"
    """``group`` keeps them all in one split; ``drop`` keeps the best of each group (most pixels, then most bytes, then the
    smallest id)."""
    transforms: Transforms = "none"
    """Positions in which an image is still the same: ``none`` but its own, ``flips`` (mirrored left to right, top to bottom,
    both), ``rotations`` (by quarters), ``all`` of both."""
    memory_bytes: Bytes = 2**30
    """Memory of the search, beside 16 bytes per image, for example ``4 GiB``; less takes longer."""


class Filter(_Part):
    """The range of a score in which an image is kept."""

    at_least: float | None = Field(default=None, allow_inf_nan=False)
    """Images below this are dropped."""
    at_most: float | None = Field(default=None, allow_inf_nan=False)
    """Images above this are dropped."""

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least must not exceed at_most")
        return self


class Downloads(_Part):
    """Manners of fetching what lists and web pages name."""

    timeout_s: float = Field(default=10, gt=0, le=3_600)
    """Longest wait for a connection, and for the next bytes."""
    deadline_s: float = Field(default=120, gt=0)
    """Longest time for one file over all of its tries."""
    retry_count: int = Field(default=3, ge=0, le=20)
    """Further tries after a fault that may pass."""
    per_host_count: int = Field(default=8, ge=1, le=256)
    """Connections to one host at once, of all workers together; each worker process has one at least."""
    concurrent_count: int = Field(default=16, ge=1, le=256)
    """Files on their way at once, per task."""
    max_bytes: Bytes = 256 * 2**20
    """A larger file is refused, for example ``64 MiB``."""
    respect_robots: bool = True
    """Whether ``robots.txt`` and ``X-Robots-Tag: noai`` (``noimageai``, ``noindex``, ``noimageindex``) are obeyed."""


class Recipe(_Part):
    """How raw images become a dataset. Nothing is dropped by a score unless a filter says so."""

    keep: Literal["original", "resized"] = "original"
    """``original`` keeps every image's bytes as they came; ``resized`` re-encodes them as ``resize`` says."""
    resize: Resize | None = None
    """Needed by ``keep: resized``: ``longest_px`` or ``shortest_px``, and ``quality``."""
    min_side_px: int = Field(default=16, ge=1)
    """Images whose shorter side is below this are dropped as ``too_small``."""
    max_pixels: Pixels = 178_000_000
    """Images that would decode to more pixels are refused before they are decoded, for example ``178 Mpx``."""
    max_frames: int = Field(default=10_000, ge=1)
    """Animations and multi-page files with more frames are refused."""
    max_decoded_bytes: Bytes = 2**30
    """Images whose decoding would take more memory are refused before it, for example ``1 GiB``."""
    image_deadline_s: float = Field(default=120, ge=0.1, le=3_600)
    """A decoder that takes longer over one image, in seconds, hangs: it is ended, and the image refused. (Not on Windows, where
    a decoder that hangs holds the run.)"""
    frames: Literal["first", "explode"] = "first"
    """Animations, pages and multi-picture files: ``first`` keeps the file as one image, whose first frame is what training sees;
    ``explode`` makes an image of each frame, stored without loss as PNG (TIFF where there are more than 8 bits)."""
    exact_duplicates: bool = True
    """Whether images with equal bytes or equal pixels are kept once."""
    near_duplicates: NearDuplicates = NearDuplicates()
    """What counts as a near duplicate, and what happens to it. transforms: none, flips, rotations (by quarters) or all of
    them count as the same image; memory_bytes: memory of the search."""
    late_bridges: Literal["keep", "exclude_from_train"] = "keep"
    """An image that is near to images of earlier batches in different splits is listed (``tonnage findings bridges``), and
    ``exclude_from_train`` drops it where it would go to train: what was settled stays."""
    colour_scores: bool = False
    """Whether colour is decoded too: ``colorfulness_score``, and colour images without colour, for about a third more time."""
    filters: dict[str, Filter] = Field(default_factory=dict)
    """Ranges by score, for example ``sharpness_score: {at_least: 20}``; images outside are dropped."""
    odd_sizes: Literal["keep", "drop"] = "keep"
    """``drop``: images whose side (square root of the area) is more than 3 interquartile ranges outside the quartiles of all."""
    splits: dict[str, Share] = Field(default_factory=lambda: {"train": 0.8, "validation": 0.1, "test": 0.1})
    """Shares of the splits train, validation and test; they sum to 1."""
    group_by: str | None = Field(default=None, min_length=1)
    """Metadata key whose value binds images together, for example ``patient_id``: all images of one value share a split."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Seed of the splits and of the shuffle."""
    shard_bytes: Bytes = 256 * 2**20
    """Image bytes per shard at most, for example ``256 MiB``; a split has four shards or more, if they hold 32 MiB each."""
    quarantine_bytes: Bytes = 16 * 2**20
    """Refused files up to this size are kept with their bytes; of larger ones, name and hash are."""
    max_refused_share: Share | None = None
    """Fail (exit code 3) when a larger share than this is refused; the rest is committed all the same."""
    labels_from: Literal["auto", "folders", "files", "none"] = "auto"
    """Where labels come from: class ``folders``, annotation ``files``, both (``auto``; a file's word wins), or ``none``."""
    masks: Literal["auto", "none"] = "auto"
    """``auto``: segmentation masks, told by folder or name, are kept with their image; ``none``: they are images like others."""
    downloads: Downloads = Downloads()
    """How files named by lists and web pages are fetched."""
    licence: str | None = None
    """Licence of the images, where no annotation names one."""

    @field_validator("filters")
    @classmethod
    def _known_scores(cls, filters: dict[str, Filter]) -> dict[str, Filter]:
        if unknown := sorted(set(filters) - set(SCORES)):
            raise ValueError(f"'{unknown[0]}' is not a score; the scores are {', '.join(SCORES)}")
        return filters

    @field_validator("splits")
    @classmethod
    def _whole_splits(cls, splits: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(splits) - set(SPLITS)):
            raise ValueError(f"'{unknown[0]}' is not a split; the splits are {', '.join(SPLITS)}")
        total = math.fsum(splits.values())
        if not math.isclose(total, 1, abs_tol=1e-6):
            raise ValueError(f"the shares sum to {total:g}, not to 1")
        return {name: splits[name] for name in SPLITS if splits.get(name)}

    @model_validator(mode="after")
    def _resize_when_resized(self) -> Self:
        if self.keep == "resized" and self.resize is None:
            raise ValueError("keep: resized needs a resize with longest_px or shortest_px")
        return self

    @classmethod
    def load(cls, recipe: Recipe | Mapping[str, Any] | str | os.PathLike[str] | None) -> Recipe:
        """Return the recipe in a mapping or a YAML or JSON file; the default recipe for None.

        Raises
        ------
        MissingError
            If the file is not there.
        RecipeError
            If a key is unknown or a value is not allowed; all such problems in one sentence.

        Examples
        --------
        >>> Recipe.load({"shard_bytes": "64 MiB", "min_side_px": 32}).shard_bytes
        67108864
        """
        if isinstance(recipe, Recipe):
            return recipe
        if recipe is None:
            return cls()
        place = "the recipe" if not isinstance(recipe, str | os.PathLike) else f"the recipe '{os.fspath(recipe)}'"
        values = _read(Path(recipe), place) if isinstance(recipe, str | os.PathLike) else dict(recipe)
        try:
            return cls.model_validate(values)
        except ValidationError as fault:
            problems = "; ".join(_problem(error) for error in fault.errors(include_url=False))
            raise RecipeError(f"{place} cannot be used: {problems}") from fault

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, every default spelt out."""
        return self.model_dump(mode="json")

    def to_json(self) -> str:
        """Return the one canonical text of this recipe: equal recipes have equal texts."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    def to_yaml(self) -> str:
        """Return this recipe as YAML, each key under a comment that says what it does."""
        blocks = []
        for name, field in type(self).model_fields.items():
            comment = "\n".join(f"# {line}" for line in (field.description or "").replace("``", "").splitlines())
            value = yaml.safe_dump({name: self.to_dict()[name]}, sort_keys=False, default_flow_style=False, allow_unicode=True)
            blocks.append(f"{comment}\n{value}")
        return "\n".join(blocks)


def _read(path: Path, place: str) -> dict[str, Any]:
    """Return the mapping in a YAML file (JSON is YAML)."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as fault:
        raise MissingError(f"there is no recipe at '{path}'") from fault
    except (OSError, UnicodeDecodeError) as fault:
        raise RecipeError(f"{place} cannot be read: {fault}") from fault
    except yaml.YAMLError as fault:
        raise RecipeError(f"{place} is not YAML: {' '.join(str(fault).split())}") from fault
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise RecipeError(f"{place} holds {type(values).__name__}, not keys with values such as 'min_side_px: 16'")
    return {str(key): value for key, value in values.items()}


def _problem(error: ErrorDetails) -> str:
    """Return one problem as people read it: key, value, what is allowed."""
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        parts: dict[str, type[BaseModel]] = {"resize": Resize, "near_duplicates": NearDuplicates, "filters": Filter}
        parts["downloads"] = Downloads
        model = parts.get(str(error["loc"][0]), Recipe) if len(error["loc"]) > 1 else Recipe
        return f"'{key}' is not a key; the keys are {', '.join(model.model_fields)}"
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "it must be")
    if not key:
        return message
    value = error["input"]
    shown = f"{value!r}" if isinstance(value, str | int | float | bool | None) else json.dumps(value, default=str)
    return f"{key}: {shown} is not allowed: {message}"
