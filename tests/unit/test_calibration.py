"""Calibrations: laws of known systems are recovered, what they miss is what was put in, and projections use and name them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import toolkit
from toolkit.cli import app
from toolkit.errors import DatasetError, MissingError, ScenarioError, UsageError
from toolkit.facts import Environment
from toolkit.facts.backtests import Backtest, FittedLaw, Observation, Prediction
from toolkit.facts.calibrations import Calibration
from toolkit.projection.calibrating import batch_times, fit_batch, fit_nonnegative, left_out_error, linear_at
from toolkit.projection.hardware_facts import accelerators, models

DEVICE = "h100_sxm"
FLOP_S, BYTE_S = 1 / 400e12, 1 / 1.2e12
SCENARIO: dict[str, Any] = {
    "name": "x", "horizon_months": 12, "dataset": {"images": 1e7, "image_size": "100 kB", "kept": 1.0},
    "training": {"model": "vit_l16", "accelerator": DEVICE, "epochs": 10, "deadline": "1 day"},
}  # fmt: skip


def step(model: str, factor: float = 1.0) -> dict[str, Any]:
    facts = models()[model]
    time_s = (6 * facts.forward_macs * FLOP_S + float(facts.activation) * BYTE_S) * factor
    return {"model": model, "images_per_s": 1 / time_s}


def points(**more: Any) -> dict[str, Any]:
    return {"accelerator": DEVICE, "training": [step(m) for m in ("resnet50", "vit_s16", "vit_b16", "vit_l16")]} | more


@settings(max_examples=50, deadline=None)
@given(flop_s=st.floats(1e-16, 1e-11), byte_s=st.floats(1e-13, 1e-8))
def test_a_roofline_is_recovered_whatever_the_device(flop_s: float, byte_s: float) -> None:
    drivers = np.array([[2.5e10, 4.5e7], [1e11, 9e7], [3.7e11, 2.4e8], [2.8e10, 2e8]])
    found = fit_nonnegative(drivers, drivers @ np.array([flop_s, byte_s]))
    assert linear_at(found, drivers) == pytest.approx(drivers @ np.array([flop_s, byte_s]), rel=1e-6)
    assert (found >= 0).all()


def test_arithmetic_alone_misses_what_arithmetic_and_traffic_meet() -> None:
    drivers = np.array([[2.5e10, 9e7], [1e11, 9e7], [3.7e11, 2.4e8], [2.8e10, 4e7], [1.2e10, 1.6e8]])
    times = drivers @ np.array([FLOP_S, BYTE_S])
    groups = np.arange(5.0)
    both = left_out_error(fit_nonnegative, linear_at, drivers, times, groups)
    flops = left_out_error(fit_nonnegative, linear_at, drivers[:, :1], times, groups)
    assert both is not None
    assert flops is not None
    assert both < 1e-6
    assert flops > 0.3


PUBLISHED = {
    "resnet18": (1.82, 2.48, 3481.78), "mobilenetv3_large_100": (0.23, 4.41, 2732.43), "mobilenetv2_100": (0.31, 6.68, 2313.1),
    "vit_tiny_patch16_224": (1.26, 5.97, 2299.56), "resnet34": (3.67, 3.74, 2036.51), "mixer_b32_224": (3.24, 6.29, 1856.75),
    "efficientnet_b0": (0.4, 6.75, 1751.72), "vit_base_patch32_224": (4.41, 5.01, 1708.63), "resnet50": (4.11, 11.11, 1218.01),
    "vit_small_patch16_224": (4.61, 11.95, 1057.92), "resnext50_32x4d": (4.26, 14.4, 1001.03), "densenet121": (2.87, 6.9, 913.65),
    "convnext_tiny": (4.47, 13.44, 819.24), "darknet53": (9.31, 12.39, 753.16), "resnet101": (7.83, 16.23, 747.89),
    "regnety_016": (1.63, 8.04, 650.07), "vit_base_patch16_224": (17.58, 23.9, 392.99),
}  # fmt: skip
"""Giga-multiply-accumulates, million activations, and training images a second on an RTX 3090, half precision.

