"""Scenarios side by side and runs beside each other: true ratios, what differs named, one name for each, nothing hostile."""

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

import toolkit
from toolkit.facts import Measurement, MeasurementSet
from toolkit.measurement.comparing import compare
from toolkit.projection.contrasting import contrast
from toolkit.projection.result import Projection
from toolkit.reporting.evidence import Gallery
from toolkit.reporting.figures_runs import ratios_of_runs
from toolkit.reporting.figures_scenarios import SCENARIOS_DRAWN, beside_each_other, scenarios_side_by_side
from toolkit.reporting.keeping import keep
from toolkit.reporting.page import render
from toolkit.reporting.subjects import Subjects, subjects_of
from toolkit.reporting.wording import DASH


def title(figure: Any) -> str:
    return str(figure.layout.title.text)


def scaled(name: str, factor: float, **changes: Any) -> Projection:
    """A projection of which every quantity is so many times the usual one's."""
    usual = facts.projection()
    frame = usual.frame.with_columns(pl.col("p10", "p50", "p90") * factor)
    return facts.projection(**({"name": name, "frame": frame, "scenario": {"name": name, "kept": factor}} | changes))


def text_of(page: str, section: str) -> str:
    start = page.index(f'<section id="{section}"')
    return html.unescape(page[start : page.index("</section>", start)]).replace("\u00a0", " ")


def test_scenarios_are_multiples_of_the_first() -> None:
    figure = scenarios_side_by_side(beside_each_other([scaled("lab", 1.0), scaled("team", 4.0)]))
    assert figure is not None
    assert [trace.name for trace in figure.data] == ["lab", "team"]
    assert all(ratio == pytest.approx(1) for ratio in figure.data[0].x)
    assert all(ratio == pytest.approx(4) for ratio in figure.data[1].x)
    assert title(figure).startswith("The largest difference: ")
    assert "in 'lab'" in title(figure)


def test_scenarios_stand_in_one_table_with_what_was_asked_otherwise() -> None:
    page = render(Subjects(projections=(scaled("lab", 1.0), scaled("team", 4.0))))
    section = text_of(page, "scenarios")
    assert page.index('id="scenarios"') < page.index('id="plan"')
    assert "Storage capacity" in section
    assert ">4*<" in section, "the ranges lie apart"
    assert "What was asked otherwise" in section
    assert "kept" in section


def test_scenarios_that_are_alike_are_said_to_be() -> None:
    page = render(Subjects(projections=(scaled("lab", 1.0), scaled("lab", 1.0, flags=("another",)))))
    section = text_of(page, "scenarios")
    assert "Nothing was asked otherwise" in section
    assert "The scenarios ask for the same" in section
    assert "lab (2)" in section, "each name stands once"


def test_scenarios_without_anything_in_common_are_calm() -> None:
    empty = facts.projection(name="empty", frame=facts.projection().frame.clear())
    section = text_of(render(Subjects(projections=(scaled("lab", 1.0), empty))), "scenarios")
    assert "no quantity in common" in section


def test_more_scenarios_than_colours_are_in_the_table() -> None:
    many = [scaled(f"scenario {place} " + "x" * 500, 1.0 + place) for place in range(SCENARIOS_DRAWN + 3)]
    figure = scenarios_side_by_side(beside_each_other(many))
    assert figure is not None
    assert len(figure.data) == SCENARIOS_DRAWN
    assert "3 scenarios more in the table" in figure.layout.meta["about"]
    assert max(len(trace.name) for trace in figure.data) <= 60


def test_a_quantity_that_begins_at_nothing_has_no_ratio() -> None:
    frame = scaled("lab", 1.0).frame
    is_gpus = pl.col("quantity") == "training.gpu_count"
    zero = frame.with_columns(pl.when(is_gpus).then(0.0).otherwise(pl.col(p)).alias(p) for p in ("p10", "p50", "p90"))
    found = beside_each_other([scaled("lab", 1.0, frame=zero), scaled("team", 2.0)])
    assert found.ratio("training.gpu_count", 1) is None
    figure = scenarios_side_by_side(found)
    assert figure is not None
    assert "GPUs for training" not in figure.layout.meta["rows"]


def run_of(day: int, *found: Measurement) -> MeasurementSet:
    return dataclasses.replace(facts.measurements(*found), started_at=f"2026-01-{day:02}T11:00:00Z")


def rate(title: str, value: float, **changes: Any) -> Measurement:
    return facts.measurement("read.random", title, "bytes_per_s", value, conditions={"what": title}, **changes)


def test_runs_are_held_beside_the_earliest() -> None:
    before = run_of(1, rate("slowed", 1e9), rate("same", 1e9), rate("gone", 1e9))
    after = run_of(2, rate("slowed", 2e8), rate("same", 1e9), rate("<b>new</b>", 1e9))
    page = render(Subjects(measurements=(after, before)))
    section = text_of(page, "run2-runs")
    assert "A is 2026-01-01 11:00 UTC, B is 2026-01-02 11:00 UTC." in section
    assert "1 of 2 measurements that both took differ by more than their spread" in section
    assert "most: Slowed, 1 GB/s to 200 MB/s" in section
    assert "Measured in A alone: 1" in section
    assert "Measured in B alone: 1" in section
    assert "<b>new</b>" not in page


