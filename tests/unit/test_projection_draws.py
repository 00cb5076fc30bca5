"""Arrays of draws x months: worked on in blocks, let go of in time, and the same to the last bit however that is done."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.projection import draws, run
from toolkit.projection.draws import Room, are_whole, by_blocks, first_if_equal, percentiles
from toolkit.projection.explain import Ledger, formula
from toolkit.projection.givens import gather
from toolkit.projection.run import project
from toolkit.projection.scenario import load_scenario

SCENARIOS = Path(__file__).resolve().parents[2] / "sample_data" / "scenarios"
ALONE = ("crawl_5b_images", "edge_cameras", "medical_archive", "vision_team_100tb")


def asked(name: str = "vision_team_100tb", months: int = 36) -> dict[str, object]:
    return dict(yaml.safe_load((SCENARIOS / f"{name}.yaml").read_text(encoding="utf-8")) | {"horizon_months": months})


@formula("count", "twice")
def twice(amount: np.ndarray) -> np.ndarray:
    """Twice an amount.  Source: definition."""
    return amount * 2


@formula("count", "so far", across_months=True)
def so_far(amount: np.ndarray) -> np.ndarray:
    """Sum of an amount up to each month.  Source: definition."""
    return np.cumsum(amount, axis=1)


@pytest.mark.parametrize("name", ALONE)
def test_a_projection_is_the_same_to_the_last_bit_whatever_is_worked_on_at_once(name: str, monkeypatch) -> None:
    whole = project(asked(name), draws=300, seed=3)
    monkeypatch.setattr(draws, "_BLOCK_COUNT", 2_000)  # a few months of 300 draws
    parts = project(asked(name), draws=300, seed=3)
    assert parts.frame.equals(whole.frame)
    assert parts.plan.frame.equals(whole.plan.frame)


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("probability", [0.9, 0.95])
def test_values_that_were_let_go_of_leave_what_was_kept(name: str, probability: float, monkeypatch) -> None:
    wanted = asked(name) | {"plan": {"probability": probability}}
    let_go = project(wanted, draws=200, seed=5)
    whole = run._whole
    monkeypatch.setattr(
        run, "_whole", lambda *rest: whole(*rest[:-1], Ledger()) if rest[-1]._to_come is not None else whole(*rest)
    )
    kept = project(wanted, draws=200, seed=5)
    for part in ("frame", "bottlenecks", "influences", "sensitivity"):
        assert getattr(let_go, part).equals(getattr(kept, part)), part
    assert let_go.plan.frame.equals(kept.plan.frame)
    assert let_go.plan.alternatives.equals(kept.plan.alternatives)
    assert let_go.flags == kept.flags


def test_most_values_are_let_go_of_once_nothing_takes_them() -> None:
    scenario = load_scenario(asked())
    ledger, months = run.drawn(scenario, gather(scenario, None, None), 500, 0)
    assert [name for name, values in ledger.values.items() if values.shape == (500, len(months))] == []


def test_taking_what_was_let_go_of_is_told() -> None:
    ledger = Ledger(reads={"a": 1})
    ledger.give("a", "count", np.arange(6.0).reshape(3, 2), source="here", evidence="stated")
    ledger.derive("b", twice, amount="a")
    with pytest.raises(RuntimeError, match="c takes a, which no formula was to take any more"):
        ledger.derive("c", twice, amount="a")
    with pytest.raises(RuntimeError, match=r"of its quantiles 0\.9 alone was kept"):
        ledger.quantile("b", 0.5)
    assert ledger.median("b") == 6.0


def test_a_formula_that_looks_across_months_is_given_all_of_them() -> None:
    amounts = np.ones((draws._BLOCK_COUNT // 2, 7))
    assert by_blocks(so_far, {"amount": amounts}, Room(), across_months=True)[0].tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_room_is_used_again_but_never_that_of_others() -> None:
    room, other = Room(), np.zeros((4, 3))
    mine = room.take((4, 3))
    room.give_back(other)
    room.give_back(mine)
    assert room.take((4, 3)) is mine
    assert room.take((4, 3)) is not other


def test_what_a_formula_hands_on_is_not_the_same_array() -> None:
    amounts = np.ones((4, 3))
    assert not np.shares_memory(by_blocks(lambda amount: amount, {"amount": amounts}, Room()), amounts)


@settings(max_examples=50, deadline=None)
@given(count=st.integers(1, 40), months=st.integers(1, 5), seed=st.integers(0, 9), scale=st.sampled_from([0, 1, 1000]))
def test_percentiles_are_those_of_numpy(count: int, months: int, seed: int, scale: int) -> None:
    values = np.round(np.random.default_rng(seed).random((count, months)) * scale)
    expected = np.quantile(values, (0.1, 0.5, 0.9), axis=0)
    assert np.stack(percentiles(values)) == pytest.approx(expected)


def test_a_quantile_between_two_draws_without_bounds_has_none() -> None:
    assert draws.quantile(np.array([[1.0, 2.0], [3.0, np.inf], [4.0, np.inf]]), 0.75, is_whole=False).tolist() == [3.5, np.inf]
    assert draws.quantile(np.array([[1.0], [2.0], [4.0]]), 0.75, is_whole=True).tolist() == [3.0]


def test_one_draw_stands_for_all_that_are_the_same_and_for_no_others() -> None:
    same = np.broadcast_to([1.0, np.nan, np.inf], (5, 3))
    first = first_if_equal(same)
    assert first is not None
    assert first.shape == (1, 3)
    differs = same.copy()
    differs[2, 0] = 2.0  # neither at an end nor beside one
    assert first_if_equal(differs) is None
    assert not are_whole(same)
    assert are_whole(np.arange(6.0).reshape(3, 2))
    assert not are_whole(np.array([[1.5]]))


def test_memory_stays_far_below_the_bar() -> None:
    """The bar is 1 GiB for 120 months and 10,000 draws; a quarter of the draws here, which may take half of a quarter of that."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    project(asked(months=120), draws=2_500)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 2**27
