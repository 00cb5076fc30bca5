"""Under what a measurement was taken, in words: no key of a condition reaches a reader."""

from __future__ import annotations

import re
from typing import Any

import pytest
import reporting_facts as facts

from toolkit.facts import Measurement
from toolkit.measurement.plans import FAMILIES, PLANS
from toolkit.measurement.stages import stages_of
from toolkit.measurement.targets import stages_to
from toolkit.reporting.formats import measured_formats
from toolkit.reporting.vocabulary_conditions import CONDITION_KEYS, conditions_as_words

MATMUL = {"operation": "matmul", "library": "numpy", "device": "cpu", "precision": "float64", "size": 768}


def computed(metric: str, unit: str, median: float, **changes: Any) -> Measurement:
    return facts.measurement(metric, "Rate", unit, median, conditions=MATMUL | changes)


def test_every_condition_that_a_plan_takes_has_words() -> None:
    stages = [stage for plan in PLANS.values() for stage in stages_of(plan, FAMILIES, 2, 25_000.0, 350)]
    stages += [s for to in ("host:8470", "/there", "s3://there/x") for s in stages_to(PLANS["thorough"], 2, to)]
    assert {"threads", "batch_rows", "checks", "size_class", "protocol"} <= {key for stage in stages for key in stage.conditions}
    assert {key for stage in stages for key in stage.conditions} - CONDITION_KEYS == set()
    said = {part for stage in stages for part in conditions_as_words(stage.conditions).split(", ")}
    assert [part for part in said if "_" in part or re.search(r"\b(True|False|None|fsync True|checks|verify)\b", part)] == []


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        (MATMUL, "matrix multiplication, with NumPy, on the processor, in 64-bit floats, sides of 768"),
        (
            {"operation": "convolution", "library": "torch", "device": "cuda", "precision": "bfloat16", "size": 34},
            "convolution, with PyTorch, on the CUDA device, in bfloat16, images of 34 px",
        ),
        ({"load": "cpu", "beside": "cpu", "workers": 1}, "beside a load on the processor, 1 worker"),
        ({"load": "none", "beside": "disk", "percentile": "p99"}, "alone, to be held against a load on the disk, 99th percentile"),
        ({"size_bytes": 131_072, "durable": "fsync", "threads": 4}, "131 kB each, flushed to the device (fsync), 4 threads"),
        ({"accelerators": 1, "step_s": 0.224, "verify": True}, "1 accelerator, steps of 224 ms, verified"),
        ({"accelerators": "one more", "least_share": 0.9}, "one accelerator more, kept busy at least 90 %"),
        ({"to": "host:8470", "checked": False, "fsync": True}, "to host:8470, unchecked, flushed to the device (fsync)"),
        ({"some_day": "x_y", "is_odd": False, "some_bytes": 2_000, "listed": [1]}, "some day x_y, no is odd, some bytes 2 kB, listed [1]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_conditions_are_said_in_words(conditions: dict[str, Any], words: str) -> None:
    assert conditions_as_words(conditions) == words


def test_formats_that_were_measured_are_named_in_words() -> None:
    half = {"precision": "float16", "size": 96}
    found = facts.measurements(
        computed("compute.rate", "flop_per_s", 97e9), computed("compute.error", "ratio", 0.0),
        computed("compute.rate", "flop_per_s", 3e8, **half), computed("compute.error", "ratio", 2.2e-4, **half),
    )  # fmt: skip
    (table,) = measured_formats([found])
    assert [[str(cell.text) for cell in row] for row in table.rows] == [  # type: ignore[attr-defined]  # a table is the block there is
        ["matrix multiplication, in 64-bit floats, sides of 768", "97 GFLOP/s", "0"],
        ["matrix multiplication, in 16-bit floats, sides of 96", "300 MFLOP/s", "0.00022"],
    ]
    assert {row[0].below for row in table.rows} == {"with NumPy, on the processor"}  # type: ignore[attr-defined]  # as above
