"""Reports for everybody: no serious violation that axe-core finds, no blank page on paper, calm whatever the data."""

from __future__ import annotations

import importlib.resources
import math
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import reporting_facts as facts
from page_visit import Visit
from printed_pages import printed_pages

import toolkit
from toolkit.facts import DatasetProfile

pytestmark = pytest.mark.browser

AXE = """() => {
  return axe.run({
    runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"],
    resultTypes: ["violations"],
    rules: { "color-contrast": { enabled: false } },
  }).then(({ violations, passes }) => ({ violations, passes: passes.map((rule) => rule.id) }));
}"""
"""Contrast has a test of its own, which is faster."""

LANGUAGES = {"שלום עולם": 4, "مرحبا بالعالم": 3, "👩🏽‍🚀🚀 emoji": 2, "日本語のラベル": 2, "e\u0301" * 20: 1, "long " * 100: 1}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    projection = toolkit.project(Path(__file__).parents[2] / "sample_data/scenarios/vision_team_100tb.yaml", draws=50)
    out = tmp_path_factory.mktemp("access") / "report.html"
    return toolkit.report(facts.profile(), facts.measurements(), projection, out=out)


@pytest.mark.parametrize(("width_px", "scheme"), [(390, "light"), (1440, "dark")])
def test_axe_finds_no_serious_violation(chromium: Any, tmp_path: Path, width_px: int, scheme: str) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe-core comes with the package axe-playwright-python")
    axe = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    stored = toolkit.project(
        {"name": "store", "dataset": {"images": 10_000, "image_size": "100 kB"}, "horizon_months": 12}, draws=20
    )
    page = toolkit.report(facts.profile(), facts.measurements(), facts.projection(), stored, out=tmp_path / "page.html")
    with Visit(chromium, page, width_px=width_px, scheme=scheme) as visit:
        visit.unfold()
        assert visit.page.locator("[data-plot] .main-svg").count() > 20
        if scheme == "light":  # once with what is drawn in the figures is enough: it is what takes the time
            visit.page.evaluate("document.querySelectorAll('.plot').forEach((plot) => plot.replaceChildren())")
        visit.page.evaluate(axe + "; undefined")
        found = visit.page.evaluate(AXE)
        assert len(found["passes"]) > 20
        bad = [v for v in found["violations"] if v["impact"] in {"serious", "critical"}]
        assert [(v["id"], v["nodes"][0]["html"][:200], len(v["nodes"])) for v in bad] == []


_LEAST_TEXTS = 25
"""Pieces of text on a page of a report: a heading alone has fewer, and so has a page whose figure was pushed onto the next."""
_LEAST_COVERED_SHARE = 0.3
"""Of a page's height, in bands of a fortieth, that hold text or the end of a line."""


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_no_printed_page_is_blank_or_nearly_empty(chromium: Any, report: Path, tmp_path: Path, paper: str) -> None:
    with Visit(chromium, report) as visit:
        out = tmp_path / "report.pdf"
        visit.page.pdf(path=out, format=paper)
        pages = printed_pages(out.read_bytes())
        assert 8 < len(pages) < 60
        assert [number for number, page in enumerate(pages, 1) if page.text_count < _LEAST_TEXTS] == []
        thin = {
            number: page.covered_share for number, page in enumerate(pages[:-1], 1) if page.covered_share < _LEAST_COVERED_SHARE
        }
        assert thin == {}
        assert visit.complaints == []


def _calm(chromium: Any, page: Path) -> str:
    """Return the text of a page that neither complains nor grows wider than a phone."""
    with Visit(chromium, page, width_px=390) as visit:
        visit.unfold()
        assert visit.complaints == []
        assert [url for url in visit.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        text = visit.page.inner_text("main")
    assert not re.search(r"\b(nan|undefined|null|infinity)\b", text, re.IGNORECASE)
    return text


def test_names_in_any_script_and_of_any_length_are_shown_whole(chromium: Any, tmp_path: Path) -> None:
    profile = facts.profile(name="مجموعة 🚀", labels=LANGUAGES, label_count=len(LANGUAGES))
    text = _calm(chromium, toolkit.report(profile, out=tmp_path / "page.html"))
    assert "שלום עולם" in text
    assert "👩🏽‍🚀🚀 emoji" in text


def test_ten_thousand_labels_and_one(chromium: Any, tmp_path: Path) -> None:
    many = facts.profile(labels={f"class {i:04d}": 10_000 - i for i in range(1_000)}, label_count=10_000)
    text = _calm(chromium, toolkit.report(many, out=tmp_path / "many.html"))
    assert "10,000 labels" in text
    one = facts.profile(labels={"only": 361}, label_count=1)
    assert "only" in _calm(chromium, toolkit.report(one, out=tmp_path / "one.html"))


def test_nothing_at_all_and_an_exabyte(chromium: Any, tmp_path: Path) -> None:
    empty: DatasetProfile = facts.empty_profile()
    assert "the dataset is empty" in _calm(chromium, toolkit.report(empty, out=tmp_path / "empty.html"))
    huge = facts.profile(image_bytes=10**18, source_bytes=2 * 10**18, shard_bytes=10**18)
    assert "1\u00a0EB" in _calm(chromium, toolkit.report(huge, out=tmp_path / "huge.html"))


def test_measurements_that_are_no_numbers_are_said_to_be_unknown(chromium: Any, tmp_path: Path) -> None:
    odd = facts.measurement("read.sequential", "Sequential read", "bytes_per_s", math.nan, 2e9)
    text = _calm(chromium, toolkit.report(facts.measurements(odd), out=tmp_path / "odd.html"))
    assert "unknown" in text


def test_a_projection_of_exabytes_one_of_no_numbers_and_nothing_refused(chromium: Any, tmp_path: Path) -> None:
    usual = facts.projection()
    is_size = pl.col("unit").is_in(["bytes", "bytes_per_s"])
    scaled = [pl.when(is_size).then(pl.col(name) * 1e6).otherwise(pl.col(name)).alias(name) for name in ("p10", "p50", "p90")]
    huge = facts.projection(frame=usual.frame.with_columns(scaled))
    kept = facts.profile(states={"kept": 361, "dropped": 0, "duplicate": 0, "quarantined": 0}, reasons={}, source_count=361)
    text = _calm(chromium, toolkit.report(kept, huge, out=tmp_path / "huge.html"))
    assert "Every image that was found is in the dataset" in text
    assert re.search(r"\d\u00a0EB", text)
    unknown = usual.frame.with_columns(pl.lit(math.nan).alias(name) for name in ("p10", "p50", "p90"))
    odd = facts.projection(frame=unknown, name="\u05e9\u05dc\u05d5\u05dd \U0001f680 " + "long " * 100)
    text = _calm(chromium, toolkit.report(odd, out=tmp_path / "unknown.html"))
    assert "\u05e9\u05dc\u05d5\u05dd" in text
