"""What readers do with a report: move sliders, take numbers and figures along. All of it in the page, without a server."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from page_visit import Visit

import toolkit
from toolkit.projection.givens import gather
from toolkit.projection.result import Projection
from toolkit.projection.scenario import load_scenario
from toolkit.projection.what_if import what_if
from toolkit.units import show

pytestmark = pytest.mark.browser

SCENARIO = Path(__file__).parents[2] / "sample_data/scenarios/vision_team_100tb.yaml"


@pytest.fixture(scope="module")
def projection() -> Projection:
    return toolkit.project(SCENARIO, draws=200)


@pytest.fixture(scope="module")
def page(projection: Projection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toolkit.report(projection, out=tmp_path_factory.mktemp("interaction") / "report.html")


def _move(visit: Visit, name: str, stop: int) -> None:
    slider = visit.page.locator(f"input[data-input='{name}']")
    slider.focus()
    slider.press("Home")
    for _ in range(stop):
        slider.press("ArrowRight")


@pytest.mark.parametrize("stops", [(0, 0, 0, 0), (9, 4, 8, 0), (7, 2, 5, 6), (3, 3, 2, 7)])
def test_sliders_moved_by_keyboard_agree_with_python(
    chromium: Any, page: Path, projection: Projection, stops: tuple[int, ...]
) -> None:
    found = what_if(projection)
    assert found is not None
    changed = {given.name.replace(".", "_"): given.stops[stop] for given, stop in zip(found.inputs, stops, strict=True)}
    with Visit(chromium, page) as visit:
        for given, stop in zip(found.inputs, stops, strict=True):
            _move(visit, given.name, stop)
        assert len(found.outputs) >= 6
        for output in found.outputs:
            shown = visit.page.locator(f"td[data-what='{output.quantity}']")
            value = found.value(output.quantity, **changed)
            assert float(shown.get_attribute("data-value")) == pytest.approx(value, rel=0.01)
            assert shown.inner_text() == show(float(f"{value:.6g}"), output.unit)
        assert visit.complaints == []
        visit.page.click(".surface button")
        for output in found.outputs:
            shown = visit.page.locator(f"td[data-what='{output.quantity}']")
            assert float(shown.get_attribute("data-value")) == pytest.approx(found.value(output.quantity), rel=0.01)


def test_what_the_sliders_say_is_what_a_projection_of_the_changed_scenario_says(projection: Projection) -> None:
    found = what_if(projection)
    assert found is not None
    scenario = load_scenario(SCENARIO)
    training = scenario.training
    assert training is not None
    storage = scenario.storage.model_copy(update={"protection": type(scenario.storage.protection)(kind="replicas", copies=3)})
    changes = {"training": training.model_copy(update={"epochs": 40, "deadline": 28 * 86_400.0}), "storage": storage}
    other = scenario.model_copy(update=changes)
    certain = {name: given.value for name, given in gather(other, None, None).by_name.items()}
    assert certain["training.deadline_s"] == 28 * 86_400.0
    again = toolkit.project(other, draws=2_000)
    chosen = {"training_epoch_count": 40.0, "training_deadline_s": 28 * 86_400.0, "storage_protection_factor": 3.0}
    for quantity in ("storage.capacity_bytes", "training.elapsed_s"):
        assert found.value(quantity, **chosen) == pytest.approx(again.value(quantity), rel=0.05)
    rebuilt = what_if(again)
    assert rebuilt is not None
    for output in rebuilt.outputs:
        assert found.value(output.quantity, **chosen) == pytest.approx(rebuilt.value(output.quantity), rel=1e-9)


def _taken(visit: Visit, place: str, kind: str) -> bytes:
    visit.unfold()
    with visit.page.expect_download() as download:
        visit.page.locator(f"{place} button[data-take='{kind}']").first.click()
    return Path(download.value.path()).read_bytes()


def test_the_numbers_of_a_figure_are_taken_along_as_csv_and_json(chromium: Any, page: Path, projection: Projection) -> None:
    with Visit(chromium, page, accept_downloads=True) as visit:
        rows = list(csv.DictReader(io.StringIO(_taken(visit, "#figure-growth", "csv").decode())))
        records = json.loads(_taken(visit, "#figure-growth", "json"))
        assert [float(row["months from now"]) for row in rows] == list(projection.months)
        last = projection.value("dataset.images")
        assert float(rows[-1]["images in the dataset"]) == pytest.approx(last)
        assert records[-1]["images in the dataset"] == pytest.approx(last)
        heat = json.loads(_taken(visit, "#figure-doubling", "json"))
        drives = [row["value"] for row in heat if row["name"] == "Drives"]
        assert drives == pytest.approx(projection.doubling.row(0)[3:7])


def test_a_table_is_taken_along_and_no_cell_becomes_a_formula(chromium: Any, tmp_path: Path) -> None:
    import reporting_facts as facts

    profile = facts.profile(labels={"=1+1": 3, 'a,b"c': 2}, label_count=2)
    page = toolkit.report(profile, out=tmp_path / "page.html")
    with Visit(chromium, page, accept_downloads=True) as visit:
        text = _taken(visit, "#figure-labels", "csv").decode()
        rows = list(csv.reader(io.StringIO(text)))
        assert ["'=1+1", "3"] in [row[:2] for row in rows]
        assert 'a,b"c' in {row[0] for row in rows}


def test_a_figure_is_taken_along_as_svg_and_png(chromium: Any, page: Path) -> None:
    with Visit(chromium, page, accept_downloads=True) as visit:
        svg = _taken(visit, "#figure-growth", "svg")
        assert svg.startswith(b"<svg")
        assert b"images in the dataset" in svg
        png = _taken(visit, "#figure-growth", "png")
        assert png.startswith(b"\x89PNG")
        assert len(png) > 10_000
        assert visit.complaints == []
        assert [url for url in visit.requests if not url.startswith(("file:", "data:", "blob:"))] == []
