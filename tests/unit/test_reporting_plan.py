"""Figures of plan, costs, risks, limits, influences and ways of training: true to the projection, silent where it is."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import reporting_facts as facts
import yaml

import toolkit
from toolkit.projection.result import ALTERNATIVE_SCHEMA, BOTTLENECK_SCHEMA, INFLUENCE_SCHEMA, PLAN_SCHEMA, Projection
from toolkit.reporting.figures_choices import choice_figures
from toolkit.reporting.figures_costs import cost_by_month, cost_so_far
from toolkit.reporting.figures_influences import influence_figures
from toolkit.reporting.figures_plan import budget_and_purchase
from toolkit.reporting.figures_projection import projection_figures
from toolkit.reporting.figures_regimes import REGIMES, ways_of_training
from toolkit.reporting.figures_risks import limits_by_month, shortages
from toolkit.reporting.page import render
from toolkit.reporting.subjects import Subjects

SCENARIOS = Path(__file__).parents[2] / "sample_data" / "scenarios"


@pytest.fixture(scope="module")
def priced() -> Projection:
    """A scenario in which every price is stated and storage, deadline and power may not do."""
    scenario = yaml.safe_load((SCENARIOS / "vision_team_100tb.yaml").read_text(encoding="utf-8"))
    scenario["prices"] = {"node": "290000 USD", "switch": "30000 USD"}
    scenario["storage"]["owned"] = "200 TB"
    scenario["site"] = {"power_limit": "25 kW"}
    return toolkit.project(scenario, draws=200)


@pytest.fixture(scope="module")
def unpriced() -> Projection:
    return toolkit.project(SCENARIOS / "vision_team_100tb.yaml", draws=200)


def title(figure: Any) -> str:
    return str(figure.layout.title.text)


def medians(projection: Projection, quantity: str) -> list[float]:
    return projection.frame.filter(pl.col("quantity") == quantity).sort("month")["p50"].to_list()


def test_what_owning_costs_is_stacked_to_the_whole(priced: Projection) -> None:
    figure = cost_by_month(priced)
    assert figure is not None
    stacked = [sum(values) for values in zip(*(trace.y for trace in figure.data if trace.stackgroup), strict=True)]
    assert stacked == pytest.approx(medians(priced, "cost.owned_usd"), rel=0.1), "medians of parts, so not to the last cent"
    assert title(figure).startswith("In month 36 owning costs $")
    assert "needs your input" not in figure.layout.meta["about"]


def test_the_cheaper_in_the_end_is_named(priced: Projection) -> None:
    figure = cost_so_far(priced)
    assert figure is not None
    owned, rented = (medians(priced, f"cost.{way}_so_far_usd") for way in ("owned", "rented"))
    cheaper = "Owning" if owned[-1] < rented[-1] else "Renting by the hour"
    assert title(figure).startswith(f"{cheaper} is the cheaper ")


def test_where_a_price_lacks_the_cost_is_named_and_not_drawn(unpriced: Projection) -> None:
    monthly, so_far = cost_by_month(unpriced), cost_so_far(unpriced)
    assert monthly is not None
    assert so_far is not None
    assert "what owning costs lacks a price" in title(monthly)
    assert "price of a node" in monthly.layout.meta["about"]
    assert [trace.name for trace in so_far.data if trace.name] == ["renting by the hour"]
    page = render(Subjects(projections=(unpriced,)))
    assert "Needs your input: price of a node and price of a switch." in page


def test_a_single_known_part_of_what_owning_costs_is_a_line_and_named(unpriced: Projection) -> None:
    only = unpriced.frame.filter(~pl.col("quantity").is_in(["training.cost_usd", "cost.held_usd", "inference.cost_usd"]))
    figure = cost_by_month(dataclasses.replace(unpriced, frame=only))
    assert figure is not None
    assert title(figure).startswith("Of what owning costs only training electricity is known: $")
    assert not [trace for trace in figure.data if trace.stackgroup]


def test_risks_are_the_shares_of_the_draws(priced: Projection, unpriced: Projection) -> None:
    figure = shortages(priced.frame)
    assert figure is not None
    drawn = {trace.name: list(trace.y) for trace in figure.data}
    assert drawn["running out of the storage there is"] == medians(priced, "storage.shortage_share")
    assert drawn["passing the power of the site"] == medians(priced, "site.shortage_share")
    assert "more likely than not from month" in title(figure)
    late = shortages(unpriced.frame)
    assert late is not None
    assert "missing the deadline of a training run" in {trace.name for trace in late.data}
    is_share = pl.col("quantity") == "training.late_share"
    sure = unpriced.frame.with_columns(
        pl.when(is_share).then(0.0).otherwise(pl.col(name)).alias(name) for name in ("p10", "p50", "p90")
    )
    assert shortages(sure) is None
    never = render(Subjects(projections=(dataclasses.replace(unpriced, frame=sure),)))
    assert "In none of the draws: missing the deadline of a training run." in never


def loads(**shares: list[float | None]) -> pl.DataFrame:
    rows = [
        (month, "training", name, 1.0, 1.0, "count", share)
        for name, values in shares.items()
        for month, share in enumerate(values)
    ]
    return pl.DataFrame(rows, schema=BOTTLENECK_SCHEMA, orient="row")


def test_limits_name_the_months_in_which_they_bind() -> None:
    figure = limits_by_month(
        loads(disk=[0.4, 0.95, 1.2, 0.8], network=[2.0, 2.0, 2.0, 2.0], memory=[0.2, None, 0.2, float("nan")])
    )
    assert figure is not None
    assert title(figure) == "What limits: network in training throughout and disk in training in month 2"
    levels = dict(zip(figure.layout.meta["rows"], figure.data[0].z, strict=True))
    assert list(levels["Disk, training"]) == [0, 2, 3, 1]
    assert list(levels["Memory, training"]) == [0, None, 0, None]


def test_limits_far_away_or_in_a_single_month() -> None:
    figure = limits_by_month(loads(disk=[0.4, 0.6]))
    assert figure is not None
    assert title(figure) == "Nothing limits until month 1; taken most: disk in training, 60 %"
    assert limits_by_month(loads(disk=[3.0])) is None
    assert limits_by_month(loads(disk=[None, None])) is None
    boundless = limits_by_month(loads(disk=[float("inf"), 0.1]))
    assert boundless is not None
    assert boundless.data[0].z[0][0] == 3


def test_ways_of_training_stand_side_by_side_and_not_among_the_resources(unpriced: Projection) -> None:
    figures = projection_figures(unpriced)
    figure = figures["regimes"]
    rows = {(row["resource"]): row["x8"] for row in unpriced.doubling.iter_rows(named=True)}
    drawn = dict(zip(figure.layout.meta["rows"], figure.data[0].meta, strict=True))
    assert list(figure.data[0].x) == list(REGIMES)
    assert list(drawn["Devices"]) == [rows[f"devices, {regime}"] for regime in REGIMES]
    assert not [name for name in figures["doubling"].layout.meta["rows"] if name.endswith(REGIMES)]
    assert ways_of_training(facts.projection().doubling) is None


def purchases(*rows: tuple[str, float, float | None, float, float | None]) -> pl.DataFrame:
    facts_of = [
        {"item": item, "count": count, "price_usd": price, "budget_count": budget, "budget_usd": budgeted, "needed_by_month": 0}
        for item, count, price, budget, budgeted in rows
    ]
    return pl.DataFrame(facts_of, schema=PLAN_SCHEMA)


def test_the_budget_stands_beside_the_purchase() -> None:
    figure = budget_and_purchase(
        purchases(("disk", 3, 300.0, 2, 200.0), ("disk", 2, 200.0, 1, 100.0), ("node", 1, None, 1, None))
    )
    assert figure is not None
    assert title(figure) == "$300 is budgeted, and $500 bought: $200 against running out"
    assert [list(trace.x) for trace in figure.data] == [[300.0], [500.0]]
    assert "1 item without a price is in no bar" in figure.layout.meta["about"]
    same = budget_and_purchase(purchases(("disk", 3, 300.0, 3, 300.0)))
    assert same is not None
    assert title(same) == "$300 is budgeted, and as much is bought"
    assert budget_and_purchase(purchases(("node", 1, None, 1, None))) is None
    assert budget_and_purchase(purchases()) is None


def choices(*rows: tuple[str, float | None, float, bool, str]) -> pl.DataFrame:
    every = [
        {"phase": "storage", "name": item, "item": item, "count": 2.0, "price_usd": price, "power_w": power, "is_chosen": chosen,
         "verdict": verdict} for item, price, power, chosen, verdict in rows
    ]  # fmt: skip
    return pl.DataFrame(every, schema=ALTERNATIVE_SCHEMA)


def test_choices_are_held_against_the_one_taken() -> None:
    figure = choice_figures(
        choices(
            ("taken", 100.0, 5.0, True, "chosen"),
            ("cheap", 40.0, 9.0, False, "cheaper: 0.4 times the price of what was chosen"),
            ("tiny", 10.0, 1.0, False, "rejected: too little memory: 1 GB of 2 GB"),
            ("unknown", None, 1.0, False, "not compared by price (needs input); 0.2 times the power"),
            ("<b>dear</b>", 300.0, 9.0, False, "rejected: 3 times the price"),
        )
    )["choices-storage"]
    assert title(figure) == "Storage: taken ($100) was chosen; cheap would take $40"
    assert {trace.name: list(trace.x) for trace in figure.data} == {
        "chosen": [100.0], "less than what was chosen": [40.0], "as much or more": [300.0], "does not fit": [10.0],
    }  # fmt: skip
    assert "1 choice without a price is not drawn" in figure.layout.meta["about"]
    assert figure.layout.meta["rows"][-1] == "&lt;b&gt;dear&lt;/b&gt;"


def test_choices_without_prices_are_held_by_power_and_a_single_one_not_at_all() -> None:
    taken = ("taken", None, 5.0, True, "chosen")
    figure = choice_figures(choices(taken, ("other", None, 9.0, False, "not compared by price (needs input)")))["choices-storage"]
    assert title(figure) == "Storage: taken (5 W) has the lowest power of the 2 that fit and can be compared"
    alone = choice_figures(choices(taken, ("hot", None, 2.0, False, "rejected: too much power: 9 W of 2 W")))["choices-storage"]
    assert title(alone) == "Storage: taken (5 W) is the only choice that fits"
    assert choice_figures(choices(taken)) == {}
    assert choice_figures(choices()) == {}


def test_every_rejected_choice_is_in_the_table_with_its_reason(unpriced: Projection) -> None:
    page = html.unescape(render(Subjects(projections=(unpriced,)))).replace("\u00a0", " ")
    rejected = unpriced.plan.alternatives.filter(~pl.col("is_chosen"))
    assert rejected.height > 10
    for item, verdict in rejected.select("item", "verdict").iter_rows():
        assert item in page
        assert verdict in page


def test_influences_say_where_the_spread_comes_from(unpriced: Projection) -> None:
    rows = [("training.gpu_count", "growth.factor", 0.3, 0.1), ("training.gpu_count", "device.utilisation_share", -0.9, 0.8)]
    figures = influence_figures(pl.DataFrame(rows, schema=INFLUENCE_SCHEMA, orient="row"))
    figure = figures["influence-training-gpu-count"]
    assert title(figure) == "Spread of GPUs for training: 80 % of it comes from share of peak arithmetic reached"
    assert {trace.name: list(trace.x) for trace in figure.data} == {
        "the more of it, the more": [0.1], "the more of it, the less": [0.8],
    }  # fmt: skip
    assert "together 90 %" in figure.layout.meta["about"]
    page = render(Subjects(projections=(unpriced,)))
    assert page.index('id="figure-tornado-training-gpu-count"') < page.index('id="figure-influence-training-gpu-count"')
    assert influence_figures(pl.DataFrame(schema=INFLUENCE_SCHEMA)) == {}


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts(part)]
    return (
        [text for part in value for text in texts(part)] if isinstance(value, list) else [value] if isinstance(value, str) else []
    )


def test_prices_are_never_taken_for_mathematics(priced: Projection) -> None:
    budget = budget_and_purchase(priced.plan.frame)
    assert budget is not None
    assert title(budget).count("$") > 1
    figures = toolkit.figures(priced)
    assert html.unescape(title(figures["budget"])) == title(budget)
    for name, figure in figures.items():
        facts_of = {part: held for part, held in json.loads(figure.to_json())["layout"].items() if part != "meta"}
        assert not [text for text in texts([json.loads(figure.to_json())["data"], facts_of]) if text.count("$") > 1], name
    drawn = re.findall(r'data-figure="[^"]+">(.*?)</script>', render(Subjects(projections=(priced,))))
    assert len(drawn) > 10
    assert not [text for part in drawn for text in texts(json.loads(part)) if text.count("$") > 1]
