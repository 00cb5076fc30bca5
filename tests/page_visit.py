"""A report opened in a real browser, with whatever it complained of or asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

DRAWN = "html[data-figures=drawn]"


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
        """Open everything that is folded, and wait for the figures in it."""
        self.page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
        self.page.wait_for_timeout(500)

    def picture(self, name: str) -> None:
        """Save what the page looks like, where the environment names a folder."""
        folder = os.environ.get("TONNAGE_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
