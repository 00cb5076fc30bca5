"""Draws: bootstraps that cover, laws that may be off, and where the spread of a result comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

import toolkit
import toolkit.projection.run
from toolkit.projection.givens import gather
from toolkit.projection.influence import first_order_share, influences, rank_correlation
from toolkit.projection.result import Projection
from toolkit.projection.run import drawn
from toolkit.projection.scenario import load_scenario
from toolkit.projection.uncertainty import Given, few_sample_widening


def made(**facts: Any) -> Given:
    return Given(**{"name": "x", "unit": "s", "value": 1.0, "source": "a test", "evidence": "measured"} | facts)


@pytest.mark.parametrize("sample_count", [3, 6, 12])
def test_eight_of_ten_ranges_hold_the_true_median_however_few_the_samples(sample_count: int) -> None:
    random = np.random.default_rng(sample_count)
    held = 0
    for _ in range(400):
        samples = tuple(np.exp(random.normal(0, 0.2, sample_count)))
        drawn = made(samples=samples, value=float(np.median(samples))).draw(random, 400)
        low, high = np.quantile(drawn, [0.1, 0.9])
        held += low <= 1.0 <= high
    assert 0.77 <= held / 400 <= 0.9


def test_a_bootstrap_keeps_the_skew_of_what_was_measured() -> None:
    drawn = made(samples=(1.0, 1.0, 1.1, 1.1, 9.0), value=1.1).draw(np.random.default_rng(0), 4_000)
    assert np.quantile(drawn, 0.99) / 1.1 > 1.1 / np.quantile(drawn, 0.01)  # a normal would be as far below as above


def test_what_a_law_may_be_off_comes_on_top() -> None:
    sure, unsure = made(value=5.0), made(value=5.0, model_error_share=0.2)
    drawn = unsure.draw(np.random.default_rng(1), 20_000)
    assert sure.is_certain
    assert not unsure.is_certain
    assert np.log(drawn).std() == pytest.approx(0.2, rel=0.03)
    assert unsure.at("p50") == 5.0
    assert unsure.at("p10") == pytest.approx(5 * np.exp(-0.2 * 1.2816), rel=0.03)
    both = made(samples=(4.0, 5.0, 6.0), value=5.0, model_error_share=0.2).draw(np.random.default_rng(1), 20_000)
    assert np.log(both).std() > np.log(drawn).std()


@settings(max_examples=50, deadline=None)
@given(samples=st.lists(st.floats(1e-3, 1e6), min_size=2, max_size=12), error=st.floats(0, 0.5))
def test_draws_are_positive_and_ends_in_order(samples: list[float], error: float) -> None:
    it = made(samples=tuple(samples), value=float(np.median(samples)), model_error_share=error)
    assert (it.draw(np.random.default_rng(0), 50) > 0).all()
    assert it.at("p10") <= it.at("p50") * (1 + 1e-9)
    assert it.at("p50") <= it.at("p90") * (1 + 1e-9)


def test_a_share_stays_a_share() -> None:
    assert made(unit="share", value=0.98, model_error_share=0.3).draw(np.random.default_rng(0), 1_000).max() <= 1.0


def test_widening_falls_to_nothing_with_the_samples() -> None:
    widths = [few_sample_widening(n) for n in range(2, 40)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 3 > widths[1] > 1.5
    assert few_sample_widening(10_000) == pytest.approx(1, abs=1e-3)


def test_shares_of_a_known_sum_are_recovered_and_add_up() -> None:
    x = np.random.default_rng(4).standard_normal((3, 40_000))
    result = 3 * x[0] + 2 * x[1] + 1 * x[2]
    shares = [first_order_share(part, result) for part in x]
    assert shares == pytest.approx([9 / 14, 4 / 14, 1 / 14], abs=0.02)
    assert sum(shares) == pytest.approx(1, abs=0.03)


def test_ishigami() -> None:
    """The function that sensitivity methods are tried on, whose indices are known.  Source: Ishigami and Homma 1990."""
    x = np.random.default_rng(7).uniform(-np.pi, np.pi, (3, 60_000))
    result = np.sin(x[0]) + 7 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0])
    assert [first_order_share(part, result, 40) for part in x] == pytest.approx([0.314, 0.442, 0.0], abs=0.02)
    assert abs(rank_correlation(x[1], result)) < 0.03  # not monotone: ranks do not see it, the share does


def test_an_input_that_has_nothing_to_do_with_a_result_has_no_share() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 5_000))
    assert first_order_share(x, y) < 0.01
    assert first_order_share(x, np.ones(5_000)) == 0.0
    assert rank_correlation(x, np.ones(5_000)) == 0.0


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.integers(-1_000_000, 1_000_000), min_size=5, max_size=40, unique=True))
def test_ranks_do_not_see_a_monotone_change(values: list[int]) -> None:
    x = np.array(values, dtype=float)
    assert rank_correlation(x, np.arctan(x / 1e6) * 3 + 1) == pytest.approx(1.0)
    assert rank_correlation(x, -x) == pytest.approx(-1.0)


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.integers(0, 5), min_size=3, max_size=40), others=st.lists(st.integers(0, 5), min_size=40, max_size=40))
def test_ranks_of_equal_values_are_shared_as_scipy_shares_them(values: list[int], others: list[int]) -> None:
    x, y = np.array(values, dtype=float), np.array(others[: len(values)], dtype=float)
    expected = 0.0 if np.ptp(x) == 0 or np.ptp(y) == 0 else spearmanr(x, y).statistic
    assert rank_correlation(x, y) == pytest.approx(expected, abs=1e-9)


def test_a_projection_imports_no_library_of_statistics() -> None:
    """Importing SciPy's takes longer than the draws do."""
    folder = Path(toolkit.projection.run.__file__).parent
    assert [file.name for file in folder.glob("*.py") if "scipy.stats import" in file.read_text(encoding="utf-8")] == []


