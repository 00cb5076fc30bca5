"""What every test may use: the sample data, and one dataset curated, measured and projected from it per session."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "sample_data"

settings.register_profile("tonnage", deadline=None, max_examples=60, derandomize=bool(os.environ.get("CI")))
settings.load_profile("tonnage")


@dataclass(frozen=True)
class Finished:
    """What a run of the command left behind."""

    code: int
    out: str
    err: str


def tonnage(*arguments: str | Path, cwd: Path | None = None, timeout_s: float = 240) -> Finished:
    """Run the ``tonnage`` command in a process of its own, as a user would."""
    command = [sys.executable, "-m", "toolkit", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd or ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def sample_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset curated from ``sample_data/raw`` through the command line; treat it as read-only."""
    place = tmp_path_factory.mktemp("sample") / "dataset"
    done = tonnage("curate", SAMPLE / "raw", place, "--quiet")
    assert done.code == 0, done.err
    return place


@pytest.fixture(scope="session")
def sample_measurements(sample_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Measurements of the sample dataset, plan quick."""
    out = tmp_path_factory.mktemp("measured") / "measurements.json"
    done = tonnage("measure", sample_dataset, "--quiet", "--out", out)
    assert done.code == 0, done.err
    return out


@pytest.fixture(scope="session")
def sample_projection(sample_dataset: Path, sample_measurements: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab scenario projected from the sample dataset and its measurements."""
    out = tmp_path_factory.mktemp("projected") / "projection.json"
    scenario = SAMPLE / "scenarios" / "lab_one_node.yaml"
    done = tonnage("project", scenario, "--dataset", sample_dataset, "--measurements", sample_measurements, "--out", out)
    assert done.code == 0, done.err
    return out


_CHROMIUM_ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser that reports are opened in."""
    if os.environ.get("TONNAGE_NO_BROWSER") == "1":
        pytest.skip("TONNAGE_NO_BROWSER=1")
    path = os.environ.get("TONNAGE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("Chromium is needed to test the report: install it (apt-get install chromium) or set TONNAGE_NO_BROWSER=1")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()
