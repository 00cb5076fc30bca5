"""One screen for each noun: the answer, the headline numbers in words, what is bought, what limits; within 45 lines of 100 columns."""

from __future__ import annotations

import dataclasses
import io
import math

import polars as pl
import pytest
import reporting_facts as facts
from conftest import SAMPLE
from rich.console import Console

import toolkit
from toolkit import terminal, terminal_measurements
from toolkit.facts import DatasetProfile, Environment, MeasurementSet
from toolkit.projection.result import Projection

LINES, COLUMNS = 45, 100
SMALL_LINES, SMALL_COLUMNS = 40, 80


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    written = io.StringIO()
    monkeypatch.setattr(terminal, "console", lambda: Console(file=written, width=COLUMNS))
    return written


def lines_of(screen: io.StringIO) -> list[str]:
    lines = screen.getvalue().splitlines()
    assert len(lines) <= LINES, len(lines)
    assert max(map(len, lines)) <= COLUMNS
    return lines


@pytest.fixture(scope="module")
def projection() -> Projection:
    return toolkit.project(SAMPLE / "scenarios" / "vision_team_100tb.yaml", draws=20)


def test_a_projection_is_one_screen(projection: Projection, screen: io.StringIO) -> None:
    terminal.show_projection(projection)
    text = "\n".join(lines_of(screen))
    assert projection.name in text
    assert "Storage capacity" in text
    assert "storage.capacity_bytes" not in text
    assert projection.plan.bottleneck.split(",")[0] in text
    assert "--all" in text


def test_hostile_projections_are_one_screen_too(screen: io.StringIO) -> None:
    plan = facts.plan()
    many = pl.concat([plan.frame] + [plan.frame.with_columns(item=pl.lit(f"{facts.HOSTILE} {i} " * 9)) for i in range(40)])
    long = dataclasses.replace(plan, frame=many, summary="very long " * 400, bottleneck="b" * 5_000, next_bottleneck="n " * 3_000)
    flags = tuple(f"{facts.HOSTILE} {i} " * 30 for i in range(30))
    terminal.show_projection(dataclasses.replace(facts.projection(name=facts.HOSTILE * 20), plan=long, flags=flags))
    said = "\n".join(lines_of(screen))
    assert "and 28 more warnings" in said
    item_count = long.frame.select("phase", "item").n_unique()
    assert f"and {item_count - 9} more items" in said


def test_everything_is_there_on_request(projection: Projection, screen: io.StringIO) -> None:
    terminal.show_projection(projection, is_whole=True)
    text = screen.getvalue()
    for quantity in projection.frame["quantity"].unique():
        assert str(quantity)[:12] in text
    assert len(text.splitlines()) > 100


def test_a_plan_is_a_line_for_each_item(projection: Projection, screen: io.StringIO) -> None:
    terminal.show_projection(projection)
    drives = [line for line in lines_of(screen) if "NVMe SSD" in line]
    assert len(drives) == 1
    bought = projection.plan.frame.filter(pl.col("item").str.contains("NVMe SSD"))
    assert f"{bought['count'].sum():,.0f}" in drives[0]
    assert f"now to month {bought['needed_by_month'].max()}" in drives[0]


def test_a_dataset_is_one_screen_with_its_distributions(screen: io.StringIO) -> None:
    terminal.show_profile(facts.profile())
    lines = lines_of(screen)
    sizes = next(line for line in lines if line.startswith("bytes an image"))
    assert any(block in sizes for block in "▁▂▃▄▅▆▇█")
    assert "kB" in sizes
    assert any(line.startswith("pixels an image") for line in lines)


@pytest.mark.parametrize(
    "profile",
    [
        facts.empty_profile(),
        facts.profile(
            name=facts.HOSTILE * 9, labels={facts.HOSTILE * 5 + str(i): i + 1 for i in range(1_000)}, label_count=10_000
        ),
        facts.profile(reasons={f"reason_{i}": i + 1 for i in range(60)}),
    ],
    ids=["empty", "hostile", "reasons"],
)
def test_any_dataset_is_one_screen(profile: DatasetProfile, screen: io.StringIO) -> None:
    terminal.show_profile(profile)
    lines_of(screen)
    assert "\x1b" not in screen.getvalue()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal of 80 columns."""
    written = io.StringIO()
    for module in (terminal, terminal_measurements):
        monkeypatch.setattr(module, "console", lambda: Console(file=written, width=SMALL_COLUMNS))
    return written


def _fits(screen: io.StringIO) -> str:
    lines = screen.getvalue().splitlines()
    assert len(lines) <= SMALL_LINES, len(lines)
    assert max(map(len, lines)) <= SMALL_COLUMNS
    return screen.getvalue()


def _run(count: int, title: str) -> MeasurementSet:
    """A run with many measurements, faults and models."""
    rates = [facts.measurement(f"stage{i}.rate", f"{title} {i}", "bytes_per_s", 1e9, 2e9) for i in range(count)]
    found = facts.measurements(*facts.measurements().measurements, *rates)
    faults = {f"stage{i}.fault": f"{title} is not there" for i in range(30)}
    return dataclasses.replace(found, environment=Environment(host=title, facts={"not_measured": faults}))


def test_measurements_are_one_screen_and_all_of_them_on_request(small: io.StringIO) -> None:
    run = _run(90, "rate of a stage")
    terminal_measurements.show_measurements(run)
    text = _fits(small)
    assert "Loader, decoded images" in text
    assert "1,510 images/s" in text
    assert "\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2591\u2591\u2591 75 %" in text
    assert "more measurements, ceilings and intervals: tonnage show FILE --all" in text
    small.seek(0)
    small.truncate()
    terminal_measurements.show_measurements(run, is_whole=True)
    assert len(small.getvalue().splitlines()) > 100


@pytest.mark.parametrize("title", [facts.HOSTILE * 9, "long " * 300, "\u05e9\u05dc\u05d5\u05dd"])
def test_measurements_of_any_name_are_one_screen(title: str, small: io.StringIO) -> None:
    terminal_measurements.show_measurements(_run(5, title))
    assert "\x1b" not in _fits(small)


def test_a_run_that_measured_nothing_or_no_numbers_is_one_screen(small: io.StringIO) -> None:
    odd = facts.measurement("read.sequential", "Sequential read", "bytes_per_s", math.nan, 2e9)
    terminal_measurements.show_measurements(facts.measurements(odd))
    terminal_measurements.show_measurements(dataclasses.replace(facts.measurements(), measurements=()))
    assert "unknown" in _fits(small)