Source: huggingface/pytorch-image-models, commit aa4b585, results/benchmark-{infer,train}-amp-nhwc-*-rtx3090.csv.
"""


def test_published_training_rates_of_very_different_models_are_met_by_two_terms_and_not_by_one() -> None:
    macs, activations, rates = np.array(list(PUBLISHED.values())).T
    drivers, times, groups = np.stack([6e9 * macs, 2e6 * activations], axis=1), 1 / rates, np.arange(float(len(rates)))
    both = left_out_error(fit_nonnegative, linear_at, drivers, times, groups)
    flops = left_out_error(fit_nonnegative, linear_at, drivers[:, :1], times, groups)
    assert both is not None
    assert flops is not None
    assert both < 0.35
    assert flops > 0.9
    missed = np.abs(np.log(linear_at(fit_nonnegative(drivers, times), drivers) / times))
    assert np.median(missed) < 0.12
    flop_s, _ = fit_nonnegative(drivers, times)
    assert 35e12 < 1 / flop_s < 142e12  # not above what the device's tensor cores can do at half precision


def test_what_is_left_out_misses_by_what_the_points_scatter() -> None:
    random = np.random.default_rng(0)
    drivers = random.uniform(1, 10, (60, 2))
    times = drivers @ np.array([2.0, 3.0]) * np.exp(random.normal(0, 0.1, 60))
    assert left_out_error(fit_nonnegative, linear_at, drivers, times, np.arange(60.0)) == pytest.approx(0.1, rel=0.25)


def test_too_few_points_to_leave_one_out_are_not_an_error_of_nothing() -> None:
    assert left_out_error(fit_nonnegative, linear_at, np.ones((2, 2)), np.ones(2), np.arange(2.0)) is None


@settings(max_examples=50, deadline=None)
@given(cut=st.sampled_from([1, 4, 8]), fixed=st.floats(0.0, 5.0), slope=st.floats(0.05, 2.0))
def test_batch_times_are_recovered_with_their_floor(cut: int, fixed: float, slope: float) -> None:
    sizes = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
    true = np.array([fixed + slope * (cut + 0.5), fixed, slope])
    times = batch_times(true, sizes)
    assert batch_times(fit_batch(sizes, times), sizes) == pytest.approx(times, rel=1e-5)


def test_a_calibrated_rate_takes_the_place_of_what_is_published_and_says_so(tmp_path: Path) -> None:
    calibration = toolkit.calibrate(points(), out=tmp_path / "c.json")
    law = calibration.law("training_step")
    assert law is not None
    assert law.terms["flop_s"] == pytest.approx(FLOP_S, rel=1e-6)
    projection = toolkit.project(SCENARIO, calibration=tmp_path / "c.json", draws=50)
    row = projection.assumptions.filter(projection.assumptions["name"] == "device.rate_images_per_s").row(0, named=True)
    assert row["evidence"] == "calibrated"
    assert row["value"] == pytest.approx(step("vit_l16")["images_per_s"], rel=1e-6)
    assert "calibrated" in str(projection.explain("training.gpu_count"))
    assert "device.peak_flop_per_s" not in projection.assumptions["name"].to_list()
    assert not [flag for flag in projection.flags if "calibrat" in flag]


def test_what_was_left_out_becomes_the_spread_of_the_projection() -> None:
    scattered = [step(m, f) for m, f in zip(("resnet50", "vit_s16", "vit_b16", "vit_l16"), (1.3, 0.8, 1.2, 0.9), strict=True)]
    exact, loose = (toolkit.calibrate({"accelerator": DEVICE, "training": t}) for t in (points()["training"], scattered))
    assert (exact.law("training_step").left_out_error_share or 0) < 0.01 < loose.law("training_step").left_out_error_share

    def spread(calibration: Calibration) -> float:
        projection = toolkit.project(SCENARIO, calibration=calibration, draws=800)
        row = projection.explanations["device.rate_images_per_s"]
        return float(np.log(row.p90[0] / row.p10[0]) / (2 * 1.2816))

    assert spread(exact) < 0.02
    told, widened = loose.law("training_step").left_out_error_share, 1.533 / 1.2816  # Student's t of four models left out
    assert spread(loose) == pytest.approx(told * widened, rel=0.1)


def test_use_outside_the_points_and_on_another_device_is_flagged() -> None:
    few = toolkit.calibrate({"accelerator": DEVICE, "training": [step(m) for m in ("resnet50", "vit_s16", "vit_b16")]})
    flags = toolkit.project(SCENARIO, calibration=few, draws=20).flags
    assert any("step_flop" in flag and "outside" in flag for flag in flags)
    other = next(name for name in accelerators() if name != DEVICE and "bf16" in accelerators()[name].peak)
    scenario = SCENARIO | {"training": SCENARIO["training"] | {"accelerator": other}}
    projection = toolkit.project(scenario, calibration=few, draws=20)
    assert any(f"on {other} does not use it" in flag for flag in projection.flags)
    assert "calibrated" not in projection.assumptions["evidence"].to_list()


def test_power_latency_and_scaling_reach_the_quantities_they_are_for() -> None:
    calibration = toolkit.calibrate(
        points(
            power=[{"load_share": load, "power": 100 + 400 * load} for load in (0.0, 0.5, 1.0)],
            latency=[{"model": "resnet50", "batch_count": b, "time": max(1e-3, 4e-4 + 1e-4 * b)} for b in (1, 2, 4, 8, 16, 32)],
            scaling=[{"device_count": n, "images_per_s": 1000 * n / (1 + 0.02 * (n - 1))} for n in (1, 2, 4, 8)],
        )
    )
    scenario = SCENARIO | {
        "inference": {"model": "resnet50", "accelerator": DEVICE, "requests_per_s": 1000, "latency_p99": "50 ms"}
    }
    projection = toolkit.project(scenario, calibration=calibration, draws=50)
    value = {name: node.p50[0] for name, node in projection.explanations.items()}
    assert value["training.device_w"] == pytest.approx(500)
    assert value["inference.idle_share"] == pytest.approx(0.2)
    assert value["inference.single_s"] == pytest.approx(1e-3, rel=1e-3)
    assert value["inference.offline_per_s"] == pytest.approx(1e4, rel=1e-3)
    assert value["training.scaling_share"] == pytest.approx(1 / (1 + 0.02 * (value["training.gpu_count"] - 1)), rel=1e-3)
    assert projection.explanations["inference.simulated_per_s"].evidence == "calibrated"
    assert not any("scaling was measured" in flag for flag in projection.flags)
    more = scenario | {"training": scenario["training"] | {"accelerator_count": 40}}
    stretched = toolkit.project(more, calibration=calibration, draws=50)
    assert stretched.value("training.scaling_share") == pytest.approx(1 / 1.78, rel=0.05)
    assert any("measured up to 8 devices and 40 are planned" in flag for flag in stretched.flags)


def backtested(place: Path) -> Backtest:
    """A back-test in which curating takes 3 ms of a core for each image, and reads were 10 % slower than predicted."""
    laws, predictions, seen = [], [], []
    for kind, unit, terms, error in (
        ("image_bytes", "bytes", {"slope": 100_000.0}, 1.0),
        ("curate_cpu_s", "s", {"fixed": 0.1, "slope": 0.003}, 1.02),
        ("read_cold_s", "s", {"fixed": 0.0, "slope": 1e-9}, 1.1),
    ):
        laws.append(FittedLaw(kind=kind, title=kind, unit=unit, driver="images", formula="fixed + slope x size", terms=terms,
                              noise_share=0.01, limits=""))  # fmt: skip
        predictions += [
            Prediction(
                kind=kind, trial_index=0, driver_count=100 * factor, size_factor=factor, p10=0.9, p50=1.0, p90=1.1, value=error
            )
            for factor in (2.0, 4.0, 8.0)
        ]  # fmt: skip
        seen += [Observation(kind=kind, trial_index=0, driver_count=100 * f, size_factor=f, value=f) for f in (0.5, 1.0, 8.0)]
    return Backtest(
        dataset=str(place), dataset_version=0, started_at="2026-01-01T00:00:00Z", elapsed_s=1.0, limit_s=1.0, seed=0,
        environment=Environment(host="here", facts={}), trial_count=1, fitted_image_counts=(100,), predicted_image_counts=(800,),
        varied_share=0.0, chance_share=1.0, laws=tuple(laws), predictions=tuple(predictions), observations=tuple(seen),
    )  # fmt: skip


def test_a_back_test_calibrates_what_a_batch_takes_to_curate(tmp_path: Path) -> None:
    backtested(tmp_path).save(tmp_path / "backtests" / "20260101T000000Z.json")
    calibration = toolkit.calibrate(dataset=tmp_path)
    assert [path.suffix for path in (tmp_path / "calibrations").iterdir()] == [".json"]
    law = calibration.law("curation")
    assert law is not None
    assert law.left_out_error_share == pytest.approx(np.log(1.02))
    projection = toolkit.project(SCENARIO, calibration=calibration, draws=50)
    at = dict(projection.assumptions.select("name", "value").iter_rows())
    assert at["curation.core_images_per_s"] == pytest.approx(1 / 0.003)
    assert at["curation.beside_factor"] == 1.0  # what decoding does not take is in the rate
    node = projection.explanations["curation.examination_s"]
    batch = projection.explanations["curation.batch_images"]
    assert node.p50[0] == pytest.approx(
        batch.p50[0] * 0.003, rel=0.05
    )  # not as uncertain as the rate of decoding, which is assumed
    assert "supply.core_images_per_s" not in node.inputs
    larger = SCENARIO | {"dataset": {"images": 1e7, "image_size": "5 MB"}}
    assert any("image_bytes" in flag for flag in toolkit.project(larger, calibration=calibration, draws=20).flags)


def test_a_calibration_is_read_back_whole_and_another_file_is_refused(tmp_path: Path) -> None:
    calibration = toolkit.calibrate(points(), out=tmp_path / "c.json")
    assert Calibration.load(tmp_path / "c.json") == calibration
    assert DEVICE in repr(calibration)
    facts = calibration.to_dict()
    with pytest.raises(DatasetError, match="a calibration of schema"):
        Calibration.from_dict(facts | {"schema": "tonnage.profile/1"})
    del facts["laws"]
    with pytest.raises(DatasetError, match="lacks"):
        Calibration.from_dict(facts)
    with pytest.raises(MissingError, match="no calibration file"):
        toolkit.project(SCENARIO, calibration=tmp_path / "none.json")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"accelerator": "abacus", "power": []}, "'abacus' is no accelerator"),
        ({"training": [{"model": "resnet50", "images_per_s": 5}]}, "'accelerator' is missing"),
        ({"accelerator": DEVICE, "training": [{"model": "mine", "images_per_s": 5}]}, "give its forward_macs and activation"),
        ({"accelerator": DEVICE, "training": [{"model": "resnet50", "images_per_s": -5}]}, "training.0.images_per_s"),
        ({"accelerator": DEVICE, "latency": [{"model": "x", "batch_count": 0, "time": "1 ms"}]}, "latency.0.batch_count"),
        ({"accelerator": DEVICE, "latency": [{"model": "x", "batch_count": 1, "time": "1 kg"}]}, "latency.0.time"),
        ({"accelerator": DEVICE, "power": [{"load_share": 2, "power": "5 W"}]}, "power.0.load_share"),
        ({"acelerator": DEVICE}, "acelerator"),
    ],
)
def test_bad_points_are_a_sentence_that_names_the_key(document: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "points.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises((ScenarioError, UsageError), match=said):
        toolkit.calibrate(path)


def test_nothing_to_calibrate_from_is_a_sentence(tmp_path: Path) -> None:
    for arguments in ({}, {"dataset": tmp_path}, {"points": {"accelerator": DEVICE}}):
        with pytest.raises(UsageError, match="nothing to calibrate from"):
            toolkit.calibrate(**arguments)
    with pytest.raises(MissingError, match="there is no dataset"):
        toolkit.calibrate(dataset=tmp_path / "none")
    with pytest.raises(MissingError, match="there are no points"):
        toolkit.calibrate(tmp_path / "none.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(ScenarioError, match="no mapping"):
        toolkit.calibrate(tmp_path / "list.yaml")


def test_the_command_writes_and_tells_what_each_law_missed(tmp_path: Path) -> None:
    (tmp_path / "points.json").write_text(json.dumps(points()))
    done = CliRunner().invoke(app, ["calibrate", str(tmp_path / "points.json"), "--out", str(tmp_path / "c.json")])
    assert done.exit_code == 0
    assert "training_step: FLOP x seconds of one" in done.output
    assert "4 points, off by 0.0% where left out" in done.output
    assert Calibration.load(tmp_path / "c.json").law("training_step") is not None
    told = CliRunner().invoke(app, ["calibrate", str(tmp_path / "points.json")])
    assert isinstance(told.exception, UsageError)
