"""Every formula is dimensionally right: in other units of bytes, seconds, money or energy it gives the same quantity.

The unit of each argument stands at the end of its name and that of the result in the mark of the formula. If all of one
dimension are written in a unit that is so many times smaller, a formula that is right scales by exactly what its unit says.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import toolkit.projection

DIMENSIONS: dict[str, dict[str, int]] = {
    "bytes_per_s": {"byte": 1, "second": -1}, "images_per_s": {"second": -1}, "flop_per_s": {"flop": 1, "second": -1},
    "usd_per_byte": {"money": 1, "byte": -1},
    "usd_per_byte_s": {"money": 1, "byte": -1, "second": -1}, "usd_per_s": {"money": 1, "second": -1},
    "usd_per_j": {"money": 1, "watt": -1, "second": -1}, "per_s": {"second": -1}, "bytes": {"byte": 1}, "usd": {"money": 1},
    "flop": {"flop": 1}, "mac_count": {"flop": 1}, "bytes_per_image": {"byte": 1}, "bytes_per_param": {"byte": 1}, "j": {"watt": 1, "second": 1}, "w": {"watt": 1}, "s": {"second": 1},
}  # fmt: skip
"""What a name's ending means; counts, shares, images and ratios have no dimension."""

EXEMPT = {
    "arithmetic.iteration_flop": "operations from a shape", "arithmetic.training_mac_count": "multiply-accumulates are its unit",
    "capacity.shortage": "of any unit", "demand.of_members": "of any unit", "demand.per_member": "of any unit",
    "economics.carbon": "grams to kilograms", "memory.activation_bytes": "bytes from a shape",
    "memory.selective_activation_bytes": "bytes from a shape", "network.ingest_images": "images each second hold images",
    "packaging.tar_bytes": "blocks of 512 bytes", "serving.latency_high": "simulated at three digits of load",
    "serving.latency_median": "simulated at three digits of load", "serving.latency_tail": "simulated at three digits of load",
}  # fmt: skip


def formulas() -> dict[str, Callable[..., Any]]:
    found = {}
    for module in pkgutil.iter_modules(toolkit.projection.__path__):
        loaded = importlib.import_module(f"toolkit.projection.{module.name}")
        for name, function in vars(loaded).items():
            if inspect.isfunction(function) and hasattr(function, "unit") and function.__module__ == loaded.__name__:
                found[f"{module.name}.{name}"] = function
    return found


FORMULAS = formulas()


def dimension(name: str) -> dict[str, int]:
    """Return the dimension that a name ends in; none where it counts something."""
    endings = sorted(DIMENSIONS, key=len, reverse=True)
    return next((DIMENSIONS[ending] for ending in endings if name == ending or name.endswith(f"_{ending}")), {})


def arguments(function: Callable[..., Any]) -> dict[str, dict[str, int]]:
    return {name: dimension(name) for name in inspect.signature(function).parameters}


def drawn(name: str, generator: np.random.Generator) -> np.ndarray:
    if name.endswith(("share", "exponent")):
        return generator.uniform(0.05, 0.6, (3, 2))
    if name.endswith(("count", "images", "index", "factor", "px")):
        return generator.integers(2, 40, (3, 2)).astype(float)
    return generator.uniform(5.0, 50.0, (3, 2))


@pytest.mark.parametrize("name", sorted(set(FORMULAS) - set(EXEMPT)))
def test_a_formula_scales_as_its_unit_says(name: str) -> None:
    function: Any = FORMULAS[name]  # with attributes that Callable does not name
    takes = arguments(function)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in inspect.signature(function).parameters.values()):
        takes = {f"{part}_{function.unit}": DIMENSIONS[function.unit] for part in ("one", "two")}
    values = {argument: drawn(argument, np.random.default_rng(7)) for argument in takes}
    result = np.asarray(function(**values), dtype=float)
    wanted = DIMENSIONS.get(function.unit, {})
    for unit in ("byte", "second", "money", "watt", "flop"):
        scaled = {key: value * 1024.0 ** takes[key].get(unit, 0) for key, value in values.items()}
        again = np.asarray(function(**scaled), dtype=float)
        assert np.allclose(again, result * 1024.0 ** wanted.get(unit, 0), rtol=1e-9, equal_nan=True), (unit, takes, wanted)


def test_there_are_many_formulas_and_each_says_its_unit_and_source() -> None:
    assert len(FORMULAS) > 100
    assert set(EXEMPT) <= set(FORMULAS)
    for name, function in FORMULAS.items():
        assert getattr(function, "source", ""), name
        assert getattr(function, "text", ""), name
