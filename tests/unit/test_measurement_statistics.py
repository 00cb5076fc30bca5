"""Intervals that cover what they claim, on numbers whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.measurement.statistics import drift, median_interval, ratio_interval


def invocations(random: np.random.Generator, count: int, truth: float, between: float) -> dict[int, list[float]]:
    """Rates that differ more between processes than within one, as real ones do."""
    levels = truth * np.exp(random.normal(0, between, count))
    return {n: list(level * np.exp(random.normal(0, 0.01, 3))) for n, level in enumerate(levels)}


@pytest.mark.untraced
@pytest.mark.parametrize(("count", "least"), [(3, 0.9), (5, 0.9), (8, 0.85), (20, 0.88)])
def test_the_interval_covers_the_truth(count: int, least: float) -> None:
    random = np.random.default_rng(7)
    runs = 200
    covered = 0
    for seed in range(runs):
        median, low, high = median_interval(invocations(random, count, 100.0, 0.1), seed)
        assert low <= median <= high
        covered += low <= 100.0 <= high
    assert covered / runs >= least


@pytest.mark.parametrize("count", [5, 8])
def test_the_interval_of_what_may_be_negative_covers_it_too(count: int) -> None:
    random = np.random.default_rng(4)
    runs, covered = 200, 0
    for seed in range(runs):
        losses = {n: [float(value)] for n, value in enumerate(random.normal(0.0, 0.02, count))}
        median, low, high = median_interval(losses, seed)
        assert low <= median <= high
        covered += low <= 0.0 <= high
    assert 0.88 <= covered / runs <= 0.99


def test_windows_within_an_invocation_do_not_narrow_the_interval() -> None:
    few = {n: [value] * 2 for n, value in enumerate((90.0, 100.0, 110.0))}
    many = {n: [value] * 50 for n, value in enumerate((90.0, 100.0, 110.0))}
    assert median_interval(few) == pytest.approx(median_interval(many))
    assert median_interval(few)[2] - median_interval(few)[1] > 20  # wide: three runs know little


def test_the_median_is_that_of_the_invocations() -> None:
    assert median_interval({0: [1.0, 1.0, 1.0, 1.0], 1: [5.0], 2: [6.0]})[0] == 5.0


def test_one_invocation_gives_the_range_of_its_windows_and_none_gives_nothing() -> None:
    assert median_interval({0: [3.0, 5.0, 4.0]}) == (4.0, 3.0, 5.0)
    assert median_interval({}) == (0.0, 0.0, 0.0)


def test_the_same_seed_gives_the_same_interval() -> None:
    groups = invocations(np.random.default_rng(1), 8, 50.0, 0.2)
    assert median_interval(groups, 3) == median_interval(groups, 3)


def test_a_ratio_is_known_better_than_its_parts_when_both_share_the_noise() -> None:
    random = np.random.default_rng(2)
    below = invocations(random, 8, 100.0, 0.3)
    above = {n: [2.0 * value for value in values] for n, values in below.items()}
    ratio, low, high = ratio_interval(above, below)
    assert (ratio, low, high) == pytest.approx((2.0, 2.0, 2.0))
    same, low, high = ratio_interval(invocations(random, 8, 100.0, 0.1), invocations(random, 8, 100.0, 0.1))
    assert low < 1 < high
    assert 0.8 < same < 1.25


def test_a_ratio_of_strangers_has_no_known_interval() -> None:
    ratio, low, high = ratio_interval({0: [4.0]}, {1: [2.0]})
    assert (ratio, low) == (2.0, 0.0)
    assert high == float("inf")


def test_drift_is_seen_and_noise_is_not() -> None:
    random = np.random.default_rng(3)
    falling = [100.0 * (1 - 0.05 * n) for n in range(10)]
    assert drift(falling) == pytest.approx(-0.58, abs=0.02)
    assert sum(bool(drift(list(100 + random.normal(0, 15, 12)))) for _ in range(100)) <= 10
    assert drift([1.0, 2.0]) == 0.0
