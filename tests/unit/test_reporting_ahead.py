"""Figures of what lies ahead: against what is there and bought, peaks named as peaks, whole numbers as steps, objectives drawn."""

from __future__ import annotations

import dataclasses
import itertools
import math

import plotly.graph_objects as go
import polars as pl
import reporting_facts as facts

from toolkit.projection.result import ASSUMPTION_SCHEMA, BOTTLENECK_SCHEMA, FRAME_SCHEMA, PLAN_SCHEMA, Projection
from toolkit.reporting.design import SURFACE
from toolkit.reporting.figures_load import bottlenecks
from toolkit.reporting.figures_projection import projection_figures
from toolkit.reporting.figures_risks import limits_by_month
from toolkit.reporting.figures_storage import STORAGE_KINDS


def title(figure: go.Figure) -> str:
    return str(figure.layout.title.text)


def owning(owned_bytes: float, left_s: float) -> Projection:
    """A projection of somebody who has some storage, which is full after a while; drives hold 10 TB."""
    usual = facts.projection()
    given = [
        ("storage.owned_bytes", owned_bytes, "bytes", "", "stated", ""),
        ("drive.capacity_bytes", 1e13, "bytes", "", "vendor", ""),
    ]
    left = [(month, "storage.time_to_fill_s", "s", left_s, left_s, left_s, "assumed") for month in facts.MONTHS]
    drives = [
        {"phase": "storage", "item": "drive", "count": count, "needed_by_month": month} for count, month in ((3, 0), (2, 9))
    ]
    return facts.projection(
        assumptions=pl.concat([usual.assumptions, pl.DataFrame(given, schema=ASSUMPTION_SCHEMA, orient="row")]),
        frame=pl.concat([usual.frame, pl.DataFrame(left, schema=FRAME_SCHEMA, orient="row")]),
        plan=dataclasses.replace(usual.plan, frame=pl.DataFrame(drives, schema=PLAN_SCHEMA)),
    )


def test_storage_stands_against_what_is_there_and_what_is_bought() -> None:
    figure = projection_figures(owning(3e13, 20 * 86_400.0))["storage"]
    lines = {trace.name: list(trace.y) for trace in figure.data if not trace.stackgroup}
    assert lines["there already"] == [3e13] * 25
    assert lines["bought by the plan"] == [3e13] * 9 + [5e13] * 16
    assert title(figure).endswith("; the 30 TB there already are full in 20 days")
    assert title(projection_figures(owning(3e13, 0.0))["storage"]).endswith("are too little now")
    assert title(projection_figures(owning(9e15, math.inf))["storage"]).endswith("; the 9 PB there already do until then")
    assert figure.layout.yaxis.range[1] > 5e13


def test_stacked_kinds_are_told_apart_from_their_neighbours_in_gray() -> None:
    from test_reporting_design import lightness

    shown = [lightness(color) for color in STORAGE_KINDS.values()]
    assert min(abs(after - before) for before, after in itertools.pairwise(shown)) >= 10
    figure = projection_figures(facts.projection())["storage"]
    assert {trace.line.color for trace in figure.data if trace.stackgroup} == {SURFACE}


def test_the_title_of_the_loads_names_their_peak() -> None:
    rows = [(m, "training", "deadline", 1.0, 1.0, "s", share) for m, share in enumerate((0.5, 0.81, 0.78))]
    figure = bottlenecks(pl.DataFrame(rows, schema=BOTTLENECK_SCHEMA, orient="row"))
    assert figure is not None
    assert title(figure) == "Deadline comes nearest to its limit: 81 % of what is there in month 1"
    limits = limits_by_month(pl.DataFrame(rows, schema=BOTTLENECK_SCHEMA, orient="row"))
    assert limits is not None
    assert "81 %" in title(limits)


def test_whole_numbers_are_drawn_as_steps() -> None:
    figure = projection_figures(facts.projection())["compute"]
    assert figure.data[1].line.shape == "hv"
    band_x = list(figure.data[0].x)
    assert all(a == b or c == d for (a, c), (b, d) in itertools.pairwise(zip(band_x, figure.data[0].y, strict=True)))
    assert projection_figures(facts.projection())["growth"].data[1].line.shape == "linear"


def test_demand_far_below_supply_is_still_seen() -> None:
    frame = facts.projection().frame
    ample = frame.with_columns(
        pl.when(pl.col("quantity") == "bandwidth.storage_supply_bytes_per_s").then(1e12).otherwise(pl.col(p)).alias(p)
        for p in ("p10", "p50", "p90")
    )
    assert projection_figures(facts.projection(frame=ample))["bandwidth"].layout.yaxis.type == "log"
    assert projection_figures(facts.projection())["bandwidth"].layout.yaxis.type is None


def test_latency_stands_against_its_objective_and_its_load() -> None:
    node = facts.projection().explanations["storage.raw_bytes"]
    numbers = {"single_s": 0.001, "offline_per_s": 4000.0, "batch_count": 16.0, "objective_s": 0.05, "capacity_per_s": 3000.0,
             "load_per_s": 2500.0, "arrival_variation_factor": 1.0}  # fmt: skip
    nodes = {f"inference.{name}": dataclasses.replace(node, name=name, p50=(value,)) for name, value in numbers.items()}
    served = facts.projection(explanations=dict(facts.projection().explanations) | nodes)
    figures = projection_figures(served)
    by_month, by_load = figures["latency"], figures["latency-load"]
    assert {"objective, 50 ms"} <= {trace.name for trace in by_month.data} & {trace.name for trace in by_load.data}
    assert title(by_month).endswith("beyond the objective of 50 ms")
    assert title(by_load).startswith("One device answers 99 % within 50 ms up to 3,000 requests/s")
    tail = next(trace for trace in by_load.data if trace.name == "99th percentile")
    assert list(tail.y) == sorted(tail.y)
    assert "latency-load" not in projection_figures(facts.projection())
