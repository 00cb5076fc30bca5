"""A report opened in a real browser, with whatever it complained of or asked for."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Self

DRAWN = "html[data-figures=drawn]"
ALL_DRAWN = """document.documentElement.dataset.figures === "drawn" &&
  [...document.querySelectorAll("[data-plot]")].every((plot) => plot.dataset.drawn)"""

_PATIENCE_S = 60


class Visit:
    """A page opened in the browser, with whatever it complained of or asked for."""

    def __init__(self, browser: Any, path: Path, *, width_px: int = 1280, scheme: str = "light", **options: Any) -> None:
        size = {"width": width_px, "height": 900}
        self.context = browser.new_context(viewport=size, color_scheme=scheme, offline=True, **options)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda fault: self.complaints.append(str(fault)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        if options.get("java_script_enabled", True):
            self.page.wait_for_selector(DRAWN, state="attached", timeout=60_000)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def unfold(self) -> None:
        """Open everything that is folded, and wait until every figure is drawn."""
        self.page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
        self.until(ALL_DRAWN)

    def until(self, condition: str) -> None:
        """Wait until an expression is true in the page; Playwright's own way needs an eval that the page's policy forbids."""
        end_s = time.monotonic() + _PATIENCE_S
        while not self.page.evaluate(condition):
            assert time.monotonic() < end_s, f"the page never came to this: {condition}"
            self.page.wait_for_timeout(40)

    def picture(self, name: str) -> None:
        """Save what the page looks like, where the environment names a folder."""
        folder = os.environ.get("TONNAGE_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
