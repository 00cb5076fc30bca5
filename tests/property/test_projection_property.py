"""What theory says of the formulas, whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.projection import caching, fabric, packaging, scaling, storage, training
from toolkit.projection.explain import percentiles
from toolkit.projection.growth import expired_images, growth_images, images_at
from toolkit.projection.inference import capacity_at, latencies
from toolkit.projection.scenario import Growth, Protection
from toolkit.projection.uncertainty import Given
from toolkit.units import MONTH_S

sizes = st.floats(1e3, 1e15)
shares = st.floats(0.01, 0.9)


def array(value: float) -> np.ndarray:
    return np.array([[value]])


@given(sizes, shares, st.integers(1, 30), st.integers(0, 10))
def test_capacity_is_never_less_than_what_is_stored_and_grows_with_parity(
    stored: float, headroom: float, data: int, parity: int
) -> None:
    def capacity(pieces: int) -> float:
        factor = array(Protection(data=data, parity=pieces).factor)
        protection = storage.protection(array(stored), factor)
        free = storage.headroom(array(stored), protection, array(headroom))
        return float(storage.capacity(array(stored), protection, free)[0, 0])

    assert capacity(parity) >= stored
    assert capacity(parity + 1) > capacity(parity)


@given(sizes, st.floats(1e6, 1e13))
def test_twice_the_samples_take_twice_the_arithmetic(samples: float, macs: float) -> None:
    assert training.run_flop(2 * samples, macs) == pytest.approx(2 * training.run_flop(samples, macs))


@given(st.floats(1e9, 1e15), st.floats(1e9, 1e15), st.floats(1.0, 4.0), st.integers(1, 64))
def test_a_larger_dataset_is_never_cached_better(cache: float, dataset: float, factor: float, nodes: int) -> None:
    count = array(float(nodes))
    before = caching.lru_hit_share(array(cache), array(dataset), count)[0, 0]
    after = caching.lru_hit_share(array(cache), array(dataset * factor), count)[0, 0]
    assert 0 <= after <= before + 1e-9 <= 1 + 1e-9


@given(st.sampled_from(["linear", "exponential", "logistic", "steps"]), st.floats(1e3, 1e9))
def test_growth_starts_at_nothing_and_never_shrinks(kind: str, start: float) -> None:
    growth = Growth(kind=kind, images_per_month=100, yearly_factor=1.7, ceiling_images=5e9, steps={3: 10, 7: 20})
    added = growth_images(growth, start, np.arange(0.0, 60.0))[0]
    assert added[0] == pytest.approx(0, abs=1e-6 * start)
    assert (np.diff(added) >= -1e-6 * start).all()
    assert start + added[-1] <= 5e9 * 1.01 or kind != "logistic"


@given(st.floats(0.05, 0.9), st.floats(1.01, 1.5))
def test_the_tail_rises_with_load_and_capacity_keeps_the_objective(load: float, more: float) -> None:
    rate = 1000 * load
    tails = [latencies(float(f"{value:.3g}"), 0.004, 1500.0, 8)[1] for value in (rate, min(rate * more, 1000.0))]
    assert tails[1] >= tails[0] * 0.97  # one simulation each: a few per cent of noise
    held = capacity_at(0.03, 0.004, 1500.0, 8)
    assert latencies(held, 0.004, 1500.0, 8)[1] <= 0.03


@given(st.floats(1, 1e6), shares, st.floats(1.01, 3.0))
def test_draws_have_the_percentiles_that_were_stated(value: float, low: float, high: float) -> None:
    given_value = Given(name="x", unit="s", value=value, low=value * low, high=value * high, source="test", evidence="assumed")
    drawn = given_value.draw(np.random.default_rng(0), 4000)
    found = np.quantile(drawn, (0.1, 0.5, 0.9))
    assert found == pytest.approx([value * low, value, value * high], rel=0.12)
    assert (drawn > 0).all()


@given(st.integers(1, 40), st.booleans(), st.integers(0, 5))
def test_percentiles_are_those_of_numpy(count: int, is_tied: bool, seed: int) -> None:
    values = np.random.default_rng(seed).standard_normal((count, 3))
    values = np.round(values) if is_tied else values
    assert np.allclose(percentiles(values), np.quantile(values, (0.1, 0.5, 0.9), axis=0))
    assert np.isinf(percentiles(np.full((count, 2), np.inf))).all()


@given(sizes, st.floats(1e3, 1e12), st.floats(1.01, 8))
def test_files_in_blocks_never_take_less_than_their_bytes_and_scale_with_their_number(
    count: float, size: float, factor: float
) -> None:
    waste = float(packaging.small_file_bytes(count, size, 4096.0, 256.0))
    assert waste >= 0
    assert float(packaging.small_file_bytes(count * factor, size, 4096.0, 256.0)) == pytest.approx(waste * factor)
    assert float(packaging.block_rounded_bytes(size, 4096.0)) >= size * (1 - 1e-12)


@given(st.integers(1, 5000), st.sampled_from([16.0, 32.0, 64.0]), st.sampled_from([1.0, 2.0, 3.0]))
def test_more_cards_never_take_fewer_switches(cards: int, ports: float, oversubscription: float) -> None:
    def switches(count: float) -> float:
        leaves = fabric.leaf_count(array(count), ports, oversubscription)
        return float(fabric.switch_count(leaves, ports, oversubscription)[0, 0])

    assert switches(cards + 1) >= switches(cards) >= 1


@given(st.floats(1e6, 1e10), st.floats(1, 1e9), st.integers(1, 36))
def test_retention_never_leaves_more_and_a_steady_stream_settles(start: float, monthly: float, months: int) -> None:
    asked = Growth(kind="linear", images_per_month=monthly, retention=months * MONTH_S)
    when = np.arange(0.0, 80.0)
    added = growth_images(asked, start, when)
    gone, gone_added = expired_images(asked, start, when)
    left = images_at(np.array([[start]]), added, np.ones((1, 1)), gone, gone_added)[0]
    whole = images_at(np.array([[start]]), added, np.ones((1, 1)))[0]
    assert (left <= whole * (1 + 1e-9)).all()
    assert left[months:] == pytest.approx(np.full(80 - months, monthly * months), rel=1e-6)


@given(st.floats(1, 1e3), st.integers(2, 64), st.floats(0, 0.2), st.floats(0, 1e-3))
def test_the_scalability_law_is_found_again(single: float, largest: int, contention: float, coherence: float) -> None:
    counts = np.unique(np.linspace(1, largest + 6, 7).round())
    rates = scaling.scalability_rate(counts, single, contention, coherence)
    again = [scaling.scaled_rate(counts, rates, count) for count in counts]
    assert again == pytest.approx(list(rates), rel=1e-3)
    assert (rates <= single * counts * (1 + 1e-9)).all()
