"""Laws fitted to small sizes: synthetic systems whose law is known are recovered, and intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.backtesting.kinds import kinds_of
from toolkit.backtesting.predicting import AffineLaw, Law, ParallelLaw, Points, ProportionalLaw, bend, forecast, law_terms
from toolkit.backtesting.run import scored
from toolkit.backtesting.trials import FITTED_FACTORS, PREDICTED_FACTORS, Sizes, sizes_within
from toolkit.facts.backtests import Observation

FITTED = np.repeat(FITTED_FACTORS, 3)
LARGE = np.array(PREDICTED_FACTORS)


def points_of(values: np.ndarray, trials: int = 1, sizes: np.ndarray | None = None) -> Points:
    factors = np.tile(FITTED, trials)
    return Points(
        sizes=factors if sizes is None else sizes,
        factors=factors,
        values=values,
        trials=np.repeat(np.arange(float(trials)), len(FITTED)),
    )


@settings(max_examples=60, deadline=None)
@given(fixed=st.floats(0, 1e6), slope=st.floats(1e-6, 1e6), unit=st.floats(1e-3, 1e9))
def test_an_affine_law_is_recovered_whatever_its_units(fixed: float, slope: float, unit: float) -> None:
    sizes = FITTED * unit
    found = AffineLaw().fit(sizes, (fixed + slope * sizes)[None, :])
    np.testing.assert_allclose(AffineLaw().at(found, LARGE * unit)[0], fixed + slope * LARGE * unit, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.floats(1e-3, 1e3), min_size=9, max_size=9))
def test_no_term_is_below_zero_whatever_was_measured(values: list[float]) -> None:
    rows = np.array([values])
    assert (AffineLaw().fit(FITTED, rows) >= 0).all()
    assert (ParallelLaw(core_count=2).fit(np.repeat([1.0, 2.0, 3.0], 3), rows) >= 0).all()


def test_the_affine_fit_is_the_best_that_keeps_its_terms_at_or_above_zero() -> None:
    from scipy.optimize import nnls

    random = np.random.default_rng(0)
    for _ in range(50):
        values = (random.uniform(-0.3, 1) + random.uniform(-0.2, 2) * FITTED).clip(0.05) * np.exp(random.normal(0, 0.2, 9))
        design = np.stack([np.ones_like(FITTED), FITTED], axis=1) / values[:, None]
        np.testing.assert_allclose(AffineLaw().fit(FITTED, values[None, :])[0], nnls(design, np.ones(9))[0], atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(single=st.floats(1, 1e4), contention=st.floats(0, 0.5), crowding=st.floats(0, 0.5), cores=st.sampled_from([2, 64]))
def test_the_rate_of_workers_is_recovered_and_more_than_the_cores_add_nothing(
    single: float, contention: float, crowding: float, cores: int
) -> None:
    law, workers = ParallelLaw(core_count=cores), np.repeat([1.0, 2.0, 3.0], 3)
    true = np.array([[single, contention, crowding]])
    found = law.fit(workers, law.at(true, workers))
    asked = np.array([4.0, 8.0, 16.0])
    np.testing.assert_allclose(law.at(found, asked), law.at(true, asked), rtol=1e-6)
    if cores == 2:
        assert law.at(found, np.array([64.0]))[0, 0] <= law.at(found, np.array([2.0]))[0, 0] * (1 + 1e-9)


def simulated_coverage(law: Law, true: np.ndarray, stays: float, falls: float, trials: int) -> tuple[float, float]:
    """Return coverage and the median error at the farthest size over many simulated back-tests."""
    random = np.random.default_rng(5)
    covered, errors = [], []
    for run in range(80):
        factors, large = np.tile(FITTED, trials), np.tile(LARGE, trials)
        clean, later = law.at(true, factors)[0], law.at(true, large)[0]
        values = clean * np.exp(random.standard_normal(len(clean)) * np.sqrt(stays**2 + falls**2 / factors))
        measured = later * np.exp(random.standard_normal(len(later)) * np.sqrt(stays**2 + falls**2 / large))
        expected = forecast(law, points_of(values, trials), large, large, seed=run)
        low, high = expected.ends
        covered += list((low <= measured) & (measured <= high))
        errors += list(np.abs(expected.middle / measured - 1)[large == LARGE[-1]])
    return float(np.mean(covered)), float(np.median(errors))


@pytest.mark.untraced
@pytest.mark.parametrize(("stays", "falls", "trials"), [(0.05, 0.0, 5), (0.1, 0.0, 3), (0.02, 0.05, 5), (0.05, 0.05, 4)])
def test_intervals_hold_80_of_100_measurements_at_up_to_eight_times_the_size(stays: float, falls: float, trials: int) -> None:
    coverage, error = simulated_coverage(AffineLaw(), np.array([[0.2, 0.5]]), stays, falls, trials)
    assert 0.7 <= coverage <= 0.9
    assert error <= 0.1


def test_without_scatter_a_law_that_holds_is_met_exactly() -> None:
    points = points_of(3.0 + 2.0 * FITTED)
    expected = forecast(AffineLaw(), points, LARGE, LARGE)
    np.testing.assert_allclose(expected.ends, [expected.middle] * 2, rtol=1e-9)
    np.testing.assert_allclose(expected.middle, 3.0 + 2.0 * LARGE)
    assert expected.noise_share == pytest.approx(0.0, abs=1e-9)
    assert law_terms(AffineLaw(), points) == pytest.approx({"fixed": 3.0, "slope": 2.0})


def test_a_law_that_bends_where_it_can_be_seen_widens_the_interval_with_each_doubling() -> None:
    factors = np.tile(FITTED, 3)
    random = np.random.default_rng(1)
    straight = points_of((1 + factors) * np.exp(random.normal(0, 0.002, len(factors))), 3)
    curved = points_of(factors**0.8 * np.exp(random.normal(0, 0.002, len(factors))), 3)
    assert bend(AffineLaw(), straight) < 0.01 < bend(AffineLaw(), curved)
    low, high = forecast(AffineLaw(), curved, LARGE, LARGE).ends
    assert list(high / low) == sorted(high / low)
    straight_low, straight_high = forecast(AffineLaw(), straight, LARGE, LARGE).ends
    assert (high / low)[-1] - 1 > 5 * ((straight_high / straight_low)[-1] - 1)


def test_intervals_are_the_same_for_the_same_seed() -> None:
    points = points_of((1 + FITTED) * np.linspace(0.9, 1.1, len(FITTED)))
    first, again, other = (forecast(AffineLaw(), points, LARGE, LARGE, seed=seed).draws for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_what_follows_from_an_expected_size_is_as_uncertain_as_that_size() -> None:
    factors = np.tile(FITTED, 5)
    random = np.random.default_rng(2)
    drawn = 1e6 * factors * np.exp(random.normal(0, 0.04, len(factors)))
    sizes = forecast(ProportionalLaw(), points_of(drawn, 5), LARGE, LARGE)
    followed = forecast(AffineLaw(), points_of(1e4 + 1.01 * drawn, 5, drawn), sizes.middle, LARGE, asked_draws=sizes.draws)
    np.testing.assert_allclose(followed.middle, 1e4 + 1.01 * sizes.middle, rtol=1e-6)
    widths = [np.subtract(*found.ends[::-1]) / found.middle for found in (sizes, followed)]
    np.testing.assert_allclose(widths[1], widths[0], rtol=0.02)


def test_only_small_sizes_are_fitted_and_what_cannot_be_told_is_named() -> None:
    def seen(kind: str, factor: float, value: float) -> Observation:
        return Observation(kind=kind, trial_index=0, driver_count=100 * factor, size_factor=factor, value=value)

    small = [seen("image_bytes", f, 1e6 * f) for f in FITTED]
    large = [seen("image_bytes", f, 5e6 * f) for f in LARGE]  # five times what the small ones say
    cold = [seen("read_cold_s", 1.0, 1.0)]
    laws, predictions, flags = scored(kinds_of(2), [*small, *large, *cold], 1, seed=0)
    assert [law.kind for law in laws] == ["image_bytes"]
    assert [p.error_share for p in predictions] == pytest.approx([-0.8] * 3)
    assert not any(p.is_covered for p in predictions)
    assert any(flag.startswith("time to read all shards, cold could not be measured") for flag in flags)


@settings(max_examples=40, deadline=None)
@given(left_s=st.floats(30, 3000), fixed_s=st.floats(0.01, 1), image_s=st.floats(1e-4, 0.05))
def test_sizes_fit_the_time_or_are_the_least(left_s: float, fixed_s: float, image_s: float) -> None:
    pilot = [(n, fixed_s + n * image_s) for n in (16, 128)]
    sizes, trials = sizes_within(left_s, pilot)
    images = 3 * sum(sizes.fitted) + sum(sizes.predicted)
    assert 3 <= trials <= 5
    assert trials * (12 * fixed_s + images * image_s) <= left_s or sizes == Sizes(smallest_count=8)
