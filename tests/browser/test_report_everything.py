"""A report with every figure there is, under calm and hostile names, on a phone and on a desk: drawn, inside, and silent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import reporting_everything as everything
from page_visit import Visit
from test_report_page import AT_ITS_WIDTH, PLOTS

import toolkit

pytestmark = pytest.mark.browser

NAMES = {
    "calm": "a drive of 8 TB",
    "hostile": "<img src=x onerror=document.title='owned'></script><script>document.title='owned'</script> \u202egnp & \"x\"",
    "right-to-left": "שלום עולם مرحبا بالعالم",
    "long": "long " * 100,
}

OVERLAPS = """() => [...document.querySelectorAll("[data-plot]")].flatMap((plot) => {
  const rows = [...plot.querySelectorAll(".annotation-text")].map((text) => text.getBoundingClientRect()).filter((box) => box.width);
  return rows.flatMap((a, i) => rows.slice(i + 1).filter((b) =>
    a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3).map(() => plot.dataset.plot));
})"""
FOLDED = "[...document.querySelectorAll('details:not([open]) [data-plot]')]"

OPEN_AGAIN = """[...document.querySelectorAll("details.fold[open] [data-plot]")].every((plot) =>
  +plot.dataset.width === plot.clientWidth && plot.dataset.dark === "true")"""

FIGURES = {
    "scenarios", "quarters", "budget", "choices-storage", "risks", "v1-changes", "v1-states-changed", "latencies", "contention",
    "utilisation", "run2-ratios", "limits", "cost-by-month", "cost-so-far", "regimes", "influence-storage-capacity-bytes",
}  # fmt: skip
"""What the newest figures are called in the page."""


@pytest.mark.parametrize(
    ("kind", "width_px", "scheme"),
    [("calm", 390, "light"), ("hostile", 1440, "dark"), ("right-to-left", 768, "light"), ("long", 390, "dark")],
)
def test_every_figure_is_drawn_inside_its_frame_whatever_things_are_called(
    chromium: Any, tmp_path: Path, kind: str, width_px: int, scheme: str
) -> None:
    page = toolkit.report(*everything.subjects(NAMES[kind]), out=tmp_path / "page.html")
    assert page.stat().st_size < 2_500_000
    with Visit(chromium, page, width_px=width_px, scheme=scheme) as visit:
        visit.unfold()
        visit.picture(f"everything-{kind}-{width_px}")
        plots = {plot["name"]: plot for plot in visit.page.evaluate(PLOTS)}
        assert plots.keys() >= FIGURES
        for name, plot in plots.items():
            assert plot["drawn"], name
            assert plot["points"], name
            assert not plot["beyond"], (name, plot["beyond"])
        assert visit.complaints == []
        assert "owned" not in visit.page.title().replace("='owned'", "")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width_px
        if kind == "calm":  # rows do not cover each other, on a phone and on a tablet that the window becomes
            assert visit.page.evaluate(OVERLAPS) == []
            visit.page.set_viewport_size({"width": 768, "height": 900})
            visit.until(AT_ITS_WIDTH)
            assert visit.page.evaluate(OVERLAPS) == []


def test_one_figure_that_fails_leaves_the_others_drawn(chromium: Any, tmp_path: Path) -> None:
    page = toolkit.report(*everything.subjects(), out=tmp_path / "page.html")
    text = page.read_text(encoding="utf-8")
    start = text.index('data-figure="scenarios">') + len('data-figure="scenarios">')
    page.write_text(text[:start] + "{" + text[text.index("</script>", start) :], encoding="utf-8")
    with Visit(chromium, page) as visit:
        assert any("scenarios" in complaint for complaint in visit.complaints)
        drawn = "document.querySelectorAll('[data-plot][data-drawn]').length"
        before = visit.page.evaluate(drawn)
        assert before > 20
        assert visit.page.evaluate(f"{FOLDED}.length") > 10
        assert visit.page.evaluate(f"{FOLDED}.filter((plot) => plot.dataset.drawn)") == [], "what is folded away waits"
        summary = "details.fold:has([data-plot]) > summary >> nth=0"
        visit.page.click(summary)
        visit.until(f"{drawn} > {before} && document.documentElement.dataset.figures === 'drawn'")
        visit.page.click(summary)  # folded away again while the window becomes smaller and the screen dark
        visit.page.set_viewport_size({"width": 768, "height": 900})
        visit.page.emulate_media(color_scheme="dark")
        visit.page.wait_for_timeout(300)
        visit.page.click(summary)
        visit.until(f"document.documentElement.dataset.figures === 'drawn' && {OPEN_AGAIN}")