def test_what_is_the_same_in_every_draw_takes_no_room_for_each() -> None:
    asked = load_scenario(scenario())
    ledger, months = drawn(asked, gather(asked, None, None), 500, 0)
    unpriced = ledger.values["cost.owned_usd"]
    assert (unpriced.shape[0], bool(np.isnan(unpriced).all())) == (1, True)
    assert ledger.values["training.gpu_count"].shape == (1, len(months))
    assert ledger.values["training.elapsed_s"].shape[0] == 500


def test_results_without_spread_or_bounds_are_left_out() -> None:
    x = np.random.default_rng(0).standard_normal((200, 1))
    values = {"x": x, "same": np.ones((200, 2)), "endless": np.where(x > 0, np.inf, x), "fine": np.hstack([x, 2 * x])}
    found = influences(values, ["x"], ["same", "endless", "fine"])
    assert [(row["quantity"], row["input"]) for row in found] == [("fine", "x")]
    assert found[0]["first_order_share"] > 0.9


def scenario() -> dict[str, Any]:
    return {
        "name": "x", "horizon_months": 12, "dataset": {"images": 1e6, "image_size": "100 kB"},
        "growth": {"kind": "exponential", "yearly_factor": 2, "uncertainty": 0.3},
        "training": {"epochs": 10, "deadline": "1 day"}, "storage": {"owned": "400 GB"},
    }  # fmt: skip


def test_a_projection_tells_what_its_spread_comes_from_and_keeps_it_in_a_file(tmp_path: Path) -> None:
    projection = toolkit.project(scenario(), draws=600)
    told = projection.influences
    assert set(told["quantity"]) >= {"storage.capacity_bytes", "training.elapsed_s"}
    top = told.filter(told["quantity"] == "storage.capacity_bytes").row(0, named=True)
    assert top["input"] in {"growth.factor", "start.kept_share"}
    assert all(row["first_order_share"] <= 1 for row in told.iter_rows(named=True))
    again = Projection.load(projection.save(tmp_path / "p.json"))
    assert again.influences.equals(told)
    facts = json.loads((tmp_path / "p.json").read_text())
    del facts["influences"]
    assert Projection.from_dict(facts).influences.is_empty()  # a file of an earlier release


def test_the_chances_of_running_out_of_room_and_of_being_late_are_told_for_each_month() -> None:
    projection = toolkit.project(scenario() | {"storage": {"owned": "400 GB"}}, draws=400)
    for quantity in ("storage.shortage_share", "training.late_share"):
        months = projection.frame.filter(projection.frame["quantity"] == quantity)
        assert months.height == 13
        assert months["p50"].is_between(0, 1).all()
    shortage = projection.frame.filter(projection.frame["quantity"] == "storage.shortage_share")["p50"].to_list()
    assert shortage == sorted(shortage)
    assert shortage[0] < shortage[-1]