def test_ratios_show_what_the_comparison_says() -> None:
    found = compare(run_of(1, rate("slowed", 1e9), rate("same", 1e9)), run_of(2, rate("slowed", 2e8), rate("same", 1e9)))
    figure = ratios_of_runs(found)
    assert figure is not None
    drawn = {trace.name: list(trace.x) for trace in figure.data}
    assert drawn == {"slower": [pytest.approx(0.2)], "no difference shown": [pytest.approx(1)]}
    alike = ratios_of_runs(compare(run_of(1, rate("same", 1e9)), run_of(2, rate("same", 1e9))))
    assert alike is not None
    assert title(alike) == "None of 1 measurements differs by more than its spread"


def test_of_many_ratios_the_largest_are_drawn() -> None:
    before = run_of(1, *(rate(f"rate {n}", 1e9) for n in range(40)))
    after = run_of(2, *(rate(f"rate {n}", 1e9 * (1 + n)) for n in range(40)))
    figure = ratios_of_runs(compare(before, after))
    assert figure is not None
    assert sum(len(trace.x) for trace in figure.data) == 14
    assert "The 14 largest changes of 40" in figure.layout.meta["about"]


def test_runs_that_share_nothing_complement_each_other() -> None:
    page = render(Subjects(measurements=(run_of(1, rate("one", 1e9)), run_of(2, rate("two", 1e9)))))
    assert "share no measurement under the same conditions" in text_of(page, "run2-runs")


def test_a_third_run_is_folded_behind_its_time() -> None:
    runs = tuple(run_of(day, rate("same", 1e9 * day)) for day in (1, 2, 3))
    section = text_of(render(Subjects(measurements=runs)), "run2-runs")
    assert "2026-01-01 11:00 UTC against 2026-01-03 11:00 UTC" in section
    assert 'id="figure-run3-ratios"' in section


def test_what_was_compared_before_is_a_subject_too(tmp_path: Path) -> None:
    held = compare(run_of(1, rate("slowed", 1e9)), run_of(2, rate("slowed", 2e8)))
    beside = contrast(scaled("lab", 1.0), scaled("team", 4.0))
    assert set(toolkit.figures(held)) == {"ratios"}
    assert set(toolkit.figures(beside)) == {"scenarios"}
    (tmp_path / "held.json").write_text(json.dumps(held.to_dict()), encoding="utf-8")
    subjects = subjects_of((tmp_path / "held.json", beside), Gallery())
    assert subjects.comparisons == (held,)
    page = render(subjects)
    assert 'id="r1-runs"' in page
    assert 'id="c1-scenarios"' in page
    (tmp_path / "report.json").write_text(json.dumps(keep(subjects)), encoding="utf-8")
    assert render(subjects_of((tmp_path / "report.json",), Gallery())) == page


def test_what_was_asked_has_its_unit_and_nothing_that_says_nothing() -> None:
    lab = {"dataset": {"image_size": 250_000.0}, "growth": {"kind": "linear", "images_per_month": 5e5, "yearly_factor": 1}}
    team = {"dataset": {"image_size": 2e6}, "growth": {"kind": "exponential", "images_per_month": 0, "yearly_factor": 1.5}}
    page = render(Subjects(projections=(scaled("lab", 1.0, scenario=lab), scaled("team", 4.0, scenario=team))))
    table = text_of(page, "scenarios").partition("What was asked otherwise")[2]
    rows = {row[0]: row[1:] for row in (re.findall(r">([^<]+)</t[hd]>", row) for row in table.split("<tr>")) if row}
    assert rows["dataset: image size"] == ["250 kB", "2 MB"]
    assert rows["growth: images per month"] == ["500,000 images", DASH] or rows["growth: images per month"] == [
        "500 k images",
        DASH,
    ]
    assert rows["growth: yearly factor"] == [DASH, "1.5"]


def test_a_scenarios_number_leads_to_how_it_is_made() -> None:
    page = render(Subjects(projections=(scaled("lab", 1.0), scaled("team", 4.0))))
    assert 'href="#why-storage-capacity-bytes"' in page[page.index('<section id="scenarios"') : page.index('<section id="plan"')]


def test_whiskers_of_scenarios_end_inside_the_axis() -> None:
    figure = scenarios_side_by_side(beside_each_other([scaled("lab", 1.0), scaled("team", 400.0)]))
    assert figure is not None
    low, high = (10**end for end in figure.layout.xaxis.range)
    for trace in figure.data:
        for ratio, plus, minus in zip(trace.x, trace.error_x.array, trace.error_x.arrayminus, strict=True):
            assert low < ratio - minus <= ratio + plus < high
