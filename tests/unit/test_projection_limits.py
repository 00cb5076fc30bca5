"""What no machine can do better than, beside each rate; and for which inputs a formula holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import toolkit
from toolkit.projection.explain import Ledger, formula
from toolkit.projection.formula_page import formula_page
from toolkit.projection.result import Projection

ASKED: dict[str, Any] = {
    "name": "l", "horizon_months": 2, "dataset": {"images": 1e6, "image_size": "100 kB"},
    "training": {"epochs": 30, "deadline": "1 day"}, "inference": {"requests_per_s": 1000},
}  # fmt: skip


@pytest.fixture(scope="module")
def found() -> Projection:
    return toolkit.project(ASKED, draws=20)


def test_the_speed_of_light_stands_beside_each_rate(found: Projection) -> None:
    training = found.value("limit.training_images_per_s")
    assert training == pytest.approx(found.value("training.gpu_count") * 989e12 / (6 * 4.11e9))
    assert found.value("training.rate_images_per_s") < training
    serving = found.value("limit.serving_per_s")
    assert serving == pytest.approx(242e12 / (2 * 4.11e9))
    assert found.value("inference.capacity_per_s") < serving
    assert found.value("bandwidth.storage_supply_bytes_per_s") < found.value("limit.storage_bytes_per_s")
    assert not any("more than" in flag and "peak" in flag for flag in found.flags)


def test_a_rate_beyond_the_peak_is_flagged() -> None:
    step = toolkit.measure_step(lambda: None, 10_000_000, target_s=0.01, model="resnet50", accelerator="h100_sxm")
    fast = toolkit.project({k: v for k, v in ASKED.items() if k != "inference"}, measurements=step, draws=5)
    said = next(flag for flag in fast.flags if "than the peak of its devices allows" in flag)
    assert said.startswith("training: ")


def test_an_input_outside_of_what_a_formula_holds_for_is_flagged_and_the_page_says_the_range() -> None:
    large = toolkit.project(ASKED | {"dataset": {"images": 1e9, "image_size": "100 kB"}}, draws=5)
    said = next(flag for flag in large.flags if flag.startswith("curation.search_s: "))
    assert said == (
        "curation.search_s: dataset.images of 1 G images lies outside the 1 images to 10 M images that its formula holds for "
        "(near duplicates were searched among at most 10 million hashes)"
    )
    assert not any(flag.startswith("curation.search_s: ") for flag in toolkit.project(ASKED, draws=5).flags)
    rows = [line for line in formula_page().splitlines() if line.startswith("| `curation_load.search`")]
    assert "`images` 1 to 10,000,000" in rows[0]


def test_a_range_is_held_against_the_median() -> None:
    @formula("s", "twice", valid={"part_s": (1.0, 2.0)})
    def twice(part_s: Any) -> Any:
        """Twice.  Source: definition."""
        return 2 * part_s

    ledger = Ledger()
    for name, value in (("inside", 1.5), ("outside", 3.0)):
        ledger.give(name, "s", np.array([[value]]), source="a test", evidence="stated")
        ledger.derive(f"{name}_twice", twice, part_s=name)
    assert [found.name for found in ledger.outside()] == ["outside_twice"]
