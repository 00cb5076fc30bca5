"""Intervals of laws carried to larger sizes: on simulated machines whose truth is known they hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.laws.choosing import choose
from toolkit.laws.extrapolating import extrapolate, law_bend_share, student_widening
from toolkit.laws.fitting import LAWS
from toolkit.laws.forms import saturated_rate

ASKED = np.array([2.0, 4.0, 8.0])
AFFINE = LAWS["affine"]
WORLDS = ((0.05, 0.0, 0.0), (0.10, 0.0, 0.05), (0.05, 0.05, 0.05))
"""Scatter, drift and share of outliers of a machine: log-normal scatter of 5 to 10 %, a drift that lasts over ten measurements,
and now and then one that takes up to twice as long."""


def measured(
    random: np.random.Generator, sizes: np.ndarray, world: tuple[float, float, float], fixed: float, exponent: float = 1.0
) -> np.ndarray:
    """What a machine measures of sizes, in random order, where the truth is fixed + size ** exponent."""
    scatter, drift, outlier_share = world
    drifted, now = np.zeros(len(sizes)), random.normal(0, drift)
    for place in random.permutation(len(sizes)):
        now = 0.9 * now + random.normal(0, drift * np.sqrt(1 - 0.9**2))
        drifted[place] = now
    outliers = (random.random(len(sizes)) < outlier_share) * random.uniform(0.2, 0.7, len(sizes))
    return (fixed + sizes**exponent) * np.exp(drifted + random.normal(0, scatter, len(sizes)) + outliers)


def coverage(
    size_count: int, repeats: int, world: tuple[float, float, float], runs: int = 60, exponent: float = 1.0, groups: int = 1
) -> float:
    """The share of new measurements at 2, 4 and 8 times the largest size that their intervals held."""
    random, held = np.random.default_rng([size_count, repeats]), []
    fitted = np.repeat(2.0 ** -np.arange(size_count)[::-1], repeats)
    for _ in range(runs):
        fixed = random.uniform(0, 0.3)
        seen = [measured(random, np.concatenate([fitted, ASKED]), world, fixed, exponent) for _ in range(groups)]
        bend = law_bend_share(AFFINE, [(fitted, values[: len(fitted)]) for values in seen])
        for values in seen:
            found = extrapolate(AFFINE, fitted, values[: len(fitted)], bend_share=bend)
            ends = [found.ends(size) for size in ASKED]
            held += [low <= value <= high for value, (low, high) in zip(values[len(fitted) :], ends, strict=True)]
    return float(np.mean(held))


@pytest.mark.untraced
@pytest.mark.parametrize("size_count", [3, 4, 5, 6])
def test_intervals_hold_80_of_100_new_measurements_whatever_the_machine(size_count: int) -> None:
    found = [coverage(size_count, repeats, world) for repeats in (2, 3) for world in WORLDS]
    assert 0.75 <= np.mean(found) <= 0.85
    assert min(found) >= 0.7
    assert max(found) <= 0.92


@pytest.mark.untraced
def test_a_law_that_bends_is_held_more_often_where_its_bend_is_looked_for() -> None:
    world, exponent = (0.03, 0.0, 0.0), 0.85
    looked = coverage(3, 3, world, runs=25, exponent=exponent, groups=5)
    random, fitted = np.random.default_rng(0), np.repeat([0.25, 0.5, 1.0], 3)
    blind = []
    for _ in range(100):
        values = measured(random, np.concatenate([fitted, ASKED]), world, 0.1, exponent)
        found = extrapolate(AFFINE, fitted, values[:9])
        blind += [low <= v <= high for v, (low, high) in zip(values[9:], map(found.ends, ASKED), strict=True)]
    assert looked > np.mean(blind) + 0.15


@settings(max_examples=40, deadline=None)
@given(fixed=st.floats(0, 100), slope=st.floats(1e-3, 1e3), unit=st.floats(1e-6, 1e9))
def test_without_scatter_a_law_that_holds_is_met_and_its_interval_is_a_point(fixed: float, slope: float, unit: float) -> None:
    sizes = np.repeat([0.25, 0.5, 1.0], 2) * unit
    found = extrapolate(AFFINE, sizes, fixed + slope * sizes)
    true = fixed + slope * 8 * unit
    assert found.ends(8 * unit) == pytest.approx((true, true), rel=1e-3)


def test_scatter_of_a_sample_falls_with_its_size_and_that_of_a_time_does_not() -> None:
    random = np.random.default_rng(4)
    sizes = np.repeat([25.0, 50.0, 100.0], 40)
    drawn = np.array([random.lognormal(0, 0.5, int(size)).sum() for size in sizes])
    found = extrapolate(LAWS["proportional"], sizes, drawn, is_sampled=True)
    spread = np.sqrt(np.exp(0.25) - 1)  # of one
    assert found.noise_share == pytest.approx(spread / 10, rel=0.15)
    assert found.error_share(10_000) == pytest.approx(spread * np.sqrt(1 / 10_000 + 1 / sizes.sum()), rel=0.15)
    times = extrapolate(LAWS["proportional"], sizes, 3 * sizes * random.lognormal(0, 0.1, len(sizes)))
    assert times.error_share(10_000) == pytest.approx(0.1, rel=0.2)


def test_bends_are_seen_beyond_scatter_only_and_by_more_witnesses_better() -> None:
    random, sizes = np.random.default_rng(1), np.repeat([0.25, 0.5, 1.0], 3)
    noisy = [measured(random, sizes, (0.1, 0, 0), 0.2) for _ in range(200)]
    seen = [law_bend_share(AFFINE, [(sizes, values)]) for values in noisy]
    assert np.mean([bend > 0 for bend in seen]) < 0.08  # one in twenty at most, by chance
    curved = [(sizes, measured(random, sizes, (0.05, 0, 0), 0.0, 0.8)) for _ in range(20)]
    alone = np.mean([law_bend_share(AFFINE, [group]) > 0 for group in curved])
    assert alone < 0.9
    assert law_bend_share(AFFINE, curved) == pytest.approx(0.06, abs=0.02)
    assert law_bend_share(AFFINE, [(np.ones(3), np.ones(3))]) == 0.0


def test_one_outlier_does_not_widen_an_interval_without_bound() -> None:
    random, sizes = np.random.default_rng(2), np.repeat([0.25, 0.5, 1.0], 4)
    calm = measured(random, sizes, (0.05, 0, 0), 0.2)
    wild = calm.copy()
    wild[5] *= 20
    assert extrapolate(AFFINE, sizes, wild).error_share(8.0) < 12 * extrapolate(AFFINE, sizes, calm).error_share(8.0)
    plain = np.log(wild / AFFINE.predict(sizes, extrapolate(AFFINE, sizes, wild).factors))
    assert extrapolate(AFFINE, sizes, wild).noise_share < 0.8 * np.sqrt((plain**2).sum() / 10)


def test_a_size_that_is_expected_only_widens_the_interval() -> None:
    sizes = np.repeat([1.0, 2.0, 4.0], 3)
    found = extrapolate(AFFINE, sizes, (1 + sizes) * np.tile([0.95, 1.0, 1.05], 3))
    (low, high), (lower, higher) = found.ends(8.0), found.ends(8.0, 0.2)
    assert lower < low < high < higher


def test_the_law_that_a_sweep_chooses_is_carried_on_with_an_interval() -> None:
    workers = np.repeat([1.0, 2.0, 3.0, 4.0], 3)
    rates = saturated_rate(workers, 100.0, 200.0) * np.tile([0.97, 1.0, 1.03], 4)
    law = choose([1, 2, 3, 4], rates.reshape(4, 3).T).law
    assert law.name == "saturation"
    low, high = extrapolate(law, workers, rates).ends(8.0)
    assert 170 < low < 200 < high < 230


def test_few_degrees_of_freedom_widen_as_students_t_does() -> None:
    from scipy.stats import norm, t

    assert student_widening(4) == pytest.approx(t.ppf(0.9, 4) / norm.ppf(0.9))
