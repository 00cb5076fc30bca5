"""``make bench-report``: how large a report's page is, and how long a browser takes until it is read, answers, and is drawn.

Each visit starts a browser context of its own, so that nothing is cached. What is folded away is drawn when it is opened, and
is not part of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

import toolkit
from toolkit.measurement.environment import environment_of
from toolkit.reporting.browser import browser_path

_ROOT = Path(__file__).resolve().parents[1]
_LIMIT_MS = 60_000

_WATCH = """
window.tasks = [];
new PerformanceObserver((list) => list.getEntries().forEach((task) => window.tasks.push([task.startTime, task.duration])))
  .observe({ type: "longtask", buffered: true });
document.addEventListener("DOMContentLoaded", () => {
  new MutationObserver(() => {
    if (document.documentElement.dataset.figures === "drawn") window.drawnAt = window.drawnAt || performance.now();
  }).observe(document.documentElement, { attributes: true });
});
"""
_TAKEN = """() => ({
  painted: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  drawn: window.drawnAt,
  tasks: window.tasks,
  figures: document.querySelectorAll("[data-plot]").length,
  open: document.querySelectorAll("[data-plot][data-drawn]").length,
})"""


def visit(browser: Browser, page: Path) -> dict[str, Any]:
    """Open a page once; return its times in seconds and how many of its figures were drawn."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    try:
        opened = context.new_page()
        opened.add_init_script(_WATCH)
        opened.goto(page.resolve().as_uri())
        opened.wait_for_selector("html[data-figures=drawn]", state="attached", timeout=_LIMIT_MS)
        taken = opened.evaluate(_TAKEN)
    finally:
        context.close()
    ends = [start + length for start, length in taken["tasks"]]
    return {
        "first_contentful_paint_s": taken["painted"] / 1e3,
        "interactive_s": max([taken["painted"], *ends]) / 1e3,
        "all_drawn_s": taken["drawn"] / 1e3,
        "longest_task_s": max([0.0, *(length for _, length in taken["tasks"])]) / 1e3,
        "blocking_s": sum(max(length - 50, 0) for _, length in taken["tasks"]) / 1e3,
        "figure_count": taken["figures"],
        "drawn_figure_count": taken["open"],
    }


def run(page: Path, visits: int) -> dict[str, Any]:
    """Return the size of a page and the medians over several visits, with each of them and what the machine did before."""
    load = os.getloadavg()[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox", "--disable-gpu"])
        taken = [visit(browser, page) for _ in range(visits)]
        version = browser.version
        browser.close()
    return {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "page": page.name,
        "version": toolkit.__version__,
        "browser": f"Chromium {version}, headless, without a GPU",
        "load_before": round(load, 1),
        "size_bytes": page.stat().st_size,
        "medians": {name: statistics.median(each[name] for each in taken) for name in taken[0]},
        "visits": taken,
        "what_it_says": "interactive: the end of the last task of more than 50 ms before every open figure is drawn; "
        "blocking: what such tasks take beyond 50 ms, in all; load_before: processes that wanted to run in the minute before.",
        "environment": dict(environment_of(Path.cwd()).facts),
    }


def main() -> None:
    """Measure, write the JSON and print the medians."""
    parser = argparse.ArgumentParser(description="Size of a report's page, and times until it is painted, answers, and is drawn.")
    parser.add_argument("page", type=Path, nargs="?", default=_ROOT / "reports" / "sample_report.html")
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "report_page.json")
    arguments = parser.parse_args()
    result = run(arguments.page, arguments.visits)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")
    print({"size_bytes": result["size_bytes"], **{name: round(value, 3) for name, value in result["medians"].items()}})


if __name__ == "__main__":
    main()
