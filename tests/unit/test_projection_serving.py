"""Serving: rates where none is published, other number formats, models held side by side, latencies with their spread."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import toolkit
from toolkit.projection import plan_check
from toolkit.projection.hardware_facts import accelerators
from toolkit.projection.result import Projection
from toolkit.projection.scenario import Inference
from toolkit.projection.serving_rates import _estimated

PLAIN: dict[str, Any] = {"name": "s", "horizon_months": 6, "dataset": {"images": 1e6, "image_size": "100 kB"}}


def served(draws: int = 200, measurements: Any = None, **inference: Any) -> Projection:
    asked = {"requests_per_s": 2000, "latency_p99": "100 ms"} if "streams" not in inference else {"latency_p99": "100 ms"}
    found: Projection = toolkit.project(PLAIN | {"inference": asked | inference}, measurements=measurements, draws=draws)
    return found


def told(found: Projection, name: str) -> dict[str, Any]:
    return found.assumptions.filter(pl.col("name") == name).row(0, named=True)


def test_the_roofline_is_within_a_factor_of_two_of_what_is_published() -> None:
    rates, latencies = [], []
    for name, device in accelerators().items():
        for model, known in device.serving.items():
            if name == "xeon_2s_emr":
                continue  # processors of a server reach more of their peak
            single, offline = _estimated(Inference(model=model, accelerator=name, requests_per_s=1), "int8")
            rates.append(offline / known.offline_per_s)
            if not known.is_single_assumed:
                latencies.append(single / known.single)
    assert len(rates) >= 19
    assert 0.5 < min(rates) < max(rates) < 2
    assert 0.5 < min(latencies) < max(latencies) < 1.6
    assert np.median(rates) == pytest.approx(1, abs=0.1)


def test_a_model_without_a_published_rate_is_estimated_widely_and_said_to_be() -> None:
    found = served(model="vit_b16")
    assert any("no serving rate of vit_b16 on NVIDIA L4 24 GB is known" in flag for flag in found.flags)
    why = found.explain("inference.single_s")
    assert why.evidence == "assumed"
    assert "peak" in why.formula
    ends = [found.value("inference.capacity_per_s", 6, percentile) for percentile in ("p10", "p90")]
    assert ends[1] > 2 * ends[0]
    others = found.plan.alternatives.filter((pl.col("phase") == "inference") & ~pl.col("is_chosen"))
    assert {"b200_sxm", "mi300x", "a100_sxm_80gb"} <= set(others["name"])
    could_be = others.filter(~pl.col("verdict").str.starts_with("rejected"))["verdict"]
    assert could_be.str.ends_with("estimated from peak and memory bandwidth, within a factor of two (assumed)").all()
    rates = [_estimated(Inference(model="vit_b16", accelerator="l4", requests_per_s=1), form)[1] for form in ("fp16", "int8")]
    assert rates[0] < rates[1]


def test_a_device_without_a_peak_in_the_number_format_is_listed_as_rejected_and_says_so() -> None:
    listed = served(model="resnet50", precision="fp8").plan.alternatives
    verdicts = dict(listed.filter(pl.col("phase") == "inference").select("name", "verdict").iter_rows())
    assert verdicts["a2"] == "rejected: fp8: no peak rate in this number format is known"
    assert "estimated" in verdicts["b200_sxm"]
    assert "estimated" not in verdicts["h100_sxm"]


def test_weights_in_another_format_and_models_beside_take_their_memory() -> None:
    one = served(model="resnet50")
    half = served(model="resnet50", precision="fp16")
    both = served(model="resnet50", models=["vit_l16", "vit_b16"])
    assert told(half, "inference.weight_bytes")["value"] == 2
    extra = both.value("inference.memory_bytes") - one.value("inference.memory_bytes")
    assert extra == pytest.approx(304.33e6 + 86.57e6, rel=0.01)
    full = served(model="resnet50", models=["clip_vit_h14"] * 20).plan.alternatives
    small = full.filter(pl.col("name") == "a2")["verdict"][0]
    assert small.startswith("rejected: too little memory: 2")
    assert half.value("inference.capacity_per_s") < one.value("inference.capacity_per_s")
    rows = half.frame.filter(pl.col("quantity") == "inference.memory_bytes")
    weights = told(half, "inference.weight_bytes")["value"] * half.value("inference.held_param_count")
    assert rows["p50"][0] > weights == 2 * 25.6e6


def test_latencies_have_a_spread_and_rise_with_load() -> None:
    busy = served(requests_per_s=11_000, spare_instances=0)
    for name in ("p50", "p95", "p99"):
        low, middle, high = (busy.value(f"inference.latency_{name}_s", 6, end) for end in ("p10", "p50", "p90"))
        assert low < middle < high
    assert busy.value("inference.latency_p50_s") < busy.value("inference.latency_p99_s")
    calm = served(requests_per_s=50)
    assert calm.value("inference.latency_p99_s") < busy.value("inference.latency_p99_s")


def test_the_wait_at_the_instances_that_are_bought_is_that_of_their_queue() -> None:
    found = served(requests_per_s=2000, accelerator="l4", spare_instances=0)
    single = told(found, "inference.single_s")["value"]
    load = found.value("plan.load_per_s") * single
    assert 0 < load < 1
    assert found.value("plan.split_wait_s") == pytest.approx(load * single / (2 * (1 - load)), rel=0.05)  # M/D/1
    at = [np.array([[value]]) for value in (1000.0, 8.0, 0.0, 0.5e-3)]  # eight instances, each busy half of the time
    assert plan_check.joint_wait(*at) < plan_check.random_wait(*at) < 0.5e-3 * 0.5 / (2 * 0.5)  # sharing a queue waits less
    assert np.isinf(plan_check.joint_wait(at[0] * 3, *at[1:]))


def test_what_a_host_hands_to_a_device_is_held_against_its_link() -> None:
    narrow = served(requests_per_s=10_000, host_link="1 GB/s")
    row = narrow.bottlenecks.filter((pl.col("resource") == "host link") & (pl.col("month") == 6)).row(0, named=True)
    assert row["demand"] == pytest.approx(narrow.value("inference.load_per_s") * 3 * 224**2)
    assert row["supply"] == 1e9
    assert row["load_share"] > 0.5


def test_a_measured_step_of_inference_takes_the_place_of_what_is_published() -> None:
    calls = iter(range(10**9))
    step = toolkit.measure_step(lambda: sum(range(2000 + next(calls) % 3)), 4, target_s=0.05, kind="inference",
                                model="resnet50", accelerator="l4")  # fmt: skip
    rate = step.find("step.inference_rate")
    assert rate is not None
    found = served(measurements=step, requests_per_s=100)
    assert told(found, "inference.offline_per_s")["evidence"] == "measured"
    single, offline = (told(found, f"inference.{name}")["value"] for name in ("single_s", "offline_per_s"))
    assert 4 / (single + 3 / offline) == pytest.approx(rate.median, rel=1e-6)
    other = served(measurements=step, accelerator="t4")
    assert told(other, "inference.offline_per_s")["evidence"] == "published"
