"""A browser that is on this machine, without a window: it prints pages to PDF and draws figures as pictures.

Chromium and what descends from it do both from the command line, so that no further package is needed. The browser is handed a
file of ours, may reach no network, and leaves nothing behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from toolkit.errors import ExtraError, TonnageError

__all__ = ["browser_path", "dump", "print_pdf"]

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge")
_PLACES: Final = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
"""Where browsers lie that are not on the path."""

_ARGUMENTS: Final = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-extensions",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
_CLOCK_MS: Final = 10_000
"""How far the page's own clock is run on: timers and idle callbacks within it have fired before anything is taken."""

_LIMIT_S: Final = 120
_SHOWN: Final = 200


def browser_path() -> str:
    """Return the browser to use: what ``TONNAGE_CHROMIUM`` names, or the first that is found.

    Raises
    ------
    ExtraError
        If there is none; the sentence says what to install.
    """
    named = os.environ.get("TONNAGE_CHROMIUM")
    if named:
        if found := shutil.which(named):
            return found
        raise ExtraError(f"TONNAGE_CHROMIUM names '{named}', where no program is")
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    found = found or next((place for place in _PLACES if Path(place).is_file()), None)
    if found is None:
        raise ExtraError(
            "PDF and pictures are made by a browser and none was found: install Chromium (apt install chromium), Chrome or Edge, "
            "or name one in TONNAGE_CHROMIUM"
        )
    return found


def print_pdf(page: str, near: Path) -> bytes:
    """Return a page of HTML as PDF.

    Parameters
    ----------
    page : str
        The HTML; it must be ready to be printed once it is loaded.
    near : Path
        A folder that the browser can write to: some are kept from the system's temporary one.

    Raises
    ------
    ExtraError
        If there is no browser.
    TonnageError
        If it prints nothing.
    """
    with tempfile.TemporaryDirectory(prefix="tonnage-print-", dir=near, ignore_cleanup_errors=True) as room:
        paper = Path(room) / "page.pdf"
        said = _run(page, Path(room), ["--no-pdf-header-footer", f"--print-to-pdf={paper}"])
        if not paper.exists():
            raise TonnageError(f"the browser printed nothing; it said: {said.stderr.decode(errors='replace')[-_SHOWN:].strip()}")
        return paper.read_bytes()


def dump(page: str, near: Path) -> str:
    """Return the document that a page of HTML has become once its scripts have run; see ``print_pdf``."""
    with tempfile.TemporaryDirectory(prefix="tonnage-print-", dir=near, ignore_cleanup_errors=True) as room:
        return _run(page, Path(room), ["--dump-dom"]).stdout.decode("utf-8", errors="replace")


def _run(page: str, room: Path, wanted: list[str]) -> subprocess.CompletedProcess[bytes]:
    source = room / "page.html"
    source.write_text(page, encoding="utf-8", errors="replace", newline="\n")
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    command = [
        browser_path(), *_ARGUMENTS, *(["--no-sandbox"] if is_root else []), f"--user-data-dir={room / 'profile'}",
        f"--virtual-time-budget={_CLOCK_MS}", *wanted, source.resolve().as_uri(),
    ]  # fmt: skip
    try:
        return subprocess.run(command, capture_output=True, timeout=_LIMIT_S, check=False)  # noqa: S603 -- a command of our own, no shell
    except subprocess.TimeoutExpired:
        raise TonnageError(f"the browser '{command[0]}' was still busy after {_LIMIT_S} s; name fewer subjects") from None
    except OSError as fault:
        raise TonnageError(f"the browser '{command[0]}' could not be started: {fault}") from fault
