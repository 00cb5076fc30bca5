"""The README's pictures of a report, taken of the page itself by headless Chromium: its first screen and two of its figures.

    python reports/make_pictures.py reports/sample_report.html docs/images

Fails if the page is larger than a report may be, or lacks a figure that the sample is there to show.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from toolkit.reporting.browser import browser_path

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MOST_BYTES = 2_500_000
WIDTH_PX, HEIGHT_PX = 1440, 900
MARGIN_PX = 20
FIGURES = {"report-storage": ("figure-p2-storage", "figure-storage"), "report-law": ("figure-law-1", "figure-ceilings")}
"""Pictures by the figure that they show: the first of them that the page has."""
SHOWN = ("figure-law-1", "figure-utilisation", "figure-contention", "figure-bottlenecks", "figure-storage", "figure-changes")
"""What the sample is to hold: a law with its reach, accelerators kept busy, sharing; and a back-test, see ``missing``."""
UNFOLD = "(figure) => { for (let e = figure; e; e = e.parentElement) if (e.tagName === 'DETAILS') e.open = true; }"
DRAWN = "html[data-figures=drawn]"


def missing(page: str) -> list[str]:
    """Return the figures that the sample lacks."""
    lacking = [name for name in SHOWN if f'id="{name}"' not in page]
    return lacking if "Back-test" in page else [*lacking, "a back-test"]


def take(browser: Browser, page: Path, folder: Path) -> list[Path]:
    """Write the pictures of a page into a folder and return them."""
    context = browser.new_context(viewport={"width": WIDTH_PX, "height": HEIGHT_PX}, color_scheme="light", offline=True)
    tab = context.new_page()
    tab.goto(page.resolve().as_uri())
    tab.wait_for_selector(DRAWN, state="attached", timeout=60_000)
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "report-answer.png"]
    tab.screenshot(path=written[0])
    for name, wanted in FIGURES.items():
        figure = next(tab.locator(f"figure#{place}") for place in wanted if tab.locator(f"figure#{place}").count())
        figure.evaluate(
            "(element) => { for (let e = element; e; e = e.parentElement) if (e.tagName === 'DETAILS') e.open = true; }"
        )
        figure.scroll_into_view_if_needed()
        figure.locator(".main-svg").first.wait_for()  # figures are drawn as they come into view
        tab.wait_for_timeout(600)
        written.append(folder / f"{name}.png")
        box = figure.bounding_box()
        assert box is not None
        left, top = (max(box[side] - MARGIN_PX, 0) for side in ("x", "y"))
        right, bottom = (box[side] + box[size] + MARGIN_PX for side, size in (("x", "width"), ("y", "height")))
        tab.screenshot(path=written[-1], clip={"x": left, "y": top, "width": right - left, "height": bottom - top})
    context.close()
    return written


def main() -> None:
    """Take the pictures that the command line asks for."""
    page, folder = Path(sys.argv[1]), Path(sys.argv[2])
    size_bytes, lacking = page.stat().st_size, missing(page.read_text(encoding="utf-8"))
    if size_bytes > MOST_BYTES or lacking:
        sys.exit(f"{page} has {size_bytes:,} bytes of at most {MOST_BYTES:,}, and lacks: {', '.join(lacking) or 'nothing'}")
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"] if is_root else [])
        for path in take(browser, page, folder):
            print(path)
        browser.close()


if __name__ == "__main__":
    main()
