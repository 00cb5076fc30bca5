"""The words for each condition that a measurement was taken under: what a page shows in place of its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONDITION_KEYS", "conditions_as_words"]

_PLACES: Final = {"cpu": "the processor", "cuda": "the CUDA device", "disk": "the disk", "network": "the network"}
_BITS: Final = {"float64": "64-bit floats", "float32": "32-bit floats", "float16": "16-bit floats"}
_OPERATIONS: Final = {"matmul": ("matrix multiplication", "sides of {}"), "convolution": ("convolution", "images of {} px")}
"""What an operation is called, and what its size is the size of."""

_COUNTED: Final = {
    "threads": "thread", "workers": "worker", "streams": "stream", "cores": "core", "devices": "device", "nodes": "host",
    "steps": "step", "accelerators": "accelerator",
}  # fmt: skip
"""What a number counts; a word in place of the number stands in ``_VALUES``."""

_VALUES: Final[Mapping[str, Mapping[object, str]]] = {
    "accelerators": {"largest": "the most accelerators kept busy", "one more": "one accelerator more"},
    "access": {
        "direct": "past the page cache", "buffered": "through the page cache", "preadv, no read-ahead": "without read-ahead",
    },
    "cache": {"first_touch": "mapped for the first time, cold"},
    "checked": {True: "checked", False: "unchecked"},
    "checks": {"none": "unchecked", "sha256": "checked by sha256"},
    "durable": {"fsync": "flushed to the device (fsync)"},
    "format": {"parquet": "Parquet", "files": "single files", "jpeg": "JPEG", "png": "PNG", "webp": "WebP", "tiff": "TIFF"},
    "fsync": {True: "flushed to the device (fsync)", False: "not flushed to the device"},
    "load": {"none": "alone", **{name: f"beside a load on {words}" for name, words in _PLACES.items()}},
    "memory": {"process": "memory of the process", "device": "memory of the device"},
    "object": {"shard": "whole shards"},
    "path": {"loopback": "over loopback"},
    "pattern": {"sequential": "in sequence", "random": "at random", "scattered": "scattered", "ring": "in a ring"},
    "percentile": {"p50": "median", "p99": "99th percentile"},
    "request": {"row group": "a row group a request"},
    "sample": {"image": "samples are images"},
    "source": {"memory": "from memory", "sendfile": "from files by sendfile"},
    "sustained": {True: "sustained", False: "not sustained"},
    "verify": {True: "verified", False: "unverified", "pages": "pages verified"},
}  # fmt: skip
"""What a value says by itself."""

_FORMS: Final = {
    "accelerator": "accelerator {}", "batch_rows": "{} rows a batch", "batch_size": "batches of {}",
    "block_bytes": "blocks of {}", "cache": "cache {}", "client": "by {}", "counted": "{}", "depth": "{} in flight",
    "device": "on {}", "format": "{}", "from": "from {}", "images_per_step": "{} images a step",
    "least_share": "kept busy at least {}", "library": "with {}", "load": "beside a load on {}", "memory": "memory of {}",
    "model": "model {}", "object": "{}", "output": "output {}", "path": "over {}", "precision": "in {}", "preset": "preset {}",
    "protocol": "by {}", "quality": "quality {}", "range_bytes": "ranges of {}", "read_bytes": "reads of {}",
    "sample": "samples of {}", "size_bytes": "{} each", "size_class": "images {}", "step_s": "steps of {}", "taken": "{}",
    "to": "to {}",
}  # fmt: skip
"""What is said around a value."""

_NAMED: Final = {"library": {"numpy": "NumPy", "torch": "PyTorch"}, "device": _PLACES, "precision": _BITS}
"""Names that are spelled otherwise in words."""

_TOLD_ELSEWHERE: Final = frozenset({"operation", "size", "beside"})
"""Said with another: the size with its operation, and the load that a measurement alone is held against with ``load``."""

CONDITION_KEYS: Final = frozenset(_COUNTED) | frozenset(_VALUES) | frozenset(_FORMS) | _TOLD_ELSEWHERE
"""Keys that have words; a test holds what is measured against them."""


def conditions_as_words(conditions: Mapping[str, object]) -> str:
    """Return conditions as words; a key that has none is said as it is, without its underscores.

    Examples
    --------
    >>> conditions_as_words({"cache": "warm", "read_bytes": 8192, "verify": False, "threads": 1})
    'cache warm, reads of 8.19 kB, unverified, 1 thread'
    >>> conditions_as_words({"operation": "matmul", "library": "numpy", "device": "cpu", "precision": "float32", "size": 768})
    'matrix multiplication, with NumPy, on the processor, in 32-bit floats, sides of 768'
    """
    return ", ".join(words for words in (_condition(name, value, conditions) for name, value in conditions.items()) if words)


def _condition(name: str, value: object, conditions: Mapping[str, object]) -> str:
    if "operation" in conditions and name in {"operation", "size"}:
        words, of_size = _OPERATIONS.get(str(conditions["operation"]), (str(conditions["operation"]), "size {}"))
        return words if name == "operation" else of_size.format(value)
    if "load" in conditions and name == "beside":
        return f"to be held against a load on {_PLACES.get(str(value), value)}" if conditions["load"] == "none" else ""
    if isinstance(value, str | bool) and value in _VALUES.get(name, {}):
        return _VALUES[name][value]
    if name in _COUNTED:
        return f"{value} {_COUNTED[name]}{'' if value == 1 else 's'}"
    if name in _FORMS:
        return _FORMS[name].format(_NAMED.get(name, {}).get(str(value)) or _number(name, value))
    words = name.replace("_", " ")
    return f"{'' if value else 'no '}{words}" if isinstance(value, bool) else f"{words} {_number(name, value)}"


def _number(name: str, value: object) -> str:
    """Return a value with the unit that its name ends in."""
    unit = next((unit for unit in ("bytes", "share", "s") if name.endswith(f"_{unit}")), "")
    return show(float(value), unit) if unit and isinstance(value, int | float) and not isinstance(value, bool) else str(value)
