"""Figures are pure: facts in, plotly out, titled with what they find, in units that people read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import polars as pl
import pytest
import reporting_facts as facts
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit.errors import UsageError
from toolkit.reporting.charts import axis_ticks, log_ticks, ranked_bars
from toolkit.reporting.design import BLUE, band, dark_twins
from toolkit.reporting.figures_dataset import quality_boxes, scatter_of_shapes
from toolkit.reporting.figures_measurements import measurement_figures
from toolkit.reporting.figures_projection import projection_figures
from toolkit.reporting.timelines import series
from toolkit.reporting.wording import interval, plain, shorten, visible


def title(figure: go.Figure) -> str:
    return str(figure.layout.title.text)


def test_every_subject_has_figures_by_name() -> None:
    assert set(toolkit.figures(facts.profile())) == {
        "funnel",
        "reasons",
        "image_bytes",
        "image_pixels",
        "formats",
        "labels",
        "versions",
    }
    assert set(toolkit.figures(facts.measurements())) == {"ceilings", "rates", "cold_warm", "samples"}
    projected = set(toolkit.figures(facts.projection()))
    assert {"growth", "storage", "bandwidth", "bottlenecks", "compute", "cost", "latency", "doubling"} <= projected
    assert {"tornado-storage-capacity-bytes", "tornado-training-cost-usd"} <= projected
    with pytest.raises(UsageError, match="no figures of a str"):
        toolkit.figures("path")


def test_every_figure_says_what_it_finds_and_names_its_axes() -> None:
    for subject in (facts.profile(), facts.measurements(), facts.projection()):
        for name, figure in toolkit.figures(subject).items():
            assert len(title(figure)) > 15, name
            assert figure.layout.meta["about"], name
            assert figure.layout.xaxis.title.text, name
            assert figure.layout.height >= 130, name


def test_figures_use_only_colours_that_have_a_dark_twin() -> None:
    import re

    for subject in (facts.profile(), facts.measurements(), facts.projection()):
        for name, figure in toolkit.figures(subject).items():
            used = set(re.findall(r"#[0-9a-f]{6}\b|rgba\([^)]*\)", figure.to_json()))
            assert used <= set(dark_twins()), (name, used - set(dark_twins()))


@pytest.mark.parametrize("name", ["crawl_5b_images", "medical_archive", "vision_team_100tb"])
def test_the_parts_of_the_storage_add_up_to_the_capacity(name: str) -> None:
    projection = toolkit.project(Path(__file__).parents[2] / "sample_data" / "scenarios" / f"{name}.yaml")
    figure = toolkit.figures(projection)["storage"]
    stacked = [sum(values) for values in zip(*(trace.y for trace in figure.data if trace.stackgroup), strict=True)]
    rows = projection.frame.filter(pl.col("quantity") == "storage.capacity_bytes").sort("month")
    assert stacked == pytest.approx(rows["p50"].to_list(), rel=0.03), "medians of parts, so not to the last byte"


def test_findings_are_true() -> None:
    figures = toolkit.figures(facts.projection())
    assert "falls short from month 13" in title(figures["bandwidth"])
    assert title(figures["storage"]).endswith("replicas or parity")
    assert title(figures["doubling"]) == "With 8 times the data: storage 6.8 times and GPUs 8 times"
    measured = measurement_figures(facts.measurements())
    assert title(measured["ceilings"]).startswith("Nearest its ceiling: Decode on all cores (85 %)")
    assert "Loader, decoded images" in title(measured["rates"])
    assert "11.4 times as fast" in title(measured["cold_warm"])


def test_supply_that_lasts_is_said_to_last() -> None:
    frame = facts.projection().frame
    ample = frame.with_columns(
        p50=pl.when(pl.col("quantity") == "bandwidth.storage_supply_bytes_per_s").then(1e12).otherwise(pl.col("p50"))
    )
    assert title(projection_figures(facts.projection(frame=ample))["bandwidth"]).startswith("Storage keeps up")
    none = frame.filter(pl.col("quantity") != "bandwidth.storage_supply_bytes_per_s")
    assert "nobody said" in title(projection_figures(facts.projection(frame=none))["bandwidth"])


def test_an_understated_ceiling_gives_no_share() -> None:
    odd = facts.measurement("read.sequential", "Fast", "bytes_per_s", 3e9, 2e9, flags=("ceiling_understated",))
    figure = measurement_figures(facts.measurements(odd))["ceilings"]
    assert "no share is given" in title(figure)
    assert any("ceiling understated" in note.text for note in figure.layout.annotations)


def test_a_time_is_measured_against_the_shortest_possible() -> None:
    slow = facts.measurement("loader.time_to_first_batch", "First batch", "s", 0.2, 0.1)
    figure = measurement_figures(facts.measurements(slow))["ceilings"]
    assert figure.data[1].x[0] == pytest.approx(0.5)


def test_figures_with_nothing_to_show_are_left_out() -> None:
    assert toolkit.figures(facts.empty_profile()) == {}
    nothing = facts.measurements(facts.measurement("x", "X", "s", math.nan, samples=()))
    assert measurement_figures(nothing) == {}
    assert scatter_of_shapes(pl.DataFrame(schema={"width_px": pl.Int32, "height_px": pl.Int32, "source": pl.String})) is None
    assert quality_boxes(pl.DataFrame({"brightness_share": [None]}, schema={"brightness_share": pl.Float32})) is None


def test_rows_keep_all_counts() -> None:
    figure = ranked_bars({f"n{i}": i for i in range(40)}, finding="f", unit="images", color="#0b62a4")
    assert figure is not None
    assert sum(figure.data[0].x) == sum(range(40))
    assert len(figure.layout.annotations) == 12
    assert "others together" in figure.layout.annotations[-1].text


def test_one_image_has_a_shape() -> None:
    figure = scatter_of_shapes(pl.DataFrame({"width_px": [4], "height_px": [3], "source": ["a<b>.jpg"]}))
    assert figure is not None
    assert "1 image" in title(figure)
    assert figure.data[1].text[0] == "a&lt;b&gt;.jpg"


def test_a_series_without_a_finite_value_is_none_and_gaps_fall_back_to_the_median() -> None:
    frame = facts.projection().frame
    assert series(frame, "no.such") is None
    broken = frame.with_columns(p10=pl.lit(float("nan")), p90=pl.lit(None, dtype=pl.Float64))
    line = series(broken, "dataset.images")
    assert line is not None
    assert line.p10 == line.p50 == line.p90


@given(st.floats(1e-9, 1e30), st.sampled_from(["bytes", "bytes_per_s", "s", "usd", "count", "images", "share"]))
def test_linear_ticks_are_few_and_inside(top: float, unit: str) -> None:
    ticks: dict[str, Any] = axis_ticks(top, unit)
    marks, (low, high) = ticks["tickvals"], ticks["range"]
    assert 1 <= len(marks) <= 7
    assert all(low <= mark <= high for mark in marks)
    assert high >= top


@given(st.lists(st.floats(1e-6, 1e18), min_size=1, max_size=8))
def test_logarithmic_ticks_are_few_and_inside(values: list[float]) -> None:
    ticks: dict[str, Any] = log_ticks(values, "bytes")
    low, high = ticks["range"]
    assert 1 <= len(ticks["tickvals"]) <= 7
    assert all(low <= math.log10(mark) <= high for mark in ticks["tickvals"])
    assert all(low <= math.log10(value) <= high for value in values)


@pytest.mark.parametrize("top", [0.0, -1.0, math.nan, math.inf])
def test_ticks_of_nothing_are_still_ticks(top: float) -> None:
    ticks: dict[str, Any] = axis_ticks(top, "bytes")
    assert ticks["tickvals"]
    assert all(math.isfinite(end) for end in ticks["range"])


@given(st.text())
def test_text_is_made_visible_and_short(text: str) -> None:
    shown = visible(text)
    assert not any(ord(char) < 0x20 or 0xD800 <= ord(char) < 0xE000 or char in "\u202e\u2028" for char in shown)
    assert len(shorten(text, 20)) <= 20
    assert "<" not in plain(text)
    shown.encode("utf-8")


def test_emoji_and_right_to_left_text_stay_readable() -> None:
    assert visible("👩‍🔬 مرحبا") == "👩‍🔬 مرحبا"


def test_intervals_name_their_unit_once() -> None:
    assert interval(1404.0, 1631.0, "images_per_s") == "1,404 to 1,631 images/s"
    assert interval(None, 5.0, "bytes") == "unknown to 5 B"
    assert interval(49_883.0, 65_528.0, "usd") == "$49,883 to $65,528"


def test_dark_twins_are_one_to_one() -> None:
    twins = dark_twins()
    assert len(set(twins.values())) == len(twins)
    assert band(BLUE) in twins
