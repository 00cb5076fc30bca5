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
from toolkit.projection.result import Projection
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


STOPS = ((0, 0, 0, 0), (9, 4, 8, 0), (7, 2, 5, 6), (3, 3, 2, 7))
"""Positions of the sliders; a unit test holds what is shown there against projections made afresh."""


def test_sliders_moved_by_keyboard_show_what_was_computed(chromium: Any, page: Path, projection: Projection) -> None:
    found = what_if(projection)
    assert found is not None
    assert len(found.outputs) >= 6
    with Visit(chromium, page) as visit:
        for stops in STOPS:
            changed = {given.name.replace(".", "_"): given.stops[stop] for given, stop in zip(found.inputs, stops, strict=True)}
            for given, stop in zip(found.inputs, stops, strict=True):
                _move(visit, given.name, stop)
            for output in found.outputs:
                shown = visit.page.locator(f"td[data-what='{output.quantity}']")
                value = found.value(output.quantity, **changed)
                assert float(shown.get_attribute("data-value")) == pytest.approx(value, rel=1e-5)
                assert shown.inner_text() == show(float(f"{value:.6g}"), output.unit)
        assert visit.complaints == []
        visit.page.click(".surface button")
        for output in found.outputs:
            shown = visit.page.locator(f"td[data-what='{output.quantity}']")
            assert float(shown.get_attribute("data-value")) == pytest.approx(found.value(output.quantity), rel=1e-5)


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
        drives = [row["value"] for row in heat if row["name"] == "Storage capacity"]
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


def test_several_sliders_of_a_notebook_moved_at_once_agree_with_python(
    chromium: Any, projection: Projection, tmp_path: Path
) -> None:
    made = toolkit.sliders(projection)
    cell = tmp_path / "cell.html"
    cell.write_text(f"<!doctype html><style>iframe {{ max-width: 900px }}</style>{made._repr_html_()}", encoding="utf-8")
    stops = {"growth.factor": 9, "storage.protection_factor": 4, "training.epoch_count": 2, "training.deadline_s": 1}
    context = chromium.new_context(offline=True, viewport={"width": 960, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda fault: complaints.append(str(fault)))
    page.goto(cell.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator("input").first.wait_for()
    for name, stop in stops.items():
        slider = frame.locator(f"input[data-input='{name}']")
        slider.focus()
        slider.press("Home")
        for _ in range(stop):
            slider.press("ArrowRight")
    inputs = {given.name: given for given in made.found.inputs}
    assert inputs.keys() == stops.keys()
    changed = {name.replace(".", "_"): inputs[name].stops[stop] for name, stop in stops.items()}
    for output in made.found.outputs:
        shown = frame.locator(f"td[data-what='{output.quantity}']")
        assert float(shown.get_attribute("data-value")) == pytest.approx(made.found.value(output.quantity, **changed), rel=1e-5)
    inner = page.frames[1]
    assert inner.evaluate("document.documentElement.scrollHeight <= innerHeight"), "the frame holds all of it"
    assert complaints == []
    context.close()
