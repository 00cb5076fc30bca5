"""Laws: what they were made from is found again, intervals hold what is true, published rows of a storage benchmark come out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolkit.laws.choosing import POINT_REACH, RANGE_REACH, Reading, choose
from toolkit.laws.fitting import LAWS, fit, fit_many
from toolkit.laws.forms import saturated_rate, scalability_rate, transfer_s
from toolkit.laws.storage_benchmark import busy_share, least_file_count, least_sample_count, supplied_rate

COUNTS = np.array([1.0, 2, 4, 8, 16, 32])
TRUE = (100.0, 0.03, 2e-4)


def noisy(rates: np.ndarray, invocation_count: int, noise_share: float, seed: int) -> np.ndarray:
    """Return rates as invocations measure them: each window is off, and each invocation as a whole."""
    random = np.random.default_rng(seed)
    own = noise_share * random.standard_normal((invocation_count, len(rates)))
    whole = noise_share / 2 * random.standard_normal((invocation_count, 1))
    return np.asarray(rates * np.exp(own + whole))


@given(
    single=st.floats(0.1, 1e6), contention=st.floats(0.0, 0.5), coherence=st.one_of(st.just(0.0), st.floats(1e-5, 0.02)),
)  # fmt: skip
def test_the_scalability_law_is_found_again(single: float, contention: float, coherence: float) -> None:
    rates = scalability_rate(COUNTS, single, contention, coherence)
    found = LAWS["universal scalability"].read(fit(LAWS["universal scalability"], COUNTS, rates))
    assert found["single_per_s"] == pytest.approx(single, rel=1e-4)
    assert found["contention_share"] == pytest.approx(contention, rel=1e-3, abs=1e-5)
    assert found["coherence_share"] == pytest.approx(coherence, rel=1e-3, abs=1e-6)


@given(latency_s=st.floats(1e-6, 0.1), bandwidth=st.floats(1e6, 1e11))
def test_hockneys_law_is_found_again(latency_s: float, bandwidth: float) -> None:
    sizes = np.array([4e3, 6.4e4, 1e6, 8e6, 1.28e8])
    found = LAWS["Hockney"].read(fit(LAWS["Hockney"], sizes, transfer_s(sizes, latency_s, bandwidth)))
    assert found["bandwidth_bytes_per_s"] == pytest.approx(bandwidth, rel=1e-3)
    assert found["latency_s"] == pytest.approx(latency_s, rel=1e-3, abs=1e-4 * 4e3 / bandwidth)


def test_a_transfer_without_latency_has_none() -> None:
    sizes = np.array([1e3, 1e5, 1e7])
    assert LAWS["Hockney"].read(fit(LAWS["Hockney"], sizes, sizes / 1e9))["latency_s"] == pytest.approx(0, abs=1e-12)


def test_a_limit_is_found_again_and_told_from_contention() -> None:
    rates = saturated_rate(COUNTS, 100.0, 700.0)
    chosen = choose(COUNTS, noisy(rates, 6, 0.01, 1))
    assert chosen.law.name == "saturation"
    assert chosen.parameters["limit_per_s"] == pytest.approx(700, rel=0.02)
    assert chosen.left_out_share["Amdahl"] > 2 * chosen.left_out_share["saturation"]


RATES = st.floats(0.1, 10)


@pytest.mark.parametrize("law", ["saturation", "Amdahl"])
@given(
    rates=st.lists(RATES, min_size=3, max_size=6),
    single=st.floats(0.05, 20),
    limit=st.floats(0.05, 20),
)
@example(rates=[1.265, 1.09, 1.13], single=5.0, limit=1.16)  # a device's: fewer streams were enough already
@example(rates=[4.77, 6.69, 4.82, 4.43, 4.49], single=5.0, limit=5.0)
@example(rates=[1.0, 2.0, 3.0, 0.25], single=2.0, limit=2.0)
def test_no_other_parameters_fit_better(law: str, rates: list[float], single: float, limit: float) -> None:
    levels, values, found = 2.0 ** np.arange(len(rates)), np.array(rates), LAWS[law]
    fitted = fit(found, levels, values, is_robust=False)
    first = single**-found.exponent
    other = np.array([first, limit**-found.exponent if law == "saturation" else first / limit])
    ours, theirs = (np.sum(np.log(found.predict(levels, factors) / values) ** 2) for factors in (fitted, other))
    assert ours <= theirs + 0.01 * len(rates)


def test_one_wild_point_does_not_carry_the_fit_away() -> None:
    rates = np.tile(scalability_rate(COUNTS, *TRUE), 5)
    rates[3] *= 5
    law = LAWS["Amdahl"]
    counts = np.tile(COUNTS, 5)
    robust, plain = (law.read(fit(law, counts, rates, is_robust=robust))["single_per_s"] for robust in (True, False))
    assert abs(robust / 100 - 1) < abs(plain / 100 - 1) / 2


def test_many_fits_are_what_each_alone_would_be() -> None:
    table = noisy(scalability_rate(COUNTS, *TRUE), 4, 0.05, 2)
    law = LAWS["universal scalability"]
    together = fit_many(law, COUNTS, table)
    assert together == pytest.approx(np.stack([fit(law, COUNTS, row) for row in table]), rel=1e-9)


@pytest.mark.untraced
@pytest.mark.parametrize(("invocation_count", "noise_share"), [(3, 0.05), (6, 0.05), (12, 0.01)])
def test_intervals_hold_the_truth_in_nine_of_ten_runs(invocation_count: int, noise_share: float) -> None:
    levels = (16.0, 32.0, 64.0, 128.0)
    rates = scalability_rate(COUNTS, *TRUE)
    held = dict.fromkeys(levels, 0)
    runs = 40
    for seed in range(runs):
        chosen = choose(COUNTS, noisy(rates, invocation_count, noise_share, seed), seed=seed)
        for level in levels:
            said = chosen.at(level)
            assert said.low is not None
            assert said.high is not None
            held[level] += said.low <= scalability_rate(level, *TRUE) <= said.high
    assert min(held.values()) >= 0.9 * runs, held


@pytest.mark.untraced
def test_parameters_intervals_hold_the_truth_where_the_law_is_told() -> None:
    held, told = dict.fromkeys(("single_per_s", "contention_share", "coherence_share"), 0), 0
    for seed in range(40):
        chosen = choose(COUNTS, noisy(scalability_rate(COUNTS, *TRUE), 8, 0.01, seed), ("universal scalability",), seed)
        told += 1
        for name, true in zip(held, TRUE, strict=True):
            low, high = chosen.parameter_intervals[name]
            held[name] += low <= true <= high
    assert min(held.values()) >= 0.9 * told, held


def width_factor(said: Reading) -> float:
    assert said.low is not None
    assert said.high is not None
    return said.high / said.low


def test_how_far_a_law_may_speak() -> None:
    chosen = choose(COUNTS, noisy(scalability_rate(COUNTS, *TRUE), 6, 0.02, 5))
    within, near, far, beyond = (chosen.at(32.0 * factor) for factor in (1, POINT_REACH, RANGE_REACH, 8))
    assert not within.is_beyond_data
    assert near.is_beyond_data
    assert near.value is not None
    assert far.value is None
    assert far.low is not None
    assert (beyond.value, beyond.low) == (None, None)
    assert beyond.high is not None
    assert width_factor(near) > width_factor(within)
    assert chosen.at(64.0, limit=500.0).high == 500.0
    assert chosen.at(1e4, limit=500.0).high == 500.0


def test_one_invocation_alone_gives_no_interval() -> None:
    said = choose(COUNTS, scalability_rate(COUNTS, *TRUE)[None]).at(8)
    assert said.value == pytest.approx(scalability_rate(8.0, *TRUE), rel=1e-3)
    assert (said.low, said.high) == (None, None)


def test_what_an_invocation_did_not_measure_is_left_out() -> None:
    table = noisy(scalability_rate(COUNTS, *TRUE), 6, 0.01, 3)
    table[0, 2] = math.nan
    chosen = choose(COUNTS, table)
    assert chosen.at(4).value == pytest.approx(scalability_rate(4.0, *TRUE), rel=0.02)


# published rows: MLPerf Storage v1.0 raw results (mlcommons/storage_results_v1.0@64c2ce4), devices, utilisation, samples/s
RESNET = [(512, 92.39, 841943.86), (58, 90.33, 93464.02), (1, 99.44, 1775.61), (32, 94.53, 53907.09), (106, 90.75, 170986.86)]
COSMOFLOW = [(1, 80.71, 230.54), (10, 70.07, 1995.91)]
UNET = [
    (36, 0.323, 93.52, 708.23), (72, 0.636, 92.49, 713.20), (2, 0.323, 92.20, 39.69), (3, 0.323, 90.78, 58.61),
    (2, 0.323, 96.24, 40.87), (4, 0.323, 90.27, 71.12), (8, 0.636, 90.29, 66.22), (411, 0.323, 92.21, 7718.31),
    (411, 0.323, 97.82, 8159.29),
]  # fmt: skip


@pytest.mark.parametrize(("devices", "busy_pct", "published"), RESNET)
def test_resnet_rows_follow_from_their_utilisation(devices: int, busy_pct: float, published: float) -> None:
    assert supplied_rate(devices, 400, 0.224, busy_pct / 100) == pytest.approx(published, rel=0.013)


@pytest.mark.parametrize(("devices", "busy_pct", "published"), COSMOFLOW)
def test_cosmoflow_rows_follow_from_their_utilisation(devices: int, busy_pct: float, published: float) -> None:
    assert supplied_rate(devices, 1, 0.0035, busy_pct / 100) == pytest.approx(published, rel=0.035)


@pytest.mark.parametrize(("devices", "step_s", "busy_pct", "published"), UNET)
def test_unet_rows_are_below_by_the_first_step(devices: int, step_s: float, busy_pct: float, published: float) -> None:
    """Their steps are few: the first, which the utilisation leaves out, takes up to a sixth of the rate."""
    assert 0.83 <= published / supplied_rate(devices, 7, step_s, busy_pct / 100) <= 1.0


def test_sizes_of_published_datasets() -> None:
    assert least_file_count(7, 8, 0, 146_600_628) == 28_000
    assert least_file_count(7, 36, 0, 146_600_628) == 126_000
    assert least_file_count(7, 4, 64 * 2**30, 146_600_628) == 14_000
    assert least_sample_count(7, 4, 64 * 2**30, 146_600_628) == 14_000
    assert least_sample_count(400, 1, 1024 * 2**30, 114_660.07) == pytest.approx(5 * 2**40 / 114_660.07)


@given(step_s=st.floats(0.001, 10), stalls=st.lists(st.floats(0, 10), min_size=2, max_size=30))
def test_utilisation_is_what_is_left_beside_the_stalls(step_s: float, stalls: list[float]) -> None:
    finished, now_s = [], 0.0
    for stall_s in stalls:
        now_s += stall_s + step_s
        finished.append(now_s)
    count = len(stalls)
    assert busy_share(finished, step_s, begun_s=0.0) == pytest.approx(count * step_s / (count * step_s + sum(stalls)))
    assert busy_share(finished, step_s) == pytest.approx(
        (count - 1) * step_s / ((count - 1) * step_s + sum(stalls[1:])), rel=1e-6
    )
