"""From small sizes to predictions: the projection says them, with its own intervals, and only small sizes reach it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import reporting_facts as facts
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit
from toolkit.backtesting.kinds import Kind, kinds_of
from toolkit.backtesting.predicting import laws_by_trial
from toolkit.backtesting.projecting import by_formula, calibration_of, projection_of
from toolkit.backtesting.scoring import scored
from toolkit.backtesting.trials import FITTED_FACTORS, PREDICTED_FACTORS, Sizes, sizes_within
from toolkit.facts import Environment
from toolkit.facts.backtests import Backtest, Observation
from toolkit.laws.extrapolating import extrapolate
from toolkit.laws.fitting import LAWS

CORES = 4
TRUE = {
    "image_bytes": lambda n: 1e5 * n, "shard_bytes": lambda n: 3e4 + 1.02e5 * n, "catalog_bytes": lambda n: 1.4e4 + 160 * n,
    "capacity_bytes": lambda n: 9e4 + 1.03e5 * n, "curate_cpu_s": lambda n: 0.02 + 2e-3 * n, "curate_s": lambda n: 0.05 + 6e-4 * n,
    "read_cold_s": lambda n: 1e-3 + n / 2e9, "read_s": lambda n: n / 1e9, "verify_s": lambda n: 0.01 + n / 8e8,
    "random_s": lambda n: 1e-4 * n, "loader_s": lambda n: 1e-3 + n / 1e8, "transfer_s": lambda n: 1e-4 + n / 1.5e9,
    "decode_images_per_s": lambda n: min(700.0 * n, 1400.0),
}  # fmt: skip
UNITS = {"images": 128, "bytes": 32 * 2**20, "workers": 4}


def seen(kind: Kind, trial: int, factor: float, random: np.random.Generator, scatter: float) -> Observation:
    size = UNITS[kind.driver] * factor
    value = TRUE[kind.name](size) * math.exp(random.normal(0, scatter))
    return Observation(kind=kind.name, trial_index=trial, driver_count=size, size_factor=factor, value=value)


def observed(trials: int = 2, scatter: float = 0.02, seed: int = 0) -> list[Observation]:
    random = np.random.default_rng(seed)
    return [
        seen(kind, trial, factor, random, scatter / 100 if kind.unit == "bytes" else scatter)
        for trial in range(trials)
        for kind in kinds_of(CORES)
        for factor in (
            [*FITTED_FACTORS] * 3 + [*PREDICTED_FACTORS] if kind.driver != "workers" else [0.25, 0.5, 0.75, 1] * 3 + [2]
        )
    ]


@pytest.fixture(scope="module")
def found() -> tuple[tuple, tuple, tuple]:
    return scored(kinds_of(CORES), observed(), facts.profile(), CORES)


def test_every_kind_is_predicted_near_its_truth(found: tuple[tuple, tuple, tuple]) -> None:
    laws, predictions, flags = found
    assert not flags
    assert {law.kind for law in laws} == set(TRUE)
    assert len(predictions) == 2 * (12 * 3 + 1)
    for p in predictions:
        true = TRUE[p.kind](p.driver_count)
        assert p.p50 == pytest.approx(true, rel=0.12), p
        assert p.p10 < p.p50 < p.p90, p


def test_each_says_what_gave_it_and_the_projection_gives_whatever_it_has(found: tuple[tuple, tuple, tuple]) -> None:
    said = {p.kind: p.predicted_by for p in found[1]}
    plain = toolkit.project({"name": "x", "dataset": {"images": 10, "image_size": "1 kB"}, "horizon_months": 1}, draws=2)
    for kind in kinds_of(CORES):
        if kind.quantity:
            assert said[kind.name].startswith(f"project: {kind.quantity} = ")
            assert kind.quantity in plain.explanations
    assert said["transfer_s"].startswith("toolkit.projection.network.transfer_time = latency + bytes / (link rate")
    assert said["read_s"].startswith("toolkit.projection.traffic.read_through = ")
    assert said["decode_images_per_s"] == "toolkit.laws.choosing.choose: saturation law of workers"
    assert said["catalog_bytes"] == "toolkit.laws.fitting: affine law of images"


def test_what_is_foretold_is_what_a_projection_of_the_same_calibration_says() -> None:
    small = [o for o in observed(1) if o.size_factor <= 1]
    kinds = {kind.name: kind for kind in kinds_of(CORES)}
    names = ("image_bytes", "curate_cpu_s", "curate_s")
    laws = {name: laws_by_trial(kinds[name], [o for o in small if o.kind == name])[0] for name in names}
    count = 8 * 128
    calibration = calibration_of({kinds[name]: (law, count) for name, law in laws.items()})
    said = projection_of(facts.profile(image_count=672, image_bytes=67_200_000), count, CORES, calibration).explanations
    for name, law in laws.items():
        node = said[kinds[name].quantity]
        low, high = law.ends(count)
        assert node.p50[0] == pytest.approx(law.value(count), rel=0.02)
        assert math.log(node.p90[0] / node.p10[0]) == pytest.approx(math.log(high / low), rel=0.15)
        assert node.evidence in {"calibrated", "assumed", "measured"}


def test_the_calibration_that_is_sold_says_what_the_back_test_foretold(found: tuple[tuple, tuple, tuple], tmp_path: Path) -> None:
    laws, predictions, _ = found
    test = Backtest(
        dataset=str(tmp_path), dataset_version=0, started_at="2026-01-01T00:00:00Z", elapsed_s=1.0, limit_s=1.0, seed=0,
        environment=Environment(host="here", facts={}), trial_count=2, fitted_image_counts=(128,), predicted_image_counts=(1024,),
        varied_share=0.0, chance_share=1.0, laws=laws, predictions=predictions, observations=tuple(observed()),
    )  # fmt: skip
    test.save(tmp_path / "backtests" / "20260101T000000Z.json")
    calibration = toolkit.calibrate(dataset=tmp_path)
    profile = facts.profile(image_count=1000, image_bytes=100_000_000, shard_bytes=102_000_000, location=str(tmp_path))
    said = projection_of(profile, 1024, CORES, calibration).explanations
    for kind in ("image_bytes", "shard_bytes", "curate_cpu_s", "curate_s"):
        quantity = next(k.quantity for k in kinds_of(CORES) if k.name == kind)
        assert said[quantity].p50[0] == pytest.approx(TRUE[kind](1024), rel=0.06), kind
        assert said[quantity].p10[0] < said[quantity].p50[0] < said[quantity].p90[0]
    assert said["supply.node_bytes_per_s"].p50[0] == pytest.approx(2e9, rel=0.1)
    assert said["supply.node_bytes_per_s"].evidence == "calibrated"
    half = projection_of(profile, 1024, 2 * CORES, calibration).explanations["curation.elapsed_s"].p50[0]
    assert half == pytest.approx(0.05 + 3e-4 * 1024, rel=0.08)  # what a batch takes however small is not halved by more cores


def test_only_small_sizes_are_fitted_and_what_cannot_be_told_is_named() -> None:
    def one(kind: str, factor: float, value: float) -> Observation:
        return Observation(kind=kind, trial_index=0, driver_count=100 * factor, size_factor=factor, value=value)

    small = [one("image_bytes", f, 1e6 * f) for f in (*FITTED_FACTORS, *FITTED_FACTORS)]
    large = [one("image_bytes", f, 5e6 * f) for f in PREDICTED_FACTORS]  # five times what the small ones say
    cold = [one("read_cold_s", 1.0, 1.0)]
    laws, predictions, flags = scored(kinds_of(2), [*small, *large, *cold], facts.profile(), 2)
    assert [law.kind for law in laws] == ["image_bytes"]
    assert [p.error_share for p in predictions] == pytest.approx([-0.8] * 3, rel=0.01)
    assert not any(p.is_covered for p in predictions)
    assert any(flag.startswith("time to read all shards, cold could not be measured") for flag in flags)


def test_each_trial_is_predicted_from_its_own_small_sizes() -> None:
    slower = [
        Observation(kind=o.kind, trial_index=o.trial_index, driver_count=o.driver_count, size_factor=o.size_factor,
                    value=o.value * (3 if o.trial_index and o.kind.endswith("_s") else 1))
        for o in observed(2, scatter=0.01)
    ]  # fmt: skip
    _, predictions, _ = scored(kinds_of(CORES), slower, facts.profile(), CORES)
    for kind in ("curate_s", "read_cold_s", "transfer_s"):
        each = [[p.p50 for p in predictions if p.kind == kind and p.trial_index == trial] for trial in (0, 1)]
        assert np.array(each[1]) / each[0] == pytest.approx(3.0, rel=0.1)


def test_what_follows_from_an_expected_size_is_as_uncertain_as_that_size() -> None:
    sizes = np.repeat([1.0, 2.0, 4.0], 3)
    law = extrapolate(LAWS["affine"], sizes, 3 + 2 * sizes * np.tile([0.999, 1.0, 1.001], 3))
    kind = next(kind for kind in kinds_of(2) if kind.name == "capacity_bytes")
    sure, unsure = by_formula(kind, law, 32.0), by_formula(kind, law, 32.0, 0.1)
    assert math.log(unsure.p90 / unsure.p10) == pytest.approx(2 * 1.2816 * 0.1, rel=0.05)
    assert unsure.p90 / unsure.p10 > sure.p90 / sure.p10


@settings(max_examples=40, deadline=None)
@given(left_s=st.floats(10, 3000), fixed_s=st.floats(0.01, 1), image_s=st.floats(1e-4, 0.05))
def test_sizes_fit_the_time_or_are_the_least(left_s: float, fixed_s: float, image_s: float) -> None:
    pilot = [(n, fixed_s + n * image_s) for n in (16, 128)]
    sizes, trials = sizes_within(left_s, pilot, 64)
    images = 3 * sum(sizes.fitted) + sum(sizes.predicted)
    least = Sizes(smallest_count=32 if left_s >= 30 else 8)
    assert 2 <= trials <= 5
    assert trials * (12 * fixed_s + images * image_s) <= left_s or sizes == least
