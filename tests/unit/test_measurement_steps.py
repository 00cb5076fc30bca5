"""The user's own step: what is timed and what is not, how it is kept, and that projections take it."""

from __future__ import annotations

import dataclasses
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attempts import until_it_holds

import toolkit
from toolkit.errors import MissingError, UsageError
from toolkit.facts import MeasurementSet
from toolkit.measurement.values import value_line, values_of

SCENARIO: dict[str, Any] = {
    "name": "own", "horizon_months": 1, "dataset": {"images": 1e6, "image_size": "100 kB", "kept": 1.0},
    "training": {"epochs": 10, "deadline": "1 day", "accelerators_per_node": 1},
}  # fmt: skip


def sleeping(step_s: float) -> Any:
    return lambda: time.sleep(step_s)


def test_a_step_of_known_length_gives_its_rate() -> None:
    until_it_holds(gives_its_rate, tries=5)


def gives_its_rate() -> None:
    measured = toolkit.measure_step(sleeping(0.02), 8, target_s=0.6)
    found = measured.find("step.training", percentile="p50")
    rate = measured.find("step.training_rate")
    assert found is not None
    assert rate is not None
    assert found.median == pytest.approx(0.02, rel=0.05)
    assert found.interval_low <= found.median <= found.interval_high
    assert rate.median == pytest.approx(400, rel=0.05)
    assert rate.conditions["images_per_step"] == 8
    assert sum(sample.operations for sample in rate.samples) == len(found.samples) >= 10
    assert "one_process" in found.flags


def test_what_warms_up_is_not_counted() -> None:
    until_it_holds(warm_up_is_not_counted, tries=5)


def warm_up_is_not_counted() -> None:
    calls = itertools.count()

    def step() -> None:
        time.sleep(0.2 if next(calls) < 2 else 0.005)

    found = toolkit.measure_step(step, 1, target_s=1.0).find("step.training", percentile="p99")
    assert found is not None
    assert found.median < 0.05


def test_rare_slow_steps_stand_in_the_percentiles_and_in_the_rate() -> None:
    until_it_holds(slow_steps_are_seen, tries=5)


def slow_steps_are_seen() -> None:
    calls = itertools.count()
    measured = toolkit.measure_step(
        lambda: time.sleep(0.05 if next(calls) % 10 == 9 else 0.005), 10, target_s=1.0, kind="inference"
    )
    middle, tail = (measured.find("step.inference", percentile=name) for name in ("p50", "p99"))
    rate = measured.find("step.inference_rate")
    assert middle is not None
    assert tail is not None
    assert rate is not None
    assert middle.median == pytest.approx(0.005, rel=0.2)
    assert tail.median == pytest.approx(0.05, rel=0.2)
    assert rate.median == pytest.approx(10 / 0.0095, rel=0.15)


def test_the_peak_of_memory_is_that_of_the_step() -> None:
    def peak_bytes(step: Any) -> float:
        found = toolkit.measure_step(step, 1, target_s=0.01).find("step.training_memory", memory="process")
        if found is None:
            pytest.skip("this system does not tell peaks of memory")
        return found.median

    little = peak_bytes(lambda: None)
    much = peak_bytes(lambda: np.ones(16 * 2**20).sum())
    again = peak_bytes(lambda: None)
    assert much - little > 100e6
    assert much - again > 100e6


def test_two_processes_in_one_file_make_two_invocations(tmp_path: Path) -> None:
    until_it_holds(lambda: two_make_two_invocations(tmp_path), tries=5)


def two_make_two_invocations(tmp_path: Path) -> None:
    (tmp_path / "step.json").unlink(missing_ok=True)
    for step_s in (0.010, 0.012):
        toolkit.measure_step(sleeping(step_s), 4, target_s=0.1, out=tmp_path / "step.json")
    toolkit.measure_step(sleeping(0.01), 4, target_s=0.1, out=tmp_path / "step.json", kind="inference")
    kept = MeasurementSet.load(tmp_path / "step.json")
    found, rate = kept.find("step.training", percentile="p50"), kept.find("step.training_rate")
    assert found is not None
    assert rate is not None
    assert {sample.invocation for sample in found.samples} == {0, 1}
    assert found.median == pytest.approx(0.011, rel=0.06)
    assert "one_process" not in found.flags
    assert rate.interval_high > rate.interval_low
    assert kept.find("step.inference_rate") is not None


def gpus(**more: Any) -> tuple[float, Any]:
    projection = toolkit.project(SCENARIO, draws=50, **more)
    return projection.value("training.gpu_count", 0), projection


def test_a_projection_takes_the_users_own_rate(tmp_path: Path) -> None:
    """Ten million images in a day at 10 images/s a device take at least 12 devices; at the published rate one does."""
    published, _ = gpus()
    measured = toolkit.measure_step(
        sleeping(0.1), 1, target_s=0.5, out=tmp_path / "s.json", model="resnet50", accelerator="h100_sxm"
    )
    own, projection = gpus(measurements=[tmp_path / "s.json"])
    rate = measured.find("step.training_rate")
    assert rate is not None
    assert own >= 1e7 / (rate.median * 86_400) > 11 > published
    row = projection.assumptions.filter(projection.assumptions["name"] == "device.rate_images_per_s").to_dicts()[0]
    assert row["evidence"] == "measured"
    halved = toolkit.measure_step(sleeping(0.1), 1, target_s=0.5, device_count=2)
    assert gpus(measurements=halved)[0] == pytest.approx(2 * own, rel=0.1)


def test_a_step_of_another_model_is_not_taken_and_one_without_a_name_is_told(tmp_path: Path) -> None:
    published, _ = gpus()
    other = toolkit.measure_step(sleeping(0.05), 1, target_s=0.1, model="vit_b16", accelerator="h100_sxm")
    assert gpus(measurements=other)[0] == published
    unnamed = toolkit.measure_step(sleeping(0.05), 1, target_s=0.1)
    assert any("does not name its model or accelerator" in flag for flag in gpus(measurements=unnamed)[1].flags)
    with pytest.raises(MissingError, match="no measurements"):
        gpus(measurements=[tmp_path / "none.json"])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"images_per_step": 0}, "images_per_step"), ({"kind": "sleep"}, "kind"), ({"target_s": 0}, "target_s"), ({"out": "x.txt"}, "json"),
     ({"device_count": 0}, "device_count"), ({"dataset": "/nowhere/at/all"}, "no dataset")],
)  # fmt: skip
def test_what_cannot_be_measured_is_said_in_a_sentence(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        toolkit.measure_step(lambda: None, **({"images_per_step": 1, "target_s": 0.01} | wrong))


def test_a_shared_machine_keeps_what_was_measured_beside_a_load_unless_it_is_stated() -> None:
    """A measured loss of a half takes twice the devices of a dedicated machine; a stated one goes before it."""
    line = value_line("contention.loss", "", "share", 0.5, conditions={"load": "cpu"}, elapsed_s=1.0)
    step = toolkit.measure_step(sleeping(0.05), 1, target_s=0.3)
    loss = values_of([line | {"invocation": 0, "order": 0}])
    measured = dataclasses.replace(step, measurements=(*step.measurements, *loss))

    def count(**part: Any) -> float:
        scenario = SCENARIO | {"training": SCENARIO["training"] | part}
        return toolkit.project(scenario, draws=20, measurements=measured).value("training.gpu_count", 0)

    assert count(dedicated=False) == pytest.approx(2 * count(), rel=0.1)
    assert count(dedicated=False, shared_loss="75 %") == pytest.approx(4 * count(), rel=0.1)
