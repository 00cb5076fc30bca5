"""Every number explains itself: each link to an explanation shows it, and no number in a table of results is without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import reporting_facts as facts
from page_visit import Visit

import toolkit

pytestmark = pytest.mark.browser

SCENARIOS = Path(__file__).parents[2] / "sample_data" / "scenarios"

CLICK_ALL = """() => {
  const dialog = document.getElementById("why");
  const wrong = [];
  const links = [...document.querySelectorAll("main a.why")];
  const plain = (text) => text.replace(/\\s+/g, " ").trim();
  const told = (id) => {
    const source = document.getElementById(id);
    return source.tagName === "TR" ? [...source.cells].map((cell) => plain(cell.textContent)) : [plain(source.textContent)];
  };
  for (const link of links) {
    const id = link.getAttribute("href").slice(1);
    link.click();
    const said = plain(dialog.querySelector(".shown").textContent);
    const isOwn = said.length >= 20 && told(id).every((part) => said.includes(part));
    if (!dialog.open || dialog.dataset.shows !== id || !isOwn) wrong.push([link.textContent, id, said.slice(0, 40)]);
  }
  dialog.querySelector("[data-why=close]").click();
  if (dialog.open) wrong.push("it stays open");
  return { count: links.length, wrong };
}"""
"""Clicks each link to an explanation, and says which showed nothing, or another one's; it opens once, as each time takes long."""

CLICK_NUMBERS = """() => {
  const dialog = document.getElementById("why");
  const mute = [];
  for (const cell of document.querySelectorAll("main td.number")) {
    if (!/\\d/.test(cell.textContent) || cell.closest("tr[id], figure, .surface")) continue;
    dialog.dataset.shows = "";
    cell.click();
    if (!dialog.dataset.shows) mute.push(`${cell.closest("section").id}: ${cell.parentElement.textContent.trim().slice(0, 60)}`);
  }
  dialog.querySelector("[data-why=close]").click();
  return mute;
}"""
"""Clicks every number of the tables that stand open, and says which explained nothing; a row that explains others is one itself."""

PROVENANCE = """() => [...document.querySelectorAll(".detail[id]")].filter((detail) =>
  !detail.querySelector(".formula") && !detail.querySelector(".note")).map((detail) => detail.id)"""


def test_each_link_shows_its_own_explanation_and_each_number_has_one(chromium: Any, tmp_path: Path) -> None:
    projection = toolkit.project(SCENARIOS / "edge_cameras.yaml", draws=20)
    page = toolkit.report(facts.profile(), facts.measurements(), projection, out=tmp_path / "page.html")
    with Visit(chromium, page) as visit:
        found = visit.page.evaluate(CLICK_ALL)
        assert found["count"] > 300
        assert found["wrong"] == []
        assert visit.page.evaluate(CLICK_NUMBERS) == []
        assert visit.page.evaluate(PROVENANCE) == []
        visit.page.locator("#nodes td.number").first.click()  # as a reader does it
        assert visit.page.locator("dialog#why[open] .formula").count() >= 1
        visit.page.mouse.click(5, 5)
        assert visit.page.locator("dialog#why[open]").count() == 0
        assert visit.complaints == []


def test_the_headline_is_explained_too(chromium: Any, tmp_path: Path) -> None:
    projection = toolkit.project(SCENARIOS / "edge_cameras.yaml", draws=20)
    page = toolkit.report(projection, out=tmp_path / "page.html")
    with Visit(chromium, page, width_px=390) as visit:
        assert visit.page.locator("h1 a.why").count() >= 2
        visit.page.locator("h1 a.why").first.click()
        visit.page.wait_for_selector("dialog#why[open]")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        visit.picture("explanation-390")
        box = visit.page.locator("dialog#why").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
