"""The report in a real browser: every figure drawn with data, no error, nothing asked of the network, readable everywhere."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import reporting_facts as facts
from page_visit import Visit

import toolkit
from toolkit.reporting.design import MUTED, dark_twins

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "report.html"
    return toolkit.report(facts.profile(), facts.measurements(), facts.projection(), out=out)


PLOTS = """() => [...document.querySelectorAll("[data-plot]")].map((plot) => ({
  name: plot.dataset.plot,
  drawn: plot.classList.contains("js-plotly-plot"),
  traces: (plot.data || []).length,
  points: (plot.data || []).reduce((sum, t) => sum + (t.x || t.z || t.q1 || []).length, 0),
  marks: plot.querySelectorAll(".main-svg path, .main-svg image").length,
  beyond: [...plot.querySelectorAll(".annotation-text, .xtick text, .ytick text, .legendtext")]
    .filter((text) => {
      const [inner, outer] = [text.getBoundingClientRect(), plot.getBoundingClientRect()];
      return inner.width && (inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.bottom > outer.bottom + 1);
    })
    .map((text) => text.textContent),
}))"""


_AT_PLACE = """(() => {{
  const top = document.getElementById("{name}").getBoundingClientRect().top;
  const end = document.documentElement.scrollHeight - innerHeight - scrollY < 2;
  return (top > -2 && top < 80) || (end && top < innerHeight);
}})()"""
AT_ITS_WIDTH = "[...document.querySelectorAll('[data-plot]')].every((plot) => +plot.dataset.width === plot.clientWidth)"


@pytest.mark.parametrize(("name", "width_px"), [("phone", 390), ("desk", 1280)])
def test_every_figure_is_drawn_with_data_and_inside_its_frame(chromium: Any, report: Path, name: str, width_px: int) -> None:
    with Visit(chromium, report, width_px=width_px) as visit:
        visit.picture(f"report-{name}")
        visit.unfold()
        _are_whole(visit.page.evaluate(PLOTS))
        if name == "desk":  # the window becomes a phone's: names wrap anew, and nothing is cut
            visit.page.set_viewport_size({"width": 390, "height": 900})
            visit.until(AT_ITS_WIDTH)
            width_px = 390
            _are_whole(visit.page.evaluate(PLOTS))
        assert not visit.complaints
        assert [url for url in visit.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width_px


def _are_whole(plots: list[dict[str, Any]]) -> None:
    assert len(plots) >= 18
    for plot in plots:
        assert plot["drawn"], plot
        assert plot["traces"], plot
        assert plot["points"], plot
        assert plot["marks"], plot
        assert not plot["beyond"], plot


def _rgb(color: str) -> str:
    return f"rgb({', '.join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))})"


def test_dark_and_light_follow_the_system_while_the_page_is_open(chromium: Any, report: Path) -> None:
    ink = "getComputedStyle(document.querySelector('[data-plot] .xtick text')).fill"
    page_color = "getComputedStyle(document.body).backgroundColor"
    with Visit(chromium, report) as visit:
        visit.until(f"{ink} === '{_rgb(MUTED)}'")
        light = visit.page.evaluate(page_color)
        visit.page.emulate_media(color_scheme="dark")
        visit.until(f"{ink} === '{_rgb(dark_twins()[MUTED])}'")
        assert visit.page.evaluate(page_color) != light
        visit.picture("report-dark")
        visit.unfold()
        _are_whole(visit.page.evaluate(PLOTS))


def test_the_first_screen_reads_without_scripts(chromium: Any, report: Path) -> None:
    with Visit(chromium, report, java_script_enabled=False) as visit:
        assert "Two GPU servers now" in visit.page.inner_text("h1")
        assert "needs input" in visit.page.inner_text("#plan")
        assert visit.page.locator("noscript").count() == 1


def test_a_number_leads_to_its_explanation_by_keyboard(chromium: Any, report: Path) -> None:
    with Visit(chromium, report) as visit:
        visit.page.focus("#answer .facts a.why >> nth=0")
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_selector("dialog#why[open]")
        assert "raw + curated" in visit.page.inner_text("dialog#why")
        visit.page.locator("dialog#why a.why").first.click()
        visit.until("document.getElementById('why').dataset.shows === 'why-storage-raw-bytes'")
        visit.page.click("dialog#why [data-why=back]")
        visit.until("document.getElementById('why').dataset.shows === 'why-storage-capacity-bytes'")
        visit.page.keyboard.press("Escape")
        visit.until("!document.getElementById('why').open")
        assert visit.page.evaluate("document.activeElement.getAttribute('href')") == "#why-storage-capacity-bytes"
        visit.page.keyboard.press("Enter")
        visit.page.click("dialog#why [data-why=list]")
        visit.page.wait_for_selector("#why-storage-capacity-bytes[open]")
        assert visit.page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_every_link_of_the_contents_leads_to_its_section_and_marks_it(chromium: Any, report: Path) -> None:
    with Visit(chromium, report, reduced_motion="reduce") as visit:
        names = visit.page.evaluate("[...document.querySelectorAll('.contents a')].map((link) => link.hash.slice(1))")
        assert len(names) > 10
        for name in names:
            visit.page.click(f".contents a[href='#{name}']")
            visit.until(f"location.hash === '#{name}' && {_AT_PLACE.format(name=name)}")
        visit.page.click(".contents a[href='#measured']")
        visit.page.wait_for_selector(".contents a[href='#measured'][aria-current]")
        assert visit.page.locator(".contents a[aria-current]").count() == 1


def test_figures_and_landmarks_have_names(chromium: Any, report: Path) -> None:
    with Visit(chromium, report) as visit:
        labels = visit.page.evaluate("[...document.querySelectorAll('[role=img]')].map((e) => e.getAttribute('aria-label'))")
        assert all(len(label) > 20 for label in labels)
        assert visit.page.locator("main").count() == 1
        assert visit.page.locator("nav[aria-label]").count() == 1
        assert visit.page.locator("h1").count() == 1
        levels = visit.page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map((h) => +h.tagName[1])")
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_text_has_the_contrast_that_wcag_asks_for(chromium: Any, report: Path) -> None:
    script = """() => {
      const channel = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
      const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
      const behind = (node) => {
        for (; node; node = node.parentElement) {
          const color = numbers(getComputedStyle(node).backgroundColor);
          if (color.length < 4 || color[3] > 0) return color;
        }
        return [255, 255, 255];
      };
      const poor = [];
      for (const node of document.querySelectorAll("main *, nav *")) {
        const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
        if (!own || node.closest("svg, script, .unseen")) continue;
        const [a, b] = [light(numbers(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
        if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(node.className + ": " + node.textContent.slice(0, 40));
      }
      return poor;
    }"""
    for scheme in ("light", "dark"):
        with Visit(chromium, report, scheme=scheme) as visit:
            assert visit.page.evaluate(script) == []


def test_it_prints_on_a4_with_every_figure_on_the_paper(chromium: Any, report: Path, tmp_path: Path) -> None:
    with Visit(chromium, report, scheme="dark") as visit:
        paper = tmp_path / "report.pdf"
        visit.page.pdf(path=paper, format="A4")
        assert visit.complaints == []
        assert paper.stat().st_size > 50_000
        if folder := os.environ.get("TONNAGE_SCREENSHOTS"):
            shutil.copy(paper, Path(folder) / "report.pdf")
        visit.page.emulate_media(media="print", color_scheme="dark")
        visit.page.set_viewport_size({"width": 688, "height": 1000})  # A4 less its margins, at 96 px an inch
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 688
        assert visit.page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 36, 48)"
        wraps = "new Set([...document.querySelectorAll('td.number')].map((cell) => getComputedStyle(cell).overflowWrap))"
        assert visit.page.evaluate(f"[...{wraps}]") == ["normal"], "no number goes on in the middle of a word"


def test_hostile_names_run_nothing(chromium: Any, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=document.title='owned'></script><script>document.title='owned'</script>"
    profile = facts.profile(
        name=hostile, labels={hostile: 5, "javascript:alert(1)": 2}, formats={hostile: 361}, other_files={hostile: 2}
    )
    measurement = facts.measurement("read.sequential", hostile, "bytes_per_s", 1e9, 2e9, conditions={hostile: hostile})
    projection = facts.projection(name=hostile, flags=(hostile,))
    page = toolkit.report(profile, facts.measurements(measurement), projection, out=tmp_path / "hostile.html")
    with Visit(chromium, page) as visit:
        assert "owned" not in visit.page.title().replace("='owned'", "")
        assert visit.complaints == []
        assert [url for url in visit.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_benchmark_of_the_page_takes_its_times_and_counts_its_figures(chromium: Any, report: Path) -> None:
    from benchmarks.report_page import visit

    taken = visit(chromium, report)
    assert 0 < taken["first_contentful_paint_s"] <= taken["interactive_s"] <= taken["all_drawn_s"] + 1
    assert taken["figure_count"] == taken["drawn_figure_count"] >= 18
